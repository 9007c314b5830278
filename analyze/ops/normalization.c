/* Normalisations are equivariant: axes pass, parameters share the axis they scale. */
#include "analyze/ops/shape_only.h"

/* Pins everything: Y is as large as X, and statistics are as large as the scale. */
static void pin_with_statistics(cnx_rule *rule, const char *what)
{
    cnx_rule_pin_all(rule, what);
    cnx_rule_output(rule, 0, cnx_shape_like(rule, 0, rule->inputs[0].type, what));
    for (uint32_t o = 1; o < rule->output_count && cnx_rule_has(rule, 1); o++) {
        uint32_t like = cnx_rule_has(rule, 3) ? 3 : 1; /* the mean: its type may be wider than the scale's */
        cnx_rule_output(rule, o, cnx_shape_like(rule, 1, rule->inputs[like].type, what));
    }
}

/* The bits of the axes from `first` on. */
static uint64_t axes_from(const cnx_fact *fact, uint32_t first)
{
    return ((UINT64_C(1) << fact->rank) - 1) & ~((UINT64_C(1) << first) - 1);
}

/* Whether the batch's own mean and variance are used: an attribute says so since operator set 14; before, the
 * outputs that only training has. */
static bool is_training(const cnx_rule *rule)
{
    for (uint32_t o = 1; o < rule->node->output_count; o++)
        if (rule->node->outputs[o] != CNX_NONE)
            return true;
    return cnx_rule_int(rule, "training_mode", 0) != 0;
}

/* X[n, c, ...] with 1-D scale, bias, mean and variance over c. */
void cnx_apply_batch_normalization(cnx_rule *rule)
{
    if (is_training(rule)) {
        pin_with_statistics(rule, "training mode");
        return;
    }
    if (cnx_rule_int(rule, "spatial", 1) == 0) { /* before operator set 9: parameters for every position */
        pin_with_statistics(rule, "parameters of several axes");
        return;
    }
    cnx_fact fact = cnx_rule_input(rule, 0);
    if (fact.rank < 2) {
        cnx_rule_pin_all(rule, "input without a channel axis");
        return;
    }
    for (uint32_t i = 1; i < rule->input_count; i++)
        if (cnx_rule_has(rule, i) && rule->inputs[i].rank == 1)
            fact.axes[1] = cnx_rule_same(rule, fact.axes[1], cnx_rule_axis(rule, i, 0));
    cnx_rule_output(rule, 0, fact);
}

/* X[n, c, ...] with scale and bias over c; mean and variance are taken over the spatial positions. */
void cnx_apply_instance_normalization(cnx_rule *rule)
{
    cnx_apply_batch_normalization(rule);
    if (rule->outputs[0].known)
        cnx_rule_mix(rule, &rule->outputs[0], axes_from(&rule->outputs[0], 2));
}

/* Mean and variance over the axes from `axis` on; scale and bias broadcast to those. Mean and inverse
 * deviation are X with those axes reduced to 1. */
void cnx_apply_layer_normalization(cnx_rule *rule)
{
    cnx_fact facts[3];
    size_t count = 0;
    for (uint32_t i = 0; i < rule->input_count && i < 3; i++)
        if (cnx_rule_has(rule, i))
            facts[count++] = cnx_rule_input(rule, i);
    cnx_fact output = cnx_rule_broadcast(rule, facts, count, rule->inputs[0].type);
    uint32_t first =
        output.rank == 0 ? 0 : cnx_rule_axis_number(rule, cnx_rule_int(rule, "axis", -1), output.rank);
    cnx_rule_mix(rule, &output, axes_from(&output, first));
    cnx_rule_output(rule, 0, output);
    if (rule->output_count > 1) {
        cnx_fact statistics = output;
        statistics.axes = CNX_NEW_ARRAY(rule->arena, cnx_axis, output.rank);
        memcpy(statistics.axes, output.axes, output.rank * sizeof *output.axes);
        statistics = cnx_rule_reduce(rule, statistics, ~((UINT64_C(1) << first) - 1), true);
        cnx_rule_output(rule, 1, statistics);
        cnx_rule_output(rule, 2, statistics);
    }
}

/* Softmax, LogSoftmax: equivariant along the axis they sum over. Before operator set 13 they sum over all
 * axes from `axis` on, which is just as symmetric. Hardmax picks the first of equal maxima, but is
 * equivariant where the maximum is unique; a tie makes positions matter, so its axis is pinned by
 * arg_extreme's rule instead. */
void cnx_apply_softmax(cnx_rule *rule)
{
    cnx_fact fact = cnx_rule_input(rule, 0);
    bool coerces = rule->node->opset != 0 && rule->node->opset < 13;
    int64_t axis = cnx_rule_int(rule, "axis", coerces ? 1 : -1);
    if (fact.rank != 0 && axis != fact.rank) { /* older ones may take no axis at all */
        uint32_t first = cnx_rule_axis_number(rule, axis, fact.rank);
        cnx_rule_mix(rule, &fact, coerces ? axes_from(&fact, first) : UINT64_C(1) << first);
    }
    cnx_rule_output(rule, 0, fact);
}

/* LpNormalization divides by a norm along one axis; MeanVarianceNormalization likewise over several. */
void cnx_apply_lp_normalization(cnx_rule *rule)
{
    cnx_fact fact = cnx_rule_input(rule, 0);
    bool several = strcmp(rule->node->op_type, "MeanVarianceNormalization") == 0;
    const int64_t usual[] = {0, 2, 3}, last = cnx_rule_int(rule, "axis", -1);
    size_t count = 3;
    const int64_t *axes = several ? cnx_rule_ints(rule, "axes", &count) : &last;
    if (several && axes == NULL) {
        axes = usual;
        count = fact.rank < 4 ? 0 : 3;
    } else if (!several) {
        count = fact.rank != 0;
    }
    uint64_t mixed = 0;
    for (size_t i = 0; i < count; i++)
        mixed |= UINT64_C(1) << cnx_rule_axis_number(rule, axes[i], fact.rank);
    cnx_rule_mix(rule, &fact, mixed);
    cnx_rule_output(rule, 0, fact);
}

/* LRN looks at neighbouring channels: their order matters. */
void cnx_apply_lrn(cnx_rule *rule)
{
    cnx_fact fact = cnx_rule_input(rule, 0);
    if (fact.rank >= 2) {
        cnx_rule_pin_fact_axis(rule, &fact, 1, "neighbouring channels");
        cnx_rule_mix(rule, &fact, 1 << 1);
    }
    cnx_rule_output(rule, 0, fact);
}
