/* Slices measured element by element, where it matters how an element lies on every axis: elements may be
 * left out, and hashes tell elements apart by what is beside them. Slower than slices.c, and seldom needed.
 */
#include "rewrite/factors/slice_walk.h"

#include "base/mix.h"
#include "onnx/element.h"
#include "rewrite/factors/tensor_blocks.h"
#include "rewrite/permute.h"

#include <limits.h>
#include <math.h>

enum { MOST_AXES = 64 };

static void measure(cnx_slice *s, double value, uint64_t key)
{
    (void)key;
    cnx_slice_measure(s, value);
}

static void add_up(cnx_slice *s, double value, uint64_t key)
{
    (void)key;
    cnx_slice_add(s, value);
}

static uint64_t magnitude_hash(double value)
{
    double magnitude = fabs(value);
    uint64_t bits;
    memcpy(&bits, &magnitude, sizeof bits);
    return cnx_mix(bits);
}

/* The same without the exponent. */
static uint64_t mantissa_hash(double value)
{
    int exponent;
    return magnitude_hash(isfinite(value) ? frexp(value, &exponent) : value);
}

static void add_print(cnx_slice *s, double value, uint64_t key)
{
    if (value != 0)
        s->hash += cnx_mix(mantissa_hash(value) + key);
}

static void add_hash(cnx_slice *s, double value, uint64_t key)
{
    uint64_t hash = cnx_mix(magnitude_hash(value) + key);
    if (value != 0 && s->finite)
        s->hash += value < 0 ? (uint64_t)0 - hash : hash;
}

typedef void visitor(cnx_slice *s, double value, uint64_t key);

/* ---- element by element: where it lies on every axis ---- */

typedef struct walk {
    const cnx_slicing *slicing;
    cnx_slice *slices;
    visitor *visit; /* NULL: add to `keys` */
    uint64_t (*hash)(double value);
    uint32_t governor[MOST_AXES];
    uint32_t block[MOST_AXES];
    uint64_t at[MOST_AXES];
    uint64_t *keys[MOST_AXES]; /* by position of an axis's sequence: what tells it from others there */
} walk;

static uint64_t place_on(const walk *w, uint32_t axis)
{
    if (w->governor[axis] == CNX_NONE)
        return w->at[axis];
    return w->at[w->governor[axis]] / w->block[axis] * (uint64_t)w->slicing->parameter->tensor->dims[axis] +
           w->at[axis];
}

static bool is_left_out(const walk *w)
{
    uint32_t rank = w->slicing->parameter->tensor->rank;
    for (uint32_t k = 0; k < rank && w->slicing->left_out != NULL; k++)
        if (w->slicing->left_out[k] != NULL && w->slicing->left_out[k][place_on(w, k)])
            return true;
    return false;
}

static void visit_element(walk *w, double value)
{
    uint32_t rank = w->slicing->parameter->tensor->rank, member;
    uint64_t key = 0;
    if (is_left_out(w))
        return;
    for (uint32_t k = 0; k < rank && w->visit == NULL; k++)
        w->keys[k][place_on(w, k)] += w->hash(value);
    if (w->visit == NULL)
        return;
    for (uint32_t k = 0; k < rank && w->hash != NULL; k++)
        key += k != w->slicing->axis ? cnx_mix(w->keys[k][place_on(w, k)] + k) : 0;
    member = w->slicing->members[place_on(w, w->slicing->axis)];
    if (member != CNX_NONE)
        w->visit(&w->slices[member], value, key);
}

static void visit_elements(void *state, const cnx_tensor_block *block)
{
    walk *w = state;
    const cnx_tensor *tensor = w->slicing->parameter->tensor;
    cnx_slice_reading *reading = w->slicing->reading;
    reading->lost = reading->lost || !block->exact;
    if (block->first == 0)
        memset(w->at, 0, sizeof w->at);
    for (uint64_t i = 0; i < block->count; i++) {
        visit_element(w, cnx_element_float(block->type, block->bytes, i));
        for (uint32_t k = tensor->rank; k-- > 0;) {
            if (++w->at[k] < (uint64_t)tensor->dims[k])
                break;
            w->at[k] = 0;
        }
    }
}

static void visit_all(walk *w)
{
    const cnx_parameter *parameter = w->slicing->parameter;
    cnx_slice_reading *reading = w->slicing->reading;
    cnx_read_blocks(w->slicing->arena, reading->analysis->model, parameter->tensor, NULL,
                    cnx_type_read(reading, parameter) != parameter->tensor->type, visit_elements, w);
}

static walk walk_of(const cnx_slicing *slicing, cnx_slice *slices, visitor *visit)
{
    walk w = {.slicing = slicing, .slices = slices, .visit = visit};
    for (uint32_t k = 0; k < slicing->parameter->tensor->rank; k++)
        cnx_need_governor(slicing->arena, slicing->parameter, k, &w.governor[k], &w.block[k]);
    return w;
}

/* ---- the hash ---- */

/* A position that may not move is told by its number, any other by the magnitudes in its own slice. */
static void begin_keys(const walk *w, cnx_arena *scratch, uint32_t axis, uint64_t **keys)
{
    const cnx_parameter *parameter = w->slicing->parameter;
    const cnx_labels *labels = cnx_parameter_labels(parameter, axis);
    const cnx_cells *cells = cnx_analysis_cells(w->slicing->reading->analysis);
    uint64_t count = labels != NULL ? labels->sequence->count : (uint64_t)parameter->tensor->dims[axis];
    *keys = CNX_NEW_ARRAY(scratch, uint64_t, count);
    for (uint64_t i = 0; i < count; i++)
        if (labels == NULL || cells->cell_of[cells->class_of[labels->sequence->points[i]]] == CNX_NONE)
            (*keys)[i] = cnx_mix(i + 1);
}

static void walk_twice(const cnx_slicing *slicing, cnx_slice *slices, uint64_t (*hash)(double),
                       visitor *visit)
{
    cnx_arena *scratch = cnx_arena_create(slicing->arena);
    walk w = walk_of(slicing, slices, NULL);
    w.hash = hash;
    for (uint32_t k = 0; k < slicing->parameter->tensor->rank; k++)
        begin_keys(&w, scratch, k, &w.keys[k]);
    visit_all(&w);
    w.visit = visit;
    visit_all(&w);
    cnx_arena_destroy(scratch);
}

void cnx_hash_slices(const cnx_slicing *slicing, cnx_slice *slices)
{
    walk_twice(slicing, slices, magnitude_hash, add_hash);
}

void cnx_print_slices(const cnx_slicing *slicing, cnx_slice *slices)
{
    for (uint32_t i = 0; i < slicing->member_count; i++)
        slices[i] = (cnx_slice){.hash = 0};
    walk_twice(slicing, slices, mantissa_hash, add_print);
}

void cnx_walk_slices(const cnx_slicing *slicing, bool with_sums, cnx_slice *slices)
{
    for (uint32_t i = 0; i < slicing->member_count; i++)
        slices[i] = (cnx_slice){.largest = INT_MIN, .smallest = INT_MAX, .finite = true};
    walk w = walk_of(slicing, slices, measure);
    visit_all(&w);
    w.visit = add_up;
    if (with_sums)
        visit_all(&w);
}
