/* The whole: what the model says of itself, the main graph, functions. */
#include "onnx/text/writer.h"

/* `  key: ` on a line of its own, behind what was there before. */
static void begin_entry(cnx_writer *out, bool *first, const char *key)
{
    if (!*first)
        cnx_write(out, ",");
    cnx_end_line(out);
    *first = false;
    cnx_write_format(out, "  %s: ", key);
}

static void write_entry(cnx_writer *out, bool *first, const char *key, const char *text)
{
    if (text == NULL || text[0] == '\0')
        return;
    begin_entry(out, first, key);
    cnx_write_text(out, text);
}

static void write_opsets(cnx_writer *out, Onnx__OperatorSetIdProto *const *opsets, size_t count)
{
    cnx_write(out, "[");
    for (size_t i = 0; i < count; i++) {
        cnx_write(out, i == 0 ? "" : ", ");
        cnx_write_text(out, opsets[i]->domain);
        cnx_write_format(out, " : %lld", (long long)opsets[i]->version);
    }
    cnx_write(out, "]");
}

static void write_metadata(cnx_writer *out, bool *first, const Onnx__ModelProto *proto)
{
    if (proto->n_metadata_props == 0)
        return;
    begin_entry(out, first, "metadata_props");
    cnx_write(out, "[");
    for (size_t i = 0; i < proto->n_metadata_props; i++) {
        cnx_write(out, i == 0 ? "" : ",");
        cnx_end_line(out);
        cnx_write(out, "    ");
        cnx_write_text(out, proto->metadata_props[i]->key);
        cnx_write(out, ": ");
        cnx_write_text(out, proto->metadata_props[i]->value);
    }
    cnx_end_line(out);
    cnx_write(out, "  ]");
}

static void write_head(cnx_writer *out, const Onnx__ModelProto *proto)
{
    bool first = true;
    cnx_write(out, "<");
    begin_entry(out, &first, "ir_version");
    cnx_write_format(out, "%lld", (long long)proto->ir_version);
    begin_entry(out, &first, "opset_import");
    write_opsets(out, proto->opset_import, proto->n_opset_import);
    write_entry(out, &first, "producer_name", proto->producer_name);
    write_entry(out, &first, "producer_version", proto->producer_version);
    write_entry(out, &first, "domain", proto->domain);
    if (proto->has_model_version && proto->model_version != 0) {
        begin_entry(out, &first, "model_version");
        cnx_write_format(out, "%lld", (long long)proto->model_version);
    }
    write_entry(out, &first, "doc_string", proto->doc_string);
    write_metadata(out, &first, proto);
    if (proto->n_training_info != 0)
        cnx_note(out, "with training information", NULL);
    if (proto->n_configuration != 0)
        cnx_note(out, "with device configurations", NULL);
    cnx_end_line(out);
    cnx_write(out, ">");
    cnx_end_line(out);
}

static void write_function(cnx_writer *out, cnx_graph *graph)
{
    const Onnx__FunctionProto *proto = graph->function;
    bool first = true;
    cnx_write(out, "<");
    begin_entry(out, &first, "domain");
    cnx_write_text(out, proto->domain);
    write_entry(out, &first, "overload", proto->overload);
    begin_entry(out, &first, "opset_import");
    write_opsets(out, proto->opset_import, proto->n_opset_import);
    cnx_end_line(out);
    cnx_write(out, ">");
    cnx_end_line(out);
    cnx_write_function(out, graph);
}

void cnx_text_print(cnx_model *model, const cnx_listings *listings, cnx_text_weights weights,
                    cnx_piece_reader *reader, cnx_sink *sink)
{
    cnx_writer out = {.model = model, .listings = listings, .weights = weights, .reader = reader};
    cnx_writer_init(&out, cnx_arena_create(sink->arena), sink);
    write_head(&out, model->proto);
    cnx_write_graph(&out, model->graph);
    cnx_end_line(&out);
    for (uint32_t i = 0; i < model->function_count; i++)
        write_function(&out, model->functions[i]);
    cnx_writer_flush(&out);
    cnx_arena_destroy(out.scratch);
}
