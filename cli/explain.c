#include "explain.h"

#include "axis_name.h"
#include "document.h"
#include "memory.h"
#include "outcome.h"
#include "table.h"
#include "text.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { SHOWN_STEPS = 60 };

/* ---- JSON ---- */

static json_t *step_value(const cnx_explanation_step *step)
{
    json_t *object = document_object();
    if (step->after == SIZE_MAX)
        field_value(object, "after", json_null());
    else
        field_count(object, "after", step->after);
    field_text(object, "node", step->node);
    field_text(object, "op_type", step->op_type);
    field_text(object, "inside", step->inside);
    field_text(object, "says", step->says);
    field_text(object, "from", step->from);
    field_count(object, "from_position", step->from_position);
    field_text(object, "to", step->to);
    field_count(object, "to_position", step->to_position);
    field_bool(object, "ties", step->ties);
    return object;
}

static json_t *part_value(const cnx_explanation_part *part)
{
    json_t *object = document_object(), *chain = document_array();
    field_count(object, "first", part->first);
    field_count(object, "count", part->count);
    field_bool(object, "free", part->free);
    field_text(object, "class", part->class_name);
    field_text(object, "group", part->group);
    field_text(object, "pinned_by", part->pinned_by);
    for (size_t i = 0; i < part->step_count; i++)
        item_value(chain, step_value(&part->steps[i]));
    field_value(object, "chain", chain);
    field_texts(object, "notes", part->notes, part->note_count);
    return object;
}

static void print_document(const char *path, const cnx_explanation *explanation)
{
    json_t *document = document_create(path), *parts = document_array();
    field_text(document, "axis", explanation->axis);
    field_text(document, "other", explanation->other);
    field_count(document, "extent", explanation->extent);
    field_bool(document, "tied", explanation->tied);
    field_text(document, "says", explanation->says);
    for (size_t i = 0; i < explanation->part_count; i++)
        item_value(parts, part_value(&explanation->parts[i]));
    field_value(document, "parts", parts);
    field_count(document, "more", explanation->more);
    document_print(document);
}

/* ---- text ---- */

/* "Conv conv1, in then_branch of If if1" */
static char *node_text(const cnx_explanation_step *step, size_t depth)
{
    int indent = (int)(2 * depth);
    if (step->node == NULL)
        return text_format("%*s(the graph)", indent, "");
    const char *separator = step->inside[0] != '\0' ? ", in " : "";
    return text_format("%*s%s %s%s%s", indent, "", step->op_type, step->node, separator, step->inside);
}

/* Whether two steps that follow on from one are the same node's: they are one row. */
static bool share_row(const cnx_explanation_step *a, const cnx_explanation_step *b)
{
    return a->after == b->after && a->node != NULL && b->node != NULL && strcmp(a->node, b->node) == 0 &&
           strcmp(a->inside, b->inside) == 0;
}

/* The step whose row shows this one: itself, or an earlier one. */
static size_t row_of(const cnx_explanation_part *part, size_t step)
{
    for (size_t i = 0; i < step; i++)
        if (share_row(&part->steps[i], &part->steps[step]))
            return i;
    return step;
}

/* The parameters that a row ties, or with `all_values` the values that it leads on to. */
static char *targets_text(const cnx_explanation_part *part, size_t row, bool all_values)
{
    char *text;
    size_t size;
    const char *separator = "";
    FILE *out = text_open(&text, &size);
    for (size_t i = row; i < part->step_count; i++) {
        const cnx_explanation_step *step = &part->steps[i];
        if ((i != row && !share_row(&part->steps[row], step)) || step->to == NULL ||
            !(step->ties || all_values))
            continue;
        fprintf(out, "%s%s", separator, step->to);
        separator = ", ";
    }
    text_close(out);
    return text;
}

struct listing {
    struct table *table;
    const cnx_explanation_part *part;
    bool all_values; /* on the way, not only parameters */
    size_t room;     /* rows that may still be added */
    size_t left_out;
    size_t *rows; /* by step: the step whose row shows it */
};

static bool follows_on(const struct listing *listing, size_t step, size_t row)
{
    size_t after = listing->part->steps[step].after;
    return listing->rows[step] == step && (after == SIZE_MAX ? row == SIZE_MAX : listing->rows[after] == row);
}

static size_t count_rows(const struct listing *listing, size_t row)
{
    size_t count = 0;
    for (size_t i = 0; i < listing->part->step_count; i++)
        count += follows_on(listing, i, row);
    return count;
}

/* The rows that follow on from one, each with what follows on from it. What is alone is not moved in. */
static void add_rows(struct listing *listing, size_t row, size_t depth)
{
    const cnx_explanation_part *part = listing->part;
    for (size_t i = 0; i < part->step_count; i++) {
        if (!follows_on(listing, i, row))
            continue;
        if (listing->room == 0) {
            listing->left_out++;
        } else {
            listing->room--;
            char *cells[] = {node_text(&part->steps[i], depth), text_format("%s", part->steps[i].says),
                             targets_text(part, i, listing->all_values)};
            table_add(listing->table, cells);
        }
        add_rows(listing, i, count_rows(listing, i) > 1 ? depth + 1 : depth);
    }
}

static void print_steps(const struct screen *screen, const cnx_explanation_part *part, bool all_values,
                        bool all)
{
    const struct column columns[] = {{"node", COLUMN_NAME},
                                     {"what it says", COLUMN_TEXT},
                                     {all_values ? "by way of" : "ties", COLUMN_LIST}};
    struct listing listing = {.table = table_create(columns, 3),
                              .part = part,
                              .all_values = all_values,
                              .room = all || all_values ? SIZE_MAX : SHOWN_STEPS,
                              .rows = memory_array(part->step_count, sizeof *listing.rows)};
    for (size_t i = 0; i < part->step_count; i++)
        listing.rows[i] = row_of(part, i);
    add_rows(&listing, SIZE_MAX, 0);
    if (part->step_count != 0)
        table_print(listing.table, screen, 4, all);
    if (listing.left_out != 0)
        fprintf(screen->stream, "    ... and %zu more nodes (--all lists them)\n", listing.left_out);
    table_destroy(listing.table);
    free(listing.rows);
}

static void print_part(const struct screen *screen, const cnx_explanation *explanation,
                       const cnx_explanation_part *part, bool all)
{
    char *which = part->count == explanation->extent
                      ? text_format("%s", "")
                      : text_format("%" PRIu64 " position%s, the first is %" PRIu64 ": ", part->count,
                                    part->count == 1 ? "" : "s", part->first);
    char *fate = part->free
                     ? text_format("free, %s%s%s", part->group, part->class_name != NULL ? ", class " : "",
                                   part->class_name != NULL ? part->class_name : "")
                     : text_format("pinned: %s", part->pinned_by);
    screen_label(screen, 2, "", text_format("%s%s", which, fate));
    print_steps(screen, part, part->pinned_by != NULL, all);
    for (size_t i = 0; i < part->note_count; i++)
        screen_label(screen, 4, "", text_format("%s", part->notes[i]));
    free(which);
    free(fate);
}

static void print_text(const struct request *request, const cnx_explanation *explanation, bool all)
{
    struct screen screen = screen_open(request);
    if (explanation->other != NULL) {
        screen_label(&screen, 0, "",
                     text_format("%s and %s: %s", explanation->axis, explanation->other, explanation->says));
        for (size_t i = 0; i < explanation->part_count && !request->quiet; i++)
            print_steps(&screen, &explanation->parts[i], true, all);
        return;
    }
    screen_label(&screen, 0, "",
                 text_format("%s: %" PRIu64 " positions", explanation->axis, explanation->extent));
    for (size_t i = 0; i < explanation->part_count; i++) {
        cnx_explanation_part part = explanation->parts[i];
        if (request->quiet)
            part.step_count = part.note_count = 0;
        print_part(&screen, explanation, &part, all);
    }
    if (explanation->more != 0)
        fprintf(screen.stream, "  %" PRIu64 " more positions, each with a fate of its own\n",
                explanation->more);
}

/* ---- both ---- */

int explain_run(const struct request *request, cnx_model *model, const char *axis, const char *other,
                bool all)
{
    struct axis_name names[2] = {0};
    cnx_error error = {0};
    const cnx_explanation *explanation;
    const char *problem = axis_name_read(axis, &names[0]);
    if (problem == NULL && other != NULL)
        problem = axis_name_read(other, &names[1]);
    int outcome = OUTCOME_SUCCESS;
    if (problem != NULL)
        outcome = outcome_usage("symmetry", "--explain: %s", problem);
    else if (!axis_name_resolve(model, &names[0], &error) ||
             (other != NULL && !axis_name_resolve(model, &names[1], &error)) ||
             cnx_explain_axis(model, &names[0].place, other != NULL ? &names[1].place : NULL, &explanation,
                              &error) != CNX_OK)
        outcome = outcome_failure(request->operands[0], &error);
    else if (request->json)
        print_document(request->operands[0], explanation);
    else
        print_text(request, explanation, all);
    axis_name_release(&names[0]);
    axis_name_release(&names[1]);
    return outcome;
}
