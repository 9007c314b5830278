/* With w the weights of a unit as they are after it was negated, w (sum - y) is w sum more than -w y, which
 * is what the layer had: its bias loses that. Sums are taken in double precision and rounded once. */
#include "rewrite/factors/shift.h"

#include "onnx/element.h"
#include "rewrite/factors/factors.h"
#include "rewrite/factors/random.h"
#include "rewrite/permute.h"

/* By position of the output axis: the sum of the weights of the inputs that are shifted. Without weights: 1
 * for each of these. */
static double *sum_weights(cnx_arena *arena, cnx_model *model, const cnx_absorber *absorber,
                           const bool *shifted)
{
    cnx_tensor *weight = absorber->weight;
    if (weight == NULL) {
        double *each = CNX_NEW_ARRAY(arena, double, absorber->extent);
        for (uint32_t i = 0; i < absorber->extent; i++)
            each[i] = shifted[i];
        return each;
    }
    const uint8_t *bytes = cnx_tensor_bytes(model, weight);
    uint64_t outputs = (uint64_t)weight->dims[absorber->output_axis];
    uint64_t inputs = (uint64_t)weight->dims[absorber->weight_axis];
    uint64_t inner = weight->count / outputs / inputs; /* kernel offsets, behind both */
    bool inputs_first = absorber->weight_axis < absorber->output_axis;
    double *sums = CNX_NEW_ARRAY(arena, double, outputs), *elements = CNX_NEW_ARRAY(arena, double, inner);
    for (uint64_t o = 0; o < outputs; o++)
        for (uint64_t i = 0; i < inputs; i++) {
            if (!shifted[i])
                continue;
            uint64_t place = inputs_first ? i * outputs + o : o * inputs + i;
            cnx_elements_read(weight->type, bytes, place * inner, inner, elements);
            for (uint64_t k = 0; k < inner; k++)
                sums[o] += elements[k];
        }
    return sums;
}

static void move_bias(cnx_model *model, const cnx_absorber *absorber, const double *sums, double times)
{
    cnx_tensor *bias = absorber->bias;
    uint8_t *bytes = memcpy(cnx_alloc(model->arena, bias->size), cnx_tensor_bytes(model, bias), bias->size);
    for (uint64_t o = 0; o < bias->count; o++) {
        double value;
        cnx_elements_read(bias->type, bytes, o, 1, &value);
        value -= times * sums[o];
        cnx_element_write(bias->type, bytes, o, value);
    }
    bias->bytes = bytes;
    cnx_tensor_store_raw(model, bias);
}

void cnx_draw_shifted_signs(cnx_analysis *analysis, uint64_t *state)
{
    cnx_model *model = analysis->model;
    cnx_scalings *shifted = cnx_find_shifted_signs(model->arena, analysis);
    if (shifted == NULL)
        return;
    uint32_t generator_count, number_count;
    const cnx_generator *generators =
        cnx_scaling_generators(shifted, CNX_SIGN, &generator_count, &number_count);
    const bool *shifting = cnx_shifting_generators(model->arena, shifted);
    int32_t *numbers = CNX_NEW_ARRAY(model->arena, int32_t, number_count);
    for (uint32_t g = 0; g < generator_count; g++) {
        uint32_t end = g + 1 < generator_count ? generators[g + 1].first : number_count;
        for (uint32_t i = generators[g].first; i < end && shifting[g]; i++)
            numbers[i] = (int32_t)cnx_random_below(state, 2);
    }
    cnx_settle_permutations(model);
    cnx_apply_factors(analysis, shifted, CNX_SIGN, numbers);
    cnx_settle_permutations(model);
    size_t count;
    const cnx_scaling_shift *shifts = cnx_scaling_shifts(shifted, &count);
    for (size_t i = 0; i < count; i++)
        for (size_t a = 0; a < shifts[i].count; a++) {
            cnx_arena *scratch = cnx_arena_create(model->arena);
            const cnx_absorber *absorber = &shifts[i].absorbers[a];
            const bool *positions = cnx_shifted_positions(scratch, shifted, absorber, numbers);
            move_bias(model, absorber, sum_weights(scratch, model, absorber, positions),
                      absorber->times * shifts[i].sum);
            cnx_arena_destroy(scratch);
        }
}
