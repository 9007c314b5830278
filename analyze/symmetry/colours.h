/* Between cells.c, colours.c, circles.c and homes.c: which classes look alike, and where they live. */
#ifndef CNX_ANALYZE_SYMMETRY_COLOURS_H
#define CNX_ANALYZE_SYMMETRY_COLOURS_H

#include "analyze/symmetry/cells.h"

typedef struct cnx_colouring {
    uint64_t *colour; /* by class */
    uint64_t *next;
    uint64_t *outside; /* of the sequences that list its copies, blocks aside: that does not change */
    uint32_t *sorted;  /* classes by colour, then number */
    size_t distinct;
} cnx_colouring;

/* Colours all classes, until no colour splits any more. The arrays have an element for each class. */
void cnx_refine_colours(const cnx_cells *cells, cnx_arena *scratch, cnx_colouring *colours);

/* Where the classes of this colour begin in `sorted`. */
size_t cnx_first_of_colour(const cnx_colouring *colours, uint32_t class_count, uint64_t colour);

/* Whether only one class has the colour. */
bool cnx_is_alone_in_colour(const cnx_colouring *colours, uint32_t class_count, uint64_t colour);

/* Whether the class may move, as far as is known: it is not pinned, and something else looks like it. */
bool cnx_may_move(const cnx_cells *cells, const cnx_colouring *colours, uint32_t class);

/* Which circle of blocks that hold each other a class belongs to, by class: numbers from 1 on, or 0. Classes
 * of one colour belong to one. Memory from `arena`. */
uint32_t *cnx_find_circles(cnx_arena *arena, const cnx_cells *cells, const cnx_colouring *colours);

/* Finds all homes; false when something had to be pinned and colours are stale. */
bool cnx_find_homes(cnx_cells *cells, cnx_colouring *colours);

/* How many homes are around a class: the block it lives in, the one that lives in, and so on. */
uint32_t cnx_count_homes(const cnx_cells *cells, uint32_t class);

#endif
