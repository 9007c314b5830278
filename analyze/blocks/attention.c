/* Attention, found from its softmax outwards.
 *
 *     queries --.
 *                MatMul -- scale, mask, reshape ... -- Softmax -- MatMul -- merge heads -- output projection
 *     keys ----'                                                /
 *     values -------------------------------------------------'
 *
 * From the softmax back to the product of queries and keys only elementwise and layout nodes may lie; forward
 * to the product with the values likewise. From these products' three inputs the walk goes on back, over
 * splitting into heads, packing, scaling, rotary embeddings and normalization, to the linear layers that
 * project queries, keys and values. A packed projection is reached three times and taken once.
 */
#include "analyze/blocks/matcher.h"

#include <inttypes.h>

#define MAX_STEPS 48u

static bool is_product(const cnx_matcher *m, uint32_t node)
{
    cnx_block_op op = cnx_op(m, node);
    return op == OP_MatMul || op == OP_FusedMatMul || op == OP_TransposeMatMul || op == OP_Einsum;
}

/* A product of two computed tensors. */
static bool is_data_product(const cnx_matcher *m, uint32_t node)
{
    return is_product(m, node) && cnx_is_free(m, node) && cnx_is_data(m, cnx_input(m, node, 0)) &&
           cnx_is_data(m, cnx_input(m, node, 1));
}

static bool is_layout(cnx_block_op op)
{
    switch (op) {
    case OP_Cast:
    case OP_Concat:
    case OP_Dropout:
    case OP_Expand:
    case OP_Flatten:
    case OP_Gather:
    case OP_Identity:
    case OP_Reshape:
    case OP_Slice:
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

/* ---- around the softmax ---- */

typedef struct scores {
    uint32_t product; /* of queries and keys */
    bool masked;
    bool biased; /* a learned bias is added */
    uint32_t steps;
} scores;

static bool changes_scores(cnx_block_op op)
{
    return is_layout(op) || op == OP_Add || op == OP_Sub || op == OP_Mul || op == OP_Div || op == OP_Where ||
           op == OP_Clip || op == OP_Max || op == OP_Tanh || op == OP_Pad;
}

/* Walks back from `value` to the product of queries and keys, trying one input after the other, and takes the
 * nodes of the path it finds. */
static bool find_scores(cnx_matcher *m, uint32_t value, scores *s)
{
    uint32_t node = cnx_producer(m, value);
    if (node == CNX_NONE || s->steps++ > MAX_STEPS || !cnx_is_free(m, node))
        return false;
    if (is_data_product(m, node)) {
        s->product = node;
        return cnx_take(m, node);
    }
    cnx_block_op op = cnx_op(m, node);
    if (!changes_scores(op))
        return false;
    for (uint32_t i = 0; i < cnx_node_at(m, node)->input_count; i++) {
        if (!cnx_is_data(m, cnx_input(m, node, i)) || !find_scores(m, cnx_input(m, node, i), s))
            continue;
        uint32_t other = cnx_other_input(m, node, cnx_input(m, node, i));
        bool learned = op == OP_Add && cnx_is_weight(m, other);
        s->biased |= learned;
        s->masked |= op == OP_Where || (op == OP_Add && other != CNX_NONE && !learned);
        return cnx_take(m, node);
    }
    return false;
}

/* From the softmax forward to the product with the values. Some exports guard against rows that are masked
 * completely: Where(IsNaN(p), 0, p). */
static uint32_t find_weighting(cnx_matcher *m, uint32_t *value)
{
    for (uint32_t step = 0; step < MAX_STEPS; step++) {
        uint32_t user = cnx_only_user(m, *value);
        if (user == CNX_NONE) {
            const cnx_value *v = &m->view->graph->values[*value];
            for (uint32_t i = 0; i < v->use_count; i++) {
                if (cnx_op(m, v->uses[i].node) == OP_IsNaN)
                    cnx_take(m, v->uses[i].node);
                else if (cnx_op(m, v->uses[i].node) == OP_Where)
                    user = v->uses[i].node;
            }
        }
        if (is_data_product(m, user))
            return cnx_take(m, user) ? user : CNX_NONE;
        cnx_block_op op = cnx_op(m, user);
        if ((!is_layout(op) && op != OP_Where && op != OP_Mul) || !cnx_take(m, user))
            return CNX_NONE;
        *value = cnx_output(m, user, 0);
    }
    return CNX_NONE;
}

/* ---- projections ---- */

typedef struct operand {
    uint32_t projection; /* the linear layer, or CNX_NONE */
    uint32_t source;     /* what it projects */
    uint32_t steps;
    bool normalized;
    bool rotary;
} operand;

static bool is_product_output(const cnx_matcher *m, uint32_t value)
{
    return cnx_op(m, cnx_producer(m, value)) == OP_Mul;
}

/* The bit set of inputs of `node` through which the walk from an operand goes on. */
static uint32_t paths_back(const cnx_matcher *m, uint32_t node, operand *o)
{
    cnx_block_op op = cnx_op(m, node);
    uint32_t first = cnx_input(m, node, 0), second = cnx_input(m, node, 1);
    if (op == OP_Concat)
        return 3;
    if (is_layout(op) || op == OP_Neg)
        return 1;
    if (op == OP_Mul || op == OP_Div || op == OP_Add) {
        if (!cnx_is_data(m, second))
            return 1;
        if (!cnx_is_data(m, first))
            return op == OP_Div ? 0 : 2;
        bool rotation = op == OP_Add && is_product_output(m, first) && is_product_output(m, second);
        o->rotary |= rotation;
        return rotation ? 3 : op == OP_Mul ? 1 : 0;
    }
    if (op == OP_RotaryEmbedding) {
        o->rotary = true;
        return 1;
    }
    bool norm =
        op == OP_LayerNormalization || op == OP_RMSNormalization || op == OP_SimplifiedLayerNormalization;
    if (norm && cnx_only_user(m, cnx_output(m, node, 0)) != CNX_NONE) {
        o->normalized = true;
        return 1;
    }
    return 0;
}

/* An addition between projection and product is the projection's bias, not a residual. */
static bool is_bias(const cnx_matcher *m, uint32_t node)
{
    if (cnx_op(m, node) != OP_Add)
        return true;
    uint32_t first = cnx_input(m, node, 0), second = cnx_input(m, node, 1);
    if (cnx_is_data(m, first) && cnx_is_data(m, second))
        return true; /* judged by paths_back */
    uint32_t data = cnx_is_data(m, first) ? first : second, constant = data == first ? second : first;
    uint32_t ignored, weight, maker = cnx_producer(m, data);
    return cnx_is_linear(m, maker, &ignored, &weight) || cnx_varies_only_along(m, constant, -1) ||
           is_layout(cnx_op(m, maker));
}

/* Walks back to the projection that `value` comes from; whether it found one. What lies between is taken if
 * so; without a projection only transpositions are, for what else is there was made for its own sake. */
static bool find_projection(cnx_matcher *m, uint32_t value, operand *o)
{
    uint32_t node = cnx_producer(m, value), data, weight;
    if (o->source == CNX_NONE)
        o->source = value;
    if (node == CNX_NONE || o->steps++ > MAX_STEPS || !(cnx_is_free(m, node) || cnx_is_taken(m, node)))
        return false;
    if (cnx_is_linear(m, node, &data, &weight)) {
        if (o->projection != CNX_NONE && o->projection != node)
            return false;
        o->projection = node;
        o->source = data;
        return cnx_take(m, node);
    }
    uint32_t paths = is_bias(m, node) ? paths_back(m, node, o) : 0;
    if (paths == 0)
        return false;
    if (o->projection == CNX_NONE)
        o->source = CNX_NONE; /* it lies further back */
    bool found = false;
    for (uint32_t i = 0; i < cnx_node_at(m, node)->input_count; i++)
        if ((paths >> (i < 2 ? i : 1) & 1) != 0 && cnx_is_data(m, cnx_input(m, node, i)))
            found |= find_projection(m, cnx_input(m, node, i), o);
    if (o->source == CNX_NONE)
        o->source = value;
    return (found || cnx_op(m, node) == OP_Transpose) && cnx_take(m, node) && found;
}

/* From the product with the values forward, over merging heads, to the output projection and its bias. */
static uint32_t find_output_projection(cnx_matcher *m, uint32_t weighting)
{
    uint32_t value = cnx_output(m, weighting, 0), path[8], steps = 0, data, weight;
    for (;;) {
        uint32_t user = cnx_only_user(m, value);
        if (cnx_is_free(m, user) && cnx_is_linear(m, user, &data, &weight) && data == value) {
            for (uint32_t i = 0; i < steps; i++)
                cnx_take(m, path[i]);
            cnx_take(m, user);
            value = cnx_output(m, user, 0);
            uint32_t add = cnx_only_user(m, value), bias = cnx_other_input(m, add, value);
            if (cnx_op(m, add) == OP_Add && cnx_is_weight(m, bias) && cnx_varies_only_along(m, bias, -1))
                cnx_take(m, add);
            return user;
        }
        if (user == CNX_NONE || steps == 8 || !is_layout(cnx_op(m, user)) || cnx_op(m, user) == OP_Concat ||
            !cnx_is_free(m, user))
            return CNX_NONE;
        path[steps++] = user;
        value = cnx_output(m, user, 0);
    }
}

/* ---- what to say ---- */

typedef struct attention {
    uint32_t product;
    uint32_t weighting;
    uint32_t output; /* projection or CNX_NONE */
    operand query, key, value;
    uint32_t values; /* the third operand itself */
} attention;

/* The width of one head's keys: the contracted axis of the scores. */
static int64_t key_width(const cnx_matcher *m, const attention *a)
{
    int64_t width = 0;
    return cnx_extent_number(m, cnx_input(m, a->product, 0), -1, &width) ? width : 0;
}

static int64_t value_width(const cnx_matcher *m, const attention *a)
{
    int64_t width = 0;
    return cnx_extent_number(m, a->values, -1, &width) ? width : 0;
}

/* Heads are an axis of the product, or folded into the batch; then the widths of the projections tell. */
static int64_t head_count(const cnx_matcher *m, const attention *a)
{
    uint32_t rank;
    int64_t heads, out = 0, width = value_width(m, a), merged;
    if (cnx_rank(m, cnx_output(m, a->product, 0), &rank) && rank >= 4 &&
        cnx_extent_number(m, cnx_output(m, a->product, 0), -3, &heads))
        return heads;
    uint32_t data, weight;
    if (width > 0 && a->output != CNX_NONE && cnx_is_linear(m, a->output, &data, &weight) &&
        cnx_extent_number(m, data, -1, &merged) && merged % width == 0)
        return merged / width;
    width = key_width(m, a);
    if (a->query.projection != CNX_NONE && a->query.projection != a->key.projection)
        cnx_widths_text(m, a->query.projection, &out);
    return width > 0 && out % width == 0 ? out / width : 0;
}

/* "12 heads of 64", or with the widths apart when keys and values differ or the heads are unknown. */
static void say_heads(cnx_matcher *m, const attention *a)
{
    int64_t heads = head_count(m, a), keys = key_width(m, a), values = value_width(m, a), out = 0;
    const char *plural = heads == 1 ? "" : "s";
    bool one_width = heads != 0 && keys != 0 && keys == values;
    if (one_width)
        cnx_say(m, "%" PRId64 " head%s of %" PRId64, heads, plural, keys);
    else if (heads != 0)
        cnx_say(m, "%" PRId64 " head%s", heads, plural);
    if (a->key.projection != CNX_NONE && a->key.projection != a->query.projection &&
        a->key.projection != a->value.projection)
        cnx_widths_text(m, a->key.projection, &out);
    if (heads != 0 && keys != 0 && out % keys == 0 && out / keys > 0 && out / keys < heads)
        cnx_say(m, "%" PRId64 " key-value heads", out / keys);
    if (!one_width && keys != 0)
        cnx_say(m, "keys %" PRId64 " wide", keys);
    if (!one_width && values != 0)
        cnx_say(m, "values %" PRId64 " wide", values);
}

static void say_projections(cnx_matcher *m, const attention *a)
{
    const uint32_t q = a->query.projection, k = a->key.projection, v = a->value.projection;
    const struct {
        const char *name;
        uint32_t node;
    } parts[] = {
        {q == k && k == v ? "packed projection"
         : q == k         ? "query and key"
                          : "query",
         q},
        {k == v ? "key and value" : "key", k == q ? CNX_NONE : k},
        {"value", v == k || v == q ? CNX_NONE : v},
        {"output", a->output},
    };
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        if (parts[i].node != CNX_NONE)
            cnx_say(m, "%s %s", parts[i].name, cnx_widths_text(m, parts[i].node, NULL));
}

bool cnx_match_attention(cnx_matcher *m, uint32_t node)
{
    if (cnx_op(m, node) != OP_Softmax || !cnx_take(m, node))
        return false;
    attention a = {.query = {.projection = CNX_NONE, .source = CNX_NONE}};
    a.key = a.value = a.query;
    scores s = {.product = CNX_NONE};
    uint32_t weights = cnx_output(m, node, 0);
    a.weighting = find_weighting(m, &weights);
    if (a.weighting == CNX_NONE || !find_scores(m, cnx_input(m, node, 0), &s) || s.product == a.weighting)
        return false;
    a.product = s.product;
    a.values = cnx_other_input(m, a.weighting, weights);
    find_projection(m, cnx_input(m, a.product, 0), &a.query);
    find_projection(m, cnx_input(m, a.product, 1), &a.key);
    find_projection(m, a.values, &a.value);
    a.output = find_output_projection(m, a.weighting);
    if (a.query.source != CNX_NONE && a.key.source != CNX_NONE)
        cnx_say(m, "%s", a.query.source == a.key.source ? "self" : "cross");
    say_heads(m, &a);
    say_projections(m, &a);
    if (a.query.normalized || a.key.normalized)
        cnx_say(m, "normalized queries and keys");
    if (a.query.rotary || a.key.rotary)
        cnx_say(m, "rotary positions");
    if (s.biased)
        cnx_say(m, "learned bias");
    if (s.masked)
        cnx_say(m, "mask");
    return true;
}

bool cnx_match_fused_attention(cnx_matcher *m, uint32_t node)
{
    cnx_block_op op = cnx_op(m, node);
    bool fused = op == OP_MultiHeadAttention || op == OP_GroupQueryAttention || op == OP_QAttention ||
                 op == OP_DecoderMaskedMultiHeadAttention || op == OP_Attention || op == OP_LinearAttention;
    if (!fused)
        return false;
    cnx_take(m, node);
    cnx_say(m, "%s", cnx_node_at(m, node)->op_type);
    int64_t heads = cnx_int(m, node, "num_heads", cnx_int(m, node, "q_num_heads", 0));
    int64_t shared = cnx_int(m, node, "kv_num_heads", heads);
    if (heads != 0)
        cnx_say(m, "%" PRId64 " heads", heads);
    if (shared != heads && shared != 0)
        cnx_say(m, "%" PRId64 " key-value heads", shared);
    return true;
}
