/* Writing for people: colours, widths, numbers, and strings from outside made harmless. */
#ifndef CLI_TEXT_H
#define CLI_TEXT_H

#include "options.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Where text goes and what it may look like there. */
struct screen {
    FILE *stream;
    bool color;
    size_t width; /* columns */
};

/* Escape sequences for screen_style. */
enum style { STYLE_PLAIN, STYLE_BOLD, STYLE_DIM, STYLE_GOOD, STYLE_BAD };

/* Call once, first: character widths need a UTF-8 locale, whatever the environment says. */
void text_start(void);

/* Standard output. The width is COLUMNS, else the terminal's, else 100. */
struct screen screen_open(const struct request *request);

/* The escape sequence that starts a style (STYLE_PLAIN ends it); empty without colour. */
const char *screen_style(const struct screen *screen, enum style style);

/* Prints `text` in words, wrapped at the screen's width, every line behind `indent` spaces. `column` is
 * where the cursor stands: text that has to follow a label starts there. Ends the line. */
void screen_wrap(const struct screen *screen, size_t indent, size_t column, const char *text);

/* Prints a label in bold and `text` behind it, `column` columns from the left, made printable and wrapped.
 * Takes the text. */
void screen_label(const struct screen *screen, size_t column, const char *label, char *text);

/* Decodes one UTF-8 character and returns its length; a byte that is not valid UTF-8 is one character,
 * U+FFFD. At the end of the string *character is 0 and the length 0. */
size_t text_decode(const char *text, uint32_t *character);

/* A copy with control characters, direction overrides and invalid bytes made visible (\n, \x1b, \u{202e}):
 * a tensor's name must not be able to steer a terminal. The caller frees it. NULL gives "". */
char *text_printable(const char *text);

/* Columns that `length` bytes of printable text take up. */
size_t text_width(const char *text, size_t length);

/* Formatted text on the heap; never NULL. */
char *text_format(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* "61,100,840"; on the heap. */
char *text_count(uint64_t count);

/* "244.4 MB" (powers of 1000); below 1000 the exact number; on the heap. */
char *text_bytes(uint64_t bytes);

/* "a, b, c"; on the heap. */
char *text_join(const char *const *parts, size_t count);

/* A stream that collects what is printed to it. text_close makes *text whole; free it then. */
FILE *text_open(char **text, size_t *size);
void text_close(FILE *stream);

#endif
