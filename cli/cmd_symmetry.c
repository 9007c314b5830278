/* canonnx symmetry: the permutations of a model's parameters that leave its function unchanged. The text for
 * people is in symmetry_text.c, the perm-spec in perm_spec.c. */
#include "command.h"
#include "document.h"
#include "explain.h"
#include "options.h"
#include "outcome.h"
#include "perm_spec.h"
#include "symmetry_text.h"

#include <math.h>
#include <string.h>

enum { KEY_ALL = 'a', KEY_FORMAT = 0x2000, KEY_ORBIT, KEY_EXPLAIN };

struct settings {
    bool all;
    bool orbit;
    bool perm_spec;
    const char *explain[2]; /* one axis or two, or NULL */
};

static const struct argp_option options[] = {
    {.name = "all", .key = KEY_ALL, .doc = "Shorten nothing: every parameter of every class, every reason"},
    {.name = "orbit",
     .key = KEY_ORBIT,
     .doc = "Also count how many different models the group makes of this one: fewer than the group has "
            "elements when weights repeat. Reads weights"},
    {.name = "explain",
     .key = KEY_EXPLAIN,
     .arg = "AXIS",
     .doc =
         "Explain one axis instead: the chain of nodes to what pins it, or to all that moves with it. AXIS "
         "is NAME:NUMBER, such as features.0.weight:0, or NAME:NUMBER[POSITION]; the beginning of a name "
         "will do. Given twice: the chain of nodes that ties the two"},
    {.name = "format",
     .key = KEY_FORMAT,
     .arg = "FORMAT",
     .doc = "perm-spec: one JSON object that says which permutation acts on which axis of "
            "which tensor, as weight-matching tools take it"},
    {0},
};

static const char *accept(int key, const char *value, void *settings_given)
{
    struct settings *settings = settings_given;
    if (key == KEY_ALL)
        settings->all = true;
    else if (key == KEY_ORBIT)
        settings->orbit = true;
    else if (key == KEY_EXPLAIN && settings->explain[1] != NULL)
        return "expected one axis or two";
    else if (key == KEY_EXPLAIN)
        settings->explain[settings->explain[0] != NULL] = value;
    else if (strcmp(value, "perm-spec") == 0)
        settings->perm_spec = true;
    else
        return "expected perm-spec";
    return NULL;
}

static json_t *class_value(const cnx_symmetry_class *class)
{
    json_t *object = document_object(), *parameters = document_array();
    field_text(object, "name", class->name);
    field_count(object, "extent", class->extent);
    field_text(object, "group", class->group);
    field_real(object, "log10_order", class->log10_order);
    field_count(object, "signs", class->signs);
    field_count(object, "shifted_signs", class->shifted_signs);
    field_count(object, "dimension", class->dimension);
    field_bool(object, "linear", class->linear);
    field_bool(object, "orthogonal", class->orthogonal);
    field_bool(object, "free", class->free);
    field_text(object, "pinned_by", class->free ? NULL : class->pinned_by);
    for (size_t i = 0; i < class->parameter_count; i++) {
        json_t *parameter = document_object();
        field_text(parameter, "tensor", class->parameters[i].tensor);
        field_count(parameter, "axis", class->parameters[i].axis);
        field_count(parameter, "copies", class->parameters[i].copies);
        item_value(parameters, parameter);
    }
    field_value(object, "parameters", parameters);
    return object;
}

static void print_document(const char *path, const cnx_symmetry *symmetry, double orbit)
{
    json_t *document = document_create(path), *classes = document_array();
    field_real(document, "log10_order", symmetry->log10_order);
    field_real(document, "orbit_log10", orbit);
    field_count(document, "signs", symmetry->signs);
    field_count(document, "shifted_signs", symmetry->shifted_signs);
    field_real(document, "log10_finite_order", symmetry->log10_finite_order);
    field_count(document, "dimension", symmetry->dimension);
    field_count(document, "parameters", symmetry->parameter_count);
    field_count(document, "effective_parameters", symmetry->effective_parameters);
    for (size_t i = 0; i < symmetry->class_count; i++)
        item_value(classes, class_value(&symmetry->classes[i]));
    field_value(document, "classes", classes);
    field_texts(document, "unknown_operators", symmetry->unknown_operators, symmetry->unknown_operator_count);
    document_print(document);
}

static int work(const struct request *request, const void *settings_given, cnx_model *model)
{
    cnx_error error = {0};
    const struct settings *settings = settings_given;
    const cnx_symmetry *symmetry;
    if (settings->explain[0] != NULL)
        return explain_run(request, model, settings->explain[0], settings->explain[1], settings->all);
    if (cnx_find_symmetry(model, &symmetry, &error) != CNX_OK)
        return outcome_failure(request->operands[0], &error);
    double orbit = (double)NAN; /* not asked for, or not decided */
    if (settings->orbit && cnx_find_orbit(model, &orbit, &error) != CNX_OK)
        return outcome_failure(request->operands[0], &error);
    if (settings->perm_spec)
        perm_spec_print(request->operands[0], symmetry);
    else if (request->json)
        print_document(request->operands[0], symmetry, orbit);
    else
        symmetry_print(request, symmetry, settings->orbit ? &orbit : NULL, settings->all);
    return OUTCOME_SUCCESS;
}

int cmd_symmetry(const struct command *command, int argc, char **argv)
{
    struct settings settings = {0};
    const struct syntax syntax = {
        .options = options,
        .accept = accept,
        .settings = &settings,
        .least_operands = 1,
        .most_operands = 1,
        .details =
            "A class is a set of positions on parameter axes that have to move together; its group says how. "
            "A class that may not move at all is pinned, and the reason is printed. "
            "--quiet prints only log10 of the order of the whole group.",
    };
    return options_run(command, &syntax, argc, argv, work);
}
