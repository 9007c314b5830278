/* Before IR version 4 every initializer had to be listed as a graph input too, and runtimes treat such
 * inputs as constants. From version 4 on an initializer that is also an input is a default value that a
 * caller may replace, so it stays what it is: a part of the interface.
 *
 * Models of version 3 are lifted to version 4, so that both spellings of a constant become one. Older ones
 * have no operator sets and are left alone. */
#include "rewrite/pass.h"
#include "rewrite/trace.h"

static size_t drop_defaults(cnx_rewrite *rewrite, cnx_graph *graph)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < graph->input_count; i++) {
        cnx_value *value = &graph->values[graph->inputs[i]];
        if (value->initializer != NULL || value->sparse_initializer != NULL) {
            cnx_explain(rewrite, "initializer \"%s\" is no longer listed as an input", value->name);
            value->is_input = false;
            continue;
        }
        graph->proto->input[kept] = graph->proto->input[i];
        graph->inputs[kept++] = graph->inputs[i];
    }
    size_t dropped = graph->input_count - kept;
    graph->input_count = kept;
    graph->proto->n_input = kept;
    return dropped;
}

/* An unnamed symbol and an unknown extent say the same. */
static size_t clean_shape(Onnx__TensorShapeProto *shape)
{
    size_t changed = 0;
    for (size_t i = 0; shape != NULL && i < shape->n_dim; i++) {
        Onnx__TensorShapeProto__Dimension *dim = shape->dim[i];
        bool symbol = dim->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM;
        if (symbol && dim->dim_param[0] == '\0') {
            dim->value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE__NOT_SET;
            changed++;
        }
        if (dim->denotation != NULL && dim->denotation[0] == '\0') {
            dim->denotation = NULL;
            changed++;
        }
    }
    return changed;
}

static size_t clean_port(Onnx__ValueInfoProto *info)
{
    if (info == NULL || info->type == NULL)
        return 0;
    if (info->type->denotation != NULL && info->type->denotation[0] == '\0')
        info->type->denotation = NULL;
    return info->type->value_case == ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE
               ? clean_shape(info->type->tensor_type->shape)
               : 0;
}

size_t cnx_pass_interface(cnx_rewrite *rewrite)
{
    cnx_model *model = rewrite->model;
    size_t changed = 0;
    if (model->proto->ir_version == 3) {
        size_t dropped = drop_defaults(rewrite, model->graph);
        model->proto->ir_version = 4;
        cnx_rewrite_note(rewrite,
                         "IR version raised from 3 to 4: %zu initializers are no longer listed as inputs",
                         dropped);
        changed += dropped + 1;
    }
    size_t count;
    cnx_graph **graphs = cnx_rewrite_graphs(rewrite, &count);
    for (size_t i = 0; i < count; i++) {
        const Onnx__GraphProto *proto = graphs[i]->proto;
        for (size_t k = 0; proto != NULL && k < proto->n_input; k++)
            changed += clean_port(proto->input[k]);
        for (size_t k = 0; proto != NULL && k < proto->n_output; k++)
            changed += clean_port(proto->output[k]);
    }
    return changed;
}
