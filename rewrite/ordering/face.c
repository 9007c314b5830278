/* Faces: the axes of parameter tensors, and reading what they show of the classes on them. */
#include "rewrite/ordering/fingerprint_internal.h"

#include "base/mix.h"
#include "base/wide.h"
#include "onnx/reader.h"
#include "rewrite/digest/hashes.h"
#include "rewrite/permute.h"

#include <stdlib.h>

/* One entry of a tensor, with the tokens of its other coordinates. Two multiplications: this runs once a
 * weight. */
static inline uint64_t entry_hash(uint64_t bits, uint64_t tokens)
{
    uint64_t x = (bits + UINT64_C(0x632be59bd9b4e019)) * UINT64_C(0x9fb21c651e98df25) ^ tokens;
    x ^= x >> 32;
    x *= UINT64_C(0xd6e8feb86659fd93);
    return x ^ (x >> 29);
}

/* ---- reading weights ---- */

/* Weights are read in pieces of about this many bytes, */
#define PIECE ((uint64_t)256 << 10)
/* and by several threads as long as their sums take no more than this. */
#define MOST_SUMS ((uint64_t)16 << 20)

typedef struct face_sums {
    const uint8_t *bytes;
    uint64_t outer; /* entries before the axis, along it, and after it */
    uint64_t extent;
    uint64_t inner;
    const uint64_t *outer_tokens;
    const uint64_t *inner_tokens;
    size_t size; /* of an entry */
    const bool *wanted;
    uint64_t *sums; /* by position */
} face_sums;

/* Entries in a row, hashed with the tokens beside them. */
#define HASH_ENTRIES(name, type)                                                                             \
    CNX_WIDE static void name(const uint8_t *at, uint64_t count, uint64_t outer,                             \
                              const uint64_t *restrict tokens, uint64_t *restrict hashes)                    \
    {                                                                                                        \
        for (uint64_t i = 0; i < count; i++) {                                                               \
            type value;                                                                                      \
            memcpy(&value, at + i * sizeof(type), sizeof(type));                                             \
            hashes[i] = entry_hash((uint64_t)value, outer + tokens[i]);                                      \
        }                                                                                                    \
    }
HASH_ENTRIES(hash_entries_8, uint8_t)
HASH_ENTRIES(hash_entries_16, uint16_t)
HASH_ENTRIES(hash_entries_32, uint32_t)
HASH_ENTRIES(hash_entries_64, uint64_t)

typedef void entry_hasher(const uint8_t *at, uint64_t count, uint64_t outer, const uint64_t *tokens,
                          uint64_t *hashes);

static entry_hasher *hasher(size_t size)
{
    return size == 1   ? hash_entries_8
           : size == 2 ? hash_entries_16
           : size == 4 ? hash_entries_32
                       : hash_entries_64;
}

/* Hashes made at once, to be summed while they are in the nearest cache. */
enum { FEW = 512 };

static uint64_t sum_of(const uint64_t *hashes, uint64_t count)
{
    uint64_t sum = 0;
    for (uint64_t i = 0; i < count; i++)
        sum += hashes[i];
    return sum;
}

/* Adds up what each position has, `inner` hashes. */
CNX_WIDE static void add_short_runs(const uint64_t *restrict hashes, uint64_t positions, uint64_t inner,
                                    uint64_t *restrict sums)
{
    if (inner == 1) { /* a loop of its own, which compilers make wide */
        for (uint64_t k = 0; k < positions; k++)
            sums[k] += hashes[k];
        return;
    }
    for (uint64_t k = 0; k < positions; k++) {
        uint64_t sum = 0;
        for (uint64_t i = 0; i < inner; i++)
            sum += hashes[k * inner + i];
        sums[k] += sum;
    }
}

/* What one position has in one place before the axis: `inner` entries in a row. */
static uint64_t sum_run(const face_sums *f, const uint8_t *at, uint64_t outer)
{
    uint64_t hashes[FEW], sum = 0;
    for (uint64_t i = 0; i < f->inner; i += FEW) {
        uint64_t few = f->inner - i < FEW ? f->inner - i : FEW;
        hasher(f->size)(at + i * f->size, few, outer, f->inner_tokens + i, hashes);
        sum += sum_of(hashes, few);
    }
    return sum;
}

static void sum_long_runs(const face_sums *f)
{
    for (uint64_t o = 0; o < f->outer; o++)
        for (uint64_t k = 0; k < f->extent; k++)
            if (f->wanted[k])
                f->sums[k] +=
                    sum_run(f, f->bytes + (o * f->extent + k) * f->inner * f->size, f->outer_tokens[o]);
}

/* The same where few entries come after the axis: several positions at once, whether they are wanted or not.
 */
static void sum_short_runs(const face_sums *f)
{
    uint64_t tokens[FEW], hashes[FEW], positions = FEW / f->inner;
    for (uint64_t i = 0; i < positions * f->inner; i++)
        tokens[i] = f->inner_tokens[i % f->inner];
    for (uint64_t o = 0; o < f->outer; o++)
        for (uint64_t k = 0; k < f->extent; k += positions) {
            uint64_t few = f->extent - k < positions ? f->extent - k : positions;
            hasher(f->size)(f->bytes + (o * f->extent + k) * f->inner * f->size, few * f->inner,
                            f->outer_tokens[o], tokens, hashes);
            add_short_runs(hashes, few, f->inner, f->sums + k);
        }
}

static void sum_face(const face_sums *f)
{
    enum { SHORT = 32 };
    uint64_t wanted = 0;
    for (uint64_t k = 0; k < f->extent; k++)
        wanted += f->wanted[k];
    if (f->inner < SHORT && wanted > f->extent / 4)
        sum_short_runs(f);
    else
        sum_long_runs(f);
}

/* Sums of the tokens of axes [from, to), for every combination of positions in row-major order. */
static uint64_t *combined_tokens(const cnx_prints *prints, cnx_arena *arena, const cnx_parameter *parameter,
                                 uint32_t from, uint32_t to, uint64_t *count)
{
    const cnx_tensor *tensor = parameter->tensor;
    *count = 1;
    for (uint32_t k = from; k < to; k++)
        *count *= (uint64_t)tensor->dims[k];
    uint64_t *sums = CNX_NEW_ARRAY(arena, uint64_t, *count);
    uint64_t stride = *count;
    for (uint32_t k = from; k < to; k++) {
        const uint64_t *tokens = cnx_axis_tokens(prints, arena, parameter, k);
        uint64_t extent = (uint64_t)tensor->dims[k];
        stride /= extent;
        for (uint64_t i = 0; i < *count; i++)
            sums[i] += tokens[i / stride % extent];
    }
    return sums;
}

/* A face read in pieces, along the axis itself, or, where there is one before it, along that. */
typedef struct face_sweep {
    face_sums whole;
    const cnx_tensor *tensor;
    const cnx_view *view; /* that the tensor lies in, or NULL */
    uint8_t *pieces;      /* by slot: pieces are copied, and multiplied, to here first; NULL: read in place */
    uint64_t *sums;       /* by slot and position */
    bool by_outer;
    uint64_t total; /* positions to go along, */
    uint64_t step;  /* those in a piece, */
    uint64_t each;  /* and the bytes of one */
} face_sweep;

static bool any_wanted(const face_sums *f)
{
    for (uint64_t k = 0; k < f->extent; k++)
        if (f->wanted[k])
            return true;
    return false;
}

static const uint8_t *read_piece(const face_sweep *sweep, uint64_t offset, size_t size, size_t slot)
{
    uint8_t *piece = sweep->pieces + slot * (size_t)(sweep->step * sweep->each);
    const uint8_t *bytes = sweep->whole.bytes;
    cnx_unpermuted from = {.bytes = bytes, .view = sweep->view};
    if (sweep->tensor->permutation != NULL)
        cnx_permuted_reader.read(sweep->tensor, &from, offset, piece, size);
    else
        cnx_view_copy(sweep->view, bytes + offset, size, piece);
    return piece;
}

/* Adds one piece to the sums of its slot, in any thread. */
static void sum_piece(void *state, size_t item, size_t slot)
{
    const face_sweep *sweep = state;
    face_sums piece = sweep->whole;
    uint64_t at = (uint64_t)item * sweep->step;
    uint64_t count = sweep->total - at < sweep->step ? sweep->total - at : sweep->step;
    piece.bytes += at * sweep->each;
    piece.sums = sweep->sums + slot * sweep->whole.extent;
    if (sweep->by_outer) {
        piece.outer = count;
        piece.outer_tokens += at;
    } else {
        piece.extent = count;
        piece.wanted += at;
        piece.sums += at;
    }
    if (!any_wanted(&piece))
        return;
    if (sweep->pieces != NULL)
        piece.bytes = read_piece(sweep, at * sweep->each, (size_t)(count * sweep->each), slot);
    sum_face(&piece);
    if (sweep->pieces == NULL && sweep->view != NULL)
        cnx_view_release(piece.bytes, (size_t)(count * sweep->each));
}

static void nothing(void *state, size_t item, size_t slot)
{
    (void)state, (void)item, (void)slot;
}

/* Sums have no order: whoever is free reads a piece, and the sums of all slots are added up. */
static void sum_pieces(cnx_prints *prints, cnx_arena *scratch, face_sweep *sweep)
{
    uint64_t extent = sweep->whole.extent;
    size_t count = (size_t)((sweep->total + sweep->step - 1) / sweep->step), slots = 1;
    if (count > 1 && prints->lanes == NULL)
        prints->lanes = cnx_lanes_start(prints->arena);
    if (count > 1)
        slots = cnx_lanes_slots(prints->lanes);
    if (slots * extent * sizeof(uint64_t) > MOST_SUMS)
        slots = 1;
    bool copied = sweep->view != NULL && count > 1 && sweep->each <= PIECE;
    if (copied || sweep->tensor->permutation != NULL)
        sweep->pieces = cnx_alloc(scratch, slots * sweep->step * sweep->each);
    sweep->sums = slots > 1 ? CNX_NEW_ARRAY(scratch, uint64_t, slots * extent) : sweep->whole.sums;
    if (slots > 1)
        cnx_lanes_run(prints->lanes, count, sum_piece, nothing, sweep);
    for (size_t item = 0; item < count && slots == 1; item++)
        sum_piece(sweep, item, 0);
    for (uint64_t i = 0; i < slots * extent && slots > 1; i++)
        sweep->whole.sums[i % extent] += sweep->sums[i];
}

static void sum_plain_face(cnx_prints *prints, const cnx_face *face, const bool *wanted, uint64_t *sums)
{
    cnx_tensor *tensor = face->parameter->tensor;
    cnx_model *model = prints->analysis->model;
    cnx_arena *scratch = cnx_arena_create(prints->arena);
    face_sums f = {.bytes = cnx_tensor_bytes(model, tensor), .wanted = wanted, .sums = sums};
    f.extent = (uint64_t)tensor->dims[face->axis];
    f.outer_tokens = combined_tokens(prints, scratch, face->parameter, 0, face->axis, &f.outer);
    f.inner_tokens =
        combined_tokens(prints, scratch, face->parameter, face->axis + 1, tensor->rank, &f.inner);
    f.size = cnx_type_bits(tensor->type) / 8;
    face_sweep sweep = {.whole = f, .tensor = tensor, .by_outer = f.outer > 1};
    sweep.view = cnx_tensor_view(model, tensor);
    sweep.total = sweep.by_outer ? f.outer : f.extent;
    sweep.each = f.inner * f.size * (sweep.by_outer ? f.extent : 1);
    sweep.step = sweep.each >= PIECE ? 1 : PIECE / sweep.each;
    sum_pieces(prints, scratch, &sweep);
    cnx_arena_destroy(scratch);
}

uint64_t cnx_element_bits(const uint8_t *bytes, unsigned bits, uint64_t index)
{
    uint64_t low = 0, high = 0;
    if (bits < 8)
        return (uint64_t)(bytes[index * bits / 8] >> (index * bits % 8)) & ((1u << bits) - 1);
    memcpy(&low, bytes + index * (bits / 8), bits > 64 ? 8 : bits / 8);
    if (bits > 64) {
        memcpy(&high, bytes + index * 16 + 8, 8);
        low = cnx_mix(low) ^ high;
    }
    return low;
}

/* Any tensor, entry by entry: axes that vary over blocks of another axis, and odd element sizes. */
static void sum_any_face(cnx_prints *prints, const cnx_face *face, uint64_t *sums)
{
    cnx_tensor *tensor = face->parameter->tensor;
    cnx_arena *scratch = cnx_arena_create(prints->arena);
    const uint8_t *bytes = cnx_tensor_values(prints->analysis->model, tensor);
    unsigned bits = cnx_type_bits(tensor->type);
    const uint64_t **tokens = CNX_NEW_ARRAY(scratch, const uint64_t *, tensor->rank);
    uint32_t *governor = CNX_NEW_ARRAY(scratch, uint32_t, tensor->rank);
    uint32_t *block = CNX_NEW_ARRAY(scratch, uint32_t, tensor->rank);
    uint64_t *position = CNX_NEW_ARRAY(scratch, uint64_t, tensor->rank);
    for (uint32_t k = 0; k < tensor->rank; k++) {
        tokens[k] = cnx_axis_tokens(prints, scratch, face->parameter, k);
        (void)cnx_find_governor(face->parameter, k, &governor[k], &block[k]);
    }
    for (uint64_t e = 0; e < tensor->count; e++) {
        uint64_t others = 0, own = 0;
        for (uint32_t k = 0; k < tensor->rank; k++) {
            uint64_t at = position[k];
            if (governor[k] != CNX_NONE)
                at += position[governor[k]] / block[k] * (uint64_t)tensor->dims[k];
            if (k == face->axis)
                own = at;
            else
                others += tokens[k][at];
        }
        sums[own] += entry_hash(cnx_element_bits(bytes, bits, e), others);
        for (uint32_t k = tensor->rank; k-- > 0;) {
            if (++position[k] < (uint64_t)tensor->dims[k])
                break;
            position[k] = 0;
        }
    }
    cnx_arena_destroy(scratch);
}

static bool is_plain(const cnx_parameter *parameter)
{
    unsigned bits = cnx_type_bits(parameter->tensor->type);
    if (bits != 8 && bits != 16 && bits != 32 && bits != 64)
        return false;
    for (uint32_t k = 0; k < parameter->tensor->rank; k++) {
        const cnx_labels *labels = cnx_parameter_labels(parameter, k);
        if (labels != NULL && labels->over != NULL)
            return false;
    }
    return true;
}

/* Calls `visit` for the class of a point and for every block that holds the point or a twin of it; `role`
 * tells which of these it is. */
static void for_each_holder(const cnx_prints *prints, uint32_t point,
                            void (*visit)(void *state, uint32_t class, uint64_t role), void *state)
{
    const cnx_cells *cells = prints->cells;
    uint32_t twin = cells->twin_of[point];
    visit(state, cells->class_of[point], 0);
    for (uint32_t e = cells->parent_start[twin]; e < cells->parent_start[twin + 1]; e++)
        visit(state, cells->class_of[cells->parent_point[e]], UINT64_C(0x626c6f636b));
}

typedef struct reading {
    cnx_prints *prints;
    bool wanted;
    uint64_t shown; /* what the face shows of the position at hand */
} reading;

static void want_tied(void *state, uint32_t class, uint64_t role)
{
    reading *r = state;
    (void)role;
    r->wanted = r->wanted || r->prints->tied[class];
}

static void add_to_tied(void *state, uint32_t class, uint64_t role)
{
    reading *r = state;
    if (r->prints->tied[class])
        r->prints->print[class] += cnx_mix(r->shown + role);
}

static void renew_tied(void *state, uint32_t class, uint64_t role)
{
    reading *r = state;
    (void)role;
    if (!r->prints->tied[class])
        return;
    uint32_t cell = r->prints->cells->cell_of[class];
    cnx_set_token(r->prints, class);
    cnx_set_stale(r->prints, cell);
    r->prints->used_print[cell] = true;
}

void cnx_read_face(cnx_prints *prints, const cnx_face *face)
{
    cnx_arena *scratch = cnx_arena_create(prints->arena);
    const cnx_sequence *sequence = cnx_parameter_labels(face->parameter, face->axis)->sequence;
    uint64_t *sums = CNX_NEW_ARRAY(scratch, uint64_t, sequence->count);
    uint64_t *shown = CNX_NEW_ARRAY(scratch, uint64_t, sequence->count);
    bool *wanted = CNX_NEW_ARRAY(scratch, bool, sequence->count);
    const uint64_t *tokens = cnx_axis_tokens(prints, scratch, face->parameter, face->axis);
    uint64_t wanted_count = 0;
    reading r = {.prints = prints};
    for (uint32_t i = 0; i < sequence->count; i++) {
        r.wanted = false;
        for_each_holder(prints, sequence->points[i], want_tied, &r);
        wanted[i] = r.wanted;
        wanted_count += r.wanted;
    }
    prints->bytes_read += face->parameter->tensor->size / sequence->count * wanted_count;
    if (is_plain(face->parameter))
        sum_plain_face(prints, face, wanted, sums);
    else
        sum_any_face(prints, face, sums);
    for (uint32_t i = 0; i < sequence->count; i++) /* all positions are read before any token changes */
        if (wanted[i])
            shown[i] = cnx_mix(cnx_mix(sums[i] ^ tokens[i]) + face->role);
    for (uint32_t i = 0; i < sequence->count; i++) {
        r.shown = shown[i];
        if (wanted[i])
            for_each_holder(prints, sequence->points[i], add_to_tied, &r);
    }
    for (uint32_t i = 0; i < sequence->count; i++)
        if (wanted[i])
            for_each_holder(prints, sequence->points[i], renew_tied, &r);
    cnx_arena_destroy(scratch);
}

/* ---- which faces there are ---- */

bool cnx_face_is_tied(const cnx_prints *prints, const cnx_face *face)
{
    const cnx_cells *cells = prints->cells;
    const cnx_sequence *sequence = cnx_parameter_labels(face->parameter, face->axis)->sequence;
    for (uint32_t i = 0; i < sequence->count; i++) {
        uint32_t twin = cells->twin_of[sequence->points[i]];
        if (prints->tied[cells->class_of[sequence->points[i]]])
            return true;
        for (uint32_t e = cells->parent_start[twin]; e < cells->parent_start[twin + 1]; e++)
            if (prints->tied[cells->class_of[cells->parent_point[e]]])
                return true;
    }
    return false;
}

static int compare_faces(const void *a, const void *b)
{
    const cnx_face *x = a, *y = b;
    uint64_t left = x->parameter->tensor->count, right = y->parameter->tensor->count;
    if (left != right)
        return left < right ? -1 : 1;
    return (x->number > y->number) - (x->number < y->number);
}

/* The value of a nested graph that captures `value` and is needed there, or CNX_NONE. */
static uint32_t find_capture(const cnx_graph *nested, uint32_t value)
{
    for (uint32_t v = 0; v < nested->value_count; v++)
        if (nested->values[v].captured_from == value &&
            (nested->values[v].use_count != 0 || nested->values[v].is_output))
            return v;
    return CNX_NONE;
}

const cnx_node *cnx_first_reader(const cnx_parameter *parameter, uint32_t *slot)
{
    const cnx_graph *graph = parameter->graph;
    uint32_t value = parameter->value;
    const cnx_node *reader = NULL;
    *slot = CNX_NONE;
    while (graph != NULL && graph->values[value].use_count != 0) {
        const cnx_use *use = &graph->values[value].uses[0];
        reader = &graph->nodes[use->node];
        *slot = use->slot;
        graph = NULL;
        for (uint32_t k = 0; use->slot == CNX_NONE && k < reader->subgraph_count && graph == NULL; k++) {
            uint32_t inside = find_capture(reader->subgraphs[k].graph, value);
            if (inside == CNX_NONE)
                continue;
            graph = reader->subgraphs[k].graph;
            value = inside;
        }
    }
    return reader;
}

static uint64_t role_of(const cnx_parameter *parameter, uint32_t axis)
{
    uint64_t role = cnx_mix(axis + UINT64_C(64) * parameter->tensor->rank);
    uint32_t slot;
    const cnx_node *reader = cnx_first_reader(parameter, &slot);
    if (reader == NULL)
        return role;
    /* The order of a commutative operator's inputs comes from all that is above it. */
    slot = cnx_node_commutes(reader) ? 0 : slot;
    for (const char *letter = reader->op_type; *letter != '\0'; letter++)
        role = cnx_mix(role ^ (uint8_t)*letter);
    return cnx_mix(role + slot);
}

void cnx_list_faces(cnx_prints *prints)
{
    size_t capacity = 0;
    for (size_t p = 0; p < prints->analysis->parameter_count; p++) {
        const cnx_parameter *parameter = &prints->analysis->parameters[p];
        for (uint32_t k = 0; k < parameter->tensor->rank && !parameter->again; k++) {
            if (cnx_parameter_labels(parameter, k) == NULL)
                continue;
            cnx_face face = {.parameter = parameter, .axis = k, .number = (uint32_t)prints->face_count};
            face.role = role_of(parameter, k);
            CNX_PUSH(prints->arena, prints->faces, prints->face_count, capacity, face);
        }
    }
    if (prints->face_count != 0)
        qsort(prints->faces, prints->face_count, sizeof *prints->faces, compare_faces);
}
