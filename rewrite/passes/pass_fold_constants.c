/* Opt-in, rounds: nodes of the main graph that compute from constants alone become constants.
 *
 * Only operators whose results no machine disagrees about are computed: IEEE arithmetic, which is exact or
 * rounded once (Add, Sub, Mul, Div, Neg, Abs, Sqrt, Reciprocal), conversions between numbers, and operators
 * that only move elements (Reshape and its like, Concat, Transpose). Floats are computed in double and
 * rounded once at the end of each node; double is wide enough that for float this is the same as computing in
 * float. Integers are folded when they do not overflow. Everything else stays: this is no evaluator.
 *
 * Types and shapes of the results come from the analysis, so there is one statement of them. Results are kept
 * to MOST_ELEMENTS each, and MOST_IN_ALL together; a model that asks for more is not called canonical. */
#include "analyze/analysis.h"
#include "rewrite/edit.h"
#include "rewrite/trace.h"

#include <math.h>

enum { MOST_ELEMENTS = 1 << 20, MOST_IN_ALL = 1 << 24, MOST_RANK = 16 };

typedef enum computation { UNARY, BINARY, CONVERT, SAME_ORDER, JOIN, TURN } computation;

static const struct operation {
    const char *name;
    computation computation;
    int64_t since; /* operator set version from which broadcasting and axes are as they are now */
} OPERATIONS[] = {
    {"Add", BINARY, 7},           {"Sub", BINARY, 7},         {"Mul", BINARY, 7},
    {"Div", BINARY, 7},           {"Neg", UNARY, 6},          {"Abs", UNARY, 6},
    {"Sqrt", UNARY, 6},           {"Reciprocal", UNARY, 6},   {"Cast", CONVERT, 6},
    {"Reshape", SAME_ORDER, 5},   {"Flatten", SAME_ORDER, 1}, {"Squeeze", SAME_ORDER, 1},
    {"Unsqueeze", SAME_ORDER, 1}, {"Concat", JOIN, 4},        {"Transpose", TURN, 1},
};

/* A result on its way, and how to tell that it cannot be folded. */
typedef struct folder {
    cnx_rewrite *rewrite;
    cnx_model *model;
    const cnx_graph *graph;
    cnx_tensor **constants; /* by value, those of this sweep included */
    uint64_t elements;      /* of results so far */
    const cnx_node *node;
    int32_t type;
    uint32_t rank;
    int64_t dims[MOST_RANK];
    uint64_t count;
    uint8_t *bytes;
} folder;

static const struct operation *find_operation(const cnx_node *node)
{
    for (size_t i = 0; i < sizeof OPERATIONS / sizeof OPERATIONS[0]; i++)
        if (cnx_node_is(node, OPERATIONS[i].name) && node->opset >= OPERATIONS[i].since)
            return &OPERATIONS[i];
    return NULL;
}

static cnx_tensor *operand(const folder *work, uint32_t slot)
{
    uint32_t id = slot < work->node->input_count ? work->node->inputs[slot] : CNX_NONE;
    return id == CNX_NONE ? NULL : work->constants[id];
}

static bool is_computed(int32_t type)
{
    return type == CNX_TYPE_FLOAT || type == CNX_TYPE_DOUBLE || type == CNX_TYPE_INT32 ||
           type == CNX_TYPE_INT64;
}

static bool is_real(int32_t type)
{
    return type == CNX_TYPE_FLOAT || type == CNX_TYPE_DOUBLE;
}

/* ---- numbers ---- */

/* False: it is no number; machines do not agree about the bits of what comes out of 0 / 0. */
static bool put_real(const folder *work, uint64_t index, double number)
{
    float single = (float)number;
    if (work->type == CNX_TYPE_FLOAT)
        memcpy(work->bytes + index * sizeof single, &single, sizeof single);
    else
        memcpy(work->bytes + index * sizeof number, &number, sizeof number);
    return !isnan(number);
}

/* False: it does not fit into the type. */
static bool put_integer(const folder *work, uint64_t index, int64_t number)
{
    int32_t narrow = (int32_t)number;
    if (work->type == CNX_TYPE_INT64)
        memcpy(work->bytes + index * sizeof number, &number, sizeof number);
    else
        memcpy(work->bytes + index * sizeof narrow, &narrow, sizeof narrow);
    return work->type == CNX_TYPE_INT64 || narrow == number;
}

static double real_result(const char *op, double a, double b)
{
    switch (op[0]) {
    case 'A':
        return op[1] == 'd' ? a + b : fabs(a);
    case 'S':
        return op[1] == 'u' ? a - b : sqrt(a);
    case 'M':
        return a * b;
    case 'D':
        return a / b;
    case 'N':
        return -a;
    default:
        return 1 / a;
    }
}

/* False: the result overflows, or the operator is not one for integers. */
static bool integer_result(const char *op, int64_t a, int64_t b, int64_t *result)
{
    if (strcmp(op, "Add") == 0)
        return !__builtin_add_overflow(a, b, result);
    if (strcmp(op, "Sub") == 0)
        return !__builtin_sub_overflow(a, b, result);
    if (strcmp(op, "Mul") == 0)
        return !__builtin_mul_overflow(a, b, result);
    if (strcmp(op, "Neg") == 0 || (strcmp(op, "Abs") == 0 && a < 0))
        return !__builtin_sub_overflow((int64_t)0, a, result);
    *result = a;
    return strcmp(op, "Abs") == 0;
}

static bool put_whole(const folder *work, uint64_t index, const char *op, int64_t a, int64_t b)
{
    int64_t result;
    return integer_result(op, a, b, &result) && put_integer(work, index, result);
}

/* The element of a broadcast operand that element `index` of the result is made from. */
static uint64_t broadcast_index(const folder *work, const cnx_tensor *tensor, uint64_t index)
{
    uint64_t source = 0, stride = 1;
    for (uint32_t k = 1; k <= tensor->rank && k <= work->rank; k++) {
        uint64_t extent = (uint64_t)work->dims[work->rank - k];
        if (tensor->dims[tensor->rank - k] != 1)
            source += index % extent * stride;
        stride *= (uint64_t)tensor->dims[tensor->rank - k];
        index /= extent;
    }
    return source;
}

static bool broadcasts(const folder *work, const cnx_tensor *tensor)
{
    if (tensor == NULL || tensor->type != work->type || tensor->rank > work->rank)
        return false;
    for (uint32_t k = 1; k <= tensor->rank; k++) {
        int64_t extent = tensor->dims[tensor->rank - k];
        if (extent != 1 && extent != work->dims[work->rank - k])
            return false;
    }
    return true;
}

static bool compute(const folder *work, bool binary)
{
    cnx_tensor *a = operand(work, 0), *b = binary ? operand(work, 1) : a;
    const char *op = work->node->op_type;
    if (!is_computed(work->type) || !broadcasts(work, a) || !broadcasts(work, b))
        return false;
    for (uint64_t i = 0; i < work->count; i++) {
        uint64_t left = broadcast_index(work, a, i), right = broadcast_index(work, b, i);
        if (is_real(work->type) ? !put_real(work, i,
                                            real_result(op, cnx_tensor_float(work->model, a, left),
                                                        cnx_tensor_float(work->model, b, right)))
                                : !put_whole(work, i, op, cnx_tensor_integer(work->model, a, left),
                                             cnx_tensor_integer(work->model, b, right)))
            return false;
    }
    return true;
}

/* From a real number towards zero, as Cast does it; false when that is no number of the type. */
static bool put_converted(const folder *work, cnx_tensor *from, uint64_t index)
{
    if (is_real(from->type)) {
        double number = cnx_tensor_float(work->model, from, index);
        return is_real(work->type) ? put_real(work, index, number)
                                   : fabs(number) < 0x1p62 && put_integer(work, index, (int64_t)number);
    }
    int64_t whole = cnx_tensor_integer(work->model, from, index);
    if (!is_real(work->type))
        return put_integer(work, index, whole);
    bool exact = whole >= -(INT64_C(1) << 53) && whole <= INT64_C(1)
                                                              << 53; /* beyond, it would be rounded twice */
    return exact && put_real(work, index, (double)whole);
}

static bool convert(const folder *work)
{
    cnx_tensor *from = operand(work, 0);
    if (from == NULL || from->count != work->count || !is_computed(work->type) ||
        !(is_computed(from->type) || from->type == CNX_TYPE_BOOL))
        return false;
    for (uint64_t i = 0; i < work->count; i++)
        if (!put_converted(work, from, i))
            return false;
    return true;
}

/* ---- elements that move ---- */

static size_t element_size(int32_t type)
{
    return cnx_type_bits(type) % 8 == 0 ? cnx_type_bits(type) / 8 : 0;
}

static bool copy(const folder *work)
{
    cnx_tensor *from = operand(work, 0);
    if (from == NULL || from->type != work->type || from->count != work->count ||
        element_size(work->type) == 0)
        return false;
    if (from->size != 0)
        memcpy(work->bytes, cnx_tensor_bytes(work->model, from), from->size);
    return true;
}

/* Rows of the operands behind the axis, one operand after another. */
static bool join(const folder *work)
{
    int64_t axis = cnx_attribute_int(work->graph, work->node, "axis", 0);
    axis += axis < 0 ? work->rank : 0;
    size_t size = element_size(work->type);
    if (axis < 0 || axis >= work->rank || size == 0)
        return false;
    uint64_t rows = 1, written = 0;
    for (int64_t k = 0; k < axis; k++)
        rows *= (uint64_t)work->dims[k];
    for (uint32_t slot = 0; slot < work->node->input_count; slot++) {
        const cnx_tensor *from = operand(work, slot);
        if (from == NULL || from->type != work->type || from->rank != work->rank)
            return false;
        written += from->count;
    }
    if (written != work->count)
        return false;
    uint8_t *out = work->bytes;
    for (uint64_t row = 0; row < rows; row++)
        for (uint32_t slot = 0; slot < work->node->input_count; slot++) {
            cnx_tensor *from = operand(work, slot);
            size_t bytes = (size_t)(from->size / rows);
            if (bytes != 0)
                memcpy(out, cnx_tensor_bytes(work->model, from) + row * bytes, bytes);
            out += bytes;
        }
    return true;
}

static bool turn(const folder *work)
{
    cnx_tensor *from = operand(work, 0);
    size_t size = element_size(work->type), given;
    const int64_t *perm = cnx_attribute_ints(work->graph, work->node, "perm", &given);
    if (from == NULL || from->type != work->type || from->rank != work->rank || from->count != work->count ||
        size == 0 || (perm != NULL && given != work->rank))
        return false;
    uint64_t stride[MOST_RANK] = {0}, of_axis[MOST_RANK] = {0}, next = 1;
    for (uint32_t k = work->rank; k-- > 0;) {
        stride[k] = next;
        next *= (uint64_t)from->dims[k];
    }
    for (uint32_t k = 0; k < work->rank; k++) {
        int64_t axis = perm != NULL ? perm[k] : (int64_t)(work->rank - 1 - k);
        if (axis < 0 || axis >= work->rank || from->dims[axis] != work->dims[k])
            return false;
        of_axis[k] = stride[axis];
    }
    const uint8_t *bytes = cnx_tensor_bytes(work->model, from);
    for (uint64_t i = 0; i < work->count; i++) {
        uint64_t rest = i, source = 0;
        for (uint32_t k = work->rank; k-- > 0;) {
            source += rest % (uint64_t)work->dims[k] * of_axis[k];
            rest /= (uint64_t)work->dims[k];
        }
        memcpy(work->bytes + i * size, bytes + source * size, size);
    }
    return true;
}

/* ---- a node ---- */

/* Type and dims of the result, where the analysis knows all of them. */
static bool read_shape(folder *work, const cnx_analysis *analysis)
{
    const cnx_fact *fact = &analysis->facts[work->node->outputs[0]];
    if (!fact->known || fact->type == 0 || fact->rank > MOST_RANK)
        return false;
    work->type = fact->type;
    work->rank = fact->rank;
    work->count = 1;
    for (uint32_t k = 0; k < fact->rank; k++) {
        int64_t extent;
        if (!cnx_dim_is_number(analysis->dims, fact->axes[k].extent, &extent) || extent < 0 ||
            extent > MOST_ELEMENTS)
            return false;
        work->dims[k] = extent;
        work->count *= (uint64_t)extent;
        if (work->count > MOST_ELEMENTS)
            return false;
    }
    return true;
}

static bool run(const folder *work, computation how)
{
    switch (how) {
    case UNARY:
    case BINARY:
        return compute(work, how == BINARY);
    case CONVERT:
        return convert(work);
    case SAME_ORDER:
        return copy(work);
    case JOIN:
        return join(work);
    case TURN:
        return turn(work);
    }
    return false;
}

/* Whether all inputs are constants, and there is one output. */
static bool is_candidate(const folder *work, const cnx_node *node)
{
    if (find_operation(node) == NULL || node->input_count == 0 || node->output_count != 1 ||
        node->outputs[0] == CNX_NONE)
        return false;
    for (uint32_t slot = 0; slot < node->input_count; slot++)
        if (node->inputs[slot] == CNX_NONE || work->constants[node->inputs[slot]] == NULL)
            return false;
    return true;
}

static cnx_tensor *fold_node(folder *work, const cnx_analysis *analysis, const cnx_node *node)
{
    work->node = node;
    if (!read_shape(work, analysis) || element_size(work->type) == 0)
        return NULL;
    if (work->elements + work->count > MOST_IN_ALL) {
        work->model->not_canonical = "there are more constants to fold than the pass fold-constants takes on";
        return NULL;
    }
    work->elements += work->count;
    cnx_arena *arena = cnx_arena_create(work->model->arena); /* stays, when something comes of it */
    work->bytes = cnx_alloc(arena, work->count * element_size(work->type));
    if (run(work, find_operation(node)->computation))
        return cnx_tensor_make(work->model, work->type, work->rank, work->dims, work->bytes);
    cnx_arena_destroy(arena);
    return NULL;
}

size_t cnx_pass_fold_constants(cnx_rewrite *rewrite)
{
    cnx_graph *graph = rewrite->model->graph;
    cnx_arena *scratch = cnx_arena_create(rewrite->arena);
    folder work = {.rewrite = rewrite, .model = rewrite->model, .graph = graph};
    work.constants = CNX_NEW_ARRAY(scratch, cnx_tensor *, graph->value_count);
    for (uint32_t i = 0; i < graph->value_count; i++)
        work.constants[i] = graph->values[i].is_input ? NULL : graph->values[i].initializer;
    cnx_edits *edits = cnx_edits_begin(rewrite, graph);
    for (uint32_t i = 0; rewrite->model->proto->ir_version >= 4 && i < graph->order_count; i++) {
        const cnx_node *node = &graph->nodes[graph->order[i]];
        if (!is_candidate(&work, node))
            continue;
        cnx_tensor *result = fold_node(&work, cnx_rewrite_shapes(rewrite), node);
        if (result == NULL)
            continue;
        work.constants[node->outputs[0]] = result;
        cnx_edit_constant(edits, graph->order[i], result);
    }
    size_t changed = cnx_edits_apply(edits);
    cnx_arena_destroy(scratch);
    return changed;
}
