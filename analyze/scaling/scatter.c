/* Signs and scales through reading and writing at positions that data choose: the axes along which nothing is
 * chosen pass. */
#include "analyze/constants.h"
#include "analyze/scaling/scaling.h"

/* Axis `k` of the output is axis `axis` of input `i`. */
static void pass(cnx_rule *rule, uint32_t k, uint32_t i, uint32_t axis)
{
    cnx_scaling_equal(rule->analysis->scaling, CNX_SIGN_AND_SCALE, rule->outputs[0].scaling, k,
                      rule->inputs[i].scaling, axis);
}

static void fix(cnx_rule *rule, uint32_t value, uint32_t axis)
{
    cnx_scaling_fix_axis(rule->analysis->scaling, CNX_SIGN_AND_SCALE, value, axis);
}

/* Whether what is written replaces what was there, or is added to it. */
static bool writes_linearly(const cnx_rule *rule)
{
    const char *how = cnx_attribute_text(rule->graph, rule->node, "reduction", "none");
    return strcmp(how, "none") == 0 || strcmp(how, "add") == 0;
}

/* Inputs 0 and `news`, if that is not 0, and the output along all axes but `axis`. */
static void pass_others(cnx_rule *rule, uint32_t axis, uint32_t news)
{
    for (uint32_t k = 0; k < rule->outputs[0].rank; k++) {
        if (k == axis)
            fix(rule, rule->outputs[0].scaling, k);
        pass(rule, k, 0, k);
        if (news != 0)
            pass(rule, k, news, k);
    }
}

static bool has_rank_of_data(const cnx_rule *rule, uint32_t news)
{
    uint32_t rank = rule->inputs[0].rank;
    return rule->outputs[0].known && rule->outputs[0].rank == rank && rank != 0 && cnx_rule_has(rule, news) &&
           rule->inputs[news].rank == rank;
}

/* Every element has an index of its own, so neighbours cannot be mixed. data, indices */
void cnx_scale_gather_elements(cnx_rule *rule)
{
    if (!has_rank_of_data(rule, 0)) {
        cnx_scaling_fix_node(rule, CNX_SIGN_AND_SCALE);
        return;
    }
    pass_others(rule, cnx_rule_axis_number(rule, cnx_rule_int(rule, "axis", 0), rule->inputs[0].rank), 0);
    cnx_scaling_separate(rule->analysis->scaling, rule->outputs[0].scaling);
    cnx_scaling_fix_inputs(rule, CNX_SIGN_AND_SCALE, 1);
}

/* data, indices, updates */
void cnx_scale_scatter_elements(cnx_rule *rule)
{
    if (!has_rank_of_data(rule, 2) || !writes_linearly(rule)) {
        cnx_scaling_fix_node(rule, CNX_SIGN_AND_SCALE);
        return;
    }
    pass_others(rule, cnx_rule_axis_number(rule, cnx_rule_int(rule, "axis", 0), rule->inputs[0].rank), 2);
    cnx_scaling_separate(rule->analysis->scaling, rule->outputs[0].scaling);
}

/* cache, update, write_indices */
void cnx_scale_tensor_scatter(cnx_rule *rule)
{
    if (!has_rank_of_data(rule, 1)) {
        cnx_scaling_fix_node(rule, CNX_SIGN_AND_SCALE);
        return;
    }
    pass_others(rule, cnx_rule_axis_number(rule, cnx_rule_int(rule, "axis", -2), rule->inputs[0].rank), 1);
}

/* The last extent of the indices: how many axes they choose from. */
static bool chosen_axes(const cnx_rule *rule, uint32_t *count)
{
    int64_t number;
    uint32_t rank = cnx_rule_has(rule, 1) ? rule->inputs[1].rank : 0;
    if (rank == 0 || !cnx_dim_is_number(rule->dims, rule->inputs[1].axes[rank - 1].extent, &number) ||
        number < 0 || number > (int64_t)rule->inputs[0].rank)
        return false;
    *count = (uint32_t)number;
    return true;
}

/* data[b..., d...], indices[b..., q..., m] -> Y[b..., q..., d...]: the first b + m axes of data are chosen
 * from */
void cnx_scale_gather_nd(cnx_rule *rule)
{
    uint32_t chosen, rank = rule->inputs[0].rank;
    int64_t batch = cnx_rule_int(rule, "batch_dims", 0);
    bool fits = chosen_axes(rule, &chosen) && batch >= 0 && batch + chosen <= (int64_t)rank;
    uint32_t first = fits ? (uint32_t)batch + chosen : 0, before = fits ? rule->inputs[1].rank - 1 : 0;
    if (!fits || !rule->outputs[0].known || rule->outputs[0].rank != before + rank - first) {
        cnx_scaling_fix_node(rule, CNX_SIGN_AND_SCALE);
        return;
    }
    for (uint32_t k = 0; k < first; k++)
        fix(rule, rule->inputs[0].scaling, k);
    for (uint32_t k = 0; k < before; k++)
        fix(rule, rule->outputs[0].scaling, k);
    for (uint32_t k = first; k < rank; k++)
        pass(rule, before + k - first, 0, k);
    cnx_scaling_fix_inputs(rule, CNX_SIGN_AND_SCALE, 1);
}

/* data[d...], indices[q..., m], updates[q..., d...]: the first m axes of data are written to */
void cnx_scale_scatter_nd(cnx_rule *rule)
{
    uint32_t chosen, rank = rule->inputs[0].rank;
    bool fits = chosen_axes(rule, &chosen) && cnx_rule_has(rule, 2) && writes_linearly(rule);
    uint32_t before = fits ? rule->inputs[1].rank - 1 : 0;
    if (!fits || !rule->outputs[0].known || rule->outputs[0].rank != rank ||
        rule->inputs[2].rank != before + rank - chosen) {
        cnx_scaling_fix_node(rule, CNX_SIGN_AND_SCALE);
        return;
    }
    for (uint32_t k = 0; k < before; k++)
        fix(rule, rule->inputs[2].scaling, k);
    for (uint32_t k = 0; k < rank; k++) {
        if (k < chosen)
            fix(rule, rule->outputs[0].scaling, k);
        else
            pass(rule, k, 2, before + k - chosen);
        pass(rule, k, 0, k);
    }
}
