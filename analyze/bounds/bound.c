/* From a recognised chain to a covering-number bound, with its reservations.
 *
 * A theorem is reported as it is printed; what a careful reader would hold against the number is said in the
 * notes, and computed rather than assumed where that is possible:
 *
 * (1) The proofs bound how far a layer's values reach by constants that are only right when s(0) = 0 (or the
 * constants are large enough), and drop terms that matter when B is small. So the same quantity is computed
 * by the recursion of cnx_class_reach, which is proved for every activation: if its Lipschitz constant K is
 * at most the K' of the theorem, the theorem's number stands. If not, an activation with s(0) != 0 is refused
 *     (the theorem does not speak about it); otherwise a note says so.
 * (2) The factorials need base >= 2 max d_l (theorems.h).
 * (3) Theorem 3 raises rho to S_h only, though the d_1 output weights see the activation's range too. For rho
 * > 1 the safe exponent is S_h + d_1, and a note gives the difference. (4) Operators after the last layer are
 * not part of the theorems' network. They are functions of its output with a Lipschitz constant c in the
 * maximum norm, so a cover of radius epsilon becomes one of radius c epsilon.
 */
#include "analyze/bounds/bound.h"

#include "analyze/bounds/feedforward.h"
#include "analyze/bounds/log_combinatorics.h"
#include "analyze/bounds/theorems.h"
#include "analyze/describe/symmetry.h"

#include <inttypes.h>
#include <math.h>

typedef struct builder {
    cnx_arena *arena;
    const cnx_analysis *analysis;
    const cnx_bound_options *options;
    const cnx_feedforward *network;
    cnx_class class;
    cnx_theorem_result result;
    cnx_bound *bound;
    size_t input_capacity;
    cnx_bound_input *inputs;
    size_t note_capacity;
    const char **notes;
} builder;

static void add_note(builder *b, const char *note)
{
    CNX_PUSH(b->arena, b->notes, b->bound->note_count, b->note_capacity, note);
    b->bound->notes = b->notes;
}

static void add_input(builder *b, const char *name, double value, const char *source)
{
    cnx_bound_input input = {.name = name, .value = value, .source = source};
    CNX_PUSH(b->arena, b->inputs, b->bound->input_count, b->input_capacity, input);
    b->bound->inputs = b->inputs;
}

static const char *layer_place(const builder *b, const cnx_feedforward_layer *layer)
{
    const cnx_graph *graph = b->analysis->model->graph;
    return cnx_node_place(graph, &graph->nodes[layer->node]);
}

/* ---- constants ---- */

#define DEFAULT_EPSILON 0.01
#define DEFAULT_INPUT_BOUND 1.0

static void choose_constants(builder *b)
{
    const cnx_feedforward *network = b->network;
    double measured = network->largest_parameter;
    bool given = b->options->parameter_bound > 0.0;
    b->class = (cnx_class){
        .shape = network->shape,
        .activations = network->growths,
        .parameter_bound = given ? b->options->parameter_bound : measured,
        .input_bound = b->options->input_bound != 0.0 ? b->options->input_bound : DEFAULT_INPUT_BOUND,
        .epsilon = b->options->epsilon != 0.0 ? b->options->epsilon : DEFAULT_EPSILON,
    };
    add_input(b, "epsilon", b->class.epsilon, b->options->epsilon != 0.0 ? "given" : "default");
    add_input(b, "B_x", b->class.input_bound, b->options->input_bound != 0.0 ? "given" : "default");
    add_input(b, "B", b->class.parameter_bound, given ? "given" : "measured: largest absolute parameter");
    for (size_t l = 0; l < network->hidden_count; l++) {
        const cnx_feedforward_layer *layer = &network->hidden[l];
        const char *function = layer->activation != NULL ? layer->activation : "Identity (no activation)";
        add_input(
            b, cnx_print(b->arena, "rho_%zu", l + 1), layer->growth.lipschitz,
            cnx_print(b->arena, "derived: activation table, %s after %s", function, layer_place(b, layer)));
    }
    if (given && measured > b->class.parameter_bound)
        add_note(b, cnx_print(
                        b->arena,
                        "the file's largest absolute parameter is %.6g: with B = %.6g this network is not in "
                        "the class that the bound is about",
                        measured, b->class.parameter_bound));
    if (b->class.parameter_bound == 0.0)
        add_note(b, "all parameters of the file are zero, so B = 0 and the class is one network");
}

/* ---- whether a theorem speaks about the network ---- */

static const char *find_rough_activation(const builder *b)
{
    for (size_t l = 0; l < b->network->hidden_count; l++) {
        const cnx_feedforward_layer *layer = &b->network->hidden[l];
        if (!isfinite(layer->growth.lipschitz))
            return cnx_print(b->arena,
                             "%s after %s has no Lipschitz constant: no covering bound is available",
                             layer->activation, layer_place(b, layer));
    }
    return NULL;
}

/* The first hidden layer with s(0) != 0, or NULL. */
static const cnx_feedforward_layer *find_offset(const builder *b)
{
    for (size_t l = 0; l < b->network->hidden_count; l++)
        if (b->network->hidden[l].growth.at_zero != 0.0)
            return &b->network->hidden[l];
    return NULL;
}

/* Reservation (1). Returns why the theorem is not applicable, or NULL. */
static const char *check_reach(builder *b)
{
    cnx_reach *reach = CNX_NEW_ARRAY(b->arena, cnx_reach, b->class.shape.hidden + 1);
    cnx_class_reach(&b->class, true, reach);
    double proved = reach[b->class.shape.hidden].lipschitz_after;
    bool covered = proved <= b->result.log_parameter_lipschitz;
    const cnx_feedforward_layer *offset = find_offset(b);
    if (offset != NULL && !covered)
        return cnx_print(
            b->arena,
            "%s after %s has s(0) = %.6g, and with these constants the proof of %s, which takes s(0) "
            "for 0, does not cover it",
            offset->activation, layer_place(b, offset), offset->growth.at_zero, b->bound->theorem);
    if (offset != NULL)
        add_note(b,
                 cnx_print(b->arena,
                           "%s has s(0) = %.6g where the proof takes 0; its constant covers this network all "
                           "the same (range recursion: ln K = %.6g, proof: %.6g)",
                           offset->activation, offset->growth.at_zero, proved,
                           b->result.log_parameter_lipschitz));
    else if (!covered && b->class.parameter_bound > 0.0)
        add_note(
            b,
            cnx_print(b->arena,
                      "for constants this small the proof's Lipschitz constant is below the one that can be "
                      "shown (range recursion: ln K = %.6g, proof: %.6g): the printed bound may be too low",
                      proved, b->result.log_parameter_lipschitz));
    return NULL;
}

/* ---- notes ---- */

static void note_theorem(builder *b)
{
    const cnx_shape *shape = &b->class.shape;
    uint64_t outputs = shape->widths[shape->hidden + 1];
    if (outputs > 1)
        add_note(b, cnx_print(b->arena,
                              "%s is printed for one output; its proof covers any number, here %" PRIu64
                              ", with distances taken over all of them",
                              b->bound->theorem, outputs));
    double rho = b->class.activations[0].lipschitz;
    if (shape->hidden == 1 && outputs == 1 && rho > 1.0)
        add_note(
            b, cnx_print(b->arena,
                         "Theorem 3 raises rho = %.6g to S_h only; the output weights see it too, and a safe "
                         "bound is larger by d_1 ln rho = %.6g",
                         rho, (double)shape->widths[1] * log(rho)));
    if (!b->result.condition_holds)
        add_note(b, cnx_print(b->arena,
                              "the packing argument needs base >= 2 max d_l = %" PRIu64
                              ", and ln base is %.6g: the "
                              "reduced bound is not proved for this epsilon",
                              2 * b->bound->width, b->result.log_base));
    if (b->result.log_covering_number_reduced == 0.0)
        add_note(b, "a bound below one network was raised to one (logarithm 0)");
}

static void note_final_operators(builder *b)
{
    const cnx_feedforward *network = b->network;
    const char *names = network->final_operators;
    double c = network->final_lipschitz;
    if (names == NULL)
        return;
    if (c <= 1.0)
        add_note(b, cnx_print(b->arena,
                              "the bound is for the network before the final %s, which does not increase "
                              "distances: it holds for the whole network too",
                              names));
    else if (isfinite(c))
        add_note(b, cnx_print(
                        b->arena,
                        "the bound is for the network before the final %s, which increases distances at most "
                        "%.6g times: for the whole network it holds at the radius %.6g",
                        names, c, c * b->class.epsilon));
    else
        add_note(b,
                 cnx_print(b->arena,
                           "the bound is for the network before the final %s, which may increase distances "
                           "without limit: it says nothing about the whole network",
                           names));
}

static void note_group(builder *b)
{
    double found = b->bound->log_group_order;
    double used = b->result.log_reduction;
    if (fabs(found - used) > 1e-9 * fmax(1.0, used))
        add_note(b, cnx_print(
                        b->arena,
                        "the permutation group found in this file has ln |G| = %.6g, and the theorem divides "
                        "by prod d_l! (%.6g)",
                        found, used));
}

/* ---- the report ---- */

static void fill(builder *b)
{
    cnx_bound *bound = b->bound;
    const cnx_shape *shape = &b->class.shape;
    bound->applies = true;
    bound->depth = shape->hidden;
    bound->size = cnx_shape_size(shape);
    bound->neurons = cnx_shape_neurons(shape);
    bound->layer_count = shape->hidden + 2;
    bound->layers = shape->widths;
    bound->log_covering_number = b->result.log_covering_number;
    bound->log_covering_number_reduced = b->result.log_covering_number_reduced;
    bound->log_reduction = b->result.log_reduction;
    bound->condition_holds = b->result.condition_holds;
}

static const char *apply(builder *b)
{
    if (!b->network->found)
        return b->network->why_not;
    const char *why = find_rough_activation(b);
    if (why != NULL)
        return why;
    choose_constants(b);
    const cnx_shape *shape = &b->class.shape;
    bool shallow = shape->hidden == 1 && shape->widths[2] == 1;
    b->bound->theorem = shallow ? "Theorem 3" : "Theorem 4";
    b->bound->width = cnx_shape_width(shape);
    b->result = shallow ? cnx_theorem_3(&b->class) : cnx_theorem_4(&b->class);
    why = check_reach(b);
    if (why != NULL)
        return why;
    for (size_t i = 0; i < b->network->note_count; i++)
        add_note(b, b->network->notes[i]);
    fill(b);
    note_theorem(b);
    note_final_operators(b);
    note_group(b);
    return NULL;
}

const cnx_bound *cnx_bound_report(cnx_arena *arena, cnx_analysis *analysis, const cnx_bound_options *options)
{
    cnx_bound *bound = CNX_NEW(arena, cnx_bound);
    bound->log_group_order = CNX_LN_10 * cnx_symmetry_log10_order(analysis);
    builder b = {.arena = arena, .analysis = analysis, .options = options, .bound = bound};
    b.network = cnx_feedforward_find(arena, analysis);
    const char *why_not = apply(&b);
    if (why_not != NULL)
        *bound = (cnx_bound){.why_not = why_not, .log_group_order = bound->log_group_order};
    return bound;
}

static void check_options(cnx_arena *arena, const cnx_bound_options *options)
{
    if (options == NULL)
        cnx_fail(arena, CNX_ERROR_USAGE, NULL,
                 "no constants for the bound (epsilon and the input bound are needed)");
    if (!(options->epsilon >= 0.0 && isfinite(options->epsilon)))
        cnx_fail(arena, CNX_ERROR_USAGE, NULL, "epsilon is %g (a positive number was expected)",
                 options->epsilon);
    if (!(options->input_bound >= 0.0 && isfinite(options->input_bound)))
        cnx_fail(arena, CNX_ERROR_USAGE, NULL, "the input bound is %g (a positive number was expected)",
                 options->input_bound);
    if (!(options->parameter_bound >= 0.0 && isfinite(options->parameter_bound)))
        cnx_fail(arena, CNX_ERROR_USAGE, NULL,
                 "the parameter bound is %g (a positive number, or 0 to measure it, was expected)",
                 options->parameter_bound);
}

cnx_code cnx_find_bound(cnx_model *model, const cnx_bound_options *options, const cnx_bound **bound,
                        cnx_error *error)
{
    cnx_trap trap;
    *bound = NULL;
    if (CNX_ENTER(model->arena, trap, error) == CNX_OK) {
        check_options(model->arena, options);
        *bound = cnx_bound_report(model->arena, cnx_analyze(model->arena, model), options);
    }
    return cnx_leave(model->arena, &trap);
}
