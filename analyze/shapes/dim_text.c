/* Dimensions as text. Terms and factors are printed in an order that depends on what they are, not on when
 * they were first seen: higher degree first, then alphabetically. */
#include "analyze/shapes/dim_internal.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>

#define MAX_SHORT_TERMS 4u

static int compare_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* A name may hold anything ("past_length + 1"); inside a formula it then needs brackets. */
static bool is_plain_name(const char *name)
{
    for (; *name != '\0'; name++)
        if (!isalnum((unsigned char)*name) && strchr("_.:", *name) == NULL)
            return false;
    return true;
}

/* `p` is n + (q - 1) for a divisor q: floor(p / q) reads better as ceil(n / q). Returns n. */
static bool is_ceiling(cnx_dims *dims, const cnx_atom_key *key, cnx_dim *numerator)
{
    int64_t divisor;
    cnx_polynomial p;
    if (key->kind != CNX_ATOM_FLOOR || !cnx_dim_is_number(dims, key->b, &divisor) || divisor < 2)
        return false;
    cnx_dim__load(dims, key->a, &p);
    if (p.count < 2 || p.terms[p.count - 1].degree != 0 || p.terms[p.count - 1].coefficient != divisor - 1)
        return false;
    *numerator = cnx_dim_subtract(dims, key->a, cnx_dim_number(dims, divisor - 1));
    return true;
}

/* An operand of a quotient, in brackets when it is more than one factor. */
static const char *operand_text(cnx_dims *dims, cnx_dim dim, bool divisor)
{
    cnx_polynomial p;
    cnx_dim__load(dims, dim, &p);
    const char *text = cnx_dim_text(dims, dim);
    bool one_factor = p.count == 0 || (p.count == 1 && p.terms[0].degree == 0) ||
                      (p.count == 1 && p.terms[0].degree == 1 && p.terms[0].coefficient == 1);
    bool simple = divisor ? one_factor : p.count <= 1;
    bool odd_name = p.count == 1 && p.terms[0].degree == 1 && text[0] != '(' && strchr(text, ' ') != NULL &&
                    strchr(text, '(') == NULL;
    return simple && !odd_name ? text : cnx_print(dims->arena, "(%s)", text);
}

static const char *atom_text(cnx_dims *dims, uint32_t number, bool alone)
{
    const cnx_atom_key key = dims->atoms[number].key;
    if (key.kind == CNX_ATOM_SYMBOL) {
        const char *name = cnx_intern_bytes(&dims->names, key.a, NULL);
        return alone || is_plain_name(name) ? name : cnx_print(dims->arena, "(%s)", name);
    }
    if (key.kind == CNX_ATOM_FRESH)
        return cnx_print(dims->arena, "?%u", key.a);
    if (key.kind == CNX_ATOM_MAX || key.kind == CNX_ATOM_MIN) {
        const char *texts[] = {cnx_dim_text(dims, key.a), cnx_dim_text(dims, key.b)};
        qsort(texts, 2, sizeof texts[0], compare_text);
        return cnx_print(dims->arena, "%s(%s, %s)", key.kind == CNX_ATOM_MAX ? "max" : "min", texts[0],
                         texts[1]);
    }
    cnx_dim numerator = key.a;
    bool ceiling = is_ceiling(dims, &key, &numerator) || key.kind == CNX_ATOM_CEIL;
    return cnx_print(dims->arena, "%s(%s/%s)", ceiling ? "ceil" : "floor",
                     operand_text(dims, numerator, false), operand_text(dims, key.b, true));
}

/* The factors of a term without its coefficient: "H*N^2"; "" for a number. */
static const char *factors_text(cnx_dims *dims, const cnx_term *term, bool alone)
{
    const char *factors[CNX_MAX_DEGREE];
    uint32_t count = 0;
    for (uint32_t i = 0; i < term->degree;) {
        uint32_t power = 1;
        while (i + power < term->degree && term->atoms[i + power] == term->atoms[i])
            power++;
        const char *factor = atom_text(dims, term->atoms[i], alone && term->degree == 1);
        factors[count++] = power == 1 ? factor : cnx_print(dims->arena, "%s^%u", factor, power);
        i += power;
    }
    qsort(factors, count, sizeof factors[0], compare_text);
    const char *text = count == 0 ? "" : factors[0];
    for (uint32_t i = 1; i < count; i++)
        text = cnx_print(dims->arena, "%s*%s", text, factors[i]);
    return text;
}

typedef struct printed_term {
    uint32_t degree;
    uint64_t magnitude;
    bool negative;
    const char *factors;
} printed_term;

static int compare_terms(const void *left, const void *right)
{
    const printed_term *a = left, *b = right;
    if (a->degree != b->degree)
        return a->degree > b->degree ? -1 : 1;
    return strcmp(a->factors, b->factors);
}

/* For people: of equal degree, what is large comes first. */
static int compare_sizes(const void *left, const void *right)
{
    const printed_term *a = left, *b = right;
    if (a->degree == b->degree && a->magnitude != b->magnitude)
        return a->magnitude > b->magnitude ? -1 : 1;
    return compare_terms(left, right);
}

/* Fills `terms` in the order of `compare` and returns their number. */
static uint32_t print_terms(cnx_dims *dims, cnx_dim dim, int (*compare)(const void *, const void *),
                            printed_term terms[CNX_MAX_TERMS])
{
    cnx_polynomial p;
    cnx_dim__load(dims, dim, &p);
    bool alone = p.count == 1 && p.terms[0].coefficient == 1;
    for (uint32_t i = 0; i < p.count; i++) {
        int64_t coefficient = p.terms[i].coefficient;
        terms[i] = (printed_term){
            .degree = p.terms[i].degree,
            .magnitude = coefficient < 0 ? 0u - (uint64_t)coefficient : (uint64_t)coefficient,
            .negative = coefficient < 0,
            .factors = factors_text(dims, &p.terms[i], alone),
        };
    }
    qsort(terms, p.count, sizeof terms[0], compare);
    return p.count;
}

static const char *join(cnx_dims *dims, const char *text, bool negative, const char *term)
{
    if (text == NULL)
        return negative ? cnx_print(dims->arena, "-%s", term) : term;
    return cnx_print(dims->arena, "%s %c %s", text, negative ? '-' : '+', term);
}

const char *cnx_dim_text(cnx_dims *dims, cnx_dim dim)
{
    printed_term terms[CNX_MAX_TERMS];
    uint32_t count = print_terms(dims, dim, compare_terms, terms);
    const char *text = NULL;
    for (uint32_t i = 0; i < count; i++) {
        const char *term = terms[i].factors;
        if (terms[i].degree == 0)
            term = cnx_print(dims->arena, "%" PRIu64, terms[i].magnitude);
        else if (terms[i].magnitude != 1)
            term = cnx_print(dims->arena, "%" PRIu64 "*%s", terms[i].magnitude, term);
        text = join(dims, text, terms[i].negative, term);
    }
    return text == NULL ? "0" : text;
}

/* Three significant digits and a prefix: 1814073344 is "1.81 G"; below a thousand all digits. */
static const char *engineering_text(cnx_arena *arena, uint64_t number)
{
    static const char prefixes[] = "kMGTPE";
    if (number < 1000)
        return cnx_print(arena, "%" PRIu64, number);
    double value = (double)number;
    size_t prefix = 0;
    for (value /= 1000; value >= 999.5 && prefix + 2 < sizeof prefixes; value /= 1000)
        prefix++;
    int digits = value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
    return cnx_print(arena, "%.*f %c", digits, value, prefixes[prefix]);
}

const char *cnx_dim_short_text(cnx_dims *dims, cnx_dim dim)
{
    printed_term terms[CNX_MAX_TERMS];
    uint32_t count = print_terms(dims, dim, compare_sizes, terms);
    const char *text = NULL;
    for (uint32_t i = 0; i < count; i++) {
        if (i == MAX_SHORT_TERMS)
            return cnx_print(dims->arena, "%s + ...", text);
        const char *number = engineering_text(dims->arena, terms[i].magnitude);
        const char *term = terms[i].degree == 0 ? number
                           : terms[i].magnitude == 1
                               ? terms[i].factors
                               : cnx_print(dims->arena, "%s * %s", number, terms[i].factors);
        text = join(dims, text, terms[i].negative, term);
    }
    return text == NULL ? "0" : text;
}

const char *cnx_dim_brief_text(cnx_dims *dims, cnx_dim dim, size_t width)
{
    printed_term terms[CNX_MAX_TERMS];
    const char *text = cnx_dim_short_text(dims, dim);
    if (strlen(text) <= width || print_terms(dims, dim, compare_sizes, terms) == 0)
        return text;
    return cnx_print(dims->arena, "%s%s * ...", terms[0].negative ? "-" : "",
                     engineering_text(dims->arena, terms[0].magnitude));
}
