/* The permutation step: within every cell, members are put in the order of their biases, descending, and of
 * their fingerprints where biases are equal; blocks by what is inside them. What fingerprints leave tied is
 * decided by rewrite/ordering/ties.h. When a limit stops that, the model is marked as not canonical, and has
 * no hash.
 */
#include "analyze/describe/symmetry.h"
#include "rewrite/ordering/sort.h"
#include "rewrite/pass.h"
#include "rewrite/permute.h"
#include "rewrite/trace.h"

static const char *sorting_key(const cnx_sorting *s, uint32_t cell)
{
    const cnx_parameter *bias = s->prints->bias_of[cell];
    if (bias == NULL)
        return "fingerprint";
    return cnx_print(s->arena, "bias %s, descending%s", bias->name,
                     s->prints->used_print[cell] ? ", then fingerprint" : "");
}

/* One row a cell that can move. */
static size_t report_cells(cnx_rewrite *rewrite, const cnx_sorting *s, const char **names)
{
    size_t changed = 0;
    for (uint32_t k = 0; k < s->cells->cell_count; k++) {
        const cnx_cell *cell = &s->cells->cells[k];
        uint64_t moved = 0;
        for (uint32_t i = 0; i < cell->count; i++) {
            uint32_t member = s->cells->members[cell->first + i];
            moved += s->image[member] != member;
        }
        changed += moved;
        if (moved != 0)
            cnx_explain(rewrite, "class %s: %llu of %u members moved, sorted by %s",
                        names[k] != NULL ? names[k] : "without parameters", (unsigned long long)moved,
                        cell->count, sorting_key(s, k));
        if (names[k] != NULL && cell->count > 1)
            cnx_rewrite_class(rewrite, names[k], cell->count, moved, sorting_key(s, k));
    }
    return changed;
}

static void refuse(cnx_rewrite *rewrite, const cnx_sorting *s, const char *name)
{
    uint32_t cell = s->ties.undecided, tied = 0;
    for (uint32_t i = 0; i < s->cells->cells[cell].count; i++)
        tied += s->prints->tied[s->cells->members[s->cells->cells[cell].first + i]];
    cnx_rewrite_refuse(
        rewrite,
        "%u of the %u members of class %s look alike, and the search for their canonical order was given "
        "up (limit %s)",
        tied, s->cells->cells[cell].count, name != NULL ? name : "without parameters", s->ties.limit);
}

size_t cnx_pass_permutations(cnx_rewrite *rewrite)
{
    cnx_arena *arena = cnx_arena_create(rewrite->model->arena);
    cnx_sorting *sorting = cnx_sort_cells(arena, cnx_rewrite_facts(rewrite));
    const char **names = cnx_name_cells(arena, sorting->analysis, sorting->cells);
    if (sorting->ties.undecided != CNX_NONE)
        refuse(rewrite, sorting, names[sorting->ties.undecided]);
    rewrite->irregular = sorting->cells->irregular;
    if (sorting->cells->irregular != 0)
        cnx_rewrite_note(
            rewrite,
            "%u classes keep the file's order, for their symmetry is too irregular to be described; "
            "other files of the same function may have another form",
            sorting->cells->irregular);
    size_t changed = report_cells(rewrite, sorting, names);
    cnx_apply_permutation(sorting->analysis, sorting->points);
    cnx_arena_destroy(arena);
    return changed;
}
