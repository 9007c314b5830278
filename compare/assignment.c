/* Linear assignment by shortest augmenting paths (R. Jonker, A. Volgenant: A shortest augmenting path
 * algorithm for dense and sparse linear assignment problems, Computing 38, 1987).
 *
 * Minimise the sum of cost[i][column(i)]. Its dual gives prices u to rows and v to columns with
 * u[i] + v[j] <= cost[i][j]; an assignment whose pairs all have equality is optimal. v is kept, u is implied:
 * the smallest of cost[i][j] - v[j], reached at i's column. Three phases make pairs without breaking that:
 *
 *   1. column reduction: v[j] is the smallest cost in column j, and its row takes j if it is still free;
 *   2. augmenting row reduction: a free row takes its cheapest column, whose price falls until the second
 *      cheapest is as good; the row that had the column is free and has its turn next. Twice over all free
 * rows, with a cap, because prices that hardly change could keep it busy for long;
 *   3. for every row that is still free a shortest path to a free column, through columns and the rows that
 * have them (Dijkstra, reduced costs are lengths); prices on the way are updated, and every row on the path
 * moves on to the next column. O(n^2) for each.
 *
 * O(n^3) at worst. For nearly the same set of vectors in another order, phase 1 does almost everything.
 * The caller's gains are costs with the sign turned. */
#include "compare/assignment.h"

#include "base/intern.h"

#include <math.h>

typedef struct problem {
    const double *gain;
    size_t stride;
    uint32_t count;
    double *price;      /* v, by column */
    uint32_t *row_of;   /* by column, or CNX_NONE */
    uint32_t *column;   /* by row, or CNX_NONE */
    double *distance;   /* by column: of the search */
    uint32_t *previous; /* by column: the row before it */
    uint32_t *order;    /* columns: done, then being scanned, then the rest */
} problem;

static double reduced(const problem *p, uint32_t row, uint32_t column)
{
    return -p->gain[row * p->stride + column] - p->price[column];
}

static void reduce_columns(problem *p)
{
    for (uint32_t j = p->count; j-- > 0;) {
        uint32_t best = 0;
        for (uint32_t i = 1; i < p->count; i++)
            if (p->gain[i * p->stride + j] > p->gain[best * p->stride + j])
                best = i;
        p->price[j] = -p->gain[best * p->stride + j];
        if (p->column[best] == CNX_NONE) {
            p->column[best] = j;
            p->row_of[j] = best;
        }
    }
}

/* The cheapest column of a row, the second cheapest, and how much dearer that is. */
static double cheapest(const problem *p, uint32_t row, uint32_t *first, uint32_t *second)
{
    double least = reduced(p, row, 0), next = (double)INFINITY;
    *first = 0;
    *second = CNX_NONE;
    for (uint32_t j = 1; j < p->count; j++) {
        double cost = reduced(p, row, j);
        if (cost >= next)
            continue;
        if (cost >= least) {
            next = cost;
            *second = j;
        } else {
            next = least;
            *second = *first;
            least = cost;
            *first = j;
        }
    }
    return *second == CNX_NONE ? 0 : next - least;
}

/* One turn of a free row. Returns the row that it put out, or CNX_NONE. */
static uint32_t take_cheapest(problem *p, uint32_t row, bool *price_fell)
{
    uint32_t first, second;
    double margin = cheapest(p, row, &first, &second);
    *price_fell = margin > 0;
    if (*price_fell)
        p->price[first] -= margin;
    else if (p->row_of[first] != CNX_NONE && second != CNX_NONE)
        first = second;
    uint32_t out = p->row_of[first];
    p->row_of[first] = row;
    p->column[row] = first;
    if (out != CNX_NONE)
        p->column[out] = CNX_NONE;
    return out;
}

static void reduce_rows(problem *p)
{
    uint64_t turns = 4 * (uint64_t)p->count;
    for (unsigned pass = 0; pass < 2; pass++)
        for (uint32_t i = 0; i < p->count; i++) {
            uint32_t row = p->column[i] == CNX_NONE ? i : CNX_NONE;
            bool again = true;
            while (row != CNX_NONE && again && turns-- != 0)
                row = take_cheapest(p, row, &again);
            if (turns == UINT64_MAX)
                return;
        }
}

/* Moves the columns at the least distance, among order[low ...], to its front. Returns where they end. */
static uint32_t nearest(const problem *p, uint32_t low)
{
    uint32_t high = low + 1;
    double least = p->distance[p->order[low]];
    for (uint32_t k = low + 1; k < p->count; k++) {
        uint32_t j = p->order[k];
        if (p->distance[j] > least)
            continue;
        if (p->distance[j] < least) {
            high = low;
            least = p->distance[j];
        }
        p->order[k] = p->order[high];
        p->order[high++] = j;
    }
    return high;
}

/* Goes on from the row that has column order[at]. Returns a free column that is reached at no more cost, or
 * CNX_NONE. */
static uint32_t scan(problem *p, uint32_t at, uint32_t *high)
{
    uint32_t from = p->order[at], row = p->row_of[from];
    double base = p->distance[from] - reduced(p, row, from), least = p->distance[from];
    for (uint32_t k = *high; k < p->count; k++) {
        uint32_t j = p->order[k];
        double distance = base + reduced(p, row, j);
        if (distance >= p->distance[j])
            continue;
        p->previous[j] = row;
        p->distance[j] = distance;
        if (distance > least)
            continue;
        if (p->row_of[j] == CNX_NONE)
            return j;
        p->order[k] = p->order[*high];
        p->order[(*high)++] = j;
    }
    return CNX_NONE;
}

/* A shortest path from a free row: its last column. Prices of the columns that are done are brought up to
 * date. */
static uint32_t find_path(problem *p, uint32_t row)
{
    for (uint32_t j = 0; j < p->count; j++) {
        p->order[j] = j;
        p->previous[j] = row;
        p->distance[j] = reduced(p, row, j);
    }
    uint32_t low = 0, high = 0, done = 0, end = CNX_NONE;
    double least = 0;
    while (end == CNX_NONE) {
        if (low == high) {
            done = low;
            high = nearest(p, low);
            least = p->distance[p->order[low]];
            for (uint32_t k = low; k < high && end == CNX_NONE; k++)
                if (p->row_of[p->order[k]] == CNX_NONE)
                    end = p->order[k];
        }
        if (end == CNX_NONE)
            end = scan(p, low++, &high);
    }
    for (uint32_t k = 0; k < done; k++)
        p->price[p->order[k]] += p->distance[p->order[k]] - least;
    return end;
}

static void augment(problem *p, uint32_t row)
{
    uint32_t column = find_path(p, row), at;
    do {
        at = p->previous[column];
        p->row_of[column] = at;
        uint32_t next = p->column[at];
        p->column[at] = column;
        column = next;
    } while (at != row);
}

double cnx_assign(cnx_arena *arena, const double *gain, uint32_t count, size_t stride, uint32_t *column)
{
    cnx_arena *scratch = cnx_arena_create(arena);
    problem p = {.gain = gain, .stride = stride, .count = count, .column = column};
    p.price = CNX_NEW_ARRAY(scratch, double, count);
    p.distance = CNX_NEW_ARRAY(scratch, double, count);
    p.row_of = CNX_NEW_ARRAY(scratch, uint32_t, count);
    p.previous = CNX_NEW_ARRAY(scratch, uint32_t, count);
    p.order = CNX_NEW_ARRAY(scratch, uint32_t, count);
    for (uint32_t i = 0; i < count; i++)
        column[i] = p.row_of[i] = CNX_NONE;
    if (count != 0) {
        reduce_columns(&p);
        reduce_rows(&p);
    }
    double sum = 0;
    for (uint32_t i = 0; i < count; i++)
        if (column[i] == CNX_NONE)
            augment(&p, i);
    for (uint32_t i = 0; i < count; i++)
        sum += gain[i * stride + column[i]];
    cnx_arena_destroy(scratch);
    return sum;
}
