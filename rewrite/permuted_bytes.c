/* Reading a tensor with its permutation applied.
 *
 * A permuted tensor is never in memory as a whole: any part of it can be asked for, and is gathered from the
 * bytes as they are. What follows the last axis that moves (or that governs one that does) stays in one
 * piece, a *run*: 9 floats of a 3x3 filter, or a single element. Runs that differ only in their position
 * along that axis make a *row*: they all come from one row of the source, `base`, at the places that one list
 * names. So the work of finding where things come from is done once a row, and the loop over a row does
 * nothing but move runs; it is where whatever else happens to each position of an axis belongs.
 */
#include "base/divisor.h"
#include "rewrite/factors/room.h"
#include "rewrite/gather.h"
#include "rewrite/permute.h"

#define MOST_AXES 64

typedef struct reader {
    const cnx_tensor *tensor;
    const cnx_axis_permutation *axes;
    const cnx_unpermuted *from;
    uint64_t stride[MOST_AXES]; /* by axis up to `last`: in runs */
    uint32_t last;
    uint64_t elements; /* that move in one piece */
    size_t run;        /* the same in bytes */
    uint64_t length;   /* runs along the last axis */
    uint64_t row;      /* runs in a row, which is shorter where the last axis governs others */
} reader;

static reader make_reader(const cnx_tensor *tensor, const cnx_unpermuted *from)
{
    reader r = {.tensor = tensor, .axes = tensor->permutation->axes, .from = from};
    r.last = tensor->permutation->last;
    if (tensor->rank == 0) /* nothing to move; it may have a factor */
        return r;
    uint64_t unit = r.axes[r.last].unit;
    r.elements = unit;
    for (uint32_t k = r.last + 1; k < tensor->rank; k++)
        r.elements *= (uint64_t)tensor->dims[k];
    r.run = (size_t)(r.elements * cnx_type_bits(tensor->type) / 8);
    r.length = r.row = (uint64_t)tensor->dims[r.last] / unit;
    uint64_t stride = 1;
    for (uint32_t k = r.last + 1; k-- > 0;) {
        r.stride[k] = stride;
        stride *= k == r.last ? r.row : (uint64_t)tensor->dims[k];
    }
    for (uint32_t k = 0; k < r.last; k++) /* a governor has units of 1: its blocks end rows */
        if (r.axes[k].source != NULL && r.axes[k].governor == r.last)
            r.row = cnx_greatest_divisor(r.row, r.axes[k].block);
    return r;
}

/* Where a row comes from: the first run of the source's row, and for each run its place there, or NULL when
 * they stay in order. */
typedef struct row {
    uint64_t base;
    const uint32_t *source;
} row;

static uint64_t source_position(const reader *r, uint32_t k, const uint64_t *position)
{
    const cnx_axis_permutation *axis = &r->axes[k];
    if (axis->source == NULL)
        return position[k];
    if (axis->governor == CNX_NONE)
        return (uint64_t)axis->source[position[k] / axis->unit] * axis->unit + position[k] % axis->unit;
    return axis->source[position[axis->governor] / axis->block * (uint64_t)r->tensor->dims[k] + position[k]];
}

/* The row that begins with run number `run` of the result. */
static row find_row(const reader *r, uint64_t run)
{
    uint64_t position[MOST_AXES];
    position[r->last] = run % r->length;
    run /= r->length;
    for (uint32_t k = r->last; k-- > 0;) {
        position[k] = run % (uint64_t)r->tensor->dims[k];
        run /= (uint64_t)r->tensor->dims[k];
    }
    row found = {0};
    for (uint32_t k = 0; k < r->last; k++)
        found.base += source_position(r, k, position) * r->stride[k];
    const cnx_axis_permutation *axis = &r->axes[r->last];
    if (axis->source == NULL) {
        found.base += position[r->last];
    } else {
        found.source = axis->source + position[r->last];
        if (axis->governor != CNX_NONE)
            found.source += position[axis->governor] / axis->block * r->length;
    }
    return found;
}

static void copy(const reader *r, const uint8_t *bytes, size_t size, uint8_t *out)
{
    if (r->from->view != NULL)
        cnx_view_copy(r->from->view, bytes, size, out);
    else
        memcpy(out, bytes, size);
}

/* Runs [first, first + count) of a row. */
static void read_runs(const reader *r, row from, uint64_t first, uint64_t count, uint8_t *out)
{
    const uint8_t *in = r->from->bytes + from.base * r->run;
    if (from.source == NULL) {
        copy(r, in + first * r->run, count * r->run, out);
        return;
    }
    if (r->length * r->run <= r->from->room_size) { /* in order, then out of order from the nearest cache */
        copy(r, in, r->length * r->run, r->from->room);
        in = r->from->room;
    }
    cnx_gather(out, in, from.source + first, count, r->run);
}

/* Whether rows can be gathered several at once: of elements of four bytes, in memory, all by one list. */
static bool reads_rows_together(const reader *r)
{
    const cnx_axis_permutation *axis = &r->axes[r->last];
    return r->run == 4 && r->row == r->length && axis->source != NULL && axis->governor == CNX_NONE &&
           r->from->view == NULL && r->length * CNX_GATHER_ROOM <= r->from->room_size && cnx_gathers_rows();
}

/* Rows that begin with run number `run`, CNX_GATHERED_ROWS of them. */
static void read_rows(const reader *r, uint64_t run, uint8_t *out)
{
    const uint8_t *in[CNX_GATHERED_ROWS];
    for (uint64_t k = 0; k < CNX_GATHERED_ROWS; k++)
        in[k] = r->from->bytes + find_row(r, run + k * r->length).base * r->run;
    cnx_gather_rows(out, in, r->axes[r->last].source, r->length, r->from->room);
}

/* Bytes [skip, skip + size) of one run of a row. */
static void read_piece(const reader *r, row from, uint64_t run, size_t skip, size_t size, uint8_t *out)
{
    uint64_t place = from.base + (from.source == NULL ? run : from.source[run]);
    copy(r, r->from->bytes + place * r->run + skip, size, out);
}

static void read_bytes(const reader *r, uint64_t offset, uint8_t *out, size_t size)
{
    size_t rows = reads_rows_together(r) ? (size_t)r->length * r->run * CNX_GATHERED_ROWS : SIZE_MAX;
    while (size != 0) {
        uint64_t run = offset / r->run, first = run % r->row;
        size_t skip = (size_t)(offset % r->run), taken = r->run - skip < size ? r->run - skip : size;
        row from = find_row(r, run - first);
        uint64_t whole = size / r->run < r->row - first ? size / r->run : r->row - first;
        if (skip == 0 && first == 0 && size >= rows) {
            read_rows(r, run, out);
            taken = rows;
        } else if (skip == 0 && whole != 0) {
            read_runs(r, from, first, whole, out);
            taken = (size_t)whole * r->run;
        } else {
            read_piece(r, from, first, skip, taken, out);
        }
        out += taken;
        offset += taken;
        size -= taken;
    }
}

/* Where one element comes from, when a run may end inside of a byte. */
static uint64_t source_element(const reader *r, uint64_t element)
{
    uint64_t run = element / r->elements, first = run % r->row;
    row from = find_row(r, run - first);
    return (from.base + (from.source == NULL ? first : from.source[first])) * r->elements +
           element % r->elements;
}

static bool has_whole_bytes(const reader *r)
{
    return r->elements * cnx_type_bits(r->tensor->type) % 8 == 0;
}

/* Elements of less than a byte whose runs do not end where bytes do, one by one. */
static void read_packed(const reader *r, uint64_t offset, uint8_t *out, size_t size)
{
    unsigned bits = cnx_type_bits(r->tensor->type), each = 8 / bits, mask = (1u << bits) - 1;
    for (size_t i = 0; i < size; i++) {
        unsigned byte = 0;
        for (unsigned part = 0; part < each; part++) {
            uint64_t element = (offset + i) * each + part;
            if (element >= r->tensor->count)
                break;
            uint64_t source = source_element(r, element);
            byte |= ((unsigned)r->from->bytes[source / each] >> (source % each * bits) & mask)
                    << (part * bits);
        }
        out[i] = (uint8_t)byte;
    }
}

bool cnx_read_permuted(const cnx_tensor *tensor, const cnx_unpermuted *from, uint64_t offset, uint8_t *out,
                       size_t size)
{
    reader r = make_reader(tensor, from);
    if (tensor->rank == 0)
        copy(&r, from->bytes + offset, size, out);
    else if (has_whole_bytes(&r))
        read_bytes(&r, offset, out, size);
    else
        read_packed(&r, offset, out, size);
    atomic_bool *lost = tensor->permutation->lost;
    bool exact = tensor->permutation->factors == NULL || cnx_multiply_by_factors(tensor, offset, out, size);
    if (lost != NULL && !(exact && cnx_have_room(tensor->type, out, size * 8 / cnx_type_bits(tensor->type))))
        atomic_store(lost, true);
    return exact;
}

static void read_permuted(const cnx_tensor *tensor, const cnx_unpermuted *from, uint64_t offset, uint8_t *out,
                          size_t size)
{
    (void)cnx_read_permuted(tensor, from, offset, out, size);
}

static bool moves_nothing(const cnx_tensor *tensor)
{
    for (uint32_t k = 0; k < tensor->rank; k++)
        if (tensor->permutation->axes[k].source != NULL)
            return false;
    return true;
}

static uint64_t row_size(const cnx_tensor *tensor)
{
    if (moves_nothing(tensor))
        return 0;
    reader r = make_reader(tensor, NULL);
    return tensor->rank != 0 && has_whole_bytes(&r) ? r.length * r.run : tensor->size;
}

const cnx_tensor_reader cnx_permuted_reader = {.row_size = row_size, .read = read_permuted};

void cnx_tensor_read(cnx_model *model, cnx_tensor *tensor, uint64_t offset, uint8_t *out, size_t size)
{
    cnx_unpermuted from = {.bytes = cnx_tensor_bytes(model, tensor)};
    if (tensor->permutation == NULL)
        memcpy(out, from.bytes + offset, size);
    else
        cnx_read_permuted(tensor, &from, offset, out, size);
}
