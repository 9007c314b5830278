/* Operators on images and regions of them: channels pass where each is treated alone, space is pinned. */
#include "analyze/ops/shape_only.h"

#define SPACE "spatial axis"

/* Takes over all inputs and pins them but for axis 1 of the first, the channels, which is returned. */
static cnx_axis only_channels(cnx_rule *rule)
{
    for (uint32_t i = 0; i < rule->input_count; i++)
        for (uint32_t k = 0; cnx_rule_has(rule, i) && k < rule->inputs[i].rank; k++)
            if (i != 0 || k != 1)
                cnx_rule_pin(rule, i, k, SPACE);
    return cnx_rule_axis(rule, 0, 1);
}

/* GridSample(X[n, c, in...], grid[n, out..., dimensions]) -> Y[n, c, out...] */
void cnx_apply_grid_sample(cnx_rule *rule)
{
    uint32_t rank = rule->inputs[0].rank;
    if (rank < 3 || !cnx_rule_has(rule, 1) || rule->inputs[1].rank != rank) {
        cnx_rule_pin_all(rule, SPACE);
        return;
    }
    cnx_fact output = cnx_shape_like(rule, 0, rule->inputs[0].type, SPACE);
    output.axes[1] = only_channels(rule);
    for (uint32_t k = 2; k < rank; k++)
        output.axes[k] = cnx_shape_axis(rule, rule->inputs[1].axes[k - 1].extent, SPACE);
    cnx_rule_output(rule, 0, output);
}

/* RoiAlign, MaxRoiPool(X[n, c, h, w], regions[r, ...]) -> Y[r, c, pooled h, pooled w] */
void cnx_apply_regions(cnx_rule *rule)
{
    if (rule->inputs[0].rank != 4 || !cnx_rule_has(rule, 1) || rule->inputs[1].rank == 0) {
        cnx_rule_pin_all(rule, SPACE);
        return;
    }
    size_t count;
    const int64_t *pooled = cnx_rule_ints(rule, "pooled_shape", &count);
    int64_t height = count == 2 ? pooled[0] : cnx_rule_int(rule, "output_height", 1);
    int64_t width = count == 2 ? pooled[1] : cnx_rule_int(rule, "output_width", 1);
    cnx_fact output = cnx_rule_fact(rule, rule->inputs[0].type, 4);
    output.axes[0] = cnx_shape_axis(rule, rule->inputs[1].axes[0].extent, SPACE);
    output.axes[1] = only_channels(rule);
    output.axes[2] = cnx_shape_axis(rule, cnx_rule_number(rule, height), SPACE);
    output.axes[3] = cnx_shape_axis(rule, cnx_rule_number(rule, width), SPACE);
    cnx_rule_output(rule, 0, output);
}

static int64_t at(const int64_t *values, size_t count, size_t k, int64_t otherwise)
{
    return k < count ? values[k] : otherwise;
}

/* MaxUnpool(X, positions, shape): the positions count over everything. Without a shape,
 * (extent - 1) * stride + kernel - pads. */
void cnx_apply_pins_unpool(cnx_rule *rule)
{
    cnx_rule_pin_all(rule, "positions given by data");
    const cnx_dim *shape;
    size_t count, strides, pads;
    const int64_t *kernel = cnx_rule_ints(rule, "kernel_shape", &count);
    const int64_t *stride = cnx_rule_ints(rule, "strides", &strides);
    const int64_t *pad = cnx_rule_ints(rule, "pads", &pads);
    cnx_fact fact = cnx_shape_like(rule, 0, rule->inputs[0].type, SPACE);
    if (fact.rank < 2 || count != fact.rank - 2)
        return;
    for (uint32_t k = 0; k < count; k++) {
        cnx_dim steps = cnx_dim_multiply(
            rule->dims, cnx_dim_subtract(rule->dims, fact.axes[k + 2].extent, cnx_rule_number(rule, 1)),
            cnx_rule_number(rule, at(stride, strides, k, 1)));
        int64_t rest = kernel[k] - at(pad, pads, k, 0) - at(pad, pads, k + count, 0);
        fact.axes[k + 2] =
            cnx_shape_axis(rule, cnx_dim_add(rule->dims, steps, cnx_rule_number(rule, rest)), SPACE);
    }
    if (cnx_rule_has(rule, 2) && cnx_shape_list(rule, 2, &shape, &count) && count == fact.rank)
        for (uint32_t k = 0; k < fact.rank; k++)
            fact.axes[k].extent = shape[k];
    else if (cnx_rule_has(rule, 2))
        fact = cnx_shape_unknown(rule, fact.type, fact.rank, SPACE);
    cnx_rule_output(rule, 0, fact);
}

/* AffineGrid(theta, size[n, c, space...]) -> [n, space..., dimensions] */
void cnx_apply_pins_affine_grid(cnx_rule *rule)
{
    cnx_rule_pin_all(rule, SPACE);
    const cnx_dim *size;
    size_t count;
    if (!cnx_shape_list(rule, 1, &size, &count) || count < 3)
        return;
    cnx_fact fact = cnx_shape_unknown(rule, rule->inputs[0].type, (uint32_t)count, SPACE);
    fact.axes[0].extent = size[0];
    for (uint32_t k = 2; k < count; k++)
        fact.axes[k - 1].extent = size[k];
    fact.axes[count - 1].extent = cnx_rule_number(rule, (int64_t)count - 2);
    cnx_rule_output(rule, 0, fact);
}

/* Col2Im(X[n, c * block, blocks], image shape, block shape) -> [n, c, image...] */
void cnx_apply_pins_image_of_columns(cnx_rule *rule)
{
    cnx_rule_pin_all(rule, SPACE);
    const cnx_dim *image, *block;
    size_t count, blocks;
    if (rule->inputs[0].rank != 3 || !cnx_shape_list(rule, 1, &image, &count) ||
        !cnx_shape_list(rule, 2, &block, &blocks) || count > 50 || blocks != count)
        return;
    cnx_dim size = cnx_rule_number(rule, 1);
    for (size_t k = 0; k < count; k++)
        size = cnx_dim_multiply(rule->dims, size, block[k]);
    cnx_fact fact = cnx_shape_unknown(rule, rule->inputs[0].type, (uint32_t)count + 2, SPACE);
    fact.axes[0].extent = rule->inputs[0].axes[0].extent;
    fact.axes[1].extent = cnx_dim_floor_divide(rule->dims, rule->inputs[0].axes[1].extent, size);
    for (uint32_t k = 0; k < count; k++)
        fact.axes[k + 2].extent = image[k];
    cnx_rule_output(rule, 0, fact);
}

/* CenterCropPad(X, shape): axes that keep their extent pass. */
void cnx_apply_center_crop_pad(cnx_rule *rule)
{
    cnx_fact fact = cnx_rule_input(rule, 0);
    const cnx_dim *shape;
    size_t count, named;
    const int64_t *axes = cnx_rule_ints(rule, "axes", &named);
    if (cnx_rule_has(rule, 1))
        cnx_rule_pin_fact(rule, cnx_rule_input(rule, 1), "extents");
    if (!cnx_shape_list(rule, 1, &shape, &count) || count != (axes != NULL ? named : fact.rank)) {
        cnx_rule_pin_all(rule, "computed shape");
        return;
    }
    for (size_t i = 0; i < count; i++) {
        uint32_t k = cnx_rule_axis_number(rule, axes != NULL ? axes[i] : (int64_t)i, fact.rank);
        if (shape[i] == fact.axes[k].extent)
            continue;
        cnx_rule_pin_fact_axis(rule, &fact, k, "cropped or padded axis");
        fact.axes[k] = cnx_shape_axis(rule, shape[i], "cropped or padded axis");
    }
    cnx_rule_output(rule, 0, fact);
}

/* ImageDecoder: [height, width, channels] of bytes. */
void cnx_apply_pins_decoder(cnx_rule *rule)
{
    cnx_rule_pin_all(rule, SPACE);
    bool gray = strcmp(cnx_attribute_text(rule->graph, rule->node, "pixel_format", "RGB"), "Grayscale") == 0;
    cnx_fact fact = cnx_shape_unknown(rule, CNX_TYPE_UINT8, 3, SPACE);
    fact.axes[2] = cnx_shape_axis(rule, cnx_rule_number(rule, gray ? 1 : 3), SPACE);
    cnx_rule_output(rule, 0, fact);
}
