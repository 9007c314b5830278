/* Initializers of equal type, dims and contents become one: the one that is used first.
 *
 * Weights are large and mostly different, so they are told apart by as few bytes as possible. Tensors of one
 * type and shape form a range; a range is sorted by the first bytes, falls into smaller ranges of equal
 * bytes, and only those are read on. What nobody shares a prefix with is never looked at again, and
 * nothing is read twice.
 *
 * Graph inputs (defaults) and outputs are interface and stay apart. Metadata (when it is kept) keeps nothing
 * apart, so that the graph does not depend on it: that of the first stays. */
#include "analyze/parameters.h"
#include "rewrite/edit.h"
#include "rewrite/permute.h"
#include "rewrite/trace.h"

#include <stdlib.h>

enum {
    FIRST_BLOCK = 64, /* bytes that tell most tensors apart */
    LARGEST_BLOCK = 1 << 20,
    BUFFER = 16 << 20, /* for blocks of permuted tensors of one range */
};

typedef struct item {
    cnx_tensor *tensor;
    uint32_t value;
    const uint8_t *block;
    size_t block_size;
} item;

typedef struct range {
    size_t begin;
    size_t end;
    uint64_t offset; /* bytes before it are known to be equal */
} range;

typedef struct merger {
    cnx_rewrite *rewrite;
    cnx_graph *graph;
    cnx_model *model;
    cnx_arena *arena;
    size_t count, capacity;
    item *items;
    size_t range_count, range_capacity;
    range *ranges;    /* to do */
    uint32_t *merged; /* by value: what it became */
    size_t changed;
} merger;

/* ---- candidates ---- */

static bool is_candidate(const cnx_rewrite *rewrite, const cnx_graph *graph, uint32_t id)
{
    const cnx_value *value = &graph->values[id];
    const cnx_tensor *tensor = value->initializer;
    return tensor != NULL && !value->is_input && !value->is_output &&
           tensor->proto->base.n_unknown_fields == 0 &&
           !(rewrite->keep_copies && cnx_is_parameter(graph, id));
}

static int compare_shapes(const item *left, const item *right)
{
    const cnx_tensor *a = left->tensor;
    const cnx_tensor *b = right->tensor;
    if (a->type != b->type)
        return a->type < b->type ? -1 : 1;
    if (a->rank != b->rank)
        return a->rank < b->rank ? -1 : 1;
    for (uint32_t i = 0; i < a->rank; i++)
        if (a->dims[i] != b->dims[i])
            return a->dims[i] < b->dims[i] ? -1 : 1;
    return 0;
}

static int by_value(const item *a, const item *b)
{
    return a->value < b->value ? -1 : a->value > b->value;
}

static int by_shape(const void *a, const void *b)
{
    int order = compare_shapes(a, b);
    return order != 0 ? order : by_value(a, b);
}

static int by_block(const void *a, const void *b)
{
    const item *left = a;
    const item *right = b;
    int order = memcmp(left->block, right->block, left->block_size);
    return order != 0 ? order : by_value(left, right);
}

static int compare_strings(const item *left, const item *right)
{
    const Onnx__TensorProto *a = left->tensor->proto;
    const Onnx__TensorProto *b = right->tensor->proto;
    for (size_t i = 0; i < a->n_string_data && i < b->n_string_data; i++) {
        ProtobufCBinaryData x = a->string_data[i];
        ProtobufCBinaryData y = b->string_data[i];
        if (x.len != y.len)
            return x.len < y.len ? -1 : 1;
        int order = x.len == 0 ? 0 : memcmp(x.data, y.data, x.len);
        if (order != 0)
            return order;
    }
    return 0;
}

static int by_strings(const void *a, const void *b)
{
    int order = compare_strings(a, b);
    return order != 0 ? order : by_value(a, b);
}

/* ---- ranges ---- */

static void add_range(merger *work, size_t begin, size_t end, uint64_t offset)
{
    range next = {begin, end, offset};
    if (end - begin > 1)
        CNX_PUSH(work->arena, work->ranges, work->range_count, work->range_capacity, next);
}

static void merge_range(merger *work, size_t begin, size_t end)
{
    uint32_t first = work->items[begin].value;
    for (size_t i = begin; i < end; i++)
        first = work->items[i].value < first ? work->items[i].value : first;
    for (size_t i = begin; i < end; i++) {
        uint32_t value = work->items[i].value;
        work->merged[value] = first;
        if (value != first)
            cnx_explain(work->rewrite, "initializer \"%s\" equals \"%s\"", work->graph->values[value].name,
                        work->graph->values[first].name);
        cnx_trace_join(work->rewrite, work->graph, first, value);
    }
    work->changed += end - begin - 1;
    cnx_rewrite_note_sharing(work->rewrite, work->items[begin].tensor);
}

/* Points every item of the range at its next block; permuted ones are produced in `buffer`. */
static void read_blocks(const merger *work, range now, size_t size, uint8_t *buffer)
{
    for (size_t i = now.begin; i < now.end; i++) {
        item *one = &work->items[i];
        one->block_size = size;
        if (one->tensor->permutation == NULL) {
            one->block = cnx_tensor_bytes(work->model, one->tensor) + now.offset;
            continue;
        }
        uint8_t *out = buffer + (i - now.begin) * size;
        cnx_tensor_read(work->model, one->tensor, now.offset, out, size);
        one->block = out;
    }
}

static bool has_permuted(const merger *work, range now)
{
    for (size_t i = now.begin; i < now.end; i++)
        if (work->items[i].tensor->permutation != NULL)
            return true;
    return false;
}

static size_t block_size(range now, uint64_t left)
{
    size_t count = now.end - now.begin;
    uint64_t size = now.offset == 0 ? FIRST_BLOCK : LARGEST_BLOCK;
    if (size > BUFFER / count)
        size = BUFFER / count > FIRST_BLOCK ? BUFFER / count : FIRST_BLOCK;
    return (size_t)(size < left ? size : left);
}

/* Sorts the range by its next block; runs of equal blocks are ranges of their own. */
static void split_range(merger *work, range now)
{
    item *items = &work->items[now.begin];
    size_t count = now.end - now.begin;
    uint64_t left = items[0].tensor->size - now.offset;
    if (left == 0) {
        merge_range(work, now.begin, now.end);
        return;
    }
    size_t size = block_size(now, left);
    cnx_arena *scratch = cnx_arena_create(work->arena);
    read_blocks(work, now, size, has_permuted(work, now) ? cnx_alloc(scratch, count * size) : NULL);
    qsort(items, count, sizeof *items, by_block);
    for (size_t begin = 0, end; begin < count; begin = end) {
        for (end = begin + 1; end < count && memcmp(items[begin].block, items[end].block, size) == 0;)
            end++;
        add_range(work, now.begin + begin, now.begin + end, now.offset + size);
    }
    cnx_arena_destroy(scratch);
}

/* Strings have no packed form; there are never many. */
static void split_strings(merger *work, range now)
{
    qsort(&work->items[now.begin], now.end - now.begin, sizeof(item), by_strings);
    for (size_t begin = now.begin, end; begin < now.end; begin = end) {
        for (end = begin + 1; end < now.end && compare_strings(&work->items[begin], &work->items[end]) == 0;)
            end++;
        if (end - begin > 1)
            merge_range(work, begin, end);
    }
}

/* ---- a graph ---- */

static uint32_t merged_into(const merger *work, uint32_t value)
{
    return value == CNX_NONE ? CNX_NONE : work->merged[value];
}

static void redirect_uses(const merger *work, const cnx_graph *graph)
{
    for (uint32_t i = 0; i < graph->order_count; i++) {
        const cnx_node *node = &graph->nodes[graph->order[i]];
        for (uint32_t slot = 0; slot < node->input_count; slot++)
            node->inputs[slot] = merged_into(work, node->inputs[slot]);
        for (uint32_t k = 0; k < node->subgraph_count; k++)
            cnx_edit_captures(work->arena, node->subgraphs[k].graph, work->merged);
    }
    for (uint32_t i = 0; i < graph->value_count; i++)
        if (work->merged[i] != i)
            graph->values[i].initializer = NULL;
}

static size_t merge_graph(cnx_rewrite *rewrite, cnx_graph *graph)
{
    merger work = {
        .rewrite = rewrite, .graph = graph, .model = graph->model, .arena = cnx_arena_create(rewrite->arena)};
    work.merged = CNX_NEW_ARRAY(work.arena, uint32_t, graph->value_count);
    for (uint32_t i = 0; i < graph->value_count; i++) {
        work.merged[i] = i;
        item candidate = {.tensor = graph->values[i].initializer, .value = i};
        if (is_candidate(rewrite, graph, i))
            CNX_PUSH(work.arena, work.items, work.count, work.capacity, candidate);
    }
    if (work.count > 1)
        qsort(work.items, work.count, sizeof *work.items, by_shape);
    for (size_t begin = 0, end; begin < work.count; begin = end) {
        for (end = begin + 1; end < work.count && compare_shapes(&work.items[begin], &work.items[end]) == 0;)
            end++;
        add_range(&work, begin, end, 0);
    }
    while (work.range_count != 0) {
        range next = work.ranges[--work.range_count];
        if (work.items[next.begin].tensor->type == CNX_TYPE_STRING)
            split_strings(&work, next);
        else
            split_range(&work, next);
    }
    if (work.changed != 0)
        redirect_uses(&work, graph);
    cnx_arena_destroy(work.arena);
    return work.changed;
}

size_t cnx_pass_merge(cnx_rewrite *rewrite)
{
    size_t changed = 0;
    size_t count;
    cnx_graph **graphs = cnx_rewrite_graphs(rewrite, &count);
    for (size_t i = 0; i < count; i++)
        changed += merge_graph(rewrite, graphs[i]);
    return changed;
}
