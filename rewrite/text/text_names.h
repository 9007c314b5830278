/* Names for a canonical model's text; rewrite/text/text_names.c says how they are made. */
#ifndef CNX_REWRITE_TEXT_NAMES_H
#define CNX_REWRITE_TEXT_NAMES_H

#include "rewrite/text/text_outline.h"

/* Puts the nodes and operands of all graphs in `listings` in the order of the text, and names values, graphs
 * and initializers for it. The model has to be canonical; it is not changed. Reads the contents of shared
 * tensors of at most one axis; where floats are not to be shown, names say nothing of them either. */
void cnx_text_names(cnx_model *model, cnx_listings *listings, cnx_text_weights weights);

#endif
