/* Fingerprints by colour refinement on the weights.
 *
 * The structure of the points is the same for all equivalent models; only the weights sit at other positions.
 * So the members of a cell have to be told apart by weights, in a way that does not depend on where they sit
 * now:
 *
 *   token of a position  = hash(how its copy occurs in the graph, tokens of the blocks it lies in, token of
 * its class) print of a class    += hash(face, sum over the entries of its slice of hash(bits of the entry,
 * tokens of the entry's other coordinates))
 *
 * where a face is an axis of a parameter tensor. Sums do not know an order. A token changes when its class's
 * print does, so differences travel along the graph, round after round, until nothing splits any more. This
 * is the refinement that graph canonical labelling starts from (McKay and Piperno, Practical graph
 * isomorphism II, 2014).
 *
 * Only tied classes are refined, faces of small tensors go first, and a cell that is told apart is left
 * alone. In most models biases do nearly everything.
 */
#include "rewrite/fingerprint.h"

#include "base/mix.h"
#include "onnx/mapping.h"

#include <stdlib.h>

typedef struct cnx_face {
    const cnx_parameter *parameter;
    uint32_t axis;
    uint32_t number; /* in order of parameters and axes */
    uint64_t role;   /* hash of the operator that reads the tensor, of where, and of the axis */
} cnx_face;

/* One entry of a tensor, with the tokens of its other coordinates. Two multiplications: this runs once a
 * weight. */
static inline uint64_t entry_hash(uint64_t bits, uint64_t tokens)
{
    uint64_t x = (bits + UINT64_C(0x632be59bd9b4e019)) * UINT64_C(0x9fb21c651e98df25) ^ tokens;
    x ^= x >> 32;
    x *= UINT64_C(0xd6e8feb86659fd93);
    return x ^ (x >> 29);
}

/* ---- tokens ---- */

static void set_token(cnx_prints *prints, uint32_t class)
{
    prints->token[class] = cnx_mix(cnx_mix(prints->bias[class]) ^ prints->print[class]);
}

static uint32_t outermost_cell(const cnx_cells *cells, uint32_t class)
{
    while (cells->home[class] != CNX_NONE)
        class = cells->home[class];
    return cells->cell_of[class];
}

/* What tells one copy of a class on an axis from its other copies there: how it occurs in the graph, and its
 * blocks. */
static uint64_t copy_token(const cnx_prints *prints, uint32_t point)
{
    const cnx_cells *cells = prints->cells;
    uint64_t key = cells->occurrence[point];
    uint32_t twin = cells->twin_of[point];
    for (uint32_t e = cells->parent_start[twin]; e < cells->parent_start[twin + 1]; e++)
        key += cnx_mix(prints->token[cells->class_of[cells->parent_point[e]]] ^
                       cnx_mix(cells->parent_relation[e]));
    return cnx_mix(key);
}

/* The blocks of an only copy, whatever they are called. */
static uint64_t block_token(const cnx_prints *prints, uint32_t point)
{
    const cnx_cells *cells = prints->cells;
    uint64_t key = 0;
    uint32_t twin = cells->twin_of[point];
    for (uint32_t e = cells->parent_start[twin]; e < cells->parent_start[twin + 1]; e++) {
        uint32_t block = cells->class_of[cells->parent_point[e]];
        key += cells->cell_of[block] != CNX_NONE ? cnx_mix(prints->token[block]) : 0;
    }
    return cnx_mix(key);
}

/* Whether a copy lies in a block that may move. A class may be pinned and have one copy in each such block.
 */
static bool is_carried(const cnx_cells *cells, uint32_t point)
{
    uint32_t twin = cells->twin_of[point];
    for (uint32_t e = cells->parent_start[twin]; e < cells->parent_start[twin + 1]; e++)
        if (cells->cell_of[cells->class_of[cells->parent_point[e]]] != CNX_NONE)
            return true;
    return false;
}

/* Tokens of all positions of an axis; of (block, position) pairs when the labels vary over blocks. A position
 * that may not move is its own name; a copy of a pinned class that moves with its block has the name of the
 * first of its copies, and its block's; another is known by its class, by where on the axis its cell begins,
 * and by which copy of the class it is. Numbers of classes and cells stay out of it as far as possible: two
 * equal branches of a graph then give equal tokens, are sorted alike, and can share their tensors again. */
static uint64_t *axis_tokens(const cnx_prints *prints, cnx_arena *arena, const cnx_parameter *parameter,
                             uint32_t axis)
{
    const cnx_cells *cells = prints->cells;
    const cnx_labels *labels = cnx_parameter_labels(parameter, axis);
    uint32_t count = labels != NULL ? labels->sequence->count : (uint32_t)parameter->tensor->dims[axis];
    uint64_t *tokens = CNX_NEW_ARRAY(arena, uint64_t, count);
    cnx_arena *scratch = cnx_arena_create(prints->arena);
    uint32_t *begin = CNX_NEW_ARRAY(scratch, uint32_t, cells->cell_count);
    uint32_t *copies = CNX_NEW_ARRAY(scratch, uint32_t, cells->class_count);
    uint32_t *first = CNX_NEW_ARRAY(scratch, uint32_t, cells->class_count);
    for (uint32_t i = count; i-- > 0 && labels != NULL;) {
        uint32_t class = cells->class_of[labels->sequence->points[i]];
        copies[class]++;
        first[class] = i;
        if (cells->cell_of[class] != CNX_NONE && outermost_cell(cells, class) != CNX_NONE)
            begin[outermost_cell(cells, class)] = i;
    }
    for (uint32_t i = 0; i < count; i++) {
        uint32_t point = labels != NULL ? labels->sequence->points[i] : 0;
        uint32_t class = labels != NULL ? cells->class_of[point] : 0;
        tokens[i] = cnx_mix(i + UINT64_C(0x706f73));
        if (labels != NULL && cells->cell_of[class] != CNX_NONE) {
            uint32_t outer = outermost_cell(cells, class);
            uint64_t copy = copies[class] > 1 ? copy_token(prints, point) : block_token(prints, point);
            tokens[i] = cnx_mix(prints->token[class] + copy + cnx_mix(outer != CNX_NONE ? begin[outer] : i));
        }
        if (labels != NULL && cells->cell_of[class] == CNX_NONE && is_carried(cells, point))
            tokens[i] = cnx_mix(copy_token(prints, point) + cnx_mix(first[class]));
        tokens[i] = cnx_mix(tokens[i] + cnx_mix(axis));
    }
    cnx_arena_destroy(scratch);
    return tokens;
}

/* ---- ties ---- */

int cnx_compare_prints(const cnx_prints *prints, uint32_t a, uint32_t b)
{
    if (prints->bias[a] != prints->bias[b])
        return prints->bias[a] < prints->bias[b] ? -1 : 1;
    return (prints->print[a] > prints->print[b]) - (prints->print[a] < prints->print[b]);
}

typedef struct member_key {
    uint64_t bias;
    uint64_t print;
    uint32_t class;
} member_key;

static int compare_keys(const void *a, const void *b)
{
    const member_key *x = a, *y = b;
    if (x->bias != y->bias)
        return x->bias < y->bias ? -1 : 1;
    return (x->print > y->print) - (x->print < y->print);
}

/* Marks the tied members of a cell; returns how many different keys it has. */
static uint32_t mark_ties(cnx_prints *prints, uint32_t cell, member_key *scratch)
{
    const cnx_cell *c = &prints->cells->cells[cell];
    const uint32_t *members = prints->cells->members + c->first;
    for (uint32_t i = 0; i < c->count; i++)
        scratch[i] = (member_key){prints->bias[members[i]], prints->print[members[i]], members[i]};
    qsort(scratch, c->count, sizeof *scratch, compare_keys);
    uint32_t distinct = 0;
    for (uint32_t i = 0; i < c->count; i++) {
        bool as_before = i > 0 && compare_keys(&scratch[i - 1], &scratch[i]) == 0;
        bool as_next = i + 1 < c->count && compare_keys(&scratch[i + 1], &scratch[i]) == 0;
        prints->tied[scratch[i].class] = as_before || as_next;
        distinct += !as_before;
    }
    return distinct;
}

static member_key *member_scratch(const cnx_prints *prints, cnx_arena *arena)
{
    uint32_t largest = 0;
    for (uint32_t k = 0; k < prints->cells->cell_count; k++)
        largest = prints->cells->cells[k].count > largest ? prints->cells->cells[k].count : largest;
    return CNX_NEW_ARRAY(arena, member_key, largest);
}

/* Gives blocks the prints of what is inside them, innermost first; then marks all ties. Returns the number of
 * different keys over all cells, which grows as long as there is progress. */
static uint64_t look_again(cnx_prints *prints)
{
    const cnx_cells *cells = prints->cells;
    cnx_arena *scratch = cnx_arena_create(prints->arena);
    member_key *keys = member_scratch(prints, scratch);
    uint32_t deepest = 0;
    for (uint32_t c = 0; c < cells->class_count; c++)
        deepest = cells->depth[c] > deepest ? cells->depth[c] : deepest;
    for (uint32_t depth = deepest; depth > 0; depth--) {
        for (uint32_t c = 0; c < cells->class_count; c++)
            if (cells->depth[c] == depth && cells->cell_of[c] != CNX_NONE)
                prints->print[cells->home[c]] += cnx_mix(prints->token[c]);
        for (uint32_t c = 0; c < cells->class_count; c++)
            if (cells->depth[c] + 1 == depth)
                set_token(prints, c);
    }
    uint64_t distinct = 0;
    for (uint32_t k = 0; k < cells->cell_count; k++)
        distinct += mark_ties(prints, k, keys);
    cnx_arena_destroy(scratch);
    return distinct;
}

static bool touches_tie(const cnx_prints *prints, const cnx_face *face)
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

/* ---- reading weights ---- */

/* Weights are read in pieces of about this many bytes. */
#define PIECE ((uint64_t)4 << 20)

typedef struct face_sums {
    const uint8_t *bytes;
    uint64_t outer; /* entries before the axis, along it, and after it */
    uint64_t extent;
    uint64_t inner;
    const uint64_t *outer_tokens;
    const uint64_t *inner_tokens;
    const bool *wanted;
    uint64_t *sums; /* by position */
} face_sums;

#define SUM_FACE(name, type)                                                                                 \
    static void name(const face_sums *f)                                                                     \
    {                                                                                                        \
        for (uint64_t o = 0; o < f->outer; o++)                                                              \
            for (uint64_t k = 0; k < f->extent; k++) {                                                       \
                if (!f->wanted[k])                                                                           \
                    continue;                                                                                \
                const uint8_t *at = f->bytes + (o * f->extent + k) * f->inner * sizeof(type);                \
                uint64_t sum = 0, outer = f->outer_tokens[o];                                                \
                for (uint64_t i = 0; i < f->inner; i++) {                                                    \
                    type value;                                                                              \
                    memcpy(&value, at + i * sizeof(type), sizeof(type));                                     \
                    sum += entry_hash((uint64_t)value, outer + f->inner_tokens[i]);                          \
                }                                                                                            \
                f->sums[k] += sum;                                                                           \
            }                                                                                                \
    }
SUM_FACE(sum_face_8, uint8_t)
SUM_FACE(sum_face_16, uint16_t)
SUM_FACE(sum_face_32, uint32_t)
SUM_FACE(sum_face_64, uint64_t)

static void (*summer(unsigned bits))(const face_sums *)
{
    return bits == 8 ? sum_face_8 : bits == 16 ? sum_face_16 : bits == 32 ? sum_face_32 : sum_face_64;
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
        const uint64_t *tokens = axis_tokens(prints, arena, parameter, k);
        uint64_t extent = (uint64_t)tensor->dims[k];
        stride /= extent;
        for (uint64_t i = 0; i < *count; i++)
            sums[i] += tokens[i / stride % extent];
    }
    return sums;
}

static void sum_plain_face(cnx_prints *prints, const cnx_face *face, const bool *wanted, uint64_t *sums)
{
    cnx_tensor *tensor = face->parameter->tensor;
    cnx_arena *scratch = cnx_arena_create(prints->arena);
    face_sums f = {
        .bytes = cnx_tensor_bytes(prints->analysis->model, tensor), .wanted = wanted, .sums = sums};
    f.extent = (uint64_t)tensor->dims[face->axis];
    f.outer_tokens = combined_tokens(prints, scratch, face->parameter, 0, face->axis, &f.outer);
    f.inner_tokens =
        combined_tokens(prints, scratch, face->parameter, face->axis + 1, tensor->rank, &f.inner);
    void (*sum)(const face_sums *) = summer(cnx_type_bits(tensor->type));
    /* In pieces, so that the pages of a large tensor are not all in memory at once. */
    size_t size = cnx_type_bits(tensor->type) / 8;
    uint64_t *along = f.outer > 1 ? &f.outer : &f.extent;
    uint64_t each = f.inner * size * (f.outer > 1 ? f.extent : 1), total = *along;
    uint64_t step = each >= PIECE ? 1 : PIECE / each;
    bool mapped = cnx_tensor_is_view(prints->analysis->model, tensor);
    for (uint64_t at = 0; at < total; at += *along) {
        *along = total - at < step ? total - at : step;
        if (mapped)
            cnx_view_prefetch(f.bytes, *along * each);
        sum(&f);
        if (mapped)
            cnx_view_release(f.bytes, *along * each);
        f.bytes += *along * each;
        if (along == &f.outer) {
            f.outer_tokens += *along;
        } else {
            f.wanted += *along;
            f.sums += *along;
        }
    }
    cnx_arena_destroy(scratch);
}

/* Bits of one element of any size; the two halves of a 128-bit one are mixed. */
static uint64_t element_bits(const uint8_t *bytes, unsigned bits, uint64_t index)
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

/* The governing axis and block size of an axis whose labels vary over blocks. */
static void governor_of(const cnx_parameter *parameter, uint32_t axis, uint32_t *governor, uint32_t *block)
{
    const cnx_labels *labels = cnx_parameter_labels(parameter, axis);
    *governor = CNX_NONE;
    *block = 1;
    for (uint32_t k = 0; labels != NULL && labels->over != NULL && k < parameter->tensor->rank; k++) {
        const cnx_labels *other = cnx_parameter_labels(parameter, k);
        uint32_t size = k != axis && other != NULL ? cnx_labels_block_size(other, labels->over) : 0;
        if (size != 0) {
            *governor = k;
            *block = size;
            return;
        }
    }
}

/* Any tensor, entry by entry: axes that vary over blocks of another axis, and odd element sizes. */
static void sum_any_face(cnx_prints *prints, const cnx_face *face, uint64_t *sums)
{
    cnx_tensor *tensor = face->parameter->tensor;
    cnx_arena *scratch = cnx_arena_create(prints->arena);
    const uint8_t *bytes = cnx_tensor_bytes(prints->analysis->model, tensor);
    unsigned bits = cnx_type_bits(tensor->type);
    const uint64_t **tokens = CNX_NEW_ARRAY(scratch, const uint64_t *, tensor->rank);
    uint32_t *governor = CNX_NEW_ARRAY(scratch, uint32_t, tensor->rank);
    uint32_t *block = CNX_NEW_ARRAY(scratch, uint32_t, tensor->rank);
    uint64_t *position = CNX_NEW_ARRAY(scratch, uint64_t, tensor->rank);
    for (uint32_t k = 0; k < tensor->rank; k++) {
        tokens[k] = axis_tokens(prints, scratch, face->parameter, k);
        governor_of(face->parameter, k, &governor[k], &block[k]);
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
        sums[own] += entry_hash(element_bits(bytes, bits, e), others);
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
    set_token(r->prints, class);
    r->prints->used_print[r->prints->cells->cell_of[class]] = true;
}

/* Adds what the face shows to the prints of the tied classes on it, and of the tied blocks that hold its
 * positions: query heads that share their channels with all others (a rotary table) differ only there. */
static void read_face(cnx_prints *prints, const cnx_face *face)
{
    cnx_arena *scratch = cnx_arena_create(prints->arena);
    const cnx_sequence *sequence = cnx_parameter_labels(face->parameter, face->axis)->sequence;
    uint64_t *sums = CNX_NEW_ARRAY(scratch, uint64_t, sequence->count);
    uint64_t *shown = CNX_NEW_ARRAY(scratch, uint64_t, sequence->count);
    bool *wanted = CNX_NEW_ARRAY(scratch, bool, sequence->count);
    const uint64_t *tokens = axis_tokens(prints, scratch, face->parameter, face->axis);
    reading r = {.prints = prints};
    for (uint32_t i = 0; i < sequence->count; i++) {
        r.wanted = false;
        for_each_holder(prints, sequence->points[i], want_tied, &r);
        wanted[i] = r.wanted;
    }
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

/* ---- biases ---- */

/* Whether a value enters its only use as a bias: position 2 of the operators that have one there, or a
 * summand. */
static bool is_bias_use(const cnx_graph *graph, const cnx_value *value)
{
    static const char *const with_bias[] = {"Conv",
                                            "ConvTranspose",
                                            "Gemm",
                                            "BatchNormalization",
                                            "InstanceNormalization",
                                            "LayerNormalization",
                                            "GroupNormalization"};
    if (value->use_count == 0 || value->uses[0].slot == CNX_NONE)
        return false;
    const cnx_node *node = &graph->nodes[value->uses[0].node];
    if (node->domain[0] != '\0')
        return false;
    if (strcmp(node->op_type, "Add") == 0)
        return true;
    for (size_t i = 0; i < sizeof with_bias / sizeof *with_bias; i++)
        if (strcmp(node->op_type, with_bias[i]) == 0)
            return value->uses[0].slot == 2;
    return false;
}

/* An ascending key for descending values: sign and magnitude turned into one order, -0 below +0, NaN by its
 * bits. */
static uint64_t descending_key(uint64_t bits, unsigned width)
{
    uint64_t sign = UINT64_C(1) << (width - 1);
    uint64_t ascending = (bits & sign) != 0 ? ~bits & (sign | (sign - 1)) : bits | sign;
    return ~ascending;
}

static void take_biases(cnx_prints *prints, const cnx_parameter *parameter)
{
    const cnx_cells *cells = prints->cells;
    cnx_tensor *tensor = parameter->tensor;
    const cnx_labels *labels = cnx_parameter_labels(parameter, 0);
    unsigned bits = cnx_type_bits(tensor->type);
    if (labels == NULL || labels->over != NULL || cnx_type_kind_of(tensor->type) != CNX_KIND_FLOAT ||
        bits < 8)
        return;
    const uint8_t *bytes = cnx_tensor_bytes(prints->analysis->model, tensor);
    cnx_arena *scratch = cnx_arena_create(prints->arena);
    uint32_t *copies = CNX_NEW_ARRAY(scratch, uint32_t, cells->class_count);
    for (uint32_t i = 0; i < labels->sequence->count; i++)
        copies[cells->class_of[labels->sequence->points[i]]]++;
    for (uint32_t i = 0; i < labels->sequence->count; i++) {
        uint32_t class = cells->class_of[labels->sequence->points[i]];
        uint32_t cell = cells->cell_of[class];
        if (cell == CNX_NONE || copies[class] != 1 ||
            (prints->bias_of[cell] != NULL && prints->bias_of[cell] != parameter))
            continue; /* the first bias of a cell counts */
        prints->bias_of[cell] = parameter;
        prints->bias[class] = descending_key(element_bits(bytes, bits, i), bits);
    }
    cnx_arena_destroy(scratch);
}

static void read_biases(cnx_prints *prints)
{
    for (size_t p = 0; p < prints->analysis->parameter_count; p++) {
        const cnx_parameter *parameter = &prints->analysis->parameters[p];
        if (!parameter->again && parameter->tensor->rank == 1 &&
            is_bias_use(parameter->graph, &parameter->graph->values[parameter->value]))
            take_biases(prints, parameter);
    }
}

/* ---- all together ---- */

static int compare_faces(const void *a, const void *b)
{
    const cnx_face *x = a, *y = b;
    uint64_t left = x->parameter->tensor->count, right = y->parameter->tensor->count;
    if (left != right)
        return left < right ? -1 : 1;
    return (x->number > y->number) - (x->number < y->number);
}

static uint64_t role_of(const cnx_parameter *parameter, uint32_t axis)
{
    const cnx_value *value = &parameter->graph->values[parameter->value];
    uint64_t role = cnx_mix(axis + UINT64_C(64) * parameter->tensor->rank);
    if (value->use_count == 0)
        return role;
    const char *letter = parameter->graph->nodes[value->uses[0].node].op_type;
    for (; *letter != '\0'; letter++)
        role = cnx_mix(role ^ (uint8_t)*letter);
    return cnx_mix(role + value->uses[0].slot);
}

static void list_faces(cnx_prints *prints)
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

cnx_prints *cnx_fingerprint(cnx_arena *arena, cnx_analysis *analysis)
{
    const cnx_cells *cells = cnx_analysis_cells(analysis);
    cnx_prints *prints = CNX_NEW(arena, cnx_prints);
    *prints = (cnx_prints){.arena = arena, .analysis = analysis, .cells = cells};
    prints->bias = CNX_NEW_ARRAY(arena, uint64_t, cells->class_count);
    prints->print = CNX_NEW_ARRAY(arena, uint64_t, cells->class_count);
    prints->token = CNX_NEW_ARRAY(arena, uint64_t, cells->class_count);
    prints->tied = CNX_NEW_ARRAY(arena, bool, cells->class_count);
    prints->bias_of = CNX_NEW_ARRAY(arena, const cnx_parameter *, cells->cell_count);
    prints->used_print = CNX_NEW_ARRAY(arena, bool, cells->cell_count);
    list_faces(prints);
    read_biases(prints);
    for (uint32_t c = 0; c < cells->class_count; c++)
        set_token(prints, c);
    uint64_t before, distinct = look_again(prints);
    do {
        before = distinct;
        for (size_t f = 0; f < prints->face_count; f++)
            if (touches_tie(prints, &prints->faces[f])) {
                read_face(prints, &prints->faces[f]);
                distinct = look_again(prints);
            }
    } while (distinct > before);
    return prints;
}
