#include "rewrite/digest/digest.h"

#include "onnx/mapping.h"
#include "rewrite/format.h"
#include "rewrite/permute.h"

#include <xxhash.h>
#if defined(__x86_64__) && __has_include(<xxh_x86dispatch.h>)
#include <xxh_x86dispatch.h> /* the same functions, made for the processor that the program runs on */
#endif

/* Tensors are fed in pieces of this size; a mapped one is let go of every now and then. */
#define BLOCK ((size_t)1 << 20)
#define LET_GO ((size_t)16 << 20)

struct cnx_digest {
    cnx_arena *arena;
    XXH3_state_t *state;
    uint8_t *block; /* made when the first permuted tensor is fed */
};

static void free_state(void *state)
{
    XXH3_freeState(state);
}

cnx_digest *cnx_digest_create(cnx_arena *arena)
{
    cnx_digest *digest = CNX_NEW(arena, cnx_digest);
    digest->arena = arena;
    digest->state = XXH3_createState(); /* wants more alignment than an arena gives */
    if (digest->state == NULL)
        cnx_fail(arena, CNX_ERROR_MEMORY, NULL, "out of memory");
    cnx_defer(arena, free_state, digest->state);
    cnx_digest_reset(digest);
    return digest;
}

void cnx_digest_reset(cnx_digest *digest)
{
    XXH3_128bits_reset_withSeed(digest->state, CNX_FORMAT_VERSION);
}

void cnx_digest_begin(cnx_digest *digest, uint64_t about)
{
    cnx_digest_reset(digest);
    cnx_digest_number(digest, about);
}

void cnx_digest_bytes(cnx_digest *digest, const void *bytes, size_t size)
{
    XXH3_128bits_update(digest->state, bytes, size);
}

void cnx_digest_number(cnx_digest *digest, uint64_t number)
{
    uint8_t bytes[8];
    for (unsigned i = 0; i < 8; i++)
        bytes[i] = (uint8_t)(number >> (8 * i));
    cnx_digest_bytes(digest, bytes, sizeof bytes);
}

void cnx_digest_text(cnx_digest *digest, const char *text)
{
    size_t size = text != NULL ? strlen(text) : 0;
    cnx_digest_number(digest, size);
    if (size != 0)
        cnx_digest_bytes(digest, text, size);
}

void cnx_digest_add(cnx_digest *digest, const cnx_digest_value *value)
{
    cnx_digest_bytes(digest, value->bytes, sizeof value->bytes);
}

void cnx_digest_message(cnx_digest *digest, const ProtobufCMessage *message)
{
    cnx_arena *scratch = cnx_arena_create(digest->arena);
    uint64_t size;
    const uint8_t *bytes = cnx_wire_pack(scratch, message, &size);
    cnx_digest_number(digest, size);
    cnx_digest_bytes(digest, bytes, (size_t)size);
    cnx_arena_destroy(scratch);
}

void cnx_digest_shape(cnx_digest *digest, const cnx_tensor *tensor)
{
    cnx_digest_number(digest, (uint64_t)tensor->type);
    cnx_digest_number(digest, tensor->rank);
    for (uint32_t i = 0; i < tensor->rank; i++)
        cnx_digest_number(digest, (uint64_t)tensor->dims[i]);
}

static void feed_strings(cnx_digest *digest, const cnx_tensor *tensor)
{
    for (size_t i = 0; i < tensor->proto->n_string_data; i++) {
        ProtobufCBinaryData text = tensor->proto->string_data[i];
        cnx_digest_number(digest, text.len);
        if (text.len != 0)
            cnx_digest_bytes(digest, text.data, text.len);
    }
}

void cnx_digest_elements(cnx_digest *digest, cnx_model *model, cnx_tensor *tensor)
{
    if (tensor->type == CNX_TYPE_STRING) {
        feed_strings(digest, tensor);
        return;
    }
    const uint8_t *bytes = tensor->size != 0 ? cnx_tensor_bytes(model, tensor) : NULL;
    bool mapped = cnx_tensor_is_view(model, tensor);
    if (tensor->permutation != NULL && digest->block == NULL)
        digest->block = cnx_alloc(digest->arena, BLOCK);
    for (uint64_t offset = 0; offset < tensor->size;) {
        uint64_t left = tensor->size - offset;
        size_t size = left < BLOCK ? (size_t)left : BLOCK;
        if (tensor->permutation != NULL)
            cnx_tensor_read(model, tensor, offset, digest->block, size);
        cnx_digest_bytes(digest, tensor->permutation != NULL ? digest->block : bytes + offset, size);
        offset += size;
        if (mapped && (offset % LET_GO == 0 || offset == tensor->size))
            cnx_view_release(bytes, tensor->size); /* memory stays bounded */
    }
}

cnx_digest_value cnx_digest_get(const cnx_digest *digest)
{
    XXH128_canonical_t canonical;
    cnx_digest_value value;
    XXH128_canonicalFromHash(&canonical, XXH3_128bits_digest(digest->state));
    memcpy(value.bytes, canonical.digest, sizeof value.bytes);
    return value;
}

void cnx_digest_print(const cnx_digest *digest, char text[33])
{
    cnx_digest_value value = cnx_digest_get(digest);
    for (size_t i = 0; i < sizeof value.bytes; i++)
        snprintf(text + 2 * i, 3, "%02x", value.bytes[i]);
}

int cnx_digest_compare(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(cnx_digest_value));
}
