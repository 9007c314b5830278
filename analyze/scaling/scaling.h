/* Signs and scales: by what the units of a graph can be multiplied without changing its function.
 *
 * Every value of the graph may be multiplied along each of its labelled axes, position by position; what is
 * asked for are all ways to do so that every operator agrees with, when the parameters are multiplied along.
 * A factor is a sign times a power, s * exp(t), and the two parts are unknowns of two systems of linear
 * equations: a product of factors is a sum of unknowns, over the field of two elements for signs and over the
 * whole numbers for logarithms. Operators state the equations:
 *
 *     Relu       output = input (scale);  input = output = 0 (sign)
 *     Tanh       output = input (sign);   input = output = 0 (scale)
 *     Gemm       input + weight = 0 along the summed axis, weight = output along the other, bias = output
 *     Mul        output = sum of the inputs
 *     BatchNormalization   mean = input, bias = output, scale = output - input, variance = 0
 *     Softmax, graph output, anything without a rule     0
 *
 * Members of a cell meet the same equations, since exchanging them is a symmetry. The positions of a cell on
 * an axis are sorted into *roles*: the first copy of each member, the second (the channels of queries and of
 * keys, packed in one matrix, are two copies of one class, and their factors are opposite). There is one
 * unknown for each (value, axis, role), it stands for as many numbers as the cell has members, and equations
 * hold member by member. Positions that may not move have no unknown: they are not multiplied either.
 *
 * While the analysis sweeps the graph, rules state equations between axes of values (cnx_scaling_log); which
 * cells lie on an axis is only known afterwards, when the log is solved (cnx_find_scalings).
 *
 * A cell is *linear* when all that touches it are sums and contractions. Its members can then be mixed by any
 * invertible matrix, of which signs, scales and permutations are special cases: query and key channels of a
 * head, low-rank adapters, two linear layers in a row. Where Euclidean norms are taken of it besides, or a
 * tensor is both the matrix and what undoes it, only orthogonal matrices will do.
 */
#ifndef CNX_ANALYZE_SCALING_SCALING_H
#define CNX_ANALYZE_SCALING_SCALING_H

#include "analyze/bounds/activations.h"
#include "analyze/rule.h"
#include "analyze/symmetry/cells.h"

typedef struct cnx_scaling_log cnx_scaling_log;

/* ---- stating equations: for the rules in analyze/scaling/ ---- */

typedef enum cnx_scaling_kind {
    CNX_SIGN = 1,
    CNX_SCALE = 2,
    CNX_SIGN_AND_SCALE = 3,
    CNX_SIGN_UNSHIFTED = 4, /* of statements: about signs that come without shifts only (scaling/shift.c) */
    CNX_SIGN_SHIFTED = 8,   /* about those that come with shifts only */
} cnx_scaling_kind;

/* An axis of a value, times a whole number. Value 0 is fixed: it is multiplied by nothing. */
typedef struct cnx_scaling_term {
    uint32_t value;
    uint32_t axis;
    int32_t factor;
} cnx_scaling_term;

/* A new value with the axes of `fact`, and its number. */
uint32_t cnx_scaling_value(cnx_scaling_log *log, const cnx_fact *fact);

/* The same for a parameter: what it is multiplied by, the tensor is. */
uint32_t cnx_scaling_parameter(cnx_scaling_log *log, const cnx_fact *fact);

/* A new value for positions [from, from + count) of axis `axis` of parameter `value` alone: the rows of one
 * gate. They are multiplied by this in addition to what the parameter is multiplied by. 0, which is fixed,
 * when the value is computed, or the positions cannot be named. */
uint32_t cnx_scaling_rows(cnx_scaling_log *log, cnx_points *points, uint32_t value, uint32_t axis,
                          uint32_t from, uint32_t count);

/* A new value: positions [from, from + count) of axis `axis` of `value`, as a slice. 0, with all of the value
 * fixed, when they cannot be named. */
uint32_t cnx_scaling_cut(cnx_scaling_log *log, cnx_points *points, uint32_t value, uint32_t axis,
                         uint32_t from, uint32_t count);

/* The sum over `terms` is zero, for every cell on any of the axes; an axis that a cell is not on adds
 * nothing. */
void cnx_scaling_equation(cnx_scaling_log *log, cnx_scaling_kind kind, const cnx_scaling_term *terms,
                          uint32_t count);

/* Axis `a_axis` of `a` and axis `b_axis` of `b` have the same factors. */
void cnx_scaling_equal(cnx_scaling_log *log, cnx_scaling_kind kind, uint32_t a, uint32_t a_axis, uint32_t b,
                       uint32_t b_axis);

/* The value is not multiplied, along one axis or at all. */
void cnx_scaling_fix_axis(cnx_scaling_log *log, cnx_scaling_kind kind, uint32_t value, uint32_t axis);
void cnx_scaling_fix(cnx_scaling_log *log, cnx_scaling_kind kind, uint32_t value);

/* Nothing is multiplied of the node's inputs or outputs from number `first` on, or of all that it touches. */
void cnx_scaling_fix_inputs(cnx_rule *rule, cnx_scaling_kind kind, uint32_t first);
void cnx_scaling_fix_outputs(cnx_rule *rule, cnx_scaling_kind kind, uint32_t first);
void cnx_scaling_fix_node(cnx_rule *rule, cnx_scaling_kind kind);

/* `to` holds the elements of `from` in another layout, times `degree` in its factors (2 for squares). Cells
 * are found on whichever axis they are now. With `parts`, elements may be missing from `to`, all those of a
 * cell at once. */
void cnx_scaling_carry(cnx_scaling_log *log, cnx_scaling_kind kind, uint32_t from, uint32_t to,
                       int32_t degree, bool parts);

/* Axis terms[0] lists the positions of the other terms' axes one after the other: every cell has its factors
 * from the parts that it is on. Factors of the terms mean nothing. */
void cnx_scaling_join(cnx_scaling_log *log, const cnx_scaling_term *terms, uint32_t count);

/* The members of the cells on an axis (on all axes) of the value are told apart by something that is not
 * linear: they cannot be mixed. */
void cnx_scaling_separate_axis(cnx_scaling_log *log, uint32_t value, uint32_t axis);
void cnx_scaling_separate(cnx_scaling_log *log, uint32_t value);

/* Euclidean norms are taken of `from`, and `to` (0: none) is what is left of its axes: cells that are on
 * `from` and not on `to` may be mixed by orthogonal matrices, the others are told apart. */
void cnx_scaling_norm(cnx_scaling_log *log, uint32_t from, uint32_t to);

/* Value `to` is the activation of value `from`; both have the axes of the node's first output. */
void cnx_scaling_activate(cnx_rule *rule, const cnx_activation *activation, uint32_t from, uint32_t to);

/* Whether output 0 of the rule's node, an activation with s(-x) = sum - s(x), may have its elements turned
 * into sum minus themselves, because the biases of all layers that read it can absorb that. If so, that is
 * noted. */
bool cnx_scaling_may_shift(cnx_rule *rule, double sum);

/* ---- the driver: analyze.c ---- */

cnx_scaling_log *cnx_scaling_log_create(cnx_arena *arena);

/* States what the rule's node says about factors, and numbers its outputs. To be called when the outputs are
 * final. */
void cnx_follow_scaling(cnx_rule *rule);

/* ---- rules: one function a family ---- */

#define SCALING(name) void cnx_scale_##name(cnx_rule *rule);
#include "analyze/scaling/rules.def"
#undef SCALING

/* ---- the solution ---- */

typedef struct cnx_scalings cnx_scalings;

/* Solves the log of an analysis; memory from `arena`. */
cnx_scalings *cnx_find_scalings(cnx_arena *arena, cnx_analysis *analysis);

/* A free unknown: one number for each member of a cell. */
typedef struct cnx_generator {
    uint32_t cell;
    uint32_t first; /* of its numbers, when all generators' are put in one array */
} cnx_generator;

/* The generators of one kind (CNX_SIGN or CNX_SCALE), and how many numbers they have in all. */
const cnx_generator *cnx_scaling_generators(const cnx_scalings *scalings, cnx_scaling_kind kind,
                                            uint32_t *count, uint32_t *number_count);

/* A generator times a whole number, 1 for signs. */
typedef struct cnx_scaling_part {
    uint32_t generator;
    int32_t factor;
} cnx_scaling_part;

/* What the members of `cell` in one role are multiplied by along a parameter's axis: the sum of generators.
 */
typedef struct cnx_scaling_action {
    uint32_t cell;
    cnx_scaling_kind kind;
    uint32_t part_count;
    const cnx_scaling_part *parts;
    uint32_t value; /* whose axis and role this is: for cnx_scaling_places */
    uint32_t role;
} cnx_scaling_action;

/* The actions on an axis of the analysis's parameter number `parameter`; where several meet at a position,
 * they add up. */
const cnx_scaling_action *cnx_scaling_actions(const cnx_scalings *scalings, size_t parameter, uint32_t axis,
                                              uint32_t *count);

/* A position where an action acts, and the number of the cell's member there. Positions are those of the
 * axis's sequence (analyze/symmetry/points.h): block times extent plus position where the axis varies over
 * blocks. */
typedef struct cnx_scaling_place {
    uint32_t position;
    uint32_t member;
} cnx_scaling_place;

/* The places of an action on axis `axis` of its parameter; memory from `arena`. */
const cnx_scaling_place *cnx_scaling_places(cnx_arena *arena, const cnx_scalings *scalings,
                                            const cnx_scaling_action *action, uint32_t axis, uint32_t *count);

/* The size of the group of one cell: independent signs, and dimensions of scales, counted by what they do to
 * parameters. Of a linear cell of n members, `dimension` is n^2; of an orthogonal one, n (n - 1) / 2. */
typedef struct cnx_cell_scaling {
    uint64_t signs;
    uint64_t dimension;
    bool linear;
    bool orthogonal;
} cnx_cell_scaling;
cnx_cell_scaling cnx_scaling_of_cell(const cnx_scalings *scalings, uint32_t cell);

/* How much the sum over cells counts too much: combinations of factors of several cells, the same for all
 * members, that cancel in every parameter. */
cnx_cell_scaling cnx_scaling_excess(const cnx_scalings *scalings);

/* ---- signs that come with a shift: shift.c ---- */

/* A layer whose bias takes a shift of its input: a product that sums over `weight_axis` of its weight. */
typedef struct cnx_absorber {
    uint32_t input;      /* value of the main graph */
    uint32_t input_axis; /* that is summed over; CNX_NONE: the last one */
    uint32_t extent;     /* of that axis */
    cnx_tensor *weight;  /* NULL: nothing is summed, and the bias has an element for each position */
    uint32_t weight_axis;
    uint32_t output_axis; /* of the weight: what the bias has its elements for */
    uint32_t bias_value;
    cnx_tensor *bias;
    double times; /* the bias loses this times the weights of the inputs that are shifted (without weights:
                     1), times the shift */
} cnx_absorber;

/* An activation whose elements may become sum minus themselves, and where that ends. */
typedef struct cnx_scaling_shift {
    uint32_t value; /* in the log */
    double sum;
    size_t count;
    cnx_absorber *absorbers;
} cnx_scaling_shift;

/* The signs with and without shifts, as the signs of a solution of their own; its sizes are not filled in,
 * and scales not found. NULL when no activation can be shifted. */
cnx_scalings *cnx_find_shifted_signs(cnx_arena *arena, cnx_analysis *analysis);

/* Adds to by_cell, for every cell, the number of independent signs that come with a shift. */
void cnx_count_shifted_signs(cnx_scalings *shifted, uint64_t *by_cell);

/* By generator of signs: whether it shifts something. */
bool *cnx_shifting_generators(cnx_arena *arena, cnx_scalings *shifted);

/* The activations. */
const cnx_scaling_shift *cnx_scaling_shifts(const cnx_scalings *shifted, size_t *count);

/* Which of the inputs that the absorber sums over are shifted when the generators of signs take the values
 * `numbers`; as many as weight_axis has positions. */
bool *cnx_shifted_positions(cnx_arena *arena, cnx_scalings *shifted, const cnx_absorber *absorber,
                            const int32_t *numbers);

#endif
