/* Printing text: a buffer in front of a sink, indentation, comments at the end of lines, and the syntax's
 * small change: names, strings, numbers. Private to onnx/text/.
 */
#ifndef CNX_ONNX_TEXT_WRITER_H
#define CNX_ONNX_TEXT_WRITER_H

#include "onnx/text.h"

typedef struct cnx_writer {
    cnx_model *model;
    const cnx_listings *listings;
    cnx_text_weights weights;
    cnx_piece_reader *reader;
    cnx_sink *sink;
    cnx_arena *scratch;
    size_t used;
    char *buffer;
    uint8_t *block;  /* for pieces of tensors */
    unsigned depth;  /* of indentation */
    bool in_comment; /* the line is one: strings must not end it */
    size_t note_size, note_capacity;
    char *notes; /* comments that wait for the end of the line */
} cnx_writer;

/* Readies a writer; cnx_writer_flush sends what is left in its buffer. */
void cnx_writer_init(cnx_writer *out, cnx_arena *scratch, cnx_sink *sink);
void cnx_writer_flush(cnx_writer *out);

/* Prints bytes as they are, or formatted as printf does (short ones: numbers, words of the syntax). */
void cnx_write(cnx_writer *out, const char *text);
void cnx_write_bytes(cnx_writer *out, const char *text, size_t size);
void cnx_write_format(cnx_writer *out, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Ends the line, with the comments that were noted for it. cnx_begin_line writes the indentation. */
void cnx_end_line(cnx_writer *out);
void cnx_begin_line(cnx_writer *out);

/* Notes a comment for the end of the line. Text from the model (`quoted`, NULL: none) follows the words, in
 * quotes and on one line. */
void cnx_note(cnx_writer *out, const char *words, const char *quoted);
void cnx_note_bytes(cnx_writer *out, const char *bytes, size_t size);
void cnx_note_quoted(cnx_writer *out, const char *text);        /* behind a blank; NULL is "" */
void cnx_note_documentation(cnx_writer *out, const char *text); /* unless there is none */
void cnx_note_metadata(cnx_writer *out, Onnx__StringStringEntryProto *const *entries, size_t count);

/* A name: as it is when it is an identifier, quoted otherwise. NULL is the empty name. */
void cnx_write_name(cnx_writer *out, const char *name);

/* A string in quotes. `"` and `\` have a backslash in front, as the parser wants. Newlines and tabs stay as
 * they are, the syntax has no other form; other control characters, direction overrides and bytes that are no
 * UTF-8 become visible (\x1b), which the parser does not undo. Long strings and strings that are no text are
 * shown as their size and digest, unless values are wanted. */
void cnx_write_string(cnx_writer *out, const void *bytes, size_t size);
void cnx_write_text(cnx_writer *out, const char *text); /* NULL is the empty string */

/* The shortest decimal number that reads as the same float or double; it always has a point, an exponent, or
 * is one of inf, -inf, nan, -nan. */
void cnx_write_float(cnx_writer *out, float value);
void cnx_write_double(cnx_writer *out, double value);

/* Parts of the syntax, each in a file of its own. */
void cnx_write_type(cnx_writer *out, const Onnx__TypeProto *type);
void cnx_write_dims(cnx_writer *out, const int64_t *dims, size_t count);
void cnx_write_port(cnx_writer *out, const Onnx__ValueInfoProto *info, const char *name);
void cnx_write_ports(cnx_writer *out, Onnx__ValueInfoProto *const *infos, const char *const *names,
                     size_t count);
/* `float[2,3]`, ` = ` before the contents when it has a name, and the contents. */
void cnx_write_tensor(cnx_writer *out, const Onnx__TensorProto *proto, const char *name);
void cnx_write_sparse(cnx_writer *out, const Onnx__SparseTensorProto *sparse);
void cnx_write_attributes(cnx_writer *out, const cnx_node *node);
void cnx_write_attribute(cnx_writer *out, const cnx_node *node, const Onnx__AttributeProto *attribute);
/* Without the end of the line, since an attribute may go on. */
void cnx_write_graph(cnx_writer *out, cnx_graph *graph);
/* From the name on, to the end of the line. */
void cnx_write_function(cnx_writer *out, cnx_graph *graph);

#endif
