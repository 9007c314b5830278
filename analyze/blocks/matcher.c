#include "analyze/blocks/matcher.h"

#include "analyze/constants.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

/* ---- the match under construction ---- */

bool cnx_is_free(const cnx_matcher *m, uint32_t node)
{
    return node != CNX_NONE && m->view->owners[node] == CNX_NONE;
}

bool cnx_is_taken(const cnx_matcher *m, uint32_t node)
{
    for (size_t i = m->taken_count; i-- > 0;)
        if (m->taken[i] == node)
            return true;
    return false;
}

bool cnx_take(cnx_matcher *m, uint32_t node)
{
    if (!cnx_is_free(m, node))
        return false;
    if (!cnx_is_taken(m, node))
        CNX_PUSH(m->arena, m->taken, m->taken_count, m->taken_capacity, node);
    return true;
}

void cnx_say(cnx_matcher *m, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    const char *text = cnx_print_list(m->arena, format, arguments);
    va_end(arguments);
    m->detail = cnx_print(m->arena, "%s%s%s", m->detail, m->detail[0] == '\0' ? "" : ", ", text);
}

/* ---- nodes ---- */

cnx_block_op cnx_op(const cnx_matcher *m, uint32_t node)
{
    return node == CNX_NONE ? OP_NONE : m->view->ops[node];
}

cnx_op_class cnx_class(const cnx_matcher *m, uint32_t node)
{
    return node == CNX_NONE ? CNX_OP_OTHER : m->view->classes[node];
}

const cnx_node *cnx_node_at(const cnx_matcher *m, uint32_t node)
{
    return &m->view->graph->nodes[node];
}

uint32_t cnx_input(const cnx_matcher *m, uint32_t node, uint32_t slot)
{
    if (node == CNX_NONE || slot >= cnx_node_at(m, node)->input_count)
        return CNX_NONE;
    return cnx_node_at(m, node)->inputs[slot];
}

uint32_t cnx_output(const cnx_matcher *m, uint32_t node, uint32_t slot)
{
    if (node == CNX_NONE || slot >= cnx_node_at(m, node)->output_count)
        return CNX_NONE;
    return cnx_node_at(m, node)->outputs[slot];
}

uint32_t cnx_other_input(const cnx_matcher *m, uint32_t node, uint32_t value)
{
    if (node == CNX_NONE || value == CNX_NONE || cnx_node_at(m, node)->input_count != 2)
        return CNX_NONE;
    uint32_t first = cnx_input(m, node, 0), second = cnx_input(m, node, 1);
    if (first == second)
        return CNX_NONE;
    return first == value ? second : second == value ? first : CNX_NONE;
}

bool cnx_reads(const cnx_matcher *m, uint32_t node, uint32_t slot, uint32_t value)
{
    return value != CNX_NONE && cnx_input(m, node, slot) == value;
}

int64_t cnx_int(const cnx_matcher *m, uint32_t node, const char *attribute, int64_t otherwise)
{
    return cnx_attribute_int(m->view->graph, cnx_node_at(m, node), attribute, otherwise);
}

const int64_t *cnx_ints(const cnx_matcher *m, uint32_t node, const char *attribute, size_t *count)
{
    return cnx_attribute_ints(m->view->graph, cnx_node_at(m, node), attribute, count);
}

const char *cnx_kind_of_owner(const cnx_matcher *m, uint32_t node)
{
    return node == CNX_NONE || cnx_is_free(m, node) ? "" : m->kinds[m->view->owners[node]];
}

const char *cnx_label(const cnx_matcher *m, uint32_t node)
{
    return cnx_node_label(m->view->graph, cnx_node_at(m, node));
}

/* ---- values ---- */

uint32_t cnx_producer(const cnx_matcher *m, uint32_t value)
{
    return value == CNX_NONE ? CNX_NONE : m->view->graph->values[value].producer;
}

bool cnx_is_data(const cnx_matcher *m, uint32_t value)
{
    return value != CNX_NONE && (m->view->origins[value] & CNX_FROM_DATA) != 0;
}

bool cnx_is_weight(const cnx_matcher *m, uint32_t value)
{
    return value != CNX_NONE &&
           (m->view->origins[value] & (CNX_FROM_DATA | CNX_FROM_PARAMETER)) == CNX_FROM_PARAMETER;
}

uint32_t cnx_use_count(const cnx_matcher *m, uint32_t value)
{
    return value == CNX_NONE ? 0 : m->view->read_counts[value];
}

uint32_t cnx_only_user(const cnx_matcher *m, uint32_t value)
{
    return value == CNX_NONE ? CNX_NONE : m->view->only_readers[value];
}

bool cnx_number(const cnx_matcher *m, uint32_t value, double *number)
{
    return value != CNX_NONE && !cnx_is_data(m, value) && cnx_constant_number(m->view->graph, value, number);
}

bool cnx_is_number(const cnx_matcher *m, uint32_t value, double expected)
{
    double found;
    return cnx_number(m, value, &found) && fabs(found - expected) <= 1e-3 * fabs(expected);
}

bool cnx_is_scalar_setting(const cnx_matcher *m, uint32_t value)
{
    double unused;
    return cnx_number(m, value, &unused);
}

bool cnx_rank(const cnx_matcher *m, uint32_t value, uint32_t *rank)
{
    if (value == CNX_NONE || !m->view->facts[value].known)
        return false;
    *rank = m->view->facts[value].rank;
    return true;
}

bool cnx_extent(const cnx_matcher *m, uint32_t value, int axis, cnx_dim *extent)
{
    uint32_t rank;
    if (!cnx_rank(m, value, &rank))
        return false;
    int64_t index = axis < 0 ? (int64_t)rank + axis : axis;
    if (index < 0 || index >= (int64_t)rank)
        return false;
    *extent = m->view->facts[value].axes[index].extent;
    return true;
}

bool cnx_extent_number(const cnx_matcher *m, uint32_t value, int axis, int64_t *number)
{
    cnx_dim extent;
    return cnx_extent(m, value, axis, &extent) && cnx_dim_is_number(m->dims, extent, number);
}

static const char *dim_text(const cnx_matcher *m, cnx_dim dim)
{
    return cnx_dim_has_unknown(m->dims, dim) ? "?" : cnx_dim_text(m->dims, dim);
}

const char *cnx_extent_text(const cnx_matcher *m, uint32_t value, int axis)
{
    cnx_dim extent;
    return cnx_extent(m, value, axis, &extent) ? dim_text(m, extent) : "?";
}

const char *cnx_shape_text(const cnx_matcher *m, uint32_t value)
{
    uint32_t rank;
    if (!cnx_rank(m, value, &rank))
        return "?";
    const char *text = rank == 0 ? "scalar" : "";
    for (uint32_t i = 0; i < rank; i++)
        text = cnx_print(m->arena, "%s%s%s", text, i == 0 ? "" : " x ", cnx_extent_text(m, value, (int)i));
    return text;
}

const char *cnx_sizes_text(const cnx_matcher *m, const int64_t *sizes, size_t count)
{
    const char *text = "";
    for (size_t i = 0; i < count; i++)
        text = cnx_print(m->arena, "%s%s%" PRId64, text, i == 0 ? "" : "x", sizes[i]);
    return text;
}

bool cnx_varies_only_along(const cnx_matcher *m, uint32_t value, int axis)
{
    uint32_t rank;
    if (!cnx_rank(m, value, &rank))
        return false;
    for (uint32_t i = 0; i < rank; i++) {
        int64_t extent;
        bool is_one = cnx_extent_number(m, value, (int)i, &extent) && extent == 1;
        if (!is_one && (int64_t)i != (int64_t)rank + axis)
            return false;
    }
    return true;
}

const char *cnx_place(const cnx_matcher *m, uint32_t value)
{
    uint32_t producer = cnx_producer(m, value);
    return producer == CNX_NONE ? m->view->graph->values[value].name : cnx_label(m, producer);
}
