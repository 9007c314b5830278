/* Operators that pick positions by what the data says: the axes they pick along are pinned, others pass. */
#include "analyze/ops/shape_only.h"

#define PICKED "positions picked by data"

/* Takes over inputs from `first` on and pins them. */
static void pin_rest(cnx_rule *rule, uint32_t first)
{
    for (uint32_t i = first; i < rule->input_count; i++)
        if (cnx_rule_has(rule, i))
            cnx_rule_pin_fact(rule, cnx_rule_input(rule, i), PICKED);
}

/* Compress(X, condition): some positions of an axis, or of everything in a row. */
void cnx_apply_compress(cnx_rule *rule)
{
    cnx_fact fact = cnx_rule_input(rule, 0);
    const int64_t *condition;
    size_t count;
    int64_t selected = 0;
    cnx_dim extent = cnx_dim_fresh(rule->dims);
    if (cnx_rule_numbers(rule, 1, &condition, &count)) {
        for (size_t i = 0; i < count; i++)
            selected += condition[i] != 0;
        extent = cnx_rule_number(rule, selected);
    }
    pin_rest(rule, 1);
    if (cnx_attribute(rule->node, "axis") == NULL) {
        cnx_rule_pin_fact(rule, fact, PICKED);
        fact = cnx_shape_unknown(rule, fact.type, 1, PICKED);
        fact.axes[0] = cnx_shape_axis(rule, extent, PICKED);
    } else {
        uint32_t axis = cnx_rule_axis_number(rule, cnx_rule_int(rule, "axis", 0), fact.rank);
        cnx_rule_pin_fact_axis(rule, &fact, axis, PICKED);
        fact.axes[axis] = cnx_shape_axis(rule, extent, PICKED);
    }
    cnx_rule_output(rule, 0, fact);
}

/* NonZero: [rank, how many], positions in row-major order. */
void cnx_apply_non_zero(cnx_rule *rule)
{
    cnx_rule_pin_all(rule, "reported positions");
    const int64_t *numbers;
    size_t count;
    int64_t found = 0;
    uint32_t rank = rule->inputs[0].rank;
    cnx_fact fact = cnx_shape_unknown(rule, CNX_TYPE_INT64, 2, "reported positions");
    fact.axes[0] = cnx_shape_axis(rule, cnx_rule_number(rule, rank), "reported positions");
    if (cnx_rule_numbers(rule, 0, &numbers, &count)) {
        for (size_t i = 0; i < count; i++)
            found += numbers[i] != 0;
        fact.axes[1] = cnx_shape_axis(rule, cnx_rule_number(rule, found), "reported positions");
    }
    cnx_rule_output(rule, 0, fact);
}

/* Unique: slices along an axis, or all elements in a row, without repeats; and three lists of numbers. */
void cnx_apply_unique(cnx_rule *rule)
{
    cnx_rule_pin_all(rule, PICKED);
    cnx_fact fact = cnx_shape_unknown(rule, rule->inputs[0].type, 1, PICKED);
    if (cnx_attribute(rule->node, "axis") != NULL) {
        cnx_fact like = cnx_shape_like(rule, 0, rule->inputs[0].type, PICKED);
        like.axes[cnx_rule_axis_number(rule, cnx_rule_int(rule, "axis", 0), like.rank)] = fact.axes[0];
        fact = like;
    }
    cnx_rule_output(rule, 0, fact);
    for (uint32_t o = 1; o < 4; o++)
        cnx_rule_output(rule, o, cnx_shape_unknown(rule, CNX_TYPE_INT64, 1, PICKED));
}
