/* Where the members of families are seen on an axis of a parameter. See sightings.c. */
#ifndef CNX_COMPARE_SIGHTINGS_H
#define CNX_COMPARE_SIGHTINGS_H

#include "compare/families.h"

/* A position of an axis that shows a member: the member itself, or something that lies in it without being of
 * its family, as channels do that all heads share. */
typedef struct cnx_sighting {
    uint32_t family, kind, place; /* the member */
    uint32_t role;                /* in which the position shows it; 0: as itself */
    uint32_t class;               /* at the position */
    uint64_t key;                 /* where among the member's copies, told alike for all members */
    uint32_t point;
    uint32_t position;
} cnx_sighting;

/* Two families of which members are at one position: the slices of one can only be compared once it is known
 * where the other goes. A family keeps company with itself when a position shows two of its members. */
typedef struct cnx_company {
    uint32_t family;
    uint32_t other;
} cnx_company;

typedef struct cnx_sightings {
    cnx_arena *arena;
    size_t count, capacity;
    cnx_sighting *items; /* by family, kind and place; the copies of all members in the same order */
    size_t company_count, company_capacity;
    cnx_company *companies;
} cnx_sightings;

/* Sees all members on an axis whose labels are `sequence`. Memory from `arena`. */
cnx_sightings cnx_see_axis(const cnx_families *families, cnx_arena *arena, const cnx_sequence *sequence);

#endif
