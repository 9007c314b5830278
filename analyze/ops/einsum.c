/* Einsum: the equation names every axis by a letter; equal letters are the same axis. */
#include "analyze/ops/einsum.h"

#include "analyze/ops/compose.h"

#define ELLIPSIS 52

typedef cnx_einsum_term term;

static bool letter_place(char c, uint8_t *place)
{
    if (c >= 'A' && c <= 'Z')
        *place = (uint8_t)(c - 'A');
    else if (c >= 'a' && c <= 'z')
        *place = (uint8_t)(26 + c - 'a');
    else
        return false;
    return true;
}

/* Reads one term up to a comma, an arrow or the end; NULL when it is not of the form. */
static const char *read_term(const char *text, term *t)
{
    *t = (term){.ellipsis = CNX_NONE};
    for (; *text != '\0' && *text != ',' && *text != '-'; text++) {
        if (*text == ' ')
            continue;
        if (text[0] == '.' && text[1] == '.' && text[2] == '.' && t->ellipsis == CNX_NONE) {
            t->ellipsis = t->count;
            text += 2;
        } else if (t->count == 60 || !letter_place(*text, &t->letters[t->count++])) {
            return NULL;
        }
    }
    return text;
}

/* The output that an equation without an arrow means: the ellipsis, then the letters that occur once, in
 * alphabetical order. Runtimes do not agree whether capitals come first: false when that matters. */
static bool implicit_output(const term *operands, uint32_t count, term *output)
{
    uint32_t times[ELLIPSIS] = {0};
    bool small = false, capital = false;
    *output = (term){.ellipsis = CNX_NONE};
    for (uint32_t i = 0; i < count; i++) {
        if (operands[i].ellipsis != CNX_NONE)
            output->ellipsis = 0;
        for (uint32_t k = 0; k < operands[i].count; k++)
            times[operands[i].letters[k]]++;
    }
    for (uint8_t letter = 0; letter < ELLIPSIS; letter++)
        if (times[letter] == 1) {
            output->letters[output->count++] = letter;
            *(letter < 26 ? &capital : &small) = true;
        }
    return !small || !capital;
}

static bool read_equation(const char *text, term *operands, uint32_t count, term *output)
{
    for (uint32_t i = 0; i < count; i++) {
        text = read_term(text, &operands[i]);
        if (text == NULL || (i + 1 < count && *text++ != ','))
            return false;
    }
    if (text[0] == '-' && text[1] == '>')
        return (text = read_term(text + 2, output)) != NULL && *text == '\0';
    return *text == '\0' && implicit_output(operands, count, output);
}

uint32_t cnx_einsum_place(const term *t, uint32_t rank, uint32_t k)
{
    uint32_t covered = rank - t->count;
    if (t->ellipsis == CNX_NONE || k < t->ellipsis)
        return t->letters[k];
    if (k >= t->ellipsis + covered)
        return t->letters[k - covered];
    return ELLIPSIS + CNX_EINSUM_MOST_PLACES - covered + (k - t->ellipsis);
}

static bool fits(const term *t, uint32_t rank)
{
    if (t->ellipsis == CNX_NONE)
        return rank == t->count;
    return rank >= t->count && rank - t->count <= CNX_EINSUM_MOST_PLACES;
}

/* The operand in the frame; the axes of a letter that it repeats (a diagonal) are the same. */
static cnx_fact in_frame(cnx_rule *rule, const term *t, cnx_fact fact)
{
    cnx_fact framed = cnx_rule_fact(rule, fact.type, CNX_EINSUM_FRAME);
    uint64_t taken = 0;
    for (uint32_t k = 0; k < fact.rank; k++) {
        uint32_t place = cnx_einsum_place(t, fact.rank, k);
        framed.axes[place] =
            (taken >> place & 1) != 0 ? cnx_rule_same(rule, framed.axes[place], fact.axes[k]) : fact.axes[k];
        taken |= UINT64_C(1) << place;
    }
    return framed;
}

static bool has_letter(const term *t, uint8_t letter)
{
    for (uint32_t k = 0; k < t->count; k++)
        if (t->letters[k] == letter)
            return true;
    return false;
}

/* Lets axes of a parameter vary over its first axis, where all others that have their letter, operands or the
 * output, have that of the first axis as well: weights of several heads in one tensor. */
static void refine(cnx_rule *rule, cnx_fact *fact, const term *terms, uint32_t count, uint32_t own,
                   const term *output)
{
    const term *t = &terms[own];
    for (uint32_t k = 1; k < t->count && t->ellipsis == CNX_NONE; k++) {
        bool together = false, apart = t->letters[k] == t->letters[0];
        for (uint32_t i = 0; i <= count; i++) {
            const term *other = i < count ? &terms[i] : output;
            if (i == own || !has_letter(other, t->letters[k]))
                continue;
            bool both = has_letter(other, t->letters[0]);
            together = together || both;
            apart = apart || !both;
        }
        if (together && !apart)
            cnx_fact_refine(rule, fact, k, 0);
    }
}

/* The places of the output in order; false when it repeats a letter. */
static bool output_order(const term *output, uint32_t covered, uint32_t *order, uint32_t *rank,
                         uint64_t *kept)
{
    *rank = output->count + (output->ellipsis != CNX_NONE ? covered : 0);
    *kept = 0;
    for (uint32_t k = 0; k < *rank; k++) {
        order[k] = cnx_einsum_place(output, *rank, k);
        if ((*kept >> order[k] & 1) != 0)
            return false;
        *kept |= UINT64_C(1) << order[k];
    }
    return true;
}

bool cnx_einsum_read(const cnx_rule *rule, cnx_einsum *einsum)
{
    const char *equation = cnx_attribute_text(rule->graph, rule->node, "equation", "");
    *einsum = (cnx_einsum){.covered = 0};
    einsum->operands = CNX_NEW_ARRAY(rule->arena, term, rule->input_count);
    if (rule->input_count == 0 ||
        !read_equation(equation, einsum->operands, rule->input_count, &einsum->output))
        return false;
    for (uint32_t i = 0; i < rule->input_count; i++) {
        uint32_t own = rule->inputs[i].rank;
        if (!cnx_rule_has(rule, i) || !fits(&einsum->operands[i], own))
            return false;
        if (own - einsum->operands[i].count > einsum->covered)
            einsum->covered = own - einsum->operands[i].count;
    }
    return true;
}

void cnx_apply_einsum(cnx_rule *rule)
{
    cnx_einsum einsum;
    cnx_fact *facts = CNX_NEW_ARRAY(rule->arena, cnx_fact, rule->input_count);
    uint32_t order[CNX_EINSUM_FRAME], rank;
    uint64_t kept;
    if (!cnx_einsum_read(rule, &einsum) ||
        !output_order(&einsum.output, einsum.covered, order, &rank, &kept)) {
        cnx_rule_pin_all(rule, "equation that is not understood");
        return;
    }
    for (uint32_t i = 0; i < rule->input_count; i++) {
        cnx_fact fact = cnx_rule_input(rule, i);
        refine(rule, &fact, einsum.operands, rule->input_count, i, &einsum.output);
        facts[i] = in_frame(rule, &einsum.operands[i], fact);
    }
    cnx_fact product = cnx_rule_broadcast(rule, facts, rule->input_count, rule->inputs[0].type);
    product = cnx_rule_reduce(rule, product, ~kept & ((UINT64_C(1) << CNX_EINSUM_FRAME) - 1), true);
    cnx_rule_output(rule, 0, cnx_fact_reorder(rule, product, order, rank));
}
