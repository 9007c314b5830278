/* How alike members of a family are in two models: sums over all tensors that show them. */
#ifndef CNX_COMPARE_SIMILARITY_H
#define CNX_COMPARE_SIMILARITY_H

#include "compare/families.h"

/* Which tensors may be looked at, and how a's are permuted for it. A tensor that shows a family twice, on two
 * axes or as blocks and what is in them, is read with its other appearance held where it is at present: all
 * of it is in place, and members are looked up where they stand. In a family with blocks that is only
 * possible while the blocks are held. */
typedef enum cnx_reading {
    CNX_READ_PLAIN,  /* a family without blocks */
    CNX_READ_BLOCKS, /* all of a family with blocks is to be assigned: nothing of it is held */
    CNX_READ_HELD,   /* all of the family but one kind is held */
} cnx_reading;

typedef struct cnx_view_of_evidence {
    cnx_reading reading;
    const bool *known;          /* by family: those that other axes of a tensor may show; NULL: any */
    const uint32_t *points;     /* the present permutation without what is to be assigned, by point */
    const uint32_t *whole;      /* with it; for CNX_READ_PLAIN */
    const cnx_numbers *numbers; /* that b is multiplied by; NULL: nothing */
} cnx_view_of_evidence;

/* Whether a piece of evidence for the family may be looked at. */
bool cnx_may_use(const cnx_family *family, const cnx_evidence *evidence, cnx_reading reading,
                 const bool *known);

/* Whether the family is so small that its slices may be sorted although some tensors are known. */
bool cnx_is_cheap(const cnx_family *family);

/* Members of a kind that are looked at: rows[0 .. count) are places of a's, columns[0 .. count) of b's. */
typedef struct cnx_lineup {
    const uint32_t *rows;
    const uint32_t *columns;
    uint32_t count;
} cnx_lineup;

/* Adds to likeness[multiple * count + i] the weighted sums over the slices of a's member rows[i] and b's
 * columns[i] that have that multiple. Slices with multiple one are centred. */
void cnx_add_likeness(cnx_families *f, const cnx_family *family, uint32_t kind,
                      const cnx_view_of_evidence *view, const cnx_lineup *lineup, cnx_likeness *likeness);

/* Adds the weighted products of the slices of a's members and b's to gain[multiple][row * count + column],
 * centred where the multiple is one. Where the multiple has exponents, a's slices count with their norm, and
 * b's are divided by theirs, which `likeness` says. Several multiples may share one matrix; those without one
 * (NULL) are left out. Of magnitudes, which are looked at for a start only, some columns will do for large
 * families. Returns the multiply-adds it took. */
double cnx_add_similarity(cnx_families *f, const cnx_family *family, uint32_t kind,
                          const cnx_view_of_evidence *view, const cnx_lineup *lineup,
                          const cnx_likeness *likeness, double *const *gain);

/* Adds the weighted products of the slices of a's members that have the multiple with each other, over some
 * of their elements only, to gram[row * count + column] where row <= column. What they say of two members'
 * distance is a lower bound of it. */
void cnx_add_gram(cnx_families *f, const cnx_family *family, uint32_t kind, uint32_t multiple,
                  const cnx_view_of_evidence *view, const cnx_lineup *lineup, double *gram);

#endif
