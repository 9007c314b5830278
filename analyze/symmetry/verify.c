/* An exact check, independent of how the cells were found.
 *
 * The exchanges of neighbours generate the symmetric group of a cell. They need not be tried one by one: a
 * condition on a pair of positions involves the classes found there, the classes of the blocks they lie in
 * and the homes of those, and nothing else. So exchanging 0-1, 2-3, 4-5 ... of many cells at once is a
 * symmetry exactly when each of these exchanges is, as long as no pair of positions depends on two of the
 * cells: then one might hide what the other does wrong (a position in two blocks, of which one must not move
 * without the other). Cells that meet in a pair get different colours, and a round takes the cells of one
 * phase and one colour. Two such rounds (0-1, 2-3 ... and 1-2, 3-4 ...) cover all their generators; each
 * costs one pass over all positions. For the same reason the culprits of a round that fails are found by
 * halves: exchange only in half of its cells, and look further only where that fails. */
#include "analyze/symmetry/verify.h"

typedef struct check {
    const cnx_cells *cells;
    const uint32_t *permutation;
    uint32_t *position; /* by point: 1 + its position in the sequence at hand */
    uint32_t *image;    /* by position: where it goes, in the sequence that was mapped last */
    const cnx_sequence *last;
    bool *mapped; /* by sequence: it was seen to map to itself */
    bool *moves;  /* by sequence: some point of it moves */
    uint32_t witness;
} check;

/* Fills `image` for one sequence; false when the permutation leads out of it. */
static bool map_sequence(check *c, const cnx_sequence *sequence)
{
    bool maps = true, moves = c->moves[sequence->id];
    if (c->last == sequence)
        return true;
    for (uint32_t i = 0; i < sequence->count && moves; i++)
        c->position[sequence->points[i]] = i + 1;
    for (uint32_t i = 0; i < sequence->count; i++) {
        uint32_t target = moves ? c->position[c->permutation[sequence->points[i]]] : i + 1;
        if (target == 0 && maps) {
            maps = false;
            c->witness = c->cells->class_of[sequence->points[i]];
        }
        c->image[i] = target - 1;
    }
    for (uint32_t i = 0; i < sequence->count && moves; i++)
        c->position[sequence->points[i]] = 0;
    c->last = maps ? sequence : NULL;
    c->mapped[sequence->id] = maps;
    return maps;
}

static uint32_t project(const cnx_relation *relation, uint32_t position)
{
    if (relation->middle == 1)
        return position;
    return position / (relation->middle * relation->inner) * relation->inner + position % relation->inner;
}

/* project(sigma_X(p)) = sigma_Y(project(p)), for all p; sigma_Y is read off the points. Nothing is to be seen
 * where neither sequence moves. */
static bool respects(check *c, const cnx_relation *relation)
{
    const cnx_sequence *from = relation->from, *to = relation->to;
    if (!c->moves[from->id] && !c->moves[to->id])
        return true;
    if (!map_sequence(c, from))
        return false;
    for (uint32_t i = 0; i < from->count; i++) {
        uint32_t point = to->points[project(relation, i)];
        if (to->points[project(relation, c->image[i])] != c->permutation[point]) {
            c->witness = c->cells->class_of[c->image[i] != i ? from->points[i] : point];
            return false;
        }
    }
    return true;
}

static bool is_permutation(check *c, size_t count)
{
    bool one_to_one = true;
    for (size_t p = 0; p < count; p++)
        c->position[c->permutation[p]]++;
    for (size_t p = 0; p < count; p++) {
        if (c->position[p] != 1 && one_to_one) {
            one_to_one = false;
            c->witness = c->cells->class_of[p];
        }
        c->position[p] = 0;
    }
    return one_to_one;
}

static bool *find_moving(cnx_arena *arena, const cnx_points *points, const uint32_t *permutation)
{
    bool *moves = CNX_NEW_ARRAY(arena, bool, points->sequence_count);
    for (size_t s = 0; s < points->sequence_count; s++) {
        const cnx_sequence *sequence = points->sequences[s];
        for (uint32_t i = 0; i < sequence->count && !moves[s]; i++)
            moves[s] = permutation[sequence->points[i]] != sequence->points[i];
    }
    return moves;
}

bool cnx_is_symmetry(const cnx_cells *cells, const uint32_t *permutation, uint32_t *witness)
{
    const cnx_points *points = cells->points;
    cnx_arena *scratch = cnx_arena_create(points->arena);
    uint32_t longest = 0;
    for (size_t s = 0; s < points->sequence_count; s++)
        longest = points->sequences[s]->count > longest ? points->sequences[s]->count : longest;
    check c = {.cells = cells, .permutation = permutation};
    c.position = CNX_NEW_ARRAY(scratch, uint32_t, points->point_count);
    c.image = CNX_NEW_ARRAY(scratch, uint32_t, longest);
    c.mapped = CNX_NEW_ARRAY(scratch, bool, points->sequence_count);
    c.moves = find_moving(scratch, points, permutation);
    bool holds = is_permutation(&c, points->point_count);
    for (size_t p = 0; p < points->point_count && holds; p++)
        if (cells->pinned[cells->class_of[p]] != CNX_NONE && permutation[p] != p) {
            /* A pinned class may still have copies in blocks that move; the class itself may not move. */
            holds = cells->class_of[permutation[p]] == cells->class_of[p];
            c.witness = cells->class_of[p];
        }
    for (size_t r = 0; r < points->relation_count && holds; r++)
        holds = respects(&c, &points->relations[r]);
    for (size_t s = 0; s < points->sequence_count && holds; s++)
        holds = c.mapped[s] || !c.moves[s] || map_sequence(&c, points->sequences[s]);
    *witness = c.witness;
    cnx_arena_destroy(scratch);
    return holds;
}

/* Rounds of one call that may be tried to find culprits one by one. */
enum { MOST_TRIES = 512 };

typedef struct trial {
    const cnx_cells *cells;
    uint32_t start;        /* exchanges start with the first or the second member */
    uint32_t *image;       /* by class */
    uint32_t *permutation; /* by point */
    uint32_t tries;
} trial;

/* Exchanges neighbours in all of these cells; whether that is a symmetry. */
static bool passes(trial *t, const uint32_t *chosen, uint32_t count)
{
    const cnx_cells *cells = t->cells;
    bool any = false;
    for (uint32_t c = 0; c < cells->class_count; c++)
        t->image[c] = c;
    for (uint32_t k = 0; k < count; k++) {
        const cnx_cell *cell = &cells->cells[chosen[k]];
        const uint32_t *members = cells->members + cell->first;
        for (uint32_t i = t->start; i + 1 < cell->count; i += 2) {
            t->image[members[i]] = members[i + 1];
            t->image[members[i + 1]] = members[i];
            any = true;
        }
    }
    if (!any)
        return true;
    uint32_t witness;
    t->tries++;
    cnx_carry_classes(cells, t->image);
    cnx_permute_points(cells, t->image, t->permutation);
    return cnx_is_symmetry(cells, t->permutation, &witness);
}

/* Marks the culprits among cells that do not pass together. When both halves pass, against the reasoning
 * above, all are taken for culprits. */
static void accuse(trial *t, const uint32_t *chosen, uint32_t count, bool *guilty)
{
    uint32_t half = count / 2;
    bool first = count > 1 && passes(t, chosen, half);
    bool second = count > 1 && passes(t, chosen + half, count - half);
    if (count == 1 || (first && second) || t->tries > MOST_TRIES) {
        for (uint32_t i = 0; i < count; i++)
            guilty[chosen[i]] = true;
        return;
    }
    if (!first)
        accuse(t, chosen, half, guilty);
    if (!second)
        accuse(t, chosen + half, count - half, guilty);
}

/* ---- colours ---- */

/* Colours that are used at most, and sweeps over all pairs; a cell that needs more is not believed. */
enum { MOST_COLOURS = 256, MOST_SWEEPS = 64 };

typedef struct painter {
    const cnx_cells *cells;
    uint32_t *colour; /* by cell */
    uint32_t *seen;   /* by cell: the pair of positions that met it last */
    uint32_t *met;    /* cells that the pair at hand depends on */
    uint32_t count;
    uint32_t pair;
    uint32_t sweep;
    bool changed;
} painter;

static void meet_class(painter *p, uint32_t class)
{
    for (; class != CNX_NONE; class = p->cells->home[class]) {
        uint32_t cell = p->cells->cell_of[class];
        if (cell == CNX_NONE || p->cells->cells[cell].count < 2 || p->seen[cell] == p->pair)
            continue;
        p->seen[cell] = p->pair;
        p->met[p->count++] = cell;
    }
}

static void meet_point(painter *p, uint32_t point)
{
    const cnx_cells *cells = p->cells;
    uint32_t twin = cells->twin_of[point];
    meet_class(p, cells->class_of[point]);
    for (uint32_t e = cells->parent_start[twin]; e < cells->parent_start[twin + 1]; e++)
        meet_class(p, cells->class_of[cells->parent_point[e]]);
}

/* Whether a pair depends on what each of the two positions depends on, and on nothing else. */
static bool are_alike(const cnx_cells *cells, uint32_t from, uint32_t to)
{
    return cells->class_of[from] == cells->class_of[to] && cells->twin_of[from] == cells->twin_of[to];
}

/* Gives cells of one phase that a pair of positions depends on different colours. */
static void paint_pair(painter *p, uint32_t from, uint32_t to)
{
    if (from != to && are_alike(p->cells, from, to))
        return; /* the positions were painted one by one */
    p->pair++;
    p->count = 0;
    meet_point(p, from);
    if (from != to)
        meet_point(p, to);
    for (uint32_t i = 1; i < p->count; i++)
        for (uint32_t k = 0; k < i; k++) {
            uint32_t one = p->met[i], other = p->met[k];
            if (p->cells->cells[one].phase != p->cells->cells[other].phase ||
                p->colour[one] != p->colour[other] || p->colour[one] >= MOST_COLOURS)
                continue;
            uint32_t later = one > other ? one : other; /* or two pairs might take turns for ever */
            p->colour[later] = p->sweep < MOST_SWEEPS ? p->colour[later] + 1 : MOST_COLOURS;
            p->changed = true;
        }
}

/* Colours all cells; returns how many colours there are. A pair that is seen again may have got equal colours
 * from others in between: until nothing changes. */
static uint32_t paint(const cnx_cells *cells, cnx_arena *scratch, uint32_t *colour)
{
    const cnx_points *points = cells->points;
    painter p = {.cells = cells, .colour = colour, .changed = true};
    p.seen = CNX_NEW_ARRAY(scratch, uint32_t, cells->cell_count);
    p.met = CNX_NEW_ARRAY(scratch, uint32_t, cells->cell_count);
    for (; p.changed; p.sweep++) {
        p.changed = false;
        p.pair = 0;
        memset(p.seen, 0, cells->cell_count * sizeof *p.seen);
        for (uint32_t point = 0; point < points->point_count; point++)
            paint_pair(&p, point, point);
        for (size_t r = 0; r < points->relation_count; r++) {
            const cnx_relation *relation = &points->relations[r];
            for (uint32_t i = 0; i < relation->from->count; i++)
                paint_pair(&p, relation->from->points[i], relation->to->points[project(relation, i)]);
        }
    }
    uint32_t count = 1;
    for (uint32_t k = 0; k < cells->cell_count; k++)
        count = colour[k] >= count && colour[k] < MOST_COLOURS ? colour[k] + 1 : count;
    return count;
}

/* Tries all exchanges of some cells of one phase and one colour; those of the second kind, too, when some of
 * the first kind fail. */
static bool try_cells(trial *t, const uint32_t *chosen, uint32_t count, bool *guilty)
{
    bool holds = true;
    for (t->start = 0; t->start < 2; t->start++)
        if (!passes(t, chosen, count)) {
            accuse(t, chosen, count, guilty);
            holds = false;
        }
    return holds;
}

/* All cells of one phase. Which of them are tried together depends on their numbers: so all are tried before
 * any is pinned, and cells that play the same part in exchangeable blocks are pinned at the same time. */
static bool try_phase(trial *t, uint32_t phase, const uint32_t *colour, uint32_t colours, uint32_t *chosen,
                      bool *guilty)
{
    const cnx_cells *cells = t->cells;
    bool holds = true;
    for (uint32_t round = 0; round < colours; round++) {
        uint32_t count = 0;
        for (uint32_t k = 0; k < cells->cell_count; k++)
            if (cells->cells[k].phase == phase && colour[k] == round && cells->cells[k].count > 1)
                chosen[count++] = k;
        holds = try_cells(t, chosen, count, guilty) && holds;
    }
    return holds;
}

bool cnx_verify_cells(const cnx_cells *cells, bool *guilty)
{
    cnx_arena *scratch = cnx_arena_create(cells->points->arena);
    uint32_t *chosen = CNX_NEW_ARRAY(scratch, uint32_t, cells->cell_count);
    uint32_t *colour = CNX_NEW_ARRAY(scratch, uint32_t, cells->cell_count);
    trial t = {.cells = cells,
               .image = CNX_NEW_ARRAY(scratch, uint32_t, cells->class_count),
               .permutation = CNX_NEW_ARRAY(scratch, uint32_t, cells->points->point_count)};
    uint32_t colours = paint(cells, scratch, colour);
    bool holds = true;
    for (uint32_t k = 0; k < cells->cell_count; k++)
        if (colour[k] >= MOST_COLOURS) {
            guilty[k] = true;
            holds = false;
        }
    for (uint32_t phase = 0; phase < cells->phase_count && holds; phase++)
        holds = try_phase(&t, phase, colour, colours, chosen, guilty);
    cnx_arena_destroy(scratch);
    return holds;
}
