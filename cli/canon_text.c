/* What canonnx canon reports. */
#include "canon_text.h"

#include "table.h"
#include "text.h"
#include "written.h"

#include <math.h>
#include <stdlib.h>

enum { SHOWN_CLASSES = 40, SHOWN_LINES = 6 };

/* ---- for people ---- */

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

/* What each pass did; of what it says, the first few. */
static void print_passes(const struct screen *screen, const cnx_canon_report *report, bool all)
{
    for (size_t i = 0; i < report->pass_count; i++) {
        const cnx_canon_pass *pass = &report->passes[i];
        if (pass->changed == 0 && !all)
            continue;
        char *changed = text_count(pass->changed);
        fprintf(screen->stream, "\n%s%s%s: %s %s in %zu %s\n", screen_style(screen, STYLE_BOLD), pass->name,
                screen_style(screen, STYLE_PLAIN), changed, pass->changed == 1 ? "change" : "changes",
                pass->rounds, pass->rounds == 1 ? "round" : "rounds");
        free(changed);
        size_t shown = all || pass->line_count <= SHOWN_LINES ? pass->line_count : SHOWN_LINES - 1;
        for (size_t k = 0; k < shown; k++)
            screen_label(screen, 2, "", text_format("%s", pass->lines[k]));
        if (shown < pass->line_count)
            fprintf(screen->stream, "  ... and %zu more (--all shows them)\n", pass->line_count - shown);
    }
}

void canon_print(const struct request *request, const char *output, uint64_t bytes,
                 const cnx_canon_report *report, bool all)
{
    struct screen screen = screen_open(request);
    char *size = written_text(output, bytes);
    screen_label(&screen, 0, "",
                 text_format("%s: canonical form of %s, %s", output, request->operands[0], size));
    free(size);
    print_counts(&screen, report);
    print_classes(&screen, report);
    print_passes(&screen, report, all);
    if (report->note_count > 0)
        fputc('\n', screen.stream);
    for (size_t i = 0; i < report->note_count; i++)
        screen_label(&screen, 6, "note:", text_format("%s", report->notes[i]));
}

/* ---- for programs ---- */

static json_t *count_array(const cnx_canon_report *report)
{
    json_t *counts = document_array();
    for (size_t i = 0; i < report->row_count; i++) {
        json_t *row = document_object();
        field_text(row, "name", report->rows[i].name);
        field_count(row, "before", report->rows[i].before);
        field_count(row, "after", report->rows[i].after);
        item_value(counts, row);
    }
    return counts;
}

static json_t *class_array(const cnx_canon_report *report)
{
    json_t *classes = document_array();
    for (size_t i = 0; i < report->class_count; i++) {
        json_t *class = document_object();
        field_text(class, "name", report->classes[i].name);
        field_count(class, "extent", report->classes[i].extent);
        field_count(class, "moved", report->classes[i].moved);
        field_text(class, "sorted_by", report->classes[i].sorted_by);
        item_value(classes, class);
    }
    return classes;
}

static json_t *pass_array(const cnx_canon_report *report)
{
    json_t *passes = document_array();
    for (size_t i = 0; i < report->pass_count; i++) {
        json_t *pass = document_object();
        field_text(pass, "name", report->passes[i].name);
        field_count(pass, "rounds", report->passes[i].rounds);
        field_count(pass, "changed", report->passes[i].changed);
        field_texts(pass, "details", report->passes[i].lines, report->passes[i].line_count);
        item_value(passes, pass);
    }
    return passes;
}

json_t *canon_document(const char *model, const char *output, uint64_t bytes, const cnx_canon_report *report)
{
    json_t *document = document_create(model);
    written_fields(document, output, bytes);
    field_value(document, "counts", count_array(report));
    field_value(document, "classes", class_array(report));
    if (report->pass_count > 0)
        field_value(document, "passes", pass_array(report));
    field_texts(document, "notes", report->notes, report->note_count);
    return document;
}

json_t *canon_name_map(const char *model, const char *output, const cnx_canon_report *report)
{
    static const char *const keys[] = {[CNX_RENAMED_VALUE] = "values",
                                       [CNX_RENAMED_INITIALIZER] = "initializers",
                                       [CNX_RENAMED_NODE] = "nodes"};
    json_t *document = document_create(model), *lists[sizeof keys / sizeof keys[0]];
    field_text(document, "output", output);
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        field_value(document, keys[i], lists[i] = document_array());
    for (size_t i = 0; i < report->renaming_count; i++) {
        const cnx_renaming *renaming = &report->renamings[i];
        json_t *object = document_object();
        field_text(object, "name", renaming->name);
        field_texts(object, "old", renaming->old, renaming->old_count);
        field_bool(object, "made", renaming->made);
        field_text(object, "function", renaming->function);
        item_value(lists[renaming->kind], object);
    }
    return document;
}
