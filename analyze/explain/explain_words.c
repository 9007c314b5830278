/* What nodes do to axes, in a few words each. */
#include "analyze/explain/explain_internal.h"

typedef struct phrase {
    const char *through; /* from an input to an output, or back */
    const char *across;  /* between two inputs */
    const char *weight;  /* between any input but the first and an output */
} phrase;

static const phrase phrases[] = {
#define PHRASE(class, through, across, weight) [CNX_OP_##class] = {through, across, weight},
#include "analyze/explain/explain_phrases.def"
#undef PHRASE
};

const char *cnx_sighting_name(cnx_arena *arena, const cnx_map *map, const cnx_sighting *sighting)
{
    if (sighting == NULL)
        return NULL;
    return cnx_print(arena, "%s:%u", cnx_map_value(map, sighting->value)->name, sighting->axis);
}

const char *cnx_node_surroundings(cnx_arena *arena, const cnx_map *map, uint32_t node)
{
    const cnx_walk *walk = cnx_map_walk_of_node(map, node);
    const char *text = "";
    while (walk->caller != CNX_NONE) {
        const cnx_walk *outside = cnx_map_walk_of_node(map, walk->caller);
        const cnx_node *caller = cnx_map_node(map, walk->caller);
        const char *what = "function";
        for (uint32_t g = 0; g < caller->subgraph_count; g++)
            if (caller->subgraphs[g].graph == walk->graph)
                what = caller->subgraphs[g].attribute->name;
        text = cnx_print(arena, "%s%s%s of %s %s", text, text[0] != '\0' ? ", in " : "", what,
                         caller->op_type, cnx_node_label(outside->graph, caller));
        walk = outside;
    }
    return text;
}

/* Which input a value is to a node: input_count when it is none. */
static uint32_t slot_of(const cnx_map *map, uint32_t number, const cnx_sighting *sighting)
{
    const cnx_walk *walk = cnx_map_walk_of_node(map, number);
    const cnx_node *node = cnx_map_node(map, number);
    uint32_t index = (uint32_t)(walk - map->analysis->walks), slot = 0;
    while (slot < node->input_count &&
           (node->inputs[slot] == CNX_NONE ||
            cnx_map_number(map->analysis, index, node->inputs[slot]) != sighting->value))
        slot++;
    return slot;
}

static const char *base_words(const cnx_map *map, const cnx_passage *passage)
{
    const cnx_node *node = cnx_map_node(map, passage->node);
    const cnx_operator *op = cnx_operator_find(node->domain, node->op_type, node->opset);
    if (node->function != NULL)
        return "calls the function";
    const phrase *words = &phrases[op != NULL ? op->class : CNX_OP_OTHER];
    if (passage->from == NULL || passage->to == NULL)
        return words->through;
    uint32_t from = slot_of(map, passage->node, passage->from), to = slot_of(map, passage->node, passage->to);
    bool is_input = from < node->input_count, to_input = to < node->input_count;
    if (is_input && to_input)
        return from == 0 || to == 0 ? words->across : words->weight;
    return (is_input && from > 0) || (to_input && to > 0) ? words->weight : words->through;
}

const char *cnx_passage_words(cnx_arena *arena, const cnx_map *map, const cnx_passage *passage)
{
    const char *words = base_words(map, passage);
    if (passage->same_content)
        return cnx_print(arena, "%s (blocks that hold the same)", words);
    if (passage->block_size > 0)
        return cnx_print(arena, passage->into_block ? "%s (into a block of %u)" : "%s (out of a block of %u)",
                         words, passage->block_size);
    if (passage->copies > 0)
        return cnx_print(arena, passage->one_of_copies ? "%s (%u to 1)" : "%s (1 to %u)", words,
                         passage->copies);
    return words;
}
