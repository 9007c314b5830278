/* What analyze/shapes/dim.c and analyze/shapes/dim_text.c share. Nobody else includes this. */
#ifndef CNX_ANALYZE_DIM_INTERNAL_H
#define CNX_ANALYZE_DIM_INTERNAL_H

#include "analyze/shapes/dim.h"
#include "analyze/shapes/polynomial.h"

typedef enum cnx_atom_kind {
    CNX_ATOM_SYMBOL,
    CNX_ATOM_FRESH,
    CNX_ATOM_FLOOR, /* floor(a / b) */
    CNX_ATOM_CEIL,
    CNX_ATOM_MAX,
    CNX_ATOM_MIN,
} cnx_atom_kind;

typedef struct cnx_atom_key {
    uint32_t kind;
    uint32_t a; /* the symbol's name, the unknown's number, or the first operand (a cnx_dim) */
    uint32_t b;
} cnx_atom_key;

typedef struct cnx_atom {
    cnx_atom_key key;
    uint32_t weight;    /* how many symbols its text shows; bounded, so text and recursion are too */
    bool unknown;       /* a fresh unknown, or one occurs inside */
    bool bounded_below; /* by `least` */
    int64_t least;
} cnx_atom;

struct cnx_dims {
    cnx_arena *arena;
    cnx_intern polynomials; /* the number of an encoded polynomial is the cnx_dim */
    cnx_intern atom_keys;
    cnx_intern names;
    cnx_atom *atoms; /* by number in atom_keys */
    size_t atom_count;
    size_t atom_capacity;
    uint32_t fresh_count;
};

/* The polynomial behind a dimension. */
void cnx_dim__load(const cnx_dims *dims, cnx_dim dim, cnx_polynomial *out);

#endif
