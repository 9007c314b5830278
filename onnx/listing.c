#include "onnx/listing.h"

static const char *graph_name(const cnx_graph *graph)
{
    return graph->proto == NULL || graph->proto->name == NULL ? "" : graph->proto->name;
}

static void list_nodes(cnx_arena *arena, cnx_listing *listing)
{
    const cnx_graph *graph = listing->graph;
    listing->nodes = CNX_NEW_ARRAY(arena, uint32_t, graph->node_count);
    listing->labels = CNX_NEW_ARRAY(arena, const char *, graph->node_count);
    listing->inputs = CNX_NEW_ARRAY(arena, uint32_t *, graph->node_count);
    for (uint32_t id = 0; id < graph->node_count; id++) {
        const cnx_node *node = &graph->nodes[id];
        if (node->dead)
            continue;
        const char *name = node->proto->name;
        listing->nodes[listing->node_count++] = id;
        listing->labels[id] = name == NULL || name[0] == '\0' ? NULL : name;
        listing->inputs[id] = node->inputs;
    }
}

static void add(cnx_listings *listings, cnx_graph *graph)
{
    cnx_arena *arena = listings->arena;
    cnx_listing *listing = CNX_NEW(arena, cnx_listing);
    *listing = (cnx_listing){.graph = graph, .name = graph_name(graph), .initializers = graph->initializers};
    list_nodes(arena, listing);
    listing->values = CNX_NEW_ARRAY(arena, const char *, graph->value_count);
    for (uint32_t i = 0; i < graph->value_count; i++)
        listing->values[i] = graph->values[i].name;
    cnx_intern_add(&listings->graphs, &graph, sizeof graph);
    CNX_PUSH(arena, listings->items, listings->count, listings->capacity, listing);
    for (uint32_t i = 0; i < listing->node_count; i++) {
        const cnx_node *node = &graph->nodes[listing->nodes[i]];
        for (uint32_t k = 0; k < node->subgraph_count; k++)
            add(listings, node->subgraphs[k].graph);
    }
}

cnx_listings *cnx_listings_create(cnx_arena *arena, cnx_model *model)
{
    cnx_listings *listings = CNX_NEW(arena, cnx_listings);
    listings->arena = arena;
    cnx_intern_init(&listings->graphs, arena);
    add(listings, model->graph);
    for (uint32_t i = 0; i < model->function_count; i++)
        add(listings, model->functions[i]);
    return listings;
}

cnx_listing *cnx_listing_of(const cnx_listings *listings, const cnx_graph *graph)
{
    return listings->items[cnx_intern_find(&listings->graphs, &graph, sizeof graph)];
}
