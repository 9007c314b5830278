/* Where branches meet: residual sums, gates, concatenations. */
#include "analyze/blocks/matcher.h"

#include <inttypes.h>

/* ---- the common source of two values ----
 *
 * A walk back from both values at once, always from the value that is made latest, marking what each side
 * reaches. All readers of a value are passed before the value itself, so the first value that carries both
 * marks when its turn comes is the latest common source. */

#define MAX_WALK 4096u
enum {
    LEFT = 1,
    RIGHT = 2,
    SIDES = 4, /* stamps count in steps of this, sides are in the low bits */
};

typedef struct walk {
    cnx_matcher *m;
    uint32_t stamp;
    uint32_t count;
    uint32_t heap[MAX_WALK]; /* values; the one made latest on top */
} walk;

/* Graph inputs are made before everything else. */
static uint32_t time_of(const walk *w, uint32_t value)
{
    uint32_t producer = cnx_producer(w->m, value);
    return producer == CNX_NONE ? 0 : w->m->view->positions[producer] + 1;
}

static void swap(uint32_t *a, uint32_t *b)
{
    uint32_t old = *a;
    *a = *b;
    *b = old;
}

static void push(walk *w, uint32_t value)
{
    uint32_t i = w->count++;
    w->heap[i] = value;
    for (; i != 0 && time_of(w, w->heap[(i - 1) / 2]) < time_of(w, w->heap[i]); i = (i - 1) / 2)
        swap(&w->heap[i], &w->heap[(i - 1) / 2]);
}

static uint32_t pop(walk *w)
{
    uint32_t top = w->heap[0];
    w->heap[0] = w->heap[--w->count];
    for (uint32_t i = 0;;) {
        uint32_t latest = i;
        for (uint32_t child = 2 * i + 1; child <= 2 * i + 2 && child < w->count; child++)
            if (time_of(w, w->heap[child]) > time_of(w, w->heap[latest]))
                latest = child;
        if (latest == i)
            return top;
        swap(&w->heap[i], &w->heap[latest]);
        i = latest;
    }
}

/* Marks a value for some sides; false when the walk got too large. */
static bool reach(walk *w, uint32_t value, uint32_t sides)
{
    uint32_t *mark = &w->m->view->marks[value];
    if (*mark >= w->stamp) {
        *mark |= sides;
        return true;
    }
    if (w->count == MAX_WALK)
        return false;
    *mark = w->stamp | sides;
    push(w, value);
    return true;
}

bool cnx_find_branches(cnx_matcher *m, uint32_t a, uint32_t b, cnx_branches *branches)
{
    walk w = {.m = m, .stamp = m->stamp += SIDES};
    *branches = (cnx_branches){.source = CNX_NONE};
    if (a == b || !reach(&w, a, LEFT) || !reach(&w, b, RIGHT))
        return false;
    for (uint32_t step = 0; w.count != 0 && step < MAX_WALK && m->steps_left != 0; step++, m->steps_left--) {
        uint32_t value = pop(&w), sides = m->view->marks[value] - w.stamp, node = cnx_producer(m, value);
        if (sides == (LEFT | RIGHT)) {
            branches->source = value;
            return true;
        }
        branches->length[sides == RIGHT]++;
        if (node == CNX_NONE)
            continue;
        branches->products |= !cnx_dim_equals(m->dims, m->view->macs[node], 0);
        for (uint32_t i = 0; i < cnx_node_at(m, node)->input_count; i++)
            if (cnx_is_data(m, cnx_input(m, node, i)) && !reach(&w, cnx_input(m, node, i), sides))
                return false;
    }
    return false;
}

/* ---- matchers ---- */

/* "branch of 7 nodes from X", or "branches of 6 and 2 nodes from X". */
static void say_branches(cnx_matcher *m, const cnx_branches *found)
{
    uint32_t left = found->length[0], right = found->length[1];
    uint32_t longer = left > right ? left : right, shorter = left > right ? right : left;
    const char *place = cnx_place(m, found->source);
    if (shorter == 0)
        cnx_say(m, "branch of %" PRIu32 " node%s from %s", longer, longer == 1 ? "" : "s", place);
    else
        cnx_say(m, "branches of %" PRIu32 " and %" PRIu32 " nodes from %s", longer, shorter, place);
}

/* Without an identity on one side and without a layer on either, such as in x*x + y*y, it is arithmetic and
 * nothing that people call a branch. */
static bool is_arithmetic(const cnx_branches *found)
{
    return found->length[0] != 0 && found->length[1] != 0 && !found->products;
}

/* Whether the node is inside an activation that starts where the branches do, as in x * Sigmoid(x). */
static bool is_in_activation(cnx_matcher *m, uint32_t source, uint32_t node)
{
    const char *name;
    bool inside = cnx_take_activation(m, source, &name) != CNX_NONE && cnx_is_taken(m, node);
    m->taken_count = 0;
    return inside;
}

static bool match_merge(cnx_matcher *m, uint32_t node)
{
    uint32_t a = cnx_input(m, node, 0), b = cnx_input(m, node, 1);
    cnx_branches found;
    const char *name;
    if (cnx_node_at(m, node)->input_count < 2 || !cnx_is_data(m, a) || !cnx_is_data(m, b))
        return false;
    if (!cnx_find_branches(m, a, b, &found) || is_arithmetic(&found) ||
        is_in_activation(m, found.source, node))
        return false;
    cnx_take(m, node);
    say_branches(m, &found);
    if (cnx_take_activation(m, cnx_output(m, node, 0), &name) != CNX_NONE)
        cnx_say(m, "%s", name);
    return true;
}

bool cnx_match_residual(cnx_matcher *m, uint32_t node)
{
    return (cnx_op(m, node) == OP_Add || cnx_op(m, node) == OP_Sum) && match_merge(m, node);
}

bool cnx_match_gate(cnx_matcher *m, uint32_t node)
{
    return cnx_op(m, node) == OP_Mul && match_merge(m, node);
}

/* Pieces cut from one tensor and put together again are layout, not a joining of branches. */
static bool is_rearrangement(const cnx_matcher *m, uint32_t node)
{
    uint32_t whole = CNX_NONE;
    for (uint32_t i = 0; i < cnx_node_at(m, node)->input_count; i++) {
        uint32_t value = cnx_input(m, node, i), cut = cnx_producer(m, value);
        while (cnx_op(m, cut) == OP_Slice && cnx_is_data(m, cnx_input(m, cut, 0))) {
            value = cnx_input(m, cut, 0);
            cut = cnx_producer(m, value);
        }
        if (cnx_op(m, cut) == OP_Split || cnx_op(m, cut) == OP_Neg || cnx_op(m, cut) == OP_Unsqueeze)
            value = cnx_input(m, cut, 0);
        if (whole != CNX_NONE && value != whole)
            return false;
        whole = value;
    }
    return true;
}

#define MAX_SAID_PARTS 4u

bool cnx_match_concat(cnx_matcher *m, uint32_t node)
{
    if (cnx_op(m, node) != OP_Concat)
        return false;
    uint32_t parts = cnx_node_at(m, node)->input_count, rank;
    for (uint32_t i = 0; i < parts; i++)
        if (!cnx_is_data(m, cnx_input(m, node, i)))
            return false;
    if (parts < 2 || is_rearrangement(m, node))
        return false;
    int64_t axis = cnx_int(m, node, "axis", 1);
    if (!cnx_rank(m, cnx_output(m, node, 0), &rank) || rank < 2) /* joined numbers, not features */
        return false;
    cnx_take(m, node);
    const char *text = "";
    for (uint32_t i = 0; i < parts && i < MAX_SAID_PARTS; i++)
        text = cnx_print(m->arena, "%s%s%s", text, i == 0 ? "" : " + ",
                         cnx_extent_text(m, cnx_input(m, node, i), (int)axis));
    if (parts > MAX_SAID_PARTS)
        text = cnx_print(m->arena, "%s + %" PRIu32 " more", text, parts - MAX_SAID_PARTS);
    cnx_say(m, "%s -> %s", text, cnx_extent_text(m, cnx_output(m, node, 0), (int)axis));
    cnx_say(m, "axis %" PRId64, axis);
    return true;
}
