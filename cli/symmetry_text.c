#include "symmetry_text.h"

#include "grouping.h"
#include "memory.h"
#include "table.h"
#include "text.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SHOWN_CLASSES = 40, SHOWN_REASONS = 20 };

/* Room for one labelled item and one run a class. */
struct workspace {
    struct labelled *items;
    struct run *runs;
};

static struct workspace workspace_create(size_t class_count)
{
    struct workspace space = {
        .items = memory_array(class_count, sizeof *space.items),
        .runs = memory_array(class_count, sizeof *space.runs),
    };
    return space;
}

static void workspace_release(struct workspace *space)
{
    free(space->items);
    free(space->runs);
}

/* "S_64 x S_192 x S_256^2 x (S_4 wr S_3)" */
static char *group_formula(const cnx_symmetry *symmetry)
{
    struct workspace space = workspace_create(symmetry->class_count);
    size_t count = 0, size;
    char *formula;
    for (size_t i = 0; i < symmetry->class_count; i++) {
        const cnx_symmetry_class *class = &symmetry->classes[i];
        if (class->free && class->log10_order > 0)
            space.items[count++] = (struct labelled){class->group, i};
    }
    size_t factors = group_by_label(space.items, count, space.runs);
    FILE *out = text_open(&formula, &size);
    for (size_t i = 0; i < factors; i++) {
        const char *group = space.items[space.runs[i].start].label;
        size_t times = space.runs[i].count;
        bool compound =
            (times > 1 && strchr(group, ' ') != NULL) || (factors > 1 && strstr(group, " wr ") != NULL);
        fprintf(out, "%s%s%s%s", i ? " x " : "", compound ? "(" : "", group, compound ? ")" : "");
        if (times > 1)
            fprintf(out, "^%zu", times);
    }
    if (factors == 0)
        fputs("1 (nothing can be permuted)", out);
    text_close(out);
    workspace_release(&space);
    return formula;
}

/* Whether the class is called after this axis. */
static bool is_name(const cnx_symmetry_class *class, const cnx_parameter_axis *parameter)
{
    char *axis = text_format("%s:%" PRIu32, parameter->tensor, parameter->axis);
    size_t length = strlen(axis);
    bool same = strncmp(axis, class->name, length) == 0 &&
                (class->name[length] == '\0' || class->name[length] == '['); /* features.0.weight:0[64] */
    free(axis);
    return same;
}

/* The parameter axes of a class, behind those of other classes when *any; without its name if asked. */
static void write_axes(FILE *out, const cnx_symmetry_class *class, bool with_name, bool *any)
{
    for (size_t i = 0; i < class->parameter_count; i++) {
        const cnx_parameter_axis *parameter = &class->parameters[i];
        if (!with_name && is_name(class, parameter))
            continue;
        fprintf(out, "%s%s:%" PRIu32, *any ? ", " : "", parameter->tensor, parameter->axis);
        if (parameter->copies > 1)
            fprintf(out, " (x%" PRIu64 ")", parameter->copies);
        *any = true;
    }
}

static char *other_axes_text(const cnx_symmetry_class *class)
{
    char *axes;
    size_t size;
    bool any = false;
    FILE *out = text_open(&axes, &size);
    write_axes(out, class, false, &any);
    text_close(out);
    return axes;
}

static void print_heading(const struct screen *screen, size_t count, const char *what)
{
    fprintf(screen->stream, "\n%zu %s class%s\n", count, what, count == 1 ? "" : "es");
}

static void print_rest(const struct screen *screen, size_t shown, size_t count, const char *what)
{
    if (shown < count)
        fprintf(screen->stream, "  ... and %zu more %s (--all lists them)\n", count - shown, what);
}

/* A number of signs or dimensions; marks say that whole matrices act. */
static char *size_text(uint64_t size, bool linear, bool orthogonal)
{
    if (size == 0)
        return text_format("-");
    char *count = text_count(size);
    char *text = text_format("%s%s%s", count, linear ? "*" : "", orthogonal ? "+" : "");
    free(count);
    return text;
}

/* What the marks of size_text mean, where there are any. */
static void print_marks(const struct screen *screen, const cnx_symmetry *symmetry)
{
    bool linear = false, orthogonal = false;
    for (size_t i = 0; i < symmetry->class_count; i++) {
        linear = linear || symmetry->classes[i].linear;
        orthogonal = orthogonal || symmetry->classes[i].orthogonal;
    }
    if (linear)
        fputs("  * only linear operators look: mixed by any invertible matrix\n", screen->stream);
    if (orthogonal)
        fputs("  + linear operators and norms look: mixed by any orthogonal matrix\n", screen->stream);
}

static void print_free_classes(const struct screen *screen, const cnx_symmetry *symmetry, bool all)
{
    static const struct column columns[] = {
        {"class", COLUMN_NAME},
        {"extent", COLUMN_NUMBER},
        {"group", COLUMN_TEXT},
        {"log10 order", COLUMN_NUMBER},
        {"signs", COLUMN_NUMBER},
        {"scales", COLUMN_NUMBER},
        {"moves together with", COLUMN_LIST},
    };
    struct table *table = table_create(columns, sizeof columns / sizeof columns[0]);
    size_t count = 0, shown = 0;
    for (size_t i = 0; i < symmetry->class_count; i++) {
        const cnx_symmetry_class *class = &symmetry->classes[i];
        if (!class->free)
            continue;
        count++;
        if (!all && shown == SHOWN_CLASSES)
            continue;
        char *cells[] = {
            text_format("%s", class->name),
            text_count(class->extent),
            text_format("%s", class->group),
            text_format("%.4f", class->log10_order),
            size_text(class->signs, false, false),
            size_text(class->dimension, class->linear, class->orthogonal),
            other_axes_text(class),
        };
        table_add(table, cells);
        shown++;
    }
    if (count > 0) {
        print_heading(screen, count, "free");
        table_print(table, screen, 2, all);
    }
    print_rest(screen, shown, count, "classes");
    print_marks(screen, symmetry);
    table_destroy(table);
}

/* "graph output y", or "kernel offsets of Conv (53 nodes)" where only the node differs. */
static char *reason_text(const cnx_symmetry *symmetry, const struct labelled *items, size_t count)
{
    const char *first = symmetry->classes[items[0].index].pinned_by, *last = first;
    size_t different = 1;
    for (size_t i = 1; i < count; i++) {
        const char *reason = symmetry->classes[items[i].index].pinned_by;
        different += strcmp(reason, last) != 0;
        last = reason;
    }
    if (different == 1)
        return text_format("%s", first);
    return text_format("%s (%zu nodes)", items[0].label, different);
}

/* One row: why, how many classes, their axes. */
static void add_reason(struct table *table, const cnx_symmetry *symmetry, const struct labelled *items,
                       size_t count)
{
    char *axes;
    size_t size;
    bool any = false;
    FILE *out = text_open(&axes, &size);
    for (size_t i = 0; i < count; i++)
        write_axes(out, &symmetry->classes[items[i].index], true, &any);
    text_close(out);
    char *cells[] = {reason_text(symmetry, items, count), text_format("%zu", count), axes};
    table_add(table, cells);
}

/* By kind of reason; with `all` by the reason itself. */
static void print_pinned_classes(const struct screen *screen, const cnx_symmetry *symmetry, bool all)
{
    static const struct column columns[] = {
        {"pinned by", COLUMN_NAME}, {"classes", COLUMN_NUMBER}, {"parameter axes", COLUMN_LIST}};
    struct workspace space = workspace_create(symmetry->class_count);
    size_t count = 0;
    for (size_t i = 0; i < symmetry->class_count; i++) {
        const cnx_symmetry_class *class = &symmetry->classes[i];
        if (!class->free)
            space.items[count++] = (struct labelled){all ? class->pinned_by : class->pinned_kind, i};
    }
    size_t reasons = group_by_label(space.items, count, space.runs);
    size_t shown = all || reasons <= SHOWN_REASONS ? reasons : SHOWN_REASONS;
    struct table *table = table_create(columns, sizeof columns / sizeof columns[0]);
    for (size_t i = 0; i < shown; i++)
        add_reason(table, symmetry, space.items + space.runs[i].start, space.runs[i].count);
    if (count > 0) {
        print_heading(screen, count, "pinned");
        table_print(table, screen, 2, all);
    }
    print_rest(screen, shown, reasons, "reasons");
    table_destroy(table);
    workspace_release(&space);
}

static void print_unknown_operators(const struct screen *screen, const cnx_symmetry *symmetry)
{
    if (symmetry->unknown_operator_count == 0)
        return;
    char *names = text_join(symmetry->unknown_operators, symmetry->unknown_operator_count);
    fputc('\n', screen->stream);
    screen_label(screen, 0, "", text_format("Operators without a rule, which pin all they touch: %s", names));
    free(names);
}

/* What there is beside permutations. */
static void print_scalings(const struct screen *screen, const cnx_symmetry *symmetry)
{
    char *signs = text_count(symmetry->signs), *dimension = text_count(symmetry->dimension);
    char *parameters = text_count(symmetry->parameter_count);
    char *effective = text_count(symmetry->effective_parameters);
    screen_label(screen, 0, "",
                 text_format("signs: %s, permutations and signs together: log10 = %.15g", signs,
                             symmetry->log10_finite_order));
    if (symmetry->shifted_signs != 0) {
        char *shifted = text_count(symmetry->shifted_signs);
        screen_label(
            screen, 0, "",
            text_format("and %s signs of units behind sigmoids, if the next biases are moved", shifted));
        free(shifted);
    }
    screen_label(screen, 0, "",
                 text_format("scales: %s dimensions, %s of %s parameters are effective", dimension, effective,
                             parameters));
    free(signs);
    free(dimension);
    free(parameters);
    free(effective);
}

void symmetry_print(const struct request *request, const cnx_symmetry *symmetry, const double *orbit,
                    bool all)
{
    struct screen screen = screen_open(request);
    fprintf(screen.stream, "%slog10 |G| = %.15g%s\n", screen_style(&screen, STYLE_GOOD),
            symmetry->log10_order, screen_style(&screen, STYLE_PLAIN));
    if (request->quiet)
        return;
    if (orbit != NULL && isnan(*orbit))
        fprintf(screen.stream,
                "log10 of the orbit: undecided, the search among members that look alike reached a limit\n");
    else if (orbit != NULL)
        fprintf(screen.stream, "log10 of the orbit = %.15g different models\n", *orbit);
    screen_label(&screen, 4, "G =", group_formula(symmetry));
    print_scalings(&screen, symmetry);
    print_free_classes(&screen, symmetry, all);
    print_pinned_classes(&screen, symmetry, all);
    print_unknown_operators(&screen, symmetry);
}
