/* Signs and scales through operators that move elements, or add some of them up. */
#include "analyze/constants.h"
#include "analyze/scaling/scaling.h"

static void carry_first(cnx_rule *rule, bool parts)
{
    for (uint32_t o = 0; o < rule->output_count; o++)
        cnx_scaling_carry(rule->analysis->scaling, CNX_SIGN_AND_SCALE, rule->inputs[0].scaling,
                          rule->outputs[o].scaling, 1, parts);
    cnx_scaling_fix_inputs(rule, CNX_SIGN_AND_SCALE, 1);
}

void cnx_scale_carries(cnx_rule *rule)
{
    carry_first(rule, false);
}

/* The mask, a number before operator set 10, is the same whatever the elements are multiplied by. */
void cnx_scale_drops(cnx_rule *rule)
{
    cnx_scaling_log *log = rule->analysis->scaling;
    cnx_scaling_carry(log, CNX_SIGN_AND_SCALE, rule->inputs[0].scaling, rule->outputs[0].scaling, 1, false);
    if (rule->output_count > 1)
        cnx_scaling_fix(log, CNX_SIGN_AND_SCALE, rule->outputs[1].scaling);
    cnx_scaling_fix_inputs(rule, CNX_SIGN_AND_SCALE, 1);
}

void cnx_scale_takes(cnx_rule *rule)
{
    carry_first(rule, true);
}

void cnx_scale_asks_size(cnx_rule *rule)
{
    (void)rule;
}

/* Along the joined axis every part brings its own cells; along the others all parts are alike. */
void cnx_scale_joins(cnx_rule *rule)
{
    cnx_scaling_log *log = rule->analysis->scaling;
    const cnx_fact *output = &rule->outputs[0];
    if (!output->known || output->rank == 0) {
        cnx_scaling_fix_inputs(rule, CNX_SIGN_AND_SCALE, 0);
        return;
    }
    int64_t otherwise = rule->node->opset != 0 && rule->node->opset < 4 ? 1 : 0;
    uint32_t joined = cnx_rule_axis_number(rule, cnx_rule_int(rule, "axis", otherwise), output->rank);
    cnx_scaling_term *terms = CNX_NEW_ARRAY(rule->arena, cnx_scaling_term, rule->input_count + 1u);
    uint32_t count = 0;
    terms[count++] = (cnx_scaling_term){output->scaling, joined, 1};
    for (uint32_t i = 0; i < rule->input_count; i++) {
        if (!rule->present[i] || rule->inputs[i].rank != output->rank)
            continue;
        for (uint32_t k = 0; k < output->rank; k++)
            if (k != joined)
                cnx_scaling_equal(log, CNX_SIGN_AND_SCALE, output->scaling, k, rule->inputs[i].scaling, k);
        terms[count++] = (cnx_scaling_term){rule->inputs[i].scaling, joined, 1};
    }
    cnx_scaling_join(log, terms, count);
}

/* Padding with a number puts that number beside elements that would be multiplied, unless it is zero. */
void cnx_scale_pads(cnx_rule *rule)
{
    double value = cnx_attribute_float(rule->graph, rule->node, "value", 0);
    const char *mode = cnx_attribute_text(rule->graph, rule->node, "mode", "constant");
    bool constant = strcmp(mode, "constant") == 0;
    bool known = true;
    if (rule->input_count > 2 && rule->present[2])
        known = cnx_constant_number(rule->graph, rule->node->inputs[2], &value);
    if (constant && (!known || value != 0)) {
        cnx_scaling_fix_inputs(rule, CNX_SIGN_AND_SCALE, 0);
        cnx_scaling_fix(rule->analysis->scaling, CNX_SIGN_AND_SCALE, rule->outputs[0].scaling);
        return;
    }
    carry_first(rule, true);
}

/* Resampling is linear, except where a number stands for what lies outside. */
void cnx_scale_resizes(cnx_rule *rule)
{
    const char *coordinates =
        cnx_attribute_text(rule->graph, rule->node, "coordinate_transformation_mode", "");
    if (strcmp(coordinates, "tf_crop_and_resize") == 0) {
        cnx_scaling_fix_inputs(rule, CNX_SIGN_AND_SCALE, 0);
        cnx_scaling_fix(rule->analysis->scaling, CNX_SIGN_AND_SCALE, rule->outputs[0].scaling);
        return;
    }
    carry_first(rule, false);
}

/* RoiAlign, MaxRoiPool: X[n, c, h, w] -> Y[regions, c, height, width]. Averages of samples are linear in a
 * channel, the largest of them is homogeneous. */
void cnx_scale_regions(cnx_rule *rule)
{
    cnx_scaling_log *log = rule->analysis->scaling;
    bool averages = strcmp(rule->node->op_type, "RoiAlign") == 0 &&
                    strcmp(cnx_attribute_text(rule->graph, rule->node, "mode", "avg"), "avg") == 0;
    if (rule->inputs[0].rank != 4 || rule->outputs[0].rank != 4) {
        cnx_scaling_fix_node(rule, CNX_SIGN_AND_SCALE);
        return;
    }
    for (uint32_t k = 0; k < 4; k++)
        if (k == 1)
            cnx_scaling_equal(log, CNX_SIGN_AND_SCALE, rule->inputs[0].scaling, k, rule->outputs[0].scaling,
                              k);
        else
            cnx_scaling_fix_axis(log, CNX_SIGN_AND_SCALE, rule->inputs[0].scaling, k);
    if (!averages) {
        cnx_scaling_fix(log, CNX_SIGN, rule->inputs[0].scaling);
        cnx_scaling_separate(log, rule->inputs[0].scaling);
    }
    cnx_scaling_fix_inputs(rule, CNX_SIGN_AND_SCALE, 1);
}

/* If: whichever branch is taken gives the outputs. */
void cnx_scale_branch(cnx_rule *rule)
{
    cnx_scaling_log *log = rule->analysis->scaling;
    cnx_scaling_fix_inputs(rule, CNX_SIGN_AND_SCALE, 0);
    for (uint32_t o = 0; o < rule->output_count && rule->never_taken != NULL; o++)
        cnx_scaling_fix(log, CNX_SIGN_AND_SCALE, rule->never_taken[o].scaling);
    for (uint32_t o = 0; o < rule->output_count; o++)
        for (uint32_t b = 0; b < 2 && rule->branches[b] != NULL; b++) {
            const cnx_fact *from = &rule->branches[b][o];
            if (!rule->outputs[o].known || from->rank != rule->outputs[o].rank)
                cnx_scaling_fix(log, CNX_SIGN_AND_SCALE, from->scaling);
            for (uint32_t k = 0; k < rule->outputs[o].rank; k++)
                cnx_scaling_equal(log, CNX_SIGN_AND_SCALE, rule->outputs[o].scaling, k,
                                  from->rank == rule->outputs[o].rank ? from->scaling : 0, k);
        }
    if (rule->branches[0] == NULL)
        cnx_scaling_fix_outputs(rule, CNX_SIGN_AND_SCALE, 0);
}
