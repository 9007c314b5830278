/* The report of canonnx diff, for programs. */
#include "diff_report.h"
#include "document.h"

#include <stdlib.h>

static const char *verdict_key(const cnx_diff *diff)
{
    static const char *const keys[] = {[CNX_VERDICT_EQUIVALENT] = "equivalent",
                                       [CNX_VERDICT_TOLERATED] = "equivalent-within-tolerance",
                                       [CNX_VERDICT_WEIGHTS] = "other-weights",
                                       [CNX_VERDICT_STRUCTURE] = "different-structure",
                                       [CNX_VERDICT_UNDECIDED] = "undecided"};
    return diff ? keys[diff->verdict] : "identical";
}

static json_t *interface_list(const cnx_diff *diff)
{
    json_t *list = document_array();
    for (size_t i = 0; i < diff->interface_count; i++) {
        const cnx_interface_change *change = &diff->interface[i];
        json_t *row = document_object();
        field_text(row, "what", change->what);
        field_text(row, "name", change->name);
        field_text(row, "before", change->before);
        field_text(row, "after", change->after);
        field_bool(row, "matters", change->matters);
        item_value(list, row);
    }
    return list;
}

static json_t *node_list(const cnx_diff *diff)
{
    json_t *list = document_array();
    for (size_t i = 0; i < diff->node_count; i++) {
        const cnx_node_change *node = &diff->nodes[i];
        json_t *row = document_object();
        field_text(row, "operator", node->operator_name);
        field_text(row, "a", node->a);
        field_text(row, "b", node->b);
        field_text(row, "status",
                   !node->a             ? "inserted"
                   : !node->b           ? "deleted"
                   : node->detail_count ? "changed"
                                        : "same");
        if (node->detail_count)
            field_texts(row, "details", node->details, node->detail_count);
        item_value(list, row);
    }
    return list;
}

const char *diff_tensor_verdict(cnx_tensor_verdict verdict)
{
    static const char *const names[] = {[CNX_TENSOR_SAME] = "same",
                                        [CNX_TENSOR_PERMUTED] = "permuted",
                                        [CNX_TENSOR_SIGN_FLIPPED] = "sign-flipped",
                                        [CNX_TENSOR_SCALED] = "scaled",
                                        [CNX_TENSOR_CHANGED] = "changed"};
    return names[verdict];
}

static json_t *class_list(const cnx_diff *diff)
{
    json_t *list = document_array();
    for (size_t i = 0; i < diff->class_count; i++) {
        const cnx_class_change *class = &diff->classes[i];
        json_t *row = document_object();
        field_text(row, "name", class->name);
        field_count(row, "extent", class->extent);
        field_count(row, "permuted", class->permuted);
        field_count(row, "flipped", class->flipped);
        field_count(row, "scaled", class->scaled);
        item_value(list, row);
    }
    return list;
}

static json_t *tensor_list(const cnx_diff *diff)
{
    json_t *list = document_array();
    for (size_t i = 0; i < diff->tensor_count; i++) {
        const cnx_tensor_change *tensor = &diff->tensors[i];
        json_t *row = document_object();
        field_text(row, "a", tensor->a);
        field_text(row, "b", tensor->b);
        field_text(row, "node", tensor->node);
        field_text(row, "type", tensor->type);
        field_text(row, "shape", tensor->shape);
        field_count(row, "elements", tensor->elements);
        field_text(row, "verdict", diff_tensor_verdict(tensor->verdict));
        field_text(row, "detail", tensor->detail);
        field_real(row, "largest", tensor->largest);
        field_real(row, "change", tensor->change);
        field_real(row, "norm", tensor->norm);
        field_real(row, "relative", tensor->relative);
        field_count(row, "differing", tensor->differing);
        item_value(list, row);
    }
    return list;
}

static json_t *block_list(const cnx_diff *diff)
{
    json_t *list = document_array();
    for (size_t i = 0; i < diff->block_count; i++) {
        const cnx_block_change *block = &diff->blocks[i];
        json_t *row = document_object();
        field_text(row, "kind", block->kind);
        field_text(row, "detail", block->detail);
        field_text(row, "node", block->node);
        field_count(row, "parameters", block->parameters);
        field_count(row, "tensors", block->tensor_count);
        field_count(row, "changed", block->changed_count);
        field_real(row, "largest", block->largest);
        field_real(row, "relative", block->relative);
        item_value(list, row);
    }
    return list;
}

json_t *diff_document(const struct request *request, const struct diff_settings *settings,
                      const cnx_diff *diff)
{
    static const cnx_diff nothing = {0};
    const cnx_diff *shown = diff ? diff : &nothing;
    char *summary = diff_verdict(diff, settings);
    json_t *document = document_create(NULL);
    field_text(document, "a", request->operands[0]);
    field_text(document, "b", request->operands[1]);
    field_text(document, "verdict", verdict_key(diff));
    field_text(document, "summary", summary);
    field_texts(document, "ways", shown->ways, shown->way_count);
    field_text(document, "undecided", shown->undecided);
    field_text(document, "witness", settings->witness);
    field_real(document, "tolerance", settings->options.tolerance);
    field_real(document, "relative", shown->relative);
    field_real(document, "largest", shown->largest);
    field_count(document, "inserted", shown->inserted);
    field_count(document, "deleted", shown->deleted);
    field_count(document, "changed", shown->changed);
    field_count(document, "tensors_changed", shown->tensors_changed);
    field_value(document, "interface", interface_list(shown));
    field_value(document, "nodes", node_list(shown));
    field_value(document, "classes", class_list(shown));
    field_value(document, "blocks", block_list(shown));
    field_value(document, "tensors", tensor_list(shown));
    field_texts(document, "notes", shown->notes, shown->note_count);
    free(summary);
    return document;
}

static void field_integers(json_t *row, const char *key, const int32_t *items, size_t count)
{
    json_t *list = items ? document_array() : NULL;
    for (size_t i = 0; items && i < count; i++)
        item_value(list, json_integer(items[i]));
    if (items)
        field_value(row, key, list);
}

static json_t *witness_axis(const cnx_witness_axis *axis)
{
    json_t *row = document_object(), *source = axis->source ? document_array() : NULL;
    field_count(row, "use", axis->use);
    field_text(row, "tensor", axis->tensor);
    field_count(row, "axis", axis->axis);
    field_text(row, "class", axis->name);
    for (size_t i = 0; axis->source && i < axis->count; i++)
        item_count(source, axis->source[i]);
    if (axis->source)
        field_value(row, "source", source);
    field_integers(row, "signs", axis->signs, axis->count);
    field_integers(row, "exponents", axis->exponents, axis->count);
    return row;
}

json_t *witness_document(const struct request *request, const cnx_witness *witness)
{
    json_t *document = document_create(NULL), *axes = document_array();
    field_text(document, "kind", "symmetry");
    field_text(document, "a", request->operands[0]);
    field_text(document, "b", request->operands[1]);
    field_count(document, "uses", witness ? witness->use_count : 0);
    for (size_t i = 0; witness && i < witness->axis_count; i++)
        item_value(axes, witness_axis(&witness->axes[i]));
    field_value(document, "axes", axes);
    return document;
}
