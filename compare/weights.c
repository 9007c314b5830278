/* The tables of weights: every constant that both models have, and the blocks of the first model. */
#include "compare/weights.h"

#include "analyze/blocks.h"
#include "compare/measure.h"
#include "compare/multiplied.h"
#include "compare/permuted.h"

#include <math.h>

/* ---- tensors ---- */

static cnx_tensor_change describe_pair(cnx_comparison *c, const cnx_pair *pair)
{
    return (cnx_tensor_change){.a = pair->a_name,
                               .b = pair->b_name,
                               .node = pair->a_step != CNX_NONE ? cnx_side_label(c->a, pair->a_step) : "",
                               .type = cnx_type_name(pair->a->type),
                               .shape = cnx_dims_text(c->arena, pair->a),
                               .elements = pair->a->count,
                               .detail = ""};
}

/* "axes 0, 1" */
static const char *axes_text(cnx_arena *arena, const cnx_tensor *tensor,
                             const struct cnx_permutation *permutation)
{
    const char *text = "";
    uint32_t moved = 0;
    for (uint32_t k = 0; k < tensor->rank; k++)
        if (permutation->axes[k].source != NULL)
            text = cnx_print(arena, "%s%s%u", text, moved++ == 0 ? "" : ", ", k);
    return cnx_print(arena, "%s %s", moved == 1 ? "axis" : "axes", text);
}

static const char *append_text(cnx_arena *arena, const char *text, const char *more)
{
    return text[0] == '\0' ? more : cnx_print(arena, "%s, %s", text, more);
}

/* What the symmetry does to a tensor besides moving it: "axis 0: 6 of 12 signs, by 0.5 to 4". */
typedef struct multiplication {
    const char *text;
    bool flips;
    bool scales;
} multiplication;

static void describe_axis(cnx_arena *arena, uint32_t axis, const double *factors, uint32_t count,
                          multiplication *found)
{
    uint32_t flipped = 0;
    double least = (double)INFINITY, most = 0;
    for (uint32_t i = 0; i < count; i++) { /* what b is multiplied by; a by the inverse */
        double inverse = 1 / fabs(factors[i]);
        flipped += factors[i] < 0;
        least = inverse < least ? inverse : least;
        most = inverse > most ? inverse : most;
    }
    bool scaled = least != 1 || most != 1;
    const char *signs = flipped == 0 ? "" : cnx_print(arena, "%u of %u signs", flipped, count);
    const char *scales = !scaled ? "" : cnx_print(arena, "by %.9g to %.9g", least, most);
    const char *both = flipped != 0 && scaled ? cnx_print(arena, "%s, %s", signs, scales)
                       : scaled               ? scales
                                              : signs;
    found->text = append_text(arena, found->text, cnx_print(arena, "axis %u: %s", axis, both));
    found->flips = found->flips || flipped != 0;
    found->scales = found->scales || scaled;
}

static multiplication describe_factors(cnx_comparison *c, const cnx_pair *pair,
                                       const struct cnx_permutation *factors)
{
    multiplication found = {.text = ""};
    for (uint32_t k = 0; factors != NULL && k < pair->a->rank; k++)
        if (factors->factors[k].factor != NULL) {
            const cnx_parameter *parameter = &c->analysis->parameters[pair->parameter];
            describe_axis(c->arena, k, factors->factors[k].factor,
                          cnx_parameter_labels(parameter, k)->sequence->count, &found);
        }
    return found;
}

/* The verdict on a tensor that the symmetry explains, as far as it was the same under it. */
static void describe_symmetry(cnx_comparison *c, const cnx_pair *pair, struct cnx_permutation *permutation,
                              const struct cnx_permutation *factors, cnx_tensor_change *row)
{
    multiplication multiplied = describe_factors(c, pair, factors);
    c->permuted_tensors += permutation != NULL;
    c->flipped_tensors += multiplied.flips;
    c->scaled_tensors += multiplied.scales;
    if (row->verdict == CNX_TENSOR_SAME)
        row->verdict = multiplied.scales     ? CNX_TENSOR_SCALED
                       : multiplied.flips    ? CNX_TENSOR_SIGN_FLIPPED
                       : permutation != NULL ? CNX_TENSOR_PERMUTED
                                             : CNX_TENSOR_SAME;
    if (multiplied.text[0] != '\0')
        row->detail = append_text(c->arena, row->detail, multiplied.text);
    if (permutation != NULL) {
        const char *axes = axes_text(c->arena, pair->a, permutation);
        bool said = row->verdict == CNX_TENSOR_PERMUTED && row->detail[0] == '\0';
        row->detail =
            append_text(c->arena, row->detail, said ? axes : cnx_print(c->arena, "%s permuted", axes));
    }
}

static void measure_pair(cnx_comparison *c, const cnx_pair *pair, cnx_tensor_change *row)
{
    struct cnx_permutation *permutation = cnx_pair_permutation(c, c->arena, pair, c->points);
    struct cnx_permutation *factors = cnx_pair_factors(c, c->arena, pair, c->numbers);
    cnx_measure(c, pair, permutation, factors, row);
    if (!pair->same)
        describe_symmetry(c, pair, permutation, factors, row);
}

bool cnx_is_changed(const cnx_comparison *c, const cnx_tensor_change *row)
{
    if (row->verdict != CNX_TENSOR_CHANGED && row->differing == 0)
        return false;
    return !(c->options.tolerance > 0 && row->relative <= c->options.tolerance);
}

static void add_to_totals(cnx_comparison *c, const cnx_pair *pair, const cnx_tensor_change *row,
                          double *change, double *norm)
{
    c->report->tensors_changed += cnx_is_changed(c, row);
    c->report->largest = row->largest > c->report->largest ? row->largest : c->report->largest;
    if (pair->again)
        return;
    *change += row->change * row->change;
    *norm += row->norm * row->norm;
}

void cnx_measure_weights(cnx_comparison *c)
{
    cnx_tensor_change *rows = CNX_NEW_ARRAY(c->arena, cnx_tensor_change, c->pair_count);
    double change = 0, norm = 0;
    for (size_t i = 0; i < c->pair_count; i++) {
        rows[i] = describe_pair(c, &c->pairs[i]);
        measure_pair(c, &c->pairs[i], &rows[i]);
        add_to_totals(c, &c->pairs[i], &rows[i], &change, &norm);
    }
    c->report->relative = cnx_relative_change(change, norm);
    c->report->tensors = rows;
    c->report->tensor_count = c->pair_count;
}

void cnx_list_equal_weights(cnx_comparison *c)
{
    cnx_tensor_change *rows = CNX_NEW_ARRAY(c->arena, cnx_tensor_change, c->pair_count);
    for (size_t i = 0; i < c->pair_count; i++) {
        const cnx_pair *pair = &c->pairs[i];
        rows[i] = describe_pair(c, pair);
        if (!pair->same)
            describe_symmetry(c, pair, cnx_pair_permutation(c, c->arena, pair, c->points),
                              cnx_pair_factors(c, c->arena, pair, c->numbers), &rows[i]);
    }
    c->report->tensors = rows;
    c->report->tensor_count = c->pair_count;
}

/* ---- blocks ---- */

/* The step that a node reference means. */
static uint32_t step_of(const cnx_side *side, cnx_node_reference reference)
{
    uint32_t scope = cnx_intern_find(&side->numbers, &reference.graph, sizeof reference.graph);
    return scope == CNX_NONE ? CNX_NONE : side->scopes[scope].step_of_node[reference.node];
}

static uint32_t *blocks_by_step(cnx_comparison *c, const cnx_blocks *found)
{
    uint32_t *block = CNX_NEW_ARRAY(c->arena, uint32_t, c->a->step_count);
    for (uint32_t i = 0; i < c->a->step_count; i++)
        block[i] = CNX_NONE;
    for (size_t i = 0; i < found->count; i++)
        for (size_t k = 0; k < found->blocks[i].node_count; k++) {
            uint32_t step = step_of(c->a, found->blocks[i].nodes[k]);
            if (step != CNX_NONE)
                block[step] = (uint32_t)i;
        }
    return block;
}

typedef struct sums {
    double change;
    double norm;
} sums;

static void add_to_block(const cnx_comparison *c, cnx_block_change *row, sums *sum, size_t pair)
{
    const cnx_tensor_change *tensor = &c->report->tensors[pair];
    row->tensor_count++;
    row->changed_count += cnx_is_changed(c, tensor);
    row->largest = tensor->largest > row->largest ? tensor->largest : row->largest;
    sum->change += tensor->change * tensor->change;
    sum->norm += tensor->norm * tensor->norm;
}

void cnx_measure_blocks(cnx_comparison *c)
{
    const cnx_blocks *found = cnx_find_blocks(c->arena, c->analysis);
    const uint32_t *block_of = blocks_by_step(c, found);
    cnx_block_change *rows = CNX_NEW_ARRAY(c->arena, cnx_block_change, found->count);
    sums *sum = CNX_NEW_ARRAY(c->arena, sums, found->count);
    for (size_t i = 0; i < c->pair_count; i++) {
        uint32_t step = c->pairs[i].a_step;
        if (!c->pairs[i].again && step != CNX_NONE && block_of[step] != CNX_NONE)
            add_to_block(c, &rows[block_of[step]], &sum[block_of[step]], i);
    }
    size_t count = 0;
    for (size_t i = 0; i < found->count; i++) {
        const cnx_block_found *block = &found->blocks[i];
        if (rows[i].tensor_count == 0)
            continue;
        rows[i].kind = block->kind;
        rows[i].detail = block->detail;
        rows[i].node = block->node_count != 0 ? cnx_side_label(c->a, step_of(c->a, block->nodes[0])) : "";
        rows[i].parameters = block->parameters;
        rows[i].relative = cnx_relative_change(sum[i].change, sum[i].norm);
        rows[count++] = rows[i];
    }
    c->report->blocks = rows;
    c->report->block_count = count;
}
