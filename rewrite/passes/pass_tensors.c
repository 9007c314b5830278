/* One form for every payload: raw_data, packed and little-endian, absent when there are no elements. Floats
 * and external data are only viewed; what a typed field held as varints is decoded. Strings have no such form
 * and stay. A sparse initializer is called after its values; the indices need no name. */
#include "rewrite/edit.h"
#include "rewrite/trace.h"

static size_t drop_names_of_indices(const cnx_graph *graph)
{
    size_t changed = 0;
    for (uint32_t i = 0; i < graph->value_count; i++) {
        const Onnx__SparseTensorProto *sparse = graph->values[i].sparse_initializer;
        if (sparse == NULL || sparse->indices == NULL || sparse->indices->name == NULL)
            continue;
        sparse->indices->name = NULL;
        changed++;
    }
    return changed;
}

size_t cnx_pass_tensors(cnx_rewrite *rewrite)
{
    size_t changed = 0;
    size_t count;
    cnx_graph **graphs = cnx_rewrite_graphs(rewrite, &count);
    for (size_t i = 0; i < count; i++)
        changed += drop_names_of_indices(graphs[i]);
    for (size_t i = 0; i < rewrite->model->tensor_count; i++) {
        cnx_tensor *tensor = rewrite->model->tensors[i];
        if (cnx_tensor_plain(rewrite->model, tensor) == 0)
            continue;
        cnx_explain(rewrite, "tensor \"%s\" is stored as raw data",
                    tensor->proto->name != NULL ? tensor->proto->name : "");
        changed++;
    }
    return changed;
}
