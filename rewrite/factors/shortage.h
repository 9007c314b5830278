/* Where the elements of a tensor have no room for all of their bits. */
#ifndef CNX_REWRITE_SHORTAGE_H
#define CNX_REWRITE_SHORTAGE_H

#include "rewrite/factors/slices.h"

/* By how much the exponents of what lies at a position would have to rise, so that no element loses its last
 * bits, and to fall, so that none is too large; 0 where there is room for all. */
typedef struct cnx_shortage {
    int32_t below;
    int32_t above;
} cnx_shortage;

typedef enum cnx_shortages { CNX_NO_SHORTAGE, CNX_SHORTAGE, CNX_BEYOND_DOUBLES } cnx_shortages;

/* Looks for elements of a float, double or bfloat16 parameter that, multiplied by the tensor's factors, are
 * not numbers of its type, or larger than room.h has it. `on` is by axis: where NULL, nothing is noted; else
 * by position of the axis's sequence, all zero before. With CNX_BEYOND_DOUBLES some products are not even
 * doubles, and nothing is known.
 */
cnx_shortages cnx_find_shortages(cnx_slice_reading *reading, const cnx_parameter *parameter,
                                 cnx_shortage *const *on);

#endif
