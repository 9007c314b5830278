#include "document.h"

#include "memory.h"
#include "text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static json_t *checked(json_t *value)
{
    if (!value)
        memory_exhausted();
    return value;
}

/* `text` with U+FFFD for each byte that is not UTF-8; on the heap. */
static char *valid_text(const char *text)
{
    char *valid;
    size_t size;
    FILE *out = text_open(&valid, &size);
    uint32_t character;
    for (size_t length; (length = text_decode(text, &character)) > 0; text += length) {
        if (length == 1 && character >= 0x80)
            fputs("\xEF\xBF\xBD", out);
        else
            fwrite(text, 1, length, out);
    }
    text_close(out);
    return valid;
}

static json_t *make_text(const char *text)
{
    if (!text)
        return json_null();
    char *valid = valid_text(text);
    json_t *value = checked(json_string(valid));
    free(valid);
    return value;
}

/* JSON integers here are signed; what does not fit is at least right to 16 digits. */
static json_t *make_count(uint64_t count)
{
    return checked(count <= INT64_MAX ? json_integer((int64_t)count) : json_real((double)count));
}

json_t *document_object(void)
{
    return checked(json_object());
}

json_t *document_array(void)
{
    return checked(json_array());
}

json_t *document_create(const char *model)
{
    json_t *document = document_object();
    field_integer(document, "schema_version", DOCUMENT_SCHEMA_VERSION);
    if (model)
        field_text(document, "model", model);
    return document;
}

static void write_document(json_t *document, FILE *stream)
{
    json_dumpf(document, stream, JSON_INDENT(2) | JSON_REAL_PRECISION(17));
    fputc('\n', stream);
    json_decref(document);
}

void document_print(json_t *document)
{
    write_document(document, stdout); /* a write error shows at the end */
}

char *document_text(json_t *document)
{
    char *text;
    size_t size;
    FILE *stream = text_open(&text, &size);
    write_document(document, stream);
    text_close(stream);
    return text;
}

void field_value(json_t *object, const char *key, json_t *value)
{
    if (json_object_set_new(object, key, checked(value)) != 0)
        memory_exhausted();
}

void field_text(json_t *object, const char *key, const char *text)
{
    field_value(object, key, make_text(text));
}

void field_integer(json_t *object, const char *key, int64_t value)
{
    field_value(object, key, json_integer(value));
}

void field_count(json_t *object, const char *key, uint64_t count)
{
    field_value(object, key, make_count(count));
}

void field_real(json_t *object, const char *key, double value)
{
    field_value(object, key, isfinite(value) ? json_real(value) : json_null());
}

void field_bool(json_t *object, const char *key, bool value)
{
    field_value(object, key, json_boolean(value));
}

void field_texts(json_t *object, const char *key, const char *const *texts, size_t count)
{
    json_t *array = document_array();
    for (size_t i = 0; i < count; i++)
        item_text(array, texts[i]);
    field_value(object, key, array);
}

json_t *field_list(json_t *object, const char *key)
{
    char *valid = valid_text(key);
    json_t *list = json_object_get(object, valid);
    if (!list) {
        list = document_array();
        field_value(object, valid, list);
    }
    free(valid);
    return list;
}

void item_count(json_t *array, uint64_t count)
{
    item_value(array, make_count(count));
}

void item_value(json_t *array, json_t *value)
{
    if (json_array_append_new(array, checked(value)) != 0)
        memory_exhausted();
}

void item_text(json_t *array, const char *text)
{
    item_value(array, make_text(text));
}
