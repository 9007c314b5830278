/* What is known of the values that no node makes: inputs and constants.
 *
 * Parameters get points when they are first read. Exporters merge equal tensors, so the zero biases of
 * unrelated layers become one tensor; a tensor that is the same along an axis ties nothing on that axis, and
 * every use of it gets points of its own there.
 */
#include "analyze/constants.h"
#include "analyze/parameters.h"
#include "analyze/scaling/scaling.h"
#include "analyze/shapes/content.h"
#include "analyze/sweep.h"
#include "analyze/symmetry/points.h"

/* Shared tensors with more elements are taken as they are, without looking for constant axes. */
#define LARGEST_SHARED_TENSOR (UINT64_C(1) << 20)

static cnx_dim declared_extent(cnx_sweep *s, const Onnx__TensorShapeProto__Dimension *dimension)
{
    cnx_dims *dims = s->analysis->dims;
    if (dimension->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE &&
        dimension->dim_value >= 0)
        return cnx_dim_number(dims, dimension->dim_value);
    if (dimension->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM &&
        dimension->dim_param[0] != '\0')
        return cnx_dim_symbol(dims, dimension->dim_param);
    return cnx_dim_fresh(dims);
}

const Onnx__TypeProto__Tensor *cnx_declared_tensor(const cnx_value *value)
{
    if (value->info == NULL || value->info->type == NULL ||
        value->info->type->value_case != ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE)
        return NULL;
    return value->info->type->tensor_type;
}

cnx_fact cnx_declared_fact(cnx_sweep *s, const cnx_value *value, uint32_t reason)
{
    cnx_fact fact = {.known = false};
    const Onnx__TypeProto__Tensor *tensor = cnx_declared_tensor(value);
    if (tensor == NULL)
        return fact;
    fact.type = tensor->elem_type;
    if (tensor->shape == NULL || tensor->shape->n_dim > 60)
        return fact;
    fact.known = true;
    fact.rank = (uint32_t)tensor->shape->n_dim;
    fact.axes = CNX_NEW_ARRAY(s->analysis->arena, cnx_axis, fact.rank);
    for (uint32_t k = 0; k < fact.rank; k++) {
        fact.axes[k] = cnx_axis_pinned(declared_extent(s, tensor->shape->dim[k]), reason);
        if (cnx_dim_equals(s->analysis->dims, fact.axes[k].extent, 1))
            fact.axes[k].kind = CNX_AXIS_ANY;
    }
    return fact;
}

static cnx_fact input_fact(cnx_sweep *s, const cnx_value *value)
{
    cnx_points *points = s->analysis->points;
    return cnx_declared_fact(s, value, cnx_reason_named(points, "graph input", value->name, NULL, NULL));
}

/* Whether a tensor may be permuted: floats, quantised floats, and wider integers where an operator reads
 * weights (the biases of quantised convolutions). Other integers are counts, shapes and indices. */
static bool carries_weights(const cnx_sweep *s, uint32_t id, int32_t type)
{
    cnx_type_kind kind = cnx_type_kind_of(type);
    if (s->analysis->only_shapes)
        return false;
    return kind == CNX_KIND_FLOAT || kind == CNX_KIND_COMPLEX ||
           (kind == CNX_KIND_INTEGER && (cnx_type_bits(type) <= 8 || cnx_is_parameter(s->graph, id)));
}

static void read_content(cnx_sweep *s, cnx_tensor *tensor, cnx_fact *fact)
{
    cnx_type_kind kind = cnx_type_kind_of(tensor->type);
    if (tensor->count > CNX_LARGEST_CONTENT || (kind != CNX_KIND_INTEGER && kind != CNX_KIND_BOOL) ||
        tensor->type == CNX_TYPE_UINT64)
        return;
    cnx_dim *content = CNX_NEW_ARRAY(s->analysis->arena, cnx_dim, tensor->count);
    for (uint64_t k = 0; k < tensor->count; k++)
        content[k] = cnx_dim_number(s->analysis->dims, cnx_tensor_integer(s->analysis->model, tensor, k));
    fact->has_content = true;
    fact->content = content;
    fact->content_count = tensor->count;
}

static void add_parameter(cnx_sweep *s, uint32_t id, const cnx_axis *axes, uint32_t scaling, bool again)
{
    cnx_analysis *a = s->analysis;
    cnx_parameter parameter = {.tensor = s->tensors[id],
                               .name = s->graph->values[id].name,
                               .graph = s->graph,
                               .value = id,
                               .axes = axes,
                               .scaling = scaling,
                               .again = again,
                               .reader = s->analysis->points->speaker};
    CNX_PUSH(a->arena, a->parameters, a->parameter_count, a->parameter_capacity, parameter);
}

/* Floats whose signs and exponents can be changed without rounding. */
static bool may_be_multiplied(int32_t type)
{
    return type == CNX_TYPE_FLOAT || type == CNX_TYPE_DOUBLE || type == CNX_TYPE_FLOAT16 ||
           type == CNX_TYPE_BFLOAT16;
}

cnx_fact cnx_tensor_fact(cnx_sweep *s, uint32_t id, cnx_tensor *tensor)
{
    cnx_points *points = s->analysis->points;
    cnx_analysis *a = s->analysis;
    uint32_t known = cnx_intern_find(&a->swept_tensors, &tensor, sizeof tensor);
    s->tensors[id] = tensor;
    if (known != CNX_NONE)
        return a->tensor_facts[known];
    cnx_fact fact = {.type = tensor->type, .known = tensor->rank <= 60, .rank = tensor->rank};
    fact.axes = CNX_NEW_ARRAY(s->analysis->arena, cnx_axis, fact.rank);
    bool weights = carries_weights(s, id, tensor->type);
    for (uint32_t k = 0; k < fact.rank; k++) {
        int64_t extent = tensor->dims[k];
        if (weights && extent > 0 && extent <= (int64_t)CNX_LARGEST_AXIS) {
            fact.axes[k] = cnx_axis_fresh(points, (uint32_t)extent, NULL);
            if (fact.axes[k].kind == CNX_AXIS_LABELS) {
                cnx_labels *labels = (cnx_labels *)(uintptr_t)fact.axes[k].labels;
                labels->untouched = true;
                labels->parameter = tensor;
            }
        } else {
            const char *what =
                weights ? "axis without positions, or with too many to follow" : "integer tensor, no weights";
            fact.axes[k] = cnx_axis_pinned(cnx_dim_number(s->analysis->dims, extent),
                                           cnx_reason(points, what, NULL, NULL));
        }
    }
    read_content(s, tensor, &fact);
    if (may_be_multiplied(tensor->type) && !a->only_shapes)
        fact.scaling = cnx_scaling_parameter(a->scaling, &fact);
    add_parameter(s, id, fact.axes, fact.scaling, false);
    cnx_intern_add(&a->swept_tensors, &tensor, sizeof tensor);
    CNX_PUSH(a->arena, a->tensor_facts, a->tensor_fact_count, a->tensor_fact_capacity, fact);
    return fact;
}

static cnx_fact sparse_fact(cnx_sweep *s, const Onnx__SparseTensorProto *sparse)
{
    cnx_fact fact = {.type = sparse->values != NULL ? sparse->values->data_type : 0,
                     .known = sparse->n_dims <= 60};
    uint32_t reason = cnx_reason(s->analysis->points, "sparse tensor", NULL, NULL);
    fact.rank = (uint32_t)sparse->n_dims;
    fact.axes = CNX_NEW_ARRAY(s->analysis->arena, cnx_axis, fact.rank);
    for (uint32_t k = 0; k < fact.rank; k++)
        fact.axes[k] = cnx_axis_pinned(cnx_dim_number(s->analysis->dims, sparse->dims[k]), reason);
    return fact;
}

cnx_fact cnx_given_fact(cnx_sweep *s, uint32_t id)
{
    const cnx_value *value = &s->graph->values[id];
    bool replaceable = cnx_is_replaceable(s->graph, value);
    if (value->initializer != NULL && !replaceable)
        return cnx_tensor_fact(s, id, value->initializer);
    if (value->sparse_initializer != NULL && !replaceable)
        return sparse_fact(s, value->sparse_initializer);
    return input_fact(s, value);
}

/* A parameter axis that was refined is read in its finer form from then on: the coarse points are no longer
 * tied to anything. */
static cnx_fact with_finer_axes(cnx_sweep *s, cnx_fact fact)
{
    bool refined = false;
    for (uint32_t k = 0; k < fact.rank && !refined; k++)
        refined = fact.axes[k].kind == CNX_AXIS_LABELS && fact.axes[k].labels->finer != NULL;
    if (!refined)
        return fact;
    cnx_axis *axes = CNX_NEW_ARRAY(s->analysis->arena, cnx_axis, fact.rank);
    for (uint32_t k = 0; k < fact.rank; k++) {
        axes[k] = fact.axes[k];
        if (axes[k].kind == CNX_AXIS_LABELS && axes[k].labels->finer != NULL)
            axes[k].labels = axes[k].labels->finer;
    }
    fact.axes = axes;
    return fact;
}

/* ---- shared tensors ---- */

/* Whether the tensor's bytes do not change along axis `k`. */
static bool constant_along(cnx_model *model, cnx_tensor *tensor, uint32_t k)
{
    uint64_t inner = cnx_type_bits(tensor->type) / 8, outer = 1;
    for (uint32_t j = 0; j < k; j++)
        outer *= (uint64_t)tensor->dims[j];
    for (uint32_t j = k + 1; j < tensor->rank; j++)
        inner *= (uint64_t)tensor->dims[j];
    const uint8_t *bytes = cnx_tensor_bytes(model, tensor);
    uint64_t extent = (uint64_t)tensor->dims[k];
    for (uint64_t o = 0; o < outer; o++)
        for (uint64_t i = 1; i < extent; i++)
            if (memcmp(bytes + (o * extent + i) * inner, bytes + o * extent * inner, inner) != 0)
                return false;
    return true;
}

static uint64_t constant_axes(cnx_sweep *s, uint32_t id, cnx_tensor *tensor)
{
    if (s->examined[id])
        return s->constant_axes[id];
    s->examined[id] = true;
    if (cnx_type_bits(tensor->type) % 8 != 0 || tensor->count == 0 || tensor->count > LARGEST_SHARED_TENSOR)
        return 0;
    for (uint32_t k = 0; k < tensor->rank; k++)
        if (constant_along(s->analysis->model, tensor, k))
            s->constant_axes[id] |= UINT64_C(1) << k;
    return s->constant_axes[id];
}

/* Whether every byte of the tensor, which is constant along all axes, is zero. */
static bool is_zero(const cnx_sweep *s, cnx_tensor *tensor)
{
    static const uint8_t zero[16];
    const uint8_t *bytes = cnx_tensor_bytes(s->analysis->model, tensor);
    return memcmp(bytes, zero, cnx_type_bits(tensor->type) / 8) == 0;
}

/* A further use of a tensor that is constant along some axes. Only zeros can be multiplied by one thing here
 * and another there. */
static uint32_t scaling_of_use(cnx_sweep *s, uint32_t id, uint64_t constant, const cnx_fact *use)
{
    uint64_t all = (UINT64_C(1) << use->rank) - 1;
    if ((constant & all) == all && is_zero(s, s->tensors[id]))
        return cnx_scaling_parameter(s->analysis->scaling, use);
    cnx_scaling_fix(s->analysis->scaling, CNX_SIGN_AND_SCALE, s->facts[id].scaling);
    return 0;
}

/* A further use of a shared tensor has points of its own along the axes on which it is constant. */
static cnx_fact own_points(cnx_sweep *s, uint32_t id)
{
    cnx_fact fact = s->facts[id];
    if (s->tensors[id] == NULL || s->graph->values[id].use_count < 2 || s->outer != NULL || !fact.known ||
        !carries_weights(s, id, fact.type))
        return fact;
    uint64_t constant = constant_axes(s, id, s->tensors[id]);
    if (constant == 0)
        return fact;
    if (!s->used[id]) { /* the first use keeps the points that the tensor came with */
        s->used[id] = true;
        return fact;
    }
    cnx_axis *axes = CNX_NEW_ARRAY(s->analysis->arena, cnx_axis, fact.rank);
    for (uint32_t k = 0; k < fact.rank; k++) {
        axes[k] = fact.axes[k];
        if ((constant >> k & 1) != 0 && axes[k].kind == CNX_AXIS_LABELS)
            axes[k] = cnx_axis_fresh(s->analysis->points, axes[k].labels->extent, NULL);
    }
    fact.axes = axes;
    fact.scaling = scaling_of_use(s, id, constant, &fact);
    add_parameter(s, id, axes, fact.scaling, true);
    return fact;
}

cnx_fact cnx_fact_of_use(cnx_sweep *s, uint32_t id)
{
    return with_finer_axes(s, own_points(s, id));
}
