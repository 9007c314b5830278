/* Where a model's bytes come from: a file, a folder, a zip archive, standard input; and its external data. */
#ifndef CNX_ONNX_SOURCE_H
#define CNX_ONNX_SOURCE_H

#include "base/intern.h"
#include "onnx/mapping.h"
#include "onnx/place.h"
#include "proto/onnx.pb-c.h"

#include <sys/types.h>

typedef struct cnx_source {
    cnx_arena *arena;
    cnx_view model;      /* the bytes of the .onnx */
    const char *folder;  /* of the file; NULL for standard input and for members of an archive */
    struct cnx_zip *zip; /* the archive, or NULL */
    const char *member;  /* the model's name in it */
    cnx_intern names;    /* of external files opened so far */
    cnx_view *files;     /* by number in `names` */
    size_t file_count;
    size_t file_capacity;
} cnx_source;

/* Opens what `path` names (see cnx_model_open). Everything belongs to `arena`. */
cnx_source *cnx_source_open(cnx_arena *arena, const char *path);

/* The `size` bytes that a tensor's external_data refers to. They have to be inside the model's folder, or
 * archive, and inside their file. */
const uint8_t *cnx_source_external(cnx_source *source, const Onnx__TensorProto *tensor, uint64_t size,
                                   const cnx_place *place);

/* Whether one of the external files that were opened is the file of that device and number. */
bool cnx_source_reads(const cnx_source *source, dev_t device, ino_t file);

/* The mapping of the source that holds the bytes, or NULL. The pointer is good until another file is opened.
 */
const cnx_view *cnx_source_view(const cnx_source *source, const uint8_t *bytes);

#endif
