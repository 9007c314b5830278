#include "onnx/element.h"

#include <math.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "tensors are viewed in place, in the file's little-endian order"
#endif

typedef struct row {
    const char *name;
    unsigned bits;
    cnx_type_kind kind;
} row;

static const row rows[] = {
#define ELEMENT_TYPE(symbol, number, name, bits, kind) [number] = {name, bits, CNX_KIND_##kind},
#include "onnx/types.def"
#undef ELEMENT_TYPE
};

#define ROW_COUNT (sizeof rows / sizeof rows[0])

static const row *find(int32_t type)
{
    return type >= 0 && (size_t)type < ROW_COUNT ? &rows[type] : &rows[0];
}

const char *cnx_type_name(int32_t type)
{
    return find(type)->name;
}

unsigned cnx_type_bits(int32_t type)
{
    return find(type)->bits;
}

cnx_type_kind cnx_type_kind_of(int32_t type)
{
    return find(type)->kind;
}

bool cnx_type_is_known(int32_t type)
{
    return type > 0 && (size_t)type < ROW_COUNT;
}

bool cnx_type_bytes(int32_t type, uint64_t count, uint64_t *bytes)
{
    uint64_t bits;
    if (__builtin_mul_overflow(count, cnx_type_bits(type), &bits))
        return false;
    *bytes = bits / 8 + (bits % 8 != 0);
    return true;
}

/* The bits of an element, 1 to 64 of them, in the low end. */
static uint64_t element_bits(unsigned width, const uint8_t *bytes, uint64_t index)
{
    if (width < 8) {
        unsigned in_byte = 8 / width;
        unsigned shift = (unsigned)(index % in_byte) * width;
        return (uint64_t)bytes[index / in_byte] >> shift & ((1u << width) - 1);
    }
    uint64_t bits = 0;
    memcpy(&bits, bytes + index * (width / 8), width / 8);
    return bits;
}

static bool is_signed(int32_t type)
{
    switch (type) {
    case CNX_TYPE_INT2:
    case CNX_TYPE_INT4:
    case CNX_TYPE_INT8:
    case CNX_TYPE_INT16:
    case CNX_TYPE_INT32:
    case CNX_TYPE_INT64:
        return true;
    default:
        return false;
    }
}

int64_t cnx_element_integer(int32_t type, const uint8_t *bytes, uint64_t index)
{
    unsigned width = cnx_type_bits(type);
    uint64_t bits = element_bits(width, bytes, index);
    uint64_t sign = (uint64_t)1 << (width - 1);
    if (is_signed(type))
        bits = (bits ^ sign) - sign;
    return (int64_t)bits;
}

/* A float format of at most 16 bits: sign, exponent, fraction. */
typedef struct small_float {
    unsigned exponent_bits;
    unsigned fraction_bits;
    int bias;
    enum { NO_SPECIALS, IEEE_SPECIALS, ALL_ONES_IS_NAN, MINUS_ZERO_IS_NAN } specials;
} small_float;

static double decode(const small_float *format, uint64_t bits)
{
    unsigned width = format->exponent_bits + format->fraction_bits;
    uint64_t largest_exponent = ((uint64_t)1 << format->exponent_bits) - 1;
    uint64_t fraction = bits & (((uint64_t)1 << format->fraction_bits) - 1);
    uint64_t exponent = bits >> format->fraction_bits & largest_exponent;
    uint64_t magnitude = bits & (((uint64_t)1 << width) - 1);
    bool negative = (bits >> width & 1) != 0;
    double value;
    if (format->specials == MINUS_ZERO_IS_NAN && negative && magnitude == 0)
        value = NAN;
    else if (format->specials == ALL_ONES_IS_NAN && magnitude == ((uint64_t)1 << width) - 1)
        value = NAN;
    else if (format->specials == IEEE_SPECIALS && exponent == largest_exponent)
        value = fraction == 0 ? INFINITY : NAN;
    else if (exponent == 0)
        value = ldexp((double)fraction, 1 - format->bias - (int)format->fraction_bits);
    else
        value = ldexp((double)(fraction + ((uint64_t)1 << format->fraction_bits)),
                      (int)exponent - format->bias - (int)format->fraction_bits);
    return negative ? -value : value;
}

static const small_float *small_format(int32_t type)
{
    static const small_float float16 = {5, 10, 15, IEEE_SPECIALS};
    static const small_float e4m3fn = {4, 3, 7, ALL_ONES_IS_NAN};
    static const small_float e4m3fnuz = {4, 3, 8, MINUS_ZERO_IS_NAN};
    static const small_float e5m2 = {5, 2, 15, IEEE_SPECIALS};
    static const small_float e5m2fnuz = {5, 2, 16, MINUS_ZERO_IS_NAN};
    static const small_float e2m1 = {2, 1, 1, NO_SPECIALS};
    switch (type) {
    case CNX_TYPE_FLOAT16:
        return &float16;
    case CNX_TYPE_FLOAT8E4M3FN:
        return &e4m3fn;
    case CNX_TYPE_FLOAT8E4M3FNUZ:
        return &e4m3fnuz;
    case CNX_TYPE_FLOAT8E5M2:
        return &e5m2;
    case CNX_TYPE_FLOAT8E5M2FNUZ:
        return &e5m2fnuz;
    case CNX_TYPE_FLOAT4E2M1:
        return &e2m1;
    default:
        return NULL;
    }
}

double cnx_element_float(int32_t type, const uint8_t *bytes, uint64_t index)
{
    uint64_t bits = element_bits(cnx_type_bits(type), bytes, index);
    float single;
    double value;
    switch (type) {
    case CNX_TYPE_FLOAT:
        memcpy(&single, &bits, sizeof single);
        return (double)single;
    case CNX_TYPE_DOUBLE:
        memcpy(&value, &bits, sizeof value);
        return value;
    case CNX_TYPE_BFLOAT16: /* the upper half of a float */
        bits <<= 16;
        memcpy(&single, &bits, sizeof single);
        return (double)single;
    case CNX_TYPE_FLOAT8E8M0: /* a power of two, no sign, no fraction */
        return bits == 0xff ? (double)NAN : ldexp(1, (int)bits - 127);
    default:
        return decode(small_format(type), bits);
    }
}

static void read_floats(const uint8_t *bytes, size_t count, double *out)
{
    for (size_t i = 0; i < count; i++) {
        float value;
        memcpy(&value, bytes + 4 * i, 4);
        out[i] = (double)value;
    }
}

void cnx_elements_read(int32_t type, const uint8_t *bytes, uint64_t first, size_t count, double *out)
{
    bool whole = cnx_type_kind_of(type) == CNX_KIND_INTEGER || cnx_type_kind_of(type) == CNX_KIND_BOOL;
    if (type == CNX_TYPE_FLOAT)
        read_floats(bytes + 4 * first, count, out);
    else if (type == CNX_TYPE_DOUBLE)
        memcpy(out, bytes + 8 * first, 8 * count);
    else if (type == CNX_TYPE_COMPLEX64)
        read_floats(bytes + 8 * first, 2 * count, out);
    else if (type == CNX_TYPE_COMPLEX128)
        memcpy(out, bytes + 16 * first, 16 * count);
    else
        for (size_t i = 0; i < count; i++)
            out[i] = whole ? (double)cnx_element_integer(type, bytes, first + i)
                           : cnx_element_float(type, bytes, first + i);
}

void cnx_element_write(int32_t type, uint8_t *bytes, uint64_t index, double number)
{
    float single = (float)number;
    if (type == CNX_TYPE_DOUBLE)
        memcpy(bytes + index * sizeof number, &number, sizeof number);
    else
        memcpy(bytes + index * sizeof single, &single, sizeof single);
}
