#include "analyze/content.h"

#include "analyze/points.h"

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

static void set(cnx_rule *rule, uint32_t output, const cnx_dim *elements, size_t count)
{
    if (output >= rule->output_count || count > CNX_LARGEST_CONTENT)
        return;
    cnx_fact *fact = &rule->outputs[output];
    if (!fact->known || fact->rank > 1)
        return;
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

static void content_gather(cnx_rule *rule)
{
    content data;
    const int64_t *index;
    size_t count;
    if (!input_content(rule, 0, &data) || rule->inputs[0].rank != 1 ||
        !cnx_rule_numbers(rule, 1, &index, &count))
        return;
    cnx_dim *result = new_elements(rule, count);
    for (size_t k = 0; k < count; k++)
        result[k] = data.elements[cnx_rule_axis_number(rule, index[k], (uint32_t)data.count)];
    set(rule, 0, result, count);
}

static void content_concat(cnx_rule *rule)
{
    size_t total = 0;
    content part;
    for (uint32_t i = 0; i < rule->input_count; i++) {
        if (!input_content(rule, i, &part))
            return;
        total += part.count;
    }
    cnx_dim *result = new_elements(rule, total);
    total = 0;
    for (uint32_t i = 0; i < rule->input_count; i++) {
        input_content(rule, i, &part);
        for (size_t k = 0; k < part.count; k++)
            result[total++] = part.elements[k];
    }
    set(rule, 0, result, total);
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
    content data;
    int64_t start, end, step;
    if (!input_content(rule, 0, &data) || rule->inputs[0].rank != 1 ||
        !slice_number(rule, 1, "starts", 0, &start) || !slice_number(rule, 2, "ends", INT64_MAX, &end) ||
        !slice_number(rule, 4, "steps", 1, &step) || step == 0)
        return;
    int64_t size = (int64_t)data.count;
    start = clamp(start < 0 ? start + size : start, step > 0 ? 0 : -1, step > 0 ? size : size - 1);
    end = end < -size ? -1 : end < 0 ? end + size : end;
    end = clamp(end, step > 0 ? 0 : -1, size);
    cnx_dim *result = new_elements(rule, data.count);
    size_t count = 0;
    for (int64_t k = start; step > 0 ? k < end : k > end; k += clamp(step, -size - 1, size + 1))
        result[count++] = data.elements[k];
    set(rule, 0, result, count);
}

static void content_split(cnx_rule *rule)
{
    content data;
    size_t offset = 0;
    int64_t size;
    if (!input_content(rule, 0, &data) || rule->inputs[0].rank != 1)
        return;
    for (uint32_t i = 0; i < rule->output_count; i++) {
        if (!rule->outputs[i].known ||
            !cnx_dim_is_number(rule->dims, rule->outputs[i].axes[0].extent, &size) || size < 0 ||
            offset + (size_t)size > data.count)
            return;
        set(rule, i, data.elements + offset, (size_t)size);
        offset += (size_t)size;
    }
}

static void content_constant_of_shape(cnx_rule *rule)
{
    int64_t count = 1, value = 0;
    const cnx_fact *fact = &rule->outputs[0];
    const Onnx__AttributeProto *attribute = cnx_attribute(rule->node, "value");
    if (!fact->known || fact->rank > 1 || !is_integer(fact->type) || attribute == NULL ||
        attribute->t == NULL)
        return;
    cnx_tensor *tensor = cnx_tensor_of(rule->analysis->model, attribute->t);
    if (tensor == NULL || tensor->count != 1)
        return;
    value = cnx_tensor_integer(rule->analysis->model, tensor, 0);
    if (fact->rank == 1 && (!cnx_dim_is_number(rule->dims, fact->axes[0].extent, &count) || count < 0 ||
                            count > CNX_LARGEST_CONTENT))
        return;
    cnx_dim *result = new_elements(rule, (size_t)count);
    for (int64_t k = 0; k < count; k++)
        result[k] = cnx_rule_number(rule, value);
    set(rule, 0, result, (size_t)count);
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
    {"Shape", content_shape},
    {"Size", content_size},
    {"Gather", content_gather},
    {"Concat", content_concat},
    {"Slice", content_slice},
    {"Split", content_split},
    {"Cast", content_cast},
    {"Identity", content_copy},
    {"Reshape", content_copy},
    {"Squeeze", content_copy},
    {"Unsqueeze", content_copy},
    {"Flatten", content_copy},
    {"ConstantOfShape", content_constant_of_shape},
    {"Range", content_range},
    {"Where", content_where},
    {"ReduceProd", content_reduce},
    {"ReduceSum", content_reduce},
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
