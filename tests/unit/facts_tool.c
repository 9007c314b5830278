/* Prints what an analysis knows about every value of a model's main graph, for tests/end_to_end/shapes.py:
 * name, element type (a number, 0 when unknown), rank ("-" when unknown) and extents, between tabs. */
#include "analyze/analysis.h"

#include <stdio.h>

static void print_fact(cnx_analysis *a, const char *name, const cnx_fact *fact)
{
    printf("%s\t%d\t", name, fact->type);
    if (fact->known)
        printf("%u", fact->rank);
    else
        printf("-");
    for (uint32_t k = 0; fact->known && k < fact->rank; k++)
        printf("\t%s", cnx_dim_text(a->dims, fact->axes[k].extent));
    printf("\n");
}

static void print_facts(cnx_arena *arena, const char *path)
{
    cnx_model *model = cnx_load(arena, path);
    cnx_analysis *a = cnx_analyze(arena, model);
    for (uint32_t id = 0; id < model->graph->value_count; id++)
        if (model->graph->values[id].name != NULL)
            print_fact(a, model->graph->values[id].name, &a->facts[id]);
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: facts_tool MODEL\n");
        return 2;
    }
    cnx_arena *arena = cnx_arena_create(NULL);
    if (arena == NULL)
        return 2;
    cnx_error error;
    cnx_trap trap;
    if (CNX_ENTER(arena, trap, &error) == CNX_OK)
        print_facts(arena, argv[1]);
    cnx_code code = cnx_leave(arena, &trap);
    if (code != CNX_OK)
        fprintf(stderr, "%s: %s\n", error.place, error.message);
    cnx_arena_destroy(arena);
    return code == CNX_OK ? 0 : 1;
}
