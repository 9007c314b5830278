/* Both tensors of a pair as numbers, block by block: a's permuted, b's multiplied. */
#ifndef CNX_COMPARE_PAIR_READER_H
#define CNX_COMPARE_PAIR_READER_H

#include "compare/comparison.h"

/* Elements that are read at a time, at most. */
enum { CNX_PAIR_BLOCK = 1 << 14 };

typedef struct cnx_pair_reader {
    const cnx_comparison *c;
    const cnx_pair *pair;
    struct cnx_permutation *permutation; /* of a's tensor; NULL: as it is */
    struct cnx_permutation *factors;     /* of b's (cnx_pair_factors); NULL: as it is */
    cnx_tensor *wide;                    /* b's as if it held doubles: its factors are exact */
    uint8_t *a_bytes;
    const uint8_t *b_bytes; /* not multiplied */
    double *a;
    double *b;
    size_t parts; /* numbers an element has: 2 for a complex one */
} cnx_pair_reader;

/* A reader with memory from `arena`. Strings cannot be read. */
cnx_pair_reader cnx_pair_reader_open(cnx_comparison *c, const cnx_pair *pair,
                                     struct cnx_permutation *permutation, struct cnx_permutation *factors,
                                     cnx_arena *arena);

/* Reads elements [first, first + count); first is a multiple of 8 unless count is 1. `a_bytes` and `b_bytes`
 * are those at `first`, for types of whole bytes. b's numbers are not rounded, whatever its factors. */
void cnx_pair_read(cnx_pair_reader *reader, uint64_t first, size_t count);

/* How many of the elements that were read differ. Without factors their bits count. With factors numbers do,
 * and signs of zeros; those that are not finite differ from everything. */
uint64_t cnx_pair_differing(const cnx_pair_reader *reader, size_t count);

/* Lets go of the mapped pages of elements that were read. */
void cnx_pair_release(const cnx_pair_reader *reader, uint64_t first, size_t count);

/* Whether no element differs. */
bool cnx_pair_is_equal(cnx_comparison *c, const cnx_pair *pair, struct cnx_permutation *permutation,
                       struct cnx_permutation *factors);

#endif
