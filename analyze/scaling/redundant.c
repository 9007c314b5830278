/* Blocks and what is inside them may be free to do the same.
 *
 * In a tensor [heads, features, sizes] a head can be multiplied by a number, or each of its sizes by the same
 * number. Where both are free, one of them is no freedom: it would be counted twice, and no weight could tell
 * how a change is to be shared between them. The factor of the block is then set to 1.
 *
 * The members of a cell of blocks can be exchanged, so one of them is looked at. What is wanted are
 * combinations of its generators with those of the cells that live in it, these the same for all members,
 * that change no parameter. A parameter does not change when the factor of the block is undone by those along
 * the axes that vary over it, each of which is then one number inside this block.
 */
#include "analyze/scaling/solve.h"

#include "analyze/symmetry/cells.h"
#include "analyze/symmetry/labels.h"

typedef struct search {
    cnx_scalings *s;
    const cnx_scaling_system *system;
    cnx_equations *equations; /* in the generators, then one unknown for each axis of a parameter */
    uint32_t next;            /* axis unknown */
    uint32_t cell;            /* of blocks */
    uint32_t block;           /* its first member */
} search;

static bool lives_in_block(const search *r, uint32_t cell)
{
    return r->s->cells->cells[cell].home == r->block;
}

/* What the action does is the number that `unknown` stands for, or nothing, for CNX_NONE. */
static void state_action(const search *r, const cnx_scaling_action *action, uint32_t unknown)
{
    cnx_term terms[CNX_MOST_TERMS + 1];
    uint32_t count = 0;
    for (; count < action->part_count; count++)
        terms[count] = (cnx_term){action->parts[count].generator, action->parts[count].factor};
    if (unknown != CNX_NONE)
        terms[count++] = (cnx_term){unknown, -1};
    cnx_equations_add(r->equations, terms, count);
}

/* Inside the block all positions of the axis, which varies over the blocks, are multiplied by one number. */
static void state_inside(search *r, size_t p, uint32_t axis, uint32_t unknown)
{
    const cnx_parameter *parameter = &r->s->analysis->parameters[p];
    const cnx_axis_actions *actions = &r->s->actions[p][axis];
    uint32_t covered = 0;
    for (uint32_t i = 0; i < actions->count; i++) {
        const cnx_scaling_action *action = &actions->actions[i];
        if (action->kind != r->system->kind || !lives_in_block(r, action->cell))
            continue;
        state_action(r, action, unknown);
        if (action->value == parameter->scaling)
            covered += cnx_roles_on_axis(r->s, action->value, axis)->positions[action->role];
    }
    cnx_term zero = {unknown, 1};
    if (covered != cnx_parameter_labels(parameter, axis)->extent)
        cnx_equations_add(r->equations, &zero, 1);
}

/* The one axis of the parameter that shows the blocks, by one action; CNX_NONE when there are none or more.
 */
static uint32_t axis_of_blocks(const search *r, size_t p, const cnx_scaling_action **found)
{
    uint32_t axis = CNX_NONE;
    *found = NULL;
    for (uint32_t k = 0; k < r->s->analysis->parameters[p].tensor->rank; k++)
        for (uint32_t i = 0; i < r->s->actions[p][k].count; i++) {
            const cnx_scaling_action *action = &r->s->actions[p][k].actions[i];
            if (action->kind != r->system->kind || action->cell != r->cell)
                continue;
            if (*found != NULL)
                return CNX_NONE;
            *found = action;
            axis = k;
        }
    return axis;
}

static bool varies_over(const cnx_parameter *parameter, uint32_t axis, uint32_t blocks)
{
    if (blocks == CNX_NONE || axis == blocks)
        return false;
    const cnx_labels *labels = cnx_parameter_labels(parameter, axis);
    return labels != NULL && labels->over != NULL && labels->over == cnx_parameter_labels(parameter, blocks);
}

/* The parameter does not change. */
static void state_parameter(search *r, size_t p)
{
    const cnx_parameter *parameter = &r->s->analysis->parameters[p];
    const cnx_scaling_action *of_blocks;
    uint32_t blocks = axis_of_blocks(r, p, &of_blocks), rank = parameter->tensor->rank, count = 0;
    cnx_arena *scratch = cnx_arena_create(r->s->arena);
    cnx_term *sum = CNX_NEW_ARRAY(scratch, cnx_term, rank + (of_blocks != NULL ? of_blocks->part_count : 0));
    for (uint32_t k = 0; k < rank; k++) {
        if (varies_over(parameter, k, blocks)) {
            state_inside(r, p, k, r->next);
            sum[count++] = (cnx_term){r->next++, 1};
            continue;
        }
        for (uint32_t i = 0; i < r->s->actions[p][k].count; i++) {
            const cnx_scaling_action *action = &r->s->actions[p][k].actions[i];
            bool belongs = lives_in_block(r, action->cell) || (action->cell == r->cell && k != blocks);
            if (action->kind == r->system->kind && belongs)
                state_action(r, action, CNX_NONE);
        }
    }
    for (uint32_t t = 0; blocks != CNX_NONE && t < of_blocks->part_count; t++)
        sum[count++] = (cnx_term){of_blocks->parts[t].generator, of_blocks->parts[t].factor};
    cnx_equations_add(r->equations, sum, count);
    cnx_arena_destroy(scratch);
}

/* Sets the generators of a cell of blocks to zero that what lives in them can undo. Returns whether there
 * were any. */
static bool drop_of_cell(cnx_scalings *s, cnx_scaling_system *system, uint32_t cell)
{
    size_t axes = 0;
    bool any = false;
    cnx_arena *scratch = cnx_arena_create(s->arena);
    search r = {.s = s, .system = system, .next = system->generator_count, .cell = cell};
    r.block = s->cells->members[s->cells->cells[cell].first];
    for (size_t p = 0; p < s->analysis->parameter_count; p++)
        axes += s->analysis->parameters[p].tensor->rank;
    r.equations =
        cnx_equations_create(scratch, system->generator_count + axes, system->kind == CNX_SIGN, NULL);
    for (size_t p = 0; p < s->analysis->parameter_count; p++)
        state_parameter(&r, p);
    for (uint32_t g = 0; g < system->generator_count; g++) {
        const cnx_term *terms;
        if (system->generators[g].cell != cell || cnx_equations_value(r.equations, g, &terms) == 0)
            continue;
        cnx_term zero = {g, 1};
        cnx_equations_add(r.equations, &zero, 1);
        zero.unknown = system->unknown_of[g];
        cnx_equations_add(system->equations, &zero, 1);
        any = true;
    }
    cnx_arena_destroy(scratch);
    return any;
}

bool cnx_drop_redundant(cnx_scalings *s)
{
    bool any = false;
    for (unsigned i = 0; i < 2; i++) {
        cnx_scaling_system *system = &s->systems[i];
        for (uint32_t g = 0; g < system->generator_count; g++) {
            uint32_t cell = system->generators[g].cell;
            uint32_t block = s->cells->members[s->cells->cells[cell].first];
            if (s->cells->child_start[block] != s->cells->child_start[block + 1] &&
                (g == 0 || system->generators[g - 1].cell != cell))
                any = drop_of_cell(s, system, cell) || any;
        }
    }
    return any;
}
