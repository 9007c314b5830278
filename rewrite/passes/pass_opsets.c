/* Operator sets that no node uses say nothing. The default domain stays, used or not: readers ask for it. Its
 * name has two spellings, "" and "ai.onnx"; absent is the one that is written. */
#include "rewrite/pass.h"
#include "rewrite/trace.h"

#include <stdlib.h>

typedef Onnx__OperatorSetIdProto opset_proto;

static const char *text_of(const char *text)
{
    return text != NULL ? text : "";
}

static size_t clean_domain(char **domain)
{
    if (*domain == NULL || (**domain != '\0' && strcmp(*domain, "ai.onnx") != 0))
        return 0;
    *domain = NULL;
    return 1;
}

static void collect_domains(cnx_intern *used, const cnx_graph *graph, size_t *changed)
{
    for (uint32_t i = 0; i < graph->order_count; i++) {
        const cnx_node *node = &graph->nodes[graph->order[i]];
        cnx_intern_add(used, node->domain, strlen(node->domain));
        *changed += clean_domain(&node->proto->domain);
        for (uint32_t k = 0; k < node->subgraph_count; k++)
            collect_domains(used, node->subgraphs[k].graph, changed);
    }
}

static int compare(const void *a, const void *b)
{
    const opset_proto *left = *(opset_proto *const *)a;
    const opset_proto *right = *(opset_proto *const *)b;
    int order = strcmp(text_of(left->domain), text_of(right->domain));
    return order != 0 ? order : (left->version > right->version) - (left->version < right->version);
}

static bool imports_domain(opset_proto *const *imports, size_t count, const char *domain)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(text_of(imports[i]->domain), domain) == 0)
            return true;
    return false;
}

/* Sorts imports and drops those that are not in `used`. */
static size_t clean_imports(cnx_rewrite *rewrite, const cnx_intern *used, opset_proto **imports,
                            size_t *count)
{
    size_t changed = 0;
    size_t kept = 0;
    for (size_t i = 0; i < *count; i++) {
        changed += clean_domain(&imports[i]->domain);
        const char *domain = text_of(imports[i]->domain);
        if (domain[0] == '\0' || cnx_intern_find(used, domain, strlen(domain)) != CNX_NONE)
            imports[kept++] = imports[i];
        else
            cnx_explain(rewrite, "operator set %s %lld is not used", domain, (long long)imports[i]->version);
    }
    for (size_t i = 1; i < kept; i++)
        changed += compare(&imports[i - 1], &imports[i]) > 0;
    if (kept > 1)
        qsort(imports, kept, sizeof(opset_proto *), compare);
    size_t unique = 0;
    for (size_t i = 0; i < kept; i++)
        if (unique == 0 || compare(&imports[unique - 1], &imports[i]) != 0)
            imports[unique++] = imports[i];
    changed += *count - unique;
    *count = unique;
    return changed;
}

/* A function may use a domain that only the model imports; such a domain goes to `model_used`. */
static size_t clean_function(cnx_rewrite *rewrite, const cnx_graph *graph, cnx_intern *model_used)
{
    Onnx__FunctionProto *function = graph->function;
    size_t changed = clean_domain(&function->domain);
    cnx_intern used;
    cnx_intern_init(&used, rewrite->arena);
    collect_domains(&used, graph, &changed);
    changed += clean_imports(rewrite, &used, function->opset_import, &function->n_opset_import);
    for (uint32_t i = 0; i < used.count; i++) {
        size_t size;
        const char *domain = cnx_intern_bytes(&used, i, &size);
        if (!imports_domain(function->opset_import, function->n_opset_import, domain))
            cnx_intern_add(model_used, domain, size);
    }
    return changed;
}

size_t cnx_pass_opsets(cnx_rewrite *rewrite)
{
    cnx_model *model = rewrite->model;
    size_t changed = 0;
    cnx_intern used;
    cnx_intern_init(&used, rewrite->arena);
    collect_domains(&used, model->graph, &changed);
    for (uint32_t i = 0; i < model->function_count; i++)
        changed += clean_function(rewrite, model->functions[i], &used);
    return changed + clean_imports(rewrite, &used, model->proto->opset_import, &model->proto->n_opset_import);
}
