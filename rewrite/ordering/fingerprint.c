/* Fingerprints by colour refinement on the weights.
 *
 * The structure of the points is the same for all equivalent models; only the weights sit at other positions.
 * So the members of a cell have to be told apart by weights, in a way that does not depend on where they sit
 * now:
 *
 *   token of a position  = hash(how its copy occurs in the graph, tokens of the blocks it lies in, token of
 * its class) print of a class    += hash(face, sum over the entries of its slice of hash(bits of the entry,
 * tokens of the entry's other coordinates))
 *
 * where a face is an axis of a parameter tensor. Sums do not know an order. A token changes when its class's
 * print does, so differences travel along the graph, round after round, until nothing splits any more. This
 * is the refinement that graph canonical labelling starts from (McKay and Piperno, Practical graph
 * isomorphism II, 2014).
 *
 * Only tied classes are refined, faces of small tensors go first, and a cell that is told apart is left
 * alone. In most models biases do nearly everything.
 */
#include "rewrite/ordering/fingerprint_internal.h"

#include "base/mix.h"

/* ---- ties ---- */

int cnx_compare_prints(const cnx_prints *prints, uint32_t a, uint32_t b)
{
    if (prints->bias[a] != prints->bias[b])
        return prints->bias[a] < prints->bias[b] ? -1 : 1;
    return (prints->print[a] > prints->print[b]) - (prints->print[a] < prints->print[b]);
}

/* What members are sorted by, one after the other. */
enum key { BIAS, PRINT, NUMBER };

/* Sorts by one key, and by the next ones where that is the same. */
static void sort_by_keys(const cnx_prints *prints, cnx_keyed *members, uint32_t count, enum key key)
{
    for (uint32_t i = 0; i < count; i++) {
        uint32_t class = members[i].item;
        members[i].key = key == BIAS ? prints->bias[class] : key == PRINT ? prints->print[class] : class;
    }
    cnx_sort_keyed(prints->arena, members, count);
    for (uint32_t i = 0, end; i < count && key != NUMBER; i = end) {
        for (end = i + 1; end < count && members[end].key == members[i].key; end++)
            ;
        if (end - i > 1)
            sort_by_keys(prints, members + i, end - i, key + 1);
    }
}

const cnx_keyed *cnx_rank_members(const cnx_prints *prints, uint32_t cell)
{
    const cnx_cell *c = &prints->cells->cells[cell];
    cnx_keyed *members = prints->scratch.members;
    for (uint32_t i = 0; i < c->count; i++)
        members[i].item = prints->cells->members[c->first + i];
    sort_by_keys(prints, members, c->count, BIAS);
    return members;
}

/* Marks the tied members of a cell; returns how many different keys it has. */
static uint32_t mark_ties(cnx_prints *prints, uint32_t cell)
{
    uint32_t count = prints->cells->cells[cell].count, distinct = 0;
    const cnx_keyed *members = cnx_rank_members(prints, cell);
    for (uint32_t i = 0, end; i < count; i = end, distinct++) {
        uint32_t first = members[i].item;
        bool tied = false;
        for (end = i + 1; end < count && cnx_compare_prints(prints, first, members[end].item) == 0; end++)
            tied = tied || prints->unit[members[end].item] != prints->unit[first];
        for (uint32_t k = i; k < end; k++)
            prints->tied[members[k].item] = tied;
    }
    return distinct;
}

void cnx_set_stale(cnx_prints *prints, uint32_t cell)
{
    if (!prints->is_stale[cell])
        prints->stale[prints->stale_count++] = cell;
    prints->is_stale[cell] = true;
}

uint64_t cnx_mark_ties(cnx_prints *prints)
{
    while (prints->stale_count != 0) {
        uint32_t cell = prints->stale[--prints->stale_count];
        prints->distinct_sum -= prints->distinct[cell];
        prints->distinct[cell] = mark_ties(prints, cell);
        prints->distinct_sum += prints->distinct[cell];
        prints->is_stale[cell] = false;
    }
    return prints->distinct_sum;
}

/* Lists the classes that live in blocks, innermost first. */
static void list_nested(cnx_prints *prints)
{
    const cnx_cells *cells = prints->cells;
    uint32_t deepest = 0;
    for (uint32_t c = 0; c < cells->class_count; c++)
        deepest = cells->depth[c] > deepest ? cells->depth[c] : deepest;
    prints->nested = CNX_NEW_ARRAY(prints->arena, uint32_t, deepest != 0 ? cells->class_count : 0);
    for (uint32_t depth = deepest; depth > 0; depth--)
        for (uint32_t c = 0; c < cells->class_count; c++)
            if (cells->depth[c] == depth && cells->cell_of[c] != CNX_NONE)
                prints->nested[prints->nested_count++] = c;
}

/* Adds to the print of a block what a class inside it looks like, if that is news. How often this is called,
 * which depends on the whole graph, does not enter. */
static void tell_home(cnx_prints *prints, uint32_t class)
{
    if (prints->told[class] == prints->token[class])
        return;
    uint32_t home = prints->cells->home[class];
    prints->told[class] = prints->token[class];
    prints->print[home] += cnx_mix(prints->token[class]);
    cnx_set_stale(prints, prints->cells->cell_of[home]);
}

/* Gives blocks the prints of what is inside them, innermost first; then marks all ties. Returns the number of
 * different keys over all cells. */
static uint64_t look_again(cnx_prints *prints)
{
    const cnx_cells *cells = prints->cells;
    for (uint32_t i = 0, end; i < prints->nested_count; i = end) {
        uint32_t depth = cells->depth[prints->nested[i]];
        for (end = i; end < prints->nested_count && cells->depth[prints->nested[end]] == depth; end++)
            tell_home(prints, prints->nested[end]);
        for (uint32_t k = i; k < end; k++)
            cnx_set_token(prints, cells->home[prints->nested[k]]);
    }
    return cnx_mark_ties(prints);
}

/* ---- all together ---- */

static cnx_prints *new_prints(cnx_arena *arena, cnx_analysis *analysis)
{
    const cnx_cells *cells = cnx_analysis_cells(analysis);
    cnx_prints *prints = CNX_NEW(arena, cnx_prints);
    *prints = (cnx_prints){.arena = arena, .analysis = analysis, .cells = cells};
    prints->bias = CNX_NEW_ARRAY(arena, uint64_t, cells->class_count);
    prints->print = CNX_NEW_ARRAY(arena, uint64_t, cells->class_count);
    prints->token = CNX_NEW_ARRAY(arena, uint64_t, cells->class_count);
    prints->told = CNX_NEW_ARRAY(arena, uint64_t, cells->class_count);
    prints->tied = CNX_NEW_ARRAY(arena, bool, cells->class_count);
    prints->unit = CNX_NEW_ARRAY(arena, uint32_t, cells->class_count);
    for (uint32_t c = 0; c < cells->class_count; c++)
        prints->unit[c] = c;
    prints->bias_of = CNX_NEW_ARRAY(arena, const cnx_parameter *, cells->cell_count);
    prints->used_print = CNX_NEW_ARRAY(arena, bool, cells->cell_count);
    prints->distinct = CNX_NEW_ARRAY(arena, uint32_t, cells->cell_count);
    prints->stale = CNX_NEW_ARRAY(arena, uint32_t, cells->cell_count);
    prints->is_stale = CNX_NEW_ARRAY(arena, bool, cells->cell_count);
    uint32_t largest = 0;
    for (uint32_t k = 0; k < cells->cell_count; k++) {
        cnx_set_stale(prints, k);
        largest = cells->cells[k].count > largest ? cells->cells[k].count : largest;
    }
    prints->scratch = (cnx_print_scratch){.begin = CNX_NEW_ARRAY(arena, uint32_t, cells->cell_count),
                                          .copies = CNX_NEW_ARRAY(arena, uint32_t, cells->class_count),
                                          .first = CNX_NEW_ARRAY(arena, uint32_t, cells->class_count),
                                          .members = CNX_NEW_ARRAY(arena, cnx_keyed, largest)};
    list_nested(prints);
    return prints;
}

void cnx_refine(cnx_prints *prints, const uint32_t *faces, size_t count)
{
    uint64_t before, distinct = look_again(prints);
    do {
        before = distinct;
        for (size_t f = 0; f < count; f++) {
            const cnx_face *face = &prints->faces[faces != NULL ? faces[f] : f];
            if (cnx_face_is_tied(prints, face)) {
                cnx_read_face(prints, face);
                distinct = look_again(prints);
            }
        }
    } while (distinct > before);
}

void cnx_set_apart(cnx_prints *prints, uint32_t class, uint32_t rank)
{
    prints->print[class] += cnx_mix(UINT64_C(0x6170617274) + rank);
    cnx_set_token(prints, class);
    cnx_set_stale(prints, prints->cells->cell_of[class]);
}

cnx_prints *cnx_fingerprint(cnx_arena *arena, cnx_analysis *analysis)
{
    cnx_prints *prints = new_prints(arena, analysis);
    cnx_list_faces(prints);
    cnx_read_biases(prints);
    for (uint32_t c = 0; c < prints->cells->class_count; c++)
        cnx_set_token(prints, c);
    cnx_refine(prints, NULL, prints->face_count);
    return prints;
}
