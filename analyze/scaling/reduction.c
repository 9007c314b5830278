/* Signs and scales through operators that make one number of several. */
#include "analyze/scaling/scaling.h"

static void fix_rest(cnx_rule *rule)
{
    cnx_scaling_fix_inputs(rule, CNX_SIGN_AND_SCALE, 1);
    cnx_scaling_fix_outputs(rule, CNX_SIGN_AND_SCALE, 1);
}

void cnx_scale_reduce_extreme(cnx_rule *rule)
{
    cnx_scaling_log *log = rule->analysis->scaling;
    cnx_scaling_carry(log, CNX_SCALE, rule->inputs[0].scaling, rule->outputs[0].scaling, 1, false);
    cnx_scaling_fix(log, CNX_SIGN, rule->inputs[0].scaling);
    cnx_scaling_fix(log, CNX_SIGN, rule->outputs[0].scaling);
    cnx_scaling_separate(log, rule->inputs[0].scaling);
    fix_rest(rule);
}

/* Signs disappear: those of the input are free. Where there may be no axes to reduce, what the operator does
 * to each element is not the same in all versions of its definition, nor in all runtimes. */
static void reduce_even(cnx_rule *rule, int32_t degree)
{
    cnx_scaling_log *log = rule->analysis->scaling;
    if (cnx_rule_int(rule, "noop_with_empty_axes", 0) != 0) {
        cnx_scaling_fix_node(rule, CNX_SIGN_AND_SCALE);
        return;
    }
    cnx_scaling_carry(log, CNX_SCALE, rule->inputs[0].scaling, rule->outputs[0].scaling, degree, false);
    cnx_scaling_fix(log, CNX_SIGN, rule->outputs[0].scaling);
    fix_rest(rule);
}

void cnx_scale_reduce_norm(cnx_rule *rule)
{
    reduce_even(rule, 1);
    cnx_scaling_separate(rule->analysis->scaling, rule->inputs[0].scaling);
}

/* Euclidean norms do not see rotations either. */
void cnx_scale_reduce_euclidean(cnx_rule *rule)
{
    reduce_even(rule, 1);
    cnx_scaling_norm(rule->analysis->scaling, rule->inputs[0].scaling, rule->outputs[0].scaling);
}

void cnx_scale_reduce_squares(cnx_rule *rule)
{
    reduce_even(rule, 2);
    cnx_scaling_norm(rule->analysis->scaling, rule->inputs[0].scaling, rule->outputs[0].scaling);
}

/* TopK: the largest along an axis whose positions stay where they are. X, K -> values, their positions */
void cnx_scale_sorts(cnx_rule *rule)
{
    cnx_scaling_log *log = rule->analysis->scaling;
    if (!rule->outputs[0].known || rule->outputs[0].rank != rule->inputs[0].rank) {
        cnx_scaling_fix_node(rule, CNX_SIGN_AND_SCALE);
        return;
    }
    uint32_t sorted = cnx_rule_axis_number(rule, cnx_rule_int(rule, "axis", -1), rule->inputs[0].rank);
    for (uint32_t k = 0; k < rule->outputs[0].rank; k++)
        if (k != sorted)
            cnx_scaling_equal(log, CNX_SCALE, rule->inputs[0].scaling, k, rule->outputs[0].scaling, k);
    cnx_scaling_fix_axis(log, CNX_SCALE, rule->inputs[0].scaling, sorted);
    cnx_scaling_fix_axis(log, CNX_SCALE, rule->outputs[0].scaling, sorted);
    cnx_scaling_fix_node(rule, CNX_SIGN);
    cnx_scaling_separate(log, rule->inputs[0].scaling);
    fix_rest(rule);
}
