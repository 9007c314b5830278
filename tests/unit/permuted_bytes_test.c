/* Permuted tensors against the definition in rewrite/permute.h, element by element: all element sizes, axes
 * that move in units, axes that vary over the blocks of an earlier or a later one, and any part of the
 * result. */
#include "fixture.h"
#include "rewrite/gather.h"
#include "rewrite/permute.h"

enum { RANK = 3 };

static uint64_t random_state = 1;

static uint32_t random_below(uint32_t limit)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(random_state >> 33) % limit;
}

static uint32_t *random_order(cnx_arena *arena, uint32_t count, uint32_t blocks)
{
    uint32_t *order = CNX_NEW_ARRAY(arena, uint32_t, (size_t)count * blocks);
    for (uint32_t b = 0; b < blocks; b++) {
        uint32_t *part = order + (size_t)b * count;
        for (uint32_t i = 0; i < count; i++)
            part[i] = i;
        for (uint32_t i = count; i > 1; i--) {
            uint32_t other = random_below(i), kept = part[other];
            part[other] = part[i - 1];
            part[i - 1] = kept;
        }
    }
    return order;
}

static uint64_t get_element(const uint8_t *bytes, unsigned bits, uint64_t index)
{
    uint64_t value = 0;
    if (bits < 8)
        return (uint64_t)(bytes[index * bits / 8] >> (index * bits % 8)) & ((1u << bits) - 1);
    memcpy(&value, bytes + index * (bits / 8), bits / 8);
    return value;
}

/* The element that the definition puts at a position. */
static uint64_t source_of(const cnx_tensor *tensor, const uint64_t *position)
{
    uint64_t element = 0;
    for (uint32_t k = 0; k < RANK; k++) {
        const cnx_axis_permutation *axis = &tensor->permutation->axes[k];
        uint64_t extent = (uint64_t)tensor->dims[k], at = position[k];
        if (axis->source != NULL && axis->governor != CNX_NONE)
            at = axis->source[position[axis->governor] / axis->block * extent + at];
        else if (axis->source != NULL)
            at = (uint64_t)axis->source[at / axis->unit] * axis->unit + at % axis->unit;
        element = element * extent + at;
    }
    return element;
}

static void check(const cnx_tensor *tensor, const uint8_t *bytes, const uint8_t *result)
{
    unsigned bits = cnx_type_bits(tensor->type);
    uint64_t position[RANK] = {0};
    for (uint64_t i = 0; i < tensor->count; i++) {
        uint64_t rest = i;
        for (uint32_t k = RANK; k-- > 0; rest /= (uint64_t)tensor->dims[k])
            position[k] = rest % (uint64_t)tensor->dims[k];
        assert_true(get_element(result, bits, i) == get_element(bytes, bits, source_of(tensor, position)));
    }
}

/* Reads the tensor in pieces of random sizes, from memory, and through room for one row or for several. */
static void read_all(cnx_arena *arena, const cnx_tensor *tensor, const uint8_t *bytes)
{
    static const uint64_t rows[] = {0, 1, CNX_GATHERED_ROWS};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        cnx_unpermuted from = {.bytes = bytes};
        from.room_size = rows[i] * cnx_permuted_reader.row_size(tensor);
        from.room = cnx_alloc(arena, from.room_size);
        uint8_t *result = cnx_alloc(arena, tensor->size);
        for (uint64_t offset = 0; offset < tensor->size;) {
            uint64_t size = 1 + random_below((uint32_t)tensor->size);
            size = size < tensor->size - offset ? size : tensor->size - offset;
            cnx_permuted_reader.read(tensor, &from, offset, result + offset, (size_t)size);
            offset += size;
        }
        check(tensor, bytes, result);
    }
}

static void permute_randomly(cnx_arena *arena, const cnx_tensor *tensor, struct cnx_permutation *made)
{
    bool governs[RANK] = {false};
    uint32_t governor = random_below(2 * RANK), governed = random_below(RANK);
    for (uint32_t k = 0; k < RANK; k++)
        made->axes[k] = (cnx_axis_permutation){.governor = CNX_NONE, .block = 1, .unit = 1};
    if (governor < RANK && governor != governed) {
        cnx_axis_permutation *axis = &made->axes[governed];
        uint32_t blocks = random_below(2) ? 2 : (uint32_t)tensor->dims[governor];
        axis->governor = governor;
        axis->block = (uint32_t)tensor->dims[governor] / blocks;
        axis->source = random_order(arena, (uint32_t)tensor->dims[governed], blocks);
        made->last = governor > governed ? governor : governed;
        governs[governor] = true;
    }
    for (uint32_t k = 0; k < RANK; k++) {
        cnx_axis_permutation *axis = &made->axes[k];
        if (axis->source != NULL || random_below(2))
            continue;
        axis->unit = !governs[k] && random_below(2) ? 2 : 1;
        axis->source = random_order(arena, (uint32_t)tensor->dims[k] / axis->unit, 1);
        made->last = k > made->last ? k : made->last;
    }
}

static void test_definition(void **state)
{
    (void)state;
    static const int32_t types[] = {CNX_TYPE_FLOAT,  CNX_TYPE_FLOAT16, CNX_TYPE_UINT8,
                                    CNX_TYPE_DOUBLE, CNX_TYPE_INT4,    CNX_TYPE_UINT2};
    for (unsigned round = 0; round < 2000; round++) {
        cnx_arena *arena = cnx_arena_create(NULL);
        cnx_axis_permutation axes[RANK];
        struct cnx_permutation made = {.axes = axes};
        int64_t dims[RANK];
        cnx_tensor tensor = {.rank = RANK, .dims = dims, .count = 1, .permutation = &made};
        tensor.type = types[random_below(sizeof types / sizeof *types)];
        for (uint32_t k = 0; k < RANK; k++) {
            dims[k] = 2 + 2 * (int64_t)random_below(k + 1 < RANK ? 4 : 13);
            tensor.count *= (uint64_t)dims[k];
        }
        tensor.size = (tensor.count * cnx_type_bits(tensor.type) + 7) / 8;
        uint8_t *bytes = cnx_alloc(arena, tensor.size);
        for (uint64_t i = 0; i < tensor.size; i++)
            bytes[i] = (uint8_t)random_below(256);
        permute_randomly(arena, &tensor, &made);
        read_all(arena, &tensor, bytes);
        cnx_arena_destroy(arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_definition),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
