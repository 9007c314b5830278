#include "rewrite/factors/slices.h"

#include "base/wide.h"
#include "onnx/element.h"
#include "rewrite/factors/room.h"
#include "rewrite/factors/tensor_blocks.h"
#include "rewrite/permute.h"

#include <limits.h>
#include <math.h>

enum { SUM_BITS = 40 };

void cnx_slice_measure(cnx_slice *s, double value)
{
    int exponent;
    s->count++;
    s->finite = s->finite && isfinite(value);
    if (value == 0 || !isfinite(value))
        return;
    frexp(value, &exponent);
    s->largest = exponent > s->largest ? exponent : s->largest;
    s->smallest = exponent < s->smallest ? exponent : s->smallest;
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

/* Adds floats of which the extremes are known, the smallest as cnx_find_extremes gives it. */
static void measure_extremes(cnx_slice *s, int32_t largest, int32_t smallest, uint64_t count)
{
    int32_t extremes[2] = {largest, smallest + (largest != 0)};
    for (int i = 0; i < 2 && largest != 0; i++) { /* not all of them are zero */
        float value;
        memcpy(&value, &extremes[i], sizeof value);
        cnx_slice_measure(s, (double)value);
        s->count--;
    }
    s->count += count;
}

static void measure_floats(cnx_slice *s, const uint8_t *at, uint64_t count)
{
    int32_t largest, smallest;
    cnx_find_extremes(at, count, &largest, &smallest);
    measure_extremes(s, largest, smallest, count);
}

/* Threads get slices of their own, added up in the end, as long as these take no more than this. */
#define MOST_SLICES ((size_t)16 << 20)

typedef void (*slice_visitor)(cnx_slice *, double);

/* Floats that follow one another on an axis: what is found of each place of a row, by slot. */
typedef struct columns {
    uint64_t width; /* elements in a row, the axis and what comes after it; 0: slices are not read so */
    int32_t *largest, *smallest; /* as cnx_find_extremes gives them */
    int64_t *sum;
    const double *unit; /* by place: what elements are multiplied by before they are cut off; 0: left out */
} columns;

/* A walk over the elements of a parameter, block by block. */
typedef struct walk {
    int32_t type;
    strip strip;
    const uint32_t *members; /* by position of the axis's sequence: the member's number, or CNX_NONE */
    uint32_t member_count;
    cnx_slice *slices; /* by slot and member */
    slice_visitor visit;
    columns columns;
} walk;

/* Elements [first, first + count). */
static void visit_run(const walk *w, cnx_slice *s, const uint8_t *bytes, uint64_t first, uint64_t count)
{
    enum { FEW = 256 };
    double values[FEW];
    for (uint64_t at = 0; at < count; at += FEW) {
        size_t few = count - at < FEW ? (size_t)(count - at) : FEW;
        cnx_elements_read(w->type, bytes, first + at, few, values);
        for (size_t i = 0; i < few; i++)
            w->visit(s, values[i]);
    }
}

/* ---- columns ---- */

/* Where few elements come after the axis, runs are short, and a slice is better kept by places of a row,
 * where elements that lie side by side are looked at together. */

CNX_WIDE static void widen_extremes(const uint8_t *floats, uint64_t count, int32_t *restrict largest,
                                    int32_t *restrict smallest)
{
    for (uint64_t i = 0; i < count; i++) {
        int32_t bits, less;
        memcpy(&bits, floats + i * sizeof bits, sizeof bits);
        bits &= INT32_MAX;
        less = (bits - 1) & INT32_MAX;
        largest[i] = bits > largest[i] ? bits : largest[i];
        smallest[i] = less < smallest[i] ? less : smallest[i];
    }
}

static void add_columns(const uint8_t *floats, uint64_t count, const double *unit, int64_t *sum)
{
    for (uint64_t i = 0; i < count; i++) {
        float value;
        memcpy(&value, floats + i * sizeof value, sizeof value);
        if (unit[i] != 0)
            sum[i] = wrapping_sum(sum[i], (int64_t)((double)value * unit[i]));
    }
}

/* Looks at a part of one row. */
static void visit_row(const walk *w, const cnx_tensor_block *block, uint64_t element, uint64_t place,
                      uint64_t count)
{
    const columns *c = &w->columns;
    const uint8_t *floats = block->bytes + element * sizeof(float);
    uint64_t at = block->slot * c->width + place;
    if (w->visit == cnx_slice_measure)
        widen_extremes(floats, count, c->largest + at, c->smallest + at);
    else
        add_columns(floats, count, c->unit + place, c->sum + at);
}

/* Looks at one block, in any thread: at some places of all rows, then at the next, which stay in the nearest
 * cache. */
static void visit_columns(const walk *w, const cnx_tensor_block *block)
{
    enum { FEW = 1024 };
    uint64_t width = w->columns.width, start = block->first % width;
    cnx_slice *slices = w->slices + block->slot * w->member_count;
    for (uint32_t m = 0; m < w->member_count && !block->exact; m++)
        slices[m].exact = false;
    for (uint64_t from = 0; from < width; from += FEW) {
        uint64_t few = width - from < FEW ? width - from : FEW;
        for (uint64_t row = 0; row < start + block->count; row += width) {
            /* Places [from, to) of a row that begins `start` elements before the block. */
            uint64_t first = row + from < start ? start : row + from, end = row + from + few;
            end = end < start + block->count ? end : start + block->count;
            if (first < end)
                visit_row(w, block, first - start, first - row, end - first);
        }
    }
}

static void make_columns(walk *w, cnx_arena *scratch, const cnx_slice *slices, size_t slots)
{
    columns *c = &w->columns;
    size_t count = slots * c->width;
    if (w->visit == cnx_slice_measure) {
        c->largest = CNX_NEW_ARRAY(scratch, int32_t, count);
        c->smallest = CNX_NEW_ARRAY(scratch, int32_t, count);
        for (size_t i = 0; i < count; i++)
            c->smallest[i] = INT32_MAX;
        return;
    }
    double *unit = CNX_NEW_ARRAY(scratch, double, c->width);
    for (uint64_t i = 0; i < c->width; i++) {
        uint32_t member = w->members[i / w->strip.inner];
        bool counts = member != CNX_NONE && slices[member].finite && slices[member].largest != INT_MIN;
        unit[i] = counts ? shift(1, SUM_BITS - slices[member].largest) : 0;
    }
    c->unit = unit;
    c->sum = CNX_NEW_ARRAY(scratch, int64_t, count);
}

/* What the columns hold goes to the slices of the first slot. */
static void collect_columns(const walk *w, uint64_t rows, size_t slots)
{
    const columns *c = &w->columns;
    for (size_t i = 0; i < slots * c->width; i++) {
        uint32_t member = w->members[i % c->width / w->strip.inner];
        if (member == CNX_NONE)
            continue;
        cnx_slice *s = &w->slices[member];
        if (w->visit == cnx_slice_measure)
            measure_extremes(s, c->largest[i], c->smallest[i], i < c->width ? rows : 0);
        else
            s->sum = wrapping_sum(s->sum, c->sum[i]);
    }
}

static bool has_columns(const walk *w, size_t slots)
{
    enum { SHORT = 32 };
    return w->type == CNX_TYPE_FLOAT && w->strip.governor == CNX_NONE && w->strip.inner < SHORT &&
           slots * w->strip.extent * w->strip.inner * sizeof(uint64_t) <= MOST_SLICES;
}

/* ---- all slices ---- */

/* Looks at one block, in any thread. */
static void visit_block(void *state, const cnx_tensor_block *block)
{
    const walk *w = state;
    if (w->columns.width != 0) {
        visit_columns(w, block);
        return;
    }
    uint64_t each = cnx_type_bits(w->type) / 8;
    cnx_slice *slices = w->slices + block->slot * w->member_count;
    bool wide = w->visit == cnx_slice_measure && w->type == CNX_TYPE_FLOAT;
    uint64_t position = position_of(&w->strip, block->first), run = run_of(&w->strip, block->first);
    for (uint64_t i = 0; i < block->count; i += run, next_run(&w->strip, block->first + i, &position, &run)) {
        uint32_t member = w->members[position];
        run = run < block->count - i ? run : block->count - i;
        if (member == CNX_NONE)
            continue;
        slices[member].exact = slices[member].exact && block->exact;
        if (wide)
            measure_floats(&slices[member], block->bytes + i * each, run);
        else
            visit_run(w, &slices[member], block->bytes, i, run);
    }
}

/* What several threads found of one slice, put together. */
static void add_slice(cnx_slice *s, const cnx_slice *part)
{
    s->count += part->count;
    s->largest = part->largest > s->largest ? part->largest : s->largest;
    s->smallest = part->smallest < s->smallest ? part->smallest : s->smallest;
    s->finite = s->finite && part->finite;
    s->exact = s->exact && part->exact;
    s->sum = wrapping_sum(s->sum, part->sum);
}

/* None of what is found depends on the order of the elements. */
static void visit_slices(cnx_slice_reading *reading, cnx_tensor *tensor, walk *w)
{
    cnx_arena *scratch = cnx_arena_create(reading->arena);
    cnx_slice *slices = w->slices;
    size_t slots = 1;
    bool several = tensor->count > cnx_block_length(tensor);
    if (several && reading->lanes == NULL)
        reading->lanes = cnx_lanes_start(reading->arena);
    if (several && cnx_lanes_slots(reading->lanes) * w->member_count * sizeof(cnx_slice) <= MOST_SLICES)
        slots = cnx_lanes_slots(reading->lanes);
    if (slots > 1)
        w->slices = CNX_NEW_ARRAY(scratch, cnx_slice, slots * w->member_count);
    for (size_t i = 0; i < slots * w->member_count && slots > 1; i++) {
        w->slices[i] = slices[i % w->member_count];
        w->slices[i].count = 0;
    }
    if (has_columns(w, slots))
        w->columns.width = w->strip.extent * w->strip.inner;
    if (w->columns.width != 0)
        make_columns(w, scratch, slices, slots);
    cnx_read_blocks(scratch, reading->analysis->model, tensor, slots > 1 ? reading->lanes : NULL,
                    w->type != tensor->type, visit_block, w);
    if (w->columns.width != 0)
        collect_columns(w, tensor->count / w->columns.width, slots);
    for (size_t i = 0; i < slots * w->member_count && slots > 1; i++)
        add_slice(&slices[i % w->member_count], &w->slices[i]);
    cnx_arena_destroy(scratch);
}

int32_t cnx_type_read(const cnx_slice_reading *reading, const cnx_parameter *parameter)
{
    int32_t type = parameter->tensor->type;
    return reading->wide && (type == CNX_TYPE_FLOAT || type == CNX_TYPE_BFLOAT16) ? CNX_TYPE_DOUBLE : type;
}

static cnx_slice no_slice(void)
{
    return (cnx_slice){.largest = INT_MIN, .smallest = INT_MAX, .finite = true, .exact = true};
}

void cnx_measure_slices(cnx_slice_reading *reading, const cnx_parameter *parameter, uint32_t axis,
                        const uint32_t *members, uint32_t member_count, cnx_slice *slices)
{
    walk w = {.type = cnx_type_read(reading, parameter),
              .strip = strip_of(reading->arena, parameter, axis),
              .members = members,
              .member_count = member_count,
              .slices = slices,
              .visit = cnx_slice_measure};
    for (uint32_t i = 0; i < member_count; i++)
        slices[i] = no_slice();
    visit_slices(reading, parameter->tensor, &w);
    for (uint32_t i = 0; i < member_count; i++)
        reading->lost = reading->lost || !slices[i].exact;
}

void cnx_add_up_slices(cnx_slice_reading *reading, const cnx_parameter *parameter, uint32_t axis,
                       const uint32_t *members, uint32_t member_count, cnx_slice *slices)
{
    walk w = {.type = cnx_type_read(reading, parameter),
              .strip = strip_of(reading->arena, parameter, axis),
              .members = members,
              .member_count = member_count,
              .slices = slices,
              .visit = cnx_slice_add};
    visit_slices(reading, parameter->tensor, &w);
}

cnx_slice cnx_measure_tensor(cnx_slice_reading *reading, cnx_tensor *tensor)
{
    static const uint32_t all = 0;
    cnx_slice whole = no_slice();
    walk w = {.type = tensor->type,
              .strip = {.extent = 1, .inner = tensor->count, .governor = CNX_NONE},
              .members = &all,
              .member_count = 1,
              .slices = &whole,
              .visit = cnx_slice_measure};
    visit_slices(reading, tensor, &w);
    return whole;
}
