/* Signs and scales through normalizations. An epsilon under the root keeps scales from passing through. */
#include "analyze/scaling/scaling.h"

/* What is normalized, and the numbers of the inputs that scale it and are added. */
typedef struct normalization {
    cnx_rule *rule;
    uint32_t from; /* value; has the axes of the first output */
    uint32_t scale;
    uint32_t bias;
} normalization;

/* output = (input) + scale along axis `k` of the output, with the input's factors if `through`. */
static void scaled(const normalization *n, cnx_scaling_kind kind, uint32_t k, bool through,
                   uint32_t scale_axis)
{
    cnx_scaling_term terms[3] = {{n->rule->outputs[0].scaling, k, -1}};
    uint32_t count = 1;
    if (through)
        terms[count++] = (cnx_scaling_term){n->from, k, 1};
    if (scale_axis != CNX_NONE)
        terms[count++] = (cnx_scaling_term){n->rule->inputs[n->scale].scaling, scale_axis, 1};
    cnx_scaling_equation(n->rule->analysis->scaling, kind, terms, count);
}

static void separate_ends(const normalization *n)
{
    cnx_scaling_separate(n->rule->analysis->scaling, n->from);
    cnx_scaling_separate(n->rule->analysis->scaling, n->rule->outputs[0].scaling);
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
    normalization n = {.rule = rule, .from = rule->inputs[0].scaling, .scale = 1, .bias = 2};
    for (uint32_t k = 0; k < rule->outputs[0].rank; k++) {
        scaled(&n, CNX_SIGN_AND_SCALE, k, true, k == 1 ? 0 : CNX_NONE);
        if (k != 1) /* mean and bias are the same for all members of a batch */
            cnx_scaling_fix_axis(log, CNX_SIGN_AND_SCALE, n.from, k);
    }
    cnx_scaling_equal(log, CNX_SIGN_AND_SCALE, rule->inputs[2].scaling, 0, rule->outputs[0].scaling, 1);
    cnx_scaling_equal(log, CNX_SIGN_AND_SCALE, rule->inputs[3].scaling, 0, rule->inputs[0].scaling, 1);
    cnx_scaling_fix(log, CNX_SIGN_AND_SCALE, rule->inputs[4].scaling);
    cnx_scaling_fix_outputs(rule, CNX_SIGN_AND_SCALE, 1); /* statistics */
    separate_ends(&n);
}

/* The axis of input `i` (scale or bias, aligned from the right) that meets axis `k`, or CNX_NONE. */
static uint32_t aligned(const cnx_rule *rule, uint32_t i, uint32_t k)
{
    uint32_t rank = rule->outputs[0].rank, own = rule->inputs[i].rank;
    return k + own >= rank ? k + own - rank : CNX_NONE;
}

/* The bias, where there is one, is multiplied as the output is. */
static void equal_bias(const normalization *n)
{
    cnx_rule *rule = n->rule;
    for (uint32_t k = 0; k < rule->outputs[0].rank && cnx_rule_has(rule, n->bias); k++) {
        uint32_t axis = aligned(rule, n->bias, k);
        cnx_scaling_equal(rule->analysis->scaling, CNX_SIGN_AND_SCALE, rule->outputs[0].scaling, k,
                          axis != CNX_NONE ? rule->inputs[n->bias].scaling : 0, axis);
    }
}

static bool is_normalization(const cnx_rule *rule, uint32_t scale, uint32_t bias)
{
    uint32_t rank = rule->outputs[0].rank;
    return rule->outputs[0].known && rule->inputs[0].rank == rank && cnx_rule_has(rule, scale) &&
           rule->inputs[scale].rank <= rank && (!cnx_rule_has(rule, bias) || rule->inputs[bias].rank <= rank);
}

/* Mean and variance mix all positions: no factor passes. What comes out is multiplied with scale and bias. */
static void normalize_by_variance(const normalization *n)
{
    cnx_scaling_fix(n->rule->analysis->scaling, CNX_SIGN_AND_SCALE, n->from);
    for (uint32_t k = 0; k < n->rule->outputs[0].rank; k++)
        scaled(n, CNX_SIGN_AND_SCALE, k, false, aligned(n->rule, n->scale, k));
    equal_bias(n);
    separate_ends(n);
}

/* The mean of squares does not see signs. */
static void normalize_by_squares(const normalization *n)
{
    cnx_scaling_fix(n->rule->analysis->scaling, CNX_SCALE, n->from);
    for (uint32_t k = 0; k < n->rule->outputs[0].rank; k++) {
        scaled(n, CNX_SCALE, k, false, aligned(n->rule, n->scale, k));
        scaled(n, CNX_SIGN, k, true, aligned(n->rule, n->scale, k));
    }
    equal_bias(n);
    separate_ends(n);
}

typedef void normalizer(const normalization *n);

static void normalize_input(cnx_rule *rule, normalizer *by)
{
    normalization n = {.rule = rule, .from = rule->inputs[0].scaling, .scale = 1, .bias = 2};
    if (!is_normalization(rule, n.scale, n.bias)) {
        cnx_scaling_fix_node(rule, CNX_SIGN_AND_SCALE);
        return;
    }
    by(&n);
    cnx_scaling_fix_outputs(rule, CNX_SIGN_AND_SCALE, 1); /* statistics */
}

void cnx_scale_layer_normalization(cnx_rule *rule)
{
    normalize_input(rule, normalize_by_variance);
}

void cnx_scale_root_mean_square(cnx_rule *rule)
{
    normalize_input(rule, normalize_by_squares);
}

/* The same of a sum: of the first two inputs and input `added`, a bias. It is also output 3. */
static void normalize_sum(cnx_rule *rule, normalization n, uint32_t added, normalizer *by)
{
    cnx_scaling_log *log = rule->analysis->scaling;
    const uint32_t addends[3] = {0, 1, added};
    bool fits = is_normalization(rule, n.scale, n.bias);
    for (uint32_t a = 1; a < 3 && fits; a++)
        fits = !cnx_rule_has(rule, addends[a]) || rule->inputs[addends[a]].rank <= rule->outputs[0].rank;
    if (!fits) {
        cnx_scaling_fix_node(rule, CNX_SIGN_AND_SCALE);
        return;
    }
    n.from = cnx_scaling_value(log, &rule->outputs[0]);
    for (uint32_t a = 0; a < 3; a++)
        for (uint32_t k = 0; k < rule->outputs[0].rank && cnx_rule_has(rule, addends[a]); k++) {
            uint32_t axis = aligned(rule, addends[a], k);
            cnx_scaling_equal(log, CNX_SIGN_AND_SCALE, n.from, k,
                              axis != CNX_NONE ? rule->inputs[addends[a]].scaling : 0, axis);
        }
    for (uint32_t k = 0; k < rule->outputs[0].rank && rule->output_count > 3; k++)
        cnx_scaling_equal(log, CNX_SIGN_AND_SCALE, n.from, k, rule->outputs[3].scaling, k);
    by(&n);
    for (uint32_t o = 1; o < 3 && o < rule->output_count; o++) /* statistics */
        cnx_scaling_fix(log, CNX_SIGN_AND_SCALE, rule->outputs[o].scaling);
}

/* X, skip, gamma, beta, bias */
void cnx_scale_skip_layer_normalization(cnx_rule *rule)
{
    normalize_sum(rule, (normalization){.rule = rule, .scale = 2, .bias = 3}, 4, normalize_by_variance);
}

/* X, skip, gamma, bias: nothing is added behind gamma */
void cnx_scale_skip_root_mean_square(cnx_rule *rule)
{
    normalize_sum(rule, (normalization){.rule = rule, .scale = 2, .bias = CNX_NONE}, 3, normalize_by_squares);
}

/* The rest scales and shifts axis `channel` of what has been normalized, which no factor goes through. */
static void scale_channels(cnx_rule *rule, uint32_t scale, uint32_t bias, uint32_t channel)
{
    normalization n = {.rule = rule, .from = rule->inputs[0].scaling, .scale = scale, .bias = bias};
    for (uint32_t i = 0; i < rule->input_count; i++)
        if (rule->present[i] && i != scale && i != bias)
            cnx_scaling_fix(rule->analysis->scaling, CNX_SIGN_AND_SCALE, rule->inputs[i].scaling);
    cnx_scaling_fix_outputs(rule, CNX_SIGN_AND_SCALE, 1);
    for (uint32_t k = 0; k < rule->outputs[0].rank; k++)
        scaled(&n, CNX_SIGN_AND_SCALE, k, false, k == channel ? 0 : CNX_NONE);
    if (cnx_rule_has(rule, bias))
        cnx_scaling_equal(rule->analysis->scaling, CNX_SIGN_AND_SCALE, rule->inputs[bias].scaling, 0,
                          rule->outputs[0].scaling, channel);
    separate_ends(&n);
}

static bool has_vectors(const cnx_rule *rule, uint32_t scale, uint32_t bias)
{
    return rule->outputs[0].known && cnx_rule_has(rule, scale) && rule->inputs[scale].rank == 1 &&
           (!cnx_rule_has(rule, bias) || rule->inputs[bias].rank == 1);
}

/* input_ids, segment_ids, words, positions, segments, gamma, beta, mask, position_ids */
void cnx_scale_embed_layer_normalization(cnx_rule *rule)
{
    if (has_vectors(rule, 5, 6) && rule->outputs[0].rank == 3)
        scale_channels(rule, 5, 6, 2);
    else
        cnx_scaling_fix_node(rule, CNX_SIGN_AND_SCALE);
}

/* X[n, c, ...] with scale[c] and bias[c] */
void cnx_scale_group_normalization(cnx_rule *rule)
{
    if (has_vectors(rule, 1, 2) && rule->inputs[0].rank >= 2 && rule->outputs[0].rank == rule->inputs[0].rank)
        scale_channels(rule, 1, 2, 1);
    else
        cnx_scaling_fix_node(rule, CNX_SIGN_AND_SCALE);
}

/* X[n, ..., c], gamma[c], beta[c], skip, bias; an activation may follow, which is neither odd nor homogeneous
 */
void cnx_scale_group_norm(cnx_rule *rule)
{
    bool last = cnx_rule_int(rule, "channels_last", 1) != 0;
    if (has_vectors(rule, 1, 2) && rule->inputs[0].rank >= 2 &&
        rule->outputs[0].rank == rule->inputs[0].rank && cnx_rule_int(rule, "activation", 0) == 0)
        scale_channels(rule, 1, 2, last ? rule->outputs[0].rank - 1 : 1);
    else
        cnx_scaling_fix_node(rule, CNX_SIGN_AND_SCALE);
}

/* ---- without parameters ---- */

/* x / norm(x) along one axis is odd in every position, and a Euclidean norm goes through rotations. What
 * multiplies whole vectors by positive numbers is not seen. */
void cnx_scale_norm_one(cnx_rule *rule)
{
    cnx_scaling_log *log = rule->analysis->scaling;
    uint32_t rank = rule->inputs[0].rank;
    if (!rule->outputs[0].known || rule->outputs[0].rank != rank || rank == 0) {
        cnx_scaling_fix_node(rule, CNX_SIGN_AND_SCALE);
        return;
    }
    uint32_t along = cnx_rule_axis_number(rule, cnx_rule_int(rule, "axis", -1), rank);
    for (uint32_t k = 0; k < rank; k++)
        cnx_scaling_equal(log, CNX_SIGN, rule->outputs[0].scaling, k, rule->inputs[0].scaling, k);
    cnx_scaling_fix_axis(log, CNX_SCALE, rule->inputs[0].scaling, along);
    cnx_scaling_fix(log, CNX_SCALE, rule->outputs[0].scaling);
    for (uint32_t k = 0; k < rank; k++)
        if (k != along || cnx_rule_int(rule, "p", 2) != 2) {
            cnx_scaling_separate_axis(log, rule->inputs[0].scaling, k);
            cnx_scaling_separate_axis(log, rule->outputs[0].scaling, k);
        }
}

/* Mean and deviation over some axes: odd in what keeps its place on the others. A small number beside the
 * deviation keeps scales from disappearing. */
void cnx_scale_mean_variance(cnx_rule *rule)
{
    static const int64_t usual[] = {0, 2, 3};
    cnx_scaling_log *log = rule->analysis->scaling;
    uint32_t rank = rule->inputs[0].rank;
    size_t count;
    const int64_t *axes = cnx_rule_ints(rule, "axes", &count);
    if (!rule->outputs[0].known || rule->outputs[0].rank != rank || (axes == NULL && rank < 4)) {
        cnx_scaling_fix_node(rule, CNX_SIGN_AND_SCALE);
        return;
    }
    if (axes == NULL)
        count = 3;
    for (uint32_t k = 0; k < rank; k++)
        cnx_scaling_equal(log, CNX_SIGN, rule->outputs[0].scaling, k, rule->inputs[0].scaling, k);
    for (size_t i = 0; i < count; i++)
        cnx_scaling_fix_axis(log, CNX_SIGN, rule->inputs[0].scaling,
                             cnx_rule_axis_number(rule, axes != NULL ? axes[i] : usual[i], rank));
    cnx_scaling_fix_node(rule, CNX_SCALE);
    cnx_scaling_separate(log, rule->inputs[0].scaling);
    cnx_scaling_separate(log, rule->outputs[0].scaling);
}

/* ---- by channel ---- */

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
    normalization n = {.rule = rule, .from = rule->inputs[0].scaling, .scale = 1, .bias = 2};
    cnx_scaling_fix(log, CNX_SCALE, n.from);
    for (uint32_t k = 0; k < rule->outputs[0].rank; k++) {
        if (k != 1)
            cnx_scaling_fix_axis(log, CNX_SIGN, n.from, k);
        scaled(&n, CNX_SCALE, k, false, k == 1 ? 0 : CNX_NONE);
        scaled(&n, CNX_SIGN, k, k == 1, k == 1 ? 0 : CNX_NONE);
    }
    cnx_scaling_equal(log, CNX_SIGN_AND_SCALE, rule->inputs[2].scaling, 0, rule->outputs[0].scaling, 1);
    separate_ends(&n);
}
