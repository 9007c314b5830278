/* An omitted optional input or output can be spelled in two ways: left out, or given as an empty name. And an
 * optional output that nobody reads is as good as omitted. Here all become: left out where only omitted ones
 * follow, empty otherwise. */
#include "rewrite/pass.h"
#include "rewrite/trace.h"

typedef struct optional_outputs {
    const char *op_type;
    int64_t since;
    uint32_t mask;
} optional_outputs;

static const optional_outputs table[] = {
#define OPTIONAL_OUTPUTS(operator, since, mask) {operator, since, mask},
#include "rewrite/passes/optional_outputs.def"
#undef OPTIONAL_OUTPUTS
};

static uint32_t optional_mask(const cnx_node *node)
{
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        if (node->opset >= table[i].since && cnx_node_is(node, table[i].op_type))
            return table[i].mask;
    return 0;
}

static size_t trim_outputs(const cnx_graph *graph, cnx_node *node)
{
    uint32_t mask = optional_mask(node);
    size_t changed = 0;
    for (uint32_t slot = 0; mask != 0 && slot < node->output_count && slot < 32; slot++) {
        if ((mask >> slot & 1) == 0 || node->outputs[slot] == CNX_NONE)
            continue;
        const cnx_value *value = &graph->values[node->outputs[slot]];
        if (value->use_count != 0 || value->is_output)
            continue;
        node->outputs[slot] = CNX_NONE;
        changed++;
    }
    while (mask != 0 && node->output_count > 1 && node->outputs[node->output_count - 1] == CNX_NONE) {
        node->output_count--;
        changed++;
    }
    return changed;
}

static size_t trim_inputs(cnx_node *node)
{
    uint32_t before = node->input_count;
    while (node->input_count != 0 && node->inputs[node->input_count - 1] == CNX_NONE)
        node->input_count--;
    return before - node->input_count;
}

size_t cnx_pass_optionals(cnx_rewrite *rewrite)
{
    size_t changed = 0;
    size_t count;
    cnx_graph **graphs = cnx_rewrite_graphs(rewrite, &count);
    for (size_t i = 0; i < count; i++) {
        cnx_graph *graph = graphs[i];
        for (uint32_t k = 0; k < graph->order_count; k++) {
            cnx_node *node = &graph->nodes[graph->order[k]];
            size_t cut = trim_inputs(node) + trim_outputs(graph, node);
            if (cut != 0)
                cnx_explain_node(rewrite, graph, node, "%zu empty or unused slots cut", cut);
            changed += cut;
        }
    }
    return changed;
}
