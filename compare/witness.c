/* Witnesses: a symmetry written down by what it does to the axes of parameters, each as one node reads it.
 *
 * That is enough to find the symmetry again. Positions of parameters are points; where they go says where
 * their classes go, and where the contents of a block go says where the block goes. Classes that no parameter
 * shows stay, or are carried by their blocks. What comes out is checked twice: it has to do to every axis
 * what the witness says, and it has to be a symmetry (analyze/verify.h). So a witness can be of no use, but
 * never do harm.
 *
 * The structure passes give every use a tensor of its own, and a symmetry may permute two uses of one stored
 * tensor differently. Usually it does not, and the file keeps everything but the order of its weights. */
#include "compare/witness.h"

#include "analyze/verify.h"
#include "compare/permuted.h"
#include "rewrite/names.h"
#include "rewrite/report.h"

/* ---- making ---- */

typedef struct maker {
    cnx_comparison *c;
    size_t count, capacity;
    cnx_witness_axis *axes;
    const char **names; /* by cell without home: the first parameter axis that shows it */
} maker;

static bool moves(const cnx_labels *labels, const uint32_t *points)
{
    for (uint32_t i = 0; i < labels->sequence->count; i++)
        if (points[labels->sequence->points[i]] != labels->sequence->points[i])
            return true;
    return false;
}

/* `position` is scratch: by point. */
static const uint32_t *source_of(cnx_arena *arena, const cnx_sequence *sequence, const uint32_t *points,
                                 uint32_t *position)
{
    uint32_t *source = CNX_NEW_ARRAY(arena, uint32_t, sequence->count);
    for (uint32_t i = 0; i < sequence->count; i++)
        position[sequence->points[i]] = i;
    for (uint32_t i = 0; i < sequence->count; i++)
        source[position[points[sequence->points[i]]]] = i;
    return source;
}

/* Names every class by the first parameter axis that shows one of its members. */
static const char *class_name(maker *m, const cnx_parameter *parameter, uint32_t axis,
                              const cnx_labels *labels)
{
    const cnx_cells *cells = cnx_analysis_cells(m->c->analysis);
    const char *name = NULL;
    for (uint32_t i = 0; i < labels->sequence->count; i++) {
        uint32_t class = cells->class_of[labels->sequence->points[i]];
        while (cells->home[class] != CNX_NONE)
            class = cells->home[class];
        uint32_t cell = cells->cell_of[class];
        if (cell == CNX_NONE)
            continue;
        if (m->names[cell] == NULL)
            m->names[cell] = cnx_print(m->c->arena, "%s:%u", parameter->name, axis);
        if (name == NULL)
            name = m->names[cell];
    }
    return name != NULL ? name : cnx_print(m->c->arena, "%s:%u", parameter->name, axis);
}

static void add_axis(maker *m, uint32_t use, uint32_t axis, uint32_t *position)
{
    const cnx_parameter *parameter = &m->c->analysis->parameters[use];
    const cnx_labels *labels = cnx_parameter_labels(parameter, axis);
    if (labels == NULL || parameter->again)
        return;
    const char *name = class_name(m, parameter, axis, labels);
    if (!moves(labels, m->c->points))
        return;
    cnx_witness_axis row = {.use = use,
                            .tensor = parameter->name,
                            .axis = axis,
                            .name = name,
                            .count = labels->sequence->count,
                            .source = source_of(m->c->arena, labels->sequence, m->c->points, position)};
    CNX_PUSH(m->c->arena, m->axes, m->count, m->capacity, row);
}

const cnx_witness *cnx_witness_make(cnx_comparison *c)
{
    cnx_witness *witness = CNX_NEW(c->arena, cnx_witness);
    witness->use_count = (uint32_t)c->analysis->parameter_count;
    if (c->points == NULL)
        return witness;
    cnx_arena *scratch = cnx_arena_create(c->arena);
    uint32_t *position = CNX_NEW_ARRAY(scratch, uint32_t, c->analysis->points->point_count);
    maker m = {.c = c};
    m.names = CNX_NEW_ARRAY(scratch, const char *, cnx_analysis_cells(c->analysis)->cell_count);
    for (uint32_t p = 0; p < witness->use_count; p++)
        for (uint32_t k = 0; k < c->analysis->parameters[p].tensor->rank; k++)
            add_axis(&m, p, k, position);
    cnx_arena_destroy(scratch);
    witness->axes = m.axes;
    witness->axis_count = m.count;
    return witness;
}

/* ---- finding the symmetry ---- */

typedef struct finder {
    cnx_arena *arena;
    cnx_analysis *analysis;
    const cnx_cells *cells;
    uint32_t *wanted; /* by point: where the witness says it goes, CNX_NONE when it does not say */
    uint32_t *image;  /* by class */
    uint32_t *points; /* by point: what is found */
} finder;

static _Noreturn void refuse(const finder *f, const cnx_witness_axis *axis, const char *why)
{
    cnx_fail(f->arena, CNX_ERROR_USAGE, "", "the witness does not fit: axis %u of \"%s\" %s", axis->axis,
             axis->tensor, why);
}

static const cnx_labels *labels_of(const finder *f, const cnx_witness_axis *axis)
{
    if (axis->use >= f->analysis->parameter_count)
        refuse(f, axis, "is a use that the model does not have");
    const cnx_parameter *parameter = &f->analysis->parameters[axis->use];
    if (axis->axis >= parameter->tensor->rank || parameter->again)
        refuse(f, axis, "does not exist in the model");
    const cnx_labels *labels = cnx_parameter_labels(parameter, axis->axis);
    if (labels == NULL || labels->sequence->count != axis->count)
        refuse(f, axis, "has another extent, or may not be permuted");
    return labels;
}

static void want_axis(finder *f, const cnx_witness_axis *axis)
{
    const cnx_labels *labels = labels_of(f, axis);
    const uint32_t *points = labels->sequence->points;
    cnx_arena *scratch = cnx_arena_create(f->arena);
    bool *seen = CNX_NEW_ARRAY(scratch, bool, axis->count);
    for (uint32_t i = 0; i < axis->count; i++) {
        if (axis->source[i] >= axis->count || seen[axis->source[i]])
            refuse(f, axis, "is not given a permutation");
        seen[axis->source[i]] = true;
        uint32_t *wanted = &f->wanted[points[axis->source[i]]];
        if (*wanted != CNX_NONE && *wanted != points[i])
            refuse(f, axis, "contradicts another one");
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

/* The symmetry that the witness writes down: by point, its image. */
static uint32_t *find_points(cnx_arena *arena, cnx_analysis *analysis, const cnx_witness *witness)
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

/* ---- applying ---- */

static bool reads_alike(cnx_model *model, cnx_tensor *tensor, struct cnx_permutation *one,
                        struct cnx_permutation *other)
{
    enum { BLOCK = 1 << 14 };
    uint8_t left[BLOCK], right[BLOCK];
    bool same = true;
    for (uint64_t at = 0; at < tensor->size && same; at += BLOCK) {
        size_t size = tensor->size - at < BLOCK ? (size_t)(tensor->size - at) : BLOCK;
        tensor->permutation = one;
        cnx_tensor_read(model, tensor, at, left, size);
        tensor->permutation = other;
        cnx_tensor_read(model, tensor, at, right, size);
        same = memcmp(left, right, size) == 0;
    }
    tensor->permutation = one;
    return same;
}

/* Permutes the tensors as they are in the file. False when two uses of one would have to differ; then nothing
 * is permuted. */
static bool permute_given(cnx_side *side, cnx_analysis *analysis, const uint32_t *points)
{
    cnx_intern seen;
    cnx_intern_init(&seen, side->arena);
    uint32_t *position = CNX_NEW_ARRAY(side->arena, uint32_t, analysis->points->point_count);
    bool agreed = true;
    for (size_t p = 0; p < analysis->parameter_count && agreed; p++) {
        const cnx_parameter *parameter = &analysis->parameters[p];
        cnx_tensor *given = cnx_side_given(side, parameter->tensor);
        struct cnx_permutation *made =
            parameter->again ? NULL : cnx_permutation_of(side->arena, parameter, points, position);
        if (parameter->again || (given == NULL && made == NULL))
            continue;
        size_t known = seen.count;
        bool is_new = given != NULL && cnx_intern_add(&seen, &given, sizeof given) == known;
        if (is_new)
            given->permutation = made;
        else
            agreed = given != NULL && reads_alike(side->given, given, given->permutation, made);
    }
    for (size_t i = 0; i < side->given->tensor_count && !agreed; i++)
        side->given->tensors[i]->permutation = NULL;
    return agreed;
}

/* Gives every use its own tensor, in the model itself. */
static void permute_separated(cnx_model *model, const uint32_t *points)
{
    cnx_rewrite rewrite = {.model = model, .arena = cnx_arena_create(model->arena), .keep_metadata = true};
    cnx_report_begin(&rewrite);
    cnx_rewrite_structure(&rewrite);
    cnx_names_repair(&rewrite);
    cnx_apply_permutation(cnx_analyze(model->arena, model), points);
    cnx_report_end(&rewrite);
    cnx_arena_destroy(rewrite.arena);
}

void cnx_witness_apply(cnx_model *model, const cnx_witness *witness)
{
    if (witness->axis_count == 0)
        return;
    cnx_side *side = cnx_side_open(model);
    cnx_analysis *analysis = cnx_analyze(side->arena, side->model);
    const uint32_t *points = find_points(side->arena, analysis, witness);
    if (!permute_given(side, analysis, points))
        permute_separated(model, points);
}
