/* The positions of an axis, sorted by cell and copy. Most axes have one role: then nothing is kept for their
 * positions. */
#include "analyze/scaling/solve.h"
#include "analyze/symmetry/labels.h"
#include "base/keyed.h"

const cnx_sequence *cnx_sequence_of_axis(const cnx_scalings *s, uint32_t value, uint32_t axis)
{
    const cnx_scaled_value *v = &s->log->values[value];
    if (axis >= v->rank || v->axes[axis].kind != CNX_AXIS_LABELS)
        return NULL;
    const cnx_labels *labels = v->axes[axis].labels;
    return labels->finer != NULL ? labels->finer->sequence : labels->sequence;
}

static uint32_t class_at(const cnx_scalings *s, const cnx_sequence *sequence, uint32_t position)
{
    return s->cells->class_of[sequence->points[position]];
}

static bool is_uniform(cnx_scalings *s, const cnx_sequence *sequence)
{
    uint32_t cell = s->cells->cell_of[class_at(s, sequence, 0)];
    return cell != CNX_NONE && sequence->count == s->cells->cells[cell].count;
}

/* Whether all positions are one copy of the cell of the first one. */
static bool has_one_role(cnx_scalings *s, const cnx_sequence *sequence)
{
    if (sequence->count == 0 || !is_uniform(s, sequence))
        return false;
    uint32_t cell = s->cells->cell_of[class_at(s, sequence, 0)], position = 0;
    for (; position < sequence->count; position++) {
        uint32_t class = class_at(s, sequence, position);
        if (s->cells->cell_of[class] != cell || s->seen[class]++ != 0)
            break;
    }
    bool one = position == sequence->count;
    for (uint32_t i = 0; i < sequence->count; i++)
        s->seen[class_at(s, sequence, i)] = 0;
    return one;
}

/* The positions that have a cell, by it and by copy: the key is both numbers. */
static uint32_t place_all(cnx_scalings *s, cnx_arena *scratch, const cnx_sequence *sequence,
                          cnx_keyed *places)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < sequence->count; i++) {
        uint32_t class = class_at(s, sequence, i), cell = s->cells->cell_of[class];
        if (cell != CNX_NONE)
            places[count++] = (cnx_keyed){(uint64_t)cell << 32 | s->seen[class]++, i};
    }
    for (uint32_t i = 0; i < sequence->count; i++)
        s->seen[class_at(s, sequence, i)] = 0;
    cnx_sort_keyed(scratch, places, count);
    return count;
}

static cnx_roles find_roles(cnx_scalings *s, const cnx_sequence *sequence)
{
    cnx_roles roles = {.known = true};
    uint32_t *cells, *copies, *positions, *role_of = NULL;
    cnx_arena *scratch = cnx_arena_create(s->arena);
    cnx_keyed *places = NULL;
    uint32_t count = 0;
    bool one = has_one_role(s, sequence);
    if (!one) {
        places = CNX_NEW_ARRAY(scratch, cnx_keyed, sequence->count);
        count = place_all(s, scratch, sequence, places);
        for (uint32_t i = 0; i < count; i++)
            roles.count += i == 0 || places[i].key != places[i - 1].key;
    } else {
        roles.count = 1;
    }
    roles.cells = cells = CNX_NEW_ARRAY(s->arena, uint32_t, roles.count);
    roles.copies = copies = CNX_NEW_ARRAY(s->arena, uint32_t, roles.count);
    roles.positions = positions = CNX_NEW_ARRAY(s->arena, uint32_t, roles.count);
    if (one) {
        cells[0] = s->cells->cell_of[class_at(s, sequence, 0)];
        positions[0] = sequence->count;
    } else if (count != 0) {
        roles.role_of = role_of = CNX_NEW_ARRAY(s->arena, uint32_t, sequence->count);
        memset(role_of, 0xff, sequence->count * sizeof *role_of);
    }
    for (uint32_t i = 0, role = 0; i < count; i++) {
        role += i != 0 && places[i].key != places[i - 1].key;
        cells[role] = (uint32_t)(places[i].key >> 32);
        copies[role] = (uint32_t)places[i].key;
        positions[role]++;
        role_of[places[i].item] = role;
    }
    cnx_arena_destroy(scratch);
    return roles;
}

const cnx_roles *cnx_roles_on_axis(cnx_scalings *s, uint32_t value, uint32_t axis)
{
    static const cnx_roles none = {.known = true};
    const cnx_sequence *sequence = cnx_sequence_of_axis(s, value, axis);
    if (sequence == NULL)
        return &none;
    cnx_roles *roles = &s->roles[sequence->id];
    if (!roles->known)
        *roles = find_roles(s, sequence);
    return roles;
}

uint32_t cnx_role_at(const cnx_roles *roles, uint32_t position)
{
    if (roles->count == 0)
        return CNX_NONE;
    return roles->role_of != NULL ? roles->role_of[position] : 0;
}

uint32_t cnx_roles_of_cell(const cnx_roles *roles, uint32_t cell, uint32_t *count)
{
    uint32_t low = 0, high = roles->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (roles->cells[middle] < cell)
            low = middle + 1;
        else
            high = middle;
    }
    *count = 0;
    while (low + *count < roles->count && roles->cells[low + *count] == cell)
        ++*count;
    return low;
}

/* Many actions ask for their role's positions, one after the other. */
static void list_positions(cnx_arena *arena, const cnx_sequence *sequence, cnx_roles *roles)
{
    uint32_t end = 0;
    roles->first_listed = CNX_NEW_ARRAY(arena, uint32_t, roles->count);
    for (uint32_t r = 0; r < roles->count; r++) {
        roles->first_listed[r] = end;
        end += roles->positions[r];
    }
    roles->listed = CNX_NEW_ARRAY(arena, uint32_t, end);
    uint32_t *next = CNX_NEW_ARRAY(arena, uint32_t, roles->count);
    memcpy(next, roles->first_listed, roles->count * sizeof *next);
    for (uint32_t i = 0; i < sequence->count; i++)
        if (roles->role_of[i] != CNX_NONE)
            roles->listed[next[roles->role_of[i]]++] = i;
}

const cnx_scaling_place *cnx_scaling_places(cnx_arena *arena, const cnx_scalings *s,
                                            const cnx_scaling_action *action, uint32_t axis, uint32_t *count)
{
    const cnx_sequence *sequence = cnx_sequence_of_axis(s, action->value, axis);
    const cnx_scaled_value *v = &s->log->values[action->value];
    cnx_roles *roles = &s->roles[sequence->id];
    *count = roles->positions[action->role];
    cnx_scaling_place *places = CNX_NEW_ARRAY(arena, cnx_scaling_place, *count);
    if (roles->role_of != NULL && roles->listed == NULL)
        list_positions(s->arena, sequence, roles);
    const uint32_t *listed =
        roles->role_of != NULL ? roles->listed + roles->first_listed[action->role] : NULL;
    for (uint32_t n = 0; n < *count; n++) {
        uint32_t i = listed != NULL ? listed[n] : n, position = i;
        if (v->whole != 0) { /* rows are a piece of every block of the parameter's axis */
            const cnx_axis *whole = &s->log->values[v->whole].axes[axis];
            position = i / v->count * whole->labels->extent + v->from + i % v->count;
        }
        places[n] = (cnx_scaling_place){position, s->cells->rank_of[class_at(s, sequence, i)]};
    }
    return places;
}
