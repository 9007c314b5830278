/* Signs and scales through normalizations. An epsilon under the root keeps scales from passing through. */
#include "analyze/scaling/scaling.h"

/* output = (input) + scale along axis `k` of the output, `input` for the kinds in `through`. */
static void scaled(cnx_rule *rule, cnx_scaling_kind kind, uint32_t k, bool through, uint32_t scale_axis)
{
    cnx_scaling_term terms[3] = {{rule->outputs[0].scaling, k, -1}};
    uint32_t count = 1;
    if (through)
        terms[count++] = (cnx_scaling_term){rule->inputs[0].scaling, k, 1};
    if (scale_axis != CNX_NONE)
        terms[count++] = (cnx_scaling_term){rule->inputs[1].scaling, scale_axis, 1};
    cnx_scaling_equation(rule->analysis->scaling, kind, terms, count);
}

static void separate_ends(cnx_rule *rule)
{
    cnx_scaling_separate(rule->analysis->scaling, rule->inputs[0].scaling);
    cnx_scaling_separate(rule->analysis->scaling, rule->outputs[0].scaling);
}

/* y = (x - mean) / sqrt(variance + epsilon) * scale + bias, with stored statistics: linear in x. */
void cnx_scale_batch_normalization(cnx_rule *rule)
{
    cnx_scaling_log *log = rule->analysis->scaling;
    bool channels = rule->input_count >= 5 && rule->inputs[0].rank >= 2 && rule->outputs[0].known &&
                    cnx_rule_int(rule, "training_mode", 0) == 0;
    for (uint32_t i = 1; i < 5 && channels; i++)
        channels = rule->present[i] && rule->inputs[i].rank == 1;
    if (!channels || rule->outputs[0].rank != rule->inputs[0].rank) {
        cnx_scaling_fix_node(rule, CNX_SIGN_AND_SCALE);
        return;
    }
    for (uint32_t k = 0; k < rule->outputs[0].rank; k++)
        scaled(rule, CNX_SIGN_AND_SCALE, k, true, k == 1 ? 0 : CNX_NONE);
    cnx_scaling_equal(log, CNX_SIGN_AND_SCALE, rule->inputs[2].scaling, 0, rule->outputs[0].scaling, 1);
    cnx_scaling_equal(log, CNX_SIGN_AND_SCALE, rule->inputs[3].scaling, 0, rule->inputs[0].scaling, 1);
    cnx_scaling_fix(log, CNX_SIGN_AND_SCALE, rule->inputs[4].scaling);
    cnx_scaling_fix_outputs(rule, CNX_SIGN_AND_SCALE, 1); /* statistics */
    separate_ends(rule);
}

/* The axis of input `i` (scale or bias, aligned from the right) that meets axis `k`, or CNX_NONE. */
static uint32_t aligned(const cnx_rule *rule, uint32_t i, uint32_t k)
{
    uint32_t rank = rule->inputs[0].rank, own = rule->inputs[i].rank;
    return k + own >= rank ? k + own - rank : CNX_NONE;
}

/* The bias, where there is one, is multiplied as the output is. */
static void equal_bias(cnx_rule *rule)
{
    for (uint32_t k = 0; k < rule->outputs[0].rank && cnx_rule_has(rule, 2); k++) {
        uint32_t axis = aligned(rule, 2, k);
        cnx_scaling_equal(rule->analysis->scaling, CNX_SIGN_AND_SCALE, rule->outputs[0].scaling, k,
                          axis != CNX_NONE ? rule->inputs[2].scaling : 0, axis);
    }
}

static bool is_normalization(const cnx_rule *rule)
{
    uint32_t rank = rule->inputs[0].rank;
    return rule->outputs[0].known && rule->outputs[0].rank == rank && cnx_rule_has(rule, 1) &&
           rule->inputs[1].rank <= rank && (!cnx_rule_has(rule, 2) || rule->inputs[2].rank <= rank);
}

/* Mean and variance mix all positions: no factor passes. What comes out is multiplied with scale and bias. */
void cnx_scale_layer_normalization(cnx_rule *rule)
{
    if (!is_normalization(rule)) {
        cnx_scaling_fix_node(rule, CNX_SIGN_AND_SCALE);
        return;
    }
    cnx_scaling_fix(rule->analysis->scaling, CNX_SIGN_AND_SCALE, rule->inputs[0].scaling);
    for (uint32_t k = 0; k < rule->outputs[0].rank; k++)
        scaled(rule, CNX_SIGN_AND_SCALE, k, false, aligned(rule, 1, k));
    equal_bias(rule);
    cnx_scaling_fix_outputs(rule, CNX_SIGN_AND_SCALE, 1); /* statistics */
    separate_ends(rule);
}

/* The mean of squares does not see signs. */
void cnx_scale_root_mean_square(cnx_rule *rule)
{
    if (!is_normalization(rule)) {
        cnx_scaling_fix_node(rule, CNX_SIGN_AND_SCALE);
        return;
    }
    cnx_scaling_fix(rule->analysis->scaling, CNX_SCALE, rule->inputs[0].scaling);
    for (uint32_t k = 0; k < rule->outputs[0].rank; k++) {
        scaled(rule, CNX_SCALE, k, false, aligned(rule, 1, k));
        scaled(rule, CNX_SIGN, k, true, aligned(rule, 1, k));
    }
    equal_bias(rule);
    cnx_scaling_fix_outputs(rule, CNX_SIGN_AND_SCALE, 1); /* statistics */
    separate_ends(rule);
}

/* Every channel of every sample is normalized on its own, which is odd in the channel. */
void cnx_scale_instance_normalization(cnx_rule *rule)
{
    cnx_scaling_log *log = rule->analysis->scaling;
    if (!cnx_rule_has(rule, 1) || !cnx_rule_has(rule, 2) || rule->inputs[0].rank < 2 ||
        rule->outputs[0].rank != rule->inputs[0].rank || rule->inputs[1].rank != 1 ||
        rule->inputs[2].rank != 1) {
        cnx_scaling_fix_node(rule, CNX_SIGN_AND_SCALE);
        return;
    }
    cnx_scaling_fix(log, CNX_SCALE, rule->inputs[0].scaling);
    for (uint32_t k = 0; k < rule->outputs[0].rank; k++) {
        if (k != 1)
            cnx_scaling_fix_axis(log, CNX_SIGN, rule->inputs[0].scaling, k);
        scaled(rule, CNX_SCALE, k, false, k == 1 ? 0 : CNX_NONE);
        scaled(rule, CNX_SIGN, k, k == 1, k == 1 ? 0 : CNX_NONE);
    }
    cnx_scaling_equal(log, CNX_SIGN_AND_SCALE, rule->inputs[2].scaling, 0, rule->outputs[0].scaling, 1);
    separate_ends(rule);
}
