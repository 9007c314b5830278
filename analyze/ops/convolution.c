/* Convolution and pooling: channels are contracted or pass, spatial positions are pinned. */
#include "analyze/ops/compose.h"

/* One spatial axis of a windowed operator. */
typedef struct window {
    cnx_dim kernel;
    int64_t stride;
    int64_t dilation;
    int64_t before; /* padding */
    int64_t after;
    bool same; /* padding is chosen so that the output is ceil(input / stride) */
    bool ceil;
} window;

static int64_t at(const int64_t *values, size_t count, size_t k, int64_t otherwise)
{
    return values != NULL && k < count ? values[k] : otherwise;
}

static bool text_is(const cnx_rule *rule, const char *attribute, const char *otherwise, const char *text)
{
    return strcmp(cnx_attribute_text(rule->graph, rule->node, attribute, otherwise), text) == 0;
}

static window window_of(const cnx_rule *rule, uint32_t k, uint32_t spatial, cnx_dim kernel)
{
    size_t strides, dilations, pads;
    const int64_t *stride = cnx_rule_ints(rule, "strides", &strides);
    const int64_t *dilation = cnx_rule_ints(rule, "dilations", &dilations);
    const int64_t *pad = cnx_rule_ints(rule, "pads", &pads);
    window w = {
        .kernel = kernel, .stride = at(stride, strides, k, 1), .dilation = at(dilation, dilations, k, 1)};
    w.ceil = cnx_rule_int(rule, "ceil_mode", 0) != 0;
    if (text_is(rule, "auto_pad", "NOTSET", "NOTSET")) {
        w.before = at(pad, pads, k, 0);
        w.after = at(pad, pads, k + spatial, 0);
    } else {
        w.same = !text_is(rule, "auto_pad", "NOTSET", "VALID");
    }
    if (w.stride < 1 || w.dilation < 1)
        cnx_fail(rule->arena, CNX_ERROR_GRAPH, cnx_node_place(rule->graph, rule->node),
                 "a stride or dilation is below 1");
    return w;
}

/* dilation * (kernel - 1) + 1 */
static cnx_dim reach_of(const cnx_rule *rule, window w)
{
    cnx_dim one = cnx_rule_number(rule, 1);
    cnx_dim steps = cnx_dim_subtract(rule->dims, w.kernel, one);
    return cnx_dim_add(rule->dims, cnx_dim_multiply(rule->dims, cnx_rule_number(rule, w.dilation), steps),
                       one);
}

/* How many strides lead to the last window when `ceil` windows, the last one incomplete, follow the first:
 * one that would start behind the input, in the padding, does not count. */
static cnx_dim incomplete_steps(const cnx_rule *rule, window w, cnx_dim input, cnx_dim ceil)
{
    int64_t reach;
    if (cnx_dim_is_number(rule->dims, reach_of(rule, w), &reach) && w.after + w.stride <= reach)
        return ceil; /* it never does */
    cnx_dim last = cnx_dim_add(rule->dims, input, cnx_rule_number(rule, w.before - 1));
    return cnx_dim_min(rule->dims, ceil,
                       cnx_dim_floor_divide(rule->dims, last, cnx_rule_number(rule, w.stride)));
}

/* floor((input + padding - reach) / stride) + 1; with ceil_mode rounded up. */
static cnx_dim window_output(const cnx_rule *rule, window w, cnx_dim input)
{
    cnx_dims *dims = rule->dims;
    cnx_dim stride = cnx_rule_number(rule, w.stride);
    if (w.same)
        return cnx_dim_ceil_divide(dims, input, stride);
    cnx_dim padded = cnx_dim_add(dims, input, cnx_rule_number(rule, w.before + w.after));
    cnx_dim span = cnx_dim_subtract(dims, padded, reach_of(rule, w));
    cnx_dim steps = cnx_dim_floor_divide(dims, span, stride);
    cnx_dim ceil = cnx_dim_ceil_divide(dims, span, stride);
    if (w.ceil && steps != ceil)
        steps = incomplete_steps(rule, w, input, ceil);
    return cnx_dim_add(dims, steps, cnx_rule_number(rule, 1));
}

static bool is_point(const cnx_rule *rule, window w)
{
    return cnx_dim_equals(rule->dims, w.kernel, 1) && w.stride == 1 && w.before == 0 && w.after == 0;
}

/* Spatial axis `k` of input `x` after the window: itself when the window is a point. */
static cnx_axis spatial_axis(cnx_rule *rule, uint32_t x, uint32_t k, window w)
{
    if (is_point(rule, w))
        return cnx_rule_axis(rule, x, k);
    cnx_axis axis = cnx_rule_pin(rule, x, k, "spatial axis");
    return cnx_axis_pinned(window_output(rule, w, axis.extent), cnx_rule_reason(rule, "spatial axis"));
}

/* Splits an axis into `groups` blocks. */
static void split_groups(cnx_rule *rule, cnx_axis axis, int64_t groups, cnx_axis *outer, cnx_axis *inner)
{
    cnx_rule_split(rule, axis, cnx_rule_number(rule, groups), outer, inner);
}

/* Relates the input channels with the weight's axes `mixed` (input channels of one group) and `grouped` (the
 * one that the groups cut). Returns the output channels: `grouped`, unless all groups use one filter bank.
 * Copies of a bank may be exchanged in any order, but what a group makes of its input moves with the group.
 */
static cnx_axis relate_channels(cnx_rule *rule, cnx_axis channels, cnx_axis mixed, cnx_axis grouped,
                                int64_t groups)
{
    if (groups == 1) {
        cnx_rule_same(rule, channels, mixed);
        return grouped;
    }
    cnx_axis input_blocks, input_inner, weight_blocks, weight_inner;
    split_groups(rule, channels, groups, &input_blocks, &input_inner);
    split_groups(rule, grouped, groups, &weight_blocks, &weight_inner);
    cnx_axis blocks = cnx_rule_same(rule, input_blocks, weight_blocks);
    if (weight_blocks.kind == CNX_AXIS_LABELS)
        mixed = cnx_axis_refine(rule->points, mixed, weight_blocks.labels);
    cnx_rule_same(rule, input_inner, mixed);
    return weight_blocks.kind != CNX_AXIS_ANY
               ? grouped
               : cnx_axis_merge(rule->points, blocks, weight_inner, cnx_rule_reason(rule, "groups"));
}

static void check_ranks(cnx_rule *rule, uint32_t x, uint32_t w, int64_t groups)
{
    uint32_t rank = rule->inputs[x].rank;
    if (rank < 2 || rank > 60 || rule->inputs[w].rank != rank || groups < 1)
        cnx_fail(rule->arena, CNX_ERROR_GRAPH, cnx_node_place(rule->graph, rule->node),
                 "weight has %u axes (expected %u, as the input)", rule->inputs[w].rank, rank);
}

static void pin_kernel(cnx_rule *rule, uint32_t w)
{
    for (uint32_t k = 2; k < rule->inputs[w].rank; k++)
        cnx_rule_pin(rule, w, k, "kernel offsets");
}

/* The output channels: those of the weight, which are the bias's too. */
static cnx_axis with_bias(cnx_rule *rule, cnx_axis channels)
{
    if (cnx_rule_has(rule, 2) && rule->inputs[2].rank == 1)
        channels = cnx_rule_same(rule, channels, cnx_rule_axis(rule, 2, 0));
    return channels;
}

cnx_fact cnx_fact_convolve(cnx_rule *rule, uint32_t x, uint32_t w, bool last)
{
    int64_t groups = cnx_rule_int(rule, "group", 1);
    check_ranks(rule, x, w, groups);
    uint32_t rank = rule->inputs[x].rank, channel = last ? rank - 1 : 1, first = last ? 1 : 2;
    cnx_fact output = cnx_rule_fact(rule, rule->inputs[x].type, rank);
    output.axes[0] = cnx_rule_axis(rule, x, 0);
    output.axes[channel] = relate_channels(rule, cnx_rule_axis(rule, x, channel), cnx_rule_axis(rule, w, 1),
                                           cnx_rule_axis(rule, w, 0), groups);
    pin_kernel(rule, w);
    for (uint32_t k = 0; k + 2 < rank; k++) {
        window over = window_of(rule, k, rank - 2, rule->inputs[w].axes[k + 2].extent);
        output.axes[first + k] = spatial_axis(rule, x, first + k, over);
    }
    return output;
}

/* X[n, c, ...], W[m, c / group, kernel...], B[m] -> Y[n, m, ...] */
void cnx_apply_conv(cnx_rule *rule)
{
    cnx_fact output = cnx_fact_convolve(rule, 0, 1, false);
    output.axes[1] = with_bias(rule, output.axes[1]);
    cnx_rule_output(rule, 0, output);
}

/* (input - 1) * stride + output_padding + reach - padding, or `output_shape`, which may list batch and
 * channels before the `spatial` extents. Padding that would make it input * stride is chosen for the latter,
 * but can only take away. */
static cnx_dim transposed_output(const cnx_rule *rule, window w, cnx_dim input, uint32_t k, uint32_t spatial)
{
    size_t shapes, paddings;
    const int64_t *shape = cnx_rule_ints(rule, "output_shape", &shapes);
    const int64_t *padding = cnx_rule_ints(rule, "output_padding", &paddings);
    if (shape != NULL && shapes >= spatial)
        return cnx_rule_number(rule, shape[shapes - spatial + k]);
    cnx_dims *dims = rule->dims;
    cnx_dim stride = cnx_rule_number(rule, w.stride), reach = reach_of(rule, w);
    int64_t number, extra = at(padding, paddings, k, 0);
    if (w.same)
        return cnx_dim_is_number(dims, reach, &number) && number + extra >= w.stride
                   ? cnx_dim_multiply(dims, input, stride)
                   : cnx_dim_fresh(dims);
    cnx_dim steps = cnx_dim_multiply(dims, cnx_dim_subtract(dims, input, cnx_rule_number(rule, 1)), stride);
    return cnx_dim_add(dims, cnx_dim_add(dims, steps, reach),
                       cnx_rule_number(rule, extra - w.before - w.after));
}

/* X[n, c, ...], W[c, m / group, kernel...], B[m] -> Y[n, m, ...] */
void cnx_apply_conv_transpose(cnx_rule *rule)
{
    int64_t groups = cnx_rule_int(rule, "group", 1);
    check_ranks(rule, 0, 1, groups);
    uint32_t rank = rule->inputs[0].rank;
    cnx_fact output = cnx_rule_fact(rule, rule->inputs[0].type, rank);
    output.axes[0] = cnx_rule_axis(rule, 0, 0);
    cnx_axis channels = cnx_rule_same(rule, cnx_rule_axis(rule, 1, 0), cnx_rule_axis(rule, 0, 1));
    cnx_axis features = cnx_rule_axis(rule, 1, 1);
    if (groups > 1) {
        cnx_axis blocks, inner;
        split_groups(rule, channels, groups, &blocks, &inner);
        if (blocks.kind == CNX_AXIS_LABELS)
            features = cnx_axis_refine(rule->points, features, blocks.labels);
        features = cnx_axis_merge(rule->points, blocks, features, cnx_rule_reason(rule, "groups"));
    }
    pin_kernel(rule, 1);
    output.axes[1] = with_bias(rule, features);
    for (uint32_t k = 2; k < rank; k++) {
        window w = window_of(rule, k - 2, rank - 2, rule->inputs[1].axes[k].extent);
        cnx_axis axis = cnx_rule_pin(rule, 0, k, "spatial axis");
        output.axes[k] = cnx_axis_pinned(transposed_output(rule, w, axis.extent, k - 2, rank - 2),
                                         cnx_rule_reason(rule, "spatial axis"));
    }
    cnx_rule_output(rule, 0, output);
}

bool cnx_fact_pool(cnx_rule *rule, bool last, cnx_fact *output)
{
    size_t count;
    const int64_t *kernel = cnx_rule_ints(rule, "kernel_shape", &count);
    uint32_t rank = rule->inputs[0].rank, channel = last ? rank - 1 : 1, first = last ? 1 : 2;
    if (rank < 2 || kernel == NULL || count != rank - 2)
        return false;
    *output = cnx_rule_fact(rule, rule->inputs[0].type, rank);
    output->axes[0] = cnx_rule_axis(rule, 0, 0);
    output->axes[channel] = cnx_rule_axis(rule, 0, channel);
    for (uint32_t k = 0; k + 2 < rank; k++) {
        window over = window_of(rule, k, rank - 2, cnx_rule_number(rule, kernel[k]));
        output->axes[first + k] = spatial_axis(rule, 0, first + k, over);
        if (over.same && over.dilation > 1) /* runtimes forget the dilation when they choose the padding */
            output->axes[first + k].extent = cnx_dim_fresh(rule->dims);
    }
    return true;
}

/* MaxPool, AveragePool, LpPool: batch and channels pass. The indices that MaxPool can report count positions
 * over all axes, so they pin everything. */
void cnx_apply_pool(cnx_rule *rule)
{
    cnx_fact output;
    bool reports_positions = rule->node->output_count > 1 && rule->node->outputs[1] != CNX_NONE;
    if (!cnx_fact_pool(rule, false, &output)) {
        cnx_rule_pin_all(rule, "window");
        return;
    }
    if (reports_positions)
        output = cnx_rule_pin_fact(rule, output, "reported positions");
    cnx_rule_output(rule, 0, output);
    output.type = CNX_TYPE_INT64;
    cnx_rule_output(rule, 1, output);
}

/* GlobalAveragePool, GlobalMaxPool, GlobalLpPool: spatial axes are summed away, whatever their order. */
void cnx_apply_global_pool(cnx_rule *rule)
{
    cnx_fact fact = cnx_rule_input(rule, 0);
    if (fact.rank < 2)
        cnx_fail(rule->arena, CNX_ERROR_GRAPH, cnx_node_place(rule->graph, rule->node),
                 "input has %u axes (expected at least 2)", fact.rank);
    uint64_t spatial = 0;
    for (uint32_t k = 2; k < fact.rank; k++)
        spatial |= UINT64_C(1) << k;
    cnx_rule_output(rule, 0, cnx_rule_reduce(rule, fact, spatial, true));
}
