/* Resize and Upsample in all their versions: an axis that is not scaled passes, the others are resampled. */
#include "analyze/constants.h"
#include "analyze/ops/shape_only.h"

#include <math.h>

#define RESAMPLED "resampled axis"

/* What the node says about the axes. A list has one entry for each of `axes`. */
typedef struct resizing {
    cnx_dim *sizes;   /* by axis of the input; CNX_NONE: not given */
    float *scales;    /* by axis of the input; 0: not known */
    bool keeps_ratio; /* one scale for all axes that have a size, so that none is exceeded, or none is missed
                       */
    bool everywhere;  /* coordinates move even where nothing is scaled */
} resizing;

/* The tensor of constants at input `i`, which no caller may replace. */
static cnx_tensor *fixed_tensor(const cnx_rule *rule, uint32_t i)
{
    return cnx_rule_has(rule, i) ? cnx_fixed_tensor(rule->graph, rule->node->inputs[i]) : NULL;
}

/* Element `k` of the scales: an attribute until operator set 8, then an input; 0 when it is not known. */
static float scale_at(const cnx_rule *rule, uint32_t input, uint32_t k, uint32_t count)
{
    const Onnx__AttributeProto *attribute = cnx_attribute(rule->node, "scales");
    if (attribute != NULL)
        return attribute->n_floats == count ? attribute->floats[k] : 0;
    if (cnx_attribute(rule->node, "height_scale") != NULL && count == 4) /* Upsample 1 */
        return k < 2 ? 1
                     : (float)cnx_attribute_float(rule->graph, rule->node,
                                                  k == 2 ? "height_scale" : "width_scale", 0);
    const int64_t *numbers;
    size_t length;
    if (cnx_rule_numbers(rule, input, &numbers, &length))
        return length == count ? (float)numbers[k] : 0;
    cnx_tensor *tensor = fixed_tensor(rule, input);
    if (tensor == NULL || tensor->count != count || cnx_type_kind_of(tensor->type) != CNX_KIND_FLOAT)
        return 0;
    return (float)cnx_tensor_float(rule->analysis->model, tensor, k);
}

static bool text_is(const cnx_rule *rule, const char *attribute, const char *otherwise, const char *text)
{
    return strcmp(cnx_attribute_text(rule->graph, rule->node, attribute, otherwise), text) == 0;
}

/* Whether input `i` is there only because another one after it had to be. */
static bool is_empty(const cnx_rule *rule, uint32_t i)
{
    return rule->inputs[i].rank == 1 && cnx_dim_equals(rule->dims, rule->inputs[i].axes[0].extent, 0);
}

/* Reads sizes and scales into places of the input's axes. */
static resizing read_resizing(cnx_rule *rule, uint32_t rank)
{
    bool early =
        strcmp(rule->node->op_type, "Upsample") == 0 || (rule->node->opset != 0 && rule->node->opset < 11);
    size_t named, count = 0;
    const int64_t *axes = cnx_rule_ints(rule, "axes", &named);
    const cnx_dim *sizes = NULL;
    uint32_t listed = axes != NULL ? (uint32_t)named : rank;
    resizing r = {.sizes = CNX_NEW_ARRAY(rule->arena, cnx_dim, rank),
                  .scales = CNX_NEW_ARRAY(rule->arena, float, rank)};
    bool sized = !early && cnx_rule_has(rule, 3) && !is_empty(rule, 3);
    bool known = sized && cnx_shape_list(rule, 3, &sizes, &count) && count == listed;
    r.keeps_ratio = sized && !text_is(rule, "keep_aspect_ratio_policy", "stretch", "stretch");
    r.everywhere = text_is(rule, "coordinate_transformation_mode", "half_pixel", "tf_crop_and_resize") ||
                   text_is(rule, "coordinate_transformation_mode", "half_pixel", "tf_half_pixel_for_nn");
    for (uint32_t k = 0; k < rank; k++) {
        r.sizes[k] = axes != NULL || !sized ? CNX_NONE : cnx_dim_fresh(rule->dims);
        r.scales[k] = axes != NULL ? 1 : 0;
    }
    for (uint32_t i = 0; i < listed; i++) {
        uint32_t k = cnx_rule_axis_number(rule, axes != NULL ? axes[i] : (int64_t)i, rank);
        r.sizes[k] = known ? sizes[i] : sized ? cnx_dim_fresh(rule->dims) : CNX_NONE;
        r.scales[k] = sized ? 0 : scale_at(rule, early ? 1 : 2, i, listed);
    }
    return r;
}

/* floor(extent * scale), as runtimes compute it: with floats of 32 bits. A symbol is scaled by a small
 * fraction of a power of two only, for which no extent that fits is rounded. */
static cnx_dim scaled(const cnx_rule *rule, cnx_dim extent, float scale)
{
    int64_t number;
    if (!(scale > 0) || scale > 65536)
        return cnx_dim_fresh(rule->dims);
    if (cnx_dim_is_number(rule->dims, extent, &number)) {
        float product = (float)number * scale;
        return product < 1e9F ? cnx_rule_number(rule, (int64_t)product) : cnx_dim_fresh(rule->dims);
    }
    if (scale * 256 != floorf(scale * 256))
        return cnx_dim_fresh(rule->dims);
    return cnx_dim_floor_divide(
        rule->dims, cnx_dim_multiply(rule->dims, extent, cnx_rule_number(rule, (int64_t)(scale * 256))),
        cnx_rule_number(rule, 256));
}

/* With keep_aspect_ratio_policy, sizes are bounds: all axes that have one get the smallest of their scales
 * (not_larger) or the largest. */
static void keep_ratio(cnx_rule *rule, resizing *r, const cnx_fact *fact)
{
    bool larger = text_is(rule, "keep_aspect_ratio_policy", "stretch", "not_smaller"), known = true;
    float common = larger ? 0 : INFINITY;
    int64_t size, extent;
    for (uint32_t k = 0; k < fact->rank; k++) {
        if (r->sizes[k] == CNX_NONE)
            continue;
        known = known && cnx_dim_is_number(rule->dims, r->sizes[k], &size) &&
                cnx_dim_is_number(rule->dims, fact->axes[k].extent, &extent) && extent > 0;
        if (known)
            common = larger ? fmaxf(common, (float)size / (float)extent)
                            : fminf(common, (float)size / (float)extent);
    }
    for (uint32_t k = 0; k < fact->rank; k++) {
        if (r->sizes[k] == CNX_NONE)
            continue;
        float product = 0;
        if (known && cnx_dim_is_number(rule->dims, fact->axes[k].extent, &extent))
            product = common * (float)extent;
        /* runtimes may disagree on which way a half goes */
        bool clear = known && product < 1e9F && fabsf(product - floorf(product) - 0.5F) > 1e-3F;
        r->sizes[k] = clear ? cnx_rule_number(rule, (int64_t)roundf(product)) : cnx_dim_fresh(rule->dims);
    }
}

void cnx_apply_resize(cnx_rule *rule)
{
    cnx_fact fact = cnx_rule_input(rule, 0);
    for (uint32_t i = 1; i < rule->input_count; i++)
        if (cnx_rule_has(rule, i))
            cnx_rule_pin_fact(rule, cnx_rule_input(rule, i), "scales or sizes");
    resizing r = read_resizing(rule, fact.rank);
    if (r.keeps_ratio)
        keep_ratio(rule, &r, &fact);
    for (uint32_t k = 0; k < fact.rank; k++) {
        cnx_dim extent = r.sizes[k];
        bool same =
            r.sizes[k] != CNX_NONE ? r.sizes[k] == fact.axes[k].extent && !r.keeps_ratio : r.scales[k] == 1;
        if (same && !r.everywhere)
            continue;
        if (r.sizes[k] == CNX_NONE)
            extent = scaled(rule, fact.axes[k].extent, r.scales[k]);
        if (r.sizes[k] == CNX_NONE &&
            text_is(rule, "coordinate_transformation_mode", "", "tf_crop_and_resize"))
            extent = cnx_dim_fresh(rule->dims); /* of the part that is cropped */
        cnx_rule_pin_fact_axis(rule, &fact, k, RESAMPLED);
        fact.axes[k] = cnx_shape_axis(rule, extent, RESAMPLED);
    }
    cnx_rule_output(rule, 0, fact);
}
