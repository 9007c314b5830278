/* Moving runs of elements to other places, as a list says. */
#ifndef CNX_REWRITE_GATHER_H
#define CNX_REWRITE_GATHER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* `count` runs of `size` bytes each, run i from place source[i]. */
void cnx_gather(uint8_t *out, const uint8_t *in, const uint32_t *source, uint64_t count, size_t size);

/* How many rows cnx_gather_rows takes, and the room that it needs for each element of one, in bytes. */
#define CNX_GATHERED_ROWS 8
#define CNX_GATHER_ROOM 32

/* Whether this processor gathers rows together sooner than one after the other. */
bool cnx_gathers_rows(void);

/* Rows of `count` elements of four bytes, which begin at in[0], in[1] ..., all gathered by one list. In `out`
 * they follow one another; `room` has CNX_GATHER_ROOM bytes for each of the `count`. Only to be called where
 * cnx_gathers_rows is true. */
void cnx_gather_rows(uint8_t *out, const uint8_t *const in[CNX_GATHERED_ROWS], const uint32_t *source,
                     uint64_t count, uint8_t *room);

#endif
