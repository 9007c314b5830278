/* The comparison as a whole, from what is cheap and certain to what is dear:
 *
 *   1. both models in structural form; nodes aligned; interface, nodes and wiring compared;
 *   2. weights compared as they stand;
 *   3. if the structure is the same and every tensor holds the same numbers in some order, signs and powers
 * of two aside: the symmetry that takes one sorted form to the other is tried, then the one between the
 * normal forms (normal_forms.h). If it makes them equal, it is the proof;
 *   4. if it does not, the canonical forms decide;
 *   5. otherwise, weight matching: the symmetry that brings a closest to b. When it happens to make them
 * equal, that is a proof, too, whatever 4 found. If not, and 4 gave up, nothing was decided. */
#include "compare/verdict.h"

#include "compare/classes.h"
#include "compare/match.h"
#include "compare/normal_forms.h"
#include "compare/permuted.h"
#include "compare/ways.h"
#include "compare/weights.h"
#include "compare/witness.h"
#include "rewrite/digest/hashes.h"

#include <stdio.h>

/* With a smaller share of nodes in common, what happened to single nodes says nothing. */
#define LEAST_KEPT 0.25

/* ---- the report ---- */

void cnx_comparison_note(cnx_comparison *c, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    const char *text = cnx_print_list(c->arena, format, arguments);
    va_end(arguments);
    CNX_PUSH(c->arena, c->notes, c->report->note_count, c->note_capacity, text);
    c->report->notes = c->notes;
}

void cnx_comparison_way(cnx_comparison *c, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    const char *text = cnx_print_list(c->arena, format, arguments);
    va_end(arguments);
    CNX_PUSH(c->arena, c->ways, c->report->way_count, c->way_capacity, text);
    c->report->ways = c->ways;
}

void cnx_comparison_interface(cnx_comparison *c, cnx_interface_change change)
{
    c->interface_matters = c->interface_matters || change.matters;
    CNX_PUSH(c->arena, c->interface, c->report->interface_count, c->interface_capacity, change);
    c->report->interface = c->interface;
}

/* ---- equality ---- */

static bool all_same(const cnx_comparison *c)
{
    for (size_t i = 0; i < c->pair_count; i++)
        if (!c->pairs[i].same)
            return false;
    return true;
}

/* Whether every pair holds the same numbers, in whatever order. */
static bool same_numbers(const cnx_comparison *c)
{
    for (size_t i = 0; i < c->pair_count; i++) {
        const cnx_pair *pair = &c->pairs[i];
        if (!pair->same && cnx_hash_multiset(c->a->model, pair->a) != cnx_hash_multiset(c->b->model, pair->b))
            return false;
    }
    return true;
}

/* ---- canonical forms ---- */

typedef enum decision { EQUAL, UNEQUAL, UNDECIDED } decision;

/* A second load in canonical form; false, with the reason, when the form found is not canonical. */
static bool canonical_digest(cnx_model *given, char digest[33], cnx_error *why)
{
    cnx_model *copy = cnx_load_again(given);
    cnx_code code = cnx_canonicalize(copy, NULL, NULL, why);
    if (code == CNX_OK)
        code = cnx_model_hash(copy, digest, why);
    cnx_error error = *why;
    cnx_arena_destroy(copy->arena);
    if (code != CNX_OK && code != CNX_ERROR_NOT_CANONICAL)
        cnx_fail(given->arena, code, error.place, "%s", error.message);
    return code == CNX_OK;
}

static decision compare_canonical(cnx_comparison *c)
{
    char a[33], b[33];
    cnx_error why = {0};
    if (!canonical_digest(c->a->given, a, &why) || !canonical_digest(c->b->given, b, &why)) {
        c->report->undecided = cnx_copy_text(c->arena, why.message);
        return UNDECIDED;
    }
    return strcmp(a, b) == 0 ? EQUAL : UNEQUAL;
}

/* Equal lists of nodes, wired differently, where inputs of commutative operators tie: the canonical order did
 * not have to come out alike. */
static bool may_be_tied(const cnx_comparison *c)
{
    uint64_t a = 0, b = 0;
    for (uint32_t i = 0; i < c->a->step_count; i++)
        a += c->a->steps[i].sized;
    for (uint32_t i = 0; i < c->b->step_count; i++)
        b += c->b->steps[i].sized;
    return (c->a->ties || c->b->ties) && c->a->step_count == c->b->step_count && a == b &&
           !c->interface_matters;
}

/* ---- the verdict ---- */

static void find_symmetry(cnx_comparison *c)
{
    cnx_comparison_analyze(c);
    if (!c->options.keep_place)
        cnx_match_weights(c);
}

static void settle(cnx_comparison *c, cnx_verdict verdict)
{
    c->report->verdict = verdict;
    if (verdict == CNX_VERDICT_EQUIVALENT) {
        cnx_list_equal_weights(c);
        cnx_list_classes(c);
        cnx_find_ways(c);
        if (c->report->way_count == 0)
            cnx_comparison_way(c, "encoding of the file");
    }
}

/* Equal canonical forms, though no symmetry was found that leads from one file to the other. */
static void settle_by_form(cnx_comparison *c)
{
    c->report->verdict = CNX_VERDICT_EQUIVALENT;
    c->report->undecided = NULL;
    cnx_find_ways(c);
    cnx_comparison_way(c, "symmetries");
    cnx_comparison_note(
        c, "the canonical forms are equal, but the search for a symmetry that takes one model to the other "
           "was given up: there is no witness");
}

/* Weights are the same under the symmetry that matching found. */
static void settle_by_matching(cnx_comparison *c, decision decided)
{
    c->report->undecided = NULL;
    settle(c, CNX_VERDICT_EQUIVALENT);
    if (decided == UNEQUAL)
        cnx_comparison_note(c, "hashes differ all the same: the canonical form does not choose all of these "
                               "signs and scales (docs/FORMAT.md, section 6)");
}

/* Same structure: whatever differs is in the weights. */
static void compare_weights(cnx_comparison *c)
{
    if (all_same(c)) {
        settle(c, CNX_VERDICT_EQUIVALENT);
        return;
    }
    bool numbers = same_numbers(c);
    cnx_comparison_analyze(c);
    if (numbers && (cnx_match_sorted_forms(c, false) || cnx_match_sorted_forms(c, true))) {
        settle(c, CNX_VERDICT_EQUIVALENT);
        return;
    }
    decision decided = numbers ? compare_canonical(c) : UNEQUAL;
    if (decided == EQUAL) {
        settle_by_form(c);
        return;
    }
    find_symmetry(c);
    if (numbers && cnx_proves_equality(c, c->points, c->numbers)) {
        settle_by_matching(c, decided);
        return;
    }
    cnx_measure_weights(c);
    cnx_measure_blocks(c);
    cnx_list_classes(c);
    if (c->report->tensors_changed == 0)
        c->report->verdict = CNX_VERDICT_TOLERATED;
    else
        c->report->verdict = decided == UNDECIDED ? CNX_VERDICT_UNDECIDED : CNX_VERDICT_WEIGHTS;
}

static void compare_structures(cnx_comparison *c)
{
    c->report->verdict = CNX_VERDICT_STRUCTURE;
    if (may_be_tied(c)) {
        decision decided = compare_canonical(c);
        if (decided != UNEQUAL)
            c->report->verdict = decided == EQUAL ? CNX_VERDICT_EQUIVALENT : CNX_VERDICT_UNDECIDED;
    }
    if (c->report->unrelated)
        return;
    if (all_same(c)) {
        cnx_comparison_analyze(c);
        cnx_list_equal_weights(c);
        return;
    }
    find_symmetry(c);
    cnx_measure_weights(c);
    cnx_measure_blocks(c);
    cnx_list_classes(c);
}

const cnx_diff *cnx_compare(cnx_model *a, cnx_model *b, const cnx_diff_options *options)
{
    cnx_side *left = cnx_side_open(a), *right = cnx_side_open(b);
    cnx_comparison *c = CNX_NEW(left->arena, cnx_comparison);
    *c = (cnx_comparison){.arena = left->arena, .options = *options, .a = left, .b = right};
    c->report = CNX_NEW(c->arena, cnx_diff);
    c->alignment = cnx_align_nodes(left, right);
    c->report->unrelated = !c->alignment->isomorphic && c->alignment->kept < LEAST_KEPT;
    cnx_compare_interfaces(c);
    cnx_describe_nodes(c);
    cnx_find_pairs(c);
    bool same_structure = c->alignment->isomorphic && c->report->changed == 0 && !c->interface_matters;
    if (same_structure)
        compare_weights(c);
    else
        compare_structures(c);
    if (c->analysis != NULL)
        c->report->witness = cnx_witness_make(c);
    return c->report;
}
