/* The version of the canonical form, as docs/FORMAT.md numbers it. It seeds the hash, so hashes of different
 * versions never agree. Raise it with every change that gives some model other bytes. */
#ifndef CNX_REWRITE_FORMAT_H
#define CNX_REWRITE_FORMAT_H

#include "onnx/model.h"

#define CNX_FORMAT_VERSION 7

#endif
