/* Elements that were moved: the factors of a position of the result are those of the position it came from.
 *
 * Labels follow elements: where a position of the result has the very point of a position before, it is that
 * one. Where points were made anew, for copies, any position of the same class may be the origin, and all of
 * them are taken to be. A cell that is on several axes of a value is not followed. Of parts that are put one
 * after the other every position is known, whatever points stand for it.
 */
#include "analyze/scaling/solve.h"
#include "analyze/symmetry/labels.h"

/* An axis that elements come from. */
typedef struct origin {
    uint32_t value;
    uint32_t axis;
    const cnx_sequence *sequence;
    const cnx_roles *roles;
    bool *found;  /* by role: something of it is in the result */
    bool *hidden; /* by role: copies of it may be in the result, with points of their own */
    bool *exact;  /* by hidden role: it is in the result with its own points, too */
    bool left;    /* some position of it is in the result with its own point */
} origin;

void cnx_state_zero_axis(cnx_scalings *s, cnx_scaling_system *system, uint32_t value, uint32_t axis)
{
    for (uint32_t r = 0; r < cnx_roles_on_axis(s, value, axis)->count; r++)
        cnx_state_zero(system, s->first_unknown[value][axis] + r);
}

/* Zero for cells that another axis of the value has as well. */
static void zero_doubled(cnx_scalings *s, cnx_scaling_system *system, uint32_t value, uint32_t axis)
{
    const cnx_roles *roles = cnx_roles_on_axis(s, value, axis);
    for (uint32_t other = 0; other < s->log->values[value].rank; other++)
        for (uint32_t r = 0; r < roles->count && other != axis; r++) {
            uint32_t count;
            cnx_roles_of_cell(cnx_roles_on_axis(s, value, other), roles->cells[r], &count);
            if (count != 0)
                cnx_state_zero(system, s->first_unknown[value][axis] + r);
        }
}

/* degree * (role of the origin) = (role of the result) */
static void state_origin(cnx_scalings *s, cnx_scaling_system *system, origin *from, uint32_t role,
                         uint32_t result, int32_t degree)
{
    cnx_term terms[2] = {{s->first_unknown[from->value][from->axis] + role, degree}, {result, -1}};
    from->found[role] = true;
    cnx_equations_add(system->equations, terms, 2);
}

/* Marks cells where they are on an origin's axis. Returns whether any are. */
static bool hide_cells(cnx_scalings *s, origin *origins, uint32_t origin_count, uint32_t list)
{
    bool any = false;
    uint32_t cell_count;
    const uint32_t *cells = cnx_cells_in_list(s, list, &cell_count);
    for (uint32_t i = 0; i < cell_count; i++)
        for (uint32_t o = 0; o < origin_count; o++) {
            uint32_t count, first = cnx_roles_of_cell(origins[o].roles, cells[i], &count);
            for (uint32_t r = first; r < first + count; r++)
                origins[o].hidden[r] = any = true;
        }
    return any;
}

/* A class that comes from nowhere may be copies, made by a selection that repeats: what they are copies of
 * are blocks that they lie in, and stays as unmultiplied as they do. */
static void hide_originals(cnx_scalings *s, origin *origins, uint32_t origin_count, uint32_t class)
{
    hide_cells(s, origins, origin_count, cnx_cells_around_class(s, class));
}

/* The same for all positions of an axis that may not move: thousands of them, between few blocks. */
static void hide_originals_of_pinned(cnx_scalings *s, origin *origins, uint32_t origin_count,
                                     const cnx_sequence *sequence, const cnx_roles *roles)
{
    cnx_arena *scratch = cnx_arena_create(s->arena);
    cnx_intern met;
    cnx_intern_init(&met, scratch);
    for (uint32_t i = 0; i < sequence->count; i++) {
        uint32_t known = (uint32_t)met.count;
        if (cnx_role_at(roles, i) != CNX_NONE)
            continue;
        uint32_t list = cnx_cells_around_class(s, s->cells->class_of[sequence->points[i]]);
        if (cnx_intern_add(&met, &list, sizeof list) == known)
            hide_cells(s, origins, origin_count, list);
    }
    cnx_arena_destroy(scratch);
}

/* The result's role `role` comes from wherever its cell is. */
static void state_by_cell(cnx_scalings *s, cnx_scaling_system *system, origin *origins, uint32_t origin_count,
                          uint32_t cell, uint32_t result, int32_t degree)
{
    bool any = false;
    for (uint32_t o = 0; o < origin_count; o++) {
        uint32_t count, first = cnx_roles_of_cell(origins[o].roles, cell, &count);
        for (uint32_t r = first; r < first + count; r++)
            state_origin(s, system, &origins[o], r, result, degree);
        any = any || count != 0;
    }
    if (any)
        return;
    cnx_state_zero(system, result);
    hide_originals(s, origins, origin_count, s->cells->members[s->cells->cells[cell].first]);
}

/* Whether some cell of the result has several copies where it comes from, so that points have to tell. */
static bool has_copies(const cnx_roles *result, const origin *origins, uint32_t origin_count)
{
    for (uint32_t r = 0; r < result->count; r++) {
        uint32_t copies = 0, count;
        for (uint32_t o = 0; o < origin_count; o++) {
            cnx_roles_of_cell(origins[o].roles, result->cells[r], &count);
            copies += count;
        }
        if (copies > 1)
            return true;
    }
    return false;
}

/* Lets s->position_of hold 1 + the place of a point among all origins' positions; or clears it again. */
static void mark_points(cnx_scalings *s, const origin *origins, uint32_t origin_count, bool clear)
{
    if (s->position_of == NULL)
        s->position_of = CNX_NEW_ARRAY(s->arena, uint32_t, s->analysis->points->point_count);
    for (uint32_t o = 0, base = 1; o < origin_count; base += origins[o++].sequence->count)
        for (uint32_t i = 0; i < origins[o].sequence->count; i++)
            s->position_of[origins[o].sequence->points[i]] = clear ? 0 : base + i;
}

/* Copies may have been identified with other positions of their axis since, so that their class is found
 * where they do not come from. They are not multiplied then, nor is what they were copied from. (Blocks of
 * another axis are what they lie in, as heads, and no originals.) */
static void zero_copies(cnx_scalings *s, cnx_scaling_system *system, origin *origins, uint32_t origin_count,
                        const cnx_sequence *sequence, const cnx_roles *roles, uint32_t first)
{
    const cnx_cells *cells = s->cells;
    bool inside = false;
    for (uint32_t i = 0; i < sequence->count && !inside; i++)
        inside = cnx_cells_around_class(s, cells->class_of[sequence->points[i]]) != CNX_NO_CELLS;
    if (!inside)
        return;
    cnx_arena *scratch = cnx_arena_create(s->arena);
    cnx_intern met;
    cnx_intern_init(&met, scratch);
    mark_points(s, origins, origin_count, false);
    for (uint32_t i = 0; i < sequence->count; i++) {
        uint32_t point = sequence->points[i], known = (uint32_t)met.count;
        uint32_t key[2] = {cnx_role_at(roles, i), cnx_cells_around_twin(s, cells->twin_of[point])};
        if (key[0] == CNX_NONE || s->position_of[point] != 0 || cnx_intern_add(&met, key, sizeof key) < known)
            continue;
        for (uint32_t o = 0; o < origin_count; o++) {
            uint32_t count;
            cnx_roles_of_cell(origins[o].roles, roles->cells[key[0]], &count);
            if (count != 0 && hide_cells(s, &origins[o], 1, key[1]))
                cnx_state_zero(system, first + key[0]);
        }
    }
    mark_points(s, origins, origin_count, true);
    cnx_arena_destroy(scratch);
}

/* Position by position. */
static void state_by_point(cnx_scalings *s, cnx_scaling_system *system, origin *origins,
                           uint32_t origin_count, const cnx_sequence *sequence, const cnx_roles *roles,
                           uint32_t first, int32_t degree)
{
    cnx_arena *scratch = cnx_arena_create(s->arena);
    cnx_intern met;
    cnx_intern_init(&met, scratch);
    mark_points(s, origins, origin_count, false);
    for (uint32_t i = 0; i < sequence->count; i++) {
        uint32_t role = cnx_role_at(roles, i), place = s->position_of[sequence->points[i]], o = 0;
        if (role == CNX_NONE)
            continue;
        while (place != 0 && place > origins[o].sequence->count)
            place -= origins[o++].sequence->count;
        uint32_t known = (uint32_t)met.count;
        uint32_t key[3] = {role, place != 0 ? o : CNX_NONE,
                           place != 0 ? cnx_role_at(origins[o].roles, place - 1) : 0};
        if (cnx_intern_add(&met, key, sizeof key) < known)
            continue;
        if (place != 0 && key[2] != CNX_NONE)
            state_origin(s, system, &origins[o], key[2], first + role, degree);
        else
            state_by_cell(s, system, origins, origin_count, roles->cells[role], first + role, degree);
    }
    mark_points(s, origins, origin_count, true);
    cnx_arena_destroy(scratch);
}

/* Axis `axis` of `to` has its elements from the origins. */
static void state_axis(cnx_scalings *s, cnx_scaling_system *system, origin *origins, uint32_t origin_count,
                       uint32_t to, uint32_t axis, int32_t degree)
{
    const cnx_sequence *sequence = cnx_sequence_of_axis(s, to, axis);
    const cnx_roles *roles = cnx_roles_on_axis(s, to, axis);
    uint32_t first = s->first_unknown[to][axis];
    if (sequence == NULL)
        return;
    hide_originals_of_pinned(s, origins, origin_count, sequence, roles);
    zero_copies(s, system, origins, origin_count, sequence, roles, first);
    if (has_copies(roles, origins, origin_count)) {
        state_by_point(s, system, origins, origin_count, sequence, roles, first, degree);
        return;
    }
    for (uint32_t r = 0; r < roles->count; r++)
        state_by_cell(s, system, origins, origin_count, roles->cells[r], first + r, degree);
}

static void add_origin(cnx_scalings *s, cnx_arena *scratch, origin *origins, uint32_t *count, uint32_t value,
                       uint32_t axis)
{
    const cnx_sequence *sequence = cnx_sequence_of_axis(s, value, axis);
    if (sequence == NULL)
        return;
    origin *o = &origins[(*count)++];
    *o = (origin){.value = value, .axis = axis, .sequence = sequence};
    o->roles = cnx_roles_on_axis(s, value, axis);
    o->found = CNX_NEW_ARRAY(scratch, bool, o->roles->count);
    o->hidden = CNX_NEW_ARRAY(scratch, bool, o->roles->count);
    o->exact = CNX_NEW_ARRAY(scratch, bool, o->roles->count);
}

static bool hides_any(const origin *origins, uint32_t count)
{
    for (uint32_t o = 0; o < count; o++)
        for (uint32_t r = 0; r < origins[o].roles->count; r++)
            if (origins[o].hidden[r])
                return true;
    return false;
}

/* Finds `left` and `exact`, if they matter, as far as axis `axis` of the result shows them. */
static void find_exact(cnx_scalings *s, origin *origins, uint32_t count, uint32_t to, uint32_t axis,
                       bool parts)
{
    const cnx_sequence *sequence = cnx_sequence_of_axis(s, to, axis);
    if (sequence == NULL || (!parts && !hides_any(origins, count)))
        return;
    mark_points(s, origins, count, false);
    for (uint32_t i = 0; i < sequence->count; i++) {
        uint32_t place = s->position_of[sequence->points[i]], o = 0;
        while (place != 0 && place > origins[o].sequence->count)
            place -= origins[o++].sequence->count;
        if (place == 0)
            continue;
        uint32_t role = cnx_role_at(origins[o].roles, place - 1);
        origins[o].left = true;
        if (role != CNX_NONE)
            origins[o].exact[role] = true;
    }
    mark_points(s, origins, count, true);
}

/* What has gone, or cannot be found any more, is not multiplied; with `parts`, an axis of which something is
 * left may have lost elements. What was selected more than once is not multiplied even if something of its
 * class is found: that may be another copy. */
static void zero_missing(cnx_scalings *s, cnx_scaling_system *system, const origin *from, bool parts)
{
    bool left = from->left;
    for (uint32_t r = 0; r < from->roles->count; r++)
        left = left || from->found[r];
    for (uint32_t r = 0; r < from->roles->count; r++)
        if (parts && left ? from->hidden[r] : !from->found[r] || (from->hidden[r] && !from->exact[r]))
            cnx_state_zero(system, s->first_unknown[from->value][from->axis] + r);
}

void cnx_state_carry(cnx_scalings *s, cnx_scaling_system *system, const cnx_scaling_statement *statement)
{
    uint32_t from = statement->terms[0].value, to = statement->terms[1].value, count = 0;
    uint32_t from_rank = s->log->values[from].rank, to_rank = s->log->values[to].rank;
    cnx_arena *scratch = cnx_arena_create(s->arena);
    origin *origins = CNX_NEW_ARRAY(scratch, origin, from_rank);
    for (uint32_t k = 0; k < from_rank; k++) {
        add_origin(s, scratch, origins, &count, from, k);
        zero_doubled(s, system, from, k);
    }
    for (uint32_t k = 0; k < to_rank; k++) {
        zero_doubled(s, system, to, k);
        state_axis(s, system, origins, count, to, k, statement->terms[0].factor);
    }
    bool parts = statement->form == CNX_SCALING_PARTS;
    for (uint32_t k = 0; k < to_rank; k++)
        find_exact(s, origins, count, to, k, parts);
    for (uint32_t o = 0; o < count; o++)
        zero_missing(s, system, &origins[o], parts);
    cnx_arena_destroy(scratch);
}

/* ---- parts one after the other ---- */

/* The part that a position of the whole axis is in, and its position there. */
typedef struct part_place {
    uint32_t part; /* among the origins; CNX_NONE: a part without labels */
    uint32_t position;
} part_place;

/* Finds them for all positions of the whole axis, block by block. NULL when the parts' extents do not add up
 * to that of the whole axis, or one varies over other blocks. */
static const part_place *places_in_parts(cnx_scalings *s, cnx_arena *scratch,
                                         const cnx_scaling_statement *statement)
{
    const cnx_scaling_term *whole = &statement->terms[0];
    const cnx_labels *labels = s->log->values[whole->value].axes[whole->axis].labels;
    uint32_t count = cnx_sequence_of_axis(s, whole->value, whole->axis)->count, extent = labels->extent;
    part_place *places = CNX_NEW_ARRAY(scratch, part_place, count);
    uint32_t offset = 0, part_number = 0;
    for (uint32_t t = 1; t < statement->term_count; t++) {
        const cnx_scaling_term *term = &statement->terms[t];
        const cnx_sequence *part = cnx_sequence_of_axis(s, term->value, term->axis);
        uint32_t size;
        if (!cnx_axis_number(s->cells->points, s->log->values[term->value].axes[term->axis].extent, &size) ||
            size == 0 || size > extent - offset ||
            (part != NULL && part->count != size && part->count / size != count / extent))
            return NULL;
        for (uint32_t i = 0; i < count; i++) {
            uint32_t at = i % extent - offset, block = i / extent;
            if (i % extent >= offset && at < size)
                places[i] = (part_place){part != NULL ? part_number : CNX_NONE,
                                         part != NULL && part->count != size ? block * size + at : at};
        }
        part_number += part != NULL;
        offset += size;
    }
    return offset == extent ? places : NULL;
}

/* Position by position. Where a part's point is of another class than the whole axis's, it is not followed.
 */
static void state_parts(cnx_scalings *s, cnx_scaling_system *system, const cnx_scaling_term *whole,
                        const part_place *places, origin *origins)
{
    const cnx_sequence *sequence = cnx_sequence_of_axis(s, whole->value, whole->axis);
    const cnx_roles *roles = cnx_roles_on_axis(s, whole->value, whole->axis);
    uint32_t first = s->first_unknown[whole->value][whole->axis];
    cnx_arena *scratch = cnx_arena_create(s->arena);
    cnx_intern met;
    cnx_intern_init(&met, scratch);
    for (uint32_t i = 0; i < sequence->count; i++) {
        origin *from = places[i].part != CNX_NONE ? &origins[places[i].part] : NULL;
        uint32_t role = cnx_role_at(roles, i), at = places[i].position, known = (uint32_t)met.count;
        bool same = from != NULL &&
                    s->cells->class_of[from->sequence->points[at]] == s->cells->class_of[sequence->points[i]];
        uint32_t key[3] = {role, places[i].part, same ? cnx_role_at(from->roles, at) : CNX_NONE};
        if (role == CNX_NONE || cnx_intern_add(&met, key, sizeof key) < known)
            continue;
        if (same)
            state_origin(s, system, from, key[2], first + role, 1);
        else
            cnx_state_zero(system, first + role);
    }
    cnx_arena_destroy(scratch);
}

void cnx_state_join(cnx_scalings *s, cnx_scaling_system *system, const cnx_scaling_statement *statement)
{
    const cnx_scaling_term *whole = &statement->terms[0];
    uint32_t count = 0;
    cnx_arena *scratch = cnx_arena_create(s->arena);
    origin *origins = CNX_NEW_ARRAY(scratch, origin, statement->term_count);
    for (uint32_t t = 1; t < statement->term_count; t++)
        add_origin(s, scratch, origins, &count, statement->terms[t].value, statement->terms[t].axis);
    bool fixed =
        false; /* whether some part is a value that is not multiplied: then the others are not, either */
    for (uint32_t t = 1; t < statement->term_count; t++)
        fixed = fixed || statement->terms[t].value == 0;
    bool labelled = !fixed && cnx_sequence_of_axis(s, whole->value, whole->axis) != NULL;
    const part_place *places = labelled ? places_in_parts(s, scratch, statement) : NULL;
    if (places != NULL)
        state_parts(s, system, whole, places, origins);
    else if (labelled)
        state_axis(s, system, origins, count, whole->value, whole->axis, 1);
    else
        cnx_state_zero_axis(s, system, whole->value, whole->axis);
    find_exact(s, origins, count, whole->value, whole->axis, false);
    for (uint32_t o = 0; o < count; o++)
        zero_missing(s, system, &origins[o], false);
    cnx_arena_destroy(scratch);
}
