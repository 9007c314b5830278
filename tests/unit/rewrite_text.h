/* Models as text, for tests of passes: what a pass gets and what it leaves can be read side by side.
 *
 *     opset 11                         (14 when it is not said)
 *     in x, y                          graph inputs
 *     w = float[2]{1 2}                an initializer: float, int64 or bool
 *     a = Gemm(x, w) alpha=2.5 transB=1 axes=[0 1] mode="same"
 *     b, _ = Dropout(a, _, t)          "_" is an omitted input or output
 *     c = If(b) else_branch={d = Relu(a); out d} then_branch={out w}
 *     out c                            graph outputs
 *
 * Statements end with a line or a semicolon. text_of() writes the same form, initializers first, nodes in
 * order. Attributes with a point are floats. */
#ifndef CNX_TESTS_REWRITE_TEXT_H
#define CNX_TESTS_REWRITE_TEXT_H

#include "fixture.h"

#include <ctype.h>

/* ---- text to bytes ---- */

typedef struct reader {
    const char *at;
    unsigned opset;
} reader;

static inline void skip_blanks(reader *in)
{
    while (*in->at == ' ')
        in->at++;
}

static inline bool take(reader *in, const char *word)
{
    skip_blanks(in);
    size_t size = strlen(word);
    if (strncmp(in->at, word, size) != 0)
        return false;
    in->at += size;
    return true;
}

static inline void expect(reader *in, const char *word)
{
    if (!take(in, word))
        fail_msg("expected \"%s\" at \"%.30s\"", word, in->at);
}

/* A name, with the domain in front of an operator; "" for "_". */
static inline void read_name(reader *in, char out[64])
{
    skip_blanks(in);
    size_t size = 0;
    while (isalnum((unsigned char)*in->at) || *in->at == '_' || *in->at == '.')
        out[size++] = *in->at++;
    out[size] = '\0';
    if (strcmp(out, "_") == 0)
        out[0] = '\0';
    assert_true(size != 0 && size < 64);
}

/* Names with commas between them, as fields of a message. */
static inline void read_names(reader *in, buffer *message, uint32_t field)
{
    char name[64];
    do {
        read_name(in, name);
        put_text(message, field, name);
    } while (take(in, ","));
}

static inline void put_float_field(buffer *out, uint32_t field, float value)
{
    put_varint(out, (uint64_t)field << 3 | 5);
    put_bytes(out, &value, sizeof value);
}

static inline buffer read_graph(reader *in);

static inline void read_attribute_value(reader *in, buffer *out)
{
    if (take(in, "{")) {
        buffer graph = read_graph(in);
        expect(in, "}");
        put_message(out, 6, &graph);
        put_number(out, 20, 5);
    } else if (take(in, "\"")) {
        size_t size = strcspn(in->at, "\"");
        put_field(out, 4, in->at, size);
        in->at += size + 1;
        put_number(out, 20, 3);
    } else if (take(in, "[")) {
        while (!take(in, "]"))
            put_number(out, 8, (uint64_t)strtoll(in->at, (char **)(uintptr_t)&in->at, 10));
        put_number(out, 20, 7);
    } else {
        size_t size = strspn(in->at, "-+.0123456789e");
        bool real = memchr(in->at, '.', size) != NULL;
        if (real)
            put_float_field(out, 2, strtof(in->at, NULL));
        else
            put_number(out, 3, (uint64_t)strtoll(in->at, NULL, 10));
        put_number(out, 20, real ? 1 : 2);
        in->at += size;
    }
}

static inline bool at_end(reader *in)
{
    skip_blanks(in);
    return *in->at == '\0' || *in->at == '\n' || *in->at == ';' || *in->at == '}';
}

static inline void read_node(reader *in, buffer *graph, buffer *node, const char *op)
{
    const char *dot = strrchr(op, '.');
    put_text(node, 4, dot != NULL ? dot + 1 : op);
    if (dot != NULL)
        put_field(node, 7, op, (size_t)(dot - op));
    expect(in, "(");
    if (!take(in, ")")) {
        read_names(in, node, 1);
        expect(in, ")");
    }
    while (!at_end(in)) {
        buffer attribute = {0};
        char name[64];
        read_name(in, name);
        expect(in, "=");
        put_text(&attribute, 1, name);
        read_attribute_value(in, &attribute);
        put_message(node, 5, &attribute);
    }
    put_message(graph, GRAPH_NODE, node);
}

static inline void put_element(buffer *raw, int type, double value)
{
    float real = (float)value;
    int64_t integer = (int64_t)value;
    uint8_t byte = value != 0;
    if (type == CNX_TYPE_FLOAT)
        put_bytes(raw, &real, sizeof real);
    else if (type == CNX_TYPE_INT64)
        put_bytes(raw, &integer, sizeof integer);
    else
        put_bytes(raw, &byte, sizeof byte);
}

/* `[2 3]{1 2 3 4 5 6}`, behind the type. */
static inline buffer read_tensor(reader *in, const char *name, int type)
{
    uint64_t dims[8];
    size_t rank = 0;
    expect(in, "[");
    while (!take(in, "]"))
        dims[rank++] = strtoull(in->at, (char **)(uintptr_t)&in->at, 10);
    buffer tensor = make_tensor(name, type, rank, dims);
    buffer raw = {0};
    expect(in, "{");
    while (!take(in, "}"))
        put_element(&raw, type, strtod(in->at, (char **)(uintptr_t)&in->at));
    put_field(&tensor, 9, raw.bytes, raw.size);
    free(raw.bytes);
    return tensor;
}

static inline int type_named(const char *name)
{
    return strcmp(name, "float") == 0   ? CNX_TYPE_FLOAT
           : strcmp(name, "int64") == 0 ? CNX_TYPE_INT64
           : strcmp(name, "bool") == 0  ? CNX_TYPE_BOOL
                                        : 0;
}

static inline void read_definition(reader *in, buffer *graph)
{
    buffer node = {0};
    const char *begin = in->at;
    read_names(in, &node, 2);
    expect(in, "=");
    char op[64];
    read_name(in, op);
    if (type_named(op) == 0) {
        read_node(in, graph, &node, op);
        return;
    }
    free(node.bytes);
    reader again = {.at = begin};
    char name[64];
    read_name(&again, name);
    buffer tensor = read_tensor(in, name, type_named(op));
    put_message(graph, GRAPH_INITIALIZER, &tensor);
}

static inline void read_ports(reader *in, buffer *graph, uint32_t field)
{
    char name[64];
    do {
        read_name(in, name);
        put_port(graph, field, name);
    } while (take(in, ","));
}

static inline buffer read_graph(reader *in)
{
    buffer graph = {0};
    put_text(&graph, 2, "g");
    while (*in->at != '\0' && *in->at != '}') {
        if (take(in, "opset "))
            in->opset = (unsigned)strtoul(in->at, (char **)(uintptr_t)&in->at, 10);
        else if (take(in, "in "))
            read_ports(in, &graph, GRAPH_INPUT);
        else if (take(in, "out "))
            read_ports(in, &graph, GRAPH_OUTPUT);
        else if (!at_end(in))
            read_definition(in, &graph);
        skip_blanks(in);
        if (!at_end(in))
            fail_msg("cannot read \"%.30s\"", in->at);
        while (*in->at == '\n' || *in->at == ';' || *in->at == ' ')
            in->at++;
    }
    return graph;
}

static inline buffer bytes_of_text(const char *text)
{
    reader in = {.at = text, .opset = 14};
    buffer graph = read_graph(&in);
    buffer model = {0}, opset = {0}, custom = {0};
    put_number(&model, 1, 8);
    put_message(&model, 7, &graph);
    put_number(&opset, 2, in.opset);
    put_message(&model, 8, &opset);
    put_text(&custom, 1, "custom");
    put_number(&custom, 2, 1);
    put_message(&model, 8, &custom);
    return model;
}

/* ---- model to text ---- */

static inline void say(buffer *out, const char *format, ...) __attribute__((format(printf, 2, 3)));
static inline void say(buffer *out, const char *format, ...)
{
    char text[256];
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    put_bytes(out, text, (size_t)size);
}

static inline void say_names(buffer *out, const cnx_graph *graph, const uint32_t *ids, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        say(out, "%s%s", i == 0 ? "" : ", ", ids[i] == CNX_NONE ? "_" : graph->values[ids[i]].name);
}

static inline void say_tensor(buffer *out, const cnx_graph *graph, const cnx_value *value)
{
    cnx_tensor *tensor = value->initializer;
    say(out, "%s = %s[", value->name, cnx_type_name(tensor->type));
    for (uint32_t i = 0; i < tensor->rank; i++)
        say(out, "%s%lld", i == 0 ? "" : " ", (long long)tensor->dims[i]);
    say(out, "]{");
    for (uint64_t i = 0; i < tensor->count; i++)
        say(out, "%s%g", i == 0 ? "" : " ",
            tensor->type == CNX_TYPE_FLOAT ? cnx_tensor_float(graph->model, tensor, i)
                                           : (double)cnx_tensor_integer(graph->model, tensor, i));
    say(out, "}");
}

static inline void say_graph(buffer *out, const cnx_graph *graph, const char *end);

static inline void say_attribute(buffer *out, const cnx_node *node, const Onnx__AttributeProto *attribute)
{
    say(out, " %s=", attribute->name);
    for (uint32_t i = 0; i < node->subgraph_count; i++) {
        if (node->subgraphs[i].attribute != attribute)
            continue;
        say(out, "{");
        say_graph(out, node->subgraphs[i].graph, "; ");
        out->size -= 2;
        say(out, "}");
        return;
    }
    if (attribute->has_s)
        say(out, "\"%.*s\"", (int)attribute->s.len, (const char *)attribute->s.data);
    else if (attribute->has_f)
        say(out, "%#.3g", (double)attribute->f);
    else if (attribute->has_i)
        say(out, "%lld", (long long)attribute->i);
    else {
        for (size_t i = 0; i < attribute->n_ints; i++)
            say(out, "%s%lld", i == 0 ? "[" : " ", (long long)attribute->ints[i]);
        say(out, "]");
    }
}

static inline void say_node(buffer *out, const cnx_graph *graph, const cnx_node *node)
{
    say_names(out, graph, node->outputs, node->output_count);
    say(out, " = %s%s%s(", node->domain, node->domain[0] == '\0' ? "" : ".", node->op_type);
    say_names(out, graph, node->inputs, node->input_count);
    say(out, ")");
    for (size_t i = 0; i < node->proto->n_attribute; i++)
        say_attribute(out, node, node->proto->attribute[i]);
}

static inline void say_graph(buffer *out, const cnx_graph *graph, const char *end)
{
    if (graph->input_count != 0) {
        say(out, "in ");
        say_names(out, graph, graph->inputs, graph->input_count);
        say(out, "%s", end);
    }
    for (uint32_t i = 0; i < graph->initializer_count; i++) {
        say_tensor(out, graph, &graph->values[graph->initializers[i]]);
        say(out, "%s", end);
    }
    for (uint32_t i = 0; i < graph->order_count; i++) {
        say_node(out, graph, &graph->nodes[graph->order[i]]);
        say(out, "%s", end);
    }
    say(out, "out ");
    say_names(out, graph, graph->outputs, graph->output_count);
    say(out, "%s", end);
}

/* The model as text; the caller frees `bytes`. */
static inline buffer text_of(const cnx_model *model)
{
    buffer out = {0};
    say_graph(&out, model->graph, "\n");
    put_bytes(&out, "", 1);
    return out;
}

static inline cnx_model *model_of_text(const char *text)
{
    buffer bytes = bytes_of_text(text);
    write_buffer("model.onnx", &bytes);
    return open_model("model.onnx");
}

/* Runs the passes on `before` and compares with `after`; messages name the case. */
static inline void check_passes(const char *passes, const char *before, const char *after)
{
    cnx_model *model = model_of_text(before);
    cnx_error error;
    cnx_canon_options options = {.passes = passes};
    if (cnx_canonicalize(model, &options, NULL, &error) != CNX_OK)
        fail_msg("%s: %s: %s", passes, error.place, error.message);
    buffer text = text_of(model);
    if (strcmp((const char *)text.bytes, after) != 0)
        fail_msg("%s of\n%sgives\n%sinstead of\n%s", passes == NULL ? "canon" : passes, before,
                 (const char *)text.bytes, after);
    free(text.bytes);
    cnx_model_close(model);
}

#endif
