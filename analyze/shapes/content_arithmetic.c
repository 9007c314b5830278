/* Elementwise operators on known elements.
 *
 * Exporters compute sizes with floats: Cast, Mul by a scale, Floor, Cast back. An element may therefore be a
 * fraction, elements[k] / divisor, until it is rounded. Numbers are computed as the operator computes them,
 * in the tensor's own precision. A symbol is followed only where that is exact for every extent that a tensor
 * can have: scaled by a small fraction of a power of two.
 */
#include "analyze/constants.h"
#include "analyze/shapes/content_internal.h"

#include <math.h>

/* Fractions have divisors up to this, a power of two. */
#define LARGEST_DIVISOR (INT64_C(1) << 30)
/* A symbol may be multiplied by numerators and divided by divisors up to these without rounding a float. */
#define LARGEST_FACTOR 256
#define LARGEST_SYMBOLIC_DIVISOR 65536

/* An element: numerator / divisor. */
typedef struct fraction {
    cnx_dim numerator;
    int64_t divisor;
    bool known;
} fraction;

static bool is_whole(int32_t type)
{
    return cnx_type_kind_of(type) == CNX_KIND_INTEGER || cnx_type_kind_of(type) == CNX_KIND_BOOL;
}

/* Floats whose arithmetic is that of C's types. */
static bool is_float(int32_t type)
{
    return type == CNX_TYPE_FLOAT || type == CNX_TYPE_DOUBLE;
}

static const fraction UNKNOWN = {.divisor = 1};

static fraction whole(cnx_dim number)
{
    return (fraction){.numerator = number, .divisor = 1, .known = true};
}

/* A float as a fraction; unknown when it has too many binary digits. */
static fraction fraction_of(const cnx_rule *rule, double value)
{
    int64_t divisor = 1;
    while (divisor < LARGEST_DIVISOR && value != floor(value)) {
        value *= 2;
        divisor *= 2;
    }
    if (value != floor(value) || fabs(value) > 1e15) /* also when it is not finite */
        return UNKNOWN;
    fraction f = whole(cnx_rule_number(rule, (int64_t)value));
    f.divisor = divisor;
    return f;
}

static bool value_of(const cnx_rule *rule, fraction f, double *value)
{
    int64_t number;
    if (!f.known || !cnx_dim_is_number(rule->dims, f.numerator, &number) || number > INT64_C(1) << 53 ||
        number < -(INT64_C(1) << 53))
        return false;
    *value = (double)number / (double)f.divisor;
    return true;
}

/* ---- whole numbers ---- */

static bool before(cnx_dims *dims, cnx_dim a, cnx_dim b)
{
    return cnx_dim_not_negative(
        dims, cnx_dim_subtract(dims, cnx_dim_subtract(dims, b, a), cnx_dim_number(dims, 1)));
}

/* a < b as 1 or 0, or unknown when it depends on a symbol. */
static fraction less(cnx_rule *rule, cnx_dim a, cnx_dim b)
{
    if (before(rule->dims, a, b))
        return whole(cnx_rule_number(rule, 1));
    if (cnx_dim_not_negative(rule->dims, cnx_dim_subtract(rule->dims, a, b)))
        return whole(cnx_rule_number(rule, 0));
    return UNKNOWN;
}

static fraction equal(cnx_rule *rule, cnx_dim a, cnx_dim b)
{
    if (a == b)
        return whole(cnx_rule_number(rule, 1));
    if (before(rule->dims, a, b) || before(rule->dims, b, a))
        return whole(cnx_rule_number(rule, 0));
    return UNKNOWN;
}

static fraction negated(cnx_rule *rule, fraction truth)
{
    int64_t number;
    if (!truth.known || !cnx_dim_is_number(rule->dims, truth.numerator, &number))
        return UNKNOWN;
    return whole(cnx_rule_number(rule, number == 0));
}

/* Integer division of ONNX truncates; floor is the same where nothing is negative. */
static fraction divide(cnx_rule *rule, cnx_dim a, cnx_dim b)
{
    int64_t x, y;
    cnx_dims *dims = rule->dims;
    if (cnx_dim_is_number(dims, b, &y) && y == -1)
        return whole(cnx_dim_subtract(dims, cnx_rule_number(rule, 0), a));
    if (cnx_dim_is_number(dims, a, &x) && cnx_dim_is_number(dims, b, &y))
        return y == 0 ? UNKNOWN : whole(cnx_rule_number(rule, x / y));
    if (!cnx_dim_not_negative(dims, b))
        return UNKNOWN;
    cnx_dim quotient = cnx_dim_floor_divide(dims, a, b);
    bool exact = cnx_dim_multiply(dims, quotient, b) == a;
    return exact || cnx_dim_not_negative(dims, a) ? whole(quotient) : UNKNOWN;
}

/* The sign is the divisor's; with `fmod` the dividend's. */
static fraction modulo(cnx_rule *rule, cnx_dim a, cnx_dim b)
{
    int64_t x, y;
    bool as_in_c = cnx_rule_int(rule, "fmod", 0) != 0;
    if (cnx_dim_is_number(rule->dims, a, &x) && cnx_dim_is_number(rule->dims, b, &y)) {
        if (y == 0)
            return UNKNOWN;
        int64_t rest = y == -1 ? 0 : x % y;
        return whole(cnx_rule_number(rule, !as_in_c && rest != 0 && (rest < 0) != (y < 0) ? rest + y : rest));
    }
    if (!cnx_dim_not_negative(rule->dims, b) || (as_in_c && !cnx_dim_not_negative(rule->dims, a)))
        return UNKNOWN;
    return whole(cnx_dim_modulo(rule->dims, a, b));
}

typedef enum operation {
    OP_ADD,
    OP_SUB,
    OP_MUL,
    OP_DIV,
    OP_MOD,
    OP_MAX,
    OP_MIN,
    OP_EQUAL,
    OP_LESS,
    OP_GREATER,
    OP_LESS_OR_EQUAL,
    OP_GREATER_OR_EQUAL,
    OP_AND,
    OP_OR,
    OP_XOR,
    OP_NOT,
    OP_NEG,
    OP_ABS,
    OP_FLOOR,
    OP_CEIL,
    OP_ROUND,
    OP_SQRT,
    OP_CAST,
} operation;

/* And, Or, Xor of numbers that are 0 or 1. */
static fraction logical(cnx_rule *rule, operation op, cnx_dim a, cnx_dim b)
{
    int64_t x, y;
    if (!cnx_dim_is_number(rule->dims, a, &x) || !cnx_dim_is_number(rule->dims, b, &y))
        return UNKNOWN;
    bool left = x != 0, right = y != 0;
    return whole(cnx_rule_number(rule, op == OP_AND  ? left && right
                                       : op == OP_OR ? left || right
                                                     : left != right));
}

static fraction whole_binary(cnx_rule *rule, operation op, cnx_dim a, cnx_dim b)
{
    cnx_dims *dims = rule->dims;
    switch (op) {
    case OP_ADD:
        return whole(cnx_dim_add(dims, a, b));
    case OP_SUB:
        return whole(cnx_dim_subtract(dims, a, b));
    case OP_MUL:
        return whole(cnx_dim_multiply(dims, a, b));
    case OP_DIV:
        return divide(rule, a, b);
    case OP_MOD:
        return modulo(rule, a, b);
    case OP_MAX:
        return whole(cnx_dim_max(dims, a, b));
    case OP_MIN:
        return whole(cnx_dim_min(dims, a, b));
    case OP_EQUAL:
        return equal(rule, a, b);
    case OP_LESS:
        return less(rule, a, b);
    case OP_GREATER:
        return less(rule, b, a);
    case OP_LESS_OR_EQUAL:
        return negated(rule, less(rule, b, a));
    case OP_GREATER_OR_EQUAL:
        return negated(rule, less(rule, a, b));
    default:
        return logical(rule, op, a, b);
    }
}

static fraction whole_unary(cnx_rule *rule, operation op, cnx_dim a)
{
    cnx_dim zero = cnx_rule_number(rule, 0), minus = cnx_dim_subtract(rule->dims, zero, a);
    if (op == OP_NOT)
        return negated(rule, whole(a));
    if (op == OP_NEG)
        return whole(minus);
    return cnx_dim_not_negative(rule->dims, a) ? whole(a) : whole(cnx_dim_max(rule->dims, a, minus));
}

/* ---- floats ---- */

static double computed(operation op, double a, double b)
{
    switch (op) {
    case OP_ADD:
        return a + b;
    case OP_SUB:
        return a - b;
    case OP_MUL:
        return a * b;
    case OP_DIV:
        return a / b;
    case OP_MAX:
        return fmax(a, b);
    case OP_MIN:
        return fmin(a, b);
    case OP_NEG:
        return -a;
    case OP_ABS:
        return fabs(a);
    case OP_FLOOR:
        return floor(a);
    case OP_CEIL:
        return ceil(a);
    case OP_ROUND:
        return nearbyint(a); /* to even, as ONNX does */
    case OP_SQRT:
        return sqrt(a);
    default:
        return NAN;
    }
}

/* A symbol times `factor` / `divisor`, exact in floats. */
static fraction scaled(cnx_rule *rule, fraction symbol, int64_t factor, int64_t divisor)
{
    while (factor % 2 == 0 && divisor % 2 == 0 && factor != 0) {
        factor /= 2;
        divisor /= 2;
    }
    if (factor > LARGEST_FACTOR || factor < -LARGEST_FACTOR ||
        divisor > LARGEST_SYMBOLIC_DIVISOR / symbol.divisor)
        return UNKNOWN;
    symbol.numerator = cnx_dim_multiply(rule->dims, symbol.numerator, cnx_rule_number(rule, factor));
    symbol.divisor *= divisor;
    return symbol;
}

static fraction float_symbolic(cnx_rule *rule, operation op, fraction a, fraction b)
{
    int64_t number;
    bool left = cnx_dim_is_number(rule->dims, a.numerator, &number);
    if (op == OP_MUL && left)
        return scaled(rule, b, number, a.divisor);
    if (!cnx_dim_is_number(rule->dims, b.numerator, &number))
        return op == OP_EQUAL && a.divisor == b.divisor ? equal(rule, a.numerator, b.numerator) : UNKNOWN;
    if (op == OP_MUL)
        return scaled(rule, a, number, b.divisor);
    if (op == OP_DIV && number > 0 && (number & (number - 1)) == 0) /* other quotients are rounded */
        return scaled(rule, a, b.divisor, number);
    if ((op == OP_ADD || op == OP_SUB) && a.divisor == 1 && b.divisor == 1 && number <= LARGEST_FACTOR &&
        number >= -LARGEST_FACTOR)
        return whole_binary(rule, op, a.numerator, b.numerator);
    return UNKNOWN;
}

static fraction float_unary_symbolic(cnx_rule *rule, operation op, fraction a)
{
    cnx_dim divisor = cnx_rule_number(rule, a.divisor);
    if (op == OP_FLOOR)
        return whole(cnx_dim_floor_divide(rule->dims, a.numerator, divisor));
    if (op == OP_CEIL)
        return whole(cnx_dim_ceil_divide(rule->dims, a.numerator, divisor));
    return UNKNOWN;
}

/* Equal, Less ... of fractions that are numbers. */
static fraction float_comparison(cnx_rule *rule, operation op, double x, double y)
{
    bool truth = op == OP_EQUAL           ? x == y
                 : op == OP_LESS          ? x < y
                 : op == OP_GREATER       ? x > y
                 : op == OP_LESS_OR_EQUAL ? x <= y
                                          : x >= y;
    return whole(cnx_rule_number(rule, truth));
}

static fraction float_operation(cnx_rule *rule, operation op, int32_t type, fraction a, fraction b,
                                bool binary)
{
    double x = 0, y = 0;
    if (!value_of(rule, a, &x) || (binary && !value_of(rule, b, &y)))
        return binary ? float_symbolic(rule, op, a, b) : float_unary_symbolic(rule, op, a);
    if (op >= OP_EQUAL && op <= OP_GREATER_OR_EQUAL)
        return float_comparison(rule, op, x, y);
    /* one operation in twice the digits, rounded once more, gives what the short one gives */
    double result = computed(op, x, y);
    return fraction_of(rule, type == CNX_TYPE_FLOAT ? (double)(float)result : result);
}

/* A whole number that the type can hold; another one would wrap around. */
static fraction fits(const cnx_rule *rule, fraction a, int32_t type)
{
    int64_t number;
    unsigned bits = cnx_type_bits(type);
    if (!a.known || !cnx_dim_is_number(rule->dims, a.numerator, &number) || !is_whole(type))
        return a;
    if (type == CNX_TYPE_BOOL)
        return number == 0 || number == 1 ? a : UNKNOWN;
    if (strncmp(cnx_type_name(type), "uint", 4) == 0)
        return number >= 0 && (bits >= 63 || number >> bits == 0) ? a : UNKNOWN;
    int64_t most = INT64_MAX >> (64 - bits);
    return number <= most && number >= -most - 1 ? a : UNKNOWN;
}

static fraction cast_element(cnx_rule *rule, fraction a, int32_t from, int32_t to)
{
    double value;
    if (to == CNX_TYPE_BOOL) {
        int64_t number;
        return cnx_dim_is_number(rule->dims, a.numerator, &number) ? whole(cnx_rule_number(rule, number != 0))
                                                                   : UNKNOWN;
    }
    if (is_whole(from) && is_whole(to))
        return fits(rule, a, to);
    if (value_of(rule, a, &value))
        return fraction_of(rule, is_whole(to)           ? trunc(value)
                                 : to == CNX_TYPE_FLOAT ? (double)(float)value
                                                        : value);
    if (!is_whole(to))
        return a; /* an extent that a float would round does not fit into memory */
    return cnx_dim_not_negative(rule->dims, a.numerator) ? float_unary_symbolic(rule, OP_FLOOR, a) : UNKNOWN;
}

/* ---- operands ---- */

/* Elements of a float constant that no caller may replace. */
static bool constant_input(cnx_rule *rule, uint32_t i, cnx_content *content, fraction *elements)
{
    uint32_t id = rule->node->inputs[i];
    double number;
    cnx_tensor *tensor = cnx_fixed_tensor(rule->graph, id);
    if (tensor == NULL && content->layout.count == 1 && cnx_constant_number(rule->graph, id, &number)) {
        elements[0] = fraction_of(rule, number);
        return true;
    }
    if (tensor == NULL || !is_float(tensor->type) || tensor->count != content->layout.count)
        return false;
    for (uint64_t k = 0; k < tensor->count; k++)
        elements[k] = fraction_of(rule, cnx_tensor_float(rule->analysis->model, tensor, k));
    return true;
}

/* Reads input `i` as fractions; false when its elements are not known. */
static bool operand(cnx_rule *rule, uint32_t i, cnx_layout *layout, fraction **elements)
{
    cnx_content content;
    if (!cnx_rule_has(rule, i) || !cnx_content__layout(rule, &rule->inputs[i], &content.layout))
        return false;
    const cnx_fact *fact = &rule->inputs[i];
    *layout = content.layout;
    *elements = CNX_NEW_ARRAY(rule->arena, fraction, layout->count);
    if (!fact->has_content || fact->content_count != layout->count)
        return is_float(fact->type) && constant_input(rule, i, &content, *elements);
    for (size_t k = 0; k < layout->count; k++) {
        (*elements)[k] = whole(fact->content[k]);
        (*elements)[k].divisor = fact->content_divisor > 1 ? fact->content_divisor : 1;
    }
    return true;
}

/* Stores fractions as contents with one divisor. An unknown element is an unknown number when all others are
 * whole; among fractions it makes all of them unknown. */
static void set_fractions(cnx_rule *rule, fraction *elements, size_t count)
{
    int64_t divisor = 1, number;
    cnx_dim *result = CNX_NEW_ARRAY(rule->arena, cnx_dim, count);
    for (size_t k = 0; k < count; k++) {
        fraction *f = &elements[k];
        while (f->known && f->divisor > 1 && f->divisor % 2 == 0 &&
               cnx_dim_is_number(rule->dims, f->numerator, &number) && number % 2 == 0) {
            f->numerator = cnx_rule_number(rule, number / 2);
            f->divisor /= 2;
        }
        divisor = f->known && f->divisor > divisor ? f->divisor : divisor;
    }
    for (size_t k = 0; k < count; k++) {
        if (!elements[k].known && divisor > 1)
            return;
        cnx_dim factor = cnx_rule_number(rule, divisor / elements[k].divisor);
        result[k] = elements[k].known ? cnx_dim_multiply(rule->dims, elements[k].numerator, factor)
                                      : cnx_content__unknown(rule);
    }
    cnx_content__set(rule, 0, result, count);
    if (rule->outputs[0].has_content)
        rule->outputs[0].content_divisor = divisor;
}

/* ---- the operators ---- */

static const struct {
    const char *name;
    operation op;
    uint32_t inputs; /* 0: any number, combined from the left */
} table[] = {
    {"Add", OP_ADD, 2},
    {"Sub", OP_SUB, 2},
    {"Mul", OP_MUL, 2},
    {"Div", OP_DIV, 2},
    {"Mod", OP_MOD, 2},
    {"Sum", OP_ADD, 0},
    {"Max", OP_MAX, 0},
    {"Min", OP_MIN, 0},
    {"Equal", OP_EQUAL, 2},
    {"Less", OP_LESS, 2},
    {"Greater", OP_GREATER, 2},
    {"LessOrEqual", OP_LESS_OR_EQUAL, 2},
    {"GreaterOrEqual", OP_GREATER_OR_EQUAL, 2},
    {"And", OP_AND, 2},
    {"Or", OP_OR, 2},
    {"Xor", OP_XOR, 2},
    {"Not", OP_NOT, 1},
    {"Neg", OP_NEG, 1},
    {"Abs", OP_ABS, 1},
    {"Floor", OP_FLOOR, 1},
    {"Ceil", OP_CEIL, 1},
    {"Round", OP_ROUND, 1},
    {"Sqrt", OP_SQRT, 1},
    {"Cast", OP_CAST, 1},
    {"CastLike", OP_CAST, 1},
};

static fraction apply(cnx_rule *rule, operation op, fraction a, fraction b, bool binary)
{
    int32_t type = rule->inputs[0].type;
    if (!a.known || (binary && !b.known))
        return UNKNOWN;
    if (op == OP_CAST)
        return cast_element(rule, a, type, rule->outputs[0].type);
    if (!is_whole(type))
        return float_operation(rule, op, type, a, b, binary);
    fraction result =
        binary ? whole_binary(rule, op, a.numerator, b.numerator) : whole_unary(rule, op, a.numerator);
    return fits(rule, result, rule->outputs[0].type);
}

static void propagate(cnx_rule *rule, operation op, bool binary)
{
    cnx_layout output, part;
    fraction *elements, *result;
    if (!cnx_content__layout(rule, &rule->outputs[0], &output) || !operand(rule, 0, &part, &elements))
        return;
    if (!rule->inputs[0].has_content && (rule->input_count < 2 || !rule->inputs[1].has_content))
        return; /* constants only: no size comes of them */
    result = CNX_NEW_ARRAY(rule->arena, fraction, output.count);
    for (size_t e = 0; e < output.count; e++)
        result[e] = elements[cnx_content__broadcast(&output, &part, e)];
    for (uint32_t i = 1; binary && i < rule->input_count; i++) {
        if (!operand(rule, i, &part, &elements))
            return;
        for (size_t e = 0; e < output.count; e++)
            result[e] = apply(rule, op, result[e], elements[cnx_content__broadcast(&output, &part, e)], true);
    }
    for (size_t e = 0; e < output.count && !binary; e++)
        result[e] = apply(rule, op, result[e], UNKNOWN, false);
    set_fractions(rule, result, output.count);
}

/* Where(condition, X, Y) on whole numbers. */
static void propagate_where(cnx_rule *rule)
{
    cnx_content inputs[3];
    cnx_layout output;
    if (!cnx_content__layout(rule, &rule->outputs[0], &output))
        return;
    for (uint32_t i = 0; i < 3; i++)
        if (!cnx_content__input(rule, i, &inputs[i]))
            return;
    cnx_dim *result = CNX_NEW_ARRAY(rule->arena, cnx_dim, output.count);
    for (size_t e = 0; e < output.count; e++) {
        int64_t chosen;
        cnx_dim of[3];
        for (uint32_t i = 0; i < 3; i++)
            of[i] = inputs[i].elements[cnx_content__broadcast(&output, &inputs[i].layout, e)];
        if (cnx_dim_is_number(rule->dims, of[0], &chosen))
            result[e] = chosen != 0 ? of[1] : of[2];
        else
            result[e] = of[1] == of[2] ? of[1] : cnx_content__unknown(rule);
    }
    cnx_content__set(rule, 0, result, output.count);
}

/* Whether types and inputs are such that the elements can be followed. */
static bool is_followed(const cnx_rule *rule, uint32_t inputs, operation op)
{
    int32_t type = rule->inputs[0].type;
    if (rule->input_count == 0 || (op != OP_CAST && inputs != 0 && rule->input_count != inputs))
        return false;
    if (op == OP_CAST)
        return (is_whole(type) || is_float(type)) &&
               (is_whole(rule->outputs[0].type) || is_float(rule->outputs[0].type));
    if (is_whole(type))
        return op != OP_FLOOR && op != OP_CEIL && op != OP_ROUND && op != OP_SQRT;
    return is_float(type) && op != OP_MOD && (op < OP_AND || op > OP_NOT);
}

bool cnx_content__arithmetic(cnx_rule *rule)
{
    if (strcmp(rule->node->op_type, "Where") == 0) {
        if (rule->input_count == 3)
            propagate_where(rule);
        return true;
    }
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (strcmp(rule->node->op_type, table[i].name) == 0) {
            if (is_followed(rule, table[i].inputs, table[i].op))
                propagate(rule, table[i].op, table[i].inputs != 1);
            return true;
        }
    return false;
}
