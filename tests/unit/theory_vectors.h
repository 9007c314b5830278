/* The test vectors of theory_vectors.json, and how a program claims to cover them.
 *
 * Every vector names a function `fn`. A program lists *all* of them: those it checks, those it checks in part
 * (and why the rest waits), those that nothing computes yet. A name that is in the file and not in the list,
 * or in the list and not in the file, fails the test, so nothing is skipped in silence.
 *
 * Included once, by theory_test.c.
 */
#ifndef CNX_TESTS_THEORY_VECTORS_H
#define CNX_TESTS_THEORY_VECTORS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Computes the value of a vector from its inputs; NAN: outside what this program covers. */
typedef double (*vector_function)(const json_t *inputs);

typedef struct claim {
    const char *function;
    vector_function compute; /* NULL: nothing computes it yet */
    const char *left_out;    /* why some or all vectors are not checked; NULL: all are */
    size_t vectors;          /* counted by claim_check */
    size_t checked;
} claim;

static json_t *vector_file;

static json_t *load_vectors(const char *path)
{
    json_error_t error;
    vector_file = json_load_file(path, 0, &error);
    json_t *vectors = json_object_get(vector_file, "vectors");
    if (!json_is_array(vectors)) {
        fprintf(stderr, "%s:%d: %s\n", path, error.line, error.text);
        exit(1);
    }
    return vectors;
}

/* ---- reading ---- */

static const json_t *item(const json_t *inputs, const char *key)
{
    const json_t *value = json_object_get(inputs, key);
    if (value == NULL)
        fail_msg("a vector has no \"%s\"", key);
    return value;
}

static double number(const json_t *inputs, const char *key)
{
    const json_t *value = item(inputs, key);
    return json_is_string(value) ? strtod(json_string_value(value), NULL) : json_number_value(value);
}

static double number_or(const json_t *inputs, const char *key, double otherwise)
{
    return json_object_get(inputs, key) == NULL ? otherwise : number(inputs, key);
}

static const char *text(const json_t *inputs, const char *key)
{
    const char *value = json_string_value(item(inputs, key));
    assert_non_null(value);
    return value;
}

/* ---- checking ---- */

static bool agrees(double expected, double actual, double tolerance)
{
    return expected == actual || fabs(expected - actual) <= tolerance * fabs(expected);
}

/* Checks every vector of one function within the relative `tolerance`. */
static void claim_check(claim *one, const json_t *vectors, double tolerance)
{
    size_t index;
    json_t *vector;
    json_array_foreach(vectors, index, vector)
    {
        if (strcmp(text(vector, "fn"), one->function) != 0)
            continue;
        one->vectors++;
        double actual = one->compute == NULL ? NAN : one->compute(item(vector, "inputs"));
        if (isnan(actual))
            continue;
        one->checked++;
        double expected = strtod(text(vector, "expected_str"), NULL);
        if (!agrees(expected, actual, tolerance))
            fail_msg("%s: %.17g instead of %s", text(vector, "name"), actual, text(vector, "expected_str"));
    }
    if (one->vectors == 0)
        fail_msg("%s: the file has no such vector", one->function);
    if (one->compute != NULL && one->checked == 0)
        fail_msg("%s: none of %zu vectors could be checked", one->function, one->vectors);
    if (one->checked < one->vectors && one->left_out == NULL)
        fail_msg("%s: only %zu of %zu vectors were checked, without a reason", one->function, one->checked,
                 one->vectors);
    if (one->checked == one->vectors && one->left_out != NULL)
        fail_msg("%s: all vectors were checked, but the list says: %s", one->function, one->left_out);
}

/* Fails when the file has a function that no claim names; prints the account. */
static void claims_check_complete(const claim *claims, size_t count, const json_t *vectors)
{
    size_t index, checked = 0;
    json_t *vector;
    json_array_foreach(vectors, index, vector)
    {
        size_t i = 0;
        while (i < count && strcmp(claims[i].function, text(vector, "fn")) != 0)
            i++;
        if (i == count)
            fail_msg("%s: no claim names its function %s", text(vector, "name"), text(vector, "fn"));
    }
    for (size_t i = 0; i < count; i++) {
        checked += claims[i].checked;
        print_message("%-28s %3zu of %3zu%s%s\n", claims[i].function, claims[i].checked, claims[i].vectors,
                      claims[i].left_out != NULL ? "  " : "",
                      claims[i].left_out != NULL ? claims[i].left_out : "");
    }
    print_message("%zu of %zu vectors checked\n", checked, json_array_size(vectors));
}

#endif
