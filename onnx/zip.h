/* Zip archives as a source of models, on top of libzip. */
#ifndef CNX_ONNX_ZIP_H
#define CNX_ONNX_ZIP_H

#include "onnx/mapping.h"

typedef struct cnx_zip cnx_zip;

/* Whether the bytes start as a zip archive does. No ONNX model starts so. */
bool cnx_is_zip(cnx_view bytes);

/* Opens an archive in memory. Refuses archives with members outside of it ("../x", "/x"). The view has to
 * live as long as the arena. */
cnx_zip *cnx_zip_open(cnx_arena *arena, cnx_view archive);

/* The name of the one member that ends in .onnx; fails when there are none or several. */
const char *cnx_zip_find_model(cnx_zip *zip);

/* A member's bytes: a view into the archive when it is stored, or else a mapping of a temporary file that it
 * is inflated to, under the limits inflate-*. */
cnx_view cnx_zip_member(cnx_zip *zip, const char *name);

#endif
