#include "rewrite/factors/shortage.h"

#include "onnx/element.h"
#include "rewrite/factors/exactness.h"
#include "rewrite/factors/room.h"
#include "rewrite/factors/tensor_blocks.h"
#include "rewrite/permute.h"

#include <float.h>
#include <math.h>

enum { MOST_AXES = 64 };

typedef struct walk {
    const cnx_tensor *tensor;
    cnx_shortage *const *on;
    double normal; /* the smallest number of the type that has all bits whatever they are */
    int least;     /* exponent of the smallest number of the type */
    int most;      /* the largest that elements may have, as frexp gives it */
    uint32_t governor[MOST_AXES];
    uint32_t block[MOST_AXES];
    cnx_shortages found;
} walk;

static int mantissa_bits(int32_t type)
{
    if (type == CNX_TYPE_DOUBLE)
        return DBL_MANT_DIG;
    return type == CNX_TYPE_BFLOAT16 ? FLT_MANT_DIG - 16 : FLT_MANT_DIG;
}

static walk begin(cnx_arena *arena, const cnx_parameter *parameter, cnx_shortage *const *on)
{
    const cnx_tensor *tensor = parameter->tensor;
    walk w = {.tensor = tensor, .on = on, .most = cnx_largest_exponent(tensor->type)};
    w.normal = ldexp(0.5, cnx_smallest_exponent(tensor->type));
    w.least = cnx_smallest_exponent(tensor->type) - mantissa_bits(tensor->type);
    for (uint32_t k = 0; k < tensor->rank; k++)
        if (on[k] != NULL)
            cnx_need_governor(arena, parameter, k, &w.governor[k], &w.block[k]);
    return w;
}

/* Of a number that is finite and not zero. */
static cnx_shortage shortage_of(const walk *w, double value)
{
    int exponent;
    uint64_t mantissa = (uint64_t)ldexp(fabs(frexp(value, &exponent)), DBL_MANT_DIG);
    int last = exponent - DBL_MANT_DIG + __builtin_ctzll(mantissa);
    return (cnx_shortage){.below = last < w->least ? w->least - last : 0,
                          .above = exponent > w->most ? exponent - w->most : 0};
}

static void note(walk *w, uint64_t element, cnx_shortage s)
{
    const cnx_tensor *tensor = w->tensor;
    uint64_t at[MOST_AXES];
    for (uint32_t k = tensor->rank; k-- > 0; element /= (uint64_t)tensor->dims[k])
        at[k] = element % (uint64_t)tensor->dims[k];
    for (uint32_t k = 0; k < tensor->rank; k++) {
        if (w->on[k] == NULL)
            continue;
        uint64_t block = w->governor[k] != CNX_NONE ? at[w->governor[k]] / w->block[k] : 0;
        cnx_shortage *there = &w->on[k][block * (uint64_t)tensor->dims[k] + at[k]];
        there->below = s.below > there->below ? s.below : there->below;
        there->above = s.above > there->above ? s.above : there->above;
    }
    w->found = CNX_SHORTAGE;
}

static void visit_elements(void *state, const cnx_tensor_block *block)
{
    walk *w = state;
    double beyond = ldexp(1, w->most);
    if (!block->exact || w->found == CNX_BEYOND_DOUBLES) {
        w->found = CNX_BEYOND_DOUBLES;
        return;
    }
    for (uint64_t i = 0; i < block->count; i++) {
        double value = cnx_element_float(block->type, block->bytes, i), magnitude = fabs(value);
        if ((magnitude >= w->normal && magnitude < beyond) || value == 0 || !isfinite(value))
            continue;
        cnx_shortage s = shortage_of(w, value);
        if (s.below != 0 || s.above != 0)
            note(w, block->first + i, s);
    }
}

cnx_shortages cnx_find_shortages(cnx_slice_reading *reading, const cnx_parameter *parameter,
                                 cnx_shortage *const *on)
{
    static const cnx_exponents nothing_known = {.known = false};
    cnx_tensor *tensor = parameter->tensor;
    if (cnx_has_room(reading, tensor, &nothing_known, NULL))
        return CNX_NO_SHORTAGE;
    cnx_arena *scratch = cnx_arena_create(reading->arena);
    walk w = begin(scratch, parameter, on);
    cnx_read_blocks(scratch, reading->analysis->model, tensor, NULL, tensor->type != CNX_TYPE_DOUBLE,
                    visit_elements, &w);
    cnx_arena_destroy(scratch);
    return w.found;
}
