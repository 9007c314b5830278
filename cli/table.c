#include "table.h"

#include "outcome.h"

#include <stdlib.h>
#include <string.h>

enum { GAP = 2, NARROWEST_COLUMN = 12 };

struct table {
    const struct column *columns;
    size_t column_count;
    size_t row_count, row_capacity;
    char **cells; /* row after row */
};

struct table *table_create(const struct column *columns, size_t column_count)
{
    struct table *table = calloc(1, sizeof *table);
    if (!table)
        outcome_out_of_memory();
    table->columns = columns;
    table->column_count = column_count;
    return table;
}

void table_destroy(struct table *table)
{
    for (size_t i = 0; i < table->row_count * table->column_count; i++)
        free(table->cells[i]);
    free(table->cells);
    free(table);
}

void table_add(struct table *table, char *const *cells)
{
    if (table->row_count == table->row_capacity) {
        table->row_capacity = table->row_capacity ? 2 * table->row_capacity : 16;
        table->cells =
            reallocarray(table->cells, table->row_capacity * table->column_count, sizeof *table->cells);
        if (!table->cells)
            outcome_out_of_memory();
    }
    char **row = table->cells + table->row_count++ * table->column_count;
    for (size_t column = 0; column < table->column_count; column++) {
        row[column] = text_printable(cells[column]);
        free(cells[column]);
    }
}

static bool may_shrink(const struct column *column)
{
    return column->kind == COLUMN_LONG || column->kind == COLUMN_NAME || column->kind == COLUMN_LIST ||
           column->kind == COLUMN_WRAPPED;
}

static size_t least_width(const struct column *column)
{
    size_t title = text_width(column->title, strlen(column->title));
    return title > NARROWEST_COLUMN ? title : NARROWEST_COLUMN;
}

static void measure(const struct table *table, size_t *widths)
{
    for (size_t column = 0; column < table->column_count; column++) {
        const char *title = table->columns[column].title;
        widths[column] = text_width(title, strlen(title));
        for (size_t row = 0; row < table->row_count; row++) {
            const char *cell = table->cells[row * table->column_count + column];
            size_t width = text_width(cell, strlen(cell));
            if (width > widths[column])
                widths[column] = width;
        }
    }
}

/* Takes columns away from the widest column that may shrink, until the row fits or none is left. */
static void shrink(const struct table *table, size_t *widths, size_t available)
{
    for (;;) {
        size_t total = GAP * (table->column_count - 1), widest = table->column_count;
        for (size_t i = 0; i < table->column_count; i++) {
            const struct column *column = &table->columns[i];
            if (may_shrink(column) && widths[i] > available)
                widths[i] = available > least_width(column) ? available : least_width(column);
            total += widths[i];
            bool can_give = may_shrink(column) && widths[i] > least_width(column);
            if (can_give && (widest == table->column_count || widths[i] > widths[widest]))
                widest = i;
        }
        if (total <= available || widest == table->column_count)
            return;
        widths[widest]--;
    }
}

/* The bytes of `text` that fit into `width` columns. */
static size_t fitting(const char *text, size_t width)
{
    size_t used = 0, columns = 0;
    uint32_t character;
    for (size_t step; (step = text_decode(text + used, &character)) > 0; used += step) {
        columns += text_width(text + used, step);
        if (columns > width)
            break;
    }
    return used;
}

static char *shorten_text(const char *text, size_t width)
{
    return text_format("%.*s...", (int)fitting(text, width - 3), text);
}

/* Keeps a third of the room for the beginning of `length` bytes of text, the rest for their end. */
static char *shorten_name(const char *text, size_t length, size_t width)
{
    size_t head = fitting(text, (width - 3) / 3), tail = head;
    size_t room = width - 3 - text_width(text, head);
    uint32_t character;
    while (tail < length && text_width(text + tail, length - tail) > room)
        tail += text_decode(text + tail, &character);
    return text_format("%.*s...%.*s", (int)head, text, (int)(length - tail), text + tail);
}

/* Keeps as many leading items as leave room for ", +7 more"; at least a part of the first. */
static char *shorten_list(const char *text, size_t width)
{
    size_t items = 1, kept = 0, kept_bytes = 0, columns = 0, suffix_width = 0;
    char suffix[40];
    for (const char *comma = text; (comma = strstr(comma, ", ")); comma += 2)
        items++;
    for (const char *item = text; item && kept + 1 < items;) {
        size_t length = strcspn(item, ",");
        columns += (item == text ? 0 : 2) + text_width(item, length);
        suffix_width = (size_t)snprintf(suffix, sizeof suffix, ", +%zu more", items - kept - 1);
        if (columns + suffix_width > width)
            break;
        kept++;
        kept_bytes = (size_t)(item - text) + length;
        item = strstr(item, ", ") + 2;
    }
    if (kept > 0)
        return text_format("%.*s, +%zu more", (int)kept_bytes, text, items - kept);
    bool room_for_both = items > 1 && width > suffix_width + 6;
    char *first = shorten_name(text, items > 1 ? strcspn(text, ",") : strlen(text),
                               room_for_both ? width - suffix_width : width);
    char *list = text_format("%s%s", first, room_for_both ? suffix : "");
    free(first);
    return list;
}

static char *shorten(enum column_kind kind, const char *text, size_t width)
{
    if (kind == COLUMN_LIST)
        return shorten_list(text, width);
    return kind == COLUMN_NAME ? shorten_name(text, strlen(text), width) : shorten_text(text, width);
}

static void print_cell(const struct table *table, const struct screen *screen, size_t column, size_t width,
                       const char *cell)
{
    size_t length = strlen(cell), taken = text_width(cell, length);
    char *shortened = NULL;
    if (taken > width) {
        cell = shortened = shorten(table->columns[column].kind, cell, width);
        taken = text_width(cell, strlen(cell));
    }
    int padding = taken < width ? (int)(width - taken) : 0;
    bool is_last = column + 1 == table->column_count;
    if (table->columns[column].kind == COLUMN_NUMBER)
        fprintf(screen->stream, "%*s%s", padding, "", cell);
    else
        fprintf(screen->stream, "%s%*s", cell, is_last ? 0 : padding, "");
    fprintf(screen->stream, "%*s", is_last ? 0 : GAP, "");
    free(shortened);
}

static void print_row(const struct table *table, const struct screen *screen, size_t indent,
                      const size_t *widths, char *const *cells)
{
    size_t last = table->column_count - 1, start = indent;
    fprintf(screen->stream, "%*s", (int)indent, "");
    for (size_t column = 0; column < last; column++) {
        print_cell(table, screen, column, widths[column], cells[column]);
        start += widths[column] + GAP;
    }
    if (table->columns[last].kind == COLUMN_WRAPPED) {
        screen_wrap(screen, start, start, cells[last]);
    } else {
        print_cell(table, screen, last, widths[last], cells[last]);
        fputc('\n', screen->stream);
    }
}

void table_print(const struct table *table, const struct screen *screen, size_t indent, bool whole)
{
    size_t *widths = calloc(table->column_count, sizeof *widths);
    if (!widths)
        outcome_out_of_memory();
    measure(table, widths);
    if (!whole)
        shrink(table, widths, screen->width > indent ? screen->width - indent : 1);
    fprintf(screen->stream, "%*s%s", (int)indent, "", screen_style(screen, STYLE_BOLD));
    for (size_t column = 0; column < table->column_count; column++)
        print_cell(table, screen, column, widths[column], table->columns[column].title);
    fprintf(screen->stream, "%s\n", screen_style(screen, STYLE_PLAIN));
    for (size_t row = 0; row < table->row_count; row++)
        print_row(table, screen, indent, widths, table->cells + row * table->column_count);
    free(widths);
}
