/* Signs and scales through products: along an axis that is summed over, the factors cancel. */
#include "analyze/ops/einsum.h"
#include "analyze/ops/fused.h"
#include "analyze/scaling/scaling.h"

#include <math.h>

/* a + b = 0: the two sides of a sum over products. */
static void cancel(cnx_rule *rule, uint32_t a, uint32_t a_axis, uint32_t b, uint32_t b_axis)
{
    cnx_scaling_term terms[2] = {{rule->inputs[a].scaling, a_axis, 1}, {rule->inputs[b].scaling, b_axis, 1}};
    cnx_scaling_equation(rule->analysis->scaling, CNX_SIGN_AND_SCALE, terms, 2);
}

/* Axis `k` of the output is that of input `i`. */
static void pass(cnx_rule *rule, uint32_t k, uint32_t i, uint32_t axis)
{
    cnx_scaling_equal(rule->analysis->scaling, CNX_SIGN_AND_SCALE, rule->outputs[0].scaling, k,
                      rule->inputs[i].scaling, axis);
}

/* Y[m,n] = alpha * A[m,k] B[k,n] + beta * C, where C broadcasts. */
void cnx_scale_gemm(cnx_rule *rule)
{
    uint32_t transposed_a = cnx_rule_int(rule, "transA", 0) != 0;
    uint32_t transposed_b = cnx_rule_int(rule, "transB", 0) != 0;
    if (rule->inputs[0].rank != 2 || rule->inputs[1].rank != 2 || rule->outputs[0].rank != 2) {
        cnx_scaling_fix_node(rule, CNX_SIGN_AND_SCALE);
        return;
    }
    cancel(rule, 0, 1 - transposed_a, 1, transposed_b);
    pass(rule, 0, 0, transposed_a);
    pass(rule, 1, 1, 1 - transposed_b);
    if (!cnx_rule_has(rule, 2))
        return;
    uint32_t rank = rule->inputs[2].rank;
    for (uint32_t k = 0; k < 2; k++) /* what C has no axis for is not multiplied */
        cnx_scaling_equal(rule->analysis->scaling, CNX_SIGN_AND_SCALE, rule->outputs[0].scaling, k,
                          k + rank >= 2 ? rule->inputs[2].scaling : 0, k + rank - 2);
}

/* A stack of matrices A[..., m, k] times B[..., k, n]; axis_of(rule, i, k) is the axis of input `i` that is
 * axis `k` of its stack. */
static void multiply_matrices(cnx_rule *rule, uint32_t (*axis_of)(const cnx_rule *, uint32_t, uint32_t))
{
    cnx_scaling_log *log = rule->analysis->scaling;
    uint32_t left = rule->inputs[0].rank, right = rule->inputs[1].rank, rank = rule->outputs[0].rank;
    uint32_t rows = left > 1 ? 1 : 0, columns = right > 1 ? 1 : 0;
    uint32_t left_batch = left > 2 ? left - 2 : 0, right_batch = right > 2 ? right - 2 : 0;
    uint32_t batch = left_batch > right_batch ? left_batch : right_batch;
    if (left == 0 || right == 0 || rank != batch + rows + columns) {
        cnx_scaling_fix_node(rule, CNX_SIGN_AND_SCALE);
        return;
    }
    cancel(rule, 0, axis_of(rule, 0, left - 1), 1, columns == 0 ? 0 : axis_of(rule, 1, right - 2));
    if (rows != 0)
        pass(rule, batch, 0, axis_of(rule, 0, left - 2));
    if (columns != 0)
        pass(rule, batch + rows, 1, axis_of(rule, 1, right - 1));
    for (uint32_t k = 0; k < batch; k++) {
        cnx_scaling_term terms[3] = {{rule->outputs[0].scaling, k, -1}};
        uint32_t count = 1;
        if (k + left_batch >= batch)
            terms[count++] =
                (cnx_scaling_term){rule->inputs[0].scaling, axis_of(rule, 0, k + left_batch - batch), 1};
        if (k + right_batch >= batch)
            terms[count++] =
                (cnx_scaling_term){rule->inputs[1].scaling, axis_of(rule, 1, k + right_batch - batch), 1};
        cnx_scaling_equation(log, CNX_SIGN_AND_SCALE, terms, count);
        for (uint32_t t = 0; t < count && count == 3; t++)
            cnx_scaling_separate_axis(log, terms[t].value, terms[t].axis);
    }
}

static uint32_t own_axis(const cnx_rule *rule, uint32_t i, uint32_t k)
{
    (void)rule, (void)i;
    return k;
}

void cnx_scale_matmul(cnx_rule *rule)
{
    multiply_matrices(rule, own_axis);
}

/* ---- Einsum ---- */

typedef struct place {
    uint32_t count;
    uint32_t labelled; /* terms whose positions have names: along the others a value is constant */
    cnx_scaling_term *terms;
} place;

static void add_axes(const cnx_einsum_term *term, const cnx_fact *fact, int32_t factor, place *places)
{
    for (uint32_t k = 0; k < fact->rank; k++) {
        place *p = &places[cnx_einsum_place(term, fact->rank, k)];
        p->terms[p->count++] = (cnx_scaling_term){fact->scaling, k, factor};
        p->labelled += fact->axes[k].kind == CNX_AXIS_LABELS;
    }
}

/* Along every letter the factors of all operands make that of the output, or cancel where it is summed over.
 * A letter that two have is a contraction, or passes; with three it is a product position by position. */
void cnx_scale_einsum(cnx_rule *rule)
{
    cnx_einsum einsum;
    cnx_scaling_log *log = rule->analysis->scaling;
    const cnx_fact *output = &rule->outputs[0];
    uint32_t axes = output->rank;
    if (!cnx_einsum_read(rule, &einsum) || !output->known ||
        output->rank != einsum.output.count + (einsum.output.ellipsis != CNX_NONE ? einsum.covered : 0)) {
        cnx_scaling_fix_node(rule, CNX_SIGN_AND_SCALE);
        return;
    }
    for (uint32_t i = 0; i < rule->input_count; i++)
        axes += rule->inputs[i].rank;
    place *places = CNX_NEW_ARRAY(rule->arena, place, CNX_EINSUM_FRAME);
    for (uint32_t p = 0; p < CNX_EINSUM_FRAME; p++)
        places[p].terms = CNX_NEW_ARRAY(rule->arena, cnx_scaling_term, axes);
    for (uint32_t i = 0; i < rule->input_count; i++)
        add_axes(&einsum.operands[i], &rule->inputs[i], 1, places);
    add_axes(&einsum.output, output, -1, places);
    for (uint32_t p = 0; p < CNX_EINSUM_FRAME; p++) {
        const cnx_scaling_term *terms = places[p].terms;
        cnx_scaling_equation(log, CNX_SIGN_AND_SCALE, terms, places[p].count);
        bool diagonal = places[p].count == 2 && terms[0].value == terms[1].value;
        for (uint32_t t = 0; t < places[p].count && (places[p].labelled > 2 || diagonal); t++)
            cnx_scaling_separate_axis(log, terms[t].value, terms[t].axis);
    }
}

/* ---- convolutions ---- */

static bool has_extent(const cnx_rule *rule, uint32_t i, uint32_t k, int64_t extent)
{
    return cnx_dim_equals(rule->dims, rule->inputs[i].axes[k].extent, extent);
}

/* Every channel is convolved on its own: out = channel + filter. */
static void scale_channels(cnx_rule *rule)
{
    cnx_scaling_log *log = rule->analysis->scaling;
    cnx_scaling_term terms[3] = {
        {rule->outputs[0].scaling, 1, -1}, {rule->inputs[0].scaling, 1, 1}, {rule->inputs[1].scaling, 0, 1}};
    cnx_scaling_equation(log, CNX_SIGN_AND_SCALE, terms, 3);
    for (uint32_t t = 0; t < 3; t++)
        cnx_scaling_separate_axis(log, terms[t].value, terms[t].axis);
}

/* A bias is the same for all members of a batch, so none of these is multiplied. */
static void pass_all_but_channels(cnx_rule *rule)
{
    cnx_scaling_log *log = rule->analysis->scaling;
    for (uint32_t k = 0; k < rule->outputs[0].rank; k++) {
        if (k == 1)
            continue;
        pass(rule, k, 0, k);
        if (cnx_rule_has(rule, 2))
            cnx_scaling_fix_axis(log, CNX_SIGN_AND_SCALE, rule->outputs[0].scaling, k);
    }
}

static void add_bias(cnx_rule *rule)
{
    if (cnx_rule_has(rule, 2))
        pass(rule, 1, 2, 0);
}

static bool is_convolution(const cnx_rule *rule)
{
    uint32_t rank = rule->inputs[0].rank;
    return rank >= 2 && rule->inputs[1].rank == rank && rule->outputs[0].rank == rank &&
           (!cnx_rule_has(rule, 2) || rule->inputs[2].rank == 1);
}

/* X[n, c, ...], W[m, c / group, kernel...], B[m] -> Y[n, m, ...] */
void cnx_scale_conv(cnx_rule *rule)
{
    cnx_scaling_log *log = rule->analysis->scaling;
    int64_t groups = cnx_rule_int(rule, "group", 1);
    if (!is_convolution(rule)) {
        cnx_scaling_fix_node(rule, CNX_SIGN_AND_SCALE);
        return;
    }
    pass_all_but_channels(rule);
    add_bias(rule);
    bool channel_by_channel = groups > 1 && has_extent(rule, 1, 1, 1);
    if (channel_by_channel && has_extent(rule, 1, 0, groups)) {
        scale_channels(rule);
        return;
    }
    if (channel_by_channel) /* several filters a channel: each would have to undo the channel's factor */
        cnx_scaling_fix_axis(log, CNX_SIGN_AND_SCALE, rule->inputs[0].scaling, 1);
    else
        cancel(rule, 0, 1, 1, 1);
    pass(rule, 1, 1, 0);
}

/* X[n, c, ...], W[c, m / group, kernel...], B[m] -> Y[n, m, ...] */
void cnx_scale_conv_transpose(cnx_rule *rule)
{
    if (!is_convolution(rule)) {
        cnx_scaling_fix_node(rule, CNX_SIGN_AND_SCALE);
        return;
    }
    pass_all_but_channels(rule);
    add_bias(rule);
    if (cnx_rule_int(rule, "group", 1) > 1 && has_extent(rule, 1, 1, 1)) {
        scale_channels(rule);
        return;
    }
    cancel(rule, 0, 1, 1, 0);
    pass(rule, 1, 1, 1);
}

/* ---- with an activation inside ---- */

/* The first output's number from now on stands for what comes before the activation. Returns its own. */
static uint32_t before_activation(cnx_rule *rule)
{
    uint32_t output = rule->outputs[0].scaling;
    rule->outputs[0].scaling = cnx_scaling_value(rule->analysis->scaling, &rule->outputs[0]);
    return output;
}

/* The activation called `name`, with its parameters where the operator's attributes keep them. */
static bool find_activation(const cnx_rule *rule, const char *name, cnx_activation *activation)
{
    cnx_activation_parameters given = CNX_ACTIVATION_DEFAULTS;
    const Onnx__AttributeProto *list = cnx_attribute(rule->node, "activation_params");
    given.alpha = cnx_attribute_float(rule->graph, rule->node, "activation_alpha", NAN);
    given.beta = cnx_attribute_float(rule->graph, rule->node, "activation_beta", NAN);
    if (list != NULL && list->n_floats > 0)
        given.alpha = (double)list->floats[0];
    if (list != NULL && list->n_floats > 1)
        given.beta = (double)list->floats[1];
    given.minimum = given.alpha;
    given.maximum = given.beta;
    if (strcmp(name, "Clip") == 0 && (isnan(given.minimum) || isnan(given.maximum)))
        return false;
    return cnx_activation_find("", name, NULL, 0, &given, activation);
}

/* The attribute `activation` between what was stated and the output; without it, what was stated is the
 * output.
 */
static void after_activation(cnx_rule *rule, uint32_t output, const char *otherwise)
{
    const char *name = cnx_attribute_text(rule->graph, rule->node, "activation", otherwise);
    uint32_t before = rule->outputs[0].scaling;
    cnx_activation activation;
    rule->outputs[0].scaling = output;
    if (!find_activation(rule, name[0] != '\0' ? name : "Identity", &activation)) {
        cnx_scaling_fix(rule->analysis->scaling, CNX_SIGN_AND_SCALE, before);
        cnx_scaling_fix(rule->analysis->scaling, CNX_SIGN_AND_SCALE, output);
        return;
    }
    if (name[0] != '\0')
        cnx_scaling_activate(rule, &activation, before, output);
    else
        for (uint32_t k = 0; k < rule->outputs[0].rank; k++)
            cnx_scaling_equal(rule->analysis->scaling, CNX_SIGN_AND_SCALE, before, k, output, k);
}

void cnx_scale_fused_gemm(cnx_rule *rule)
{
    uint32_t output = before_activation(rule);
    cnx_scale_gemm(rule);
    after_activation(rule, output, "");
}

/* FusedMatMul, FusedMatMulActivation and GemmFastGelu: A, B, and a bias along the columns */
void cnx_scale_fused_matmul(cnx_rule *rule)
{
    uint32_t output = before_activation(rule);
    multiply_matrices(rule, cnx_fused_axis);
    cnx_scaling_fix_inputs(rule, CNX_SIGN_AND_SCALE, 2);
    after_activation(rule, output, strcmp(rule->node->op_type, "GemmFastGelu") == 0 ? "Gelu" : "");
}

/* X, W, B, and Z, which is added before the activation */
void cnx_scale_fused_conv(cnx_rule *rule)
{
    uint32_t output = before_activation(rule);
    cnx_scale_conv(rule);
    for (uint32_t k = 0; k < rule->outputs[0].rank && cnx_rule_has(rule, 3); k++)
        if (rule->inputs[3].rank == rule->outputs[0].rank)
            pass(rule, k, 3, k);
        else
            cnx_scaling_fix_axis(rule->analysis->scaling, CNX_SIGN_AND_SCALE, rule->outputs[0].scaling, k);
    if (cnx_rule_has(rule, 3) && rule->inputs[3].rank != rule->outputs[0].rank)
        cnx_scaling_fix_inputs(rule, CNX_SIGN_AND_SCALE, 3);
    after_activation(rule, output, "");
}

/* X[n, ..., c], W[m, ...], B[m], Z[n, ..., m], which is added: of X nothing may move (analyze/ops/fused.c).
 */
void cnx_scale_nhwc_conv(cnx_rule *rule)
{
    cnx_scaling_log *log = rule->analysis->scaling;
    uint32_t output = before_activation(rule), rank = rule->outputs[0].rank;
    bool fits = rank >= 2 && cnx_rule_has(rule, 1) && rule->inputs[1].rank == rank &&
                (!cnx_rule_has(rule, 2) || rule->inputs[2].rank == 1) &&
                (!cnx_rule_has(rule, 3) || rule->inputs[3].rank == rank);
    if (!fits)
        cnx_scaling_fix_node(rule, CNX_SIGN_AND_SCALE);
    cnx_scaling_fix(log, CNX_SIGN_AND_SCALE, rule->inputs[0].scaling);
    for (uint32_t k = 0; k < rank && fits; k++) {
        if (k + 1 < rank)
            cnx_scaling_fix_axis(log, CNX_SIGN_AND_SCALE, rule->outputs[0].scaling, k);
        else
            pass(rule, k, 1, 0);
        if (k + 1 == rank && cnx_rule_has(rule, 2))
            pass(rule, k, 2, 0);
        if (cnx_rule_has(rule, 3))
            pass(rule, k, 3, k);
    }
    cnx_scaling_fix_inputs(rule, CNX_SIGN_AND_SCALE, 4);
    after_activation(rule, output, "");
}

/* X[n, c, t], W[c, 1, kernel], B[c], past_state[n, c, kernel - 1] -> Y[n, c, t], present_state */
void cnx_scale_causal_conv_with_state(cnx_rule *rule)
{
    const char *name = cnx_attribute_text(rule->graph, rule->node, "activation", "none");
    cnx_scaling_log *log = rule->analysis->scaling;
    if (rule->inputs[0].rank != 3 || rule->inputs[1].rank != 3 || rule->outputs[0].rank != 3 ||
        (cnx_rule_has(rule, 2) && rule->inputs[2].rank != 1) ||
        (cnx_rule_has(rule, 3) && rule->inputs[3].rank != 3)) {
        cnx_scaling_fix_node(rule, CNX_SIGN_AND_SCALE);
        return;
    }
    pass_all_but_channels(rule);
    add_bias(rule);
    scale_channels(rule);
    for (uint32_t k = 0; k < 3; k++) {
        if (cnx_rule_has(rule, 3))
            cnx_scaling_equal(log, CNX_SIGN_AND_SCALE, rule->inputs[3].scaling, k, rule->inputs[0].scaling,
                              k);
        if (rule->output_count > 1 && rule->outputs[1].rank == 3)
            cnx_scaling_equal(log, CNX_SIGN_AND_SCALE, rule->outputs[1].scaling, k, rule->inputs[0].scaling,
                              k);
    }
    if (strcmp(name, "none") != 0) /* x * sigmoid(x) */
        cnx_scaling_fix(log, CNX_SIGN_AND_SCALE, rule->outputs[0].scaling);
}
