#include "rewrite/digest/hashes.h"

#include "analyze/analysis.h"

#define XXH_INLINE_ALL
#include <stdlib.h>
#include <xxhash.h>

/* What a hash speaks about, so that equal numbers in different places differ. */
enum {
    KIND_OMITTED = 1,
    KIND_INPUT,
    KIND_INNER_INPUT,
    KIND_INITIALIZER,
    KIND_SPARSE,
    KIND_NODE,
    KIND_TENSOR
};

typedef struct nested_hashes {
    const cnx_graph *graph;
    struct cnx_hashes *hashes;
} nested_hashes;

struct cnx_hashes {
    cnx_arena *arena;
    cnx_graph *graph;
    cnx_hashes *outer;
    uint64_t *structure; /* by value */
    uint64_t *weights;   /* by value, where `weighed` */
    bool *weighed;
    cnx_intern numbers; /* from nested graph to its place in `nested` */
    size_t nested_count, nested_capacity;
    nested_hashes *nested;
};

static uint64_t mix(uint64_t hash, uint64_t word)
{
    hash += word * 0x9e3779b97f4a7c15u + 0x632be59bd9b4e019u;
    hash = (hash ^ (hash >> 30)) * 0xbf58476d1ce4e5b9u;
    hash = (hash ^ (hash >> 27)) * 0x94d049bb133111ebu;
    return hash ^ (hash >> 31);
}

static uint64_t mix_text(uint64_t hash, const char *text)
{
    return mix(hash, XXH3_64bits(text, strlen(text)));
}

static int compare_words(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a;
    uint64_t right = *(const uint64_t *)b;
    return (left > right) - (left < right);
}

bool cnx_node_commutes(const cnx_node *node)
{
    if (node->function != NULL || node->input_count < 2)
        return false;
    for (uint32_t slot = 0; slot < node->input_count; slot++)
        if (node->inputs[slot] == CNX_NONE)
            return false;
    /* Before version 7 the second input was stretched to the first one's shape on demand. */
    if (cnx_attribute(node, "broadcast") != NULL)
        return false;
    const cnx_operator *row = cnx_operator_find(node->domain, node->op_type, node->opset);
    return row != NULL && row->commutative;
}

/* ---- what is no part of the wiring ---- */

static uint64_t hash_dims(uint64_t hash, const cnx_tensor *tensor)
{
    hash = mix(mix(hash, (uint64_t)tensor->type), tensor->rank);
    for (uint32_t i = 0; i < tensor->rank; i++)
        hash = mix(hash, (uint64_t)tensor->dims[i]);
    return hash;
}

/* A tensor in an attribute: its contents are part of the structure. */
static uint64_t hash_contents(uint64_t hash, cnx_model *model, const Onnx__TensorProto *proto)
{
    if (proto == NULL)
        return mix(hash, 0);
    cnx_tensor *tensor = cnx_tensor_of(model, proto);
    hash = hash_dims(mix(hash, KIND_TENSOR), tensor);
    if (tensor->type != CNX_TYPE_STRING)
        return mix(hash, XXH3_64bits(cnx_tensor_bytes(model, tensor), tensor->size));
    for (size_t i = 0; i < proto->n_string_data; i++)
        hash = mix(hash, XXH3_64bits(proto->string_data[i].data, proto->string_data[i].len));
    return hash;
}

static uint64_t hash_sparse(uint64_t hash, cnx_model *model, const Onnx__SparseTensorProto *sparse)
{
    hash = hash_contents(hash_contents(hash, model, sparse->values), model, sparse->indices);
    for (size_t i = 0; i < sparse->n_dims; i++)
        hash = mix(hash, (uint64_t)sparse->dims[i]);
    return hash;
}

/* Everything of an attribute except graphs. */
static uint64_t hash_attribute(cnx_arena *arena, cnx_model *model, uint64_t hash,
                               const Onnx__AttributeProto *attribute)
{
    Onnx__AttributeProto rest = cnx_attribute_without_tensors(attribute);
    size_t size = onnx__attribute_proto__get_packed_size(&rest);
    uint8_t few[256];
    uint8_t *packed = size <= sizeof few ? few : cnx_alloc(arena, size);
    onnx__attribute_proto__pack(&rest, packed);
    hash = mix(hash, XXH3_64bits(packed, size));
    if (attribute->t != NULL)
        hash = hash_contents(hash, model, attribute->t);
    for (size_t i = 0; i < attribute->n_tensors; i++)
        hash = hash_contents(hash, model, attribute->tensors[i]);
    if (attribute->sparse_tensor != NULL)
        hash = hash_sparse(hash, model, attribute->sparse_tensor);
    for (size_t i = 0; i < attribute->n_sparse_tensors; i++)
        hash = hash_sparse(hash, model, attribute->sparse_tensors[i]);
    return hash;
}

uint64_t cnx_hash_attributes(cnx_arena *arena, cnx_model *model, const cnx_node *node, uint64_t hash)
{
    for (size_t i = 0; i < node->proto->n_attribute; i++)
        hash = hash_attribute(arena, model, hash, node->proto->attribute[i]);
    return hash;
}

/* ---- contents ---- */

/* Bits of a float's mantissa and of its exponent; none for other types. */
typedef struct layout {
    unsigned mantissa;
    unsigned exponent;
} layout;

static layout layout_of(int32_t type)
{
    switch (type) {
    case CNX_TYPE_FLOAT:
        return (layout){23, 8};
    case CNX_TYPE_DOUBLE:
        return (layout){52, 11};
    case CNX_TYPE_FLOAT16:
        return (layout){10, 5};
    case CNX_TYPE_BFLOAT16:
        return (layout){7, 8};
    default:
        return (layout){0, 0};
    }
}

/* What signs and powers of two leave alone of an element: of floats, the mantissa. That of a subnormal one is
 * what it would be with another exponent. */
static uint64_t lasting_bits(uint64_t word, layout l)
{
    if (l.mantissa == 0)
        return word;
    uint64_t one = UINT64_C(1) << l.mantissa, mantissa = word & (one - 1);
    bool subnormal = mantissa != 0 && (word >> l.mantissa & ((UINT64_C(1) << l.exponent) - 1)) == 0;
    while (subnormal && (mantissa & one) == 0)
        mantissa <<= 1;
    return mantissa & (one - 1);
}

static uint64_t multiset_bytes(const uint8_t *bytes, uint64_t size, unsigned width, layout l)
{
    uint64_t sum = 0;
    for (uint64_t at = 0; at + width <= size; at += width) {
        uint64_t word = 0;
        memcpy(&word, bytes + at, width < 8 ? width : 8);
        uint64_t high = 0;
        if (width == 16)
            memcpy(&high, bytes + at + 8, 8);
        sum += mix(lasting_bits(word, l), high);
    }
    return sum;
}

/* Elements of less than a byte are counted; there are at most 16 different ones. */
static uint64_t multiset_bits(const cnx_tensor *tensor, const uint8_t *bytes, unsigned bits)
{
    uint64_t counts[16] = {0};
    unsigned per_byte = 8 / bits;
    for (uint64_t i = 0; i < tensor->count; i++)
        counts[(unsigned)bytes[i / per_byte] >> (i % per_byte * bits) & ((1u << bits) - 1)]++;
    uint64_t hash = 0;
    for (unsigned i = 0; i < 16; i++)
        hash = mix(hash, counts[i]);
    return hash;
}

/* A hash of the elements that does not depend on their order, signs and exponents. */
uint64_t cnx_hash_multiset(cnx_model *model, cnx_tensor *tensor)
{
    if (tensor->type == CNX_TYPE_STRING) {
        uint64_t sum = 0;
        for (size_t i = 0; i < tensor->proto->n_string_data; i++)
            sum += mix(0, XXH3_64bits(tensor->proto->string_data[i].data, tensor->proto->string_data[i].len));
        return sum;
    }
    unsigned bits = cnx_type_bits(tensor->type);
    const uint8_t *bytes = cnx_tensor_bytes(model, tensor);
    return bits < 8 ? multiset_bits(tensor, bytes, bits)
                    : multiset_bytes(bytes, tensor->size, bits / 8, layout_of(tensor->type));
}

/* An initializer without its weights. Indices, shapes and flags are no weights: nothing that the permutation,
 * sign and scale groups do changes which numbers are in such a tensor. */
static uint64_t hash_initializer(cnx_model *model, cnx_tensor *tensor)
{
    enum { FEW = 1024 };
    uint64_t hash = hash_dims(KIND_INITIALIZER, tensor);
    bool control =
        tensor->type == CNX_TYPE_INT64 || tensor->type == CNX_TYPE_INT32 || tensor->type == CNX_TYPE_BOOL;
    return control && tensor->count <= FEW ? mix(hash, cnx_hash_multiset(model, tensor)) : hash;
}

/* ---- structure ---- */

static void hash_definitions(cnx_hashes *hashes)
{
    cnx_graph *graph = hashes->graph;
    for (uint32_t i = 0; i < graph->value_count; i++) {
        const cnx_value *value = &graph->values[i];
        uint64_t hash = 0;
        if (value->captured_from != CNX_NONE && hashes->outer != NULL)
            hash = hashes->outer->structure[value->captured_from];
        else if (value->initializer != NULL)
            hash = hash_initializer(graph->model, value->initializer);
        else if (value->sparse_initializer != NULL)
            hash = hash_sparse(KIND_SPARSE, graph->model, value->sparse_initializer);
        hashes->structure[i] = hash;
    }
    for (uint32_t i = 0; i < graph->input_count; i++)
        hashes->structure[graph->inputs[i]] = mix(graph->parent == NULL ? KIND_INPUT : KIND_INNER_INPUT, i);
}

/* Combines numbers in the given order, or in the order of their size. */
static uint64_t mix_all(uint64_t hash, uint64_t *words, size_t count, bool sorted)
{
    if (sorted)
        qsort(words, count, sizeof *words, compare_words);
    for (size_t i = 0; i < count; i++)
        hash = mix(hash, words[i]);
    return mix(hash, count);
}

static uint64_t hash_nested(cnx_hashes *hashes, uint64_t hash, cnx_graph *nested)
{
    cnx_hashes *inner = cnx_hashes_create(hashes->arena, nested, hashes);
    cnx_intern_add(&hashes->numbers, &nested, sizeof nested);
    nested_hashes item = {nested, inner};
    CNX_PUSH(hashes->arena, hashes->nested, hashes->nested_count, hashes->nested_capacity, item);
    hash = mix(hash, nested->input_count);
    for (uint32_t i = 0; i < nested->output_count; i++)
        hash = mix(hash, inner->structure[nested->outputs[i]]);
    return hash;
}

static void hash_node(cnx_hashes *hashes, const cnx_node *node, uint64_t *words)
{
    uint64_t hash = mix_text(mix_text(mix_text(KIND_NODE, node->domain), node->op_type), node->overload);
    hash = cnx_hash_attributes(hashes->arena, hashes->graph->model, node, hash);
    for (uint32_t slot = 0; slot < node->input_count; slot++)
        words[slot] = node->inputs[slot] == CNX_NONE ? KIND_OMITTED : hashes->structure[node->inputs[slot]];
    hash = mix_all(hash, words, node->input_count, cnx_node_commutes(node));
    for (uint32_t i = 0; i < node->subgraph_count; i++)
        hash = hash_nested(hashes, hash, node->subgraphs[i].graph);
    for (uint32_t slot = 0; slot < node->output_count; slot++)
        if (node->outputs[slot] != CNX_NONE)
            hashes->structure[node->outputs[slot]] = mix(hash, slot);
}

static uint64_t *new_words(cnx_arena *arena, const cnx_graph *graph)
{
    uint32_t most = 1;
    for (uint32_t i = 0; i < graph->order_count; i++) {
        uint32_t count = graph->nodes[graph->order[i]].input_count;
        most = count > most ? count : most;
    }
    return CNX_NEW_ARRAY(arena, uint64_t, most);
}

cnx_hashes *cnx_hashes_create(cnx_arena *arena, cnx_graph *graph, cnx_hashes *outer)
{
    cnx_hashes *hashes = CNX_NEW(arena, cnx_hashes);
    *hashes = (cnx_hashes){.arena = arena, .graph = graph, .outer = outer};
    hashes->structure = CNX_NEW_ARRAY(arena, uint64_t, graph->value_count);
    cnx_intern_init(&hashes->numbers, arena);
    hash_definitions(hashes);
    uint64_t *words = new_words(arena, graph);
    for (uint32_t i = 0; i < graph->order_count; i++)
        hash_node(hashes, &graph->nodes[graph->order[i]], words);
    return hashes;
}

cnx_hashes *cnx_hashes_nested(const cnx_hashes *hashes, const cnx_graph *nested)
{
    return hashes->nested[cnx_intern_find(&hashes->numbers, &nested, sizeof nested)].hashes;
}

uint64_t cnx_hash_structure(const cnx_hashes *hashes, uint32_t value)
{
    return hashes->structure[value];
}

/* ---- weights ---- */

static uint64_t weights_inside(const cnx_graph *graph)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < graph->initializer_count; i++) {
        const cnx_value *value = &graph->values[graph->initializers[i]];
        if (value->initializer != NULL)
            sum += mix(KIND_INITIALIZER, cnx_hash_multiset(graph->model, value->initializer));
    }
    for (uint32_t i = 0; i < graph->order_count; i++) {
        const cnx_node *node = &graph->nodes[graph->order[i]];
        for (uint32_t k = 0; k < node->subgraph_count; k++)
            sum += weights_inside(node->subgraphs[k].graph);
    }
    return sum;
}

/* ---- weights, on demand ---- */

/* Values whose weights are being found, each above those that wait for it. */
typedef struct pending {
    cnx_arena *arena;
    size_t count, capacity;
    uint32_t *values;
} pending;

static void weigh_leaf(cnx_hashes *hashes, uint32_t id)
{
    const cnx_value *value = &hashes->graph->values[id];
    uint64_t hash = hashes->structure[id];
    if (value->captured_from != CNX_NONE && hashes->outer != NULL)
        hash = cnx_hash_weights(hashes->outer, value->captured_from);
    else if (value->initializer != NULL && !value->is_input)
        hash = mix(hash, cnx_hash_multiset(hashes->graph->model, value->initializer));
    hashes->weights[id] = hash;
    hashes->weighed[id] = true;
}

/* Pushes what has to be known first. Returns whether there was anything. */
static bool push_missing(const cnx_hashes *hashes, pending *stack, uint32_t id)
{
    if (id == CNX_NONE || hashes->weighed[id])
        return false;
    CNX_PUSH(stack->arena, stack->values, stack->count, stack->capacity, id);
    return true;
}

static bool push_inputs(const cnx_hashes *hashes, pending *stack, const cnx_node *node)
{
    bool missing = false;
    for (uint32_t slot = 0; slot < node->input_count; slot++)
        missing = push_missing(hashes, stack, node->inputs[slot]) || missing;
    for (uint32_t i = 0; i < node->subgraph_count; i++) {
        const cnx_graph *nested = node->subgraphs[i].graph;
        for (uint32_t v = 0; v < nested->value_count; v++)
            missing = push_missing(hashes, stack, nested->values[v].captured_from) || missing;
    }
    return missing;
}

static void weigh_node(cnx_hashes *hashes, const cnx_node *node)
{
    uint64_t few[16];
    uint64_t *words =
        node->input_count <= 16 ? few : CNX_NEW_ARRAY(hashes->arena, uint64_t, node->input_count);
    for (uint32_t slot = 0; slot < node->input_count; slot++)
        words[slot] = node->inputs[slot] == CNX_NONE ? KIND_OMITTED : hashes->weights[node->inputs[slot]];
    uint64_t hash = mix_all(KIND_NODE, words, node->input_count, cnx_node_commutes(node));
    for (uint32_t i = 0; i < node->subgraph_count; i++) {
        const cnx_graph *nested = node->subgraphs[i].graph;
        uint64_t sum = weights_inside(nested);
        for (uint32_t v = 0; v < nested->value_count; v++)
            if (nested->values[v].captured_from != CNX_NONE)
                sum += mix(KIND_NODE, hashes->weights[nested->values[v].captured_from]);
        hash = mix(hash, sum);
    }
    for (uint32_t slot = 0; slot < node->output_count; slot++) {
        uint32_t id = node->outputs[slot];
        if (id == CNX_NONE)
            continue;
        hashes->weights[id] = mix(hashes->structure[id], hash);
        hashes->weighed[id] = true;
    }
}

uint64_t cnx_hash_weights(cnx_hashes *hashes, uint32_t value)
{
    const cnx_graph *graph = hashes->graph;
    if (hashes->weights == NULL) {
        hashes->weights = CNX_NEW_ARRAY(hashes->arena, uint64_t, graph->value_count);
        hashes->weighed = CNX_NEW_ARRAY(hashes->arena, bool, graph->value_count);
    }
    pending stack = {.arena = cnx_arena_create(hashes->arena)};
    push_missing(hashes, &stack, value);
    while (stack.count != 0) {
        uint32_t id = stack.values[stack.count - 1];
        uint32_t producer = graph->values[id].producer;
        if (hashes->weighed[id])
            stack.count--;
        else if (producer == CNX_NONE)
            weigh_leaf(hashes, id);
        else if (!push_inputs(hashes, &stack, &graph->nodes[producer]))
            weigh_node(hashes, &graph->nodes[producer]);
    }
    cnx_arena_destroy(stack.arena);
    return hashes->weights[value];
}
