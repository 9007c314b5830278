/* canonnx list: the tables the tool works by. */
#include "command.h"
#include "document.h"
#include "nearest.h"
#include "options.h"
#include "outcome.h"
#include "table.h"
#include "text.h"

#include <stdio.h>
#include <string.h>

static const struct listing {
    const char *name;
    size_t (*rows)(const cnx_list_row **rows);
    struct column columns[3];
} listings[] = {
    {"ops", cnx_operator_list, {{"operator", COLUMN_TEXT}, {"rule", COLUMN_TEXT}, {"kind", COLUMN_WRAPPED}}},
    {"passes",
     cnx_pass_list,
     {{"pass", COLUMN_TEXT}, {"runs", COLUMN_TEXT}, {"what it does", COLUMN_WRAPPED}}},
    {"limits",
     cnx_limit_list,
     {{"limit", COLUMN_TEXT}, {"value", COLUMN_TEXT}, {"what it limits", COLUMN_WRAPPED}}},
};

enum { LISTING_COUNT = sizeof listings / sizeof listings[0] };

static const struct listing *find_listing(const struct command *command, const char *name)
{
    const char *names[LISTING_COUNT];
    for (size_t i = 0; i < LISTING_COUNT; i++) {
        if (strcmp(listings[i].name, name) == 0)
            return &listings[i];
        names[i] = listings[i].name;
    }
    const char *near = nearest_word(name, names, LISTING_COUNT);
    if (near)
        outcome_usage(command->name, "unknown table '%s', did you mean '%s'?", name, near);
    else
        outcome_usage(command->name, "unknown table '%s' (expected %s)", name, command->arguments);
    return NULL;
}

static void print_document(const struct listing *listing, const cnx_list_row *rows, size_t count)
{
    json_t *document = document_create(NULL), *array = document_array();
    field_text(document, "table", listing->name);
    for (size_t i = 0; i < count; i++) {
        json_t *row = document_object();
        field_text(row, "name", rows[i].name);
        field_text(row, "detail", rows[i].detail);
        field_text(row, "summary", rows[i].summary);
        item_value(array, row);
    }
    field_value(document, "rows", array);
    document_print(document);
}

static void print_text(const struct request *request, const struct listing *listing, const cnx_list_row *rows,
                       size_t count)
{
    struct screen screen = screen_open(request);
    struct table *table = table_create(listing->columns, 3);
    for (size_t i = 0; i < count; i++) {
        if (request->quiet) {
            puts(rows[i].name);
            continue;
        }
        char *cells[] = {text_format("%s", rows[i].name), text_format("%s", rows[i].detail),
                         text_format("%s", rows[i].summary)};
        table_add(table, cells);
    }
    if (!request->quiet)
        table_print(table, &screen, 0, false);
    table_destroy(table);
}

int cmd_list(const struct command *command, int argc, char **argv)
{
    const struct syntax syntax = {
        .least_operands = 1, .most_operands = 1, .details = "--quiet prints only the names."};
    struct request request;
    if (options_parse(command, &syntax, argc, argv, &request)) {
        const struct listing *listing = find_listing(command, request.operands[0]);
        request.outcome = listing ? OUTCOME_SUCCESS : OUTCOME_TROUBLE;
        const cnx_list_row *rows = NULL;
        size_t count = listing ? listing->rows(&rows) : 0;
        if (listing && request.json)
            print_document(listing, rows, count);
        else if (listing)
            print_text(&request, listing, rows, count);
    }
    options_release(&request);
    return request.outcome;
}
