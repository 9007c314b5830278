#include "rewrite/slices.h"

#include "onnx/reader.h"
#include "rewrite/permute.h"

#include <limits.h>
#include <math.h>

enum { SUM_BITS = 40 };

double cnx_element_value(int32_t type, const uint8_t *at)
{
    float narrow = 0;
    double value = 0;
    if (type == CNX_TYPE_DOUBLE) {
        memcpy(&value, at, sizeof value);
        return value;
    }
    if (type == CNX_TYPE_FLOAT) {
        memcpy(&narrow, at, sizeof narrow);
        return (double)narrow;
    }
    if (type == CNX_TYPE_BFLOAT16) {
        uint8_t wide[4] = {0, 0, at[0], at[1]};
        memcpy(&narrow, wide, sizeof narrow);
        return (double)narrow;
    }
    int exponent = (at[1] >> 2) & 31, mantissa = (at[1] & 3) << 8 | at[0];
    value = exponent == 31  ? (double)INFINITY
            : exponent == 0 ? ldexp(mantissa, -24)
                            : ldexp(mantissa + 1024, exponent - 25);
    return (at[1] & 0x80) != 0 ? -value : value;
}

void cnx_slice_measure(cnx_slice *s, double value)
{
    int exponent;
    s->count++;
    s->finite = s->finite && isfinite(value);
    if (value == 0 || !isfinite(value))
        return;
    frexp(value, &exponent);
    s->largest = exponent > s->largest ? exponent : s->largest;
}

/* ldexp, which is slow, for the exponents that a slice of floats can have. */
static double shift(double value, int by)
{
    if (by < -1000 || by > 1000)
        return ldexp(value, by);
    uint64_t bits = (uint64_t)(by + 1023) << 52;
    double power;
    memcpy(&power, &bits, sizeof power);
    return value * power;
}

/* Sums of more than 2^23 elements may wrap around: the same way in every order, which is all that counts. */
static int64_t wrapping_sum(int64_t a, int64_t b)
{
    return (int64_t)((uint64_t)a + (uint64_t)b);
}

void cnx_slice_add(cnx_slice *s, double value)
{
    if (value == 0 || !s->finite)
        return;
    s->sum = wrapping_sum(s->sum, (int64_t)shift(value, SUM_BITS - s->largest));
}

/* Where the elements of a parameter lie on one of its axes. */
typedef struct strip {
    uint64_t extent;
    uint64_t inner; /* elements after the axis */
    uint32_t governor;
    uint32_t block;
    uint64_t governor_extent;
    uint64_t governor_inner;
} strip;

static strip strip_of(cnx_arena *arena, const cnx_parameter *parameter, uint32_t on)
{
    const cnx_tensor *tensor = parameter->tensor;
    strip s = {.extent = (uint64_t)tensor->dims[on], .inner = 1, .governor_extent = 1, .governor_inner = 1};
    cnx_need_governor(arena, parameter, on, &s.governor, &s.block);
    for (uint32_t k = on + 1; k < tensor->rank; k++)
        s.inner *= (uint64_t)tensor->dims[k];
    if (s.governor == CNX_NONE)
        return s;
    s.governor_extent = (uint64_t)tensor->dims[s.governor];
    for (uint32_t k = s.governor + 1; k < tensor->rank; k++)
        s.governor_inner *= (uint64_t)tensor->dims[k];
    return s;
}

/* The position on the axis's sequence of an element. */
static uint64_t position_of(const strip *s, uint64_t element)
{
    uint64_t position = element / s->inner % s->extent;
    if (s->governor != CNX_NONE)
        position += element / s->governor_inner % s->governor_extent / s->block * s->extent;
    return position;
}

/* How many elements from this one on have the same position. */
static uint64_t run_of(const strip *s, uint64_t element)
{
    uint64_t run = s->inner - element % s->inner;
    if (s->governor != CNX_NONE && s->governor_inner - element % s->governor_inner < run)
        run = s->governor_inner - element % s->governor_inner;
    return run;
}

/* Goes on to the run that begins with an element, without divisions where blocks do not matter. */
static void next_run(const strip *s, uint64_t element, uint64_t *position, uint64_t *run)
{
    *run = s->inner;
    *position = *position + 1 == s->extent ? 0 : *position + 1;
    if (s->governor == CNX_NONE)
        return;
    *position = position_of(s, element);
    *run = run_of(s, element);
}

/* The largest magnitude of a run of floats, by its bits: infinite and not a number are larger than the rest.
 */
static void measure_floats(cnx_slice *s, const uint8_t *at, uint64_t count)
{
    int32_t largest = 0; /* signed: that compares in wide loops everywhere */
    for (uint64_t i = 0; i < count; i++) {
        int32_t bits;
        memcpy(&bits, at + i * sizeof bits, sizeof bits);
        bits &= 0x7fffffff;
        largest = bits > largest ? bits : largest;
    }
    int32_t exponent = largest >> 23;
    s->count += count;
    if (exponent != 0 && exponent != 255) {
        s->largest = exponent - 126 > s->largest ? exponent - 126 : s->largest;
        return;
    }
    float value; /* subnormal, or not finite */
    memcpy(&value, &largest, sizeof value);
    cnx_slice_measure(s, (double)value);
    s->count--;
}

enum { BLOCK = 1 << 18 };
/* Threads get slices of their own, added up in the end, as long as these take no more than this. */
#define MOST_SLICES ((size_t)16 << 20)

typedef void (*slice_visitor)(cnx_slice *, double);

/* A walk over the elements of a parameter, block by block. */
typedef struct walk {
    const cnx_tensor *tensor;
    cnx_unpermuted from;
    strip strip;
    const uint32_t *members; /* by position of the axis's sequence: the member's number, or CNX_NONE */
    uint32_t member_count;
    cnx_slice *slices; /* by slot and member */
    uint8_t *blocks;
    uint64_t step; /* elements in a block */
    slice_visitor visit;
} walk;

/* Reads one block, in any thread. */
static void visit_block(void *state, size_t item, size_t slot)
{
    const walk *w = state;
    uint64_t each = cnx_type_bits(w->tensor->type) / 8, first = (uint64_t)item * w->step;
    uint64_t count = w->tensor->count - first < w->step ? w->tensor->count - first : w->step;
    uint8_t *block = w->blocks + slot * BLOCK;
    cnx_slice *slices = w->slices + slot * w->member_count;
    bool wide = w->visit == cnx_slice_measure && w->tensor->type == CNX_TYPE_FLOAT;
    if (w->tensor->permutation != NULL)
        cnx_permuted_reader.read(w->tensor, &w->from, first * each, block, (size_t)(count * each));
    else if (w->from.view != NULL)
        cnx_view_copy(w->from.view, w->from.bytes + first * each, (size_t)(count * each), block);
    else
        memcpy(block, w->from.bytes + first * each, (size_t)(count * each));
    uint64_t position = position_of(&w->strip, first), run = run_of(&w->strip, first);
    for (uint64_t i = 0; i < count; i += run, next_run(&w->strip, first + i, &position, &run)) {
        uint32_t member = w->members[position];
        run = run < count - i ? run : count - i;
        if (member == CNX_NONE)
            continue;
        if (wide)
            measure_floats(&slices[member], block + i * each, run);
        for (uint64_t k = i; k < i + run && !wide; k++)
            w->visit(&slices[member], cnx_element_value(w->tensor->type, block + k * each));
    }
}

static void nothing(void *state, size_t item, size_t slot)
{
    (void)state, (void)item, (void)slot;
}

/* What several threads found of one slice, put together. */
static void add_slice(cnx_slice *s, const cnx_slice *part)
{
    s->count += part->count;
    s->largest = part->largest > s->largest ? part->largest : s->largest;
    s->finite = s->finite && part->finite;
    s->sum = wrapping_sum(s->sum, part->sum);
}

/* None of what is found depends on the order of the elements. */
static void visit_slices(cnx_slice_reading *reading, const cnx_parameter *parameter, uint32_t axis,
                         const uint32_t *members, uint32_t member_count, cnx_slice *slices,
                         slice_visitor visit)
{
    cnx_tensor *tensor = parameter->tensor;
    cnx_arena *scratch = cnx_arena_create(reading->arena);
    walk w = {.tensor = tensor,
              .strip = strip_of(reading->arena, parameter, axis),
              .members = members,
              .member_count = member_count,
              .slices = slices,
              .step = BLOCK / (cnx_type_bits(tensor->type) / 8),
              .visit = visit};
    w.from.bytes = cnx_tensor_bytes(reading->model, tensor);
    w.from.view = cnx_tensor_view(reading->model, tensor);
    size_t blocks = (size_t)((tensor->count + w.step - 1) / w.step), slots = 1;
    if (blocks > 1 && reading->lanes == NULL)
        reading->lanes = cnx_lanes_start(reading->arena);
    if (blocks > 1 && cnx_lanes_slots(reading->lanes) * member_count * sizeof(cnx_slice) <= MOST_SLICES)
        slots = cnx_lanes_slots(reading->lanes);
    w.blocks = cnx_alloc(scratch, slots * BLOCK);
    if (slots > 1) {
        w.slices = CNX_NEW_ARRAY(scratch, cnx_slice, slots * member_count);
        for (size_t i = 0; i < slots * member_count; i++)
            w.slices[i] = (cnx_slice){.largest = slices[i % member_count].largest,
                                      .finite = slices[i % member_count].finite};
        cnx_lanes_run(reading->lanes, blocks, visit_block, nothing, &w);
        for (size_t i = 0; i < slots * member_count; i++)
            add_slice(&slices[i % member_count], &w.slices[i]);
    }
    for (size_t item = 0; item < blocks && slots == 1; item++)
        visit_block(&w, item, 0);
    cnx_arena_destroy(scratch);
}

void cnx_measure_slices(cnx_slice_reading *reading, const cnx_parameter *parameter, uint32_t axis,
                        const uint32_t *members, uint32_t member_count, cnx_slice *slices)
{
    for (uint32_t i = 0; i < member_count; i++)
        slices[i] = (cnx_slice){.largest = INT_MIN, .finite = true};
    visit_slices(reading, parameter, axis, members, member_count, slices, cnx_slice_measure);
}

void cnx_add_up_slices(cnx_slice_reading *reading, const cnx_parameter *parameter, uint32_t axis,
                       const uint32_t *members, uint32_t member_count, cnx_slice *slices)
{
    visit_slices(reading, parameter, axis, members, member_count, slices, cnx_slice_add);
}
