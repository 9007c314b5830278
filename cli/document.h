/* Writing for programs: one JSON object on standard output. Keys are stable and documented in docs/guide.md;
 * numbers are in base units (bytes, counts, natural or base-10 logarithms as the key says) with full
 * precision. Out of memory ends the program, so there are no error codes here. */
#ifndef CLI_DOCUMENT_H
#define CLI_DOCUMENT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Grows when a key changes its meaning or goes away; a new key does not change it. */
enum { DOCUMENT_SCHEMA_VERSION = 1 };

/* A new object that begins with schema_version, and, when `model` is not NULL, the model's path. */
json_t *document_create(const char *model);

/* Prints and frees the object. */
void document_print(json_t *document);

/* Frees the object and returns it as text, as document_print prints it; on the heap. */
char *document_text(json_t *document);

/* An empty object or array. */
json_t *document_object(void);
json_t *document_array(void);

/* Set one key of an object. Text that is not UTF-8 gets U+FFFD for each bad byte; NULL gives null, and so do
 * infinities and NaN, which JSON has no words for. */
void field_text(json_t *object, const char *key, const char *text);
void field_count(json_t *object, const char *key, uint64_t count);
void field_integer(json_t *object, const char *key, int64_t value);
void field_real(json_t *object, const char *key, double value);
void field_bool(json_t *object, const char *key, bool value);
void field_texts(json_t *object, const char *key, const char *const *texts, size_t count);
void field_value(json_t *object, const char *key, json_t *value); /* takes the value */

/* The array under a key that comes from a model (not always UTF-8), made when it is not there. */
json_t *field_list(json_t *object, const char *key);

/* Append to an array. */
void item_count(json_t *array, uint64_t count);
void item_text(json_t *array, const char *text);
void item_value(json_t *array, json_t *value); /* takes the value */

#endif
