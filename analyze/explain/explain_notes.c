/* Why a group is not all permutations of an axis: positions that move as one, blocks around them, and values
 * on which some positions occur and others do not.
 */
#include "analyze/explain/explain_internal.h"

static void add_note(cnx_notes *n, const char *text)
{
    CNX_PUSH(n->arena, n->texts, n->count, n->capacity, text);
}

static const char *node_text(cnx_notes *n, uint32_t number)
{
    const cnx_node *node = cnx_map_node(n->map, number);
    return cnx_print(n->arena, "%s %s", node->op_type,
                     cnx_node_label(cnx_map_walk_of_node(n->map, number)->graph, node));
}

/* Whether all that a class has in the blocks of a containment lies in one of them. */
static bool lies_in_one(const cnx_cells *cells, const cnx_relation *r, uint32_t class)
{
    uint32_t block = CNX_NONE;
    for (uint32_t i = 0; i < r->from->count; i++) {
        uint32_t here = i / (r->middle * r->inner) * r->inner + i % r->inner;
        if (cells->class_of[r->from->points[i]] != class)
            continue;
        if (block != CNX_NONE && block != here)
            return false;
        block = here;
    }
    return true;
}

/* The blocks around a point, one note for each containment. */
void cnx_note_blocks(cnx_notes *n, uint32_t point)
{
    const cnx_cells *cells = n->map->cells;
    uint32_t twin = cells->twin_of[point];
    for (uint32_t i = cells->parent_start[twin]; i < cells->parent_start[twin + 1]; i++) {
        const cnx_relation *r = &n->map->points->relations[cells->parent_relation[i]];
        uint32_t block = cells->class_of[cells->parent_point[i]], cell = cells->cell_of[block];
        bool repeated = false;
        for (uint32_t j = cells->parent_start[twin]; j < i; j++)
            repeated = repeated || cells->class_of[cells->parent_point[j]] == block;
        if (repeated || r->to->count == 1 || !lies_in_one(cells, r, cells->class_of[point]))
            continue;
        const char *fate = cell != CNX_NONE && cells->cells[cell].count > 1 ? "may change places"
                           : cells->pinned[block] != CNX_NONE
                               ? cnx_print(n->arena, "may not change places: %s",
                                           cnx_reason_text(n->map->points, cells->pinned[block]))
                               : "may not change places: no other block plays the same part";
        add_note(n, cnx_print(n->arena,
                              "%s makes blocks of %u of them, and what lies in a block stays together; "
                              "the blocks %s",
                              node_text(n, r->speaker), r->middle, fate));
    }
}

void cnx_note_copies(cnx_notes *n, const cnx_labels *labels, uint32_t index, const char *axis)
{
    const cnx_sequence *sequence = labels->sequence;
    const uint32_t *class_of = n->map->cells->class_of;
    uint32_t copies = 0, another = 0;
    for (uint32_t i = 0; i < sequence->count; i++)
        if (class_of[sequence->points[i]] == class_of[sequence->points[index]] && i != index && copies++ == 0)
            another = i;
    if (copies != 0)
        add_note(n, cnx_print(n->arena, "%u of its positions move as one (ask for %s[%u] and %s[%u])",
                              copies + 1, axis, index % labels->extent, axis, another % labels->extent));
}

static bool lists_class(cnx_notes *n, const cnx_sequence *sequence, uint32_t class)
{
    for (uint32_t i = 0; i < sequence->count; i++)
        if (n->map->cells->class_of[sequence->points[i]] == class)
            return true;
    return false;
}

/* A value on which the one class occurs and the other does not. */
static const cnx_sighting *telling_value(cnx_notes *n, uint32_t class, uint32_t other)
{
    for (size_t k = 0; k < n->map->sighting_count; k++) {
        const cnx_sighting *sighting = &n->map->sightings[k];
        if (sighting->labels != NULL && lists_class(n, sighting->labels->sequence, class) &&
            !lists_class(n, sighting->labels->sequence, other))
            return sighting;
    }
    return NULL;
}

void cnx_note_difference(cnx_notes *n, const cnx_labels *labels, uint32_t index, uint32_t other)
{
    const uint32_t *class_of = n->map->cells->class_of;
    uint32_t place[2] = {index % labels->extent, other % labels->extent};
    uint32_t class[2] = {class_of[labels->sequence->points[index]],
                         class_of[labels->sequence->points[other]]};
    for (unsigned turn = 0; turn < 2; turn++) {
        const cnx_sighting *sighting = telling_value(n, class[turn], class[1 - turn]);
        if (sighting == NULL)
            continue;
        const cnx_walk *walk = cnx_map_walk_of_value(n->map, sighting->value);
        uint32_t producer = cnx_map_value(n->map, sighting->value)->producer;
        const char *name = cnx_sighting_name(n->arena, n->map, sighting);
        if (producer != CNX_NONE)
            name = cnx_print(n->arena, "%s, made by %s,", name, node_text(n, walk->first_node + producer));
        add_note(n, cnx_print(n->arena, "position %u occurs on %s and position %u does not", place[turn],
                              name, place[1 - turn]));
        return;
    }
    add_note(n, cnx_print(n->arena, "positions %u and %u occur on the same values, but in different ways",
                          place[0], place[1]));
}
