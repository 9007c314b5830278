#include "compare/slices.h"

#include "onnx/element.h"
#include "rewrite/permute.h"

/* Elements that are read and turned into numbers at a time. */
enum { PIECE = 1 << 12, SHORT_RUN = 16 };

bool cnx_slicing_of(const cnx_parameter *parameter, uint32_t axis, cnx_slicing *slicing)
{
    const cnx_tensor *tensor = parameter->tensor;
    cnx_slicing s = {.axis = axis, .extent = (uint32_t)tensor->dims[axis], .run = 1};
    if (!cnx_find_governor(parameter, axis, &s.governor, &s.block))
        return false;
    uint32_t k = tensor->rank;
    while (k-- > 0 && k != axis && k != s.governor)
        s.run *= (uint64_t)tensor->dims[k];
    if (k == s.governor && k != axis)
        s.run *= s.block;
    uint64_t all = tensor->count / s.extent;
    if (s.governor != CNX_NONE)
        all = all / (uint64_t)tensor->dims[s.governor] * s.block;
    s.runs = all / s.run;
    *slicing = s;
    return true;
}

/* The first element of run `run` of a position. */
static uint64_t locate(const cnx_slicing *s, const cnx_tensor *tensor, uint32_t position, uint64_t run)
{
    uint64_t element = 0, stride = 1, left = run, inside = s->run;
    for (uint32_t k = tensor->rank; k-- > 0;) {
        uint64_t extent = k == s->governor ? s->block : (uint64_t)tensor->dims[k], at = 0;
        if (k == s->axis) {
            at = position % s->extent;
        } else if (inside > 1 && inside >= extent) { /* a run covers the axis */
            inside /= extent;
        } else {
            at = left % extent;
            left /= extent;
            inside = 1;
        }
        if (k == s->governor)
            at += (uint64_t)(position / s->extent) * s->block;
        element += at * stride;
        stride *= (uint64_t)tensor->dims[k];
    }
    return element;
}

/* Elements that lie side by side, once the tensor is permuted. */
static void read_run(const cnx_slice_source *source, uint64_t element, uint64_t count, double *out)
{
    uint8_t bytes[PIECE * sizeof(double)];
    uint64_t width = cnx_type_bits(source->tensor->type) / 8;
    for (uint64_t done = 0; done < count;) {
        size_t piece = count - done < PIECE ? (size_t)(count - done) : PIECE;
        cnx_tensor_read(source->model, source->tensor, (element + done) * width, bytes, piece * width);
        cnx_elements_read(source->tensor->type, bytes, 0, piece, out + done);
        done += piece;
    }
}

/* Runs shorter than it is worth reading one by one: whole lines are read, and their positions handed out. A
 * line is all positions of the axis with one run each. */
static void read_lines(const cnx_slicing *s, const cnx_slice_source *source, const uint32_t *positions,
                       size_t position_count, uint64_t first, uint64_t runs, uint64_t from, uint64_t count,
                       double *out)
{
    cnx_arena *scratch = cnx_arena_create(source->model->arena);
    double *line = CNX_NEW_ARRAY(scratch, double, s->extent * s->run);
    for (uint64_t r = 0; r < runs; r++) {
        read_run(source, (first + r) * s->extent * s->run, s->extent * s->run, line);
        for (size_t p = 0; p < position_count; p++)
            for (uint64_t i = 0; i < count; i++)
                out[(p * runs + r) * count + i] = line[positions[p] * s->run + from + i];
    }
    cnx_arena_destroy(scratch);
}

void cnx_slices_read(const cnx_slicing *s, const cnx_slice_source *source, const uint32_t *positions,
                     size_t position_count, uint64_t first, uint64_t runs, uint64_t from, uint64_t count,
                     double *out)
{
    cnx_tensor *tensor = source->tensor;
    struct cnx_permutation *present = tensor->permutation;
    tensor->permutation = source->permutation;
    if (s->governor == CNX_NONE && s->run < SHORT_RUN) {
        read_lines(s, source, positions, position_count, first, runs, from, count, out);
    } else {
        for (size_t p = 0; p < position_count; p++)
            for (uint64_t r = 0; r < runs; r++)
                read_run(source, locate(s, tensor, positions[p], first + r) + from, count,
                         out + (p * runs + r) * count);
    }
    tensor->permutation = present;
}
