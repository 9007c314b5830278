/* What the operators said about factors, in the order of the sweep. */
#include "analyze/scaling/log.h"

#include "analyze/symmetry/labels.h"

cnx_scaling_log *cnx_scaling_log_create(cnx_arena *arena)
{
    cnx_scaling_log *log = CNX_NEW(arena, cnx_scaling_log);
    log->arena = arena;
    cnx_scaled_value fixed = {.whole = 0};
    CNX_PUSH(arena, log->values, log->value_count, log->value_capacity, fixed);
    return log;
}

static uint32_t add_value(cnx_scaling_log *log, cnx_scaled_value value)
{
    if (log->value_count >= CNX_NONE)
        cnx_fail(log->arena, CNX_ERROR_LIMIT, NULL, "the graph has more than 2^32 values");
    CNX_PUSH(log->arena, log->values, log->value_count, log->value_capacity, value);
    return (uint32_t)log->value_count - 1;
}

uint32_t cnx_scaling_value(cnx_scaling_log *log, const cnx_fact *fact)
{
    return fact->known ? add_value(log, (cnx_scaled_value){.rank = fact->rank, .axes = fact->axes}) : 0;
}

uint32_t cnx_scaling_parameter(cnx_scaling_log *log, const cnx_fact *fact)
{
    uint32_t value = cnx_scaling_value(log, fact);
    log->values[value].parameter = value != 0;
    return value;
}

/* The axes of positions [from, from + count) of axis `axis` of `value`; NULL when they cannot be named. */
static const cnx_axis *cut_axes(cnx_scaling_log *log, cnx_points *points, uint32_t value, uint32_t axis,
                                uint32_t from, uint32_t count)
{
    cnx_scaled_value whole = log->values[value];
    if (axis >= whole.rank)
        return NULL;
    cnx_axis kept = whole.axes[axis];
    if (kept.kind != CNX_AXIS_LABELS || kept.repeats != NULL)
        return NULL;
    if (kept.labels->finer != NULL)
        kept.labels = kept.labels->finer;
    if ((uint64_t)from + count > kept.labels->extent)
        return NULL;
    uint32_t *index = CNX_NEW_ARRAY(log->arena, uint32_t, count);
    for (uint32_t i = 0; i < count; i++)
        index[i] = from + i;
    cnx_axis *axes = CNX_NEW_ARRAY(log->arena, cnx_axis, whole.rank);
    for (uint32_t k = 0; k < whole.rank; k++)
        axes[k] = (cnx_axis){.kind = CNX_AXIS_ANY};
    axes[axis] = cnx_axis_gather(points, kept, index, count, CNX_NONE);
    return axes;
}

uint32_t cnx_scaling_rows(cnx_scaling_log *log, cnx_points *points, uint32_t value, uint32_t axis,
                          uint32_t from, uint32_t count)
{
    uint32_t rank = log->values[value].rank;
    const cnx_axis *axes =
        log->values[value].parameter ? cut_axes(log, points, value, axis, from, count) : NULL;
    if (axes == NULL)
        return 0;
    return add_value(
        log, (cnx_scaled_value){.rank = rank, .axes = axes, .whole = value, .from = from, .count = count});
}

static void add_statement(cnx_scaling_log *log, cnx_scaling_statement statement)
{
    CNX_PUSH(log->arena, log->statements, log->statement_count, log->statement_capacity, statement);
}

void cnx_scaling_equation(cnx_scaling_log *log, cnx_scaling_kind kind, const cnx_scaling_term *terms,
                          uint32_t count)
{
    cnx_scaling_term *kept = CNX_NEW_ARRAY(log->arena, cnx_scaling_term, count);
    uint32_t size = 0;
    for (uint32_t i = 0; i < count; i++)
        if (terms[i].value != 0)
            kept[size++] = terms[i];
    if (size != 0)
        add_statement(log,
                      (cnx_scaling_statement){
                          .form = CNX_SCALING_EQUATION, .kind = kind, .term_count = size, .terms = kept});
}

void cnx_scaling_equal(cnx_scaling_log *log, cnx_scaling_kind kind, uint32_t a, uint32_t a_axis, uint32_t b,
                       uint32_t b_axis)
{
    cnx_scaling_term terms[2] = {{a, a_axis, 1}, {b, b_axis, -1}};
    cnx_scaling_equation(log, kind, terms, 2);
}

void cnx_scaling_fix_axis(cnx_scaling_log *log, cnx_scaling_kind kind, uint32_t value, uint32_t axis)
{
    cnx_scaling_term term = {value, axis, 1};
    cnx_scaling_equation(log, kind, &term, 1);
}

void cnx_scaling_fix(cnx_scaling_log *log, cnx_scaling_kind kind, uint32_t value)
{
    for (uint32_t k = 0; k < log->values[value].rank; k++)
        cnx_scaling_fix_axis(log, kind, value, k);
}

void cnx_scaling_fix_inputs(cnx_rule *rule, cnx_scaling_kind kind, uint32_t first)
{
    for (uint32_t i = first; i < rule->input_count; i++)
        if (rule->present[i])
            cnx_scaling_fix(rule->analysis->scaling, kind, rule->inputs[i].scaling);
}

void cnx_scaling_fix_outputs(cnx_rule *rule, cnx_scaling_kind kind, uint32_t first)
{
    for (uint32_t o = first; o < rule->output_count; o++)
        cnx_scaling_fix(rule->analysis->scaling, kind, rule->outputs[o].scaling);
}

void cnx_scaling_fix_node(cnx_rule *rule, cnx_scaling_kind kind)
{
    cnx_scaling_fix_inputs(rule, kind, 0);
    cnx_scaling_fix_outputs(rule, kind, 0);
}

void cnx_scaling_carry(cnx_scaling_log *log, cnx_scaling_kind kind, uint32_t from, uint32_t to,
                       int32_t degree, bool parts)
{
    cnx_scaling_term *terms = CNX_NEW_ARRAY(log->arena, cnx_scaling_term, 2);
    terms[0] = (cnx_scaling_term){from, 0, degree};
    terms[1] = (cnx_scaling_term){to, 0, -1};
    add_statement(log, (cnx_scaling_statement){.form = parts ? CNX_SCALING_PARTS : CNX_SCALING_CARRY,
                                               .kind = kind,
                                               .term_count = 2,
                                               .terms = terms});
}

uint32_t cnx_scaling_cut(cnx_scaling_log *log, cnx_points *points, uint32_t value, uint32_t axis,
                         uint32_t from, uint32_t count)
{
    uint32_t rank = log->values[value].rank;
    const cnx_axis *axes = cut_axes(log, points, value, axis, from, count);
    if (axes == NULL) {
        cnx_scaling_fix(log, CNX_SIGN_AND_SCALE, value);
        return 0;
    }
    uint32_t part = add_value(log, (cnx_scaled_value){.rank = rank, .axes = axes});
    cnx_scaling_carry(log, CNX_SIGN_AND_SCALE, value, part, 1, true);
    return part;
}

void cnx_scaling_join(cnx_scaling_log *log, const cnx_scaling_term *terms, uint32_t count)
{
    cnx_scaling_term *kept = CNX_NEW_ARRAY(log->arena, cnx_scaling_term, count);
    memcpy(kept, terms, count * sizeof *kept);
    add_statement(
        log, (cnx_scaling_statement){
                 .form = CNX_SCALING_JOIN, .kind = CNX_SIGN_AND_SCALE, .term_count = count, .terms = kept});
}

void cnx_scaling_separate_axis(cnx_scaling_log *log, uint32_t value, uint32_t axis)
{
    cnx_scaling_term *term = CNX_NEW(log->arena, cnx_scaling_term);
    *term = (cnx_scaling_term){value, axis, 1};
    if (value != 0)
        add_statement(log, (cnx_scaling_statement){.form = CNX_SCALING_SEPARATE,
                                                   .kind = CNX_SIGN_AND_SCALE,
                                                   .term_count = 1,
                                                   .terms = term});
}

void cnx_scaling_separate(cnx_scaling_log *log, uint32_t value)
{
    for (uint32_t k = 0; k < log->values[value].rank; k++)
        cnx_scaling_separate_axis(log, value, k);
}

void cnx_scaling_norm(cnx_scaling_log *log, uint32_t from, uint32_t to)
{
    for (uint32_t k = 0; k < log->values[from].rank; k++) {
        cnx_scaling_term *terms = CNX_NEW_ARRAY(log->arena, cnx_scaling_term, 2);
        terms[0] = (cnx_scaling_term){from, k, 1};
        terms[1] = (cnx_scaling_term){to, 0, 1};
        add_statement(
            log, (cnx_scaling_statement){
                     .form = CNX_SCALING_NORM, .kind = CNX_SIGN_AND_SCALE, .term_count = 2, .terms = terms});
    }
}

/* ---- the driver ---- */

void cnx_follow_scaling(cnx_rule *rule)
{
    cnx_scaling_log *log = rule->analysis->scaling;
    if (rule->node->function != NULL)
        return; /* its body has been followed, and its outputs have their numbers */
    if (rule->deferred)
        return;
    if (rule->carried != 0) {
        rule->outputs[0].scaling = cnx_scaling_value(log, &rule->outputs[0]);
        cnx_scaling_carry(log, CNX_SIGN_AND_SCALE, rule->carried, rule->outputs[0].scaling, 1, false);
        return;
    }
    if (rule->op != NULL && rule->op->scaling != NULL && rule->followed) {
        for (uint32_t o = 0; o < rule->output_count; o++)
            rule->outputs[o].scaling = cnx_scaling_value(log, &rule->outputs[o]);
        rule->op->scaling(rule);
        return;
    }
    cnx_scaling_fix_inputs(rule, CNX_SIGN_AND_SCALE, 0);
    for (uint32_t o = 0; o < rule->output_count; o++)
        rule->outputs[o].scaling = 0;
}
