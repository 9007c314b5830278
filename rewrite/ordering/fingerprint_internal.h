/* What fingerprint.c, face.c, tokens.c and bias.c share. Everyone else uses rewrite/ordering/fingerprint.h.
 */
#ifndef CNX_REWRITE_FINGERPRINT_INTERNAL_H
#define CNX_REWRITE_FINGERPRINT_INTERNAL_H

#include "rewrite/ordering/fingerprint.h"

/* An axis of a parameter tensor that carries labels. */
typedef struct cnx_face {
    const cnx_parameter *parameter;
    uint32_t axis;
    uint32_t number; /* in order of parameters and axes */
    uint64_t role;   /* hash of the operator that reads the tensor, of where, and of the axis */
} cnx_face;

/* ---- fingerprint.c ---- */

/* A key in the cell changed: its ties are to be marked again. */
void cnx_set_stale(cnx_prints *prints, uint32_t cell);

/* Marks the ties of the cells that changed. Returns the number of different keys over all cells, which grows
 * as long as there is progress. */
uint64_t cnx_mark_ties(cnx_prints *prints);

/* Reads the faces with these numbers (NULL: the first `count`), again and again, until nothing splits any
 * more. Blocks take part through prints->nested. */
void cnx_refine(cnx_prints *prints, const uint32_t *faces, size_t count);

/* Makes a member differ from all that look like it; members that are set apart with equal ranks go on looking
 * alike. To be followed by cnx_refine. */
void cnx_set_apart(cnx_prints *prints, uint32_t class, uint32_t rank);

/* ---- tokens.c ---- */

/* Makes the token of a class anew, from its bias and its print. */
void cnx_set_token(cnx_prints *prints, uint32_t class);

/* Tokens of all positions of an axis; of (block, position) pairs when the labels vary over blocks. Memory
 * from `arena`. */
uint64_t *cnx_axis_tokens(const cnx_prints *prints, cnx_arena *arena, const cnx_parameter *parameter,
                          uint32_t axis);

/* ---- face.c ---- */

/* Fills prints->faces: faces of small tensors first, those of one size in the order of parameters and axes.
 */
void cnx_list_faces(cnx_prints *prints);

/* Whether the face shows a tied class, or a position inside a tied block. */
bool cnx_face_is_tied(const cnx_prints *prints, const cnx_face *face);

/* Adds what the face shows to the prints of the tied classes on it, and of the tied blocks that hold its
 * positions: query heads that share their channels with all others (a rotary table) differ only there. Their
 * tokens are renewed. Reads the tensor's bytes once, those of tied positions only. */
void cnx_read_face(cnx_prints *prints, const cnx_face *face);

/* The node that reads the parameter first, and the slot there; a node of a nested graph when only nested
 * graphs read it. NULL when nobody does; the slot is CNX_NONE when a nested graph hands it on as an output.
 */
const cnx_node *cnx_first_reader(const cnx_parameter *parameter, uint32_t *slot);

/* Bits of element `index` of a packed tensor, whose elements have `bits` bits; the two halves of a 128-bit
 * one are mixed. */
uint64_t cnx_element_bits(const uint8_t *bytes, unsigned bits, uint64_t index);

/* ---- bias.c ---- */

/* Fills prints->bias and prints->bias_of: the first bias, in the order of parameters, that a cell has. */
void cnx_read_biases(cnx_prints *prints);

#endif
