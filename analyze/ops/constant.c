/* Values that come from nowhere, and shapes. */
#include "analyze/ops/shape_only.h"

/* Constant: the driver has made the fact of its tensor already; see analyze.c. */
void cnx_apply_constant(cnx_rule *rule)
{
    (void)rule;
}

/* ConstantOfShape: constant along every axis. */
void cnx_apply_constant_of_shape(cnx_rule *rule)
{
    const cnx_dim *shape;
    size_t count;
    const Onnx__AttributeProto *value = cnx_attribute(rule->node, "value");
    int32_t type = value != NULL && value->t != NULL ? value->t->data_type : CNX_TYPE_FLOAT;
    cnx_rule_input(rule, 0);
    if (!cnx_shape_list(rule, 0, &shape, &count)) {
        rule->outputs[0].type = type;
        return;
    }
    cnx_fact fact = cnx_rule_fact(rule, type, (uint32_t)count);
    for (uint32_t k = 0; k < count; k++)
        fact.axes[k] = cnx_axis_any(shape[k]);
    cnx_rule_output(rule, 0, fact);
}

/* Shape, Size: only extents are read, no values. */
void cnx_apply_shape(cnx_rule *rule)
{
    cnx_fact input = cnx_rule_input(rule, 0);
    bool size = strcmp(rule->node->op_type, "Size") == 0;
    int64_t rank = input.rank;
    int64_t start = cnx_rule_int(rule, "start", 0), end = cnx_rule_int(rule, "end", rank);
    start = start < 0 ? start + rank : start;
    end = end < 0 ? end + rank : end;
    start = start < 0 ? 0 : start > rank ? rank : start;
    end = end < start ? start : end > rank ? rank : end;
    cnx_fact fact = cnx_rule_fact(rule, CNX_TYPE_INT64, size ? 0 : 1);
    uint32_t reason = cnx_rule_reason(rule, "extents");
    if (!size)
        fact.axes[0] = cnx_axis_pinned(cnx_rule_number(rule, end - start), reason);
    cnx_rule_output(rule, 0, fact);
}

/* Range: consecutive numbers; positions matter. */
void cnx_apply_range(cnx_rule *rule)
{
    const cnx_dim *start, *limit, *delta;
    size_t count;
    for (uint32_t i = 0; i < rule->input_count; i++)
        cnx_rule_input(rule, i);
    cnx_fact fact = cnx_rule_fact(rule, rule->inputs[0].type, 1);
    cnx_dim extent = cnx_dim_fresh(rule->dims);
    if (cnx_rule_content(rule, 0, &start, &count) && count == 1 &&
        cnx_rule_content(rule, 1, &limit, &count) && count == 1 &&
        cnx_rule_content(rule, 2, &delta, &count) && count == 1) {
        cnx_dim span = cnx_dim_subtract(rule->dims, *limit, *start);
        extent =
            cnx_dim_max(rule->dims, cnx_dim_ceil_divide(rule->dims, span, *delta), cnx_rule_number(rule, 0));
    }
    fact.axes[0] = cnx_axis_pinned(extent, cnx_rule_reason(rule, "counted positions"));
    cnx_rule_output(rule, 0, fact);
}
