/* Drops what tools attach: key-value metadata at every level, quantization annotations, training graphs and
 * plans for several devices. None of it takes part in an evaluation; each is mentioned in the report. */
#include "rewrite/metadata.h"
#include "rewrite/trace.h"

typedef struct tally {
    bool keep;
    size_t metadata;
    size_t annotations;
    size_t plans;
} tally;

static void drop_metadata(void *state, size_t *entries)
{
    tally *now = state;
    now->metadata += *entries;
    if (!now->keep)
        *entries = 0;
}

static void drop_from_graph(tally *now, const cnx_graph *graph)
{
    for (uint32_t i = 0; i < graph->order_count; i++) {
        Onnx__NodeProto *node = graph->nodes[graph->order[i]].proto;
        now->plans += node->n_device_configurations;
        node->n_device_configurations = 0;
    }
    if (graph->function != NULL)
        return;
    now->annotations += graph->proto->n_quantization_annotation;
    graph->proto->n_quantization_annotation = 0;
}

static void tell(cnx_rewrite *rewrite, const tally *now, size_t training)
{
    if (now->metadata != 0 && !now->keep)
        cnx_rewrite_note(rewrite, "metadata dropped: %zu entries (--keep-metadata keeps them)",
                         now->metadata);
    if (now->annotations != 0)
        cnx_rewrite_note(rewrite, "quantization annotations dropped: %zu", now->annotations);
    if (now->plans != 0)
        cnx_rewrite_note(rewrite, "device configurations dropped: %zu", now->plans);
    if (training != 0)
        cnx_rewrite_note(rewrite, "training information dropped: %zu graphs", training);
}

size_t cnx_pass_metadata(cnx_rewrite *rewrite)
{
    cnx_model *model = rewrite->model;
    Onnx__ModelProto *proto = model->proto;
    tally now = {.keep = rewrite->keep_metadata};
    size_t embedded = cnx_metadata_find(model, CNX_HASH_KEY) != NULL; /* nobody misses it */
    cnx_metadata_visit(model, drop_metadata, &now);
    now.plans += proto->n_configuration;
    proto->n_configuration = 0;
    size_t training = proto->n_training_info;
    proto->n_training_info = 0;

    size_t count;
    cnx_graph **graphs = cnx_rewrite_graphs(rewrite, &count);
    for (size_t i = 0; i < count; i++)
        drop_from_graph(&now, graphs[i]);
    now.metadata -= embedded;
    tell(rewrite, &now, training);
    if (now.metadata != 0 && !now.keep)
        cnx_explain(rewrite, "%zu entries of metadata", now.metadata);
    return (now.keep ? 0 : now.metadata + embedded) + now.annotations + now.plans + training;
}
