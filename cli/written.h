/* What commands that write a model say about the files. */
#ifndef CLI_WRITTEN_H
#define CLI_WRITTEN_H

#include <jansson.h>
#include <stdint.h>

/* "27,007 bytes", or, for a model that was too large for one file (cnx_model_write), also where its weights
 * are. The caller frees it. */
char *written_text(const char *output, uint64_t bytes);

/* The keys `output`, `bytes_written`, and `weights_file`: null where all is in one file. */
void written_fields(json_t *document, const char *output, uint64_t bytes);

#endif
