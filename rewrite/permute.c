#include "rewrite/permute.h"

/* ---- from points to positions ---- */

/* source[] of one axis: where each position's content comes from. NULL when nothing moves. `position` is
 * scratch, by point, all zero before and after. */
static uint32_t *axis_source(cnx_arena *arena, const cnx_labels *labels, const uint32_t *points,
                             uint32_t *position)
{
    const cnx_sequence *sequence = labels->sequence;
    bool moves = false;
    for (uint32_t i = 0; i < sequence->count && !moves; i++)
        moves = points[sequence->points[i]] != sequence->points[i];
    if (!moves)
        return NULL;
    uint32_t *source = CNX_NEW_ARRAY(arena, uint32_t, sequence->count);
    for (uint32_t i = 0; i < sequence->count; i++)
        position[sequence->points[i]] = i;
    for (uint32_t i = 0; i < sequence->count; i++)
        source[position[points[sequence->points[i]]]] = i % labels->extent;
    for (uint32_t i = 0; i < sequence->count; i++)
        position[sequence->points[i]] = 0;
    return source;
}

static uint32_t greatest_divisor(uint32_t a, uint32_t b)
{
    while (b != 0) {
        uint32_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

/* Rewrites a source of positions as one of units, the longest runs that all move in one piece. Returns their
 * length. */
static uint32_t compress_source(uint32_t *source, uint32_t count)
{
    uint32_t unit = greatest_divisor(count, source[0]);
    for (uint32_t i = 1; i < count && unit > 1; i++)
        if (source[i] != source[i - 1] + 1)
            unit = greatest_divisor(greatest_divisor(unit, i), source[i]);
    for (uint32_t i = 0; i < count && unit > 1; i += unit)
        source[i / unit] = source[i] / unit;
    return unit;
}

bool cnx_find_governor(const cnx_parameter *parameter, uint32_t axis, uint32_t *governor, uint32_t *block)
{
    const cnx_labels *labels = cnx_parameter_labels(parameter, axis);
    *governor = CNX_NONE;
    *block = 1;
    if (labels == NULL || labels->over == NULL)
        return true;
    for (uint32_t k = 0; k < parameter->tensor->rank; k++) {
        const cnx_labels *other = cnx_parameter_labels(parameter, k);
        uint32_t size = k != axis && other != NULL ? cnx_labels_block_size(other, labels->over) : 0;
        if (size != 0) {
            *governor = k;
            *block = size;
            return true;
        }
    }
    return false;
}

void cnx_need_governor(cnx_arena *arena, const cnx_parameter *parameter, uint32_t axis, uint32_t *governor,
                       uint32_t *block)
{
    if (!cnx_find_governor(parameter, axis, governor, block))
        cnx_fail(arena, CNX_ERROR_GRAPH, parameter->name,
                 "an axis varies over blocks that no other axis has");
}

struct cnx_permutation *cnx_permutation_of(cnx_arena *arena, const cnx_parameter *parameter,
                                           const uint32_t *points, uint32_t *position)
{
    uint32_t rank = parameter->tensor->rank;
    struct cnx_permutation made = {.axes = CNX_NEW_ARRAY(arena, cnx_axis_permutation, rank)};
    bool moves = false;
    for (uint32_t k = 0; k < rank; k++) {
        const cnx_labels *labels = cnx_parameter_labels(parameter, k);
        cnx_axis_permutation *axis = &made.axes[k];
        *axis = (cnx_axis_permutation){.governor = CNX_NONE, .block = 1, .unit = 1};
        uint32_t *source = labels != NULL ? axis_source(arena, labels, points, position) : NULL;
        if (source == NULL)
            continue;
        axis->source = source;
        cnx_need_governor(arena, parameter, k, &axis->governor, &axis->block);
        if (axis->governor == CNX_NONE)
            axis->unit = compress_source(source, labels->extent);
        moves = true;
        made.last = k;
    }
    if (!moves)
        return NULL;
    for (uint32_t k = 0; k < rank; k++)
        if (made.axes[k].governor != CNX_NONE && made.axes[k].governor > made.last)
            made.last = made.axes[k].governor;
    struct cnx_permutation *permutation = CNX_NEW(arena, struct cnx_permutation);
    *permutation = made;
    return permutation;
}

struct cnx_permutation *cnx_tensor_permutation(cnx_arena *arena, cnx_tensor *tensor)
{
    if (tensor->permutation != NULL)
        return tensor->permutation;
    tensor->permutation = CNX_NEW(arena, struct cnx_permutation);
    tensor->permutation->axes = CNX_NEW_ARRAY(arena, cnx_axis_permutation, tensor->rank);
    for (uint32_t k = 0; k < tensor->rank; k++)
        tensor->permutation->axes[k] = (cnx_axis_permutation){.governor = CNX_NONE, .block = 1, .unit = 1};
    return tensor->permutation;
}

void cnx_apply_permutation(cnx_analysis *analysis, const uint32_t *points)
{
    cnx_arena *arena = analysis->model->arena;
    cnx_arena *scratch = cnx_arena_create(arena);
    uint32_t *position = CNX_NEW_ARRAY(scratch, uint32_t, analysis->points->point_count);
    for (size_t p = 0; p < analysis->parameter_count; p++) {
        const cnx_parameter *parameter = &analysis->parameters[p];
        struct cnx_permutation *made =
            parameter->again ? NULL : cnx_permutation_of(arena, parameter, points, position);
        if (made != NULL)
            parameter->tensor->permutation = made;
    }
    cnx_arena_destroy(scratch);
}

/* ---- reading ---- */

#define MOST_AXES 64

typedef struct reader {
    const cnx_tensor *tensor;
    const uint8_t *bytes;
    uint64_t stride[MOST_AXES]; /* in elements */
    uint64_t run;               /* elements that move in one piece */
    uint64_t unit;              /* positions of the last permuted axis in a run */
    uint64_t row;               /* runs along the last permuted axis */
    bool last_governs;          /* an outer axis depends on the position along the last one */
} reader;

static reader make_reader(cnx_model *model, cnx_tensor *tensor)
{
    reader r = {.tensor = tensor, .bytes = cnx_tensor_bytes(model, tensor)};
    uint64_t stride = 1;
    uint32_t last = tensor->permutation->last;
    for (uint32_t k = tensor->rank; k-- > 0;) {
        r.stride[k] = stride;
        stride *= (uint64_t)tensor->dims[k];
    }
    r.unit = tensor->permutation->axes[last].unit;
    r.run = r.stride[last] * r.unit;
    r.row = (uint64_t)tensor->dims[last] / r.unit;
    for (uint32_t k = 0; k < tensor->rank; k++)
        r.last_governs = r.last_governs || (tensor->permutation->axes[k].source != NULL &&
                                            tensor->permutation->axes[k].governor == last);
    return r;
}

static uint64_t source_position(const reader *r, uint32_t k, const uint64_t *position)
{
    const cnx_axis_permutation *axis = &r->tensor->permutation->axes[k];
    if (axis->source == NULL)
        return position[k];
    if (axis->governor == CNX_NONE)
        return (uint64_t)axis->source[position[k] / axis->unit] * axis->unit + position[k] % axis->unit;
    return axis->source[position[axis->governor] / axis->block * (uint64_t)r->tensor->dims[k] + position[k]];
}

/* Positions along the axes up to the last permuted one, of the first element of run number `run`. */
static void locate(const reader *r, uint64_t run, uint64_t *position)
{
    run *= r->unit;
    for (uint32_t k = r->tensor->permutation->last + 1; k-- > 0;) {
        position[k] = run % (uint64_t)r->tensor->dims[k];
        run /= (uint64_t)r->tensor->dims[k];
    }
}

/* The first element that goes into run number `run` of the result. */
static uint64_t source_element(const reader *r, uint64_t run)
{
    uint64_t position[MOST_AXES], element = 0;
    locate(r, run, position);
    for (uint32_t k = 0; k <= r->tensor->permutation->last; k++)
        element += source_position(r, k, position) * r->stride[k];
    return element;
}

/* source positions along the last axis for the row that holds `run`, and the element where the row's source
 * begins. */
static const uint32_t *row_source(const reader *r, uint64_t run, uint64_t *base)
{
    uint64_t position[MOST_AXES];
    uint32_t last = r->tensor->permutation->last;
    const cnx_axis_permutation *axis = &r->tensor->permutation->axes[last];
    locate(r, run, position);
    *base = 0;
    for (uint32_t k = 0; k < last; k++)
        *base += source_position(r, k, position) * r->stride[k];
    if (axis->source == NULL || axis->governor == CNX_NONE)
        return axis->source;
    return axis->source + position[axis->governor] / axis->block * r->row;
}

/* Whole runs [run, run + count) of one row. `size` is a run's bytes. */
static void read_row(const reader *r, uint64_t run, uint64_t count, size_t size, uint8_t *out)
{
    uint64_t base, first = run % r->row;
    const uint32_t *source = row_source(r, run, &base);
    const uint8_t *bytes = r->bytes + base / r->run * size;
    source += first;
    if (size == 4) {
        uint32_t value;
        for (uint64_t i = 0; i < count; i++) {
            memcpy(&value, bytes + (size_t)source[i] * 4, 4);
            memcpy(out + i * 4, &value, 4);
        }
        return;
    }
    for (uint64_t i = 0; i < count; i++)
        memcpy(out + i * size, bytes + source[i] * size, size);
}

/* Part of one run: bytes [from, from + size) of it. */
static void read_piece(const reader *r, uint64_t run, size_t run_size, size_t from, size_t size, uint8_t *out)
{
    memcpy(out, r->bytes + source_element(r, run) / r->run * run_size + from, size);
}

static void read_bytes(const reader *r, uint64_t offset, uint8_t *out, size_t size)
{
    size_t run_size = r->run * cnx_type_bits(r->tensor->type) / 8;
    bool whole_rows =
        !r->last_governs && r->tensor->permutation->axes[r->tensor->permutation->last].source != NULL;
    while (size != 0) {
        uint64_t run = offset / run_size, from = offset % run_size;
        size_t taken = run_size - from < size ? (size_t)(run_size - from) : size;
        uint64_t left_in_row = r->row - run % r->row;
        uint64_t whole = size / run_size < left_in_row ? size / run_size : left_in_row;
        if (from == 0 && whole > 0 && whole_rows) {
            read_row(r, run, whole, run_size, out);
            taken = whole * run_size;
        } else {
            read_piece(r, run, run_size, from, taken, out);
        }
        out += taken;
        offset += taken;
        size -= taken;
    }
}

/* Elements smaller than a byte, one by one. */
static void read_packed(const reader *r, uint64_t offset, uint8_t *out, size_t size)
{
    unsigned bits = cnx_type_bits(r->tensor->type), each = 8 / bits;
    unsigned mask = (1u << bits) - 1;
    for (size_t i = 0; i < size; i++) {
        unsigned byte = 0;
        for (unsigned part = 0; part < each; part++) {
            uint64_t element = (offset + i) * each + part;
            if (element >= r->tensor->count)
                break;
            uint64_t source = source_element(r, element / r->run) + element % r->run;
            byte |= ((unsigned)r->bytes[source / each] >> (source % each * bits) & mask) << (part * bits);
        }
        out[i] = (uint8_t)byte;
    }
}

void cnx_tensor_read(cnx_model *model, cnx_tensor *tensor, uint64_t offset, uint8_t *out, size_t size)
{
    if (tensor->permutation == NULL) {
        memcpy(out, cnx_tensor_bytes(model, tensor) + offset, size);
        return;
    }
    reader r = make_reader(model, tensor);
    if (cnx_type_bits(tensor->type) < 8)
        read_packed(&r, offset, out, size);
    else
        read_bytes(&r, offset, out, size);
    if (tensor->permutation->factors != NULL)
        cnx_multiply_by_factors(tensor, offset, out, size);
}

void cnx_settle_permutations(cnx_model *model)
{
    for (size_t t = 0; t < model->tensor_count; t++) {
        cnx_tensor *tensor = model->tensors[t];
        if (tensor->permutation == NULL)
            continue;
        uint8_t *bytes = cnx_alloc(model->arena, tensor->size);
        cnx_tensor_read(model, tensor, 0, bytes, tensor->size);
        tensor->bytes = bytes;
        tensor->permutation = NULL;
        cnx_tensor_store_raw(model, tensor);
    }
}
