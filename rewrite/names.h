/* Names of nodes and values. */
#ifndef CNX_REWRITE_NAMES_H
#define CNX_REWRITE_NAMES_H

#include "rewrite/pass.h"

/* After passes that made values or moved them between graphs: gives a new name to every value whose name is
 * already in use where it is visible. Names of the interface stay. */
void cnx_names_repair(cnx_rewrite *rewrite);

#endif
