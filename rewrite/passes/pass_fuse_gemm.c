/* Opt-in, rounds: Add(MatMul(A, B), C) of matrices becomes Gemm(A, B, C). A runtime may add C before or after
 * it rounds the product, so results may differ in the last place.
 *
 * It is done when A and B have two axes, nobody else reads the product, and C, of at most two axes, does not
 * make the sum larger than the product: Gemm stretches C in one direction only. */
#include "analyze/analysis.h"
#include "rewrite/edit.h"
#include "rewrite/trace.h"

static bool is_matrix(const cnx_fact *fact)
{
    return fact->known && fact->rank == 2 &&
           (fact->type == CNX_TYPE_FLOAT || fact->type == CNX_TYPE_DOUBLE || fact->type == CNX_TYPE_FLOAT16);
}

/* Whether C, axis by axis from the last, has one position or as many as the product. */
static bool fits(const cnx_analysis *analysis, const cnx_fact *product, const cnx_fact *added)
{
    if (!added->known || added->rank > 2 || added->type != product->type)
        return false;
    for (uint32_t k = 1; k <= added->rank; k++) {
        cnx_dim extent = added->axes[added->rank - k].extent;
        if (extent != product->axes[2 - k].extent && !cnx_dim_equals(analysis->dims, extent, 1))
            return false;
    }
    return true;
}

/* The MatMul at `slot` of an Add that can become a Gemm with it, or NULL. */
static cnx_node *matching_product(const cnx_analysis *analysis, const cnx_graph *graph, const cnx_node *add,
                                  uint32_t slot)
{
    uint32_t id = add->inputs[slot], other = add->inputs[1 - slot];
    const cnx_value *value = &graph->values[id];
    if (value->producer == CNX_NONE || value->is_output || value->use_count != 1)
        return NULL;
    cnx_node *product = &graph->nodes[value->producer];
    if (!cnx_node_is(product, "MatMul") || product->input_count != 2 || product->inputs[0] == CNX_NONE ||
        product->inputs[1] == CNX_NONE)
        return NULL;
    const cnx_fact *facts = analysis->facts;
    bool matrices = is_matrix(&facts[product->inputs[0]]) && is_matrix(&facts[product->inputs[1]]) &&
                    is_matrix(&facts[id]) && facts[product->inputs[0]].type == facts[id].type &&
                    facts[product->inputs[1]].type == facts[id].type;
    return matrices && fits(analysis, &facts[id], &facts[other]) ? product : NULL;
}

static bool is_sum(const cnx_node *node)
{
    return cnx_node_is(node, "Add") && node->opset >= 9 && node->input_count == 2 &&
           node->inputs[0] != CNX_NONE && node->inputs[1] != CNX_NONE && node->proto->n_attribute == 0;
}

static void fuse(cnx_rewrite *rewrite, cnx_graph *graph, cnx_node *add, cnx_node *product, uint32_t slot)
{
    uint32_t *inputs = CNX_NEW_ARRAY(graph->model->arena, uint32_t, 3);
    inputs[0] = product->inputs[0];
    inputs[1] = product->inputs[1];
    inputs[2] = add->inputs[1 - slot];
    cnx_explain_node(rewrite, graph, add, "is one Gemm with %s", cnx_node_place(graph, product));
    cnx_trace_join_nodes(rewrite, add, product);
    product->dead = true;
    add->proto->op_type = (char *)(uintptr_t)cnx_copy_text(graph->model->arena, "Gemm");
    add->op_type = add->proto->op_type;
    add->inputs = inputs;
    add->input_count = 3;
}

size_t cnx_pass_fuse_gemm(cnx_rewrite *rewrite)
{
    cnx_graph *graph = rewrite->model->graph;
    size_t changed = 0;
    bool any = false;
    for (uint32_t i = 0; i < graph->order_count && !any; i++)
        any = cnx_node_is(&graph->nodes[graph->order[i]], "MatMul");
    const cnx_analysis *analysis = any ? cnx_rewrite_shapes(rewrite) : NULL;
    for (uint32_t i = 0; any && i < graph->order_count; i++) {
        cnx_node *add = &graph->nodes[graph->order[i]];
        for (uint32_t slot = 0; slot < 2 && is_sum(add); slot++) {
            cnx_node *product = matching_product(analysis, graph, add, slot);
            if (product == NULL)
                continue;
            fuse(rewrite, graph, add, product, slot);
            changed++;
        }
    }
    return changed;
}
