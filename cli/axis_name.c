#include "axis_name.h"

#include "memory.h"
#include "nearest.h"
#include "text.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/* The number that the text between `start` and `end` is, and nothing but a number. */
static bool read_number(const char *start, const char *end, bool negative_too, int64_t *number)
{
    char *stop;
    if (start == end ||
        !(isdigit((unsigned char)*start) || (negative_too && *start == '-' && end - start > 1)))
        return false;
    errno = 0;
    long long value = strtoll(start, &stop, 10);
    *number = value;
    return stop == end && errno == 0;
}

const char *axis_name_read(const char *text, struct axis_name *name)
{
    const char *end = text + strlen(text), *open = NULL, *colon = NULL;
    *name = (struct axis_name){.place = {.axis = INT64_MIN, .position = -1}};
    if (end > text && end[-1] == ']') {
        for (open = end - 1; open > text && *open != '[';)
            open--;
        if (*open != '[' || !read_number(open + 1, end - 1, false, &name->place.position))
            open = NULL; /* brackets of the name */
        else
            end = open;
    }
    for (const char *at = text; at < end; at++)
        if (*at == ':')
            colon = at;
    /* A name may hold colons: onnx::Conv_497. */
    if (colon != NULL && read_number(colon + 1, end, true, &name->place.axis))
        end = colon;
    else if (open != NULL)
        return "expected NAME:AXIS[POSITION], the axis and the position as numbers";
    if (end == text)
        return "expected NAME:AXIS, such as features.0.weight:0";
    name->tensor = text_format("%.*s", (int)(end - text), text);
    name->place.tensor = name->tensor;
    return NULL;
}

void axis_name_release(struct axis_name *name)
{
    free(name->tensor);
    name->tensor = NULL;
}

static bool refuse(cnx_error *error, const char *format, ...) __attribute__((format(printf, 2, 3)));

static bool refuse(cnx_error *error, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    error->code = CNX_ERROR_USAGE;
    error->place[0] = '\0';
    vsnprintf(error->message, sizeof error->message, format, arguments);
    va_end(arguments);
    return false;
}

/* No tensor, or several, have a name that begins so. */
static bool refuse_name(const cnx_value_info *values, size_t count, const char *name, size_t matches,
                        cnx_error *error)
{
    const char **names = memory_array(count, sizeof *names);
    for (size_t i = 0; i < count; i++)
        names[i] = values[i].stored ? values[i].name : NULL;
    const char *near = nearest_word(name, names, count);
    free(names);
    if (near != NULL && matches > 1)
        return refuse(error, "%zu tensors begin with \"%s\" (expected one's whole name, such as \"%s\")",
                      matches, name, near);
    if (near != NULL)
        return refuse(error, "there is no tensor \"%s\" (did you mean \"%s\"?)", name, near);
    return refuse(error, "there is no tensor \"%s\" (canonnx symmetry --all lists the parameters)", name);
}

bool axis_name_resolve(cnx_model *model, struct axis_name *name, cnx_error *error)
{
    const cnx_value_info *values, *found = NULL;
    size_t count, matches = 0, length = strlen(name->tensor);
    if (cnx_list_values(model, &values, &count, error) != CNX_OK)
        return false;
    for (size_t i = 0; i < count; i++) {
        if (strcmp(values[i].name, name->tensor) == 0) {
            found = &values[i];
            matches = 1;
            break;
        }
        if (values[i].stored && strncmp(values[i].name, name->tensor, length) == 0 && matches++ == 0)
            found = &values[i];
    }
    if (matches != 1)
        return refuse_name(values, count, name->tensor, matches, error);
    name->place.tensor = found->name;
    if (name->place.axis != INT64_MIN)
        return true;
    if (!found->stored || found->rank != 1)
        return refuse(error, "which axis of \"%s\"? (expected %s:0 or another)", found->name, found->name);
    name->place.axis = 0;
    return true;
}
