/* Opt-in, rounds: a BatchNormalization behind a Conv, ConvTranspose or Gemm becomes part of its weights. With
 *
 *     y = W x + b,    z = scale (y - mean) / sqrt(variance + epsilon) + B
 *
 * and factor = scale / sqrt(variance + epsilon), one number a channel,
 *
 *     z = (factor W) x + (factor (b - mean) + B).
 *
 * New weights are computed in double and rounded once. It is done when all of these are constants that nobody
 * can replace, of one type, float or double; when nobody else reads y; in inference; and when no new weight
 * overflows. The new tensors are held in memory, unlike anything else that canon writes. */
#include "onnx/element.h"
#include "rewrite/edit.h"
#include "rewrite/trace.h"

#include <math.h>

enum { SCALE = 1, BIAS, MEAN, VARIANCE };

/* A BatchNormalization and the linear node it goes into. */
typedef struct fold {
    uint32_t node;
    uint32_t linear;
} fold;

/* Where in the weights a channel is: along `axis`, and, for a ConvTranspose, in one of `groups` along axis 0.
 */
typedef struct layout {
    uint32_t axis;
    uint64_t groups;
    uint64_t channels;
} layout;

/* ---- what can be folded ---- */

static bool find_layout(const cnx_graph *graph, const cnx_node *linear, const cnx_tensor *weights,
                        layout *out)
{
    *out = (layout){.groups = 1};
    if (cnx_node_is(linear, "Gemm") && weights->rank == 2) {
        out->axis = cnx_attribute_int(graph, linear, "transB", 0) != 0 ? 0 : 1;
    } else if (cnx_node_is(linear, "ConvTranspose") && weights->rank >= 3) {
        int64_t groups = cnx_attribute_int(graph, linear, "group", 1);
        if (groups < 1 || weights->dims[0] % groups != 0)
            return false;
        out->axis = 1;
        out->groups = (uint64_t)groups;
    } else if (!cnx_node_is(linear, "Conv") || weights->rank < 3) {
        return false;
    }
    out->channels = out->groups * (uint64_t)weights->dims[out->axis];
    return out->channels != 0 && weights->count != 0;
}

/* A bias that is one number, or one a channel and nothing else. */
static bool is_bias(const cnx_tensor *bias, uint64_t channels)
{
    for (uint32_t i = 0; i + 1 < bias->rank; i++)
        if (bias->dims[i] != 1)
            return false;
    return bias->count == channels || (bias->count == 1 && bias->rank <= 2);
}

static bool is_inference(const cnx_graph *graph, const cnx_node *node)
{
    return node->opset >= 7 && node->input_count == 5 && node->output_count == 1 &&
           node->outputs[0] != CNX_NONE && cnx_attribute_int(graph, node, "training_mode", 0) == 0 &&
           cnx_attribute_int(graph, node, "spatial", 1) == 1;
}

static bool has_parameters(const cnx_graph *graph, const cnx_node *node, int32_t type, uint64_t channels)
{
    for (uint32_t slot = SCALE; slot <= VARIANCE; slot++) {
        const cnx_tensor *tensor = cnx_node_constant(graph, node, slot);
        if (tensor == NULL || tensor->type != type || tensor->rank != 1 || tensor->count != channels)
            return false;
    }
    return true;
}

static bool can_fold(const cnx_graph *graph, uint32_t id, fold *found)
{
    const cnx_node *node = &graph->nodes[id];
    if (!cnx_node_is(node, "BatchNormalization") || !is_inference(graph, node) || node->inputs[0] == CNX_NONE)
        return false;
    const cnx_value *between = &graph->values[node->inputs[0]];
    if (between->producer == CNX_NONE || between->is_output || between->use_count != 1)
        return false;
    const cnx_node *linear = &graph->nodes[between->producer];
    const cnx_tensor *weights = linear->input_count >= 2 ? cnx_node_constant(graph, linear, 1) : NULL;
    layout place;
    if (weights == NULL || (weights->type != CNX_TYPE_FLOAT && weights->type != CNX_TYPE_DOUBLE) ||
        linear->opset < 7 || !find_layout(graph, linear, weights, &place) ||
        !has_parameters(graph, node, weights->type, place.channels))
        return false;
    if (linear->input_count > 2 && linear->inputs[2] != CNX_NONE) {
        const cnx_tensor *bias = cnx_node_constant(graph, linear, 2);
        if (bias == NULL || bias->type != weights->type || !is_bias(bias, place.channels))
            return false;
    }
    *found = (fold){id, between->producer};
    return true;
}

/* ---- new weights ---- */

static void put_number(uint8_t *out, int32_t type, uint64_t index, double number, bool *finite)
{
    *finite = *finite && isfinite(type == CNX_TYPE_FLOAT ? (double)(float)number : number);
    cnx_element_write(type, out, index, number);
}

/* The channel that element `index` of the weights belongs to. */
static uint64_t channel_of(const cnx_tensor *weights, const layout *place, uint64_t index)
{
    uint64_t behind = 1; /* elements behind one position of the axis */
    for (uint32_t k = place->axis + 1; k < weights->rank; k++)
        behind *= (uint64_t)weights->dims[k];
    uint64_t channel = index / behind % (uint64_t)weights->dims[place->axis];
    if (place->groups == 1)
        return channel;
    uint64_t row = index / behind / (uint64_t)weights->dims[1];
    return row / ((uint64_t)weights->dims[0] / place->groups) * (uint64_t)weights->dims[1] + channel;
}

static cnx_tensor *scaled_weights(cnx_model *model, cnx_tensor *weights, const layout *place,
                                  const double *factor)
{
    uint8_t *bytes = cnx_alloc(model->arena, weights->size);
    bool finite = true;
    for (uint64_t i = 0; i < weights->count; i++)
        put_number(bytes, weights->type, i,
                   cnx_tensor_float(model, weights, i) * factor[channel_of(weights, place, i)], &finite);
    return finite ? cnx_tensor_make(model, weights->type, weights->rank, weights->dims, bytes) : NULL;
}

/* fma rounds once on every machine; a product and a sum might be fused or not. */
static cnx_tensor *shifted_bias(const cnx_graph *graph, const cnx_node *linear, const cnx_node *node,
                                const layout *place, const double *factor)
{
    cnx_model *model = graph->model;
    cnx_tensor *old = linear->input_count > 2 ? cnx_node_constant(graph, linear, 2) : NULL;
    cnx_tensor *mean = cnx_node_constant(graph, node, MEAN), *shift = cnx_node_constant(graph, node, BIAS);
    double beta = cnx_node_is(linear, "Gemm") ? cnx_attribute_float(graph, linear, "beta", 1) : 1;
    uint8_t *bytes = cnx_alloc(model->arena, shift->size);
    bool finite = true;
    for (uint64_t c = 0; c < place->channels; c++) {
        double bias = old == NULL ? 0 : beta * cnx_tensor_float(model, old, old->count == 1 ? 0 : c);
        double centred = bias - cnx_tensor_float(model, mean, c);
        put_number(bytes, shift->type, c, fma(centred, factor[c], cnx_tensor_float(model, shift, c)),
                   &finite);
    }
    return finite ? cnx_tensor_make(model, shift->type, 1, shift->dims, bytes) : NULL;
}

static bool find_factors(const cnx_graph *graph, const cnx_node *node, uint64_t channels, double *factor)
{
    double epsilon = cnx_attribute_float(graph, node, "epsilon", (double)1e-5f);
    cnx_tensor *scale = cnx_node_constant(graph, node, SCALE),
               *variance = cnx_node_constant(graph, node, VARIANCE);
    for (uint64_t c = 0; c < channels; c++) {
        factor[c] = cnx_tensor_float(graph->model, scale, c) /
                    sqrt(cnx_tensor_float(graph->model, variance, c) + epsilon);
        if (!isfinite(factor[c]))
            return false;
    }
    return true;
}

/* ---- the graph ---- */

static uint32_t add_initializer(cnx_graph *graph, const char *like, cnx_tensor *tensor)
{
    uint32_t id = cnx_graph_add_value(graph, cnx_print(graph->model->arena, "%s_folded", like));
    graph->values[id].initializer = tensor;
    return id;
}

static void drop_attribute(cnx_node *node, const char *name)
{
    size_t kept = 0;
    for (size_t i = 0; i < node->proto->n_attribute; i++)
        if (strcmp(node->proto->attribute[i]->name, name) != 0)
            node->proto->attribute[kept++] = node->proto->attribute[i];
    node->proto->n_attribute = kept;
}

/* Gives the linear node its new weights. Nothing changes when a number would not be finite. */
static bool apply_fold(cnx_rewrite *rewrite, cnx_graph *graph, const fold *one)
{
    cnx_node *linear = &graph->nodes[one->linear];
    const cnx_node *node = &graph->nodes[one->node];
    cnx_arena *scratch = cnx_arena_create(rewrite->arena);
    cnx_tensor *weights = cnx_node_constant(graph, linear, 1);
    layout place;
    find_layout(graph, linear, weights, &place);
    double *factor = CNX_NEW_ARRAY(scratch, double, place.channels);
    cnx_tensor *scaled = NULL, *bias = NULL;
    if (find_factors(graph, node, place.channels, factor)) {
        scaled = scaled_weights(graph->model, weights, &place, factor);
        bias = shifted_bias(graph, linear, node, &place, factor);
    }
    cnx_arena_destroy(scratch);
    if (scaled == NULL || bias == NULL)
        return false;
    uint32_t *inputs = CNX_NEW_ARRAY(graph->model->arena, uint32_t, 3);
    inputs[0] = linear->inputs[0];
    inputs[1] = add_initializer(graph, graph->values[linear->inputs[1]].name, scaled);
    inputs[2] = add_initializer(graph, graph->values[node->inputs[BIAS]].name, bias);
    linear->inputs = inputs;
    linear->input_count = 3;
    if (cnx_node_is(linear, "Gemm"))
        drop_attribute(linear, "beta");
    cnx_explain_node(rewrite, graph, node, "folded into %s", cnx_node_place(graph, linear));
    cnx_trace_join_nodes(rewrite, linear, node);
    return true;
}

static size_t fold_graph(cnx_rewrite *rewrite, cnx_graph *graph)
{
    cnx_arena *scratch = cnx_arena_create(rewrite->arena);
    size_t count = 0, capacity = 0;
    uint32_t *folded = NULL;
    for (uint32_t i = 0; i < graph->order_count; i++) {
        fold one;
        if (can_fold(graph, graph->order[i], &one) && apply_fold(rewrite, graph, &one))
            CNX_PUSH(scratch, folded, count, capacity, one.node);
    }
    cnx_edits *edits = cnx_edits_begin(rewrite, graph);
    for (size_t i = 0; i < count; i++)
        cnx_edit_forward(edits, folded[i], graph->nodes[folded[i]].inputs[0]);
    size_t changed = cnx_edits_apply(edits);
    cnx_arena_destroy(scratch);
    return changed;
}

size_t cnx_pass_fold_batch_normalization(cnx_rewrite *rewrite)
{
    size_t changed = 0;
    size_t count;
    cnx_graph **graphs = cnx_rewrite_graphs(rewrite, &count);
    for (size_t i = 0; i < count; i++)
        if (graphs[i]->function == NULL)
            changed += fold_graph(rewrite, graphs[i]);
    return changed;
}
