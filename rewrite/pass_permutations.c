/* The permutation step: within every cell, members are put in the order of their biases, descending, and of
 * their fingerprints where biases are equal; blocks by what is inside them. Members that stay tied are either
 * interchangeable (exchanging them changes no byte, so any order is canonical), or the step gives up and says
 * so: the model is then marked as not canonical, and has no hash.
 */
#include "rewrite/pass.h"
#include "rewrite/permute.h"
#include "rewrite/sort.h"

static const char *sorting_key(const cnx_sorting *s, uint32_t cell)
{
    const cnx_parameter *bias = s->prints->bias_of[cell];
    if (bias == NULL)
        return "fingerprint";
    return cnx_print(s->arena, "bias %s, descending%s", bias->name,
                     s->prints->used_print[cell] ? ", then fingerprint" : "");
}

/* The first parameter axis that shows a member of the cell. */
static const char *cell_name(const cnx_sorting *s, uint32_t cell)
{
    for (size_t p = 0; p < s->analysis->parameter_count; p++)
        for (uint32_t k = 0; k < s->analysis->parameters[p].tensor->rank; k++) {
            const cnx_labels *labels = cnx_parameter_labels(&s->analysis->parameters[p], k);
            for (uint32_t i = 0; labels != NULL && i < labels->sequence->count; i++)
                if (s->cells->cell_of[s->cells->class_of[labels->sequence->points[i]]] == cell)
                    return cnx_print(s->arena, "%s:%u", s->analysis->parameters[p].name, k);
        }
    return NULL;
}

/* One row a cell; cells inside equal blocks share one. */
static size_t report_cells(cnx_rewrite *rewrite, const cnx_sorting *s)
{
    size_t changed = 0;
    for (uint32_t k = 0; k < s->cells->cell_count; k++) {
        const cnx_cell *cell = &s->cells->cells[k];
        const char *name = cell->count > 1 ? cell_name(s, k) : NULL;
        uint64_t moved = 0;
        for (uint32_t i = 0; i < cell->count; i++) {
            uint32_t member = s->cells->members[cell->first + i];
            moved += s->image[member] != member;
        }
        changed += moved;
        if (name != NULL)
            cnx_rewrite_class(rewrite, name, cell->count, moved, sorting_key(s, k));
    }
    return changed;
}

size_t cnx_pass_permutations(cnx_rewrite *rewrite)
{
    cnx_arena *arena = cnx_arena_create(rewrite->model->arena);
    cnx_sorting *sorting = cnx_sort_cells(arena, rewrite->model);
    uint32_t undecided = cnx_undecided_cell(sorting);
    if (undecided != CNX_NONE) {
        const char *name = cell_name(sorting, undecided);
        rewrite->model->not_canonical =
            cnx_print(rewrite->model->arena, "members of class %s look alike but cannot be exchanged",
                      name != NULL ? name : "without parameters");
        cnx_rewrite_note(rewrite, "not canonical: %s", rewrite->model->not_canonical);
    }
    size_t changed = report_cells(rewrite, sorting);
    cnx_apply_permutation(sorting->analysis, sorting->points);
    cnx_arena_destroy(arena);
    return changed;
}
