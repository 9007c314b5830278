/* Aligning the nodes of two graphs.
 *
 * Most pairs of files that people compare are one graph, and the canonical order lists it alike: a walk over
 * both lists proves it. Otherwise a change somewhere leaves two large regions untouched: everything that does
 * not depend on it has the same ancestry, everything that it does not depend on has the same posterity. So:
 *
 *   1. nodes of equal ancestry (the hash `above`) are partners, in canonical order where several are equal;
 *   2. then nodes of equal posterity (`below`);
 *   3. neighbours of partners (at the same slot) that are equal in themselves become partners, and theirs;
 *   4. runs of nodes between partners are aligned by their longest common subsequence;
 *   5. then 3 and 4 once more, content with the same operator: those nodes are reported as changed.
 *
 * 1 to 3 take a sort and a walk; 4 is quadratic in the length of a run, and capped. Nothing here has to be
 * right: an alignment that is not the best one gives a longer report, not a wrong one, because what is
 * reported is what is found different between partners. */
#include "compare/alignment.h"

#include "rewrite/digest/hashes.h"

#include <stdlib.h>

/* Runs whose lengths multiply to more are not aligned: their nodes count as deleted and inserted. */
#define MOST_CELLS (UINT64_C(4) << 20)

/* Inputs of commutative operators with more are paired in their order. */
enum { MOST_COMMUTED = 16 };

typedef struct keyed {
    uint64_t key;
    uint32_t step;
} keyed;

typedef struct aligner {
    cnx_alignment *result;
    cnx_arena *arena;
    size_t todo_count, todo_capacity;
    uint32_t *todo; /* steps of a whose neighbours have to be looked at */
} aligner;

static void pair_up(aligner *work, uint32_t a, uint32_t b)
{
    work->result->to_b[a] = b;
    work->result->to_a[b] = a;
    CNX_PUSH(work->arena, work->todo, work->todo_count, work->todo_capacity, a);
}

/* Whether two graphs play the same part: the main graphs, functions of one name, or bodies under one
 * attribute of partners. */
static bool same_scope(const cnx_alignment *al, uint32_t a, uint32_t b)
{
    const cnx_scope *left = &al->a->scopes[a], *right = &al->b->scopes[b];
    if (strcmp(left->role, right->role) != 0 || (left->holder == CNX_NONE) != (right->holder == CNX_NONE))
        return false;
    return left->holder == CNX_NONE ? (a == 0) == (b == 0) : al->to_b[left->holder] == right->holder;
}

static bool same_operator(const cnx_alignment *al, uint32_t a, uint32_t b)
{
    const cnx_node *left = cnx_side_node(al->a, a), *right = cnx_side_node(al->b, b);
    return strcmp(left->op_type, right->op_type) == 0 && strcmp(left->domain, right->domain) == 0 &&
           same_scope(al, al->a->steps[a].scope, al->b->steps[b].scope);
}

/* ---- same graphs ---- */

bool cnx_same_origin(const cnx_alignment *al, const cnx_origin *a, const cnx_origin *b)
{
    if (a->kind != b->kind || a->slot != b->slot)
        return false;
    if (a->kind == CNX_FROM_STEP)
        return al->to_b[a->at] == b->at;
    return a->kind != CNX_FROM_INPUT || same_scope(al, a->at, b->at);
}

static bool same_scopes(const cnx_side *a, const cnx_side *b)
{
    bool same = a->scope_count == b->scope_count && a->step_count == b->step_count;
    for (uint32_t s = 0; s < a->scope_count && same; s++) {
        const cnx_graph *left = a->scopes[s].graph, *right = b->scopes[s].graph;
        same = a->scopes[s].holder == b->scopes[s].holder &&
               strcmp(a->scopes[s].role, b->scopes[s].role) == 0 && left->input_count == right->input_count &&
               left->output_count == right->output_count;
    }
    return same;
}

static bool same_outputs(const cnx_alignment *al, uint32_t scope)
{
    const cnx_graph *left = al->a->scopes[scope].graph, *right = al->b->scopes[scope].graph;
    bool same = true;
    for (uint32_t i = 0; i < left->output_count && same; i++) {
        cnx_origin a = cnx_side_origin(al->a, left, left->outputs[i]);
        cnx_origin b = cnx_side_origin(al->b, right, right->outputs[i]);
        same = cnx_same_origin(al, &a, &b);
    }
    return same;
}

static bool same_step(const cnx_alignment *al, uint32_t step)
{
    const cnx_step *left = &al->a->steps[step], *right = &al->b->steps[step];
    const cnx_node *a = cnx_side_node(al->a, step), *b = cnx_side_node(al->b, step);
    bool same = left->local == right->local && left->sized == right->sized && left->scope == right->scope &&
                a->input_count == b->input_count && a->output_count == b->output_count;
    for (uint32_t slot = 0; slot < a->input_count && same; slot++) {
        cnx_origin x = cnx_side_input(al->a, step, slot), y = cnx_side_input(al->b, step, slot);
        same = cnx_same_origin(al, &x, &y);
    }
    for (uint32_t slot = 0; slot < a->output_count && same; slot++)
        same = (a->outputs[slot] == CNX_NONE) == (b->outputs[slot] == CNX_NONE);
    return same;
}

/* Pairs equal places, and tells whether that is right. */
static bool is_isomorphic(cnx_alignment *al)
{
    if (!same_scopes(al->a, al->b))
        return false;
    for (uint32_t i = 0; i < al->a->step_count; i++)
        al->to_b[i] = al->to_a[i] = i;
    bool same = true;
    for (uint32_t i = 0; i < al->a->step_count && same; i++)
        same = same_step(al, i);
    for (uint32_t s = 0; s < al->a->scope_count && same; s++)
        same = same_outputs(al, s);
    return same;
}

/* ---- equal hashes ---- */

static int compare_keyed(const void *a, const void *b)
{
    const keyed *x = a, *y = b;
    if (x->key != y->key)
        return x->key < y->key ? -1 : 1;
    return (x->step > y->step) - (x->step < y->step);
}

/* Unpaired steps by one of their hashes. */
static keyed *sort_steps(cnx_arena *arena, const cnx_side *side, const uint32_t *partner, bool above,
                         size_t *count)
{
    keyed *items = CNX_NEW_ARRAY(arena, keyed, side->step_count);
    *count = 0;
    for (uint32_t i = 0; i < side->step_count; i++)
        if (partner[i] == CNX_NONE)
            items[(*count)++] = (keyed){above ? side->steps[i].above : side->steps[i].below, i};
    if (*count > 1)
        qsort(items, *count, sizeof *items, compare_keyed);
    return items;
}

static void pair_equal_hashes(aligner *work, bool above)
{
    cnx_alignment *al = work->result;
    cnx_arena *scratch = cnx_arena_create(work->arena);
    size_t left_count, right_count;
    const keyed *left = sort_steps(scratch, al->a, al->to_b, above, &left_count);
    const keyed *right = sort_steps(scratch, al->b, al->to_a, above, &right_count);
    for (size_t i = 0, k = 0; i < left_count && k < right_count;) {
        if (left[i].key != right[k].key) {
            *(left[i].key < right[k].key ? &i : &k) += 1;
            continue;
        }
        if (same_operator(al, left[i].step, right[k].step))
            pair_up(work, left[i].step, right[k].step);
        i++;
        k++;
    }
    cnx_arena_destroy(scratch);
}

/* ---- neighbours ---- */

typedef enum likeness { SAME_SIZED, SAME_LOCAL, SAME_OPERATOR } likeness;

static bool alike(const cnx_alignment *al, uint32_t a, uint32_t b, likeness how)
{
    if (how == SAME_SIZED && al->a->steps[a].sized != al->b->steps[b].sized)
        return false;
    if (how == SAME_LOCAL && al->a->steps[a].local != al->b->steps[b].local)
        return false;
    return same_operator(al, a, b);
}

static bool try_pair(aligner *work, uint32_t a, uint32_t b, likeness how)
{
    const cnx_alignment *al = work->result;
    if (al->to_b[a] != CNX_NONE || al->to_a[b] != CNX_NONE || !alike(al, a, b, how))
        return false;
    pair_up(work, a, b);
    return true;
}

static bool pair_inputs(aligner *work, uint32_t a, uint32_t b, likeness how)
{
    const cnx_alignment *al = work->result;
    uint32_t left = cnx_side_node(al->a, a)->input_count, right = cnx_side_node(al->b, b)->input_count;
    bool found = false;
    for (uint32_t slot = 0; slot < left && slot < right; slot++) {
        cnx_origin x = cnx_side_input(al->a, a, slot), y = cnx_side_input(al->b, b, slot);
        if (x.kind == CNX_FROM_STEP && y.kind == CNX_FROM_STEP && x.slot == y.slot)
            found = try_pair(work, x.at, y.at, how) || found;
    }
    return found;
}

/* The users of a value that lie in its own graph. Each looks for the first free one like it. */
static bool pair_users(aligner *work, const cnx_value *left, const cnx_value *right, const cnx_scope *a,
                       const cnx_scope *b, likeness how)
{
    enum { MOST_USERS = 64 };
    bool found = false;
    for (uint32_t i = 0; i < left->use_count && i < MOST_USERS; i++)
        for (uint32_t k = 0; k < right->use_count && k < MOST_USERS; k++)
            if (left->uses[i].slot == right->uses[k].slot &&
                try_pair(work, a->step_of_node[left->uses[i].node], b->step_of_node[right->uses[k].node],
                         how)) {
                found = true;
                break;
            }
    return found;
}

static bool pair_outputs(aligner *work, uint32_t a, uint32_t b, likeness how)
{
    const cnx_alignment *al = work->result;
    const cnx_scope *left = &al->a->scopes[al->a->steps[a].scope],
                    *right = &al->b->scopes[al->b->steps[b].scope];
    const cnx_node *x = cnx_side_node(al->a, a), *y = cnx_side_node(al->b, b);
    bool found = false;
    for (uint32_t slot = 0; slot < x->output_count && slot < y->output_count; slot++)
        if (x->outputs[slot] != CNX_NONE && y->outputs[slot] != CNX_NONE)
            found = pair_users(work, &left->graph->values[x->outputs[slot]],
                               &right->graph->values[y->outputs[slot]], left, right, how) ||
                    found;
    return found;
}

/* Looks around every pair again, from `how` on. Returns whether anything was found. */
static bool pair_neighbours(aligner *work, likeness how)
{
    cnx_alignment *al = work->result;
    work->todo_count = 0;
    for (uint32_t a = 0; a < al->a->step_count; a++)
        if (al->to_b[a] != CNX_NONE)
            CNX_PUSH(work->arena, work->todo, work->todo_count, work->todo_capacity, a);
    bool found = false;
    for (size_t next = 0; next < work->todo_count; next++) {
        uint32_t a = work->todo[next], b = al->to_b[a];
        found = pair_inputs(work, a, b, how) || found;
        found = pair_outputs(work, a, b, how) || found;
    }
    return found;
}

/* ---- runs between partners ---- */

typedef struct stretch {
    uint32_t a, a_count;
    uint32_t b, b_count;
} stretch;

/* Longest common subsequence of two runs of unpaired steps. */
static void align_stretch(aligner *work, const uint32_t *a, uint32_t a_count, const uint32_t *b,
                          uint32_t b_count, likeness how)
{
    if (a_count == 0 || b_count == 0 || (uint64_t)a_count * b_count > MOST_CELLS)
        return;
    cnx_arena *scratch = cnx_arena_create(work->arena);
    size_t width = (size_t)b_count + 1;
    uint32_t *best = CNX_NEW_ARRAY(scratch, uint32_t, (a_count + (size_t)1) * width);
    for (uint32_t i = a_count; i-- > 0;)
        for (uint32_t k = b_count; k-- > 0;) {
            uint32_t skip_a = best[(i + (size_t)1) * width + k], skip_b = best[i * width + k + 1];
            uint32_t both = best[(i + (size_t)1) * width + k + 1] + 1;
            uint32_t most = skip_a > skip_b ? skip_a : skip_b;
            best[i * width + k] = both > most && alike(work->result, a[i], b[k], how) ? both : most;
        }
    for (uint32_t i = 0, k = 0; i < a_count && k < b_count;) {
        uint32_t here = best[i * width + k];
        if (best[(i + (size_t)1) * width + k] == here)
            i++;
        else if (best[i * width + k + 1] == here)
            k++;
        else
            pair_up(work, a[i++], b[k++]);
    }
    cnx_arena_destroy(scratch);
}

/* Partners that stand in the same order in both lists fence off the runs. A greedy choice of them will do:
 * nodes that moved are few. */
static void align_gaps(aligner *work, likeness how)
{
    cnx_alignment *al = work->result;
    cnx_arena *scratch = cnx_arena_create(work->arena);
    uint32_t *a = CNX_NEW_ARRAY(scratch, uint32_t, al->a->step_count);
    uint32_t *b = CNX_NEW_ARRAY(scratch, uint32_t, al->b->step_count);
    uint32_t next_b = 0, a_count = 0, b_count;
    for (uint32_t i = 0; i <= al->a->step_count; i++) {
        bool last = i == al->a->step_count;
        if (!last && al->to_b[i] == CNX_NONE) {
            a[a_count++] = i;
            continue;
        }
        uint32_t fence = last ? al->b->step_count : al->to_b[i];
        if (fence < next_b || (!last && fence - next_b > 1 + 2 * a_count + 64)) /* a node that moved */
            continue;
        for (b_count = 0; next_b < fence; next_b++)
            if (al->to_a[next_b] == CNX_NONE)
                b[b_count++] = next_b;
        align_stretch(work, a, a_count, b, b_count, how);
        a_count = 0;
        next_b = fence + 1;
    }
    cnx_arena_destroy(scratch);
}

/* ---- all of it ---- */

static void clear(cnx_alignment *al)
{
    for (uint32_t i = 0; i < al->a->step_count; i++)
        al->to_b[i] = CNX_NONE;
    for (uint32_t i = 0; i < al->b->step_count; i++)
        al->to_a[i] = CNX_NONE;
}

static double share_kept(const cnx_alignment *al)
{
    uint32_t kept = 0;
    uint32_t most = al->a->step_count > al->b->step_count ? al->a->step_count : al->b->step_count;
    for (uint32_t i = 0; i < al->a->step_count; i++)
        kept += al->to_b[i] != CNX_NONE && al->a->steps[i].sized == al->b->steps[al->to_b[i]].sized;
    return most == 0 ? 1 : (double)kept / most;
}

cnx_alignment *cnx_align_nodes(cnx_side *a, cnx_side *b)
{
    cnx_alignment *al = CNX_NEW(a->arena, cnx_alignment);
    *al = (cnx_alignment){.a = a, .b = b};
    al->to_b = CNX_NEW_ARRAY(a->arena, uint32_t, a->step_count);
    al->to_a = CNX_NEW_ARRAY(a->arena, uint32_t, b->step_count);
    al->isomorphic = is_isomorphic(al);
    if (!al->isomorphic) {
        aligner work = {.result = al, .arena = cnx_arena_create(a->arena)};
        clear(al);
        pair_equal_hashes(&work, true);
        pair_equal_hashes(&work, false);
        for (likeness how = SAME_SIZED; how <= SAME_OPERATOR; how++) {
            pair_neighbours(&work, how);
            align_gaps(&work, how);
            pair_neighbours(&work, how);
        }
        cnx_arena_destroy(work.arena);
    }
    al->kept = share_kept(al);
    return al;
}

/* ---- slots ---- */

/* Follows a value up through nodes that only the one model has, along their first input that is no constant:
 * what a node reads behind an insertion is, but for the insertion, what it read before. */
static cnx_origin skip_new(const cnx_side *side, const uint32_t *partner, cnx_origin origin)
{
    while (origin.kind == CNX_FROM_STEP && partner[origin.at] == CNX_NONE) {
        const cnx_node *node = cnx_side_node(side, origin.at);
        uint32_t step = origin.at, slot = 0;
        for (; slot < node->input_count; slot++) {
            origin = cnx_side_input(side, step, slot);
            if (origin.kind == CNX_FROM_STEP || origin.kind == CNX_FROM_INPUT)
                break;
        }
        if (slot == node->input_count)
            return (cnx_origin){.kind = CNX_FROM_NOTHING, .at = CNX_NONE};
    }
    return origin;
}

bool cnx_is_rewired(const cnx_alignment *al, const cnx_origin *a, const cnx_origin *b)
{
    if (cnx_same_origin(al, a, b))
        return false;
    cnx_origin x = skip_new(al->a, al->to_b, *a), y = skip_new(al->b, al->to_a, *b);
    return !cnx_same_origin(al, &x, &y);
}

/* How sure it has to be that two slots correspond: fed by the very same, by the same but for insertions, or
 * not. */
static bool slots_agree(const cnx_alignment *al, uint32_t a, uint32_t i, uint32_t b, uint32_t k,
                        unsigned round)
{
    cnx_origin x = cnx_side_input(al->a, a, i), y = cnx_side_input(al->b, b, k);
    if (round == 0)
        return cnx_same_origin(al, &x, &y);
    return round == 2 || (x.kind == y.kind && !cnx_is_rewired(al, &x, &y));
}

/* Slots of b by slot of a, for a commutative operator of at most MOST_COMMUTED inputs. */
static void pair_slots(const cnx_alignment *al, uint32_t a, uint32_t b, uint32_t count, uint32_t *partner)
{
    bool taken[MOST_COMMUTED] = {false};
    for (uint32_t i = 0; i < count; i++)
        partner[i] = CNX_NONE;
    for (unsigned round = 0; round < 3; round++)
        for (uint32_t i = 0; i < count; i++) {
            uint32_t k = 0;
            while (k < count && (taken[k] || !slots_agree(al, a, i, b, k, round)))
                k++;
            if (partner[i] != CNX_NONE || k == count)
                continue;
            partner[i] = k;
            taken[k] = true;
        }
}

uint32_t cnx_partner_slot(const cnx_alignment *al, uint32_t a, uint32_t b, uint32_t slot)
{
    const cnx_node *left = cnx_side_node(al->a, a), *right = cnx_side_node(al->b, b);
    uint32_t partner[MOST_COMMUTED];
    if (al->isomorphic || !cnx_node_commutes(left) || !cnx_node_commutes(right) ||
        left->input_count != right->input_count || left->input_count > MOST_COMMUTED)
        return slot < right->input_count ? slot : CNX_NONE;
    pair_slots(al, a, b, left->input_count, partner);
    return partner[slot];
}

/* ---- graphs ---- */

const cnx_graph *cnx_partner_body(const cnx_node *a, uint32_t number, const cnx_node *b)
{
    const cnx_subgraph *left = &a->subgraphs[number];
    for (uint32_t i = 0; i < b->subgraph_count; i++) {
        const cnx_subgraph *right = &b->subgraphs[i];
        if (right->position == left->position && strcmp(right->attribute->name, left->attribute->name) == 0)
            return right->graph;
    }
    return NULL;
}

static bool same_optional_text(const char *a, const char *b)
{
    return strcmp(a != NULL ? a : "", b != NULL ? b : "") == 0;
}

const cnx_graph *cnx_partner_function(const cnx_side *side, const cnx_graph *function)
{
    const Onnx__FunctionProto *wanted = function->function;
    for (uint32_t i = 0; i < side->model->function_count; i++) {
        const Onnx__FunctionProto *found = side->model->functions[i]->function;
        if (strcmp(found->name, wanted->name) == 0 && same_optional_text(found->domain, wanted->domain) &&
            same_optional_text(found->overload, wanted->overload))
            return side->model->functions[i];
    }
    return NULL;
}
