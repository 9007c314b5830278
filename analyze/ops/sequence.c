/* Sequences of tensors whose length is known: lists of facts. What is put in is taken out again, so nothing
 * is stated on the way; cutting and joining are what Split and Concat say. A sequence of unknown length, or
 * an element at an unknown position, is not followed, and everything that might be meant is pinned.
 */
#include "analyze/ops/compose.h"
#include "analyze/ops/shape_only.h"

/* Longer sequences are not followed. */
#define MOST_ELEMENTS 1024

static cnx_fact sequence_of(cnx_rule *rule, const cnx_fact *items, uint32_t count)
{
    cnx_fact_list *list = CNX_NEW(rule->arena, cnx_fact_list);
    *list = (cnx_fact_list){.count = count, .items = items};
    return (cnx_fact){.sequence = list};
}

/* Input `i` with its contents, taken over. It is not multiplied from here on. */
static cnx_fact take(cnx_rule *rule, uint32_t i)
{
    cnx_fact fact = rule->inputs[i];
    rule->read[i] = UINT64_MAX;
    fact.scaling = 0;
    return fact;
}

/* The known sequence that input `i` is, taken over; NULL, and everything is pinned, when it is none. */
static const cnx_fact_list *take_sequence(cnx_rule *rule, uint32_t i)
{
    if (!rule->present[i] || rule->inputs[i].sequence == NULL) {
        cnx_rule_pin_all(rule, "sequence of unknown length");
        return NULL;
    }
    return take(rule, i).sequence;
}

/* The position that input `i` names in a sequence, or with `at_end` one behind it; the last possible one when
 * the input is omitted. False, and everything is pinned, when it is not known. */
static bool known_position(cnx_rule *rule, uint32_t i, uint32_t count, bool at_end, uint32_t *position)
{
    const int64_t *numbers;
    size_t length;
    int64_t places = (int64_t)count + at_end;
    *position = places > 0 ? (uint32_t)places - 1 : 0;
    if (i >= rule->input_count || !rule->present[i])
        return places > 0;
    if (!cnx_rule_numbers(rule, i, &numbers, &length) || length != 1) {
        cnx_rule_pin_all(rule, "computed position in a sequence");
        return false;
    }
    cnx_rule_input(rule, i);
    int64_t place = numbers[0] < 0 ? numbers[0] + count : numbers[0];
    if (place < 0 || place >= places)
        cnx_fail(rule->arena, CNX_ERROR_GRAPH, cnx_node_place(rule->graph, rule->node),
                 "position %lld does not exist (the sequence has %u elements)", (long long)numbers[0], count);
    *position = (uint32_t)place;
    return true;
}

void cnx_apply_sequence_empty(cnx_rule *rule)
{
    cnx_rule_output(rule, 0, sequence_of(rule, NULL, 0));
}

void cnx_apply_sequence_construct(cnx_rule *rule)
{
    cnx_fact *items = CNX_NEW_ARRAY(rule->arena, cnx_fact, rule->input_count);
    for (uint32_t i = 0; i < rule->input_count; i++)
        items[i] = take(rule, i);
    cnx_rule_output(rule, 0, sequence_of(rule, items, rule->input_count));
}

void cnx_apply_sequence_insert(cnx_rule *rule)
{
    uint32_t at;
    const cnx_fact_list *list = take_sequence(rule, 0);
    if (list == NULL || !known_position(rule, 2, list->count, true, &at))
        return;
    if (!rule->present[1] || list->count >= MOST_ELEMENTS) {
        cnx_rule_pin_fact(rule, rule->inputs[0], "sequence of unknown length");
        cnx_rule_pin_all(rule, "sequence of unknown length");
        return;
    }
    cnx_fact *items = CNX_NEW_ARRAY(rule->arena, cnx_fact, list->count + 1u);
    for (uint32_t i = 0; i <= list->count; i++)
        items[i] = i == at ? take(rule, 1) : list->items[i < at ? i : i - 1];
    cnx_rule_output(rule, 0, sequence_of(rule, items, list->count + 1));
}

/* What is erased is seen no more. */
void cnx_apply_sequence_erase(cnx_rule *rule)
{
    uint32_t at;
    const cnx_fact_list *list = take_sequence(rule, 0);
    if (list == NULL || !known_position(rule, 1, list->count, false, &at))
        return;
    cnx_fact *items = CNX_NEW_ARRAY(rule->arena, cnx_fact, list->count);
    for (uint32_t i = 0; i + 1 < list->count; i++)
        items[i] = list->items[i < at ? i : i + 1];
    cnx_rule_output(rule, 0, sequence_of(rule, items, list->count - 1));
}

void cnx_apply_sequence_at(cnx_rule *rule)
{
    uint32_t at;
    const cnx_fact_list *list = take_sequence(rule, 0);
    if (list != NULL && known_position(rule, 1, list->count, false, &at))
        cnx_rule_output(rule, 0, list->items[at]);
}

void cnx_apply_sequence_length(cnx_rule *rule)
{
    cnx_fact length = cnx_rule_fact(rule, CNX_TYPE_INT64, 0);
    if (rule->inputs[0].sequence != NULL) {
        cnx_dim *count = CNX_NEW(rule->arena, cnx_dim);
        *count = cnx_rule_number(rule, take(rule, 0).sequence->count);
        length.has_content = true;
        length.content = count;
        length.content_count = 1;
    }
    cnx_rule_output(rule, 0, length);
}

/* ---- cutting and joining ---- */

/* How large the parts of an axis are: the sizes that `split` lists, or all of one size but for the last.
 * Returns their number, 0 when it is not known. */
static uint32_t part_sizes(cnx_rule *rule, int64_t extent, const int64_t **sizes)
{
    const int64_t *given;
    size_t count;
    int64_t each = 1, total = 0;
    if (rule->input_count > 1 && rule->present[1]) {
        if (!cnx_rule_numbers(rule, 1, &given, &count))
            return 0;
        cnx_rule_input(rule, 1);
        for (size_t i = 0; i < count; i++) {
            if (given[i] < 0 || given[i] > extent)
                return 0;
            total += given[i];
        }
        *sizes = given;
        if (rule->inputs[1].rank == 1)
            return total == extent && count <= MOST_ELEMENTS ? (uint32_t)count : 0;
        each = given[0];
    }
    if (each < 1 || (extent + each - 1) / each > MOST_ELEMENTS)
        return 0;
    uint32_t parts = (uint32_t)((extent + each - 1) / each);
    int64_t *made = CNX_NEW_ARRAY(rule->arena, int64_t, parts);
    for (uint32_t i = 0; i < parts; i++)
        made[i] = i + 1 == parts ? extent - each * (int64_t)i : each;
    *sizes = made;
    return parts;
}

/* Positions [first, first + size) of axis `k`, with their contents when they are a list of numbers. */
static cnx_fact part_of(cnx_rule *rule, const cnx_fact *whole, uint32_t k, int64_t first, int64_t size)
{
    cnx_fact part = cnx_fact_cut(rule, *whole, k, first, 1, size);
    part.scaling = 0;
    part.has_content = whole->rank == 1 && rule->inputs[0].has_content;
    if (part.has_content) {
        part.content = rule->inputs[0].content + first;
        part.content_count = (size_t)size;
        part.content_divisor = rule->inputs[0].content_divisor;
    }
    return part;
}

void cnx_apply_split_to_sequence(cnx_rule *rule)
{
    uint32_t k = cnx_rule_axis_number(rule, cnx_rule_int(rule, "axis", 0), rule->inputs[0].rank);
    int64_t extent, first = 0;
    const int64_t *sizes = NULL;
    bool known = cnx_dim_is_number(rule->dims, rule->inputs[0].axes[k].extent, &extent) && extent > 0;
    uint32_t count = known ? part_sizes(rule, extent, &sizes) : 0;
    if (count == 0) {
        cnx_rule_pin_all(rule, "sequence of unknown length");
        return;
    }
    bool keeps = (rule->input_count > 1 && rule->present[1]) || cnx_rule_int(rule, "keepdims", 1) != 0;
    cnx_fact whole = cnx_rule_input(rule, 0), *items = CNX_NEW_ARRAY(rule->arena, cnx_fact, count);
    for (uint32_t i = 0; i < count; i++) {
        items[i] = part_of(rule, &whole, k, first, sizes[i]);
        if (!keeps)
            items[i] = cnx_rule_reduce(rule, items[i], UINT64_C(1) << k, false);
        first += sizes[i];
    }
    cnx_rule_output(rule, 0, sequence_of(rule, items, count));
}

/* The elements as inputs of a Concat, each with a new axis first if they are to be stacked. */
void cnx_apply_concat_from_sequence(cnx_rule *rule)
{
    const cnx_fact_list *list = take_sequence(rule, 0);
    bool stacks = cnx_rule_int(rule, "new_axis", 0) != 0, known = list != NULL && list->count > 0;
    for (uint32_t i = 0; known && i < list->count; i++)
        known = list->items[i].known && list->items[i].rank == list->items[0].rank;
    if (!known) {
        cnx_rule_pin_fact(rule, rule->inputs[0], "elements of unknown shape");
        return;
    }
    cnx_rule join = *rule;
    join.input_count = list->count;
    join.inputs = CNX_NEW_ARRAY(rule->arena, cnx_fact, list->count);
    join.present = CNX_NEW_ARRAY(rule->arena, bool, list->count);
    join.read = CNX_NEW_ARRAY(rule->arena, uint64_t, list->count);
    uint32_t rank = list->items[0].rank + stacks;
    uint32_t axis = cnx_rule_axis_number(rule, cnx_rule_int(rule, "axis", 0), rank), places[64];
    for (uint32_t k = 0; k < list->items[0].rank; k++)
        places[k] = stacks && k >= axis ? k + 1 : k;
    for (uint32_t i = 0; i < list->count; i++) {
        join.inputs[i] = stacks ? cnx_fact_place(rule, list->items[i], places, rank) : list->items[i];
        join.present[i] = true;
    }
    cnx_apply_concat(&join);
}
