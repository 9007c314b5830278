/* What the symmetry of a comparison does to the classes of a's units. */
#ifndef CNX_COMPARE_CLASSES_H
#define CNX_COMPARE_CLASSES_H

#include "compare/comparison.h"

/* Fills in the report's classes: those of which something is permuted or multiplied. */
void cnx_list_classes(cnx_comparison *c);

#endif
