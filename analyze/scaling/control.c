/* Signs and scales through bodies that run several times: the factors of a state are the same before and
 * after every iteration, and so are those of what is taken from sequences and put into others.
 */
#include "analyze/scaling/scaling.h"

/* The axes of `a` but `skipped` are those of `b`, in order. Where ranks do not fit, or one is unknown,
 * neither is multiplied. */
static void equal_but(cnx_rule *rule, const cnx_fact *a, uint32_t skipped, const cnx_fact *b)
{
    cnx_scaling_log *log = rule->analysis->scaling;
    if (!a->known || !b->known || a->rank != b->rank + (skipped != CNX_NONE)) {
        cnx_scaling_fix(log, CNX_SIGN_AND_SCALE, a->scaling);
        cnx_scaling_fix(log, CNX_SIGN_AND_SCALE, b->scaling);
        return;
    }
    for (uint32_t k = 0; k < a->rank; k++)
        if (k == skipped)
            cnx_scaling_fix_axis(log, CNX_SIGN_AND_SCALE, a->scaling, k);
        else
            cnx_scaling_equal(log, CNX_SIGN_AND_SCALE, a->scaling, k, b->scaling, k - (k > skipped));
}

/* State `state` goes in as input `input`, through the body, and out. */
static void carry_state(cnx_rule *rule, uint32_t input, uint32_t state, uint32_t into, uint32_t out)
{
    const cnx_fact *inside = &rule->body_inputs[into];
    equal_but(rule, &rule->inputs[input], CNX_NONE, inside);
    equal_but(rule, &rule->body_outputs[out], CNX_NONE, inside);
    equal_but(rule, &rule->outputs[state], CNX_NONE, inside);
}

/* Whether the body was followed; if not, nothing is multiplied. */
static bool is_followed(cnx_rule *rule)
{
    if (rule->body_inputs == NULL)
        cnx_scaling_fix_node(rule, CNX_SIGN_AND_SCALE);
    return rule->body_inputs != NULL;
}

/* Loop(M, condition, carried...), body (iteration, condition, carried...) -> (condition, carried...,
 * stacked...)
 */
void cnx_scale_loop(cnx_rule *rule)
{
    cnx_scaling_log *log = rule->analysis->scaling;
    if (!is_followed(rule))
        return;
    cnx_scaling_fix(log, CNX_SIGN_AND_SCALE, rule->body_outputs[0].scaling);
    for (uint32_t o = 0; o < rule->output_count; o++)
        if (2 + o < rule->input_count)
            carry_state(rule, 2 + o, o, 2 + o, 1 + o);
        else
            equal_but(rule, &rule->outputs[o], 0, &rule->body_outputs[1 + o]);
}

/* Scan(states..., sequences...), body (states..., elements...) -> (states..., elements...) */
void cnx_scale_scan(cnx_rule *rule)
{
    if (!is_followed(rule))
        return;
    uint32_t states = rule->input_count - (uint32_t)cnx_rule_int(rule, "num_scan_inputs", 0);
    size_t axes, output_axes;
    const int64_t *axis = cnx_rule_ints(rule, "scan_input_axes", &axes);
    const int64_t *output_axis = cnx_rule_ints(rule, "scan_output_axes", &output_axes);
    for (uint32_t i = 0; i < states; i++)
        carry_state(rule, i, i, i, i);
    for (uint32_t i = states; i < rule->input_count; i++) {
        const cnx_fact *whole = &rule->inputs[i];
        int64_t at = i - states < axes ? axis[i - states] : 0;
        equal_but(rule, whole, whole->rank != 0 ? cnx_rule_axis_number(rule, at, whole->rank) : CNX_NONE,
                  &rule->body_inputs[i]);
    }
    for (uint32_t o = states; o < rule->output_count; o++) {
        const cnx_fact *whole = &rule->outputs[o];
        int64_t at = o - states < output_axes ? output_axis[o - states] : 0;
        equal_but(rule, whole, whole->rank != 0 ? cnx_rule_axis_number(rule, at, whole->rank) : CNX_NONE,
                  &rule->body_outputs[o]);
    }
}
