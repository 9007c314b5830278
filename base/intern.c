#include "base/intern.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

typedef struct cnx_intern_entry {
    uint64_t hash;
    const void *bytes;
    size_t size;
} cnx_intern_entry;

/* Where a table is large, each look into an entry waits for memory: the tag tells most strangers before. */
typedef struct cnx_intern_slot {
    uint32_t number; /* plus 1; 0: empty */
    uint32_t tag;    /* the upper half of the hash */
} cnx_intern_slot;

static uint32_t tag_of(uint64_t hash)
{
    return (uint32_t)(hash >> 32);
}

void cnx_intern_init(cnx_intern *table, cnx_arena *arena)
{
    *table = (cnx_intern){.arena = arena};
}

/* The slot that holds the bytes, or the empty slot where they belong. */
static size_t find_slot(const cnx_intern *table, uint64_t hash, const void *bytes, size_t size)
{
    size_t mask = table->slot_count - 1;
    size_t slot = (size_t)hash & mask;
    for (; table->slots[slot].number != 0; slot = (slot + 1) & mask) {
        if (table->slots[slot].tag != tag_of(hash))
            continue;
        const cnx_intern_entry *entry = &table->entries[table->slots[slot].number - 1];
        if (entry->hash == hash && entry->size == size && memcmp(entry->bytes, bytes, size) == 0)
            break;
    }
    return slot;
}

static void enlarge(cnx_intern *table)
{
    table->slot_count = table->slot_count == 0 ? 32 : table->slot_count * 2;
    table->slots = CNX_NEW_ARRAY(table->arena, cnx_intern_slot, table->slot_count);
    for (size_t i = 0; i < table->count; i++) {
        uint64_t hash = table->entries[i].hash;
        size_t slot = (size_t)hash & (table->slot_count - 1);
        while (table->slots[slot].number != 0)
            slot = (slot + 1) & (table->slot_count - 1);
        table->slots[slot] = (cnx_intern_slot){(uint32_t)i + 1, tag_of(hash)};
    }
}

uint32_t cnx_intern_add(cnx_intern *table, const void *bytes, size_t size)
{
    if (2 * (table->count + 1) > table->slot_count)
        enlarge(table);
    uint64_t hash = XXH3_64bits(bytes, size);
    size_t slot = find_slot(table, hash, bytes, size);
    if (table->slots[slot].number != 0)
        return table->slots[slot].number - 1;
    if (table->count >= CNX_NONE - 1)
        cnx_fail(table->arena, CNX_ERROR_LIMIT, NULL, "more than %u distinct names", CNX_NONE - 1);
    char *copy = cnx_alloc(table->arena, size + 1);
    if (size != 0)
        memcpy(copy, bytes, size);
    cnx_intern_entry entry = {.hash = hash, .bytes = copy, .size = size};
    CNX_PUSH(table->arena, table->entries, table->count, table->capacity, entry);
    table->slots[slot] = (cnx_intern_slot){(uint32_t)table->count, tag_of(hash)};
    return (uint32_t)table->count - 1;
}

uint32_t cnx_intern_find(const cnx_intern *table, const void *bytes, size_t size)
{
    if (table->slot_count == 0)
        return CNX_NONE;
    size_t slot = find_slot(table, XXH3_64bits(bytes, size), bytes, size);
    return table->slots[slot].number == 0 ? CNX_NONE : table->slots[slot].number - 1;
}

const void *cnx_intern_bytes(const cnx_intern *table, uint32_t number, size_t *size)
{
    if (size != NULL)
        *size = table->entries[number].size;
    return table->entries[number].bytes;
}
