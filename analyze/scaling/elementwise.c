/* Signs and scales through operators that treat every position alike. */
#include "analyze/constants.h"
#include "analyze/scaling/scaling.h"

#include <math.h>

/* The axis of input `i` that meets axis `k` of the output, or CNX_NONE. Broadcasting is from the right; old
 * operators that say otherwise (`broadcast`, `axis`) only when ranks are equal. */
static uint32_t aligned_axis(const cnx_rule *rule, uint32_t i, uint32_t k)
{
    uint32_t own = rule->inputs[i].rank, all = rule->outputs[0].rank;
    return k + own >= all ? k + own - all : CNX_NONE;
}

static bool is_aligned(const cnx_rule *rule)
{
    if (!rule->outputs[0].known)
        return false;
    for (uint32_t i = 0; i < rule->input_count; i++)
        if (rule->present[i] &&
            (rule->inputs[i].rank > rule->outputs[0].rank ||
             (rule->inputs[i].rank != rule->outputs[0].rank && cnx_rule_int(rule, "broadcast", 0) != 0)))
            return false;
    return true;
}

/* Zero, whatever callers do: the same, whatever it is multiplied by. */
static bool is_zero(const cnx_rule *rule, uint32_t i)
{
    double number;
    return i < rule->input_count && cnx_constant_number(rule->graph, rule->node->inputs[i], &number) &&
           number == 0;
}

/* Input `i` and `value`, which has the axes of the output, have the same factors at every position: of one,
 * the other is constant along. */
static void equal_input_of(cnx_rule *rule, cnx_scaling_kind kind, uint32_t i, uint32_t value)
{
    if (is_zero(rule, i))
        return;
    for (uint32_t k = 0; k < rule->outputs[0].rank; k++) {
        uint32_t axis = aligned_axis(rule, i, k);
        cnx_scaling_equal(rule->analysis->scaling, kind, value, k,
                          axis != CNX_NONE ? rule->inputs[i].scaling : 0, axis);
    }
}

static void equal_input(cnx_rule *rule, cnx_scaling_kind kind, uint32_t i)
{
    equal_input_of(rule, kind, i, rule->outputs[0].scaling);
}

/* output = degree * input, for operators of one input that matters. */
static void multiple_of_first(cnx_rule *rule, cnx_scaling_kind kind, int32_t output_times, int32_t degree)
{
    for (uint32_t k = 0; k < rule->outputs[0].rank; k++) {
        uint32_t axis = aligned_axis(rule, 0, k);
        cnx_scaling_term terms[2] = {{rule->outputs[0].scaling, k, output_times},
                                     {axis != CNX_NONE ? rule->inputs[0].scaling : 0, axis, -degree}};
        cnx_scaling_equation(rule->analysis->scaling, kind, terms, 2);
    }
}

void cnx_scale_add(cnx_rule *rule)
{
    if (!is_aligned(rule)) {
        cnx_scaling_fix_node(rule, CNX_SIGN_AND_SCALE);
        return;
    }
    for (uint32_t i = 0; i < rule->input_count; i++)
        if (rule->present[i])
            equal_input(rule, CNX_SIGN_AND_SCALE, i);
}

/* The first input's factors, and those of the others `times` times. Where several inputs have labels along an
 * axis, the product is one of vectors, position by position. No quotient is linear in what it is divided by.
 */
static void multiply(cnx_rule *rule, int32_t times)
{
    cnx_scaling_log *log = rule->analysis->scaling;
    if (!is_aligned(rule)) {
        cnx_scaling_fix_node(rule, CNX_SIGN_AND_SCALE);
        return;
    }
    cnx_scaling_term *terms = CNX_NEW_ARRAY(rule->arena, cnx_scaling_term, rule->input_count + 1u);
    for (uint32_t k = 0; k < rule->outputs[0].rank; k++) {
        uint32_t count = 0, labelled = 0;
        bool divides = false;
        terms[count++] = (cnx_scaling_term){rule->outputs[0].scaling, k, -1};
        for (uint32_t i = 0; i < rule->input_count; i++) {
            uint32_t axis = rule->present[i] ? aligned_axis(rule, i, k) : CNX_NONE;
            if (axis == CNX_NONE)
                continue;
            terms[count++] = (cnx_scaling_term){rule->inputs[i].scaling, axis, i == 0 ? 1 : times};
            bool has_labels = rule->inputs[i].axes[axis].kind == CNX_AXIS_LABELS;
            labelled += has_labels;
            divides = divides || (has_labels && i != 0 && times < 0);
        }
        cnx_scaling_equation(log, CNX_SIGN_AND_SCALE, terms, count);
        for (uint32_t t = 0; t < count && (labelled > 1 || divides); t++)
            cnx_scaling_separate_axis(log, terms[t].value, terms[t].axis);
    }
}

void cnx_scale_multiply(cnx_rule *rule)
{
    multiply(rule, 1);
}

void cnx_scale_divide(cnx_rule *rule)
{
    multiply(rule, -1);
}

/* to = degree * from, axis by axis. */
static void multiple(cnx_rule *rule, cnx_scaling_kind kind, uint32_t from, uint32_t to, int32_t degree)
{
    for (uint32_t k = 0; k < rule->outputs[0].rank; k++) {
        cnx_scaling_term terms[2] = {{to, k, 1}, {from, k, -degree}};
        cnx_scaling_equation(rule->analysis->scaling, kind, terms, 2);
    }
}

void cnx_scaling_activate(cnx_rule *rule, const cnx_activation *activation, uint32_t from, uint32_t to)
{
    cnx_scaling_log *log = rule->analysis->scaling;
    if (activation->homogeneous && fabs(activation->degree) <= 8 &&
        activation->degree == rint(activation->degree)) {
        multiple(rule, CNX_SCALE, from, to, (int32_t)activation->degree);
    } else {
        cnx_scaling_fix(log, CNX_SCALE, from);
        cnx_scaling_fix(log, CNX_SCALE, to);
    }
    if (activation->flip.kind == CNX_FLIP_ODD) {
        multiple(rule, CNX_SIGN, from, to, 1);
    } else if (activation->flip.kind == CNX_FLIP_EVEN) {
        cnx_scaling_fix(log, CNX_SIGN, to);
    } else {
        bool shifts = activation->flip.kind == CNX_FLIP_AFFINE && activation->flip.center == 0 &&
                      to == rule->outputs[0].scaling && cnx_scaling_may_shift(rule, activation->flip.sum);
        cnx_scaling_fix(log, shifts ? CNX_SIGN_UNSHIFTED : CNX_SIGN, from);
        cnx_scaling_fix(log, shifts ? CNX_SIGN_UNSHIFTED : CNX_SIGN, to);
        if (shifts)
            multiple(rule, CNX_SIGN_SHIFTED, from, to, 1);
    }
    cnx_scaling_separate(log, from);
    cnx_scaling_separate(log, to);
}

void cnx_scale_activation(cnx_rule *rule)
{
    cnx_activation activation;
    if (!cnx_activation_of_node(rule->graph, rule->node, &activation) ||
        rule->inputs[0].rank != rule->outputs[0].rank) {
        cnx_scaling_fix_node(rule, CNX_SIGN_AND_SCALE);
        return;
    }
    cnx_scaling_activate(rule, &activation, rule->inputs[0].scaling, rule->outputs[0].scaling);
    cnx_scaling_fix_inputs(rule, CNX_SIGN_AND_SCALE, 1);
}

/* A constant exponent that is a whole or half number. */
void cnx_scale_power(cnx_rule *rule)
{
    double exponent;
    cnx_scaling_log *log = rule->analysis->scaling;
    if (rule->input_count < 2 || !is_aligned(rule) ||
        !cnx_constant_number(rule->graph, rule->node->inputs[1], &exponent) || fabs(exponent) > 8 ||
        2 * exponent != rint(2 * exponent)) {
        cnx_scaling_fix_node(rule, CNX_SIGN_AND_SCALE);
        return;
    }
    bool whole = exponent == rint(exponent);
    multiple_of_first(rule, CNX_SCALE, whole ? 1 : 2, (int32_t)(whole ? exponent : 2 * exponent));
    if (whole && fmod(exponent, 2) != 0)
        multiple_of_first(rule, CNX_SIGN, 1, 1);
    else if (whole)
        cnx_scaling_fix(log, CNX_SIGN, rule->outputs[0].scaling);
    else
        cnx_scaling_fix_node(rule, CNX_SIGN);
    cnx_scaling_fix_inputs(rule, CNX_SIGN_AND_SCALE, 1);
    cnx_scaling_separate(log, rule->inputs[0].scaling);
}

void cnx_scale_square_root(cnx_rule *rule)
{
    multiple_of_first(rule, CNX_SCALE, 2, 1);
    cnx_scaling_fix_node(rule, CNX_SIGN);
    cnx_scaling_separate(rule->analysis->scaling, rule->inputs[0].scaling);
}

void cnx_scale_greatest(cnx_rule *rule)
{
    cnx_scale_add(rule);
    cnx_scaling_fix_node(rule, CNX_SIGN);
    for (uint32_t i = 0; i < rule->input_count; i++)
        if (rule->present[i])
            cnx_scaling_separate(rule->analysis->scaling, rule->inputs[i].scaling);
}

/* Where(condition, X, Y): what is chosen is multiplied alike. */
void cnx_scale_select(cnx_rule *rule)
{
    cnx_scaling_log *log = rule->analysis->scaling;
    if (!is_aligned(rule) || rule->input_count != 3) {
        cnx_scaling_fix_node(rule, CNX_SIGN_AND_SCALE);
        return;
    }
    cnx_scaling_fix(log, CNX_SIGN_AND_SCALE, rule->inputs[0].scaling);
    equal_input(rule, CNX_SIGN_AND_SCALE, 1);
    equal_input(rule, CNX_SIGN_AND_SCALE, 2);
    cnx_scaling_separate(log, rule->outputs[0].scaling);
}

/* Greater(X, Y) and others: a positive factor of both sides changes nothing, and where it is asked whether
 * they are equal, neither does another sign. */
static void compare(cnx_rule *rule, cnx_scaling_kind kind)
{
    cnx_scaling_log *log = rule->analysis->scaling;
    if (!is_aligned(rule) || rule->input_count != 2 || !rule->present[0] || !rule->present[1]) {
        cnx_scaling_fix_node(rule, CNX_SIGN_AND_SCALE);
        return;
    }
    uint32_t sides = cnx_scaling_value(log, &rule->outputs[0]);
    for (uint32_t i = 0; i < 2; i++) {
        equal_input_of(rule, kind, i, sides);
        cnx_scaling_fix(log, CNX_SIGN_AND_SCALE & ~kind, rule->inputs[i].scaling);
        cnx_scaling_separate(log, rule->inputs[i].scaling);
    }
    cnx_scaling_fix(log, CNX_SIGN_AND_SCALE, rule->outputs[0].scaling);
}

void cnx_scale_compares_sizes(cnx_rule *rule)
{
    compare(rule, CNX_SCALE);
}

void cnx_scale_compares(cnx_rule *rule)
{
    compare(rule, CNX_SIGN_AND_SCALE);
}

/* PRelu keeps scales; its slopes stay as they are. */
void cnx_scale_slopes(cnx_rule *rule)
{
    cnx_scaling_fix_inputs(rule, CNX_SIGN_AND_SCALE, 1);
    cnx_scaling_fix_node(rule, CNX_SIGN);
    if (rule->inputs[0].rank == rule->outputs[0].rank)
        equal_input(rule, CNX_SCALE, 0);
    else
        cnx_scaling_fix_node(rule, CNX_SCALE);
    cnx_scaling_separate(rule->analysis->scaling, rule->inputs[0].scaling);
}

/* SwiGLU: the Swish of input 0, which fixes it, times input 1. */
void cnx_scale_gate(cnx_rule *rule)
{
    if (!is_aligned(rule) || rule->input_count != 2 || !rule->present[1]) {
        cnx_scaling_fix_node(rule, CNX_SIGN_AND_SCALE);
        return;
    }
    cnx_scaling_fix(rule->analysis->scaling, CNX_SIGN_AND_SCALE, rule->inputs[0].scaling);
    equal_input(rule, CNX_SIGN_AND_SCALE, 1);
    cnx_scaling_separate(rule->analysis->scaling, rule->outputs[0].scaling);
}

static bool is_plain_float(int32_t type)
{
    return type == CNX_TYPE_FLOAT || type == CNX_TYPE_DOUBLE || type == CNX_TYPE_FLOAT16 ||
           type == CNX_TYPE_BFLOAT16;
}

/* Between floats. To any other type, rounding tells elements apart. */
void cnx_scale_cast(cnx_rule *rule)
{
    if (!is_plain_float(rule->inputs[0].type) || !is_plain_float(rule->outputs[0].type)) {
        cnx_scaling_fix_node(rule, CNX_SIGN_AND_SCALE);
        return;
    }
    cnx_scale_carries(rule);
}
