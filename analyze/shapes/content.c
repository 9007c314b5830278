#include "analyze/shapes/content_internal.h"

#include "analyze/symmetry/points.h"

static cnx_dim *new_elements(cnx_rule *rule, size_t count)
{
    return CNX_NEW_ARRAY(rule->arena, cnx_dim, count);
}

bool cnx_content__layout(const cnx_rule *rule, const cnx_fact *fact, cnx_layout *layout)
{
    layout->rank = fact->rank;
    layout->count = 1;
    if (!fact->known || fact->rank > CNX_MOST_CONTENT_AXES)
        return false;
    for (uint32_t k = 0; k < fact->rank; k++) {
        int64_t extent;
        if (!cnx_dim_is_number(rule->dims, fact->axes[k].extent, &extent) || extent < 0 ||
            extent > CNX_LARGEST_CONTENT)
            return false;
        layout->extents[k] = extent;
        layout->count *= (size_t)extent;
        if (layout->count > CNX_LARGEST_CONTENT)
            return false;
    }
    return true;
}

bool cnx_content__input(const cnx_rule *rule, uint32_t i, cnx_content *content)
{
    size_t count;
    content->divisor = 1;
    return cnx_rule_content(rule, i, &content->elements, &count) &&
           cnx_content__layout(rule, &rule->inputs[i], &content->layout) && content->layout.count == count;
}

void cnx_content__set(cnx_rule *rule, uint32_t output, const cnx_dim *elements, size_t count)
{
    cnx_layout layout;
    if (output >= rule->output_count || !cnx_content__layout(rule, &rule->outputs[output], &layout) ||
        layout.count != count)
        return;
    cnx_fact *fact = &rule->outputs[output];
    fact->has_content = true;
    fact->content = elements;
    fact->content_count = count;
    fact->content_divisor = 1;
}

size_t cnx_content__broadcast(const cnx_layout *whole, const cnx_layout *part, size_t e)
{
    size_t position = 0, stride = 1;
    for (uint32_t place = 1; place <= part->rank; place++) {
        size_t whole_extent = (size_t)whole->extents[whole->rank - place];
        size_t extent = (size_t)part->extents[part->rank - place];
        position += e % whole_extent % extent * stride;
        e /= whole_extent;
        stride *= extent;
    }
    return position;
}

cnx_dim cnx_content__unknown(cnx_rule *rule)
{
    cnx_dim less = cnx_dim_fresh(rule->dims);
    cnx_dim more = cnx_dim_fresh(rule->dims);
    return cnx_dim_subtract(rule->dims, more, less);
}

/* ---- what is in a shape ---- */

/* The same elements in the same order, fractions too. */
static void content_copy(cnx_rule *rule)
{
    const cnx_fact *fact = &rule->inputs[0];
    if (rule->input_count == 0 || !fact->has_content)
        return;
    cnx_content__set(rule, 0, fact->content, fact->content_count);
    if (rule->outputs[0].has_content)
        rule->outputs[0].content_divisor = fact->content_divisor;
}

static void content_shape(cnx_rule *rule)
{
    const cnx_fact *input = &rule->inputs[0];
    int64_t count, rank = input->rank, start = cnx_rule_int(rule, "start", 0);
    start = start < 0 ? start + rank : start;
    start = start < 0 ? 0 : start > rank ? rank : start;
    if (!rule->outputs[0].known || !cnx_dim_is_number(rule->dims, rule->outputs[0].axes[0].extent, &count))
        return;
    cnx_dim *result = new_elements(rule, (size_t)count);
    for (int64_t k = 0; k < count; k++)
        result[k] = input->axes[start + k].extent;
    cnx_content__set(rule, 0, result, (size_t)count);
}

static void content_size(cnx_rule *rule)
{
    cnx_dim *result = new_elements(rule, 1);
    result[0] = cnx_rule_number(rule, 1);
    for (uint32_t k = 0; k < rule->inputs[0].rank; k++)
        result[0] = cnx_dim_multiply(rule->dims, result[0], rule->inputs[0].axes[k].extent);
    cnx_content__set(rule, 0, result, 1);
}

static void content_constant_of_shape(cnx_rule *rule)
{
    cnx_layout layout;
    const Onnx__AttributeProto *attribute = cnx_attribute(rule->node, "value");
    if (attribute == NULL || attribute->t == NULL || !cnx_content__layout(rule, &rule->outputs[0], &layout))
        return;
    cnx_tensor *tensor = cnx_tensor_of(rule->analysis->model, attribute->t);
    if (tensor == NULL || tensor->count != 1 ||
        (cnx_type_kind_of(tensor->type) != CNX_KIND_INTEGER &&
         cnx_type_kind_of(tensor->type) != CNX_KIND_BOOL))
        return;
    cnx_dim value = cnx_rule_number(rule, cnx_tensor_integer(rule->analysis->model, tensor, 0));
    cnx_dim *result = new_elements(rule, layout.count);
    for (size_t k = 0; k < layout.count; k++)
        result[k] = value;
    cnx_content__set(rule, 0, result, layout.count);
}

static void content_range(cnx_rule *rule)
{
    const cnx_dim *start, *delta;
    size_t count;
    cnx_layout layout;
    if (!cnx_rule_content(rule, 0, &start, &count) || count != 1 ||
        !cnx_rule_content(rule, 2, &delta, &count) || count != 1 ||
        !cnx_content__layout(rule, &rule->outputs[0], &layout))
        return;
    cnx_dim *result = new_elements(rule, layout.count);
    for (size_t k = 0; k < layout.count; k++)
        result[k] = cnx_dim_add(rule->dims, *start,
                                cnx_dim_multiply(rule->dims, *delta, cnx_rule_number(rule, (int64_t)k)));
    cnx_content__set(rule, 0, result, layout.count);
}

/* ---- moving elements ---- */

/* Selected positions of every axis of a tensor. */
typedef struct selection {
    cnx_content data;
    int64_t *positions[CNX_MOST_CONTENT_AXES]; /* NULL: all of them */
    size_t counts[CNX_MOST_CONTENT_AXES];
} selection;

static bool select_all(const cnx_rule *rule, uint32_t i, selection *s)
{
    *s = (selection){.counts = {0}};
    if (!cnx_content__input(rule, i, &s->data))
        return false;
    for (uint32_t k = 0; k < s->data.layout.rank; k++)
        s->counts[k] = (size_t)s->data.layout.extents[k];
    return true;
}

static void set_selected(cnx_rule *rule, uint32_t output, const selection *s)
{
    size_t count = 1;
    for (uint32_t k = 0; k < s->data.layout.rank; k++) {
        if (s->counts[k] > CNX_LARGEST_CONTENT || (count *= s->counts[k]) > CNX_LARGEST_CONTENT)
            return;
    }
    cnx_dim *result = new_elements(rule, count);
    for (size_t e = 0; e < count; e++) {
        size_t rest = e, source = 0, stride = 1;
        for (uint32_t k = s->data.layout.rank; k-- > 0;) {
            size_t at = rest % s->counts[k];
            source += (s->positions[k] != NULL ? (size_t)s->positions[k][at] : at) * stride;
            rest /= s->counts[k];
            stride *= (size_t)s->data.layout.extents[k];
        }
        result[e] = s->data.elements[source];
    }
    cnx_content__set(rule, output, result, count);
}

static void content_gather(cnx_rule *rule)
{
    selection s;
    const int64_t *given;
    size_t count;
    if (!cnx_rule_numbers(rule, 1, &given, &count) || !select_all(rule, 0, &s) || s.data.layout.rank == 0)
        return;
    uint32_t axis = cnx_rule_axis_number(rule, cnx_rule_int(rule, "axis", 0), s.data.layout.rank);
    s.positions[axis] = CNX_NEW_ARRAY(rule->arena, int64_t, count);
    s.counts[axis] = count;
    for (size_t k = 0; k < count; k++)
        s.positions[axis][k] = cnx_rule_axis_number(rule, given[k], (uint32_t)s.data.layout.extents[axis]);
    set_selected(rule, 0, &s);
}

static int64_t clamp(int64_t value, int64_t low, int64_t high)
{
    return value < low ? low : value > high ? high : value;
}

/* Positions of one axis, cut in Python's way. */
static void cut_axis(cnx_rule *rule, selection *s, uint32_t axis, int64_t start, int64_t end, int64_t step)
{
    int64_t size = s->data.layout.extents[axis];
    step = clamp(step, -size - 1, size + 1);
    start = clamp(start < 0 ? start + size : start, 0, step > 0 ? size : size - 1);
    end = end < -size ? -1 : end < 0 ? end + size : end;
    end = clamp(end, step > 0 ? 0 : -1, size);
    s->positions[axis] = CNX_NEW_ARRAY(rule->arena, int64_t, (size_t)size);
    s->counts[axis] = 0;
    for (int64_t k = start; size != 0 && (step > 0 ? k < end : k > end); k += step)
        s->positions[axis][s->counts[axis]++] = k;
}

/* Numbers of a Slice argument: an input, or an attribute of the older form. NULL when they are left out. */
static bool slice_numbers(const cnx_rule *rule, uint32_t i, const char *attribute, const int64_t **numbers,
                          size_t *count)
{
    *numbers = NULL;
    *count = 0;
    if (rule->input_count <= 1) {
        *numbers = cnx_rule_ints(rule, attribute, count);
        return true;
    }
    return !cnx_rule_has(rule, i) || cnx_rule_numbers(rule, i, numbers, count);
}

static void content_slice(cnx_rule *rule)
{
    selection s;
    const int64_t *starts, *ends, *axes, *steps;
    size_t count, end_count, axis_count, step_count;
    if (!select_all(rule, 0, &s) || !slice_numbers(rule, 1, "starts", &starts, &count) ||
        !slice_numbers(rule, 2, "ends", &ends, &end_count) || end_count != count ||
        !slice_numbers(rule, 3, "axes", &axes, &axis_count) || (axes != NULL && axis_count != count) ||
        !slice_numbers(rule, 4, "steps", &steps, &step_count) || (steps != NULL && step_count != count) ||
        (axes == NULL && count > s.data.layout.rank))
        return;
    for (size_t i = 0; i < count; i++) {
        if (steps != NULL && steps[i] == 0)
            return;
        uint32_t axis = cnx_rule_axis_number(rule, axes != NULL ? axes[i] : (int64_t)i, s.data.layout.rank);
        cut_axis(rule, &s, axis, starts[i], ends[i], steps != NULL ? steps[i] : 1);
    }
    set_selected(rule, 0, &s);
}

static void content_split(cnx_rule *rule)
{
    selection s;
    int64_t offset = 0;
    if (!select_all(rule, 0, &s) || s.data.layout.rank == 0)
        return;
    uint32_t axis = cnx_rule_axis_number(rule, cnx_rule_int(rule, "axis", 0), s.data.layout.rank);
    for (uint32_t o = 0; o < rule->output_count; o++) {
        cnx_layout part;
        if (!cnx_content__layout(rule, &rule->outputs[o], &part) || part.rank != s.data.layout.rank ||
            offset + part.extents[axis] > s.data.layout.extents[axis])
            return;
        s.counts[axis] = (size_t)part.extents[axis];
        s.positions[axis] = CNX_NEW_ARRAY(rule->arena, int64_t, s.counts[axis]);
        for (size_t k = 0; k < s.counts[axis]; k++)
            s.positions[axis][k] = offset++;
        set_selected(rule, o, &s);
    }
}

static void content_concat(cnx_rule *rule)
{
    cnx_content part;
    size_t total = 0, outer = 1, offset = 0;
    for (uint32_t i = 0; i < rule->input_count; i++) {
        if (!cnx_content__input(rule, i, &part) || part.layout.rank == 0)
            return;
        total += part.layout.count;
    }
    uint32_t axis = cnx_rule_axis_number(rule, cnx_rule_int(rule, "axis", 1), rule->inputs[0].rank);
    cnx_dim *result = new_elements(rule, total);
    for (uint32_t i = 0; i < rule->input_count && total != 0; i++) {
        cnx_content__input(rule, i, &part);
        outer = 1;
        for (uint32_t k = 0; k < axis; k++)
            outer *= (size_t)part.layout.extents[k];
        size_t width = outer == 0 ? 0 : part.layout.count / outer, row = outer == 0 ? 0 : total / outer;
        for (size_t k = 0; k < part.layout.count; k++)
            result[k / width * row + offset + k % width] = part.elements[k];
        offset += width;
    }
    cnx_content__set(rule, 0, result, total);
}

static void content_transpose(cnx_rule *rule)
{
    cnx_content data;
    size_t orders, stride[CNX_MOST_CONTENT_AXES], step = 1;
    const int64_t *order = cnx_rule_ints(rule, "perm", &orders);
    if (!cnx_content__input(rule, 0, &data) || (order != NULL && orders != data.layout.rank))
        return;
    uint32_t rank = data.layout.rank;
    for (uint32_t k = rank; k-- > 0;) {
        stride[k] = step;
        step *= (size_t)data.layout.extents[k];
    }
    cnx_dim *result = new_elements(rule, data.layout.count);
    for (size_t e = 0; e < data.layout.count; e++) {
        size_t rest = e, source = 0;
        for (uint32_t k = rank; k-- > 0;) {
            uint32_t from = order != NULL ? cnx_rule_axis_number(rule, order[k], rank) : rank - 1 - k;
            source += rest % (size_t)data.layout.extents[from] * stride[from];
            rest /= (size_t)data.layout.extents[from];
        }
        result[e] = data.elements[source];
    }
    cnx_content__set(rule, 0, result, data.layout.count);
}

/* Expand and Tile: positions of the output count modulo the input's extents. */
static void content_repeat(cnx_rule *rule)
{
    cnx_content data;
    cnx_layout whole;
    if (!cnx_content__input(rule, 0, &data) || !cnx_content__layout(rule, &rule->outputs[0], &whole) ||
        data.layout.rank > whole.rank || data.layout.count == 0)
        return;
    cnx_dim *result = new_elements(rule, whole.count);
    for (size_t e = 0; e < whole.count; e++)
        result[e] = data.elements[cnx_content__broadcast(&whole, &data.layout, e)];
    cnx_content__set(rule, 0, result, whole.count);
}

/* ---- counting ---- */

/* The input with 1 for the axes that are reduced: the output's elements in their order, whether it keeps
 * those axes or not. False when the axes are not known. */
static bool reduced_layout(const cnx_rule *rule, const cnx_layout *whole, cnx_layout *reduced)
{
    const int64_t *axes = NULL;
    size_t count = 0;
    if (!cnx_rule_has(rule, 1))
        axes = cnx_rule_ints(rule, "axes", &count);
    else if (!cnx_rule_numbers(rule, 1, &axes, &count))
        return false;
    *reduced = *whole;
    bool all = count == 0 && cnx_rule_int(rule, "noop_with_empty_axes", 0) == 0;
    for (uint32_t k = 0; k < whole->rank && all; k++)
        reduced->extents[k] = 1;
    for (size_t i = 0; i < count; i++)
        reduced->extents[cnx_rule_axis_number(rule, axes[i], whole->rank)] = 1;
    reduced->count = 1;
    for (uint32_t k = 0; k < whole->rank; k++)
        reduced->count *= (size_t)reduced->extents[k];
    return true;
}

/* ReduceProd, ReduceSum, ReduceMax, ReduceMin */
static void content_reduce(cnx_rule *rule)
{
    static const struct {
        const char *name;
        cnx_dim (*function)(cnx_dims *, cnx_dim, cnx_dim);
    } KINDS[] = {{"ReduceProd", cnx_dim_multiply},
                 {"ReduceSum", cnx_dim_add},
                 {"ReduceMax", cnx_dim_max},
                 {"ReduceMin", cnx_dim_min}};
    cnx_content data;
    cnx_layout reduced;
    size_t kind = 0;
    while (strcmp(rule->node->op_type, KINDS[kind].name) != 0)
        kind++;
    if (!cnx_content__input(rule, 0, &data) || data.layout.count == 0 ||
        !reduced_layout(rule, &data.layout, &reduced))
        return;
    cnx_dim *result = new_elements(rule, reduced.count);
    bool *started = CNX_NEW_ARRAY(rule->arena, bool, reduced.count);
    for (size_t e = 0; e < data.layout.count; e++) {
        size_t to = cnx_content__broadcast(&data.layout, &reduced, e);
        result[to] =
            started[to] ? KINDS[kind].function(rule->dims, result[to], data.elements[e]) : data.elements[e];
        started[to] = true;
    }
    cnx_content__set(rule, 0, result, reduced.count);
}

static void content_non_zero(cnx_rule *rule)
{
    cnx_content data;
    cnx_layout whole;
    const int64_t *numbers;
    size_t count, column = 0;
    if (!cnx_content__input(rule, 0, &data) || !cnx_rule_numbers(rule, 0, &numbers, &count) ||
        !cnx_content__layout(rule, &rule->outputs[0], &whole) || whole.rank != 2)
        return;
    size_t found = (size_t)whole.extents[1];
    cnx_dim *result = new_elements(rule, whole.count);
    for (size_t e = 0; e < count && column < found; e++) {
        size_t rest = e;
        if (numbers[e] == 0)
            continue;
        for (uint32_t k = data.layout.rank; k-- > 0;) {
            result[k * found + column] =
                cnx_rule_number(rule, (int64_t)(rest % (size_t)data.layout.extents[k]));
            rest /= (size_t)data.layout.extents[k];
        }
        column++;
    }
    cnx_content__set(rule, 0, result, whole.count);
}

static const struct {
    const char *name;
    void (*function)(cnx_rule *);
} table[] = {
    {"Shape", content_shape},
    {"Size", content_size},
    {"ConstantOfShape", content_constant_of_shape},
    {"Range", content_range},
    {"Identity", content_copy},
    {"Reshape", content_copy},
    {"Squeeze", content_copy},
    {"Unsqueeze", content_copy},
    {"Flatten", content_copy},
    {"Gather", content_gather},
    {"Slice", content_slice},
    {"Split", content_split},
    {"Concat", content_concat},
    {"Transpose", content_transpose},
    {"Expand", content_repeat},
    {"Tile", content_repeat},
    {"ReduceProd", content_reduce},
    {"ReduceSum", content_reduce},
    {"ReduceMax", content_reduce},
    {"ReduceMin", content_reduce},
    {"NonZero", content_non_zero},
};

void cnx_propagate_content(cnx_rule *rule)
{
    if (rule->output_count == 0 || rule->node->domain[0] != '\0' || cnx_content__arithmetic(rule))
        return;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (strcmp(rule->node->op_type, table[i].name) == 0) {
            table[i].function(rule);
            return;
        }
}
