#include "analyze/equations.h"

#include "base/divisor.h"

#include <stdlib.h>

/* An unknown that was solved for; `terms` may name unknowns that were solved for later. */
typedef struct solution {
    cnx_term *terms;
    uint32_t count;
    bool solved;
} solution;

struct cnx_equations {
    cnx_arena *arena;
    bool modulo_two;
    const uint32_t *priority;
    size_t count;
    solution *solutions;
    size_t stack_count;
    size_t stack_capacity;
    uint32_t *stack;
    size_t sum_count;
    size_t sum_capacity;
    cnx_term *sum; /* the combination at hand */
    cnx_term self;
};

cnx_equations *cnx_equations_create(cnx_arena *arena, size_t count, bool modulo_two, const uint32_t *priority)
{
    cnx_equations *e = CNX_NEW(arena, cnx_equations);
    *e = (cnx_equations){.arena = arena, .modulo_two = modulo_two, .priority = priority, .count = count};
    e->solutions = CNX_NEW_ARRAY(arena, solution, count);
    return e;
}

static int compare_unknowns(const void *a, const void *b)
{
    const cnx_term *x = a, *y = b;
    return (x->unknown > y->unknown) - (x->unknown < y->unknown);
}

static uint64_t magnitude(int64_t number)
{
    return number < 0 ? 0u - (uint64_t)number : (uint64_t)number;
}

/* Sorts e->sum, adds up terms of one unknown and drops those that cancel or were set to zero meanwhile. */
static void collect(cnx_equations *e)
{
    size_t kept = 0;
    if (e->sum_count > 1)
        qsort(e->sum, e->sum_count, sizeof *e->sum, compare_unknowns);
    for (size_t i = 0; i < e->sum_count; i++) {
        if (kept > 0 && e->sum[kept - 1].unknown == e->sum[i].unknown)
            e->sum[kept - 1].factor += e->sum[i].factor;
        else
            e->sum[kept++] = e->sum[i];
    }
    e->sum_count = kept;
    kept = 0;
    for (size_t i = 0; i < e->sum_count; i++) {
        if (e->modulo_two)
            e->sum[i].factor &= 1;
        if (e->sum[i].factor != 0 && !e->solutions[e->sum[i].unknown].solved)
            e->sum[kept++] = e->sum[i];
    }
    e->sum_count = kept;
}

/* Factors stay far from overflowing: a larger one is a sign of something that nobody asked for. */
#define LARGEST_FACTOR 4096

static bool is_out_of_hand(const cnx_equations *e)
{
    if (e->sum_count > CNX_MOST_TERMS)
        return true;
    for (size_t i = 0; i < e->sum_count; i++)
        if (e->sum[i].factor > LARGEST_FACTOR || e->sum[i].factor < -LARGEST_FACTOR)
            return true;
    return false;
}

/* Appends factor * (what the term's unknown stands for, one step) to e->sum. */
static void append(cnx_equations *e, cnx_term term)
{
    const solution *s = &e->solutions[term.unknown];
    if (!s->solved) {
        CNX_PUSH(e->arena, e->sum, e->sum_count, e->sum_capacity, term);
        return;
    }
    for (uint32_t i = 0; i < s->count; i++) {
        cnx_term part = {s->terms[i].unknown, s->terms[i].factor * term.factor};
        CNX_PUSH(e->arena, e->sum, e->sum_count, e->sum_capacity, part);
    }
}

static void set_zero(cnx_equations *e, uint32_t unknown)
{
    e->solutions[unknown] = (solution){.solved = true};
}

/* Sets all unknowns of the combination at hand, which are free, to zero. */
static void give_up(cnx_equations *e)
{
    for (size_t i = 0; i < e->sum_count; i++)
        set_zero(e, e->sum[i].unknown);
    e->sum_count = 0;
}

static bool names_solved(const cnx_equations *e, const solution *s)
{
    for (uint32_t i = 0; i < s->count; i++)
        if (e->solutions[s->terms[i].unknown].solved)
            return true;
    return false;
}

/* Rewrites a solution whose terms' own solutions name free unknowns only. */
static void substitute(cnx_equations *e, uint32_t unknown)
{
    solution *s = &e->solutions[unknown];
    e->sum_count = 0;
    for (uint32_t i = 0; i < s->count; i++)
        append(e, s->terms[i]);
    collect(e);
    if (is_out_of_hand(e))
        give_up(e);
    if (e->sum_count > s->count)
        s->terms = CNX_NEW_ARRAY(e->arena, cnx_term, e->sum_count);
    s->count = (uint32_t)e->sum_count;
    if (s->count != 0)
        memcpy(s->terms, e->sum, s->count * sizeof *s->terms);
}

/* Brings the solution of `unknown` to free unknowns; deep chains are walked with a stack of our own. */
static void settle(cnx_equations *e, uint32_t unknown)
{
    e->stack_count = 0;
    CNX_PUSH(e->arena, e->stack, e->stack_count, e->stack_capacity, unknown);
    while (e->stack_count != 0) {
        uint32_t top = e->stack[e->stack_count - 1];
        const solution *s = &e->solutions[top];
        bool ready = true;
        for (uint32_t i = 0; s->solved && i < s->count; i++) {
            uint32_t next = s->terms[i].unknown;
            if (!e->solutions[next].solved || !names_solved(e, &e->solutions[next]))
                continue;
            CNX_PUSH(e->arena, e->stack, e->stack_count, e->stack_capacity, next);
            ready = false;
        }
        if (!ready)
            continue;
        e->stack_count--;
        if (s->solved && names_solved(e, s))
            substitute(e, top);
    }
}

static uint32_t priority_of(const cnx_equations *e, uint32_t unknown)
{
    return e->priority != NULL ? e->priority[unknown] : 0;
}

/* Solves the combination at hand for the newest unknown that can be: older ones stay, so chains are short. */
static void solve(cnx_equations *e)
{
    uint64_t divisor = 0;
    for (size_t i = 0; i < e->sum_count; i++)
        divisor = cnx_greatest_divisor(magnitude(e->sum[i].factor), divisor);
    size_t pivot = e->sum_count;
    for (size_t i = 0; i < e->sum_count; i++) {
        e->sum[i].factor /= (int32_t)divisor;
        if ((e->sum[i].factor == 1 || e->sum[i].factor == -1) &&
            (pivot == e->sum_count ||
             priority_of(e, e->sum[i].unknown) >= priority_of(e, e->sum[pivot].unknown)))
            pivot = i;
    }
    if (pivot == e->sum_count || is_out_of_hand(e)) {
        give_up(e);
        return;
    }
    cnx_term solved = e->sum[pivot];
    solution *s = &e->solutions[solved.unknown];
    *s = (solution){.solved = true, .terms = CNX_NEW_ARRAY(e->arena, cnx_term, e->sum_count - 1)};
    for (size_t i = 0; i < e->sum_count; i++)
        if (i != pivot)
            s->terms[s->count++] = (cnx_term){e->sum[i].unknown, -e->sum[i].factor * solved.factor};
}

bool cnx_equations_add(cnx_equations *e, const cnx_term *terms, size_t count)
{
    for (size_t i = 0; i < count; i++)
        settle(e, terms[i].unknown);
    e->sum_count = 0;
    for (size_t i = 0; i < count; i++)
        append(e, terms[i]);
    collect(e);
    bool is_new = e->sum_count != 0;
    if (is_new)
        solve(e);
    return is_new;
}

size_t cnx_equations_value(cnx_equations *e, uint32_t unknown, const cnx_term **terms)
{
    settle(e, unknown);
    const solution *s = &e->solutions[unknown];
    if (!s->solved) {
        e->self = (cnx_term){unknown, 1};
        *terms = &e->self;
        return 1;
    }
    *terms = s->terms;
    return s->count;
}

bool cnx_equations_is_free(const cnx_equations *e, uint32_t unknown)
{
    return !e->solutions[unknown].solved;
}
