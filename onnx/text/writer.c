#include "onnx/text/writer.h"

#include <stdio.h>

enum { BUFFER = 1 << 16, INDENT = 2, LONGEST_FORMATTED = 512 };

void cnx_writer_init(cnx_writer *out, cnx_arena *scratch, cnx_sink *sink)
{
    out->scratch = scratch;
    out->sink = sink;
    out->buffer = cnx_alloc(scratch, BUFFER);
}

void cnx_writer_flush(cnx_writer *out)
{
    if (out->used != 0)
        out->sink->write(out->sink, out->buffer, out->used);
    out->used = 0;
}

void cnx_write_bytes(cnx_writer *out, const char *text, size_t size)
{
    while (size != 0) {
        if (out->used == BUFFER)
            cnx_writer_flush(out);
        size_t room = BUFFER - out->used;
        size_t part = size < room ? size : room;
        memcpy(out->buffer + out->used, text, part);
        out->used += part;
        text += part;
        size -= part;
    }
}

void cnx_write(cnx_writer *out, const char *text)
{
    cnx_write_bytes(out, text, strlen(text));
}

void cnx_write_format(cnx_writer *out, const char *format, ...)
{
    char text[LONGEST_FORMATTED];
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (size > 0)
        cnx_write_bytes(out, text, (size_t)size < sizeof text ? (size_t)size : sizeof text - 1);
}

void cnx_begin_line(cnx_writer *out)
{
    for (unsigned i = 0; i < out->depth * INDENT; i++)
        cnx_write_bytes(out, " ", 1);
}

void cnx_end_line(cnx_writer *out)
{
    if (out->note_size != 0) {
        cnx_write(out, "  #");
        cnx_write_bytes(out, out->notes, out->note_size);
        out->note_size = 0;
    }
    cnx_write(out, "\n");
}

/* ---- comments ---- */

void cnx_note_bytes(cnx_writer *out, const char *bytes, size_t size)
{
    while (out->note_capacity - out->note_size < size) {
        char *old = out->notes;
        out->note_capacity = 2 * out->note_capacity + size;
        out->notes = cnx_alloc(out->scratch, out->note_capacity);
        if (out->note_size != 0)
            memcpy(out->notes, old, out->note_size);
    }
    memcpy(out->notes + out->note_size, bytes, size);
    out->note_size += size;
}

/* Everything but printable ASCII and valid-looking UTF-8 is escaped; a comment is for people. */
void cnx_note_quoted(cnx_writer *out, const char *text)
{
    cnx_note_bytes(out, " \"", 2);
    for (const char *c = text == NULL ? "" : text; *c != '\0'; c++) {
        unsigned char byte = (unsigned char)*c;
        char escaped[8];
        if (byte == '\n')
            snprintf(escaped, sizeof escaped, "\\n");
        else if (byte < 0x20 || byte >= 0x7f)
            snprintf(escaped, sizeof escaped, "\\x%02x", byte);
        else
            snprintf(escaped, sizeof escaped, byte == '"' || byte == '\\' ? "\\%c" : "%c", byte);
        cnx_note_bytes(out, escaped, strlen(escaped));
    }
    cnx_note_bytes(out, "\"", 1);
}

void cnx_note(cnx_writer *out, const char *words, const char *quoted)
{
    const char *separator = out->note_size == 0 ? " " : "; ";
    cnx_note_bytes(out, separator, strlen(separator));
    cnx_note_bytes(out, words, strlen(words));
    if (quoted != NULL)
        cnx_note_quoted(out, quoted);
}

void cnx_note_documentation(cnx_writer *out, const char *text)
{
    if (text != NULL && text[0] != '\0')
        cnx_note(out, "doc_string", text);
}

void cnx_note_metadata(cnx_writer *out, Onnx__StringStringEntryProto *const *entries, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        cnx_note(out, "metadata", entries[i]->key == NULL ? "" : entries[i]->key);
        cnx_note_bytes(out, ":", 1);
        cnx_note_quoted(out, entries[i]->value);
    }
}
