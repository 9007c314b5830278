#include "analyze/macs.h"

#include <ctype.h>

/* One node while its products are counted. Once `unknown` is set, the result is a fresh unknown. */
typedef struct counter {
    cnx_dims *dims;
    const cnx_graph *graph;
    const cnx_node *node;
    const cnx_fact *facts;
    bool unknown;
} counter;

static const cnx_fact UNKNOWN_FACT = {0};

static const cnx_fact *input(const counter *c, uint32_t slot)
{
    bool present = slot < c->node->input_count && c->node->inputs[slot] != CNX_NONE;
    return present ? &c->facts[c->node->inputs[slot]] : &UNKNOWN_FACT;
}

static const cnx_fact *output(const counter *c, uint32_t slot)
{
    bool present = slot < c->node->output_count && c->node->outputs[slot] != CNX_NONE;
    return present ? &c->facts[c->node->outputs[slot]] : &UNKNOWN_FACT;
}

static cnx_dim number(counter *c, int64_t value)
{
    return cnx_dim_number(c->dims, value);
}

static cnx_dim times(counter *c, cnx_dim a, cnx_dim b)
{
    return cnx_dim_multiply(c->dims, a, b);
}

/* Axis `axis` of a value, negative from the end. */
static cnx_dim extent(counter *c, const cnx_fact *fact, int axis)
{
    int64_t index = axis < 0 ? (int64_t)fact->rank + axis : axis;
    if (!fact->known || index < 0 || index >= (int64_t)fact->rank) {
        c->unknown = true;
        return number(c, 0);
    }
    return fact->axes[index].extent;
}

/* The product of the extents from axis `first` on: with 0, the number of elements. */
static cnx_dim elements_from(counter *c, const cnx_fact *fact, uint32_t first)
{
    cnx_dim product = number(c, 1);
    c->unknown |= !fact->known || fact->rank < first;
    for (uint32_t i = first; i < fact->rank && fact->known; i++)
        product = times(c, product, fact->axes[i].extent);
    return product;
}

/* Every output element is a sum over one filter: W is [channels out, channels in / groups, kernel...]. */
static cnx_dim count_conv(counter *c, uint32_t unused, uint32_t weight)
{
    (void)unused;
    return times(c, elements_from(c, output(c, 0), 0), elements_from(c, input(c, weight), 1));
}

/* Every input element is spread over one filter: W is [channels in, channels out / groups, kernel...]. */
static cnx_dim count_conv_transpose(counter *c, uint32_t data, uint32_t weight)
{
    return times(c, elements_from(c, input(c, data), 0), elements_from(c, input(c, weight), 1));
}

/* Every output element is a sum over the contracted axis of `left`. */
static cnx_dim count_gemm(counter *c, uint32_t left, uint32_t unused)
{
    (void)unused;
    bool transposed = cnx_attribute_int(c->graph, c->node, "transA", 0) != 0;
    const cnx_fact *a = input(c, left);
    int axis = transposed && a->rank >= 2 ? -2 : -1;
    return times(c, elements_from(c, output(c, 0), 0), extent(c, a, axis));
}

/* com.microsoft.MatMulNBits: the weight is packed, its height is an attribute. */
static cnx_dim count_packed_matmul(counter *c, uint32_t unused, uint32_t unused_too)
{
    (void)unused;
    (void)unused_too;
    int64_t height = cnx_attribute_int(c->graph, c->node, "K", 0);
    return times(c, elements_from(c, output(c, 0), 0), number(c, height));
}

/* X is [time, batch, in] (or batch first), W [directions, gates * hidden, in], R [directions, gates * hidden,
 * hidden]: each step of each sequence multiplies both matrices once. */
static cnx_dim count_recurrent(counter *c, uint32_t unused, uint32_t unused_too)
{
    (void)unused;
    (void)unused_too;
    const cnx_fact *x = input(c, 0);
    cnx_dim steps = times(c, extent(c, x, 0), extent(c, x, 1));
    cnx_dim weights =
        cnx_dim_add(c->dims, elements_from(c, input(c, 1), 0), elements_from(c, input(c, 2), 0));
    return times(c, steps, weights);
}

/* Scaled dot-product attention with separate Q, K, V and `past` keys: scores cost elements(Q) * keys, the sum
 * of the values elements(Y) * keys. Holds with heads as an axis and with heads packed. */
static cnx_dim count_attention(counter *c, uint32_t past, uint32_t unused)
{
    (void)unused;
    cnx_dim keys = extent(c, input(c, 1), -2);
    if (input(c, past)->known)
        keys = cnx_dim_add(c->dims, keys, extent(c, input(c, past), -2));
    cnx_dim elements =
        cnx_dim_add(c->dims, elements_from(c, input(c, 0), 0), elements_from(c, output(c, 0), 0));
    return times(c, elements, keys);
}

/* com.microsoft.Attention: X [batch, tokens, in] times a packed W [in, q + k + v], then attention. */
static cnx_dim count_packed_attention(counter *c, uint32_t unused, uint32_t past)
{
    (void)unused;
    const cnx_fact *x = input(c, 0), *weight = input(c, 1);
    cnx_dim packed = extent(c, weight, -1), tokens = extent(c, x, 1);
    cnx_dim projections = times(c, elements_from(c, x, 0), packed);
    /* q and v are as wide as the output unless qkv_hidden_sizes says otherwise; k is as wide as q */
    cnx_dim values = extent(c, output(c, 0), -1);
    size_t sizes = 0;
    const int64_t *widths = cnx_attribute_ints(c->graph, c->node, "qkv_hidden_sizes", &sizes);
    cnx_dim queries =
        sizes == 3 ? number(c, widths[0])
                   : cnx_dim_floor_divide(c->dims, cnx_dim_subtract(c->dims, packed, values), number(c, 2));
    c->unknown |= past < c->node->input_count && c->node->inputs[past] != CNX_NONE;
    cnx_dim pairs = times(c, times(c, extent(c, x, 0), tokens), tokens);
    return cnx_dim_add(c->dims, projections, times(c, pairs, cnx_dim_add(c->dims, queries, values)));
}

/* ---- Einsum ---- */

#define LETTERS 52
#define ELLIPSIS 8

typedef struct equation {
    cnx_dim letters[LETTERS];
    bool seen[LETTERS];
    cnx_dim ellipsis[ELLIPSIS]; /* from the right */
    uint32_t ellipsis_rank;
} equation;

static int letter_index(char letter)
{
    if (!isalpha((unsigned char)letter))
        return -1;
    return islower((unsigned char)letter) ? letter - 'a' : letter - 'A' + 26;
}

/* The dots of one operand stand for the axes its letters leave over, broadcast from the right. */
static void read_ellipsis(counter *c, equation *e, const cnx_fact *fact, uint32_t first, uint32_t count)
{
    if (count > ELLIPSIS) {
        c->unknown = true;
        return;
    }
    for (uint32_t i = 0; i < count; i++) {
        cnx_dim found = fact->axes[first + count - 1 - i].extent;
        if (i >= e->ellipsis_rank || cnx_dim_equals(c->dims, e->ellipsis[i], 1))
            e->ellipsis[i] = found;
    }
    if (count > e->ellipsis_rank)
        e->ellipsis_rank = count;
}

/* Reads the term of one operand; returns what follows it. */
static const char *read_term(counter *c, equation *e, const char *text, const cnx_fact *fact)
{
    uint32_t letters = 0;
    const char *end = text;
    for (; *end != '\0' && *end != ',' && *end != '-'; end++)
        letters += letter_index(*end) >= 0;
    if (!fact->known || letters > fact->rank) {
        c->unknown = true;
        return end;
    }
    uint32_t axis = 0;
    for (; text < end; text++) {
        int letter = letter_index(*text);
        if (letter >= 0) {
            cnx_dim found = fact->axes[axis++].extent;
            if (!e->seen[letter] || cnx_dim_equals(c->dims, e->letters[letter], 1))
                e->letters[letter] = found;
            e->seen[letter] = true;
        } else if (strncmp(text, "...", 3) == 0) {
            read_ellipsis(c, e, fact, axis, fact->rank - letters);
            axis += fact->rank - letters;
            text += 2;
        } else if (*text != ' ') {
            c->unknown = true;
        }
    }
    c->unknown |= axis != fact->rank;
    return end;
}

/* All operands are multiplied at once over every combination of indices: one product per combination and per
 * operand after the first. A single operand is only moved and summed. */
static cnx_dim count_einsum(counter *c, uint32_t unused, uint32_t unused_too)
{
    (void)unused;
    (void)unused_too;
    const char *text = cnx_attribute_text(c->graph, c->node, "equation", "");
    equation e = {0};
    if (c->node->input_count < 2)
        return number(c, 0);
    for (uint32_t i = 0; i < c->node->input_count; i++) {
        text = read_term(c, &e, text, input(c, i));
        bool last = i + 1 == c->node->input_count;
        if (!last && *text != ',')
            c->unknown = true;
        text += *text == ',';
    }
    cnx_dim product = number(c, (int64_t)c->node->input_count - 1);
    for (int i = 0; i < LETTERS; i++)
        if (e.seen[i])
            product = times(c, product, e.letters[i]);
    for (uint32_t i = 0; i < e.ellipsis_rank; i++)
        product = times(c, product, e.ellipsis[i]);
    return product;
}

/* ---- the table ---- */

/* Input positions: the data and the weight, or what the function makes of them. */
static const struct row {
    const char *domain;
    const char *name;
    cnx_dim (*count)(counter *, uint32_t, uint32_t);
    uint32_t first, second;
} ROWS[] = {
    {"", "Conv", count_conv, 0, 1},
    {"", "ConvInteger", count_conv, 0, 1},
    {"", "QLinearConv", count_conv, 0, 3},
    {"", "DeformConv", count_conv, 0, 1},
    {"", "ConvTranspose", count_conv_transpose, 0, 1},
    {"", "Gemm", count_gemm, 0, 1},
    {"", "MatMul", count_gemm, 0, 1},
    {"", "MatMulInteger", count_gemm, 0, 1},
    {"", "QLinearMatMul", count_gemm, 0, 3},
    {"", "Einsum", count_einsum, 0, 0},
    {"", "LSTM", count_recurrent, 0, 0},
    {"", "GRU", count_recurrent, 0, 0},
    {"", "RNN", count_recurrent, 0, 0},
    {"", "Attention", count_attention, 4, 0},
    {"com.microsoft", "FusedConv", count_conv, 0, 1},
    {"com.microsoft", "NhwcConv", count_conv, 0, 1},
    {"com.microsoft", "FusedGemm", count_gemm, 0, 1},
    {"com.microsoft", "FusedMatMul", count_gemm, 0, 1},
    {"com.microsoft", "GemmFastGelu", count_gemm, 0, 1},
    {"com.microsoft", "TransposeMatMul", count_gemm, 0, 1},
    {"com.microsoft", "MatMulIntegerToFloat", count_gemm, 0, 1},
    {"com.microsoft", "DynamicQuantizeMatMul", count_gemm, 0, 1},
    {"com.microsoft", "MatMulNBits", count_packed_matmul, 0, 0},
    {"com.microsoft", "QGemm", count_gemm, 0, 3},
    {"com.microsoft", "Attention", count_packed_attention, 0, 4},
    {"com.microsoft", "QAttention", count_packed_attention, 0, 8},
    {"com.microsoft", "MultiHeadAttention", count_attention, 6, 0},
    {"com.microsoft", "GroupQueryAttention", count_attention, 3, 0},
};

cnx_dim cnx_node_macs(cnx_analysis *analysis, const cnx_graph *graph, const cnx_node *node,
                      const cnx_fact *facts)
{
    counter c = {.dims = analysis->dims, .graph = graph, .node = node, .facts = facts};
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        const struct row *row = &ROWS[i];
        if (node->op_type[0] != row->name[0] || strcmp(node->op_type, row->name) != 0 ||
            strcmp(node->domain, row->domain) != 0)
            continue;
        cnx_dim macs = row->count(&c, row->first, row->second);
        return c.unknown ? cnx_dim_fresh(c.dims) : macs;
    }
    return number(&c, 0);
}
