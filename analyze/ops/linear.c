/* Products: contracted positions are the same points, the rest passes through. */
#include "analyze/ops/compose.h"

/* Y[m,n] = alpha * A[m,k] B[k,n] + beta * C; transA and transB swap the axes named here. */
void cnx_apply_gemm(cnx_rule *rule)
{
    int64_t transposed_a = cnx_rule_int(rule, "transA", 0) != 0;
    int64_t transposed_b = cnx_rule_int(rule, "transB", 0) != 0;
    if (rule->inputs[0].rank != 2 || rule->inputs[1].rank != 2) {
        cnx_rule_pin_all(rule, "operands that are not matrices");
        return;
    }
    cnx_rule_same(rule, cnx_rule_axis(rule, 0, 1 - transposed_a), cnx_rule_axis(rule, 1, transposed_b));
    cnx_fact product = cnx_rule_fact(rule, rule->inputs[0].type, 2);
    product.axes[0] = cnx_rule_axis(rule, 0, transposed_a);
    product.axes[1] = cnx_rule_axis(rule, 1, 1 - transposed_b);
    cnx_fact operands[2] = {product};
    if (cnx_rule_has(rule, 2))
        operands[1] = cnx_rule_input(rule, 2);
    cnx_rule_output(rule, 0, cnx_rule_broadcast(rule, operands, cnx_rule_has(rule, 2) ? 2 : 1, product.type));
}

/* The operand as a stack of matrices; a vector becomes a row (left) or a column (right). */
static cnx_fact as_matrices(cnx_rule *rule, cnx_fact fact, bool left)
{
    if (fact.rank != 1)
        return fact;
    cnx_fact matrix = cnx_rule_fact(rule, fact.type, 2);
    matrix.axes[left ? 1 : 0] = fact.axes[0];
    return matrix;
}

/* The operand seen in the common frame (batch..., m, k, n), with 1 for the axis it does not have. */
static cnx_fact in_frame(cnx_rule *rule, cnx_fact matrix, bool left)
{
    cnx_fact framed = cnx_rule_fact(rule, matrix.type, matrix.rank + 1);
    uint32_t batch = matrix.rank - 2;
    if (batch != 0)
        memcpy(framed.axes, matrix.axes, batch * sizeof *framed.axes);
    if (left) {
        framed.axes[batch] = matrix.axes[batch];
        framed.axes[batch + 1] = matrix.axes[batch + 1];
    } else {
        framed.axes[batch + 1] = matrix.axes[batch];
        framed.axes[batch + 2] = matrix.axes[batch + 1];
    }
    return framed;
}

/* A product over (batch..., m, k, n), summed over k. */
cnx_fact cnx_fact_matmul(cnx_rule *rule, cnx_fact left, cnx_fact right)
{
    cnx_fact operands[2] = {in_frame(rule, as_matrices(rule, left, true), true),
                            in_frame(rule, as_matrices(rule, right, false), false)};
    cnx_fact product = cnx_rule_broadcast(rule, operands, 2, left.type);
    uint64_t dropped = UINT64_C(1) << (product.rank - 2);
    if (left.rank == 1)
        dropped |= UINT64_C(1) << (product.rank - 3);
    if (right.rank == 1)
        dropped |= UINT64_C(1) << (product.rank - 1);
    return cnx_rule_reduce(rule, product, dropped, false);
}

/* Operand `i`; when it is a parameter, a stack of matrices of one batch axis, its columns (or rows) are
 * another axis in every matrix, and so are those that are summed over, if the other operand is such a stack
 * too. */
static cnx_fact operand(cnx_rule *rule, uint32_t i)
{
    cnx_fact fact = cnx_rule_input(rule, i);
    uint32_t batch = CNX_NONE;
    for (uint32_t k = 0; k + 2 < fact.rank; k++)
        if (fact.axes[k].kind == CNX_AXIS_LABELS) {
            if (batch != CNX_NONE)
                return fact;
            batch = k;
        }
    if (batch == CNX_NONE)
        return fact;
    cnx_fact_refine(rule, &fact, i == 0 ? fact.rank - 2 : fact.rank - 1, batch);
    uint32_t place = fact.rank - batch, other = rule->inputs[1 - i].rank;
    if (other >= place && !cnx_dim_equals(rule->dims, rule->inputs[1 - i].axes[other - place].extent, 1))
        cnx_fact_refine(rule, &fact, i == 0 ? fact.rank - 1 : fact.rank - 2, batch);
    return fact;
}

/* MatMul as numpy defines it. */
void cnx_apply_matmul(cnx_rule *rule)
{
    if (rule->inputs[0].rank == 0 || rule->inputs[1].rank == 0 || rule->inputs[0].rank > 60 ||
        rule->inputs[1].rank > 60) {
        cnx_rule_pin_all(rule, "operand without axes");
        return;
    }
    cnx_fact left = operand(rule, 0), right = operand(rule, 1);
    cnx_rule_output(rule, 0, cnx_fact_matmul(rule, left, right));
}
