/* canonnx inspect: what is in a model. The text for people is in inspect_text.c. */
#include "command.h"
#include "document.h"
#include "inspect_text.h"
#include "options.h"
#include "outcome.h"

enum { KEY_ALL = 'a' };

struct settings {
    bool all;
};

static const struct argp_option options[] = {
    {.name = "all",
     .key = KEY_ALL,
     .doc = "Shorten nothing: every name of every block, every node outside blocks"},
    {0},
};

static const char *accept(int key, const char *value, void *settings)
{
    (void)key;
    (void)value;
    ((struct settings *)settings)->all = true;
    return NULL;
}

static json_t *quantity_value(const cnx_quantity *quantity)
{
    json_t *object = document_object();
    if (quantity->is_number)
        field_real(object, "value", quantity->value);
    else
        field_value(object, "value", json_null());
    field_text(object, "expression", quantity->exact);
    return object;
}

static json_t *port_values(const cnx_port *ports, size_t count)
{
    json_t *array = document_array();
    for (size_t i = 0; i < count; i++) {
        json_t *port = document_object();
        field_text(port, "name", ports[i].name);
        field_text(port, "type", ports[i].type);
        field_text(port, "shape", ports[i].shape);
        item_value(array, port);
    }
    return array;
}

static void add_header(json_t *document, const cnx_inspection *inspection)
{
    json_t *opsets = document_array();
    field_text(document, "producer", inspection->producer);
    field_text(document, "producer_version", inspection->producer_version);
    field_integer(document, "ir_version", inspection->ir_version);
    for (size_t i = 0; i < inspection->opset_count; i++) {
        json_t *opset = document_object();
        field_text(opset, "domain", inspection->opsets[i].domain);
        field_integer(opset, "version", inspection->opsets[i].version);
        item_value(opsets, opset);
    }
    field_value(document, "opsets", opsets);
    field_value(document, "inputs", port_values(inspection->inputs, inspection->input_count));
    field_value(document, "outputs", port_values(inspection->outputs, inspection->output_count));
}

static void add_totals(json_t *document, const cnx_inspection *inspection)
{
    json_t *operators = document_array(), *types = document_array();
    field_count(document, "nodes", inspection->node_count);
    for (size_t i = 0; i < inspection->operator_count; i++) {
        json_t *operator= document_object();
        field_text(operator, "name", inspection->operators[i].name);
        field_count(operator, "count", inspection->operators[i].count);
        item_value(operators, operator);
    }
    field_value(document, "operators", operators);
    field_count(document, "parameters", inspection->parameter_count);
    field_count(document, "parameter_bytes", inspection->parameter_bytes);
    for (size_t i = 0; i < inspection->type_count; i++) {
        json_t *type = document_object();
        field_text(type, "type", inspection->types[i].type);
        field_count(type, "tensors", inspection->types[i].tensors);
        field_count(type, "elements", inspection->types[i].elements);
        field_count(type, "bytes", inspection->types[i].bytes);
        item_value(types, type);
    }
    field_value(document, "types", types);
    field_value(document, "macs", quantity_value(&inspection->macs));
}

static void print_document(const char *path, const cnx_inspection *inspection)
{
    json_t *document = document_create(path), *blocks = document_array();
    add_header(document, inspection);
    add_totals(document, inspection);
    for (size_t i = 0; i < inspection->block_count; i++) {
        const cnx_block *block = &inspection->blocks[i];
        json_t *object = document_object();
        field_text(object, "kind", block->kind);
        field_text(object, "detail", block->detail);
        field_texts(object, "nodes", block->nodes, block->node_count);
        field_count(object, "parameters", block->parameters);
        field_value(object, "macs", quantity_value(&block->macs));
        item_value(blocks, object);
    }
    field_value(document, "blocks", blocks);
    field_texts(document, "unassigned", inspection->unassigned, inspection->unassigned_count);
    document_print(document);
}

static int work(const struct request *request, const void *settings, cnx_model *model)
{
    cnx_error error = {0};
    const cnx_inspection *inspection;
    if (cnx_inspect(model, &inspection, &error) != CNX_OK)
        return outcome_failure(request->operands[0], &error);
    if (request->json)
        print_document(request->operands[0], inspection);
    else
        inspect_print(request, inspection, ((const struct settings *)settings)->all);
    return OUTCOME_SUCCESS;
}

int cmd_inspect(const struct command *command, int argc, char **argv)
{
    struct settings settings = {0};
    const struct syntax syntax = {.options = options,
                                  .accept = accept,
                                  .settings = &settings,
                                  .least_operands = 1,
                                  .most_operands = 1,
                                  .details = "--quiet prints the summary without operators and blocks."};
    return options_run(command, &syntax, argc, argv, work);
}
