#include "analyze/describe/symmetry.h"

#include "analyze/parameters.h"
#include "analyze/scaling/scaling.h"

#include <math.h>
#include <stdlib.h>

const char cnx_alone_reason[] = "no other position plays the same part";

/* ---- describing ---- */

/* One line of the report while it is put together: a cell without home, or pinned classes that share a reason
 * and the place where they first occur. */
typedef struct draft {
    cnx_symmetry_class class;
    size_t capacity;
    cnx_parameter_axis *parameters;
    uint64_t seen; /* positions of the parameter axis at hand */
} draft;

typedef struct describer {
    cnx_arena *arena;
    cnx_analysis *analysis;
    const cnx_cells *cells;
    const char **names; /* by cell */
    uint32_t *draft_of; /* by class: draft number + 1, or 0 */
    size_t draft_count;
    size_t draft_capacity;
    draft *drafts;
} describer;

/* Leaves of the cell: what a person would count as its size (768 = 12 heads of 64). */
static uint64_t cell_extent(const cnx_cells *cells, uint32_t cell)
{
    const cnx_cell *c = &cells->cells[cell];
    uint32_t block = cells->members[c->first];
    uint64_t inside = 0;
    for (uint32_t k = cells->child_start[block]; k < cells->child_start[block + 1]; k++)
        inside += cell_extent(cells, cells->child_cells[k]);
    return c->count * (inside == 0 ? 1 : inside);
}

static uint32_t new_draft(describer *d)
{
    draft empty = {.class = {.group = "1"}};
    CNX_PUSH(d->arena, d->drafts, d->draft_count, d->draft_capacity, empty);
    return (uint32_t)d->draft_count;
}

/* Gives every class of a free cell the same draft. */
static uint32_t draft_of_cell(describer *d, uint32_t cell)
{
    uint32_t number = new_draft(d);
    const cnx_cell *c = &d->cells->cells[cell];
    cnx_symmetry_class *class = &d->drafts[number - 1].class;
    class->name = d->names[cell];
    class->group = cnx_cell_group(d->arena, d->cells, cell);
    class->extent = cell_extent(d->cells, cell);
    class->log10_order = cnx_cell_log10_order(d->cells, cell);
    class->free = class->log10_order > 0;
    if (!class->free)
        class->pinned_by = class->pinned_kind = cnx_alone_reason;
    for (uint32_t i = 0; i < c->count; i++)
        d->draft_of[d->cells->members[c->first + i]] = number;
    return number;
}

/* The draft for one position of a parameter axis. Pinned positions join `pinned_draft`'s when the reason
 * agrees. */
static uint32_t draft_of_point(describer *d, uint32_t point, uint32_t *pinned_draft)
{
    uint32_t class = d->cells->class_of[point];
    uint32_t top = cnx_outermost(d->cells, class);
    if (d->draft_of[class] != 0)
        return d->draft_of[class];
    if (d->cells->pinned[class] == CNX_NONE && d->draft_of[top] != 0)
        return d->draft_of[top];
    if (d->cells->pinned[class] == CNX_NONE && d->cells->cells[d->cells->cell_of[top]].count > 1)
        return draft_of_cell(d, d->cells->cell_of[top]);
    uint32_t reason = d->cells->pinned[class];
    const char *why = reason == CNX_NONE ? cnx_alone_reason : NULL;
    if (reason == CNX_NONE && cnx_cell_log10_order(d->cells, d->cells->cell_of[top]) > 0)
        return draft_of_cell(d, d->cells->cell_of[top]);
    if (why == NULL)
        why = cnx_reason_text(d->cells->points, reason);
    if (*pinned_draft == 0 || strcmp(d->drafts[*pinned_draft - 1].class.pinned_by, why) != 0) {
        *pinned_draft = new_draft(d);
        d->drafts[*pinned_draft - 1].class.pinned_by = why;
        d->drafts[*pinned_draft - 1].class.pinned_kind =
            reason == CNX_NONE ? why : cnx_reason_kind(d->cells->points, reason);
    }
    d->drafts[*pinned_draft - 1].class.extent++;
    d->draft_of[class] = *pinned_draft;
    return *pinned_draft;
}

static bool is_listed(const draft *t, const char *tensor, uint32_t axis)
{
    for (size_t k = 0; k < t->class.parameter_count; k++)
        if (t->parameters[k].axis == axis && strcmp(t->parameters[k].tensor, tensor) == 0)
            return true;
    return false;
}

/* The turns in which parameters are gone through: matrices come in the order of the graph, while exporters
 * move vectors, above all shared ones, to its start. */
typedef enum listing { NAME_ONLY, LIST, LIST_AGAIN } listing;

static bool has_turn(const cnx_parameter *parameter, listing what)
{
    return what == NAME_ONLY ? !parameter->again && parameter->tensor->rank > 1
                             : parameter->again == (what == LIST_AGAIN);
}

/* Families of blocks that one position is reported with, besides its own class. */
#define MOST_FAMILIES 8

/* Adds the drafts of the movable blocks that hold a position whose class does not live in them: query heads
 * that share all their channels with each other are still exchanged as a whole. */
static void drafts_of_blocks(describer *d, uint32_t point, uint32_t *numbers, uint32_t *count)
{
    const cnx_cells *cells = d->cells;
    uint32_t twin = cells->twin_of[point];
    for (uint32_t e = cells->parent_start[twin]; e < cells->parent_start[twin + 1]; e++) {
        uint32_t block = cnx_outermost(cells, cells->class_of[cells->parent_point[e]]);
        uint32_t cell = cells->cell_of[block];
        if (cell == CNX_NONE || cells->cells[cell].count < 2 || *count > MOST_FAMILIES)
            continue;
        uint32_t number = d->draft_of[block] != 0 ? d->draft_of[block] : draft_of_cell(d, cell);
        bool known = false;
        for (uint32_t k = 0; k < *count && !known; k++)
            known = numbers[k] == number;
        if (!known)
            numbers[(*count)++] = number;
    }
}

static void describe_axis(describer *d, const cnx_parameter *parameter, uint32_t axis,
                          const cnx_labels *labels, listing what)
{
    uint32_t pinned_draft = 0;
    size_t touched_count = 0, touched_capacity = 0;
    uint32_t *touched = NULL;
    for (uint32_t i = 0; i < labels->sequence->count; i++) {
        uint32_t numbers[1 + MOST_FAMILIES], count = 1;
        numbers[0] = draft_of_point(d, labels->sequence->points[i], &pinned_draft);
        drafts_of_blocks(d, labels->sequence->points[i], numbers, &count);
        for (uint32_t k = 0; k < count; k++)
            if (d->drafts[numbers[k] - 1].seen++ == 0)
                CNX_PUSH(d->arena, touched, touched_count, touched_capacity, numbers[k]);
    }
    for (size_t k = 0; k < touched_count; k++) {
        draft *t = &d->drafts[touched[k] - 1];
        uint64_t copies = t->class.extent != 0 && t->seen >= t->class.extent ? t->seen / t->class.extent : 1;
        cnx_parameter_axis use = {
            .tensor = parameter->name, .axis = axis, .copies = copies, .again = parameter->again};
        t->seen = 0;
        if (t->class.name == NULL)
            t->class.name = cnx_print(d->arena, "%s:%u", parameter->name, axis);
        if (what == LIST || (what == LIST_AGAIN && !is_listed(t, use.tensor, axis)))
            CNX_PUSH(d->arena, t->parameters, t->class.parameter_count, t->capacity, use);
    }
}

static void describe_parameters(describer *d, listing what)
{
    for (size_t p = 0; p < d->analysis->parameter_count; p++) {
        const cnx_parameter *parameter = &d->analysis->parameters[p];
        for (uint32_t k = 0; has_turn(parameter, what) && k < parameter->tensor->rank; k++) {
            const cnx_labels *labels = cnx_parameter_labels(parameter, k);
            if (labels != NULL)
                describe_axis(d, parameter, k, labels, what);
        }
    }
}

static void count_parameter(void *total, const cnx_tensor *tensor)
{
    *(uint64_t *)total += tensor->count;
}

/* Signs, scales and linear changes: for each class, and in all. */
static void describe_scalings(describer *d, cnx_symmetry *symmetry, cnx_symmetry_class *classes)
{
    const cnx_scalings *scalings = cnx_find_scalings(d->arena, d->analysis);
    cnx_cell_scaling excess = cnx_scaling_excess(scalings);
    cnx_scalings *shifted = cnx_find_shifted_signs(d->arena, d->analysis);
    uint64_t *shifted_signs = CNX_NEW_ARRAY(d->arena, uint64_t, d->cells->cell_count);
    if (shifted != NULL)
        cnx_count_shifted_signs(shifted, shifted_signs);
    for (uint32_t k = 0; k < d->cells->cell_count; k++) {
        cnx_cell_scaling size = cnx_scaling_of_cell(scalings, k);
        uint32_t member = d->cells->members[d->cells->cells[k].first];
        uint32_t number =
            d->draft_of[member] != 0 ? d->draft_of[member] : d->draft_of[cnx_outermost(d->cells, member)];
        symmetry->signs += size.signs;
        symmetry->dimension += size.dimension;
        symmetry->shifted_signs += shifted_signs[k];
        if (number == 0)
            continue;
        classes[number - 1].signs += size.signs;
        classes[number - 1].dimension += size.dimension;
        classes[number - 1].linear |= size.linear;
        classes[number - 1].orthogonal |= size.orthogonal;
        classes[number - 1].shifted_signs += shifted_signs[k];
    }
    symmetry->signs -= excess.signs;
    symmetry->dimension -= excess.dimension;
    symmetry->log10_finite_order = symmetry->log10_order + (double)symmetry->signs * log10(2);
    cnx_parameters_visit(d->analysis->model, count_parameter, &symmetry->parameter_count);
    symmetry->effective_parameters = symmetry->parameter_count - symmetry->dimension;
}

/* Free cells that no parameter shows (activations only) change nothing that is stored: they are left out. */
static const cnx_symmetry *describe(cnx_arena *arena, cnx_analysis *analysis, bool with_scalings)
{
    describer d = {.arena = arena, .analysis = analysis, .cells = cnx_analysis_cells(analysis)};
    d.names = cnx_name_cells(arena, analysis, d.cells);
    d.draft_of = CNX_NEW_ARRAY(arena, uint32_t, d.cells->class_count);
    describe_parameters(&d, NAME_ONLY);
    describe_parameters(&d, LIST);
    describe_parameters(&d, LIST_AGAIN);
    cnx_symmetry *symmetry = CNX_NEW(arena, cnx_symmetry);
    cnx_symmetry_class *classes = CNX_NEW_ARRAY(arena, cnx_symmetry_class, d.draft_count);
    for (size_t k = 0; k < d.draft_count; k++) {
        classes[k] = d.drafts[k].class;
        classes[k].parameters = d.drafts[k].parameters;
        symmetry->log10_order += classes[k].log10_order;
    }
    if (with_scalings)
        describe_scalings(&d, symmetry, classes);
    symmetry->class_count = d.draft_count;
    symmetry->classes = classes;
    symmetry->unknown_operator_count = analysis->unknown_count;
    symmetry->unknown_operators = analysis->unknown;
    return symmetry;
}

const cnx_symmetry *cnx_describe_symmetry(cnx_arena *arena, cnx_analysis *analysis)
{
    return describe(arena, analysis, true);
}

double cnx_symmetry_log10_order(cnx_analysis *analysis)
{
    cnx_arena *scratch = cnx_arena_create(analysis->arena);
    double log10_order = describe(scratch, analysis, false)->log10_order;
    cnx_arena_destroy(scratch);
    return log10_order;
}

cnx_code cnx_find_symmetry(cnx_model *model, const cnx_symmetry **symmetry, cnx_error *error)
{
    cnx_trap trap;
    *symmetry = NULL;
    if (CNX_ENTER(model->arena, trap, error) == CNX_OK)
        *symmetry = cnx_describe_symmetry(model->arena, cnx_analyze(model->arena, model));
    return cnx_leave(model->arena, &trap);
}
