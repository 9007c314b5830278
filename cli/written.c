#include "written.h"

#include "canonnx.h"
#include "document.h"
#include "text.h"

#include <stdlib.h>

static char *weights_file(const char *output, uint64_t bytes)
{
    return bytes > CNX_LARGEST_MESSAGE ? text_format("%s.data", output) : NULL;
}

char *written_text(const char *output, uint64_t bytes)
{
    char *count = text_count(bytes), *file = weights_file(output, bytes);
    char *text =
        file ? text_format("%s bytes, the weights in %s", count, file) : text_format("%s bytes", count);
    free(file);
    free(count);
    return text;
}

void written_fields(json_t *document, const char *output, uint64_t bytes)
{
    char *file = weights_file(output, bytes);
    field_text(document, "output", output);
    field_count(document, "bytes_written", bytes);
    field_text(document, "weights_file", file);
    free(file);
}
