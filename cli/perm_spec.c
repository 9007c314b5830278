/* axes_to_perm maps a tensor to a list with one entry an axis: the name of the permutation that acts on it,
 * or null. Where different positions of one axis belong to different classes (a concatenation), the entry is
 * a list of all of them; null in it stands for positions that stay. */
#include "perm_spec.h"

#include "document.h"
#include "text.h"

#include <inttypes.h>
#include <stdlib.h>

/* Notes that `permutation` (NULL: none) acts on some positions of an axis. */
static void note_axis(json_t *axes_to_perm, const cnx_parameter_axis *parameter, const char *permutation)
{
    json_t *axes = field_list(axes_to_perm, parameter->tensor);
    while (json_array_size(axes) <= parameter->axis)
        item_value(axes, document_array());
    json_t *acting = json_array_get(axes, parameter->axis);
    for (size_t i = 0; !permutation && i < json_array_size(acting); i++) {
        if (json_is_null(json_array_get(acting, i)))
            return;
    }
    item_text(acting, permutation);
}

static json_t *permutation_value(const cnx_symmetry_class *class)
{
    json_t *object = document_object();
    field_text(object, "class", class->name);
    field_count(object, "extent", class->extent);
    field_text(object, "group", class->group);
    return object;
}

static void note_copies(json_t *copies, const cnx_parameter_axis *parameter, const char *permutation)
{
    json_t *object = document_object();
    field_text(object, "tensor", parameter->tensor);
    field_count(object, "axis", parameter->axis);
    field_text(object, "permutation", permutation);
    field_count(object, "copies", parameter->copies);
    item_value(copies, object);
}

/* An axis on which only one thing acts is written without the list around it. */
static void simplify(json_t *axes_to_perm)
{
    const char *tensor;
    json_t *axes;
    json_object_foreach(axes_to_perm, tensor, axes)
    {
        for (size_t axis = 0; axis < json_array_size(axes); axis++) {
            json_t *acting = json_array_get(axes, axis);
            if (json_array_size(acting) > 1)
                continue;
            json_t *only = json_array_size(acting) ? json_incref(json_array_get(acting, 0)) : json_null();
            json_array_set_new(axes, axis, only);
        }
    }
}

void perm_spec_print(const char *path, const cnx_symmetry *symmetry)
{
    json_t *document = document_create(path), *permutations = document_object(), *copies = document_array();
    json_t *axes_to_perm = document_object();
    size_t free_count = 0;
    for (size_t i = 0; i < symmetry->class_count; i++) {
        const cnx_symmetry_class *class = &symmetry->classes[i];
        char *name = class->free ? text_format("P_%zu", free_count++) : NULL;
        for (size_t j = 0; j < class->parameter_count; j++) {
            if (class->parameters[j].again)
                continue;
            note_axis(axes_to_perm, &class->parameters[j], name);
            if (name && class->parameters[j].copies > 1)
                note_copies(copies, &class->parameters[j], name);
        }
        if (name)
            field_value(permutations, name, permutation_value(class));
        free(name);
    }
    simplify(axes_to_perm);
    field_value(document, "axes_to_perm", axes_to_perm);
    field_value(document, "permutations", permutations);
    field_value(document, "copies", copies);
    document_print(document);
}
