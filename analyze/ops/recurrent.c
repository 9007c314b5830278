/* LSTM, GRU and RNN: the rows of the weights are copies, one a gate, of one hidden axis a direction. */
#include "analyze/ops/compose.h"

/* The inputs of all three: X, W, R, B, sequence_lens, initial_h, and for LSTM initial_c and P. With `turned`
 * (DynamicQuantizeLSTM) W is [d, in, gates * h] and R is [d, h, gates * h]. */
typedef struct recurrent {
    cnx_rule *rule;
    uint32_t gates;
    bool turned;
    int64_t hidden;
    bool batch_first; /* layout 1 */
    cnx_axis directions;
    cnx_axis units;
} recurrent;

/* Whether the labels of axis `k` of a parameter were made to vary over `blocks`, now or at an earlier use. */
static bool varies_over(const cnx_rule *rule, uint32_t i, uint32_t k, const cnx_labels *blocks,
                        cnx_axis *axis)
{
    *axis = rule->inputs[i].axes[k];
    if (axis->kind != CNX_AXIS_LABELS)
        return false;
    if (axis->labels->finer != NULL)
        axis->labels = axis->labels->finer;
    if (axis->labels->over == NULL)
        *axis = cnx_axis_refine(rule->points, *axis, blocks);
    return axis->labels->over == blocks;
}

/* Axis `k` of input `i`, free to be another one in every direction where the tensor allows it. */
static cnx_axis per_direction(recurrent *r, uint32_t i, uint32_t k, cnx_axis directions)
{
    cnx_axis axis = cnx_rule_axis(r->rule, i, k), finer;
    if (directions.kind != CNX_AXIS_LABELS || axis.kind != CNX_AXIS_LABELS)
        return axis;
    if (varies_over(r->rule, i, k, directions.labels, &finer))
        return finer;
    if (finer.labels->over != NULL) { /* varies over something else: not followed */
        cnx_axis_pin(r->rule->points, finer, cnx_rule_reason(r->rule, "directions"));
        cnx_axis_pin(r->rule->points, axis, cnx_rule_reason(r->rule, "directions"));
    }
    return axis;
}

/* The directions' axis: forward is not backward, so it is pinned; the same for all inputs. */
static cnx_axis directions_of(recurrent *r, uint32_t i, uint32_t k)
{
    cnx_axis axis = cnx_rule_pin(r->rule, i, k, "directions");
    r->directions = cnx_rule_same(r->rule, r->directions, axis);
    return axis;
}

/* An axis of `copies` times the hidden units: all copies of a unit move as one. */
static void relate_units(recurrent *r, cnx_axis rows, uint32_t copies)
{
    cnx_axis gates, units;
    cnx_rule_split(r->rule, rows, cnx_rule_number(r->rule, copies), &gates, &units);
    cnx_axis_pin(r->rule->points, gates, cnx_rule_reason(r->rule, "gates"));
    if (gates.kind == CNX_AXIS_LABELS)
        units = cnx_axis_forget_blocks(r->rule->points, units, gates.labels);
    r->units = cnx_rule_same(r->rule, r->units, units);
}

/* W[d, gates * h, in], R[d, gates * h, h], B[d, 2 * gates * h], P[d, 3 * h] */
static void relate_weights(recurrent *r, uint32_t bias, uint32_t peepholes)
{
    uint32_t rows = r->turned ? 2 : 1, columns = 3 - rows;
    cnx_axis directions = directions_of(r, 2, 0);
    relate_units(r, per_direction(r, 2, rows, directions), r->gates);
    relate_units(r, per_direction(r, 2, columns, directions), 1);
    directions = directions_of(r, 1, 0);
    relate_units(r, per_direction(r, 1, rows, directions), r->gates);
    cnx_rule_same(r->rule, cnx_rule_axis(r->rule, 0, 2), cnx_rule_axis(r->rule, 1, columns));
    if (cnx_rule_has(r->rule, bias)) {
        directions = directions_of(r, bias, 0);
        relate_units(r, per_direction(r, bias, 1, directions), 2 * r->gates);
    }
    if (peepholes != 0 && cnx_rule_has(r->rule, peepholes)) {
        directions = directions_of(r, peepholes, 0);
        relate_units(r, per_direction(r, peepholes, 1, directions), 3);
    }
}

/* An initial state: [d, n, h], or [n, d, h] with layout 1. */
static cnx_axis relate_state(recurrent *r, uint32_t i, cnx_axis batch)
{
    if (!cnx_rule_has(r->rule, i))
        return batch;
    cnx_axis directions = directions_of(r, i, r->batch_first ? 1 : 0);
    relate_units(r, per_direction(r, i, 2, directions), 1);
    return cnx_rule_same(r->rule, batch, cnx_rule_axis(r->rule, i, r->batch_first ? 0 : 1));
}

/* The hidden units as an axis of an output that names the directions. */
static cnx_axis output_units(recurrent *r)
{
    if (r->units.kind == CNX_AXIS_LABELS && r->units.labels->over != NULL &&
        r->directions.kind == CNX_AXIS_LABELS)
        return cnx_axis_over(r->rule->points, r->units, r->directions.labels);
    return r->units;
}

/* Y[t, d, n, h] and the last states [d, n, h], or Y[n, t, d, h] and [n, d, h]. */
static void make_outputs(recurrent *r, cnx_axis time, cnx_axis batch)
{
    int32_t type = r->rule->inputs[0].type;
    cnx_fact all = cnx_rule_fact(r->rule, type, 4), end = cnx_rule_fact(r->rule, type, 3);
    cnx_axis units = output_units(r);
    all.axes[r->batch_first ? 0 : 2] = end.axes[r->batch_first ? 0 : 1] = batch;
    all.axes[r->batch_first ? 1 : 0] = time;
    all.axes[r->batch_first ? 2 : 1] = end.axes[r->batch_first ? 1 : 0] = r->directions;
    all.axes[3] = end.axes[2] = units;
    cnx_rule_output(r->rule, 0, all);
    cnx_rule_output(r->rule, 1, end);
    cnx_rule_output(r->rule, 2, end);
}

/* Whether the ranks are those of the definition. */
static bool ranks_fit(const cnx_rule *rule, uint32_t peepholes)
{
    static const uint32_t expected[] = {3, 3, 3, 2, 1, 3, 3, 2};
    for (uint32_t i = 0; i < 8; i++)
        if (cnx_rule_has(rule, i) && (i != 7 || peepholes == 7) && rule->inputs[i].rank != expected[i])
            return false;
    return cnx_rule_has(rule, 1) && cnx_rule_has(rule, 2);
}

static bool apply_cell(cnx_rule *rule, uint32_t gates, bool turned, bool memory)
{
    recurrent r = {
        .rule = rule, .gates = gates, .turned = turned, .batch_first = cnx_rule_int(rule, "layout", 0) != 0};
    uint32_t peepholes = memory ? 7 : 0;
    if (!ranks_fit(rule, peepholes) ||
        !cnx_rule_extent(rule, rule->inputs[2].axes[turned ? 1 : 2], &r.hidden)) {
        cnx_rule_pin_all(rule, "states of unknown size");
        return false;
    }
    r.directions = cnx_axis_any(rule->inputs[2].axes[0].extent);
    r.units = cnx_axis_any(cnx_rule_number(rule, r.hidden));
    relate_weights(&r, 3, peepholes);
    cnx_axis batch = cnx_rule_axis(rule, 0, r.batch_first ? 0 : 1);
    if (cnx_rule_has(rule, 4))
        batch = cnx_rule_same(rule, batch, cnx_rule_axis(rule, 4, 0));
    batch = relate_state(&r, 5, batch);
    if (memory)
        batch = relate_state(&r, 6, batch);
    make_outputs(&r, cnx_rule_pin(rule, 0, r.batch_first ? 1 : 0, "steps in order"), batch);
    return true;
}

/* Four gates (input, output, forget, cell); X[t, n, in] */
void cnx_apply_lstm(cnx_rule *rule)
{
    apply_cell(rule, 4, false, true);
}

/* Three gates (update, reset, hidden) */
void cnx_apply_gru(cnx_rule *rule)
{
    apply_cell(rule, 3, false, false);
}

void cnx_apply_rnn(cnx_rule *rule)
{
    apply_cell(rule, 1, false, false);
}

/* An LSTM whose W[d, in, 4 * h] and R[d, h, 4 * h] are quantised, with scales and zero points [d] or
 * [d, 4 * h]: those with one for each row pin the rows. */
void cnx_apply_dynamic_quantize_lstm(cnx_rule *rule)
{
    bool followed = apply_cell(rule, 4, true, true);
    for (uint32_t i = 8; i < rule->input_count && followed; i++)
        if (cnx_rule_has(rule, i) && rule->inputs[i].rank > 1) {
            cnx_rule_pin_all(rule, "scales of several axes");
            return;
        }
}
