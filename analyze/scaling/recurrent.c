/* Signs and scales of the hidden units of LSTM, GRU and RNN.
 *
 * What a unit remembers is made by tanh, which is odd; gates open and close by sigmoids of everything. When a
 * unit changes its sign, so do the rows that feed its tanh, and the columns (and peepholes) that read it; the
 * rows of its gates stay. An RNN of Relu units lets scales through instead.
 */
#include "analyze/scaling/scaling.h"

typedef struct hidden {
    cnx_rule *rule;
    cnx_scaling_log *log;
    cnx_scaling_kind kind; /* that passes through the units */
    uint32_t units;        /* the extent h */
    uint32_t unit_value;   /* what the others are compared with, and its axis */
    uint32_t unit_axis;
    bool computed; /* some weights are no parameters: their rows cannot be multiplied by themselves */
} hidden;

/* The value is multiplied along its last axis only, by the units' factor times `times`. */
static void follow_units(hidden *h, uint32_t value, uint32_t rank, int32_t times)
{
    cnx_scaling_term terms[2] = {{value, rank - 1, 1}, {h->unit_value, h->unit_axis, -times}};
    for (uint32_t k = 0; k + 1 < rank; k++)
        cnx_scaling_fix_axis(h->log, CNX_SIGN_AND_SCALE, value, k);
    cnx_scaling_equation(h->log, h->kind, terms, 2);
    cnx_scaling_fix_axis(h->log, CNX_SIGN_AND_SCALE & ~h->kind, value, rank - 1);
}

/* Rows [gate * h, (gate + 1) * h) of axis 1 of input `i` follow the units. */
static void follow_rows(hidden *h, uint32_t i, uint32_t gate)
{
    if (!cnx_rule_has(h->rule, i))
        return;
    uint32_t rows =
        cnx_scaling_rows(h->log, h->rule->points, h->rule->inputs[i].scaling, 1, gate * h->units, h->units);
    h->computed = h->computed || rows == 0;
    if (h->unit_value == 0) {
        h->unit_value = rows;
        h->unit_axis = 1;
    }
    cnx_scaling_equal(h->log, h->kind, rows, 1, h->unit_value, h->unit_axis);
    cnx_scaling_fix_axis(h->log, CNX_SIGN_AND_SCALE & ~h->kind, rows, 1);
    cnx_scaling_separate_axis(h->log, rows, 1);
}

/* What is the same for all three: `gate` of `gates` feeds the units; initial states and peepholes. */
static void scale_units(cnx_rule *rule, uint32_t gates, uint32_t gate, cnx_scaling_kind kind)
{
    hidden h = {.rule = rule, .log = rule->analysis->scaling, .kind = kind};
    int64_t units;
    if (!cnx_rule_has(rule, 1) || !cnx_rule_has(rule, 2) || rule->inputs[0].rank != 3 ||
        rule->inputs[1].rank != 3 || rule->inputs[2].rank != 3 ||
        !cnx_dim_is_number(rule->dims, rule->inputs[2].axes[2].extent, &units) || units < 1 ||
        units > (int64_t)CNX_LARGEST_AXIS || cnx_attribute(rule->node, "clip") != NULL) {
        cnx_scaling_fix_node(rule, CNX_SIGN_AND_SCALE);
        return;
    }
    h.units = (uint32_t)units;
    for (uint32_t i = 1; i < 4; i++) /* W, R, B: only the rows below are multiplied */
        if (cnx_rule_has(rule, i)) {
            cnx_scaling_fix_axis(h.log, CNX_SIGN_AND_SCALE, rule->inputs[i].scaling, 0);
            cnx_scaling_fix_axis(h.log, CNX_SIGN_AND_SCALE, rule->inputs[i].scaling, 1);
        }
    follow_rows(&h, 1, gate);
    follow_rows(&h, 2, gate);
    follow_rows(&h, 3, gate);
    follow_rows(&h, 3, gates + gate);
    if (h.computed)
        cnx_scaling_fix_axis(h.log, CNX_SIGN_AND_SCALE, h.unit_value, h.unit_axis);
    cnx_scaling_term columns[2] = {{rule->inputs[0].scaling, 2, 1}, {rule->inputs[1].scaling, 2, 1}};
    cnx_scaling_equation(h.log, CNX_SIGN_AND_SCALE, columns, 2);
    for (uint32_t k = 0; k < 2; k++)
        cnx_scaling_fix_axis(h.log, CNX_SIGN_AND_SCALE, rule->inputs[0].scaling, k);
    follow_units(&h, rule->inputs[2].scaling, 3, -1);
    for (uint32_t i = 4; i < rule->input_count; i++)
        if (rule->present[i] && rule->inputs[i].rank > 1)
            follow_units(&h, rule->inputs[i].scaling, rule->inputs[i].rank, i == 7 ? -1 : 1);
    for (uint32_t o = 0; o < rule->output_count; o++)
        if (rule->outputs[o].rank > 1)
            follow_units(&h, rule->outputs[o].scaling, rule->outputs[o].rank, 1);
}

static bool has_defaults(const cnx_rule *rule)
{
    return cnx_attribute(rule->node, "activations") == NULL;
}

void cnx_scale_lstm(cnx_rule *rule)
{
    if (has_defaults(rule))
        scale_units(rule, 4, 3, CNX_SIGN);
    else
        cnx_scaling_fix_node(rule, CNX_SIGN_AND_SCALE);
}

void cnx_scale_gru(cnx_rule *rule)
{
    if (has_defaults(rule))
        scale_units(rule, 3, 2, CNX_SIGN);
    else
        cnx_scaling_fix_node(rule, CNX_SIGN_AND_SCALE);
}

/* Whether every direction uses the activation `name`. */
static bool activations_are(const cnx_rule *rule, const char *name)
{
    const Onnx__AttributeProto *given = cnx_attribute(rule->node, "activations");
    if (given == NULL)
        return strcmp(name, "Tanh") == 0;
    for (size_t i = 0; i < given->n_strings; i++)
        if (given->strings[i].len != strlen(name) ||
            memcmp(given->strings[i].data, name, given->strings[i].len) != 0)
            return false;
    return given->n_strings != 0;
}

void cnx_scale_rnn(cnx_rule *rule)
{
    if (activations_are(rule, "Tanh"))
        scale_units(rule, 1, 0, CNX_SIGN);
    else if (activations_are(rule, "Relu"))
        scale_units(rule, 1, 0, CNX_SCALE);
    else
        cnx_scaling_fix_node(rule, CNX_SIGN_AND_SCALE);
}
