/* The log of analyze/scaling/scaling.h, for those who write and solve it. */
#ifndef CNX_ANALYZE_SCALING_LOG_H
#define CNX_ANALYZE_SCALING_LOG_H

#include "analyze/scaling/scaling.h"

/* Number 0 is the value that is fixed. */
typedef struct cnx_scaled_value {
    uint32_t rank;
    const cnx_axis *axes;
    bool parameter; /* the factors act on a tensor of the model (or on zeros) */
    uint32_t whole; /* of rows: the parameter's value, and the positions on its axis; 0 otherwise */
    uint32_t from;
    uint32_t count;
} cnx_scaled_value;

typedef enum cnx_scaling_form {
    CNX_SCALING_EQUATION,
    CNX_SCALING_CARRY, /* terms: from (with the degree), to; axes mean nothing */
    CNX_SCALING_PARTS, /* the same, and elements may be missing */
    CNX_SCALING_JOIN,
    CNX_SCALING_SEPARATE,
    CNX_SCALING_NORM, /* terms: an axis of from, to (axes of that mean nothing) */
} cnx_scaling_form;

typedef struct cnx_scaling_statement {
    cnx_scaling_form form;
    cnx_scaling_kind kind;
    uint32_t term_count;
    const cnx_scaling_term *terms;
} cnx_scaling_statement;

struct cnx_scaling_log {
    cnx_arena *arena;
    size_t value_count;
    size_t value_capacity;
    cnx_scaled_value *values;
    size_t statement_count;
    size_t statement_capacity;
    cnx_scaling_statement *statements;
    size_t shift_count;
    size_t shift_capacity;
    cnx_scaling_shift *shifts;
};

#endif
