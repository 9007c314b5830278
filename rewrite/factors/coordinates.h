/* Numbers that say what a unit is multiplied by, whatever generators the solver found. */
#ifndef CNX_REWRITE_COORDINATES_H
#define CNX_REWRITE_COORDINATES_H

#include "rewrite/factors/anchors.h"

/* The coordinates of the units of one component. */
typedef struct cnx_coordinates {
    uint32_t count; /* as many as generators; 0: there are none */
    uint32_t size;
    const int64_t
        *changes; /* by coordinate, then generator: how that changes when the coordinate grows by 1 */
} cnx_coordinates;

/* The coordinates of a component for scales; memory from `arena`. See coordinates.c for which these are. */
cnx_coordinates cnx_find_coordinates(cnx_arena *arena, const cnx_anchors *anchors, uint32_t component);

/* How many times the coordinate number `i` a piece of the component is multiplied by. */
int64_t cnx_coordinate_factor(const cnx_coordinates *coordinates, uint32_t i, const cnx_piece *piece);

#endif
