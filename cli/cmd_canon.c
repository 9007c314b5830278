/* canonnx canon: write the canonical member of a model's equivalence class. */
#include "command.h"
#include "document.h"
#include "options.h"
#include "outcome.h"
#include "table.h"
#include "text.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

enum { KEY_OUTPUT = 'o', KEY_PASSES = 0x2000, KEY_KEEP_METADATA, KEY_EMBED_HASH, SHOWN_CLASSES = 40 };

struct settings {
    const char *output;
    cnx_canon_options canon;
};

static const struct argp_option options[] = {
    {.name = "output", .key = KEY_OUTPUT, .arg = "OUT", .doc = "File to write; may be the input itself"},
    {.name = "passes",
     .key = KEY_PASSES,
     .arg = "LIST",
     .doc = "Only these passes, separated by commas (canonnx list passes), or none (default: all)"},
    {.name = "keep-metadata", .key = KEY_KEEP_METADATA, .doc = "Do not drop metadata"},
    {.name = "embed-hash",
     .key = KEY_EMBED_HASH,
     .doc = "Store the model's hash in its metadata, for canonnx hash --check"},
    {0},
};

static const char *accept(int key, const char *value, void *settings_given)
{
    struct settings *settings = settings_given;
    if (key == KEY_OUTPUT)
        settings->output = value;
    else if (key == KEY_PASSES)
        settings->canon.passes = value;
    else if (key == KEY_EMBED_HASH)
        settings->canon.embed_hash = true;
    else
        settings->canon.keep_metadata = true;
    return key == KEY_OUTPUT ? options_check_output(value) : NULL;
}

static const char *check(const void *settings)
{
    return ((const struct settings *)settings)->output ? NULL : "option -o is missing";
}

static void print_document(const char *path, const char *output, uint64_t bytes,
                           const cnx_canon_report *report)
{
    json_t *document = document_create(path), *changes = document_array(), *classes = document_array();
    field_text(document, "output", output);
    field_count(document, "bytes_written", bytes);
    for (size_t i = 0; i < report->row_count; i++) {
        json_t *row = document_object();
        field_text(row, "name", report->rows[i].name);
        field_count(row, "before", report->rows[i].before);
        field_count(row, "after", report->rows[i].after);
        item_value(changes, row);
    }
    field_value(document, "counts", changes);
    for (size_t i = 0; i < report->class_count; i++) {
        json_t *class = document_object();
        field_text(class, "name", report->classes[i].name);
        field_count(class, "extent", report->classes[i].extent);
        field_count(class, "moved", report->classes[i].moved);
        field_text(class, "sorted_by", report->classes[i].sorted_by);
        item_value(classes, class);
    }
    field_value(document, "classes", classes);
    field_texts(document, "notes", report->notes, report->note_count);
    document_print(document);
}

/* "-1,234" or "+5"; on the heap. */
static char *difference_text(uint64_t before, uint64_t after)
{
    char *magnitude = text_count(after > before ? after - before : before - after);
    char *signed_text = text_format("%c%s", after > before ? '+' : '-', magnitude);
    free(magnitude);
    return signed_text;
}

static char *percent_text(uint64_t before, uint64_t after)
{
    if (before == 0)
        return text_format("new");
    double percent = 100 * ((double)after - (double)before) / (double)before;
    return text_format(fabs(percent) < 0.05 ? "%+.1g %%" : "%+.1f %%", percent);
}

static void print_counts(const struct screen *screen, const cnx_canon_report *report)
{
    static const struct column columns[] = {{"", COLUMN_TEXT},
                                            {"before", COLUMN_NUMBER},
                                            {"after", COLUMN_NUMBER},
                                            {"difference", COLUMN_NUMBER},
                                            {"percent", COLUMN_NUMBER}};
    struct table *table = table_create(columns, sizeof columns / sizeof columns[0]);
    size_t changed = 0;
    for (size_t i = 0; i < report->row_count; i++) {
        const cnx_canon_row *row = &report->rows[i];
        if (row->before == row->after)
            continue;
        char *cells[] = {text_format("%s", row->name), text_count(row->before), text_count(row->after),
                         difference_text(row->before, row->after), percent_text(row->before, row->after)};
        table_add(table, cells);
        changed++;
    }
    if (changed > 0)
        table_print(table, screen, 2, false);
    else
        fputs("  no count changed\n", screen->stream);
    table_destroy(table);
}

static void print_classes(const struct screen *screen, const cnx_canon_report *report)
{
    static const struct column columns[] = {{"class", COLUMN_NAME},
                                            {"extent", COLUMN_NUMBER},
                                            {"moved", COLUMN_NUMBER},
                                            {"sorted by", COLUMN_LONG}};
    struct table *table = table_create(columns, sizeof columns / sizeof columns[0]);
    size_t moved = 0;
    for (size_t i = 0; i < report->class_count; i++) {
        const cnx_canon_class *class = &report->classes[i];
        if (class->moved == 0 || moved++ >= SHOWN_CLASSES)
            continue;
        char *cells[] = {text_format("%s", class->name), text_count(class->extent), text_count(class->moved),
                         text_format("%s", class->sorted_by)};
        table_add(table, cells);
    }
    if (moved > 0)
        fprintf(screen->stream, "\npermutations: %zu of %zu classes brought into canonical order\n", moved,
                report->class_count);
    else if (report->class_count > 0)
        fprintf(screen->stream, "\npermutations: all %zu classes were in canonical order\n",
                report->class_count);
    if (moved > 0)
        table_print(table, screen, 2, false);
    if (moved > SHOWN_CLASSES)
        fprintf(screen->stream, "  ... and %zu more classes (--json lists them)\n", moved - SHOWN_CLASSES);
    table_destroy(table);
}

static void print_text(const struct request *request, const char *output, uint64_t bytes,
                       const cnx_canon_report *report)
{
    struct screen screen = screen_open(request);
    char *count = text_count(bytes);
    screen_label(&screen, 0, "",
                 text_format("%s: canonical form of %s, %s bytes", output, request->operands[0], count));
    free(count);
    print_counts(&screen, report);
    print_classes(&screen, report);
    if (report->note_count > 0)
        fputc('\n', screen.stream);
    for (size_t i = 0; i < report->note_count; i++)
        screen_label(&screen, 6, "note:", text_format("%s", report->notes[i]));
}

static int work(const struct request *request, const void *settings_given, cnx_model *model)
{
    const struct settings *settings = settings_given;
    const cnx_canon_report *report;
    cnx_error error = {0};
    uint64_t bytes;
    if (cnx_canonicalize(model, &settings->canon, &report, &error) != CNX_OK)
        return error.code == CNX_ERROR_USAGE ? outcome_usage("canon", "%s", error.message)
                                             : outcome_failure(request->operands[0], &error);
    if (cnx_model_write(model, settings->output, &bytes, &error) != CNX_OK)
        return outcome_failure(settings->output, &error);
    if (request->json)
        print_document(request->operands[0], settings->output, bytes, report);
    else if (!request->quiet)
        print_text(request, settings->output, bytes, report);
    return OUTCOME_SUCCESS;
}

int cmd_canon(const struct command *command, int argc, char **argv)
{
    struct settings settings = {0};
    const struct syntax syntax = {
        .options = options,
        .accept = accept,
        .check = check,
        .settings = &settings,
        .least_operands = 1,
        .most_operands = 1,
        .details =
            "OUT is written to a temporary file beside it and renamed, so it is never half a model, and it "
            "may be the input. --quiet prints nothing.",
    };
    return options_run(command, &syntax, argc, argv, work);
}
