#include "analyze/content.h"

#include "analyze/points.h"

/* Tensors with more axes are not followed. */
#define MOST_AXES 8

typedef struct content {
    const cnx_dim *elements;
    size_t count;
} content;

static bool input_content(const cnx_rule *rule, uint32_t i, content *result)
{
    return cnx_rule_content(rule, i, &result->elements, &result->count);
}

static cnx_dim *new_elements(cnx_rule *rule, size_t count)
{
    return CNX_NEW_ARRAY(rule->arena, cnx_dim, count);
}

/* The extents of a fact as numbers; false when one is symbolic. The product is returned in *count. */
static bool extents_of(const cnx_rule *rule, const cnx_fact *fact, int64_t *extents, size_t *count)
{
    *count = 1;
    for (uint32_t k = 0; k < fact->rank; k++) {
        if (fact->rank > MOST_AXES || !cnx_dim_is_number(rule->dims, fact->axes[k].extent, &extents[k]) ||
            extents[k] < 0 || extents[k] > CNX_LARGEST_CONTENT)
            return false;
        *count *= (size_t)extents[k];
        if (*count > CNX_LARGEST_CONTENT)
            return false;
    }
    return true;
}

static void set(cnx_rule *rule, uint32_t output, const cnx_dim *elements, size_t count)
{
    int64_t extents[MOST_AXES];
    size_t expected;
    if (output >= rule->output_count || !rule->outputs[output].known ||
        !extents_of(rule, &rule->outputs[output], extents, &expected) || expected != count)
        return;
    cnx_fact *fact = &rule->outputs[output];
    fact->has_content = true;
    fact->content = elements;
    fact->content_count = count;
}

/* ---- elementwise ---- */

typedef cnx_dim (*binary)(cnx_dims *, cnx_dim, cnx_dim);

/* Integer division of ONNX truncates; floor is the same for extents, which are not negative. */
static cnx_dim divide(cnx_dims *dims, cnx_dim a, cnx_dim b)
{
    int64_t x, y;
    if (cnx_dim_is_number(dims, a, &x) && cnx_dim_is_number(dims, b, &y) && y != 0 && (x < 0 || y < 0))
        return y == -1 ? cnx_dim_subtract(dims, cnx_dim_number(dims, 0), a) : cnx_dim_number(dims, x / y);
    return cnx_dim_floor_divide(dims, a, b);
}

/* Equal: 1, 0, or unknown when it depends on a symbol. */
static cnx_dim equal(cnx_dims *dims, cnx_dim a, cnx_dim b)
{
    if (a == b)
        return cnx_dim_number(dims, 1);
    if (cnx_dim_is_number(dims, a, NULL) && cnx_dim_is_number(dims, b, NULL))
        return cnx_dim_number(dims, 0);
    /* An extent is never negative: a symbol differs from the -1 and 0 that exporters compare with only in the
     * first case; 0 could be an empty batch. */
    int64_t number;
    if ((cnx_dim_is_number(dims, a, &number) && number < 0) ||
        (cnx_dim_is_number(dims, b, &number) && number < 0))
        return cnx_dim_number(dims, 0);
    return cnx_dim_fresh(dims);
}

static const struct {
    const char *name;
    binary function;
} arithmetic[] = {
    {"Add", cnx_dim_add}, {"Sub", cnx_dim_subtract}, {"Mul", cnx_dim_multiply}, {"Div", divide},
    {"Max", cnx_dim_max}, {"Min", cnx_dim_min},      {"Mod", cnx_dim_modulo},   {"Equal", equal},
};

static cnx_dim element(content c, size_t k)
{
    return c.elements[c.count == 1 ? 0 : k];
}

static bool is_integer(int32_t type)
{
    return cnx_type_kind_of(type) == CNX_KIND_INTEGER || cnx_type_kind_of(type) == CNX_KIND_BOOL;
}

static bool propagate_arithmetic(cnx_rule *rule)
{
    content a, b;
    for (size_t i = 0; i < sizeof arithmetic / sizeof *arithmetic; i++) {
        if (strcmp(rule->node->op_type, arithmetic[i].name) != 0)
            continue;
        if (rule->input_count != 2 || !is_integer(rule->inputs[0].type) || !input_content(rule, 0, &a) ||
            !input_content(rule, 1, &b))
            return true;
        size_t count = a.count > b.count ? a.count : b.count;
        if ((a.count != 1 && a.count != count) || (b.count != 1 && b.count != count) || a.count == 0 ||
            b.count == 0)
            return true;
        cnx_dim *result = new_elements(rule, count);
        for (size_t k = 0; k < count; k++)
            result[k] = arithmetic[i].function(rule->dims, element(a, k), element(b, k));
        set(rule, 0, result, count);
        return true;
    }
    return false;
}

/* ---- one function an operator ---- */

static void content_copy(cnx_rule *rule)
{
    content a;
    if (input_content(rule, 0, &a))
        set(rule, 0, a.elements, a.count);
}

static void content_cast(cnx_rule *rule)
{
    if (is_integer(rule->inputs[0].type) && cnx_type_kind_of(rule->outputs[0].type) == CNX_KIND_INTEGER)
        content_copy(rule);
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
    set(rule, 0, result, (size_t)count);
}

static void content_size(cnx_rule *rule)
{
    cnx_dim *result = new_elements(rule, 1);
    result[0] = cnx_rule_number(rule, 1);
    for (uint32_t k = 0; k < rule->inputs[0].rank; k++)
        result[0] = cnx_dim_multiply(rule->dims, result[0], rule->inputs[0].axes[k].extent);
    set(rule, 0, result, 1);
}

/* An input with contents, seen as (outer, extent of the axis, inner). */
typedef struct axis_view {
    content data;
    size_t outer;
    size_t extent;
    size_t inner;
} axis_view;

static bool view_along(const cnx_rule *rule, uint32_t i, int64_t axis, axis_view *view)
{
    int64_t extents[MOST_AXES];
    size_t count;
    const cnx_fact *fact = &rule->inputs[i];
    if (!input_content(rule, i, &view->data) || fact->rank == 0 || !extents_of(rule, fact, extents, &count) ||
        count != view->data.count)
        return false;
    uint32_t at = cnx_rule_axis_number(rule, axis, fact->rank);
    view->outer = view->inner = 1;
    view->extent = (size_t)extents[at];
    for (uint32_t k = 0; k < fact->rank; k++)
        if (k != at)
            *(k < at ? &view->outer : &view->inner) *= (size_t)extents[k];
    return true;
}

/* Positions `index` along the axis of the view. */
static void set_selected(cnx_rule *rule, uint32_t output, const axis_view *view, const int64_t *index,
                         size_t count)
{
    if (view->outer * view->inner * count > CNX_LARGEST_CONTENT)
        return;
    cnx_dim *result = new_elements(rule, view->outer * count * view->inner);
    size_t size = 0;
    for (size_t o = 0; o < view->outer; o++)
        for (size_t k = 0; k < count; k++)
            for (size_t i = 0; i < view->inner; i++)
                result[size++] = view->data.elements[(o * view->extent + (size_t)index[k]) * view->inner + i];
    set(rule, output, result, size);
}

static void content_gather(cnx_rule *rule)
{
    axis_view view;
    const int64_t *given;
    size_t count;
    if (!cnx_rule_numbers(rule, 1, &given, &count) ||
        !view_along(rule, 0, cnx_rule_int(rule, "axis", 0), &view))
        return;
    int64_t *index = CNX_NEW_ARRAY(rule->arena, int64_t, count);
    for (size_t k = 0; k < count; k++)
        index[k] = cnx_rule_axis_number(rule, given[k], (uint32_t)view.extent);
    set_selected(rule, 0, &view, index, count);
}

static void content_concat(cnx_rule *rule)
{
    axis_view view;
    size_t total = 0, outer = 0;
    int64_t axis = cnx_rule_int(rule, "axis", 1);
    for (uint32_t i = 0; i < rule->input_count; i++) {
        if (!view_along(rule, i, axis, &view) || (i > 0 && view.outer != outer))
            return;
        outer = view.outer;
        total += view.data.count;
    }
    cnx_dim *result = new_elements(rule, total);
    size_t row = outer == 0 ? 0 : total / outer, offset = 0;
    for (uint32_t i = 0; i < rule->input_count; i++) {
        view_along(rule, i, axis, &view);
        size_t width = view.extent * view.inner;
        for (size_t k = 0; k < view.data.count; k++)
            result[k / width * row + offset + k % width] = view.data.elements[k];
        offset += width;
    }
    set(rule, 0, result, total);
}

static void content_transpose(cnx_rule *rule)
{
    content data;
    int64_t extents[MOST_AXES];
    size_t count, orders, stride[MOST_AXES], step = 1;
    uint32_t rank = rule->inputs[0].rank;
    const int64_t *order = cnx_rule_ints(rule, "perm", &orders);
    if (!input_content(rule, 0, &data) || !extents_of(rule, &rule->inputs[0], extents, &count) ||
        count != data.count || (order != NULL && orders != rank))
        return;
    for (uint32_t k = rank; k-- > 0;) {
        stride[k] = step;
        step *= (size_t)extents[k];
    }
    cnx_dim *result = new_elements(rule, count);
    for (size_t e = 0; e < count; e++) {
        size_t rest = e, source = 0;
        for (uint32_t k = rank; k-- > 0;) {
            uint32_t from = order != NULL ? cnx_rule_axis_number(rule, order[k], rank) : rank - 1 - k;
            source += rest % (size_t)extents[from] * stride[from];
            rest /= (size_t)extents[from];
        }
        result[e] = data.elements[source];
    }
    set(rule, 0, result, count);
}

/* Numbers of a Slice argument: an input, or an attribute of the older form. */
static bool slice_number(cnx_rule *rule, uint32_t i, const char *attribute, int64_t otherwise,
                         int64_t *number)
{
    const int64_t *values = NULL;
    size_t count = 0;
    *number = otherwise;
    if (rule->input_count > 1) {
        if (!cnx_rule_has(rule, i))
            return true;
        if (!cnx_rule_numbers(rule, i, &values, &count))
            return false;
    } else {
        values = cnx_rule_ints(rule, attribute, &count);
    }
    if (count == 1)
        *number = values[0];
    return count <= 1;
}

static int64_t clamp(int64_t value, int64_t low, int64_t high)
{
    return value < low ? low : value > high ? high : value;
}

static void content_slice(cnx_rule *rule)
{
    axis_view view;
    int64_t start, end, step, axis;
    if (!slice_number(rule, 1, "starts", 0, &start) || !slice_number(rule, 2, "ends", INT64_MAX, &end) ||
        !slice_number(rule, 3, "axes", 0, &axis) || !slice_number(rule, 4, "steps", 1, &step) || step == 0 ||
        !view_along(rule, 0, axis, &view))
        return;
    int64_t size = (int64_t)view.extent;
    start = clamp(start < 0 ? start + size : start, step > 0 ? 0 : -1, step > 0 ? size : size - 1);
    end = end < -size ? -1 : end < 0 ? end + size : end;
    end = clamp(end, step > 0 ? 0 : -1, size);
    int64_t *index = CNX_NEW_ARRAY(rule->arena, int64_t, view.extent);
    size_t count = 0;
    for (int64_t k = start; step > 0 ? k < end : k > end; k += clamp(step, -size - 1, size + 1))
        index[count++] = k;
    set_selected(rule, 0, &view, index, count);
}

static void content_split(cnx_rule *rule)
{
    axis_view view;
    int64_t offset = 0, size, axis = cnx_rule_int(rule, "axis", 0);
    if (!view_along(rule, 0, axis, &view))
        return;
    for (uint32_t o = 0; o < rule->output_count; o++) {
        const cnx_fact *fact = &rule->outputs[o];
        if (!fact->known ||
            !cnx_dim_is_number(rule->dims, fact->axes[cnx_rule_axis_number(rule, axis, fact->rank)].extent,
                               &size) ||
            size < 0 || offset + size > (int64_t)view.extent)
            return;
        int64_t *index = CNX_NEW_ARRAY(rule->arena, int64_t, (size_t)size);
        for (int64_t k = 0; k < size; k++)
            index[k] = offset + k;
        set_selected(rule, o, &view, index, (size_t)size);
        offset += size;
    }
}

static void content_constant_of_shape(cnx_rule *rule)
{
    int64_t value = 0;
    const cnx_fact *fact = &rule->outputs[0];
    const Onnx__AttributeProto *attribute = cnx_attribute(rule->node, "value");
    if (!fact->known || fact->rank > 1 || !is_integer(fact->type) || attribute == NULL ||
        attribute->t == NULL)
        return;
    cnx_tensor *tensor = cnx_tensor_of(rule->analysis->model, attribute->t);
    if (tensor == NULL || tensor->count != 1)
        return;
    value = cnx_tensor_integer(rule->analysis->model, tensor, 0);
    int64_t extents[MOST_AXES];
    size_t count;
    if (!extents_of(rule, fact, extents, &count))
        return;
    cnx_dim *result = new_elements(rule, count);
    for (size_t k = 0; k < count; k++)
        result[k] = cnx_rule_number(rule, value);
    set(rule, 0, result, count);
}

static void content_range(cnx_rule *rule)
{
    const int64_t *start, *delta;
    size_t count;
    int64_t extent;
    if (!cnx_rule_numbers(rule, 0, &start, &count) || count != 1 ||
        !cnx_rule_numbers(rule, 2, &delta, &count) || count != 1 || !rule->outputs[0].known ||
        !cnx_dim_is_number(rule->dims, rule->outputs[0].axes[0].extent, &extent) || extent < 0 ||
        extent > CNX_LARGEST_CONTENT)
        return;
    cnx_dim *result = new_elements(rule, (size_t)extent);
    for (int64_t k = 0; k < extent; k++) {
        int64_t product, value;
        if (__builtin_mul_overflow(k, delta[0], &product) ||
            __builtin_add_overflow(start[0], product, &value))
            return;
        result[k] = cnx_rule_number(rule, value);
    }
    set(rule, 0, result, (size_t)extent);
}

static void content_where(cnx_rule *rule)
{
    content condition, yes, no;
    if (!input_content(rule, 0, &condition) || !input_content(rule, 1, &yes) || !input_content(rule, 2, &no))
        return;
    size_t count = condition.count > yes.count ? condition.count : yes.count;
    count = no.count > count ? no.count : count;
    if (condition.count == 0 || yes.count == 0 || no.count == 0 ||
        (condition.count != 1 && condition.count != count) || (yes.count != 1 && yes.count != count) ||
        (no.count != 1 && no.count != count))
        return;
    cnx_dim *result = new_elements(rule, count);
    for (size_t k = 0; k < count; k++) {
        int64_t chosen;
        cnx_dim a = element(yes, k), b = element(no, k);
        if (cnx_dim_is_number(rule->dims, element(condition, k), &chosen))
            result[k] = chosen != 0 ? a : b;
        else
            result[k] = a == b ? a : cnx_dim_fresh(rule->dims);
    }
    set(rule, 0, result, count);
}

static void content_reduce(cnx_rule *rule)
{
    content data;
    if (!input_content(rule, 0, &data) || !rule->outputs[0].known)
        return;
    bool product = strcmp(rule->node->op_type, "ReduceProd") == 0;
    cnx_dim *result = new_elements(rule, 1);
    result[0] = cnx_rule_number(rule, product ? 1 : 0);
    for (size_t k = 0; k < data.count; k++)
        result[0] = (product ? cnx_dim_multiply : cnx_dim_add)(rule->dims, result[0], data.elements[k]);
    set(rule, 0, result, 1);
}

static const struct {
    const char *name;
    void (*function)(cnx_rule *);
} table[] = {
    {"Shape", content_shape},         {"Size", content_size},
    {"Gather", content_gather},       {"Concat", content_concat},
    {"Slice", content_slice},         {"Split", content_split},
    {"Transpose", content_transpose}, {"Cast", content_cast},
    {"Identity", content_copy},       {"Reshape", content_copy},
    {"Squeeze", content_copy},        {"Unsqueeze", content_copy},
    {"Flatten", content_copy},        {"ConstantOfShape", content_constant_of_shape},
    {"Range", content_range},         {"Where", content_where},
    {"ReduceProd", content_reduce},   {"ReduceSum", content_reduce},
};

void cnx_propagate_content(cnx_rule *rule)
{
    if (rule->output_count == 0 || rule->node->domain[0] != '\0' || propagate_arithmetic(rule))
        return;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (strcmp(rule->node->op_type, table[i].name) == 0) {
            table[i].function(rule);
            return;
        }
}
