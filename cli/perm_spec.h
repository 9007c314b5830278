/* The permutation specification that weight-matching tools otherwise need written by hand. */
#ifndef CLI_PERM_SPEC_H
#define CLI_PERM_SPEC_H

#include "canonnx.h"

/* Prints one JSON object; its keys are described in docs/guide.md. */
void perm_spec_print(const char *path, const cnx_symmetry *symmetry);

#endif
