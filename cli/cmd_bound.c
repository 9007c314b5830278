/* canonnx bound: covering numbers before and after dividing by the symmetry. */
#include "command.h"
#include "document.h"
#include "options.h"
#include "outcome.h"
#include "table.h"
#include "text.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

enum { KEY_EPSILON = 0x2000, KEY_INPUT_BOUND, KEY_PARAMETER_BOUND, LABEL_WIDTH = 26 };

static const struct argp_option options[] = {
    {.name = "epsilon", .key = KEY_EPSILON, .arg = "NUMBER", .doc = "Radius of the cover (default: 0.01)"},
    {.name = "input-bound",
     .key = KEY_INPUT_BOUND,
     .arg = "NUMBER",
     .doc = "Bound of the Euclidean norm of an input (default: 1)"},
    {.name = "Bx", .key = KEY_INPUT_BOUND, .arg = "NUMBER", .flags = OPTION_ALIAS},
    {.name = "parameter-bound",
     .key = KEY_PARAMETER_BOUND,
     .arg = "NUMBER",
     .doc = "Bound of a parameter's absolute value (default: the largest one in the model)"},
    {.name = "B", .key = KEY_PARAMETER_BOUND, .arg = "NUMBER", .flags = OPTION_ALIAS},
    {0},
};

static const char *accept(int key, const char *value, void *settings)
{
    cnx_bound_options *bound = settings;
    char *end;
    double number = strtod(value, &end);
    if (end == value || *end || !isfinite(number) || number <= 0)
        return "expected a number above 0";
    if (key == KEY_EPSILON)
        bound->epsilon = number;
    else if (key == KEY_INPUT_BOUND)
        bound->input_bound = number;
    else
        bound->parameter_bound = number;
    return NULL;
}

static void add_descriptors(json_t *document, const cnx_bound *bound)
{
    json_t *layers = document_array(), *inputs = document_array();
    field_count(document, "depth", bound->depth);
    field_count(document, "width", bound->width);
    field_count(document, "size", bound->size);
    field_count(document, "neurons", bound->neurons);
    for (size_t i = 0; i < bound->layer_count; i++)
        item_count(layers, bound->layers[i]);
    field_value(document, "layers", layers);
    for (size_t i = 0; i < bound->input_count; i++) {
        json_t *input = document_object();
        field_text(input, "name", bound->inputs[i].name);
        field_real(input, "value", bound->inputs[i].value);
        field_text(input, "source", bound->inputs[i].source);
        item_value(inputs, input);
    }
    field_value(document, "inputs", inputs);
}

/* What the theorems say is null where they do not apply: a zero could be taken for a bound. */
static void print_document(const char *path, const cnx_bound *bound)
{
    json_t *document = document_create(path);
    double nothing = NAN;
    field_bool(document, "applies", bound->applies);
    field_text(document, "theorem", bound->applies ? bound->theorem : NULL);
    field_text(document, "why_not", bound->applies ? NULL : bound->why_not);
    field_real(document, "log_covering_number", bound->applies ? bound->log_covering_number : nothing);
    field_real(document, "log_covering_number_reduced",
               bound->applies ? bound->log_covering_number_reduced : nothing);
    field_real(document, "log_reduction", bound->applies ? bound->log_reduction : nothing);
    field_value(document, "condition_holds",
                bound->applies ? json_boolean(bound->condition_holds) : json_null());
    field_real(document, "log_group_order", bound->log_group_order);
    add_descriptors(document, bound);
    field_texts(document, "notes", bound->notes, bound->note_count);
    document_print(document);
}

static void print_result(const struct screen *screen, const cnx_bound *bound)
{
    if (bound->applies) {
        screen_label(screen, LABEL_WIDTH, "ln N", text_format("%.15g", bound->log_covering_number));
        screen_label(screen, LABEL_WIDTH, "ln N, reduced",
                     text_format("%.15g", bound->log_covering_number_reduced));
        screen_label(
            screen, LABEL_WIDTH, "reduction",
            text_format("%.15g, a factor of 10^%.3f", bound->log_reduction, bound->log_reduction / M_LN10));
    }
    screen_label(
        screen, LABEL_WIDTH, "ln |G|, permutation group",
        text_format("%.15g, an order of 10^%.3f", bound->log_group_order, bound->log_group_order / M_LN10));
}

static void print_network(const struct screen *screen, const cnx_bound *bound)
{
    char *layers;
    size_t size;
    if (bound->layer_count == 0)
        return;
    FILE *out = text_open(&layers, &size);
    for (size_t i = 0; i < bound->layer_count; i++)
        fprintf(out, "%s%" PRIu64, i ? "-" : "", bound->layers[i]);
    text_close(out);
    screen_label(screen, LABEL_WIDTH, "layers", layers);
    screen_label(screen, LABEL_WIDTH, "network",
                 text_format("depth %" PRIu64 ", width %" PRIu64 ", size %" PRIu64 ", neurons %" PRIu64,
                             bound->depth, bound->width, bound->size, bound->neurons));
}

static void print_inputs(const struct screen *screen, const cnx_bound *bound)
{
    static const struct column columns[] = {
        {"constant", COLUMN_TEXT}, {"value", COLUMN_NUMBER}, {"source", COLUMN_WRAPPED}};
    if (bound->input_count == 0)
        return;
    struct table *table = table_create(columns, sizeof columns / sizeof columns[0]);
    for (size_t i = 0; i < bound->input_count; i++) {
        const cnx_bound_input *input = &bound->inputs[i];
        char *cells[] = {text_format("%s", input->name), text_format("%.9g", input->value),
                         text_format("%s", input->source)};
        table_add(table, cells);
    }
    fputc('\n', screen->stream);
    table_print(table, screen, 0, false);
    table_destroy(table);
}

static void print_text(const struct request *request, const cnx_bound *bound)
{
    struct screen screen = screen_open(request);
    if (!request->quiet && bound->applies)
        screen_label(&screen, 0, "",
                     text_format("%s: natural logarithm of the covering number N", bound->theorem));
    if (!bound->applies)
        screen_label(&screen, 0, "", text_format("Theorems 3 and 4 do not apply: %s", bound->why_not));
    print_result(&screen, bound);
    if (request->quiet)
        return;
    print_network(&screen, bound);
    print_inputs(&screen, bound);
    if (bound->note_count > 0)
        fputc('\n', screen.stream);
    for (size_t i = 0; i < bound->note_count; i++)
        screen_label(&screen, 6, "note:", text_format("%s", bound->notes[i]));
}

static int work(const struct request *request, const void *settings, cnx_model *model)
{
    cnx_error error = {0};
    const cnx_bound *bound;
    if (cnx_find_bound(model, settings, &bound, &error) != CNX_OK)
        return outcome_failure(request->operands[0], &error);
    if (request->json)
        print_document(request->operands[0], bound);
    else
        print_text(request, bound);
    return OUTCOME_SUCCESS;
}

int cmd_bound(const struct command *command, int argc, char **argv)
{
    cnx_bound_options settings = {0}; /* the library's defaults */
    const struct syntax syntax = {.options = options,
                                  .accept = accept,
                                  .settings = &settings,
                                  .least_operands = 1,
                                  .most_operands = 1,
                                  .details = "Logarithms are natural. --quiet prints only the bounds."};
    return options_run(command, &syntax, argc, argv, work);
}
