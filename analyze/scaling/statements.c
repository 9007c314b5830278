/* From statements about axes to equations between roles: positions that meet are the same member, so every
 * combination of roles that meets somewhere gives one equation. */
#include "analyze/scaling/solve.h"

void cnx_state_zero(cnx_scaling_system *system, uint32_t unknown)
{
    cnx_term term = {unknown, 1};
    cnx_equations_add(system->equations, &term, 1);
}

/* The axes of one equation that have labels. */
typedef struct meeting {
    uint32_t count;
    uint32_t length; /* positions of the longest sequence; the others repeat along it */
    uint32_t extent; /* of the axis that has it */
    const cnx_sequence *sequences[CNX_MOST_TERMS];
    uint32_t extents[CNX_MOST_TERMS]; /* of the axes; an axis that varies over blocks has a sequence as long
                                         in each */
    const cnx_labels *labels[CNX_MOST_TERMS];
    const cnx_labels *longest;    /* of the axis that has the longest sequence */
    bool in_turn[CNX_MOST_TERMS]; /* all blocks are met before the first is met again */
    const cnx_roles *roles[CNX_MOST_TERMS];
    uint32_t first_unknown[CNX_MOST_TERMS];
    int32_t factors[CNX_MOST_TERMS];
} meeting;

static bool is_repeated(const cnx_scalings *s, const cnx_scaling_term *term)
{
    return cnx_sequence_of_axis(s, term->value, term->axis) != NULL &&
           s->log->values[term->value].axes[term->axis].repeats != NULL;
}

/* Gathers them, repeated ones only if asked. False when there are too many to follow. */
static bool gather_axes(cnx_scalings *s, const cnx_scaling_statement *statement, bool repeated, meeting *m)
{
    *m = (meeting){.count = 0};
    for (uint32_t t = 0; t < statement->term_count; t++) {
        const cnx_scaling_term *term = &statement->terms[t];
        const cnx_sequence *sequence = cnx_sequence_of_axis(s, term->value, term->axis);
        if (sequence == NULL || (!repeated && is_repeated(s, term)))
            continue;
        if (m->count == CNX_MOST_TERMS)
            return false;
        m->sequences[m->count] = sequence;
        const cnx_labels *labels = s->log->values[term->value].axes[term->axis].labels;
        m->labels[m->count] = labels->finer != NULL ? labels->finer : labels;
        m->extents[m->count] = labels->extent;
        if (sequence->count > m->length) {
            m->extent = m->extents[m->count];
            m->longest = m->labels[m->count];
        }
        m->roles[m->count] = cnx_roles_on_axis(s, term->value, term->axis);
        m->first_unknown[m->count] = s->first_unknown[term->value][term->axis];
        m->factors[m->count++] = term->factor;
        m->length = sequence->count > m->length ? sequence->count : m->length;
    }
    return true;
}

static void zero_axes(cnx_scalings *s, cnx_scaling_system *system, const cnx_scaling_statement *statement)
{
    for (uint32_t t = 0; t < statement->term_count; t++) {
        const cnx_scaling_term *term = &statement->terms[t];
        const cnx_roles *roles = cnx_roles_on_axis(s, term->value, term->axis);
        for (uint32_t r = 0; r < roles->count; r++)
            cnx_state_zero(system, s->first_unknown[term->value][term->axis] + r);
    }
}

/* The block of axis `t` that meets block `b` of the longest: its group, or all groups come in turn. */
static uint32_t met_block(const meeting *m, uint32_t t, uint32_t b)
{
    uint32_t blocks = m->sequences[t]->count / m->extents[t];
    return m->in_turn[t] ? b % blocks : b / (m->length / m->sequences[t]->count);
}

/* The position of axis `t` that meets position `i` of the longest. Where that varies over members of groups
 * (query heads) and the axis over the groups (of keys), members of a group meet the same positions; a plain
 * axis is the same in every block. */
static uint32_t met_position(const meeting *m, uint32_t t, uint32_t i)
{
    uint32_t count = m->sequences[t]->count, extent = m->extents[t];
    if (count == m->length || count == extent)
        return i % count;
    return met_block(m, t, i / extent) * extent + i % extent;
}

/* Whether a block is one of the class, or lies in one. */
static bool lies_in(const cnx_cells *cells, uint32_t block, uint32_t class, unsigned depth)
{
    if (cells->class_of[block] == class)
        return true;
    uint32_t twin = cells->twin_of[block];
    for (uint32_t e = cells->parent_start[twin]; e < cells->parent_start[twin + 1] && depth > 0; e++)
        if (lies_in(cells, cells->parent_point[e], class, depth - 1))
            return true;
    return false;
}

/* Whether the blocks of the longest lie in those of axis `t` that they meet. */
static bool blocks_meet(const cnx_cells *cells, const meeting *m, uint32_t t)
{
    const cnx_labels *groups = m->labels[t]->over, *members = m->longest->over;
    if (groups == NULL || members == NULL || members->sequence->count != m->length / m->extents[t] ||
        groups->sequence->count != m->sequences[t]->count / m->extents[t])
        return false;
    for (uint32_t b = 0; b < members->sequence->count; b++)
        if (!lies_in(cells, members->sequence->points[b],
                     cells->class_of[groups->sequence->points[met_block(m, t, b)]], 4))
            return false;
    return true;
}

/* Finds out how the blocks of axes that vary over fewer of them meet those of the longest; false when that
 * cannot be told. */
static bool find_blocks(const cnx_cells *cells, meeting *m)
{
    for (uint32_t t = 0; t < m->count; t++) {
        uint32_t count = m->sequences[t]->count;
        if (count == m->length || count == m->extents[t] || blocks_meet(cells, m, t))
            continue;
        m->in_turn[t] = true;
        if (!blocks_meet(cells, m, t))
            return false;
    }
    return true;
}

/* Whether positions that meet are of one class, at every position. */
static bool same_classes(const cnx_scalings *s, const meeting *m)
{
    for (uint32_t t = 1; t < m->count; t++) {
        const cnx_sequence *a = m->sequences[t - 1], *b = m->sequences[t];
        if (a == b)
            continue;
        for (uint32_t i = 0; i < m->length; i++)
            if (s->cells->class_of[a->points[met_position(m, t - 1, i)]] !=
                s->cells->class_of[b->points[met_position(m, t, i)]])
                return false;
    }
    return true;
}

/* A plain axis repeats in every block. One that varies over all blocks has as many positions as the longest,
 * which may be the same positions without blocks: input channels of a grouped convolution, and those of its
 * weight, group by group. */
static bool length_fits(const meeting *m, uint32_t count, uint32_t extent)
{
    return count != 0 && m->length % count == 0 &&
           (count == extent || count == m->length || extent == m->extent);
}

static bool lengths_fit(const meeting *m)
{
    for (uint32_t t = 0; t < m->count; t++)
        if (!length_fits(m, m->sequences[t]->count, m->extents[t]))
            return false;
    return true;
}

/* The roles that meet at a position; false when nothing may move there. */
static bool roles_at(const meeting *m, uint32_t position, uint32_t *roles)
{
    for (uint32_t t = 0; t < m->count; t++) {
        roles[t] = cnx_role_at(m->roles[t], met_position(m, t, position));
        if (roles[t] == CNX_NONE)
            return false; /* one class, so none of them has a role */
    }
    return true;
}

static void state_roles(cnx_scaling_system *system, const meeting *m, const uint32_t *roles)
{
    cnx_term terms[CNX_MOST_TERMS];
    for (uint32_t t = 0; t < m->count; t++)
        terms[t] = (cnx_term){m->first_unknown[t] + roles[t], m->factors[t]};
    cnx_equations_add(system->equations, terms, m->count);
}

static bool has_one_role_each(const meeting *m)
{
    for (uint32_t t = 0; t < m->count; t++)
        if (m->roles[t]->role_of != NULL || m->roles[t]->count != 1)
            return false;
    return true;
}

static void state_meeting(cnx_scalings *s, cnx_scaling_system *system, const meeting *m)
{
    uint32_t roles[CNX_MOST_TERMS] = {0};
    if (m->count == 0)
        return;
    if (has_one_role_each(m)) {
        state_roles(system, m, roles);
        return;
    }
    cnx_arena *scratch = cnx_arena_create(s->arena);
    cnx_intern met;
    cnx_intern_init(&met, scratch);
    for (uint32_t i = 0; i < m->length; i++) {
        size_t known = met.count;
        if (roles_at(m, i, roles) && cnx_intern_add(&met, roles, m->count * sizeof *roles) == known)
            state_roles(system, m, roles);
    }
    cnx_arena_destroy(scratch);
}

/* Whether the axes meet position by position. */
static bool meet(const cnx_scalings *s, meeting *m)
{
    return m->count == 0 || (lengths_fit(m) && find_blocks(s->cells, m) && same_classes(s, m));
}

/* A repeated axis that meets others than its like was written out there (cnx_axis_settle), with points of its
 * own: not followed, it is not multiplied. What it meets may be, as where it was written out before. */
static void state_equation(cnx_scalings *s, cnx_scaling_system *system,
                           const cnx_scaling_statement *statement)
{
    meeting m;
    bool followed = gather_axes(s, statement, true, &m) && meet(s, &m);
    if (!followed) {
        bool any = false;
        for (uint32_t t = 0; t < statement->term_count; t++)
            if (is_repeated(s, &statement->terms[t])) {
                cnx_state_zero_axis(s, system, statement->terms[t].value, statement->terms[t].axis);
                any = true;
            }
        followed = any && gather_axes(s, statement, false, &m) && meet(s, &m);
    }
    if (followed)
        state_meeting(s, system, &m);
    else
        zero_axes(s, system, statement);
}

/* The axis that rows are cut from. */
static uint32_t axis_of_rows(const cnx_scaled_value *rows)
{
    uint32_t axis = 0;
    while (rows->axes[axis].kind != CNX_AXIS_LABELS)
        axis++;
    return axis;
}

/* Counts, by value that has rows, the statements about the axis that they are cut from. */
static void count_statements(const cnx_scaling_log *log, const uint32_t *axis_of, uint32_t *count)
{
    for (size_t i = 0; i < log->statement_count; i++) {
        const cnx_scaling_statement *statement = &log->statements[i];
        bool of_axis = statement->form == CNX_SCALING_EQUATION || statement->form == CNX_SCALING_JOIN;
        for (uint32_t t = 0; t < statement->term_count && statement->form != CNX_SCALING_SEPARATE; t++) {
            const cnx_scaling_term *term = &statement->terms[t];
            count[term->value] +=
                axis_of[term->value] != CNX_NONE && (!of_axis || term->axis == axis_of[term->value]);
        }
    }
}

/* Rows are multiplied on top of what anybody else sees of their parameter, so nobody else may read it: the
 * node that has them says one thing of the axis, that it is fixed, and any other reader would say another. */
static void zero_shared_rows(cnx_scalings *s, cnx_scaling_system *system)
{
    const cnx_scaling_log *log = s->log;
    cnx_arena *scratch = cnx_arena_create(s->arena);
    uint32_t *axis_of = CNX_NEW_ARRAY(scratch, uint32_t, log->value_count);
    uint32_t *count = CNX_NEW_ARRAY(scratch, uint32_t, log->value_count);
    memset(axis_of, 0xff, log->value_count * sizeof *axis_of);
    for (uint32_t v = 1; v < log->value_count; v++)
        if (log->values[v].whole != 0)
            axis_of[log->values[v].whole] = axis_of_rows(&log->values[v]);
    count_statements(log, axis_of, count);
    for (uint32_t v = 1; v < log->value_count; v++)
        if (log->values[v].whole != 0 && count[log->values[v].whole] != 1)
            cnx_state_zero_axis(s, system, v, axis_of_rows(&log->values[v]));
    cnx_arena_destroy(scratch);
}

void cnx_state_log(cnx_scalings *s, cnx_scaling_system *system)
{
    for (size_t i = 0; i < s->log->statement_count; i++) {
        const cnx_scaling_statement *statement = &s->log->statements[i];
        if (((unsigned)statement->kind & system->stated) == 0)
            continue;
        if (statement->form == CNX_SCALING_EQUATION)
            state_equation(s, system, statement);
        else if (statement->form == CNX_SCALING_CARRY || statement->form == CNX_SCALING_PARTS)
            cnx_state_carry(s, system, statement);
        else if (statement->form == CNX_SCALING_JOIN)
            cnx_state_join(s, system, statement);
    }
    zero_shared_rows(s, system);
}
