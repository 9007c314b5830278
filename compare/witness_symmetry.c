/* From what a witness says about axes of parameters to the symmetry that it writes down.
 *
 * Positions of parameters are points; where they go says where their classes go, and where the contents of a
 * block go says where the block goes. Classes that no parameter shows stay, or are carried by their blocks.
 * What comes out is checked twice: it has to do to every axis what the witness says, and it has to be a
 * symmetry (analyze/symmetry/verify.h). Of signs and exponents it is asked which numbers of the model's
 * generators have their effect (multiplied.h); without such numbers they are no symmetry. So a witness can be
 * of no use, but never do harm. */
#include "compare/witness.h"

#include "analyze/symmetry/verify.h"
#include "compare/multiplied.h"

/* ---- permutations ---- */

typedef struct finder {
    cnx_arena *arena;
    cnx_analysis *analysis;
    const cnx_cells *cells;
    uint32_t *wanted; /* by point: where the witness says it goes, CNX_NONE when it does not say */
    uint32_t *image;  /* by class */
    uint32_t *points; /* by point: what is found */
} finder;

static _Noreturn void refuse(cnx_arena *arena, const cnx_witness_axis *axis, const char *why)
{
    cnx_fail(arena, CNX_ERROR_USAGE, "", "the witness does not fit: axis %u of \"%s\" %s", axis->axis,
             axis->tensor, why);
}

static const cnx_labels *labels_of(cnx_arena *arena, const cnx_analysis *analysis,
                                   const cnx_witness_axis *axis)
{
    if (axis->use >= analysis->parameter_count)
        refuse(arena, axis, "is a use that the model does not have");
    const cnx_parameter *parameter = &analysis->parameters[axis->use];
    if (axis->axis >= parameter->tensor->rank || parameter->again)
        refuse(arena, axis, "does not exist in the model");
    const cnx_labels *labels = cnx_parameter_labels(parameter, axis->axis);
    if (labels == NULL || labels->sequence->count != axis->count)
        refuse(arena, axis, "has another extent, or may not be permuted");
    return labels;
}

static void want_axis(finder *f, const cnx_witness_axis *axis)
{
    const cnx_labels *labels = labels_of(f->arena, f->analysis, axis);
    const uint32_t *points = labels->sequence->points;
    cnx_arena *scratch = cnx_arena_create(f->arena);
    bool *seen = CNX_NEW_ARRAY(scratch, bool, axis->count);
    for (uint32_t i = 0; i < axis->count; i++) {
        if (axis->source[i] >= axis->count || seen[axis->source[i]])
            refuse(f->arena, axis, "is not given a permutation");
        seen[axis->source[i]] = true;
        uint32_t *wanted = &f->wanted[points[axis->source[i]]];
        if (*wanted != CNX_NONE && *wanted != points[i])
            refuse(f->arena, axis, "contradicts another one");
        *wanted = points[i];
    }
    cnx_arena_destroy(scratch);
}

/* Axes that the witness leaves out stay. */
static void want_rest(finder *f, const cnx_witness *witness)
{
    cnx_arena *scratch = cnx_arena_create(f->arena);
    cnx_intern listed;
    cnx_intern_init(&listed, scratch);
    for (size_t i = 0; i < witness->axis_count; i++) {
        const uint32_t key[2] = {witness->axes[i].use, witness->axes[i].axis};
        if (witness->axes[i].source != NULL)
            cnx_intern_add(&listed, key, sizeof key);
    }
    for (uint32_t p = 0; p < f->analysis->parameter_count; p++)
        for (uint32_t k = 0; k < f->analysis->parameters[p].tensor->rank; k++) {
            const uint32_t key[2] = {p, k};
            const cnx_labels *labels = cnx_parameter_labels(&f->analysis->parameters[p], k);
            bool is_listed = cnx_intern_find(&listed, key, sizeof key) != CNX_NONE;
            if (labels == NULL || is_listed || f->analysis->parameters[p].again)
                continue;
            for (uint32_t i = 0; i < labels->sequence->count; i++)
                if (f->wanted[labels->sequence->points[i]] == CNX_NONE)
                    f->wanted[labels->sequence->points[i]] = labels->sequence->points[i];
        }
    cnx_arena_destroy(scratch);
}

/* The block around `image` that plays the part of a block around another point: `relation` leads to it. A
 * block that is around both stays; when several could be meant nothing is said. */
static uint32_t find_block(const cnx_cells *cells, uint32_t twin, uint32_t relation, uint32_t block)
{
    uint32_t found = CNX_NONE;
    for (uint32_t e = cells->parent_start[twin]; e < cells->parent_start[twin + 1]; e++) {
        uint32_t other = cells->class_of[cells->parent_point[e]];
        if (cells->parent_relation[e] != relation)
            continue;
        if (other == block)
            return block;
        found = found == CNX_NONE ? other : CNX_NONE - 1;
    }
    return found == CNX_NONE - 1 ? CNX_NONE : found;
}

/* Blocks around a point go where blocks around its image are. */
static void carry_blocks(finder *f, uint32_t point, uint32_t image)
{
    const cnx_cells *cells = f->cells;
    uint32_t from = cells->twin_of[point];
    for (uint32_t e = cells->parent_start[from]; e < cells->parent_start[from + 1]; e++) {
        uint32_t block = cells->class_of[cells->parent_point[e]];
        uint32_t there = find_block(cells, cells->twin_of[image], cells->parent_relation[e], block);
        if (there != CNX_NONE)
            f->image[block] = there;
    }
}

/* Homes go where what lives in them goes, from the inside out. */
static void carry_homes(finder *f)
{
    const cnx_cells *cells = f->cells;
    uint32_t deepest = 0;
    for (uint32_t c = 0; c < cells->class_count; c++)
        deepest = cells->depth[c] > deepest ? cells->depth[c] : deepest;
    for (uint32_t depth = deepest; depth > 0; depth--)
        for (uint32_t c = 0; c < cells->class_count; c++)
            if (cells->depth[c] == depth && f->image[c] != CNX_NONE && cells->home[f->image[c]] != CNX_NONE)
                f->image[cells->home[c]] = cells->home[f->image[c]];
}

static bool is_permutation(const finder *f)
{
    cnx_arena *scratch = cnx_arena_create(f->arena);
    bool *taken = CNX_NEW_ARRAY(scratch, bool, f->cells->class_count);
    bool good = true;
    for (uint32_t c = 0; c < f->cells->class_count && good; c++) {
        good = !taken[f->image[c]];
        taken[f->image[c]] = true;
    }
    cnx_arena_destroy(scratch);
    return good;
}

/* Classes that nothing is known of: those inside blocks go along, in their own order; others stay. */
static void complete(finder *f)
{
    const cnx_cells *cells = f->cells;
    uint32_t deepest = 0;
    for (uint32_t c = 0; c < cells->class_count; c++)
        deepest = cells->depth[c] > deepest ? cells->depth[c] : deepest;
    for (uint32_t depth = 0; depth <= deepest; depth++)
        for (uint32_t c = 0; c < cells->class_count; c++) {
            if (cells->depth[c] != depth || f->image[c] != CNX_NONE)
                continue;
            f->image[c] = c;
            uint32_t home = cells->home[c], there = home != CNX_NONE ? f->image[home] : CNX_NONE;
            if (home == CNX_NONE || there == home || cells->cell_of[c] == CNX_NONE)
                continue;
            uint32_t place = 0, end = cells->child_start[there + 1] - cells->child_start[there];
            while (place < end && cells->child_cells[cells->child_start[home] + place] != cells->cell_of[c])
                place++;
            if (place < end)
                f->image[c] =
                    cells->members[cells->cells[cells->child_cells[cells->child_start[there] + place]].first +
                                   cells->rank_of[c]];
        }
}

uint32_t *cnx_witness_points(cnx_arena *arena, cnx_analysis *analysis, const cnx_witness *witness)
{
    finder f = {.arena = arena, .analysis = analysis, .cells = cnx_analysis_cells(analysis)};
    size_t count = analysis->points->point_count;
    if (witness->use_count != analysis->parameter_count)
        cnx_fail(arena, CNX_ERROR_USAGE, "",
                 "the witness is of another model: it has %u uses of parameters (expected %zu)",
                 witness->use_count, analysis->parameter_count);
    f.wanted = CNX_NEW_ARRAY(arena, uint32_t, count);
    f.points = CNX_NEW_ARRAY(arena, uint32_t, count);
    f.image = CNX_NEW_ARRAY(arena, uint32_t, f.cells->class_count);
    for (size_t p = 0; p < count; p++)
        f.wanted[p] = CNX_NONE;
    for (uint32_t c = 0; c < f.cells->class_count; c++)
        f.image[c] = CNX_NONE;
    for (size_t i = 0; i < witness->axis_count; i++)
        if (witness->axes[i].source != NULL)
            want_axis(&f, &witness->axes[i]);
    want_rest(&f, witness);
    for (uint32_t p = 0; p < count; p++)
        if (f.wanted[p] != CNX_NONE) {
            carry_blocks(&f, p, f.wanted[p]);
            f.image[f.cells->class_of[p]] = f.cells->class_of[f.wanted[p]];
        }
    carry_homes(&f);
    complete(&f);
    uint32_t culprit;
    bool good = is_permutation(&f);
    if (good) {
        cnx_permute_points(f.cells, f.image, f.points);
        for (size_t p = 0; p < count && good; p++)
            good = f.wanted[p] == CNX_NONE || f.wanted[p] == f.points[p];
        good = good && cnx_is_symmetry(f.cells, f.points, &culprit);
    }
    if (!good)
        cnx_fail(arena, CNX_ERROR_USAGE, "",
                 "the witness is no symmetry of this model: applying it would change "
                 "what the model computes");
    return f.points;
}

/* ---- signs and scales ---- */

static void want_numbers(cnx_arena *arena, const cnx_analysis *analysis, const cnx_witness_axis *axis,
                         cnx_wanted_numbers signs, cnx_wanted_numbers exponents)
{
    enum { LARGEST_EXPONENT = 2000 }; /* no type has room for more */
    labels_of(arena, analysis, axis);
    int32_t *sign = CNX_NEW_ARRAY(arena, int32_t, axis->count);
    int32_t *exponent = CNX_NEW_ARRAY(arena, int32_t, axis->count);
    for (uint32_t i = 0; i < axis->count; i++) {
        sign[i] = axis->signs != NULL && axis->signs[i] < 0;
        exponent[i] = axis->exponents != NULL ? axis->exponents[i] : 0;
        if (axis->signs != NULL && axis->signs[i] != 1 && axis->signs[i] != -1)
            refuse(arena, axis, "is given signs that are neither 1 nor -1");
        if (exponent[i] > LARGEST_EXPONENT || exponent[i] < -LARGEST_EXPONENT)
            refuse(arena, axis, "is given exponents that no number has");
    }
    if (signs[axis->use][axis->axis] != NULL)
        refuse(arena, axis, "is listed twice");
    signs[axis->use][axis->axis] = sign;
    exponents[axis->use][axis->axis] = exponent;
}

const cnx_numbers *cnx_witness_numbers(cnx_arena *arena, const cnx_analysis *analysis,
                                       const cnx_scalings *scalings, const cnx_witness *witness)
{
    cnx_wanted_numbers signs = cnx_wanted_create(arena, analysis);
    cnx_wanted_numbers exponents = cnx_wanted_create(arena, analysis);
    for (size_t i = 0; i < witness->axis_count; i++)
        want_numbers(arena, analysis, &witness->axes[i], signs, exponents);
    cnx_numbers *numbers = cnx_numbers_create(arena, scalings);
    if (!cnx_find_numbers(arena, analysis, scalings, CNX_SIGN, signs, numbers->signs) ||
        !cnx_find_numbers(arena, analysis, scalings, CNX_SCALE, exponents, numbers->exponents))
        cnx_fail(arena, CNX_ERROR_USAGE, "",
                 "the witness is no symmetry of this model: multiplying by its signs and scales would change "
                 "what the model computes");
    return numbers;
}
