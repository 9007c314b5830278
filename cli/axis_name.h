/* Axes as people write them: features.0.weight:0, features.0.weight:-1, features.0.weight:0[17]. */
#ifndef CLI_AXIS_NAME_H
#define CLI_AXIS_NAME_H

#include "canonnx.h"

#include <stdbool.h>

/* The tensor's name is on the heap. */
struct axis_name {
    char *tensor;
    cnx_axis_place place; /* place.tensor is `tensor` or a name of the model's */
};

/* Reads NAME:AXIS or NAME:AXIS[POSITION]; the axis may be missing (place.axis is then INT64_MIN). Returns
 * NULL, or what is wrong with the text. Release it in either case. */
const char *axis_name_read(const char *text, struct axis_name *name);
void axis_name_release(struct axis_name *name);

/* Completes a name that is the beginning of one stored tensor's name, and adds the axis when the tensor has
 * only one. Returns false, with *error filled, when no value is called so. Axis and position are not checked.
 */
bool axis_name_resolve(cnx_model *model, struct axis_name *name, cnx_error *error);

#endif
