#include "rewrite/exactness.h"

#include "onnx/mapping.h"
#include "rewrite/permute.h"

#include <math.h>

/* Whether every element is zero, or a number with all of its bits: finite and not subnormal. */
static bool has_room(const uint8_t *bytes, int32_t type, uint64_t count)
{
    uint64_t trouble = 0;
    for (uint64_t i = 0; i < count && type == CNX_TYPE_FLOAT; i++) {
        uint32_t bits;
        memcpy(&bits, bytes + i * sizeof bits, sizeof bits);
        bits &= 0x7fffffff;
        trouble += (bits != 0) & (bits - 0x00800000u >= 0x7f000000u);
    }
    for (uint64_t i = 0; i < count && type == CNX_TYPE_DOUBLE; i++) {
        double value;
        memcpy(&value, bytes + i * sizeof value, sizeof value);
        trouble += value != 0 && !isnormal(value);
    }
    for (uint64_t i = 0; i < count && type == CNX_TYPE_BFLOAT16; i++) {
        unsigned bits = (unsigned)(bytes[2 * i + 1] & 0x7f) << 8 | bytes[2 * i];
        trouble += bits != 0 && (bits < 0x80 || bits >= 0x7f80);
    }
    return trouble == 0;
}

bool cnx_has_room(cnx_arena *arena, cnx_model *model, cnx_tensor *tensor)
{
    enum { BLOCK = 1 << 18 };
    cnx_arena *scratch = cnx_arena_create(arena);
    uint8_t *block = cnx_alloc(scratch, BLOCK);
    bool mapped = cnx_tensor_is_view(model, tensor), exact = true;
    for (uint64_t offset = 0, size; offset < tensor->size && exact; offset += size) {
        size = tensor->size - offset < BLOCK ? tensor->size - offset : BLOCK;
        const uint8_t *stored = cnx_tensor_bytes(model, tensor) + offset;
        if (mapped)
            cnx_view_prefetch(stored, size);
        cnx_tensor_read(model, tensor, offset, block, size);
        if (mapped)
            cnx_view_release(stored, size);
        exact = has_room(block, tensor->type, size * 8 / cnx_type_bits(tensor->type));
    }
    cnx_arena_destroy(scratch);
    return exact;
}
