/* A model in ONNX's own textual syntax, the one that onnx.parser reads and onnx.printer writes.
 *
 *     <
 *       ir_version: 8,
 *       opset_import: ["" : 17]
 *     >
 *     graph (float[N,4] x) => (float[N,2] y)
 *     <
 *       float[2,4] w = {},  # xxh3 6ee3a4b1c2f0d1e7a9b8c7d6e5f40312
 *       float[2] b = {0.5, -1.0}
 *     >
 *     {
 *       y = Gemm <transB: int = 1> (x, w, b)
 *     }
 *
 * It is laid out for line-by-line comparison: a node is a line, a tensor is a line, a list of many ports has
 * a line for each. Weights stand for themselves as an empty list with a digest in a comment, which the parser
 * reads as a tensor of the same name, type and dims without data.
 *
 * What the syntax has no words for is written as a comment, or in a form of our own that says what is there;
 * docs/guide.md lists both.
 */
#ifndef CNX_ONNX_TEXT_H
#define CNX_ONNX_TEXT_H

#include "onnx/listing.h"

/* Elements that are few enough to be shown whole; see cnx_text_weights. */
enum { CNX_TEXT_FEW = 8 };

/* Bytes [offset, offset + size) of the packed little-endian form of a numeric tensor whose `permutation` is
 * set. */
typedef void cnx_piece_reader(cnx_model *model, cnx_tensor *tensor, uint64_t offset, uint8_t *out,
                              size_t size);

/* Prints the model as `listings` says. Bytes of permuted tensors come from `reader`, which may be NULL when
 * there are none. Memory is bounded by one line and one block of weights. Numbers are formatted with the
 * thread's locale, which has to be "C". */
void cnx_text_print(cnx_model *model, const cnx_listings *listings, cnx_text_weights weights,
                    cnx_piece_reader *reader, cnx_sink *sink);

/* XXH3-128 of a tensor's packed little-endian bytes, permutation applied, as 32 lower-case hexadecimal
 * digits. For strings, of each one's length (64 bits, little-endian) and bytes. */
void cnx_tensor_digest(cnx_model *model, cnx_tensor *tensor, cnx_piece_reader *reader, char digest[33]);

#endif
