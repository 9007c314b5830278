/* How large the groups of signs, scales and linear changes are.
 *
 * What counts is what happens to parameters. For one cell that is the rank of the map from its generators to
 * its actions, times its members. Summed over cells this counts too much where cells share tensors: if all
 * rows of a matrix are multiplied by c and all columns divided by it, nothing happens. Such combinations are
 * the same for all members of every cell that takes part, so they are found with one unknown a generator:
 * for each tensor, the factors along an axis are all the same number (0 where a position is not multiplied),
 * and these numbers add up to 0 over the axes.
 *
 * Ranks are counted as equations that said something new. That may be less than the rank where an equation
 * was given up on (analyze/equations.h), so sizes are never too large.
 */
#include "analyze/scaling/solve.h"

#include "analyze/symmetry/cells.h"

/* ---- ranks ---- */

/* By cell: the rank of its actions. *dead is what is missing to the number of generators, over all cells. */
static uint32_t *ranks_of_actions(cnx_scalings *s, const cnx_scaling_system *system, uint64_t *dead)
{
    uint32_t *ranks = CNX_NEW_ARRAY(s->arena, uint32_t, s->cells->cell_count);
    cnx_equations *equations =
        cnx_equations_create(s->arena, system->generator_count, system->kind == CNX_SIGN, NULL);
    for (size_t p = 0; p < s->analysis->parameter_count; p++)
        for (uint32_t k = 0; k < s->analysis->parameters[p].tensor->rank; k++)
            for (uint32_t i = 0; i < s->actions[p][k].count; i++) {
                const cnx_scaling_action *action = &s->actions[p][k].actions[i];
                cnx_term terms[CNX_MOST_TERMS];
                if (action->kind != system->kind)
                    continue;
                for (uint32_t t = 0; t < action->part_count; t++)
                    terms[t] = (cnx_term){action->parts[t].generator, action->parts[t].factor};
                ranks[action->cell] += cnx_equations_add(equations, terms, action->part_count);
            }
    *dead = system->generator_count;
    for (uint32_t c = 0; c < s->cells->cell_count; c++)
        *dead -= ranks[c];
    return ranks;
}

/* ---- what cancels ---- */

typedef struct canceller {
    cnx_scalings *s;
    const cnx_scaling_system *system;
    cnx_equations *equations; /* in the generators, then one unknown for each axis of a parameter */
    uint64_t rank;
    uint32_t next; /* axis unknown */
} canceller;

static void state(canceller *c, const cnx_term *terms, size_t count)
{
    c->rank += cnx_equations_add(c->equations, terms, count);
}

/* All positions of the axis are multiplied by the number that `unknown` stands for. */
static void state_axis(canceller *c, size_t p, uint32_t k, uint32_t unknown)
{
    const cnx_axis_actions *axis = &c->s->actions[p][k];
    uint32_t value = c->s->analysis->parameters[p].scaling;
    uint64_t multiplied = 0; /* positions, those of rows alone not counted */
    for (uint32_t i = 0; i < axis->count; i++) {
        const cnx_scaling_action *action = &axis->actions[i];
        cnx_term terms[CNX_MOST_TERMS + 1] = {{unknown, -1}};
        if (action->kind != c->system->kind)
            continue;
        for (uint32_t t = 0; t < action->part_count; t++)
            terms[t + 1] = (cnx_term){action->parts[t].generator, action->parts[t].factor};
        state(c, terms, action->part_count + 1);
        if (action->value == value)
            multiplied += cnx_roles_on_axis(c->s, value, k)->positions[action->role];
    }
    const cnx_labels *labels = cnx_parameter_labels(&c->s->analysis->parameters[p], k);
    cnx_term zero = {unknown, 1};
    if (labels == NULL || multiplied < labels->sequence->count)
        state(c, &zero, 1);
}

static uint64_t combinations_that_cancel(cnx_scalings *s, const cnx_scaling_system *system)
{
    uint64_t axes = 0;
    for (size_t p = 0; p < s->analysis->parameter_count; p++)
        axes += s->analysis->parameters[p].tensor->rank;
    canceller c = {.s = s, .system = system, .next = system->generator_count};
    c.equations =
        cnx_equations_create(s->arena, system->generator_count + axes, system->kind == CNX_SIGN, NULL);
    for (size_t p = 0; p < s->analysis->parameter_count; p++) {
        uint32_t rank = s->analysis->parameters[p].tensor->rank;
        cnx_term *sum = CNX_NEW_ARRAY(s->arena, cnx_term, rank);
        for (uint32_t k = 0; k < rank; k++) {
            sum[k] = (cnx_term){c.next++, 1};
            state_axis(&c, p, k, sum[k].unknown);
        }
        state(&c, sum, rank);
    }
    return system->generator_count + axes - c.rank;
}

/* ---- linear cells ---- */

/* How the members of a cell may be mixed. What is odd and not homogeneous tells them apart and says so
 * (cnx_scaling_separate): so where signs are free and scales are not, and nothing does, orthogonal matrices
 * are left. */
typedef enum mixing { APART, ORTHOGONAL, LINEAR } mixing;

static void mark_axis(cnx_scalings *s, const cnx_scaling_term *axis, mixing most, mixing *cells)
{
    const cnx_roles *roles = cnx_roles_on_axis(s, axis->value, axis->axis);
    for (uint32_t r = 0; r < roles->count; r++)
        if (cells[roles->cells[r]] > most)
            cells[roles->cells[r]] = most;
}

/* Norms of `from`: cells that `to` has as well are among what norms are taken for. */
static void mark_norm(cnx_scalings *s, const cnx_scaling_term *from, uint32_t to, mixing *cells)
{
    mark_axis(s, from, ORTHOGONAL, cells);
    const cnx_roles *roles = cnx_roles_on_axis(s, from->value, from->axis);
    for (uint32_t k = 0; k < s->log->values[to].rank; k++)
        for (uint32_t r = 0; r < roles->count; r++) {
            uint32_t count;
            cnx_roles_of_cell(cnx_roles_on_axis(s, to, k), roles->cells[r], &count);
            if (count != 0)
                cells[roles->cells[r]] = APART;
        }
}

static void mark_stated(cnx_scalings *s, mixing *cells)
{
    for (size_t i = 0; i < s->log->statement_count; i++) {
        const cnx_scaling_statement *statement = &s->log->statements[i];
        if (statement->form == CNX_SCALING_SEPARATE)
            mark_axis(s, &statement->terms[0], APART, cells);
        else if (statement->form == CNX_SCALING_NORM)
            mark_norm(s, &statement->terms[0], statement->terms[1].value, cells);
    }
}

/* Whether a value's factors of a cell are its one generator or the opposite. */
static bool is_plain(cnx_scaling_system *system, uint32_t unknown)
{
    const cnx_term *terms;
    return cnx_equations_value(system->equations, unknown, &terms) == 1 &&
           (terms[0].factor == 1 || terms[0].factor == -1);
}

/* Every copy of the cell on an axis has all of its members, and every factor is one and the same or its
 * inverse; for orthogonal matrices both are one. */
static void mark_irregular(cnx_scalings *s, mixing *cells)
{
    for (uint32_t v = 1; v < s->log->value_count; v++)
        for (uint32_t k = 0; k < s->log->values[v].rank; k++) {
            const cnx_roles *roles = cnx_roles_on_axis(s, v, k);
            for (uint32_t r = 0; r < roles->count; r++) {
                uint32_t cell = roles->cells[r], unknown = s->first_unknown[v][k] + r;
                if (cells[cell] != APART && (roles->positions[r] != s->cells->cells[cell].count ||
                                             !is_plain(&s->systems[0], unknown) ||
                                             (cells[cell] == LINEAR && !is_plain(&s->systems[1], unknown))))
                    cells[cell] = APART;
            }
        }
}

/* Blocks hold what is inside together: they are no coordinates. */
static void mark_blocks(cnx_scalings *s, mixing *cells)
{
    const cnx_points *points = s->cells->points;
    for (size_t r = 0; r < points->relation_count; r++)
        for (uint32_t i = 0; points->relations[r].kind == CNX_CONTAIN && i < points->relations[r].to->count;
             i++) {
            uint32_t cell = s->cells->cell_of[s->cells->class_of[points->relations[r].to->points[i]]];
            if (cell != CNX_NONE)
                cells[cell] = APART;
        }
}

static mixing *find_mixings(cnx_scalings *s, const uint32_t *signs, const uint32_t *scales)
{
    mixing *cells = CNX_NEW_ARRAY(s->arena, mixing, s->cells->cell_count);
    for (uint32_t c = 0; c < s->cells->cell_count; c++)
        if (signs[c] == 1 && scales[c] <= 1 && s->cells->cells[c].count > 1)
            cells[c] = scales[c] == 1 ? LINEAR : ORTHOGONAL;
    mark_stated(s, cells);
    mark_blocks(s, cells);
    mark_irregular(s, cells);
    for (uint32_t c = 0; c < s->cells->cell_count; c++)
        if (cells[c] == ORTHOGONAL && scales[c] != 0)
            cells[c] = APART;
    return cells;
}

void cnx_measure_scalings(cnx_scalings *s)
{
    uint64_t dead[2];
    const uint32_t *signs = ranks_of_actions(s, &s->systems[0], &dead[0]);
    const uint32_t *scales = ranks_of_actions(s, &s->systems[1], &dead[1]);
    const mixing *mixings = find_mixings(s, signs, scales);
    s->sizes = CNX_NEW_ARRAY(s->arena, cnx_cell_scaling, s->cells->cell_count);
    for (uint32_t c = 0; c < s->cells->cell_count; c++) {
        uint64_t members = s->cells->cells[c].count;
        s->sizes[c].signs = signs[c] * members;
        s->sizes[c].linear = mixings[c] == LINEAR;
        s->sizes[c].orthogonal = mixings[c] == ORTHOGONAL;
        s->sizes[c].dimension = mixings[c] == LINEAR       ? members * members
                                : mixings[c] == ORTHOGONAL ? members * (members - 1) / 2
                                                           : scales[c] * members;
    }
    s->excess.signs = combinations_that_cancel(s, &s->systems[0]) - dead[0];
    s->excess.dimension = combinations_that_cancel(s, &s->systems[1]) - dead[1];
}
