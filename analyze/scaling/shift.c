/* Signs that come with a shift.
 *
 * A sigmoid is odd about its middle: s(-z) = 1 - s(z). A unit behind one can be negated in front of it; what
 * comes out is then 1 - y instead of y. The next layers undo that if each of them has a bias of its own: with
 * the unit's weights negated, w (1 - y) has to lose w. So does HardSigmoid with beta = 1/2, and Acos with pi.
 *
 * Adding to a bias rounds, so these signs are kept apart from those that cost nothing: they are the solutions
 * of a second system, in which such activations let signs through. Everything else in it is the same.
 *
 * A shift is followed only where it stays one number: through what moves elements or averages them, to
 * products with a matrix that every element of the output has in full, and to normalizations with a mean of
 * their own. A convolution that pads with zeros is none of these, for the zeros are not shifted.
 */
#include "analyze/constants.h"
#include "analyze/scaling/solve.h"
#include "analyze/symmetry/labels.h"

#include <math.h>

/* ---- where shifts are absorbed ---- */

typedef struct walk {
    cnx_arena *arena;
    const cnx_model *model;
    const cnx_graph *graph;
    cnx_scaling_shift shift;
    size_t capacity;
} walk;

/* A tensor of the file that nobody outside replaces, of a type that is computed with here; or NULL. */
static cnx_tensor *weights_of(const walk *w, uint32_t value)
{
    if (value == CNX_NONE)
        return NULL;
    const cnx_value *v = &w->graph->values[value];
    if (v->initializer == NULL || cnx_is_replaceable(w->graph, v) || v->is_output ||
        (v->initializer->type != CNX_TYPE_FLOAT && v->initializer->type != CNX_TYPE_DOUBLE))
        return NULL;
    return v->initializer;
}

/* The same of a bias that nothing else reads, with `extent` elements along its last axis. */
static cnx_tensor *bias_of(const walk *w, uint32_t value, int64_t extent)
{
    cnx_tensor *bias = weights_of(w, value);
    if (bias == NULL || w->graph->values[value].use_count != 1 || bias->rank == 0 ||
        bias->dims[bias->rank - 1] != extent || bias->count != (uint64_t)extent)
        return NULL;
    return bias;
}

static bool absorb(walk *w, const cnx_node *node, cnx_absorber absorber)
{
    absorber.input = node->inputs[0];
    absorber.bias = bias_of(w, absorber.bias_value, absorber.weight->dims[absorber.output_axis]);
    absorber.extent = (uint32_t)absorber.weight->dims[absorber.weight_axis];
    if (absorber.bias == NULL || absorber.bias->type != absorber.weight->type || !isfinite(absorber.times) ||
        absorber.weight->dims[absorber.weight_axis] > (int64_t)CNX_LARGEST_AXIS)
        return false;
    CNX_PUSH(w->arena, w->shift.absorbers, w->shift.count, w->capacity, absorber);
    return true;
}

static bool absorbed_by_gemm(walk *w, const cnx_node *node)
{
    bool turned = cnx_attribute_int(w->graph, node, "transB", 0) != 0;
    cnx_absorber absorber = {.weight = weights_of(w, node->inputs[1]),
                             .weight_axis = turned,
                             .output_axis = !turned,
                             .input_axis = 1,
                             .bias_value = node->input_count > 2 ? node->inputs[2] : CNX_NONE};
    absorber.times =
        cnx_attribute_float(w->graph, node, "alpha", 1) / cnx_attribute_float(w->graph, node, "beta", 1);
    return cnx_attribute_int(w->graph, node, "transA", 0) == 0 && absorber.weight != NULL &&
           absorber.weight->rank == 2 && absorb(w, node, absorber);
}

/* A MatMul by a matrix, and an Add that alone reads its result. */
static bool absorbed_by_matmul(walk *w, const cnx_node *node)
{
    const cnx_value *product = &w->graph->values[node->outputs[0]];
    cnx_absorber absorber = {
        .weight = weights_of(w, node->inputs[1]), .output_axis = 1, .input_axis = CNX_NONE, .times = 1};
    if (product->use_count != 1 || product->is_output || product->uses[0].slot == CNX_NONE ||
        absorber.weight == NULL || absorber.weight->rank != 2)
        return false;
    const cnx_node *sum = &w->graph->nodes[product->uses[0].node];
    if (strcmp(sum->op_type, "Add") != 0 || sum->domain[0] != '\0' || sum->input_count != 2 || sum->opset < 7)
        return false;
    absorber.bias_value = sum->inputs[1 - product->uses[0].slot];
    return absorb(w, node, absorber);
}

static bool is_unpadded(const cnx_graph *graph, const cnx_node *node)
{
    const char *automatic = cnx_attribute_text(graph, node, "auto_pad", "NOTSET");
    size_t count;
    const int64_t *pads = cnx_attribute_ints(graph, node, "pads", &count);
    for (size_t i = 0; i < count; i++)
        if (pads[i] != 0)
            return false;
    return strcmp(automatic, "NOTSET") == 0 || strcmp(automatic, "VALID") == 0;
}

static bool absorbed_by_conv(walk *w, const cnx_node *node)
{
    cnx_absorber absorber = {.weight = weights_of(w, node->inputs[1]),
                             .weight_axis = 1,
                             .input_axis = 1,
                             .bias_value = node->input_count > 2 ? node->inputs[2] : CNX_NONE,
                             .times = 1};
    return is_unpadded(w->graph, node) && cnx_attribute_int(w->graph, node, "group", 1) == 1 &&
           absorber.weight != NULL && absorber.weight->rank >= 2 && absorb(w, node, absorber);
}

/* What is subtracted becomes the shift less itself, and what is left has another sign only: the mean gains
 * the shift. */
static bool absorbed_by_normalization(walk *w, const cnx_node *node)
{
    cnx_tensor *mean = weights_of(w, node->inputs[3]);
    if (mean == NULL || mean->rank != 1 || mean->dims[0] > (int64_t)CNX_LARGEST_AXIS ||
        cnx_attribute_int(w->graph, node, "training_mode", 0) != 0 ||
        cnx_attribute_int(w->graph, node, "spatial", 1) != 1)
        return false;
    cnx_absorber absorber = {.input = node->inputs[0],
                             .input_axis = 1,
                             .extent = (uint32_t)mean->dims[0],
                             .bias_value = node->inputs[3],
                             .bias = bias_of(w, node->inputs[3], mean->dims[0]),
                             .times = -1};
    if (absorber.bias == NULL)
        return false;
    CNX_PUSH(w->arena, w->shift.absorbers, w->shift.count, w->capacity, absorber);
    return true;
}

/* What hands on the elements of its first input, or means of them. */
static bool hands_on(const cnx_node *node)
{
    static const char *const names[] = {"Identity",  "Reshape", "Flatten", "Squeeze",           "Unsqueeze",
                                        "Transpose", "Slice",   "Gather",  "GlobalAveragePool", "ReduceMean"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(node->op_type, names[i]) == 0)
            return true;
    return false;
}

/* Whether all that reads the value can do with shifted elements; notes where they end. */
static bool is_absorbed(walk *w, uint32_t value)
{
    const cnx_value *v = &w->graph->values[value];
    if (v->is_output)
        return false;
    for (uint32_t i = 0; i < v->use_count; i++) {
        const cnx_node *node = &w->graph->nodes[v->uses[i].node];
        bool absorbed = false;
        if (v->uses[i].slot != 0 || node->domain[0] != '\0' || node->function != NULL ||
            node->output_count != 1 || node->outputs[0] == CNX_NONE)
            return false;
        if (hands_on(node))
            absorbed = is_absorbed(w, node->outputs[0]);
        else if (node->input_count >= 2 && strcmp(node->op_type, "Gemm") == 0)
            absorbed = absorbed_by_gemm(w, node);
        else if (node->input_count == 2 && strcmp(node->op_type, "MatMul") == 0)
            absorbed = absorbed_by_matmul(w, node);
        else if (node->input_count >= 2 && strcmp(node->op_type, "Conv") == 0)
            absorbed = absorbed_by_conv(w, node);
        else if (node->input_count == 5 && strcmp(node->op_type, "BatchNormalization") == 0)
            absorbed = absorbed_by_normalization(w, node);
        if (!absorbed)
            return false;
    }
    return true;
}

static uint32_t labelled_axes(const cnx_fact *fact)
{
    uint32_t count = 0;
    for (uint32_t k = 0; k < fact->rank; k++)
        count += fact->axes[k].kind == CNX_AXIS_LABELS;
    return count;
}

bool cnx_scaling_may_shift(cnx_rule *rule, double sum)
{
    cnx_scaling_log *log = rule->analysis->scaling;
    walk w = {.arena = log->arena,
              .model = rule->analysis->model,
              .graph = rule->graph,
              .shift = {.value = rule->outputs[0].scaling, .sum = sum}};
    if (rule->graph != w.model->graph || rule->node->outputs[0] == CNX_NONE || w.shift.value == 0 ||
        labelled_axes(&rule->outputs[0]) != 1 || !is_absorbed(&w, rule->node->outputs[0]) ||
        w.shift.count == 0)
        return false;
    CNX_PUSH(log->arena, log->shifts, log->shift_count, log->shift_capacity, w.shift);
    return true;
}

/* ---- the second system ---- */

static void zero_axis(cnx_scalings *s, uint32_t value, uint32_t axis)
{
    for (uint32_t r = 0; r < cnx_roles_on_axis(s, value, axis)->count; r++)
        cnx_state_zero(&s->systems[0], s->first_unknown[value][axis] + r);
}

static uint32_t value_of_input(const cnx_scalings *s, const cnx_absorber *absorber)
{
    return s->analysis->facts[absorber->input].scaling;
}

static uint32_t summed_axis(const cnx_scalings *s, const cnx_absorber *absorber)
{
    uint32_t rank = s->analysis->facts[absorber->input].rank;
    return absorber->input_axis != CNX_NONE ? absorber->input_axis : rank - 1;
}

/* Whether the positions of the absorber's input are known one by one where it sums them. */
static bool is_followed(const cnx_scalings *s, const cnx_absorber *absorber)
{
    const cnx_fact *fact = &s->analysis->facts[absorber->input];
    if (fact->scaling == 0 || fact->rank == 0 || summed_axis(s, absorber) >= fact->rank)
        return false;
    cnx_axis axis = fact->axes[summed_axis(s, absorber)];
    return axis.kind == CNX_AXIS_LABELS && axis.repeats == NULL && axis.labels->extent == absorber->extent;
}

void cnx_state_shifts(cnx_scalings *s)
{
    for (size_t i = 0; i < s->log->shift_count; i++) {
        const cnx_scaling_shift *shift = &s->log->shifts[i];
        for (size_t a = 0; a < shift->count; a++) {
            uint32_t input = value_of_input(s, &shift->absorbers[a]);
            bool followed = is_followed(s, &shift->absorbers[a]);
            uint32_t lost = followed ? input : shift->value;
            for (uint32_t k = 0; k < s->log->values[lost].rank; k++)
                if (!followed || k != summed_axis(s, &shift->absorbers[a]))
                    zero_axis(s, lost, k);
        }
    }
}

cnx_scalings *cnx_find_shifted_signs(cnx_arena *arena, cnx_analysis *analysis)
{
    return analysis->scaling->shift_count != 0 ? cnx_solve_scalings(arena, analysis, true) : NULL;
}

void cnx_count_shifted_signs(cnx_scalings *s, uint64_t *by_cell)
{
    const cnx_scaling_system *system = &s->systems[0];
    cnx_equations *equations = cnx_equations_create(s->arena, system->generator_count, true, NULL);
    for (size_t i = 0; i < s->log->shift_count; i++) {
        uint32_t value = s->log->shifts[i].value;
        for (uint32_t k = 0; k < s->log->values[value].rank; k++) {
            const cnx_roles *roles = cnx_roles_on_axis(s, value, k);
            for (uint32_t r = 0; r < roles->count; r++) {
                cnx_term terms[CNX_MOST_TERMS];
                uint32_t count = cnx_generators_of(system, s->first_unknown[value][k] + r, terms);
                if (cnx_equations_add(equations, terms, count))
                    by_cell[roles->cells[r]] += s->cells->cells[roles->cells[r]].count;
            }
        }
    }
}

/* ---- reading the solution ---- */

bool *cnx_shifting_generators(cnx_arena *arena, cnx_scalings *s)
{
    const cnx_scaling_system *system = &s->systems[0];
    bool *shifting = CNX_NEW_ARRAY(arena, bool, system->generator_count);
    for (size_t i = 0; i < s->log->shift_count; i++) {
        uint32_t value = s->log->shifts[i].value;
        for (uint32_t k = 0; k < s->log->values[value].rank; k++)
            for (uint32_t r = 0; r < cnx_roles_on_axis(s, value, k)->count; r++) {
                cnx_term terms[CNX_MOST_TERMS];
                uint32_t count = cnx_generators_of(system, s->first_unknown[value][k] + r, terms);
                for (uint32_t t = 0; t < count; t++)
                    shifting[terms[t].unknown] = true;
            }
    }
    return shifting;
}

const cnx_scaling_shift *cnx_scaling_shifts(const cnx_scalings *s, size_t *count)
{
    *count = s->log->shift_count;
    return s->log->shifts;
}

bool *cnx_shifted_positions(cnx_arena *arena, cnx_scalings *s, const cnx_absorber *absorber,
                            const int32_t *numbers)
{
    uint32_t value = value_of_input(s, absorber), axis = summed_axis(s, absorber);
    uint32_t extent = absorber->extent;
    bool *shifted = CNX_NEW_ARRAY(arena, bool, extent);
    const cnx_sequence *sequence = value != 0 ? cnx_sequence_of_axis(s, value, axis) : NULL;
    if (sequence == NULL)
        return shifted;
    const cnx_roles *roles = cnx_roles_on_axis(s, value, axis);
    for (uint32_t i = 0; i < extent && i < sequence->count; i++) {
        uint32_t role = cnx_role_at(roles, i);
        if (role == CNX_NONE)
            continue;
        cnx_term terms[CNX_MOST_TERMS];
        uint32_t count = cnx_generators_of(&s->systems[0], s->first_unknown[value][axis] + role, terms);
        uint32_t member = s->cells->rank_of[s->cells->class_of[sequence->points[i]]];
        for (uint32_t t = 0; t < count; t++)
            shifted[i] ^= (numbers[s->systems[0].generators[terms[t].unknown].first + member] & 1) != 0;
    }
    return shifted;
}
