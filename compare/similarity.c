/* All sums go over the same matrices: a row for each member, a column for each element of its slices, in
 * chunks of columns that fit into memory. Where members are only permuted, the mean of each column is
 * subtracted: what all members have in common says nothing about which is which, and would cost precision.
 * Members that can be flipped or scaled have nothing in common to subtract. Products are left to the BLAS. */
#include "compare/similarity.h"

#include "compare/multiplied.h"
#include "compare/permuted.h"

#include <math.h>
#include <stdlib.h>

/* Numbers in a chunk of either matrix. */
#define CHUNK ((uint64_t)1 << 21)

/* What a look at some of the elements may cost, in multiply-adds, and how many it takes at least. */
#define LOOK_WORK ((uint64_t)300000000)
#define LEAST_COLUMNS ((uint64_t)192)

/* What products may cost for which all slices are sorted. */
#define CHEAP_WORK 3e7

bool cnx_may_use(const cnx_family *family, const cnx_evidence *evidence, cnx_reading reading,
                 const bool *known)
{
    if (evidence->self && reading == CNX_READ_BLOCKS && !family->only_self)
        return false;
    bool all = !(evidence->self && reading == CNX_READ_PLAIN && known != NULL);
    for (size_t i = 0; known != NULL && i < evidence->other_count && all; i++)
        all = evidence->others[i] == evidence->family || known[evidence->others[i]];
    return all;
}

bool cnx_is_cheap(const cnx_family *family)
{
    double work = 0;
    for (size_t i = 0; i < family->evidence_count; i++)
        work += (double)family->evidence[i].elements * family->kinds[family->evidence[i].kind].count;
    return work < CHEAP_WORK;
}

typedef struct chunk {
    uint32_t rows;
    size_t columns;
    double *a;
    double *b;
} chunk;

static uint32_t *gather_positions(cnx_arena *arena, const cnx_evidence *evidence, const uint32_t *members,
                                  uint32_t count)
{
    uint32_t *positions = CNX_NEW_ARRAY(arena, uint32_t, (size_t)count * evidence->copies);
    for (uint32_t i = 0; i < count; i++)
        memcpy(positions + (size_t)i * evidence->copies,
               evidence->positions + (size_t)members[i] * evidence->copies,
               evidence->copies * sizeof *positions);
    return positions;
}

static void centre(double *matrix, uint32_t rows, size_t columns, double *mean)
{
    memset(mean, 0, columns * sizeof *mean);
    for (uint32_t i = 0; i < rows; i++)
        for (size_t k = 0; k < columns; k++)
            mean[k] += matrix[i * columns + k] / rows;
    for (uint32_t i = 0; i < rows; i++)
        for (size_t k = 0; k < columns; k++)
            matrix[i * columns + k] -= mean[k];
}

static void drop_signs(const chunk *part)
{
    for (size_t i = 0; i < part->rows * part->columns; i++) {
        part->a[i] = fabs(part->a[i]);
        part->b[i] = fabs(part->b[i]);
    }
}

static int compare_numbers(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* What is left of a slice whose other axes are in no known order. */
static void sort_slices(const chunk *part)
{
    for (uint32_t i = 0; i < part->rows; i++) {
        qsort(part->a + i * part->columns, part->columns, sizeof *part->a, compare_numbers);
        qsort(part->b + i * part->columns, part->columns, sizeof *part->b, compare_numbers);
    }
}

/* A walk over chunks. */
typedef struct walk {
    cnx_families *families;
    const cnx_view_of_evidence *view;
    const cnx_kind *kind;
    const cnx_lineup *lineup;
    uint32_t multiple;     /* slices that have it; CNX_NONE: all ... */
    double *const *matrix; /* ... of multiples that have a matrix here; NULL: all */
    uint64_t most;         /* columns of one tensor; 0: all */
    void (*visit)(void *state, const cnx_evidence *evidence, const chunk *chunk);
    void *state;
} walk;

/* Chooses how many runs, and elements of a run, make a chunk. */
static void size_chunk(const walk *w, const cnx_evidence *evidence, uint64_t *runs, uint64_t *run)
{
    const cnx_slicing *s = &evidence->slicing;
    uint64_t room = CHUNK / w->lineup->count;
    if (w->most != 0 && w->most < room)
        room = w->most;
    uint64_t most = room / evidence->copies + 1; /* elements of one position */
    *run = s->run < most ? s->run : most;
    *runs = *run < s->run ? 1 : most / s->run;
    *runs = *runs < s->runs ? *runs : s->runs;
}

/* A tensor that shows a plain family twice is read as it is at present, with everything in place. */
static bool is_read_in_place(const walk *w, const cnx_evidence *evidence)
{
    return evidence->self && w->view->reading == CNX_READ_PLAIN;
}

/* Where members of a are in a tensor that is read in place: at the places of b's that they went to. */
static const uint32_t *places_at_present(const walk *w, cnx_arena *arena)
{
    const cnx_families *f = w->families;
    uint32_t *places = CNX_NEW_ARRAY(arena, uint32_t, w->lineup->count);
    for (uint32_t i = 0; i < w->lineup->count; i++) {
        uint32_t class = w->kind->classes[w->lineup->rows[i]];
        uint32_t copy = f->cells->copies[f->cells->copy_start[class]];
        places[i] = f->place_of[f->cells->class_of[w->view->whole[copy]]];
    }
    return places;
}

/* Reads the slices of one piece of evidence chunk by chunk. */
static void walk_evidence(const walk *w, const cnx_evidence *evidence, bool sorted)
{
    cnx_comparison *c = w->families->c;
    cnx_arena *scratch = cnx_arena_create(c->arena);
    const cnx_pair *pair = &c->pairs[evidence->pair];
    const cnx_slicing *s = &evidence->slicing;
    bool in_place = is_read_in_place(w, evidence);
    const uint32_t *points = in_place ? w->view->whole : w->view->points;
    cnx_slice_source a = {c->a->model, pair->a, cnx_pair_permutation(c, scratch, pair, points)};
    cnx_slice_source b = {c->b->model, pair->b, cnx_pair_factors(c, scratch, pair, w->view->numbers)};
    if (w->view->numbers == NULL)
        b.permutation = pair->b->permutation;
    uint32_t count = w->lineup->count;
    const uint32_t *rows = in_place ? places_at_present(w, scratch) : w->lineup->rows;
    const uint32_t *a_at = gather_positions(scratch, evidence, rows, count);
    const uint32_t *b_at = gather_positions(scratch, evidence, w->lineup->columns, count);
    bool centred = cnx_multiple_is_one(&w->kind->multiples[evidence->multiple]);
    uint64_t runs, run, done = 0;
    size_chunk(w, evidence, &runs, &run);
    chunk part = {.rows = count};
    size_t room = (size_t)(runs * run * evidence->copies), positions = (size_t)count * evidence->copies;
    part.a = CNX_NEW_ARRAY(scratch, double, room *count);
    part.b = CNX_NEW_ARRAY(scratch, double, room *count);
    double *mean = CNX_NEW_ARRAY(scratch, double, room);
    for (uint64_t first = 0; first < s->runs; first += runs) {
        uint64_t some = s->runs - first < runs ? s->runs - first : runs;
        for (uint64_t from = 0; from < s->run && (w->most == 0 || done < w->most); from += run) {
            uint64_t length = s->run - from < run ? s->run - from : run;
            part.columns = (size_t)(some * length * evidence->copies);
            cnx_slices_read(s, &a, a_at, positions, first, some, from, length, part.a);
            cnx_slices_read(s, &b, b_at, positions, first, some, from, length, part.b);
            if (w->families->magnitudes)
                drop_signs(&part);
            if (sorted)
                sort_slices(&part);
            if (centred) {
                centre(part.a, count, part.columns, mean);
                centre(part.b, count, part.columns, mean);
            }
            w->visit(w->state, evidence, &part);
            done += part.columns;
        }
    }
    cnx_arena_destroy(scratch);
}

static void walk_kind(const walk *w, const cnx_family *family, uint32_t kind)
{
    for (size_t i = 0; i < family->evidence_count; i++)
        if (family->evidence[i].kind == kind &&
            (w->multiple == CNX_NONE || w->multiple == family->evidence[i].multiple) &&
            (w->matrix == NULL || w->matrix[family->evidence[i].multiple] != NULL) &&
            cnx_may_use(family, &family->evidence[i], w->view->reading, w->view->known))
            walk_evidence(w, &family->evidence[i],
                          w->families->sorted != NULL && !cnx_may_use(family, &family->evidence[i],
                                                                      w->view->reading, w->families->sorted));
}

/* ---- likeness ---- */

static void add_chunk_likeness(void *state, const cnx_evidence *evidence, const chunk *part)
{
    cnx_likeness *likeness = (cnx_likeness *)state + (size_t)evidence->multiple * part->rows;
    for (uint32_t i = 0; i < part->rows; i++) {
        const double *a = part->a + i * part->columns, *b = part->b + i * part->columns;
        cnx_likeness sum = {0};
        for (size_t k = 0; k < part->columns; k++) {
            sum.aa += a[k] * a[k];
            sum.ab += a[k] * b[k];
            sum.bb += b[k] * b[k];
            sum.distance += (a[k] - b[k]) * (a[k] - b[k]);
        }
        likeness[i].aa += evidence->weight * sum.aa;
        likeness[i].ab += evidence->weight * sum.ab;
        likeness[i].bb += evidence->weight * sum.bb;
        likeness[i].distance += evidence->weight * sum.distance;
    }
}

void cnx_add_likeness(cnx_families *f, const cnx_family *family, uint32_t kind,
                      const cnx_view_of_evidence *view, const cnx_lineup *lineup, cnx_likeness *likeness)
{
    walk w = {f, view, &family->kinds[kind], lineup, CNX_NONE, NULL, 0, add_chunk_likeness, likeness};
    walk_kind(&w, family, kind);
}

/* ---- products ---- */

typedef struct products {
    const cnx_blas *blas;
    const cnx_kind *kind;
    const cnx_likeness *likeness;
    double *const *gain; /* by multiple */
    double work;
} products;

/* The norms of a's slices, which are their weights, and of b's, which are undone. */
static void equalize(const products *p, const cnx_evidence *evidence, const chunk *part)
{
    static const int32_t none[CNX_MOST_EXPONENTS] = {0};
    const cnx_likeness *likeness = p->likeness + (size_t)evidence->multiple * part->rows;
    if (memcmp(p->kind->multiples[evidence->multiple].exponents, none, sizeof none) == 0)
        return;
    for (uint32_t i = 0; i < part->rows; i++) {
        double weight = sqrt(likeness[i].aa), unit = likeness[i].bb > 0 ? 1 / sqrt(likeness[i].bb) : 1;
        for (size_t k = 0; k < part->columns; k++) {
            part->a[i * part->columns + k] *= weight;
            part->b[i * part->columns + k] *= unit;
        }
    }
}

static void add_products(void *state, const cnx_evidence *evidence, const chunk *part)
{
    products *p = state;
    int rows = (int)part->rows, columns = (int)part->columns;
    equalize(p, evidence, part);
    p->blas->dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, rows, rows, columns, evidence->weight, part->a,
                   columns, part->b, columns, 1, p->gain[evidence->multiple], rows);
    p->work += (double)part->rows * part->rows * (double)part->columns;
}

/* Columns of one tensor that a look takes. */
static uint64_t columns_of_look(const cnx_family *family, uint32_t count)
{
    uint64_t some = LOOK_WORK / ((uint64_t)count * count);
    some = some < LEAST_COLUMNS ? LEAST_COLUMNS : some;
    uint64_t share = 2 * some / (family->evidence_count + 1) + 16;
    return share < some ? share : some;
}

double cnx_add_similarity(cnx_families *f, const cnx_family *family, uint32_t kind,
                          const cnx_view_of_evidence *view, const cnx_lineup *lineup,
                          const cnx_likeness *likeness, double *const *gain)
{
    products p = {.blas = f->blas, .kind = &family->kinds[kind], .likeness = likeness, .gain = gain};
    uint64_t most = f->magnitudes && f->sorted == NULL ? columns_of_look(family, lineup->count) : 0;
    walk w = {f, view, &family->kinds[kind], lineup, CNX_NONE, gain, most, add_products, &p};
    walk_kind(&w, family, kind);
    return p.work;
}

static void add_own_products(void *state, const cnx_evidence *evidence, const chunk *part)
{
    products *p = state;
    int rows = (int)part->rows, columns = (int)part->columns;
    p->blas->dsyrk(CblasRowMajor, CblasUpper, CblasNoTrans, rows, columns, evidence->weight, part->a, columns,
                   1, p->gain[0], rows);
}

void cnx_add_gram(cnx_families *f, const cnx_family *family, uint32_t kind, uint32_t multiple,
                  const cnx_view_of_evidence *view, const cnx_lineup *lineup, double *gram)
{
    const cnx_lineup own = {lineup->rows, lineup->rows, lineup->count};
    products p = {.blas = f->blas, .gain = &gram};
    walk w = {.families = f,
              .view = view,
              .kind = &family->kinds[kind],
              .lineup = &own,
              .multiple = multiple,
              .most = columns_of_look(family, lineup->count),
              .visit = add_own_products,
              .state = &p};
    walk_kind(&w, family, kind);
}
