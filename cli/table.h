/* An aligned table that fits the screen. */
#ifndef CLI_TABLE_H
#define CLI_TABLE_H

#include "text.h"

enum column_kind {
    COLUMN_TEXT,    /* to the left; never shortened */
    COLUMN_NUMBER,  /* to the right; never shortened */
    COLUMN_LONG,    /* to the left; shortened with "..." when the screen is too narrow */
    COLUMN_NAME,    /* to the left; shortened in the middle: names differ at the end more often than not */
    COLUMN_WRAPPED, /* to the left, on as many lines as it takes; only as the last column */
    COLUMN_LIST,    /* items joined by ", "; shortened to "first, second, +7 more" */
};

struct column {
    const char *title;
    enum column_kind kind;
};

struct table;

/* `columns` must outlive the table. */
struct table *table_create(const struct column *columns, size_t column_count);
void table_destroy(struct table *table);

/* Adds a row. Takes the cells, one a column: each comes from malloc (text_format and its like) and is freed
 * by the table. Cells are made printable here. */
void table_add(struct table *table, char *const *cells);

/* Prints titles and rows behind `indent` spaces. `whole`: shorten nothing, however long lines get. */
void table_print(const struct table *table, const struct screen *screen, size_t indent, bool whole);

#endif
