#include "rewrite/factors/exact_scales.h"

#include "rewrite/factors/factors.h"
#include "rewrite/factors/shortage.h"

typedef struct drawn {
    cnx_slice_reading reading;
    const cnx_scalings *scalings;
    const cnx_generator *generators;
    uint32_t number_count;
    int32_t *numbers;
    int32_t *taken_back; /* what undoes the numbers that became 0 */
    bool any;            /* of them are not 0 */
} drawn;

static void take_back(drawn *d, uint32_t number)
{
    d->any = d->any || d->numbers[number] != 0;
    d->taken_back[number] -= d->numbers[number];
    d->numbers[number] = 0;
}

/* Takes back what multiplies those positions of an axis where something is short, or (NULL) all of them. */
static void spare_axis(drawn *d, size_t parameter, uint32_t axis, const cnx_shortage *shortages)
{
    cnx_arena *scratch = cnx_arena_create(d->reading.arena);
    uint32_t count, place_count;
    const cnx_scaling_action *actions = cnx_scaling_actions(d->scalings, parameter, axis, &count);
    for (uint32_t i = 0; i < count; i++) {
        if (actions[i].kind != CNX_SCALE)
            continue;
        const cnx_scaling_place *places =
            cnx_scaling_places(scratch, d->scalings, &actions[i], axis, &place_count);
        for (uint32_t k = 0; k < place_count; k++) {
            const cnx_shortage *s = shortages != NULL ? &shortages[places[k].position] : NULL;
            for (uint32_t t = 0; t < actions[i].part_count && (s == NULL || s->below != 0 || s->above != 0);
                 t++)
                take_back(d, d->generators[actions[i].parts[t].generator].first + places[k].member);
        }
    }
    cnx_arena_destroy(scratch);
}

static void spare_parameter(drawn *d, size_t p)
{
    const cnx_parameter *parameter = &d->reading.analysis->parameters[p];
    uint32_t rank = parameter->tensor->rank;
    cnx_arena *scratch = cnx_arena_create(d->reading.arena);
    cnx_shortage **on = CNX_NEW_ARRAY(scratch, cnx_shortage *, rank);
    for (uint32_t k = 0, count; k < rank; k++)
        if (cnx_scaling_actions(d->scalings, p, k, &count) != NULL)
            on[k] = CNX_NEW_ARRAY(scratch, cnx_shortage, cnx_parameter_labels(parameter, k)->sequence->count);
    cnx_shortages found = cnx_find_shortages(&d->reading, parameter, on);
    for (uint32_t k = 0; k < rank && found != CNX_NO_SHORTAGE; k++)
        spare_axis(d, p, k, found == CNX_SHORTAGE ? on[k] : NULL); /* or nobody knows where */
    cnx_arena_destroy(scratch);
}

static bool is_multiplied(const cnx_tensor *tensor)
{
    int least, most;
    cnx_factors_range(tensor, &least, &most);
    return least != 0 || most != 0;
}

void cnx_apply_exact_scales(cnx_analysis *analysis, const cnx_scalings *scalings, int32_t *numbers)
{
    cnx_arena *scratch = cnx_arena_create(analysis->model->arena);
    drawn d = {.reading = {.arena = scratch, .analysis = analysis}, .scalings = scalings, .numbers = numbers};
    uint32_t generator_count;
    d.generators = cnx_scaling_generators(scalings, CNX_SCALE, &generator_count, &d.number_count);
    d.taken_back = CNX_NEW_ARRAY(scratch, int32_t, d.number_count);
    for (size_t p = 0; p < analysis->parameter_count; p++)
        for (uint32_t k = 0; k < analysis->parameters[p].tensor->rank; k++)
            if (analysis->parameters[p].tensor->type == CNX_TYPE_FLOAT16)
                spare_axis(&d, p, k, NULL);
    cnx_apply_factors(analysis, scalings, CNX_SCALE, numbers);
    do {
        d.any = false;
        memset(d.taken_back, 0, d.number_count * sizeof *d.taken_back);
        for (size_t p = 0; p < analysis->parameter_count; p++)
            if (is_multiplied(analysis->parameters[p].tensor))
                spare_parameter(&d, p);
        if (d.any)
            cnx_apply_factors(analysis, scalings, CNX_SCALE, d.taken_back);
    } while (d.any);
    cnx_arena_destroy(scratch);
}
