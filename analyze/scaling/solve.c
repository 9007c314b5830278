/* From the log to generators and actions: unknowns are numbered, statements become equations, and what stays
 * free and reaches a parameter is a generator. */
#include "analyze/scaling/solve.h"

#include "analyze/symmetry/cells.h"

static void number_unknowns(cnx_scalings *s)
{
    s->first_unknown = CNX_NEW_ARRAY(s->arena, uint32_t *, s->log->value_count);
    for (uint32_t v = 0; v < s->log->value_count; v++) {
        uint32_t rank = s->log->values[v].rank;
        s->first_unknown[v] = CNX_NEW_ARRAY(s->arena, uint32_t, rank);
        for (uint32_t k = 0; k < rank; k++) {
            s->first_unknown[v][k] = (uint32_t)s->unknown_count;
            s->unknown_count += cnx_roles_on_axis(s, v, k)->count;
        }
        if (s->unknown_count >= CNX_NONE)
            cnx_fail(s->arena, CNX_ERROR_LIMIT, NULL, "the graph has more than 2^32 factors to follow");
    }
}

/* ---- actions ---- */

static uint32_t generator_of(cnx_scalings *s, cnx_scaling_system *system, uint32_t unknown, uint32_t cell)
{
    if (system->generator_of[unknown] == 0) {
        size_t count = system->generator_count;
        cnx_generator generator = {.cell = cell, .first = system->number_count};
        CNX_PUSH(s->arena, system->generators, count, system->generator_capacity, generator);
        count = system->generator_count;
        CNX_PUSH(s->arena, system->unknown_of, count, system->unknown_capacity, unknown);
        system->generator_count = (uint32_t)count;
        system->number_count += s->cells->cells[cell].count;
        system->generator_of[unknown] = (uint32_t)count;
    }
    return system->generator_of[unknown] - 1;
}

/* Appends what `value` along `axis` does to the parameter's axis. */
static void add_actions(cnx_scalings *s, cnx_scaling_system *system, cnx_axis_actions *axis_actions,
                        size_t *capacity, uint32_t value, uint32_t axis)
{
    const cnx_roles *roles = cnx_roles_on_axis(s, value, axis);
    for (uint32_t r = 0; r < roles->count; r++) {
        const cnx_term *terms;
        size_t term_count = cnx_equations_value(system->equations, s->first_unknown[value][axis] + r, &terms);
        if (term_count == 0)
            continue;
        cnx_scaling_part *parts = CNX_NEW_ARRAY(s->arena, cnx_scaling_part, term_count);
        for (size_t t = 0; t < term_count; t++)
            parts[t] = (cnx_scaling_part){generator_of(s, system, terms[t].unknown, roles->cells[r]),
                                          system->kind == CNX_SIGN ? 1 : terms[t].factor};
        cnx_scaling_action action = {.cell = roles->cells[r],
                                     .kind = system->kind,
                                     .part_count = (uint32_t)term_count,
                                     .parts = parts,
                                     .value = value,
                                     .role = r};
        size_t count = axis_actions->count;
        CNX_PUSH(s->arena, axis_actions->actions, count, *capacity, action);
        axis_actions->count = (uint32_t)count;
    }
}

/* The parameter numbers by value; a value that is none has CNX_NONE. */
static uint32_t *parameters_by_value(cnx_scalings *s)
{
    uint32_t *parameter_of = CNX_NEW_ARRAY(s->arena, uint32_t, s->log->value_count);
    memset(parameter_of, 0xff, s->log->value_count * sizeof *parameter_of);
    for (size_t p = 0; p < s->analysis->parameter_count; p++)
        if (s->analysis->parameters[p].scaling != 0 && !s->analysis->parameters[p].again)
            parameter_of[s->analysis->parameters[p].scaling] = (uint32_t)p;
    return parameter_of;
}

static void find_actions(cnx_scalings *s)
{
    const uint32_t *parameter_of = parameters_by_value(s);
    s->actions = CNX_NEW_ARRAY(s->arena, cnx_axis_actions *, s->analysis->parameter_count);
    size_t **capacity = CNX_NEW_ARRAY(s->arena, size_t *, s->analysis->parameter_count);
    for (size_t p = 0; p < s->analysis->parameter_count; p++) {
        uint32_t rank = s->analysis->parameters[p].tensor->rank;
        s->actions[p] = CNX_NEW_ARRAY(s->arena, cnx_axis_actions, rank);
        capacity[p] = CNX_NEW_ARRAY(s->arena, size_t, rank);
    }
    for (unsigned i = 0; i < 2; i++) {
        s->systems[i].generator_of = CNX_NEW_ARRAY(s->arena, uint32_t, s->unknown_count);
        s->systems[i].generator_count = s->systems[i].number_count = 0;
    }
    for (uint32_t v = 1; v < s->log->value_count; v++) {
        const cnx_scaled_value *value = &s->log->values[v];
        uint32_t p = parameter_of[value->whole != 0 ? value->whole : v];
        for (uint32_t k = 0; p != CNX_NONE && k < value->rank; k++)
            for (unsigned i = 0; i < 2; i++)
                add_actions(s, &s->systems[i], &s->actions[p][k], &capacity[p][k], v, k);
    }
}

cnx_scalings *cnx_solve_scalings(cnx_arena *arena, cnx_analysis *analysis, bool shifted)
{
    cnx_scalings *s = CNX_NEW(arena, cnx_scalings);
    *s = (cnx_scalings){.arena = arena,
                        .analysis = analysis,
                        .log = analysis->scaling,
                        .cells = cnx_analysis_cells(analysis),
                        .systems = {{.kind = CNX_SIGN,
                                     .stated = CNX_SIGN | (shifted ? CNX_SIGN_SHIFTED : CNX_SIGN_UNSHIFTED)},
                                    {.kind = CNX_SCALE, .stated = CNX_SCALE}}};
    s->roles = CNX_NEW_ARRAY(arena, cnx_roles, analysis->points->sequence_count);
    s->seen = CNX_NEW_ARRAY(arena, uint32_t, s->cells->class_count);
    number_unknowns(s);
    for (unsigned i = 0; i < 2; i++) {
        cnx_scaling_system *system = &s->systems[i];
        system->equations = cnx_equations_create(arena, s->unknown_count, system->kind == CNX_SIGN, NULL);
        cnx_state_log(s, system);
    }
    if (shifted)
        cnx_state_shifts(s);
    find_actions(s);
    if (cnx_drop_redundant(s))
        find_actions(s);
    return s;
}

cnx_scalings *cnx_find_scalings(cnx_arena *arena, cnx_analysis *analysis)
{
    cnx_scalings *s = cnx_solve_scalings(arena, analysis, false);
    cnx_measure_scalings(s);
    return s;
}

uint32_t cnx_generators_of(const cnx_scaling_system *system, uint32_t unknown, cnx_term *terms)
{
    const cnx_term *values;
    uint32_t count = 0;
    size_t value_count = cnx_equations_value(system->equations, unknown, &values);
    for (size_t t = 0; t < value_count; t++)
        if (system->generator_of[values[t].unknown] != 0)
            terms[count++] = (cnx_term){system->generator_of[values[t].unknown] - 1, values[t].factor};
    return count;
}

/* ---- reading the solution ---- */

static const cnx_scaling_system *system_of(const cnx_scalings *s, cnx_scaling_kind kind)
{
    return &s->systems[kind == CNX_SIGN ? 0 : 1];
}

const cnx_generator *cnx_scaling_generators(const cnx_scalings *s, cnx_scaling_kind kind, uint32_t *count,
                                            uint32_t *number_count)
{
    const cnx_scaling_system *system = system_of(s, kind);
    *count = system->generator_count;
    *number_count = system->number_count;
    return system->generators;
}

const cnx_scaling_action *cnx_scaling_actions(const cnx_scalings *s, size_t parameter, uint32_t axis,
                                              uint32_t *count)
{
    *count = s->actions[parameter][axis].count;
    return s->actions[parameter][axis].actions;
}

cnx_cell_scaling cnx_scaling_of_cell(const cnx_scalings *s, uint32_t cell)
{
    return s->sizes[cell];
}

cnx_cell_scaling cnx_scaling_excess(const cnx_scalings *s)
{
    return s->excess;
}
