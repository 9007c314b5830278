/* Where points occur: what first tells classes apart.
 *
 * Every point has a hash of the sequences that list it and of those that list its twins. That is quick, and
 * enough for nearly all models, but it forgets which twin is listed where: of two halves of a layer, one
 * selected behind one Mul and the other behind another, each has twins that are and twins that are not. So
 * classes that fail the exact check get another look, point by point: two points are alike only if what
 * stands at their positions, through every relation, is alike, and so on until nothing splits. Any symmetry
 * maps like to like in that sense, so that only what could never be exchanged is told apart. It matters
 * beyond the permutations: what is found must not depend on which of two twins an operator happened to hand
 * on, as the first operand of an Add. So all that relations lead to is looked at along with what failed.
 * Classes that pass the check are images of each other, and cannot be told apart: the result is as if every
 * model were looked at so.
 *
 * Cost of the second look: in proportion to the relations of these classes, times the rounds. */
#include "analyze/symmetry/cells.h"

#include "base/mix.h"

#include <stdlib.h>

/* Rounds of the second look: how far away a difference may be. */
enum { MOST_ROUNDS = 256 };

void cnx_hash_occurrences(cnx_cells *cells, cnx_arena *arena)
{
    const cnx_points *points = cells->points;
    uint64_t *own = CNX_NEW_ARRAY(arena, uint64_t, points->point_count);
    cnx_arena *scratch = cnx_arena_create(arena);
    uint64_t *of_twins = CNX_NEW_ARRAY(scratch, uint64_t, points->point_count);
    for (size_t s = 0; s < points->sequence_count; s++) {
        uint64_t hash = cnx_mix(s + 1);
        for (uint32_t i = 0; i < points->sequences[s]->count; i++)
            own[points->sequences[s]->points[i]] += hash;
    }
    for (uint32_t p = 0; p < points->point_count; p++)
        of_twins[cells->twin_of[p]] += cnx_mix(own[p]);
    for (uint32_t p = 0; p < points->point_count; p++)
        own[p] = cnx_mix_pair(own[p], of_twins[cells->twin_of[p]]);
    cells->occurrence = own;
    cnx_arena_destroy(scratch);
}

/* A relation says that two positions belong together. */
typedef struct bond {
    uint32_t from; /* points */
    uint32_t to;
    uint32_t relation;
} bond;

typedef struct closer_look {
    cnx_cells *cells;
    bool *chosen; /* by class */
    bond *bonds;  /* of points of chosen classes */
    size_t bond_count;
    size_t bond_capacity;
    uint32_t *points; /* of chosen classes */
    size_t count;
    uint64_t *next;   /* by point */
    uint64_t *sorted; /* hashes of `points` */
} closer_look;

static uint32_t block_of(const cnx_relation *relation, uint32_t position)
{
    return relation->to->points[position / (relation->middle * relation->inner) * relation->inner +
                                position % relation->inner];
}

/* Chooses also what relations lead to, from one class to the next. */
static void choose_neighbours(closer_look *l)
{
    const cnx_cells *cells = l->cells;
    for (bool changed = true; changed;) {
        changed = false;
        for (size_t r = 0; r < cells->points->relation_count; r++) {
            const cnx_relation *relation = &cells->points->relations[r];
            if (relation->kind == CNX_IDENTIFY) /* within a class */
                continue;
            for (uint32_t i = 0; i < relation->from->count; i++) {
                bool *from = &l->chosen[cells->class_of[relation->from->points[i]]];
                bool *to = &l->chosen[cells->class_of[block_of(relation, i)]];
                changed = changed || *from != *to;
                *from = *to = *from || *to;
            }
        }
    }
}

static void list_points(closer_look *l, cnx_arena *scratch)
{
    const cnx_cells *cells = l->cells;
    l->points = CNX_NEW_ARRAY(scratch, uint32_t, cells->points->point_count);
    for (uint32_t p = 0; p < cells->points->point_count; p++)
        if (l->chosen[cells->class_of[p]])
            l->points[l->count++] = p;
    l->next = CNX_NEW_ARRAY(scratch, uint64_t, cells->points->point_count);
    l->sorted = CNX_NEW_ARRAY(scratch, uint64_t, l->count);
}

static void list_bonds(closer_look *l, cnx_arena *scratch)
{
    const cnx_cells *cells = l->cells;
    for (size_t r = 0; r < cells->points->relation_count; r++) {
        const cnx_relation *relation = &cells->points->relations[r];
        for (uint32_t i = 0; i < relation->from->count; i++) {
            uint32_t from = relation->from->points[i];
            if (l->chosen[cells->class_of[from]]) { /* then that of its block is, too */
                bond found = {from, block_of(relation, i), (uint32_t)r};
                CNX_PUSH(scratch, l->bonds, l->bond_count, l->bond_capacity, found);
            }
        }
    }
}

/* What a point looks like: what is pinned looks like nothing else. */
static uint64_t look_of(const cnx_cells *cells, uint32_t point)
{
    uint32_t class = cells->class_of[point];
    return cells->pinned[class] == CNX_NONE ? cells->occurrence[point]
                                            : cnx_mix_pair(cells->occurrence[point], (uint64_t) class + 1);
}

static void look_once(closer_look *l)
{
    uint64_t *occurrence = l->cells->occurrence;
    for (size_t i = 0; i < l->count; i++)
        l->next[l->points[i]] = 0;
    for (const bond *b = l->bonds; b < l->bonds + l->bond_count; b++) {
        uint64_t relation = (uint64_t)b->relation * 2;
        l->next[b->from] += cnx_mix_pair(relation, look_of(l->cells, b->to));
        l->next[b->to] += cnx_mix_pair(relation + 1, look_of(l->cells, b->from));
    }
    for (size_t i = 0; i < l->count; i++) {
        uint32_t point = l->points[i];
        occurrence[point] = cnx_mix_pair(occurrence[point], l->next[point]);
    }
}

static int compare_hashes(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static size_t count_different(closer_look *l)
{
    for (size_t i = 0; i < l->count; i++)
        l->sorted[i] = l->cells->occurrence[l->points[i]];
    qsort(l->sorted, l->count, sizeof *l->sorted, compare_hashes);
    size_t different = l->count != 0;
    for (size_t i = 1; i < l->count; i++)
        different += l->sorted[i] != l->sorted[i - 1];
    return different;
}

void cnx_look_closer(cnx_cells *cells, bool *chosen)
{
    cnx_arena *scratch = cnx_arena_create(cells->points->arena);
    closer_look look = {.cells = cells, .chosen = chosen};
    choose_neighbours(&look);
    list_points(&look, scratch);
    list_bonds(&look, scratch);
    size_t before = 0, now = count_different(&look);
    for (unsigned round = 0; round < MOST_ROUNDS && now > before; round++) {
        look_once(&look);
        before = now;
        now = count_different(&look);
    }
    cnx_arena_destroy(scratch);
}
