/* The limits as numbers, in the units that limits.def gives: CNX_LIMIT_MESSAGE_DEPTH and so on. */
#ifndef CNX_PROTO_LIMITS_H
#define CNX_PROTO_LIMITS_H

#include <stdint.h>

enum {
#define LIMIT(symbol, value, name, unit, summary) CNX_LIMIT_##symbol = (value),
#include "proto/limits.def"
#undef LIMIT
};

#define CNX_MEBIBYTE ((uint64_t)1 << 20)

#endif
