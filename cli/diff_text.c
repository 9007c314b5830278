/* The report of canonnx diff, for people. */
#include "diff_report.h"
#include "memory.h"
#include "table.h"
#include "text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SHOWN_NODES = 40, SHOWN_TENSORS = 20, SHOWN_BLOCKS = 40, SHOWN_CLASSES = 20, BAR = 24 };

/* ---- the verdict ---- */

static char *number_text(double value)
{
    return isinf(value) ? text_format("infinite") : text_format("%.3g", value);
}

static char *counted(size_t count, const char *one, const char *many)
{
    char *digits = text_count(count), *text = text_format("%s %s", digits, count == 1 ? one : many);
    free(digits);
    return text;
}

static char *weights_verdict(const cnx_diff *diff)
{
    char *relative = number_text(diff->relative), *largest = number_text(diff->largest);
    char *text = text_format("%zu of %zu tensors changed, relative change %s, largest difference %s",
                             diff->tensors_changed, diff->tensor_count, relative, largest);
    free(relative);
    free(largest);
    return text;
}

static size_t interface_changes(const cnx_diff *diff)
{
    size_t count = 0;
    for (size_t i = 0; i < diff->interface_count; i++)
        count += diff->interface[i].matters;
    return count;
}

static char *structure_verdict(const cnx_diff *diff)
{
    if (diff->unrelated)
        return text_format("different structure: two models with little in common, %zu and %zu nodes",
                           diff->node_count - diff->inserted, diff->node_count - diff->deleted);
    const char *parts[5];
    char *texts[5];
    size_t count = 0;
    if (diff->inserted)
        texts[count++] = counted(diff->inserted, "node inserted", "nodes inserted");
    if (diff->deleted)
        texts[count++] = counted(diff->deleted, "node deleted", "nodes deleted");
    if (diff->changed)
        texts[count++] = counted(diff->changed, "node changed", "nodes changed");
    if (interface_changes(diff))
        texts[count++] =
            counted(interface_changes(diff), "change of the interface", "changes of the interface");
    if (count == 0)
        texts[count++] = text_format("the same nodes, wired differently");
    texts[count] = diff->tensors_changed ? counted(diff->tensors_changed, "tensor changed", "tensors changed")
                                         : text_format("weights in common are equal");
    count++;
    for (size_t i = 0; i < count; i++)
        parts[i] = texts[i];
    char *joined = text_join(parts, count), *text = text_format("different structure: %s", joined);
    for (size_t i = 0; i < count; i++)
        free(texts[i]);
    free(joined);
    return text;
}

char *diff_verdict(const cnx_diff *diff, const struct diff_settings *settings)
{
    if (!diff)
        return text_format("identical files");
    char *detail, *text;
    switch (diff->verdict) {
    case CNX_VERDICT_EQUIVALENT:
        if (diff->way_count == 0)
            return text_format("equivalent");
        detail = text_join(diff->ways, diff->way_count);
        text = text_format("equivalent (%s)", detail);
        break;
    case CNX_VERDICT_TOLERATED:
        detail = number_text(diff->relative);
        text = text_format("equivalent within the tolerance of %g: relative change %s",
                           settings->options.tolerance, detail);
        break;
    case CNX_VERDICT_WEIGHTS:
        detail = weights_verdict(diff);
        text = text_format("same structure, other weights: %s", detail);
        break;
    case CNX_VERDICT_UNDECIDED:
        return text_format(
            "undecided: nothing shows that they differ, but no proof of equivalence was found (%s)",
            diff->undecided);
    case CNX_VERDICT_STRUCTURE:
    default:
        return structure_verdict(diff);
    }
    free(detail);
    return text;
}

/* ---- interface ---- */

static void print_interface(const struct screen *screen, const cnx_diff *diff)
{
    fprintf(screen->stream, "\n%sinterface%s\n", screen_style(screen, STYLE_BOLD),
            screen_style(screen, STYLE_PLAIN));
    for (size_t i = 0; i < diff->interface_count; i++) {
        const cnx_interface_change *change = &diff->interface[i];
        const char *space = change->name[0] ? " " : "";
        const char *remark = change->matters ? "" : " (means nothing to the network)";
        char *text;
        if (!change->before && !change->after)
            text = text_format("%s changed%s", change->what, remark);
        else if (!change->before)
            text =
                text_format("%s%s%s added: %s%s", change->what, space, change->name, change->after, remark);
        else if (!change->after)
            text = text_format("%s%s%s removed: %s%s", change->what, space, change->name, change->before,
                               remark);
        else
            text = text_format("%s%s%s: %s -> %s%s", change->what, space, change->name, change->before,
                               change->after, remark);
        char *clean = text_printable(text);
        fputs("  ", screen->stream);
        screen_wrap(screen, 2, 2, clean);
        free(clean);
        free(text);
    }
}

/* ---- nodes ---- */

static bool is_changed(const cnx_node_change *node)
{
    return node->a && node->b && node->detail_count > 0;
}

/* Whether the same happened to two nodes. */
static bool changed_alike(const cnx_node_change *x, const cnx_node_change *y)
{
    bool alike = is_changed(x) && is_changed(y) && strcmp(x->operator_name, y->operator_name) == 0 &&
                 x->detail_count == y->detail_count;
    for (size_t i = 0; alike && i < x->detail_count; i++)
        alike = strcmp(x->details[i], y->details[i]) == 0;
    return alike;
}

/* `others`: how many more nodes changed alike. */
static void print_node(const struct screen *screen, const cnx_node_change *node, size_t others)
{
    char *text;
    char mark = !node->a ? '+' : !node->b ? '-' : '~';
    enum style style = mark == '+' ? STYLE_GOOD : mark == '-' ? STYLE_BAD : STYLE_BOLD;
    const char *name = node->a ? node->a : node->b;
    if (mark == '~') {
        char *details = text_join(node->details, node->detail_count);
        bool renamed = strcmp(node->a, node->b) != 0 && others == 0;
        char *more = others ? text_format(" and %zu more", others) : text_format("%s", "");
        text = text_format("%s %s%s%s%s%s: %s", node->operator_name, name, renamed ? " (now " : "",
                           renamed ? node->b : "", renamed ? ")" : "", more, details);
        free(more);
        free(details);
    } else {
        text = text_format("%s %s, %s", node->operator_name, name, node->place);
    }
    char *clean = text_printable(text);
    fprintf(screen->stream, "  %s%c%s ", screen_style(screen, style), mark,
            screen_style(screen, STYLE_PLAIN));
    screen_wrap(screen, 4, 4, clean);
    free(clean);
    free(text);
}

/* How many later nodes changed as node `first` did; they are marked as printed. */
static size_t gather_alike(const cnx_diff *diff, size_t first, bool *printed)
{
    size_t others = 0;
    for (size_t i = first + 1; is_changed(&diff->nodes[first]) && i < diff->node_count; i++)
        if (!printed[i] && changed_alike(&diff->nodes[first], &diff->nodes[i])) {
            printed[i] = true;
            others++;
        }
    return others;
}

static void print_nodes(const struct screen *screen, const cnx_diff *diff, bool all)
{
    size_t changes = diff->inserted + diff->deleted + diff->changed, shown = 0, lines = 0;
    bool *printed = memory_array(diff->node_count + 1, sizeof *printed);
    fprintf(screen->stream, "\n%snodes%s\n", screen_style(screen, STYLE_BOLD),
            screen_style(screen, STYLE_PLAIN));
    for (size_t i = 0; i < diff->node_count && (all || lines < SHOWN_NODES); i++) {
        const cnx_node_change *node = &diff->nodes[i];
        if (printed[i] || (node->a && node->b && node->detail_count == 0))
            continue;
        size_t others = all ? 0 : gather_alike(diff, i, printed);
        print_node(screen, node, others);
        shown += 1 + others;
        lines++;
    }
    if (shown < changes)
        fprintf(screen->stream, "  ... and %zu more (--all lists them)\n", changes - shown);
    free(printed);
}

struct operator_row {
    const char *name;
    size_t in_a, in_b;
};

static int compare_rows(const void *left, const void *right)
{
    const struct operator_row *a = left, *b = right;
    size_t x = a->in_a + a->in_b, y = b->in_a + b->in_b;
    return x != y ? (x < y) - (x > y) : strcmp(a->name, b->name);
}

/* For models that have little in common: how often each operator is in either. */
static void print_operators(const struct screen *screen, const cnx_diff *diff)
{
    static const struct column columns[] = {
        {"operator", COLUMN_NAME}, {"in A", COLUMN_NUMBER}, {"in B", COLUMN_NUMBER}};
    struct operator_row *rows = memory_array(diff->node_count + 1, sizeof *rows);
    size_t count = 0;
    for (size_t i = 0; i < diff->node_count; i++) {
        size_t k = 0;
        while (k < count && strcmp(rows[k].name, diff->nodes[i].operator_name) != 0)
            k++;
        count += k == count;
        rows[k].name = diff->nodes[i].operator_name;
        rows[k].in_a += diff->nodes[i].a != NULL;
        rows[k].in_b += diff->nodes[i].b != NULL;
    }
    struct table *table = table_create(columns, sizeof columns / sizeof columns[0]);
    if (count > 1)
        qsort(rows, count, sizeof *rows, compare_rows);
    for (size_t i = 0; i < count && i < SHOWN_BLOCKS; i++) {
        char *cells[] = {text_format("%s", rows[i].name), text_count(rows[i].in_a), text_count(rows[i].in_b)};
        table_add(table, cells);
    }
    fputc('\n', screen->stream);
    table_print(table, screen, 2, false);
    table_destroy(table);
    free(rows);
}

/* ---- weights ---- */

/* Prints a table under its title, if it has rows, and how many rows were left out of it; destroys it. */
static void print_listing(const struct screen *screen, const char *title, struct table *table, size_t shown,
                          size_t left_out, bool all)
{
    if (shown > 0) {
        fprintf(screen->stream, "\n%s%s%s\n", screen_style(screen, STYLE_BOLD), title,
                screen_style(screen, STYLE_PLAIN));
        table_print(table, screen, 2, all);
        if (left_out > 0)
            fprintf(screen->stream, "  ... and %zu more (--all lists them)\n", left_out);
    }
    table_destroy(table);
}

static char *share_text(uint64_t count)
{
    return count ? text_count(count) : text_format("-");
}

/* What the symmetry that aligns the models does. */
static void print_classes(const struct screen *screen, const cnx_diff *diff, bool all)
{
    static const struct column columns[] = {{"class", COLUMN_NAME},
                                            {"units", COLUMN_NUMBER},
                                            {"permuted", COLUMN_NUMBER},
                                            {"flipped", COLUMN_NUMBER},
                                            {"scaled", COLUMN_NUMBER}};
    struct table *table = table_create(columns, sizeof columns / sizeof columns[0]);
    size_t shown = all || diff->class_count < SHOWN_CLASSES ? diff->class_count : SHOWN_CLASSES;
    for (size_t i = 0; i < shown; i++) {
        const cnx_class_change *class = &diff->classes[i];
        char *cells[] = {text_format("%s", class->name), text_count(class->extent),
                         share_text(class->permuted), share_text(class->flipped), share_text(class->scaled)};
        table_add(table, cells);
    }
    print_listing(screen, "symmetry, by class of A", table, shown, diff->class_count - shown, all);
}

static void print_blocks(const struct screen *screen, const cnx_diff *diff, bool all)
{
    static const struct column columns[] = {{"block", COLUMN_TEXT},        {"detail", COLUMN_LONG},
                                            {"parameters", COLUMN_NUMBER}, {"tensors", COLUMN_NUMBER},
                                            {"changed", COLUMN_NUMBER},    {"largest", COLUMN_NUMBER},
                                            {"relative", COLUMN_NUMBER}};
    struct table *table = table_create(columns, sizeof columns / sizeof columns[0]);
    size_t shown = 0, left_out = 0;
    for (size_t i = 0; i < diff->block_count; i++) {
        const cnx_block_change *block = &diff->blocks[i];
        if (!all && (block->changed_count == 0 || shown == SHOWN_BLOCKS)) {
            left_out++;
            continue;
        }
        char *cells[] = {text_format("%s", block->kind),   text_format("%s", block->detail),
                         text_count(block->parameters),    text_count(block->tensor_count),
                         text_count(block->changed_count), number_text(block->largest),
                         number_text(block->relative)};
        table_add(table, cells);
        shown++;
    }
    print_listing(screen, "weights, by block of A", table, shown, left_out, all);
}

static char *tensor_verdict(const cnx_tensor_change *tensor)
{
    const char *name = diff_tensor_verdict(tensor->verdict);
    return tensor->detail[0] ? text_format("%s, %s", name, tensor->detail) : text_format("%s", name);
}

static bool is_shown(const cnx_tensor_change *tensor, bool all)
{
    return all || tensor->differing > 0 || tensor->verdict == CNX_TENSOR_CHANGED;
}

static void print_tensors(const struct screen *screen, const cnx_diff *diff, bool all)
{
    static const struct column columns[] = {{"tensor", COLUMN_NAME},
                                            {"shape", COLUMN_TEXT},
                                            {"largest", COLUMN_NUMBER},
                                            {"relative", COLUMN_NUMBER},
                                            {"verdict", COLUMN_LONG}};
    struct table *table = table_create(columns, sizeof columns / sizeof columns[0]);
    size_t shown = 0, left_out = 0;
    for (size_t i = 0; i < diff->tensor_count; i++) {
        const cnx_tensor_change *tensor = &diff->tensors[i];
        if (!is_shown(tensor, all))
            continue;
        if (!all && shown == SHOWN_TENSORS) {
            left_out++;
            continue;
        }
        char *cells[] = {text_format("%s", tensor->a), text_format("%s", tensor->shape),
                         number_text(tensor->largest), number_text(tensor->relative), tensor_verdict(tensor)};
        table_add(table, cells);
        shown++;
    }
    print_listing(screen, "tensors", table, shown, left_out, all);
}

/* ---- statistics ---- */

/* A bar on a logarithmic scale: from 1e-8 to 1 and more. */
static int bar_length(double relative)
{
    if (relative <= 0)
        return 0;
    double share = (log10(relative) + 8) / 8;
    return share <= 0 ? 1 : share >= 1 ? BAR : 1 + (int)(share * (BAR - 1));
}

static void print_stat(const struct screen *screen, const cnx_diff *diff)
{
    static const char bar[] = "++++++++++++++++++++++++";
    static const struct column columns[] = {{"block", COLUMN_TEXT},
                                            {"node", COLUMN_NAME},
                                            {"relative", COLUMN_NUMBER},
                                            {"1e-8 to 1, logarithmic", COLUMN_TEXT}};
    struct table *table = table_create(columns, sizeof columns / sizeof columns[0]);
    size_t rows = 0;
    for (size_t i = 0; i < diff->block_count; i++) {
        const cnx_block_change *block = &diff->blocks[i];
        if (block->changed_count == 0)
            continue;
        char *cells[] = {text_format("%s", block->kind), text_format("%s", block->node),
                         number_text(block->relative), text_format("%.*s", bar_length(block->relative), bar)};
        table_add(table, cells);
        rows++;
    }
    if (rows > 0)
        table_print(table, screen, 1, false);
    table_destroy(table);
    char *inserted = counted(diff->inserted, "node inserted", "nodes inserted");
    fprintf(screen->stream, " %s, %zu deleted, %zu changed; %zu of %zu tensors changed\n", inserted,
            diff->deleted, diff->changed, diff->tensors_changed, diff->tensor_count);
    free(inserted);
}

/* ---- all of it ---- */

static void print_details(const struct screen *screen, const struct diff_settings *settings,
                          const cnx_diff *diff)
{
    if (diff->interface_count > 0)
        print_interface(screen, diff);
    if (diff->unrelated)
        print_operators(screen, diff);
    else if (diff->inserted + diff->deleted + diff->changed > 0)
        print_nodes(screen, diff, settings->all);
    print_classes(screen, diff, settings->all);
    print_blocks(screen, diff, settings->all);
    print_tensors(screen, diff, settings->all);
}

void diff_print(const struct request *request, const struct diff_settings *settings, const cnx_diff *diff)
{
    struct screen screen = screen_open(request);
    bool equal = !diff || diff->verdict == CNX_VERDICT_EQUIVALENT || diff->verdict == CNX_VERDICT_TOLERATED;
    char *verdict = diff_verdict(diff, settings), *clean = text_printable(verdict);
    fputs(screen_style(&screen, equal ? STYLE_GOOD : STYLE_BOLD), screen.stream);
    fprintf(screen.stream, "%s%s\n", clean, screen_style(&screen, STYLE_PLAIN));
    free(clean);
    free(verdict);
    if (!diff || request->quiet)
        return;
    if (settings->stat)
        print_stat(&screen, diff);
    else
        print_details(&screen, settings, diff);
    for (size_t i = 0; i < diff->note_count; i++)
        screen_label(&screen, 6, "note:", text_format("%s", diff->notes[i]));
}
