/* Digests of what is not a file: XXH3-128, seeded with the version of the canonical format, of bytes that are
 * fed as they are made. docs/FORMAT.md, section 10, says of what. */
#ifndef CNX_REWRITE_DIGEST_H
#define CNX_REWRITE_DIGEST_H

#include "onnx/model.h"

typedef struct cnx_digest cnx_digest;

/* A digest of 128 bits, high half first, most significant byte first. */
typedef struct cnx_digest_value {
    uint8_t bytes[16];
} cnx_digest_value;

/* An empty digest that lives as long as `arena`. */
cnx_digest *cnx_digest_create(cnx_arena *arena);

/* Begins again; the other one feeds at once what kind of thing the digest is about. */
void cnx_digest_reset(cnx_digest *digest);
void cnx_digest_begin(cnx_digest *digest, uint64_t about);

/* Feed it: bytes; a number as eight bytes, the lowest first; a text as its length and its bytes (NULL is
 * empty); another digest. */
void cnx_digest_bytes(cnx_digest *digest, const void *bytes, size_t size);
void cnx_digest_number(cnx_digest *digest, uint64_t number);
void cnx_digest_text(cnx_digest *digest, const char *text);
void cnx_digest_add(cnx_digest *digest, const cnx_digest_value *value);

/* Feeds a message as its size and its bytes, fields in the order of their numbers. */
void cnx_digest_message(cnx_digest *digest, const ProtobufCMessage *message);

/* Feeds a tensor's type, rank and dims. */
void cnx_digest_shape(cnx_digest *digest, const cnx_tensor *tensor);

/* Feeds a tensor's elements, its permutation applied: the packed little-endian bytes, or every string as a
 * text. Large ones are read in blocks. */
void cnx_digest_elements(cnx_digest *digest, cnx_model *model, cnx_tensor *tensor);

/* The digest of what was fed since the last reset; the other one prints it as 32 hexadecimal digits. */
cnx_digest_value cnx_digest_get(const cnx_digest *digest);
void cnx_digest_print(const cnx_digest *digest, char text[33]);

/* The order of their bytes, for qsort. */
int cnx_digest_compare(const void *a, const void *b);

/* The digest of the file that the lowered model makes, without its metadata (rewrite/write.c). Fails when the
 * form is not canonical. */
void cnx_digest_of_model(cnx_model *model, char text[33]);

#endif
