/* Blocks that are one operator, or little more. */
#include "analyze/blocks/matcher.h"

#include <inttypes.h>

/* ---- recurrent, embedding ---- */

bool cnx_match_recurrent(cnx_matcher *m, uint32_t node)
{
    if (cnx_class(m, node) != CNX_OP_RECURRENT)
        return false;
    cnx_take(m, node);
    const char *hidden = cnx_extent_text(m, cnx_input(m, node, 2), -1);
    int64_t size = cnx_int(m, node, "hidden_size", 0);
    if (size > 0)
        hidden = cnx_print(m->arena, "%" PRId64, size);
    const char *direction = cnx_attribute_text(m->view->graph, cnx_node_at(m, node), "direction", "forward");
    cnx_say(m, "%s %s -> %s", cnx_node_at(m, node)->op_type, cnx_extent_text(m, cnx_input(m, node, 1), -1),
            hidden);
    if (strcmp(direction, "forward") != 0)
        cnx_say(m, "%s", direction);
    return true;
}

static bool is_embedding(const cnx_matcher *m, uint32_t node)
{
    uint32_t table = cnx_input(m, node, 0), rank;
    return cnx_op(m, node) == OP_Gather && cnx_is_weight(m, table) && cnx_int(m, node, "axis", 0) == 0 &&
           cnx_is_data(m, cnx_input(m, node, 1)) && (!cnx_rank(m, table, &rank) || rank >= 2);
}

/* A table, and the sums with other tables and with learned positions behind it. */
bool cnx_match_embedding(cnx_matcher *m, uint32_t node)
{
    if (cnx_op(m, node) == OP_EmbedLayerNormalization) {
        cnx_take(m, node);
        cnx_say(m, "words %s", cnx_shape_text(m, cnx_input(m, node, 2)));
        return true;
    }
    if (!is_embedding(m, node))
        return false;
    cnx_take(m, node);
    cnx_say(m, "%s", cnx_shape_text(m, cnx_input(m, node, 0)));
    uint32_t value = cnx_output(m, node, 0), user = cnx_only_user(m, value);
    while (cnx_op(m, user) == OP_Add) {
        uint32_t other = cnx_other_input(m, user, value), maker = cnx_producer(m, other);
        if (!cnx_is_weight(m, other) && !is_embedding(m, maker))
            break;
        uint32_t table = cnx_is_weight(m, other) ? other : cnx_input(m, maker, 0);
        if (!cnx_take(m, user))
            break;
        if (is_embedding(m, maker))
            cnx_take(m, maker);
        cnx_say(m, "plus %s", cnx_shape_text(m, table));
        value = cnx_output(m, user, 0);
        user = cnx_only_user(m, value);
    }
    return true;
}

/* ---- pool ---- */

static void say_window(cnx_matcher *m, uint32_t node, const char *name)
{
    size_t count, strides;
    const int64_t *kernel = cnx_ints(m, node, "kernel_shape", &count);
    const int64_t *stride = cnx_ints(m, node, "strides", &strides);
    cnx_say(m, "%s %s", name, cnx_sizes_text(m, kernel, count));
    bool equal = true;
    for (size_t i = 0; i < strides; i++)
        equal &= stride[i] == stride[0];
    if (strides != 0)
        cnx_say(m, "stride %s", cnx_sizes_text(m, stride, equal ? 1 : strides));
}

static void say_reduced_axes(cnx_matcher *m, uint32_t node, const char *name)
{
    size_t count;
    const int64_t *axes = cnx_ints(m, node, "axes", &count);
    uint32_t input = cnx_input(m, node, 1);
    const char *text = "";
    for (size_t i = 0; i < count; i++)
        text = cnx_print(m->arena, "%s%s%" PRId64, text, i == 0 ? "" : ", ", axes[i]);
    if (count == 0 && input != CNX_NONE && m->view->facts[input].has_content) {
        count = m->view->facts[input].content_count;
        for (size_t i = 0; i < count; i++)
            text = cnx_print(m->arena, "%s%s%s", text, i == 0 ? "" : ", ",
                             cnx_dim_text(m->dims, m->view->facts[input].content[i]));
    }
    if (count != 0)
        cnx_say(m, "%s over %s %s", name, count == 1 ? "axis" : "axes", text);
    else
        cnx_say(m, "%s over %s", name, input == CNX_NONE ? "all axes" : "some axes");
}

bool cnx_match_pool(cnx_matcher *m, uint32_t node)
{
    cnx_block_op op = cnx_op(m, node);
    bool reduction = op == OP_ReduceMean || op == OP_ReduceMax;
    if ((cnx_class(m, node) != CNX_OP_POOL && !reduction) || !cnx_is_data(m, cnx_input(m, node, 0)))
        return false;
    cnx_take(m, node);
    if (reduction)
        say_reduced_axes(m, node, op == OP_ReduceMean ? "mean" : "maximum");
    else if (op == OP_GlobalAveragePool || op == OP_GlobalMaxPool || op == OP_GlobalLpPool)
        cnx_say(m, "global %s",
                op == OP_GlobalAveragePool ? "average"
                : op == OP_GlobalMaxPool   ? "maximum"
                                           : "norm");
    else
        say_window(m, node,
                   op == OP_MaxPool                                            ? "maximum"
                   : strcmp(cnx_node_at(m, node)->op_type, "AveragePool") == 0 ? "average"
                                                                               : "norm");
    return true;
}

/* ---- resize ---- */

bool cnx_match_resize(cnx_matcher *m, uint32_t node)
{
    if ((cnx_op(m, node) != OP_Resize && cnx_op(m, node) != OP_Upsample) ||
        !cnx_is_data(m, cnx_input(m, node, 0)))
        return false;
    cnx_take(m, node);
    cnx_say(m, "%s", cnx_attribute_text(m->view->graph, cnx_node_at(m, node), "mode", "nearest"));
    cnx_say(m, "%s -> %s", cnx_shape_text(m, cnx_input(m, node, 0)),
            cnx_shape_text(m, cnx_output(m, node, 0)));
    return true;
}

/* ---- products, parameters ---- */

/* What has multiply-accumulates and fits nowhere else. */
bool cnx_match_product(cnx_matcher *m, uint32_t node)
{
    if (cnx_dim_equals(m->dims, m->view->macs[node], 0) || !cnx_is_data(m, cnx_output(m, node, 0)))
        return false;
    cnx_take(m, node);
    cnx_say(m, "%s of %s and %s", cnx_node_at(m, node)->op_type, cnx_shape_text(m, cnx_input(m, node, 0)),
            cnx_shape_text(m, cnx_input(m, node, 1)));
    return true;
}

bool cnx_match_parameter(cnx_matcher *m, uint32_t node)
{
    if (!cnx_is_data(m, cnx_output(m, node, 0)) || cnx_class(m, node) == CNX_OP_QUANTIZATION)
        return false;
    for (uint32_t i = 0; i < cnx_node_at(m, node)->input_count; i++) {
        uint32_t weight = cnx_input(m, node, i);
        if (!cnx_is_weight(m, weight))
            continue;
        cnx_take(m, node);
        cnx_say(m, "%s %s", cnx_node_at(m, node)->op_type, cnx_shape_text(m, weight));
        return true;
    }
    return false;
}

/* ---- layout ---- */

static bool moves_data(cnx_block_op op)
{
    switch (op) {
    case OP_Cast:
    case OP_CastLike:
    case OP_Concat:
    case OP_DepthToSpace:
    case OP_Dropout:
    case OP_Expand:
    case OP_Flatten:
    case OP_Gather:
    case OP_Identity:
    case OP_Pad:
    case OP_Reshape:
    case OP_Slice:
    case OP_SpaceToDepth:
    case OP_Split:
    case OP_Squeeze:
    case OP_Tile:
    case OP_Transpose:
    case OP_Unsqueeze:
        return true;
    default:
        return false;
    }
}

/* Whether a node does nothing but move data; also an If whose branches do nothing else, which is how some
 * exporters write a squeeze that depends on the rank. */
static bool only_moves_data(const cnx_view *view, uint32_t node)
{
    uint32_t bodies = view->graph->nodes[node].subgraph_count;
    if (bodies == 0)
        return moves_data(view->ops[node]);
    for (uint32_t i = 0; i < bodies; i++) {
        const cnx_view *body = view->children[view->first_child[node] + i];
        for (uint32_t j = 0; j < body->graph->order_count; j++) {
            uint32_t inner = body->graph->order[j];
            if (body->ops[inner] != OP_Constant && !only_moves_data(body, inner))
                return false;
        }
    }
    return view->ops[node] == OP_If;
}

/* ---- control, functions ---- */

bool cnx_match_control(cnx_matcher *m, uint32_t node)
{
    const cnx_node *control = cnx_node_at(m, node);
    if (control->subgraph_count == 0 || only_moves_data(m->view, node))
        return false;
    cnx_take(m, node);
    cnx_say(m, "%s", control->op_type);
    for (uint32_t i = 0; i < control->subgraph_count; i++) {
        uint32_t count = control->subgraphs[i].graph->order_count;
        cnx_say(m, "%s of %" PRIu32 " node%s", control->subgraphs[i].attribute->name, count,
                count == 1 ? "" : "s");
    }
    return true;
}

bool cnx_match_function(cnx_matcher *m, uint32_t node)
{
    const cnx_node *call = cnx_node_at(m, node);
    if (call->function == NULL)
        return false;
    cnx_take(m, node);
    cnx_say(m, "%s%s%s of %" PRIu32 " nodes", call->domain, call->domain[0] == '\0' ? "" : ".", call->op_type,
            call->function->order_count);
    return true;
}

/* ---- what is gathered ---- */

bool cnx_gather_layout(const cnx_matcher *m, uint32_t node)
{
    return cnx_is_data(m, cnx_output(m, node, 0)) && only_moves_data(m->view, node);
}

bool cnx_gather_quantization(const cnx_matcher *m, uint32_t node)
{
    return cnx_class(m, node) == CNX_OP_QUANTIZATION && cnx_is_data(m, cnx_output(m, node, 0));
}

static bool origin_is(const cnx_matcher *m, uint32_t node, bool from_shape)
{
    uint32_t value = cnx_output(m, node, 0);
    return value != CNX_NONE && !cnx_is_data(m, value) &&
           ((m->view->origins[value] & CNX_FROM_SHAPE) != 0) == from_shape;
}

bool cnx_gather_shape(const cnx_matcher *m, uint32_t node)
{
    return origin_is(m, node, true);
}

bool cnx_gather_constant(const cnx_matcher *m, uint32_t node)
{
    return origin_is(m, node, false);
}
