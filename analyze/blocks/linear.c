/* Linear layers: convolutions and matrix products by a weight, with what belongs to them and comes behind. */
#include "analyze/blocks/matcher.h"

#include <inttypes.h>

#define MAX_TAIL 12u

typedef struct linear_form {
    cnx_block_op op;
    bool convolution;
    uint32_t data; /* input position */
    uint32_t weight;
} linear_form;

static const linear_form FORMS[] = {
    {OP_Conv, true, 0, 1},           {OP_ConvTranspose, true, 0, 1},
    {OP_ConvInteger, true, 0, 1},    {OP_QLinearConv, true, 0, 3},
    {OP_DeformConv, true, 0, 1},     {OP_FusedConv, true, 0, 1},
    {OP_NhwcConv, true, 0, 1},       {OP_Gemm, false, 0, 1},
    {OP_MatMul, false, 0, 1},        {OP_MatMulInteger, false, 0, 1},
    {OP_QLinearMatMul, false, 0, 3}, {OP_FusedGemm, false, 0, 1},
    {OP_FusedMatMul, false, 0, 1},   {OP_TransposeMatMul, false, 0, 1},
    {OP_GemmFastGelu, false, 0, 1},  {OP_DynamicQuantizeMatMul, false, 0, 1},
    {OP_MatMulNBits, false, 0, 1},   {OP_MatMulIntegerToFloat, false, 0, 1},
    {OP_QGemm, false, 0, 3},         {OP_Einsum, false, 0, 1},
};

static const linear_form *form_of(const cnx_matcher *m, uint32_t node)
{
    cnx_block_op op = cnx_op(m, node);
    for (size_t i = 0; op != OP_NONE && i < sizeof FORMS / sizeof FORMS[0]; i++)
        if (FORMS[i].op == op)
            return &FORMS[i];
    return NULL;
}

bool cnx_is_linear(const cnx_matcher *m, uint32_t node, uint32_t *data, uint32_t *weight)
{
    const linear_form *form = form_of(m, node);
    if (form == NULL || (form->op == OP_Einsum && cnx_node_at(m, node)->input_count != 2))
        return false;
    *data = cnx_input(m, node, form->data);
    *weight = cnx_input(m, node, form->weight);
    if (form->convolution)
        return *data != CNX_NONE && *weight != CNX_NONE;
    if (!cnx_is_data(m, *data)) { /* the weight stands on the left */
        uint32_t swap = *data;
        *data = *weight;
        *weight = swap;
    }
    return cnx_is_data(m, *data) && *weight != CNX_NONE && !cnx_is_data(m, *weight);
}

/* ---- widths ---- */

/* An extent times `factor`, as text; and as a number, 0 when it is none. */
static const char *width_text(const cnx_matcher *m, uint32_t value, int axis, int64_t factor, int64_t *number)
{
    cnx_dim extent;
    *number = 0;
    if (!cnx_extent(m, value, axis, &extent) || cnx_dim_has_unknown(m->dims, extent))
        return "?";
    extent = cnx_dim_multiply(m->dims, extent, cnx_dim_number(m->dims, factor));
    if (!cnx_dim_is_number(m->dims, extent, number))
        *number = 0;
    return cnx_dim_text(m->dims, extent);
}

static const char *arrow(const cnx_matcher *m, const char *in, const char *out)
{
    return cnx_print(m->arena, "%s -> %s", in, out);
}

static const char *convolution_widths(const cnx_matcher *m, uint32_t node, uint32_t weight, int64_t *in,
                                      int64_t *out)
{
    int64_t groups = cnx_int(m, node, "group", 1);
    bool transposed = cnx_op(m, node) == OP_ConvTranspose;
    const char *first = width_text(m, weight, 0, 1, transposed ? in : out);
    const char *second = width_text(m, weight, 1, groups, transposed ? out : in);
    return transposed ? arrow(m, first, second) : arrow(m, second, first);
}

static const char *product_widths(const cnx_matcher *m, uint32_t node, uint32_t weight, int64_t *in,
                                  int64_t *out)
{
    cnx_block_op op = cnx_op(m, node);
    if (op == OP_MatMulNBits) {
        *in = cnx_int(m, node, "K", 0);
        *out = cnx_int(m, node, "N", 0);
        return cnx_print(m->arena, "%" PRId64 " -> %" PRId64, *in, *out);
    }
    if (op == OP_Einsum) {
        const char *from = width_text(m, cnx_input(m, node, 0), -1, 1, in);
        return arrow(m, from, width_text(m, cnx_output(m, node, 0), -1, 1, out));
    }
    bool on_left = form_of(m, node)->weight == 1 && cnx_input(m, node, 0) == weight;
    bool transposed = cnx_int(m, node, on_left ? "transA" : "transB", 0) != 0;
    uint32_t rank;
    if (cnx_rank(m, weight, &rank) && rank == 1) {
        *out = 1;
        return arrow(m, width_text(m, weight, 0, 1, in), "1");
    }
    int in_axis = transposed != on_left ? -1 : -2;
    const char *from = width_text(m, weight, in_axis, 1, in);
    return arrow(m, from, width_text(m, weight, -3 - in_axis, 1, out));
}

static const char *widths(const cnx_matcher *m, uint32_t node, int64_t *in, int64_t *out)
{
    uint32_t data, weight;
    *in = *out = 0;
    if (!cnx_is_linear(m, node, &data, &weight))
        return "?";
    return form_of(m, node)->convolution ? convolution_widths(m, node, weight, in, out)
                                         : product_widths(m, node, weight, in, out);
}

const char *cnx_widths_text(const cnx_matcher *m, uint32_t node, int64_t *out)
{
    int64_t in, ignored;
    return widths(m, node, &in, out != NULL ? out : &ignored);
}

/* ---- what comes behind ---- */

typedef struct tail {
    int channel;
    bool bias;
    bool normalized;
    bool activated;
    bool said_scale; /* scales and shifts in a row are said once, by say_affine */
    bool scale;
    bool shift;
} tail;

static void say_affine(cnx_matcher *m, tail *t)
{
    if (t->scale || t->shift)
        cnx_say(m, t->scale && t->shift ? "scale and shift" : t->scale ? "scale" : "shift");
    t->scale = t->shift = false;
}

/* A weight with a number per channel (or one for all) that is added or multiplied. The first one added
 * is the layer's bias, which goes without saying. */
static bool take_affine(cnx_matcher *m, tail *t, uint32_t user, uint32_t value)
{
    cnx_block_op op = cnx_op(m, user);
    uint32_t factor = cnx_other_input(m, user, value);
    bool additive = op == OP_Add || op == OP_Sub, multiplicative = op == OP_Mul || op == OP_Div;
    if ((!additive && !multiplicative) || !cnx_is_weight(m, factor) ||
        !cnx_varies_only_along(m, factor, t->channel))
        return false;
    if ((op == OP_Div || op == OP_Sub) && !cnx_reads(m, user, 0, value))
        return false;
    if (!cnx_take(m, user))
        return false;
    bool is_bias = additive && !t->bias && !t->normalized && !t->activated && !t->scale;
    t->bias |= is_bias;
    t->scale |= multiplicative;
    t->shift |= additive && !is_bias;
    return true;
}

static bool take_normalization(cnx_matcher *m, tail *t, uint32_t user, uint32_t value)
{
    if (cnx_op(m, user) != OP_BatchNormalization || t->normalized || !cnx_reads(m, user, 0, value) ||
        !cnx_take(m, user))
        return false;
    say_affine(m, t);
    t->normalized = true;
    cnx_say(m, "BatchNormalization");
    return true;
}

static bool take_idle(cnx_matcher *m, uint32_t user, uint32_t value)
{
    cnx_block_op op = cnx_op(m, user);
    return (op == OP_Dropout || op == OP_Identity || op == OP_Cast) && cnx_reads(m, user, 0, value) &&
           cnx_take(m, user);
}

uint32_t cnx_take_tail(cnx_matcher *m, uint32_t value, int channel)
{
    tail t = {.channel = channel};
    for (uint32_t step = 0; step < MAX_TAIL; step++) {
        const char *name;
        uint32_t result = t.activated ? CNX_NONE : cnx_take_activation(m, value, &name);
        if (result != CNX_NONE) {
            say_affine(m, &t);
            t.activated = true;
            cnx_say(m, "%s", name);
            value = result;
            continue;
        }
        uint32_t user = cnx_only_user(m, value);
        if (user == CNX_NONE || !(take_normalization(m, &t, user, value) || take_affine(m, &t, user, value) ||
                                  take_idle(m, user, value)))
            break;
        value = cnx_output(m, user, 0);
    }
    say_affine(m, &t);
    return value;
}

/* An integer product is turned back to floats by a Cast and a Mul with the product of the two scales. */
static uint32_t take_rescaling(cnx_matcher *m, uint32_t value)
{
    uint32_t cast = cnx_only_user(m, value), scaled = cnx_output(m, cast, 0);
    uint32_t multiply = cnx_only_user(m, scaled), scale = cnx_other_input(m, multiply, scaled);
    if (cnx_op(m, cast) != OP_Cast || cnx_op(m, multiply) != OP_Mul || !cnx_is_free(m, multiply))
        return value;
    if (!cnx_take(m, cast))
        return value;
    cnx_take(m, multiply);
    uint32_t scales = cnx_producer(m, scale);
    if (cnx_op(m, scales) == OP_Mul)
        cnx_take(m, scales);
    return cnx_output(m, multiply, 0);
}

/* ---- matchers ---- */

/* "stride 2", or "stride 2x1"; nothing when all are 1. */
static void say_sizes(cnx_matcher *m, uint32_t node, const char *attribute, const char *word)
{
    size_t count;
    const int64_t *sizes = cnx_ints(m, node, attribute, &count);
    bool ones = true, equal = true;
    for (size_t i = 0; i < count; i++) {
        ones &= sizes[i] == 1;
        equal &= sizes[i] == sizes[0];
    }
    if (!ones)
        cnx_say(m, "%s %s", word, cnx_sizes_text(m, sizes, equal ? 1 : count));
}

static void say_kernel(cnx_matcher *m, uint32_t node, uint32_t weight)
{
    size_t count;
    const int64_t *sizes = cnx_ints(m, node, "kernel_shape", &count);
    if (count != 0) {
        cnx_say(m, "%s%s", count == 1 ? "kernel " : "", cnx_sizes_text(m, sizes, count));
        return;
    }
    const char *text = "";
    uint32_t rank = 0;
    cnx_rank(m, weight, &rank);
    for (uint32_t i = 2; i < rank; i++)
        text = cnx_print(m->arena, "%s%s%s", text, i == 2 ? "" : "x", cnx_extent_text(m, weight, (int)i));
    if (rank > 2)
        cnx_say(m, "%s%s", rank == 3 ? "kernel " : "", text);
}

static void take_padding(cnx_matcher *m, uint32_t node, uint32_t data)
{
    uint32_t pad = cnx_producer(m, data);
    if (cnx_op(m, pad) != OP_Pad || cnx_only_user(m, data) != node || !cnx_take(m, pad))
        return;
    const char *mode = cnx_attribute_text(m->view->graph, cnx_node_at(m, pad), "mode", "constant");
    cnx_say(m, "%s padding in front", strcmp(mode, "constant") == 0 ? "zero" : mode);
}

bool cnx_match_convolution(cnx_matcher *m, uint32_t node)
{
    const linear_form *form = form_of(m, node);
    uint32_t data, weight, rank = 4;
    if (form == NULL || !form->convolution || !cnx_is_linear(m, node, &data, &weight))
        return false;
    int64_t in, out, groups = cnx_int(m, node, "group", 1);
    cnx_take(m, node);
    cnx_say(m, "%s", widths(m, node, &in, &out));
    say_kernel(m, node, weight);
    if (form->op == OP_ConvTranspose)
        cnx_say(m, "transposed");
    say_sizes(m, node, "strides", "stride");
    say_sizes(m, node, "dilations", "dilation");
    if (groups > 1 && groups == in)
        cnx_say(m, "depthwise");
    else if (groups > 1)
        cnx_say(m, "%" PRId64 " groups", groups);
    take_padding(m, node, data);
    cnx_rank(m, weight, &rank);
    uint32_t result = cnx_output(m, node, 0);
    if (form->op == OP_ConvInteger)
        result = take_rescaling(m, result);
    cnx_take_tail(m, result, form->op == OP_NhwcConv ? -1 : 1 - (int)rank);
    return true;
}

bool cnx_match_gemm(cnx_matcher *m, uint32_t node)
{
    const linear_form *form = form_of(m, node);
    uint32_t data, weight;
    if (form == NULL || form->convolution || !cnx_is_linear(m, node, &data, &weight))
        return false;
    cnx_take(m, node);
    cnx_say(m, "%s", cnx_widths_text(m, node, NULL));
    uint32_t result = cnx_output(m, node, 0);
    if (form->op == OP_MatMulInteger)
        result = take_rescaling(m, result);
    bool on_left = form->weight == 1 && cnx_input(m, node, 0) == weight;
    cnx_take_tail(m, result, on_left ? -2 : -1);
    return true;
}
