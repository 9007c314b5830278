#include "table.h"

#include "memory.h"

#include <stdlib.h>
#include <string.h>

enum { GAP = 2, NARROWEST_COLUMN = 12, NARROWEST_LIST = 20, SHORT_NAME = 24 };

struct table {
    const struct column *columns;
    size_t column_count;
    size_t row_count, row_capacity;
    char **cells; /* row after row */
};

struct table *table_create(const struct column *columns, size_t column_count)
{
    struct table *table = memory_array(1, sizeof *table);
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
            memory_resize(table->cells, table->row_capacity * table->column_count, sizeof *table->cells);
    }
    char **row = table->cells + table->row_count++ * table->column_count;
    for (size_t column = 0; column < table->column_count; column++) {
        row[column] = text_printable(cells[column]);
        free(cells[column]);
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

/* Keeps a third of the room for the beginning of `length` bytes of text, the rest for their end; a little
 * room goes to the end alone. */
static char *shorten_name(const char *text, size_t length, size_t width)
{
    size_t head = width < SHORT_NAME ? 0 : fitting(text, (width - 3) / 3), tail = head;
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

static bool may_shrink(const struct column *column)
{
    return column->kind == COLUMN_LONG || column->kind == COLUMN_NAME || column->kind == COLUMN_LIST ||
           column->kind == COLUMN_WRAPPED;
}

static size_t least_width(const struct column *column, size_t available)
{
    size_t title = text_width(column->title, strlen(column->title));
    size_t least = NARROWEST_COLUMN;
    if (column->kind == COLUMN_LIST)
        least = available / 4 > NARROWEST_LIST ? available / 4 : NARROWEST_LIST;
    return title > least ? title : least;
}

/* The widest cell of a column when none may be wider than `limit`. */
static size_t widest_cell(const struct table *table, size_t column, size_t limit)
{
    const char *title = table->columns[column].title;
    size_t widest = text_width(title, strlen(title));
    for (size_t row = 0; row < table->row_count; row++) {
        const char *cell = table->cells[row * table->column_count + column];
        size_t width = text_width(cell, strlen(cell));
        if (width > limit) {
            char *shortened = shorten(table->columns[column].kind, cell, limit);
            width = text_width(shortened, strlen(shortened));
            free(shortened);
        }
        widest = width > widest ? width : widest;
    }
    return widest;
}

/* Which column gives up a place next: a list as long as it can, then the widest. column_count: none. */
static size_t column_to_shrink(const struct table *table, const size_t *widths, size_t available)
{
    size_t chosen = table->column_count;
    for (size_t i = 0; i < table->column_count; i++) {
        const struct column *column = &table->columns[i];
        if (!may_shrink(column) || widths[i] <= least_width(column, available))
            continue;
        if (column->kind == COLUMN_LIST)
            return i;
        if (chosen == table->column_count || widths[i] > widths[chosen])
            chosen = i;
    }
    return chosen;
}

static size_t row_width(const struct table *table, const size_t *widths)
{
    size_t total = GAP * (table->column_count - 1);
    for (size_t i = 0; i < table->column_count; i++)
        total += widths[i];
    return total;
}

/* Makes columns narrower until a row fits or nothing can give. */
static void shrink(const struct table *table, size_t *widths, size_t available)
{
    for (size_t i = 0; i < table->column_count; i++) {
        size_t least = least_width(&table->columns[i], available),
               most = available > least ? available : least;
        if (may_shrink(&table->columns[i]) && widths[i] > most)
            widths[i] = most;
    }
    for (size_t total = row_width(table, widths); total > available; total--) {
        size_t column = column_to_shrink(table, widths, available);
        if (column == table->column_count)
            return;
        widths[column]--;
    }
}

/* A shortened list ends at an item, so it may leave room; others that were shortened get it. */
static void hand_back(const struct table *table, size_t *widths, const size_t *wanted, size_t available)
{
    for (size_t i = 0; i < table->column_count; i++) {
        if (table->columns[i].kind == COLUMN_LIST && widths[i] < wanted[i])
            widths[i] = widest_cell(table, i, widths[i]);
    }
    size_t total = row_width(table, widths), spare = available > total ? available - total : 0;
    for (size_t i = 0; i < table->column_count; i++) {
        size_t missing = table->columns[i].kind == COLUMN_LIST ? 0 : wanted[i] - widths[i];
        size_t given = missing < spare ? missing : spare;
        widths[i] += given;
        spare -= given;
    }
}

/* The width of every column; on the heap. */
static size_t *lay_out(const struct table *table, size_t available, bool whole)
{
    size_t *widths = memory_array(2 * table->column_count, sizeof *widths),
           *wanted = widths + table->column_count;
    for (size_t i = 0; i < table->column_count; i++)
        widths[i] = wanted[i] = widest_cell(table, i, SIZE_MAX);
    if (!whole) {
        shrink(table, widths, available);
        hand_back(table, widths, wanted, available);
    }
    return widths;
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
    size_t *widths = lay_out(table, screen->width > indent ? screen->width - indent : 1, whole);
    fprintf(screen->stream, "%*s%s", (int)indent, "", screen_style(screen, STYLE_BOLD));
    for (size_t column = 0; column < table->column_count; column++)
        print_cell(table, screen, column, widths[column], table->columns[column].title);
    fprintf(screen->stream, "%s\n", screen_style(screen, STYLE_PLAIN));
    for (size_t row = 0; row < table->row_count; row++)
        print_row(table, screen, indent, widths, table->cells + row * table->column_count);
    free(widths);
}
