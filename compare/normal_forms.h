/* The symmetry between two models that have one normal form. See normal_forms.c. */
#ifndef CNX_COMPARE_NORMAL_FORMS_H
#define CNX_COMPARE_NORMAL_FORMS_H

#include "compare/comparison.h"

/* Sorts both models as `canon` does, with `factors` after giving their units the signs and scales that it
 * chooses; then undoes one after the other. When that symmetry makes all pairs equal, sets it as the
 * comparison's and returns true. The comparison must be analysed. */
bool cnx_match_sorted_forms(cnx_comparison *c, bool factors);

#endif
