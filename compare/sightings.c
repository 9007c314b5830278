/* Slices of two members can be compared when the copies of both are listed in the same order: the one that
 * goes to the other's first copy, when the members change places, has to be its first. What a copy is told
 * from the others by must therefore not depend on which member is looked at. It is
 *
 *   - whether the position is the member itself or lies in it, and then the class there,
 *   - a key: the hash of where the point occurs, and of the blocks that it lies in. Blocks around the member
 * and the member itself do not count, nor what they would add to a sum of hashes: it would turn the order
 * of the others by a different angle for every member. Blocks inside count by their place. All others, of
 * other families or pinned, count by their number.
 *
 * A matrix that a network computes shows its row and its column in one position of an axis of the weights
 * that it is computed from. If both are of one family, the position shows two members in two roles. Then a
 * member counts as a block like any other in the role at which it is not looked at, and roles are told apart
 * by the relations that state them. Elsewhere a position may lie in a block by several relations, and still
 * shows it once. */
#include "compare/sightings.h"

#include "base/mix.h"

#include <stdlib.h>

static int compare_sightings(const void *a, const void *b)
{
    const cnx_sighting *x = a, *y = b;
    const uint64_t left[] = {x->family, x->kind, x->place, x->role, x->class, x->key, x->point, x->position};
    const uint64_t right[] = {y->family, y->kind, y->place, y->role, y->class, y->key, y->point, y->position};
    for (size_t i = 0; i < sizeof left / sizeof left[0]; i++)
        if (left[i] != right[i])
            return left[i] < right[i] ? -1 : 1;
    return 0;
}

/* Whether the class lives in the block, directly or through other blocks. */
static bool lives_in(const cnx_cells *cells, uint32_t class, uint32_t block)
{
    while (class != CNX_NONE && class != block)
        class = cells->home[class];
    return class != CNX_NONE;
}

/* ---- who is at a position ---- */

/* The members that one point shows: its class first, if that is of a family, then blocks around it. */
typedef struct shown {
    uint32_t count;
    uint32_t *members;
    uint32_t *relations; /* CNX_NONE: as itself */
} shown;

typedef struct viewer {
    const cnx_families *families;
    const cnx_cells *cells;
    cnx_sightings *list;
    shown here;
    bool *twice; /* by family: some position shows two of its members */
    uint32_t company_count;
    uint32_t *company; /* families at the position before */
} viewer;

static void show(viewer *v, uint32_t point)
{
    const cnx_cells *cells = v->cells;
    const uint32_t *family_of = v->families->family_of;
    uint32_t class = cells->class_of[point], twin = cells->twin_of[point];
    v->here.count = 0;
    if (family_of[class] != CNX_NONE) {
        v->here.members[0] = class;
        v->here.relations[v->here.count++] = CNX_NONE;
    }
    for (uint32_t e = cells->parent_start[twin]; e < cells->parent_start[twin + 1]; e++) {
        uint32_t block = cells->class_of[cells->parent_point[e]];
        if (family_of[block] == CNX_NONE || lives_in(cells, class, block))
            continue;
        v->here.members[v->here.count] = block;
        v->here.relations[v->here.count++] = cells->parent_relation[e];
    }
}

static void keep_company(cnx_sightings *list, uint32_t family, uint32_t other)
{
    for (size_t i = 0; i < list->company_count; i++)
        if (list->companies[i].family == family && list->companies[i].other == other)
            return;
    cnx_company one = {family, other};
    CNX_PUSH(list->arena, list->companies, list->company_count, list->company_capacity, one);
}

/* Notes which families are at the present point together. Most points are like the one before. */
static void note_company(viewer *v)
{
    const uint32_t *family_of = v->families->family_of;
    uint32_t count = 0;
    bool same = true;
    for (uint32_t i = 0, k; i < v->here.count; i++) {
        uint32_t member = v->here.members[i], family = family_of[member];
        for (k = 0; k < i && family_of[v->here.members[k]] != family; k++)
            ;
        if (k < i) {
            uint32_t other = v->here.members[k];
            v->twice[family] = v->twice[family] ||
                               (!lives_in(v->cells, member, other) && !lives_in(v->cells, other, member));
            continue;
        }
        same = same && count < v->company_count && v->company[count] == family;
        v->company[count++] = family;
    }
    same = same && count == v->company_count;
    v->company_count = count;
    for (uint32_t i = 0; i < count && !same; i++)
        for (uint32_t k = 0; k < count; k++)
            if (i != k)
                keep_company(v->list, v->company[i], v->company[k]);
}

/* ---- telling copies apart ---- */

/* What a block around a point is to a member: alike for all members that can be exchanged. */
static uint64_t seen_from(const cnx_cells *cells, uint32_t member, uint32_t block)
{
    uint64_t path = 0;
    uint32_t around = block;
    while (around != CNX_NONE && !lives_in(cells, member, around)) {
        path = cnx_mix_pair(
            path, cells->cell_of[around] == CNX_NONE
                      ? around
                      : cnx_mix_pair(cells->cells[cells->cell_of[around]].colour, cells->rank_of[around]));
        around = cells->home[around];
    }
    if (around == CNX_NONE)
        return block;
    uint32_t cell = cells->cell_of[around];
    return cnx_mix_pair(path, cell == CNX_NONE ? around : cells->cells[cell].colour);
}

static uint64_t key_of(const viewer *v, uint32_t point, uint32_t member, uint32_t relation)
{
    const cnx_cells *cells = v->cells;
    uint32_t twin = cells->twin_of[point];
    uint64_t key = cells->occurrence[point];
    for (uint32_t e = cells->parent_start[twin]; e < cells->parent_start[twin + 1]; e++) {
        uint32_t block = cells->class_of[cells->parent_point[e]], by = cells->parent_relation[e];
        bool other_role = v->twice[v->families->family_of[member]] && block == member && by != relation;
        key += cnx_mix_pair(by, other_role ? block : seen_from(cells, member, block));
    }
    return key;
}

/* Lists what the present point shows. */
static void see(viewer *v, uint32_t point, uint32_t position)
{
    const cnx_families *f = v->families;
    for (uint32_t i = 0, k; i < v->here.count; i++) {
        uint32_t member = v->here.members[i], relation = v->here.relations[i];
        bool twice = v->twice[f->family_of[member]];
        for (k = 0; k < i && !twice && v->here.members[k] != member; k++)
            ;
        if (k < i && !twice)
            continue;
        cnx_sighting one = {.family = f->family_of[member],
                            .kind = f->kind_of[member],
                            .place = f->place_of[member],
                            .role = relation == CNX_NONE ? 0
                                    : twice              ? relation + 1
                                                         : 1,
                            .class = v->cells->class_of[point],
                            .key = key_of(v, point, member, relation),
                            .point = point,
                            .position = position};
        CNX_PUSH(v->list->arena, v->list->items, v->list->count, v->list->capacity, one);
    }
}

cnx_sightings cnx_see_axis(const cnx_families *families, cnx_arena *arena, const cnx_sequence *sequence)
{
    cnx_sightings list = {.arena = arena};
    cnx_arena *scratch = cnx_arena_create(arena);
    const cnx_cells *cells = families->cells;
    viewer v = {.families = families, .cells = cells, .list = &list};
    uint32_t most = 0;
    for (uint32_t i = 0; i < sequence->count; i++) {
        uint32_t twin = cells->twin_of[sequence->points[i]];
        uint32_t blocks = cells->parent_start[twin + 1] - cells->parent_start[twin];
        most = blocks > most ? blocks : most;
    }
    v.here.members = CNX_NEW_ARRAY(scratch, uint32_t, (size_t)most + 1);
    v.here.relations = CNX_NEW_ARRAY(scratch, uint32_t, (size_t)most + 1);
    v.company = CNX_NEW_ARRAY(scratch, uint32_t, (size_t)most + 1);
    v.twice = CNX_NEW_ARRAY(scratch, bool, families->count);
    for (uint32_t i = 0; i < sequence->count; i++) {
        show(&v, sequence->points[i]);
        note_company(&v);
    }
    for (uint32_t i = 0; i < sequence->count; i++) {
        show(&v, sequence->points[i]);
        see(&v, sequence->points[i], i);
    }
    for (uint32_t family = 0; family < families->count; family++)
        if (v.twice[family])
            keep_company(&list, family, family);
    if (list.count > 1)
        qsort(list.items, list.count, sizeof *list.items, compare_sightings);
    cnx_arena_destroy(scratch);
    return list;
}
