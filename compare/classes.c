#include "compare/classes.h"

#include "analyze/describe/symmetry.h"
#include "compare/multiplied.h"

typedef struct lister {
    cnx_comparison *c;
    const cnx_cells *cells;
    bool *flipped; /* by class */
    bool *scaled;
    cnx_class_change *rows; /* by cell without home */
} lister;

static void mark(const lister *l, cnx_scaling_kind kind, const int32_t *numbers, bool *marks)
{
    uint32_t count, number_count;
    const cnx_generator *generators =
        cnx_scaling_generators(cnx_comparison_scalings(l->c), kind, &count, &number_count);
    for (uint32_t g = 0; g < count; g++) {
        const cnx_cell *cell = &l->cells->cells[generators[g].cell];
        for (uint32_t i = 0; i < cell->count; i++)
            if (numbers[generators[g].first + i] != 0)
                marks[l->cells->members[cell->first + i]] = true;
    }
}

static bool moves(const lister *l, uint32_t class)
{
    uint32_t copy = l->cells->copies[l->cells->copy_start[class]];
    return l->c->points != NULL && l->cells->class_of[l->c->points[copy]] != class;
}

/* The cell that people see: that of the outermost block which is not pinned. */
static uint32_t visible_cell(const cnx_cells *cells, uint32_t class)
{
    uint32_t cell = cells->cell_of[cnx_outermost(cells, class)];
    return cell != CNX_NONE ? cell : cells->cell_of[class];
}

void cnx_list_classes(cnx_comparison *c)
{
    if (c->points == NULL && c->numbers == NULL)
        return;
    cnx_arena *scratch = cnx_arena_create(c->arena);
    const cnx_cells *cells = cnx_analysis_cells(c->analysis);
    lister l = {c, cells, CNX_NEW_ARRAY(scratch, bool, cells->class_count),
                CNX_NEW_ARRAY(scratch, bool, cells->class_count),
                CNX_NEW_ARRAY(c->arena, cnx_class_change, cells->cell_count)};
    if (c->numbers != NULL) {
        mark(&l, CNX_SIGN, c->numbers->signs, l.flipped);
        mark(&l, CNX_SCALE, c->numbers->exponents, l.scaled);
    }
    for (uint32_t class = 0; class < cells->class_count; class ++) {
        uint32_t cell = visible_cell(cells, class);
        if (cell == CNX_NONE)
            continue;
        l.rows[cell].extent++;
        l.rows[cell].permuted += moves(&l, class);
        l.rows[cell].flipped += l.flipped[class];
        l.rows[cell].scaled += l.scaled[class];
    }
    const char **names = cnx_name_cells(c->arena, c->analysis, cells);
    for (uint32_t cell = 0; cell < cells->cell_count; cell++) {
        cnx_class_change row = l.rows[cell];
        row.name = names[cell] != NULL ? names[cell] : "";
        if (row.permuted + row.flipped + row.scaled != 0)
            l.rows[c->report->class_count++] = row;
    }
    c->report->classes = l.rows;
    cnx_arena_destroy(scratch);
}
