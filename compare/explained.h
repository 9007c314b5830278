/* Members that are provably nearest to where they stand, so that nobody has to look for a better place. */
#ifndef CNX_COMPARE_EXPLAINED_H
#define CNX_COMPARE_EXPLAINED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What is known of `count` members of a kind and their partners. */
typedef struct cnx_neighbourhood {
    uint32_t count;
    const double *gram;     /* products of a's members with each other, over some of their elements */
    const double *distance; /* from their partners, squared */
    bool scaled;            /* the elements of `gram` may be multiplied by any number ... */
    bool flipped;           /* ... negative ones, too */
    const double *near;     /* the part of `distance` that is in these elements */
} cnx_neighbourhood;

/* Marks members that no other one is far enough away from. Returns how many there are. */
uint32_t cnx_mark_explained(const cnx_neighbourhood *near, bool *explained);

#endif
