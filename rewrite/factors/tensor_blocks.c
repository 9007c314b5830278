#include "rewrite/factors/tensor_blocks.h"

#include "onnx/element.h"
#include "rewrite/permute.h"

enum { BLOCK = 1 << 18 };

typedef struct block_reader {
    const cnx_tensor *tensor;
    cnx_unpermuted from;
    size_t room;     /* of one block, when it has to be made */
    uint8_t *blocks; /* by slot */
    bool wide;
    cnx_tensor plain; /* the tensor without its factors, when it is read wide, and its room for that */
    size_t plain_room;
    uint8_t *plain_blocks; /* by slot */
    cnx_block_function use;
    void *state;
} block_reader;

uint64_t cnx_block_length(const cnx_tensor *tensor)
{
    return BLOCK / (cnx_type_bits(tensor->type) / 8);
}

/* Elements of the tensor, or of it without its factors: into `room`, or where they are. */
static const uint8_t *read_elements(const block_reader *r, const cnx_tensor *tensor, uint64_t offset,
                                    size_t size, uint8_t *room, bool *exact)
{
    if (tensor->permutation != NULL)
        *exact = cnx_read_permuted(tensor, &r->from, offset, room, size);
    else if (r->from.view != NULL)
        cnx_view_copy(r->from.view, r->from.bytes + offset, size, room);
    else
        return r->from.bytes + offset;
    return room;
}

/* The same without factors, as doubles, then multiplied. */
static void read_wide(const block_reader *r, cnx_tensor_block *block, uint64_t each)
{
    double *values = (double *)(void *)(r->blocks + block->slot * r->room);
    size_t count = (size_t)block->count;
    const uint8_t *plain = read_elements(r, &r->plain, block->first * each, count * each,
                                         r->plain_blocks + block->slot * r->plain_room, &block->exact);
    cnx_elements_read(r->tensor->type, plain, 0, count, values);
    cnx_tensor wide = *r->tensor;
    wide.type = CNX_TYPE_DOUBLE;
    if (wide.permutation != NULL && wide.permutation->factors != NULL)
        block->exact = cnx_multiply_by_factors(&wide, block->first * sizeof *values, (uint8_t *)values,
                                               count * sizeof *values);
    block->bytes = (const uint8_t *)values;
    block->type = CNX_TYPE_DOUBLE;
}

/* Runs in any thread. */
static void read_block(void *state, size_t item, size_t slot)
{
    const block_reader *r = state;
    uint64_t each = cnx_type_bits(r->tensor->type) / 8, length = cnx_block_length(r->tensor);
    cnx_tensor_block block = {
        .first = (uint64_t)item * length, .slot = slot, .type = r->tensor->type, .exact = true};
    block.count = r->tensor->count - block.first < length ? r->tensor->count - block.first : length;
    if (r->wide)
        read_wide(r, &block, each);
    else
        block.bytes = read_elements(r, r->tensor, block.first * each, (size_t)(block.count * each),
                                    r->blocks + slot * r->room, &block.exact);
    r->use(r->state, &block);
}

static void nothing(void *state, size_t item, size_t slot)
{
    (void)state, (void)item, (void)slot;
}

/* Makes room for reading wide. */
static void widen(block_reader *r, cnx_arena *scratch, size_t slots)
{
    uint64_t most = cnx_block_length(r->tensor);
    size_t count = (size_t)(r->tensor->count < most ? r->tensor->count : most);
    r->plain = *r->tensor;
    if (r->plain.permutation != NULL) {
        struct cnx_permutation *moves = CNX_NEW(scratch, struct cnx_permutation);
        *moves = *r->plain.permutation;
        moves->factors = NULL;
        moves->lost = NULL;
        r->plain.permutation = moves;
    }
    r->wide = true;
    r->room = count * sizeof(double);
    r->plain_room = count * (cnx_type_bits(r->tensor->type) / 8);
    r->plain_blocks = cnx_alloc(scratch, slots * r->plain_room);
}

void cnx_read_blocks(cnx_arena *arena, cnx_model *model, cnx_tensor *tensor, cnx_lanes *lanes, bool wide,
                     cnx_block_function use, void *state)
{
    cnx_arena *scratch = cnx_arena_create(arena);
    block_reader r = {.tensor = tensor, .use = use, .state = state};
    size_t slots = lanes != NULL ? cnx_lanes_slots(lanes) : 1;
    uint64_t length = cnx_block_length(tensor);
    size_t count = (size_t)((tensor->count + length - 1) / length);
    r.from.bytes = count != 0 ? cnx_tensor_bytes(model, tensor) : NULL;
    r.from.view = count != 0 ? cnx_tensor_view(model, tensor) : NULL;
    if (wide)
        widen(&r, scratch, slots);
    else if (tensor->permutation != NULL || r.from.view != NULL)
        r.room = count > 1 ? BLOCK : (size_t)(tensor->count * (cnx_type_bits(tensor->type) / 8));
    r.blocks = cnx_alloc(scratch, slots * r.room);
    if (lanes != NULL)
        cnx_lanes_run(lanes, count, read_block, nothing, &r);
    for (size_t item = 0; item < count && lanes == NULL; item++)
        read_block(&r, item, 0);
    cnx_arena_destroy(scratch);
}
