#include "rewrite/factors/tensor_blocks.h"

#include "rewrite/permute.h"

enum { BLOCK = 1 << 18 };

typedef struct block_reader {
    const cnx_tensor *tensor;
    cnx_unpermuted from;
    size_t room;     /* of one block, when it has to be made */
    uint8_t *blocks; /* by slot */
    cnx_block_function use;
    void *state;
} block_reader;

uint64_t cnx_block_length(const cnx_tensor *tensor)
{
    return BLOCK / (cnx_type_bits(tensor->type) / 8);
}

/* Runs in any thread. */
static void read_block(void *state, size_t item, size_t slot)
{
    const block_reader *r = state;
    uint64_t each = cnx_type_bits(r->tensor->type) / 8, length = cnx_block_length(r->tensor);
    cnx_tensor_block block = {.first = (uint64_t)item * length, .slot = slot, .exact = true};
    uint8_t *bytes = r->blocks + slot * r->room;
    uint64_t offset = block.first * each;
    block.bytes = bytes;
    block.count = r->tensor->count - block.first < length ? r->tensor->count - block.first : length;
    size_t size = (size_t)(block.count * each);
    if (r->tensor->permutation != NULL)
        block.exact = cnx_read_permuted(r->tensor, &r->from, offset, bytes, size);
    else if (r->from.view != NULL)
        cnx_view_copy(r->from.view, r->from.bytes + offset, size, bytes);
    else
        block.bytes = r->from.bytes + offset;
    r->use(r->state, &block);
}

static void nothing(void *state, size_t item, size_t slot)
{
    (void)state, (void)item, (void)slot;
}

void cnx_read_blocks(cnx_arena *arena, cnx_model *model, cnx_tensor *tensor, cnx_lanes *lanes,
                     cnx_block_function use, void *state)
{
    cnx_arena *scratch = cnx_arena_create(arena);
    block_reader r = {.tensor = tensor, .use = use, .state = state};
    uint64_t length = cnx_block_length(tensor);
    size_t count = (size_t)((tensor->count + length - 1) / length);
    r.from.bytes = count != 0 ? cnx_tensor_bytes(model, tensor) : NULL;
    r.from.view = count != 0 ? cnx_tensor_view(model, tensor) : NULL;
    if (tensor->permutation != NULL || r.from.view != NULL)
        r.room = count > 1 ? BLOCK : (size_t)(tensor->count * (cnx_type_bits(tensor->type) / 8));
    r.blocks = cnx_alloc(scratch, (lanes != NULL ? cnx_lanes_slots(lanes) : 1) * r.room);
    if (lanes != NULL)
        cnx_lanes_run(lanes, count, read_block, nothing, &r);
    for (size_t item = 0; item < count && lanes == NULL; item++)
        read_block(&r, item, 0);
    cnx_arena_destroy(scratch);
}
