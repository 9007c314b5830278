/* Tensors: type, dims, and elements or a digest of them.
 *
 * The elements are those of the field that the parser fills: a float of less than 32 bits is its bit pattern
 * as an integer, elements of less than a byte are the bytes they are packed in, a complex number is two
 * numbers. Where that cannot be read, a comment says what it means. */
#include "base/checksum.h"
#include "onnx/element.h"
#include "onnx/mapping.h"
#include "onnx/text/writer.h"

#include <stdio.h>

/* A multiple of every element's size. */
#define PIECE ((size_t)1 << 20)
#define LET_GO ((size_t)2 << 20)

/* ---- bytes, a piece at a time ---- */

typedef void use_piece(void *state, const uint8_t *bytes, size_t size, uint64_t offset);

/* Memory stays bounded: pages of a mapping are let go again. The rows of a permuted tensor are read in any
 * order, so all of its pages go, every now and then. */
static void each_piece(cnx_model *model, cnx_tensor *tensor, cnx_piece_reader *reader, uint8_t *block,
                       use_piece *use, void *state)
{
    const uint8_t *bytes = cnx_tensor_bytes(model, tensor);
    bool mapped = cnx_tensor_is_view(model, tensor), permuted = tensor->permutation != NULL;
    for (uint64_t offset = 0; offset < tensor->size;) {
        uint64_t left = tensor->size - offset;
        size_t size = left < PIECE ? (size_t)left : PIECE;
        if (permuted)
            reader(model, tensor, offset, block, size);
        else if (mapped)
            cnx_view_prefetch(bytes + offset, size);
        use(state, permuted ? block : bytes + offset, size, offset);
        if (mapped && !permuted)
            cnx_view_release(bytes + offset, size);
        offset += size;
        if (mapped && permuted && (offset % LET_GO == 0 || offset == tensor->size))
            cnx_view_release(bytes, tensor->size);
    }
}

/* ---- digests ---- */

static void add_piece(void *checksum, const uint8_t *bytes, size_t size, uint64_t offset)
{
    (void)offset;
    cnx_checksum_add(checksum, bytes, size);
}

static void add_strings(cnx_checksum *checksum, const Onnx__TensorProto *proto)
{
    for (size_t i = 0; i < proto->n_string_data; i++) {
        uint64_t size = proto->string_data[i].len;
        cnx_checksum_add(checksum, &size, sizeof size);
        cnx_checksum_add(checksum, proto->string_data[i].data, size);
    }
}

void cnx_tensor_digest(cnx_model *model, cnx_tensor *tensor, cnx_piece_reader *reader, char digest[33])
{
    cnx_arena *scratch = cnx_arena_create(model->arena);
    cnx_checksum *checksum = cnx_checksum_create(scratch);
    uint8_t *block = tensor->permutation == NULL ? NULL : cnx_alloc(scratch, PIECE);
    if (tensor->type == CNX_TYPE_STRING)
        add_strings(checksum, tensor->proto);
    else
        each_piece(model, tensor, reader, block, add_piece, checksum);
    cnx_checksum_print(checksum, digest);
    cnx_arena_destroy(scratch);
}

/* ---- elements ---- */

static bool is_bit_pattern(int32_t type)
{
    unsigned bits = cnx_type_bits(type);
    return bits < 8 || (cnx_type_kind_of(type) == CNX_KIND_FLOAT && bits < 32);
}

static uint32_t byte_pattern(const uint8_t *bytes, unsigned size)
{
    uint32_t pattern = 0;
    memcpy(&pattern, bytes, size);
    return pattern;
}

static void write_element(cnx_writer *out, int32_t type, const uint8_t *bytes)
{
    float single;
    double real;
    switch (type) {
    case CNX_TYPE_FLOAT:
    case CNX_TYPE_COMPLEX64:
        memcpy(&single, bytes, sizeof single);
        cnx_write_float(out, single);
        break;
    case CNX_TYPE_DOUBLE:
    case CNX_TYPE_COMPLEX128:
        memcpy(&real, bytes, sizeof real);
        cnx_write_double(out, real);
        break;
    case CNX_TYPE_UINT64:
        cnx_write_format(out, "%llu", (unsigned long long)cnx_element_integer(type, bytes, 0));
        break;
    default:
        if (is_bit_pattern(type))
            cnx_write_format(out, "%u", byte_pattern(bytes, cnx_type_bits(type) < 16 ? 1 : 2));
        else
            cnx_write_format(out, "%lld", (long long)cnx_element_integer(type, bytes, 0));
    }
}

/* Bytes of what is written as one number. */
static unsigned item_size(int32_t type)
{
    unsigned bits = cnx_type_bits(type);
    if (cnx_type_kind_of(type) == CNX_KIND_COMPLEX)
        bits /= 2;
    return bits < 8 ? 1 : bits / 8;
}

typedef struct element_writer {
    cnx_writer *out;
    int32_t type;
} element_writer;

static void write_elements(void *state, const uint8_t *bytes, size_t size, uint64_t offset)
{
    const element_writer *work = state;
    unsigned step = item_size(work->type);
    for (size_t at = 0; at < size; at += step) {
        cnx_write(work->out, offset + at == 0 ? "" : ", ");
        write_element(work->out, work->type, bytes + at);
    }
}

/* What bit patterns mean, when there are few. */
static void note_meaning(cnx_writer *out, cnx_tensor *tensor)
{
    uint8_t moved[2 * CNX_TEXT_FEW];
    if (!is_bit_pattern(tensor->type) || tensor->count > CNX_TEXT_FEW)
        return;
    const uint8_t *bytes = cnx_tensor_bytes(out->model, tensor);
    if (tensor->permutation != NULL) {
        out->reader(out->model, tensor, 0, moved, tensor->size);
        bytes = moved;
    }
    bool integer = cnx_type_kind_of(tensor->type) == CNX_KIND_INTEGER;
    for (uint64_t i = 0; i < tensor->count; i++) {
        char text[32];
        if (integer)
            snprintf(text, sizeof text, "%lld", (long long)cnx_element_integer(tensor->type, bytes, i));
        else
            snprintf(text, sizeof text, "%.5g", cnx_element_float(tensor->type, bytes, i));
        if (i == 0)
            cnx_note(out, text, NULL);
        else {
            cnx_note_bytes(out, ", ", 2);
            cnx_note_bytes(out, text, strlen(text));
        }
    }
}

/* ---- contents ---- */

static void write_strings(cnx_writer *out, const Onnx__TensorProto *proto)
{
    for (size_t i = 0; i < proto->n_string_data; i++) {
        cnx_write(out, i == 0 ? "" : ", ");
        cnx_write_string(out, proto->string_data[i].data, proto->string_data[i].len);
    }
}

static void write_whole(cnx_writer *out, cnx_tensor *tensor)
{
    if (tensor->type == CNX_TYPE_STRING) {
        write_strings(out, tensor->proto);
        return;
    }
    if (out->block == NULL && tensor->permutation != NULL)
        out->block = cnx_alloc(out->scratch, PIECE);
    element_writer work = {out, tensor->type};
    each_piece(out->model, tensor, out->reader, out->block, write_elements, &work);
    note_meaning(out, tensor);
}

static bool is_shown_whole(const cnx_writer *out, const cnx_tensor *tensor)
{
    if (out->weights == CNX_TEXT_VALUES || tensor->count == 0)
        return true;
    cnx_type_kind kind = cnx_type_kind_of(tensor->type);
    bool trained = kind == CNX_KIND_FLOAT || kind == CNX_KIND_COMPLEX;
    return tensor->count <= CNX_TEXT_FEW && !(trained && out->weights == CNX_TEXT_NONE);
}

static void note_digest(cnx_writer *out, cnx_tensor *tensor)
{
    char note[5 + 33] = "xxh3 ";
    cnx_tensor_digest(out->model, tensor, out->reader, note + 5);
    cnx_note(out, note, NULL);
}

static void write_contents(cnx_writer *out, cnx_tensor *tensor)
{
    cnx_write(out, "{");
    if (is_shown_whole(out, tensor))
        write_whole(out, tensor);
    else if (out->weights == CNX_TEXT_DIGEST)
        note_digest(out, tensor);
    cnx_write(out, "}");
}

void cnx_write_tensor(cnx_writer *out, const Onnx__TensorProto *proto, const char *name)
{
    cnx_tensor *tensor = cnx_tensor_of(out->model, proto);
    cnx_write(out, cnx_type_name(tensor->type));
    cnx_write_dims(out, tensor->dims, tensor->rank);
    cnx_write(out, " ");
    if (name != NULL) {
        cnx_write_name(out, name);
        cnx_write(out, " = ");
    }
    write_contents(out, tensor);
    cnx_note_documentation(out, proto->doc_string);
    cnx_note_metadata(out, proto->metadata_props, proto->n_metadata_props);
}

/* The syntax has no sparse tensors. */
void cnx_write_sparse(cnx_writer *out, const Onnx__SparseTensorProto *sparse)
{
    const cnx_tensor *values = cnx_tensor_of(out->model, sparse->values);
    cnx_write_format(out, "sparse_tensor(%s", cnx_type_name(values->type));
    cnx_write_dims(out, sparse->dims, sparse->n_dims);
    cnx_write(out, ") {");
    cnx_write_tensor(out, sparse->values, NULL);
    cnx_write(out, " at ");
    cnx_write_tensor(out, sparse->indices, NULL);
    cnx_write(out, "}");
}
