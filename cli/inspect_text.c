#include "inspect_text.h"

#include "table.h"
#include "text.h"

#include <inttypes.h>
#include <stdlib.h>

enum { SHOWN_UNASSIGNED = 10, LABEL_WIDTH = 12 };

static void print_ports(const struct screen *screen, const char *label, const cnx_port *ports, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char *line = text_format("%s: %s, %s", ports[i].name, ports[i].type, ports[i].shape);
        screen_label(screen, LABEL_WIDTH, i ? "" : label, line);
    }
}

static char *format_text(const cnx_inspection *inspection)
{
    char *line;
    size_t size;
    FILE *out = text_open(&line, &size);
    fprintf(out, "IR version %" PRId64 ", operator set", inspection->ir_version);
    for (size_t i = 0; i < inspection->opset_count; i++) {
        const cnx_opset *opset = &inspection->opsets[i];
        fprintf(out, "%s %s%s%" PRId64, i ? "," : "", opset->domain, opset->domain[0] ? " " : "",
                opset->version);
    }
    text_close(out);
    return line;
}

static void print_header(const struct screen *screen, const cnx_inspection *inspection)
{
    const char *producer = inspection->producer[0] ? inspection->producer : "unknown";
    screen_label(screen, LABEL_WIDTH, "producer",
                 text_format("%s %s", producer, inspection->producer_version));
    screen_label(screen, LABEL_WIDTH, "format", format_text(inspection));
    print_ports(screen, "inputs", inspection->inputs, inspection->input_count);
    print_ports(screen, "outputs", inspection->outputs, inspection->output_count);
}

static void write_type(FILE *out, const cnx_type_total *type)
{
    char *elements = text_count(type->elements), *tensors = text_count(type->tensors);
    fprintf(out, "%s %s in %s tensor%s", elements, type->type, tensors, type->tensors == 1 ? "" : "s");
    free(tensors);
    free(elements);
}

/* "4,546 float in 6 tensors, 18.2 kB", with a sum in front when there are several types. */
static char *types_text(const cnx_inspection *inspection)
{
    char *line;
    size_t size;
    FILE *out = text_open(&line, &size);
    char *count = text_count(inspection->parameter_count), *bytes = text_bytes(inspection->parameter_bytes);
    if (inspection->type_count != 1)
        fprintf(out, "%s, %s%s", count, bytes, inspection->type_count ? ": " : "");
    for (size_t i = 0; i < inspection->type_count; i++) {
        fputs(i ? ", " : "", out);
        write_type(out, &inspection->types[i]);
    }
    if (inspection->type_count == 1)
        fprintf(out, ", %s", bytes);
    free(bytes);
    free(count);
    text_close(out);
    return line;
}

static char *operators_text(const cnx_inspection *inspection)
{
    char *line;
    size_t size;
    FILE *out = text_open(&line, &size);
    char *nodes = text_count(inspection->node_count);
    fprintf(out, "%s", nodes);
    free(nodes);
    for (size_t i = 0; i < inspection->operator_count; i++) {
        char *count = text_count(inspection->operators[i].count);
        fprintf(out, "%s %s %s", i ? "," : ":", count, inspection->operators[i].name);
        free(count);
    }
    text_close(out);
    return line;
}

/* A dash for nothing, which most blocks have. */
static char *parameters_text(uint64_t parameters)
{
    return parameters ? text_count(parameters) : text_format("-");
}

static char *work_text(const cnx_quantity *macs)
{
    return macs->is_number && macs->value == 0 ? text_format("-") : text_format("%s", macs->text);
}

static void print_blocks(const struct screen *screen, const cnx_inspection *inspection, bool all)
{
    static const struct column columns[] = {
        {"#", COLUMN_NUMBER},          {"block", COLUMN_TEXT},  {"detail", COLUMN_LONG},
        {"parameters", COLUMN_NUMBER}, {"MACs", COLUMN_NUMBER}, {"nodes", COLUMN_LIST},
    };
    if (inspection->block_count == 0)
        return;
    struct table *table = table_create(columns, sizeof columns / sizeof columns[0]);
    for (size_t i = 0; i < inspection->block_count; i++) {
        const cnx_block *block = &inspection->blocks[i];
        char *cells[] = {
            text_format("%zu", i + 1),        text_format("%s", block->kind),
            text_format("%s", block->detail), parameters_text(block->parameters),
            work_text(&block->macs),          text_join(block->nodes, block->node_count),
        };
        table_add(table, cells);
    }
    fputc('\n', screen->stream);
    table_print(table, screen, 0, all);
    table_destroy(table);
}

static void print_unassigned(const struct screen *screen, const cnx_inspection *inspection, bool all)
{
    size_t count = inspection->unassigned_count;
    size_t shown = all || count <= SHOWN_UNASSIGNED ? count : SHOWN_UNASSIGNED;
    if (count == 0)
        return;
    char *names = text_join(inspection->unassigned, shown);
    fputc('\n', screen->stream);
    if (shown < count)
        screen_label(screen, LABEL_WIDTH, "no block",
                     text_format("%s, +%zu more (--all lists them)", names, count - shown));
    else
        screen_label(screen, LABEL_WIDTH, "no block", text_format("%s", names));
    free(names);
}

void inspect_print(const struct request *request, const cnx_inspection *inspection, bool all)
{
    struct screen screen = screen_open(request);
    print_header(&screen, inspection);
    screen_label(&screen, LABEL_WIDTH, "parameters", types_text(inspection));
    screen_label(&screen, LABEL_WIDTH, "work",
                 text_format("%s multiply-accumulates (MACs)", inspection->macs.text));
    if (request->quiet)
        return;
    screen_label(&screen, LABEL_WIDTH, "nodes", operators_text(inspection));
    print_blocks(&screen, inspection, all);
    print_unassigned(&screen, inspection, all);
}
