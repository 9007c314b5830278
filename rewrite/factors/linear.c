/* A matrix with a known inverse and a small condition number: M = A D B, where A and B are reflections
 * I - 2 v v' at random hyperplanes and D is diagonal with entries between 1/2 and 2. Reflections are their
 * own inverses and transposes, so the inverse of M transposed is A D^-1 B. Where only orthogonal matrices
 * will do, D has signs, and M is its own inverse transposed. Tensors are multiplied in double precision and
 * rounded once for each cell.
 */
#include "rewrite/factors/linear.h"

#include "base/blas.h"
#include "base/intern.h"
#include "onnx/element.h"
#include "rewrite/factors/random.h"
#include "rewrite/permute.h"

#include <math.h>

typedef struct mixer {
    cnx_analysis *analysis;
    const cnx_scalings *scalings;
    const cnx_blas *blas;
    uint64_t *state;   /* of the random numbers */
    cnx_intern copied; /* tensors whose bytes are their own, and may be written to */
} mixer;

typedef struct mixing {
    uint32_t size;
    double *left; /* unit vectors */
    double *right;
    double *diagonal;
} mixing;

/* A unit vector of uniformly random direction: normal numbers by the method of Box and Muller, divided by
 * their norm. */
static double *random_direction(mixer *x, cnx_arena *arena, uint32_t size)
{
    double *vector = CNX_NEW_ARRAY(arena, double, size), norm;
    for (uint32_t i = 0; i < size; i++) {
        double radius = sqrt(-2 * log(1 - cnx_random_fraction(x->state)));
        vector[i] = radius * cos(8 * atan(1) * cnx_random_fraction(x->state));
    }
    norm = x->blas->dnrm2((int)size, vector, 1);
    if (norm == 0)
        vector[0] = norm = 1;
    x->blas->dscal((int)size, 1 / norm, vector, 1);
    return vector;
}

static mixing random_mixing(mixer *x, cnx_arena *arena, uint32_t size, bool orthogonal)
{
    mixing m = {.size = size};
    m.left = random_direction(x, arena, size);
    m.right = random_direction(x, arena, size);
    m.diagonal = CNX_NEW_ARRAY(arena, double, size);
    for (uint32_t i = 0; i < size; i++)
        m.diagonal[i] = orthogonal ? (cnx_random_below(x->state, 2) != 0 ? -1 : 1)
                                   : exp2(2 * cnx_random_fraction(x->state) - 1);
    return m;
}

/* rows -= 2 v (v' rows); `rows` is size x columns */
static void reflect(const cnx_blas *blas, const double *v, double *rows, uint32_t size, uint32_t columns,
                    double *scratch)
{
    blas->dgemv(CblasRowMajor, CblasTrans, (int)size, (int)columns, 1, rows, (int)columns, v, 1, 0, scratch,
                1);
    blas->dger(CblasRowMajor, (int)size, (int)columns, -2, v, 1, scratch, 1, rows, (int)columns);
}

static void mix_rows(const cnx_blas *blas, const mixing *m, bool inverse, double *rows, uint32_t columns,
                     double *scratch)
{
    reflect(blas, m->right, rows, m->size, columns, scratch);
    for (uint32_t i = 0; i < m->size; i++)
        blas->dscal((int)columns, inverse ? 1 / m->diagonal[i] : m->diagonal[i], rows + (size_t)i * columns,
                    1);
    reflect(blas, m->left, rows, m->size, columns, scratch);
}

/* The elements of a tensor at the places of one action, along one axis: everything before the axis apart. */
typedef struct slab {
    cnx_tensor *tensor;
    uint8_t *bytes;
    uint32_t axis;
    uint64_t outer;
    uint64_t inner;
    uint32_t governor;
    uint32_t block;
    uint64_t governor_stride; /* in outer indices, when the governor comes before the axis */
} slab;

/* One outer index: rows are the members' positions, columns the elements after the axis. */
static void mix_outer(const cnx_blas *blas, const slab *s, uint64_t outer, const cnx_scaling_place *places,
                      const mixing *m, bool inverse, double *rows, double *scratch)
{
    uint64_t extent = (uint64_t)s->tensor->dims[s->axis];
    for (uint32_t i = 0; i < m->size; i++)
        cnx_elements_read(s->tensor->type, s->bytes,
                          (outer * extent + places[i].position % extent) * s->inner, s->inner,
                          rows + places[i].member * s->inner);
    mix_rows(blas, m, inverse, rows, (uint32_t)s->inner, scratch);
    for (uint32_t i = 0; i < m->size; i++)
        for (uint64_t k = 0; k < s->inner; k++)
            cnx_element_write(s->tensor->type, s->bytes,
                              (outer * extent + places[i].position % extent) * s->inner + k,
                              rows[places[i].member * s->inner + k]);
}

/* The tensor's bytes, to be written to: copied when the tensor is first mixed. */
static uint8_t *own_bytes(mixer *x, cnx_tensor *tensor)
{
    cnx_model *model = x->analysis->model;
    uint8_t *bytes = (uint8_t *)(uintptr_t)cnx_tensor_bytes(model, tensor);
    if (cnx_intern_find(&x->copied, &tensor, sizeof tensor) != CNX_NONE)
        return bytes;
    cnx_intern_add(&x->copied, &tensor, sizeof tensor);
    tensor->bytes = memcpy(cnx_alloc(model->arena, tensor->size), bytes, tensor->size);
    cnx_tensor_store_raw(model, tensor);
    return (uint8_t *)(uintptr_t)tensor->bytes;
}

static slab open_slab(mixer *x, const cnx_parameter *parameter, uint32_t axis)
{
    slab s = {.tensor = parameter->tensor, .axis = axis, .outer = 1, .inner = 1, .governor_stride = 1};
    cnx_need_governor(x->analysis->arena, parameter, axis, &s.governor, &s.block);
    for (uint32_t k = 0; k < axis; k++)
        s.outer *= (uint64_t)s.tensor->dims[k];
    for (uint32_t k = axis + 1; k < s.tensor->rank; k++)
        s.inner *= (uint64_t)s.tensor->dims[k];
    for (uint32_t k = s.governor + 1; s.governor != CNX_NONE && k < axis; k++)
        s.governor_stride *= (uint64_t)s.tensor->dims[k];
    s.bytes = own_bytes(x, s.tensor);
    return s;
}

/* Whether the places, all in one block, belong to this outer index. */
static bool governs(const slab *s, uint64_t outer, uint32_t position)
{
    if (s->governor == CNX_NONE)
        return true;
    uint64_t at = outer / s->governor_stride % (uint64_t)s->tensor->dims[s->governor];
    return at / s->block == position / (uint64_t)s->tensor->dims[s->axis];
}

static void mix_axis(mixer *x, size_t p, uint32_t axis, const cnx_scaling_action *action, const mixing *m)
{
    cnx_arena *scratch = cnx_arena_create(x->analysis->arena);
    uint32_t count;
    const cnx_scaling_place *places = cnx_scaling_places(scratch, x->scalings, action, axis, &count);
    slab s = open_slab(x, &x->analysis->parameters[p], axis);
    double *rows = CNX_NEW_ARRAY(scratch, double, m->size *s.inner);
    double *row = CNX_NEW_ARRAY(scratch, double, s.inner);
    for (uint64_t outer = 0; outer < s.outer && count == m->size; outer++)
        if (governs(&s, outer, places[0].position))
            mix_outer(x->blas, &s, outer, places, m, action->parts[0].factor < 0, rows, row);
    cnx_arena_destroy(scratch);
}

/* Whether every parameter with the cell has a type that is computed with here, and no axis of blocks after
 * the cell's. */
static bool can_mix(cnx_analysis *analysis, const cnx_scalings *scalings, uint32_t cell)
{
    for (size_t p = 0; p < analysis->parameter_count; p++)
        for (uint32_t k = 0, count; k < analysis->parameters[p].tensor->rank; k++) {
            const cnx_parameter *parameter = &analysis->parameters[p];
            const cnx_scaling_action *actions = cnx_scaling_actions(scalings, p, k, &count);
            for (uint32_t i = 0; i < count; i++) {
                uint32_t governor, block;
                if (actions[i].cell != cell)
                    continue;
                cnx_need_governor(analysis->arena, parameter, k, &governor, &block);
                if ((governor != CNX_NONE && governor > k) ||
                    (parameter->tensor->type != CNX_TYPE_FLOAT && parameter->tensor->type != CNX_TYPE_DOUBLE))
                    return false;
            }
        }
    return true;
}

static void mix_cell(mixer *x, uint32_t cell)
{
    cnx_analysis *analysis = x->analysis;
    cnx_arena *scratch = cnx_arena_create(analysis->arena);
    bool orthogonal = cnx_scaling_of_cell(x->scalings, cell).orthogonal;
    mixing m = random_mixing(x, scratch, cnx_analysis_cells(analysis)->cells[cell].count, orthogonal);
    for (size_t p = 0; p < analysis->parameter_count; p++)
        for (uint32_t k = 0, count; k < analysis->parameters[p].tensor->rank; k++) {
            const cnx_scaling_action *actions = cnx_scaling_actions(x->scalings, p, k, &count);
            for (uint32_t i = 0; i < count; i++)
                if (actions[i].cell == cell && actions[i].kind == (orthogonal ? CNX_SIGN : CNX_SCALE))
                    mix_axis(x, p, k, &actions[i], &m);
        }
    cnx_arena_destroy(scratch);
}

void cnx_mix_linear_cells(cnx_analysis *analysis, const cnx_scalings *scalings, uint64_t *state)
{
    cnx_arena *scratch = cnx_arena_create(analysis->arena);
    mixer x = {.analysis = analysis, .scalings = scalings, .blas = cnx_blas_load(scratch), .state = state};
    cnx_intern_init(&x.copied, scratch);
    cnx_settle_permutations(analysis->model);
    for (uint32_t c = 0; c < cnx_analysis_cells(analysis)->cell_count; c++) {
        cnx_cell_scaling size = cnx_scaling_of_cell(scalings, c);
        if ((size.linear || size.orthogonal) && can_mix(analysis, scalings, c))
            mix_cell(&x, c);
    }
    cnx_arena_destroy(scratch);
}
