#include "text.h"

#include "memory.h"

#include <inttypes.h>
#include <locale.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <wchar.h>

enum { DEFAULT_WIDTH = 100, NARROWEST = 40, REPLACEMENT = 0xFFFD };

void text_start(void)
{
    setlocale(LC_CTYPE, "C.UTF-8");
}

static size_t screen_width(bool is_terminal)
{
    const char *columns = getenv("COLUMNS");
    long wanted = columns ? strtol(columns, NULL, 10) : 0;
    struct winsize size;
    if (wanted <= 0 && is_terminal && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0)
        wanted = size.ws_col;
    if (wanted <= 0 || wanted > 10000)
        return DEFAULT_WIDTH;
    return wanted < NARROWEST ? NARROWEST : (size_t)wanted;
}

struct screen screen_open(const struct request *request)
{
    bool is_terminal = isatty(STDOUT_FILENO);
    const char *no_color = getenv("NO_COLOR");
    bool color = request->color == COLOR_ALWAYS;
    if (request->color == COLOR_AUTO)
        color = is_terminal && !(no_color && no_color[0]);
    return (struct screen){.stream = stdout, .color = color, .width = screen_width(is_terminal)};
}

const char *screen_style(const struct screen *screen, enum style style)
{
    static const char *const sequences[] = {[STYLE_PLAIN] = "\033[0m",
                                            [STYLE_BOLD] = "\033[1m",
                                            [STYLE_DIM] = "\033[2m",
                                            [STYLE_GOOD] = "\033[1;32m",
                                            [STYLE_BAD] = "\033[1;31m"};
    return screen->color ? sequences[style] : "";
}

/* The bytes up to where a line may break: the next space, but not one between a number and what it counts. */
static size_t unbroken(const char *text)
{
    size_t length = strcspn(text, " "), digits = strspn(text, "0123456789.,");
    bool is_number = digits == length && length > 0 && text[length - 1] != ',' && text[length] == ' ';
    return is_number ? length + 1 + strcspn(text + length + 1, " ") : length;
}

void screen_wrap(const struct screen *screen, size_t indent, size_t column, const char *text)
{
    bool at_start = true;
    for (const char *word = text + strspn(text, " "); *word;) {
        size_t length = unbroken(word);
        size_t width = text_width(word, length);
        if (!at_start && column + 1 + width > screen->width) {
            fputc('\n', screen->stream);
            column = 0;
            at_start = true;
        }
        if (column < indent) {
            fprintf(screen->stream, "%*s", (int)(indent - column), "");
            column = indent;
        }
        fprintf(screen->stream, "%s%.*s", at_start ? "" : " ", (int)length, word);
        column += width + !at_start;
        at_start = false;
        word += length;
        word += strspn(word, " ");
    }
    fputc('\n', screen->stream);
}

void screen_label(const struct screen *screen, size_t column, const char *label, char *text)
{
    char *clean = text_printable(text);
    fprintf(screen->stream, "%s%-*s%s", screen_style(screen, STYLE_BOLD), (int)column, label,
            screen_style(screen, STYLE_PLAIN));
    screen_wrap(screen, column, column, clean);
    free(clean);
    free(text);
}

FILE *text_open(char **text, size_t *size)
{
    *text = NULL;
    *size = 0;
    FILE *stream = open_memstream(text, size);
    if (!stream)
        memory_exhausted();
    return stream;
}

void text_close(FILE *stream)
{
    bool failed = ferror(stream) != 0;
    if (fclose(stream) != 0 || failed)
        memory_exhausted();
}

size_t text_decode(const char *text, uint32_t *character)
{
    const unsigned char *bytes = (const unsigned char *)text;
    *character = bytes[0];
    if (bytes[0] < 0x80)
        return bytes[0] != 0;
    size_t length = bytes[0] >= 0xF0 ? 4 : bytes[0] >= 0xE0 ? 3 : 2;
    static const uint32_t smallest[] = {[2] = 0x80, [3] = 0x800, [4] = 0x10000};
    uint32_t value = bytes[0] & (0xFFU >> (length + 1));
    *character = REPLACEMENT;
    if (bytes[0] < 0xC2 || bytes[0] > 0xF4)
        return 1;
    for (size_t i = 1; i < length; i++) {
        if ((bytes[i] & 0xC0) != 0x80)
            return 1;
        value = value << 6 | (bytes[i] & 0x3FU);
    }
    if (value < smallest[length] || value > 0x10FFFF || (value >= 0xD800 && value <= 0xDFFF))
        return 1;
    *character = value;
    return length;
}

static bool is_harmless(uint32_t character)
{
    if (character >= 0x202A && character <= 0x202E)
        return false;
    if (character >= 0x2066 && character <= 0x2069)
        return false;
    return wcwidth((wchar_t)character) >= 0;
}

char *text_printable(const char *text)
{
    char *copy;
    size_t size;
    FILE *out = text_open(&copy, &size);
    uint32_t character;
    for (size_t length; text && (length = text_decode(text, &character)) > 0; text += length) {
        if (character == REPLACEMENT && length == 1)
            fprintf(out, "\\x%02x", (unsigned char)text[0]);
        else if (is_harmless(character))
            fwrite(text, 1, length, out);
        else if (character == '\n' || character == '\t')
            fputs(character == '\n' ? "\\n" : "\\t", out);
        else if (character < 0x80)
            fprintf(out, "\\x%02" PRIx32, character);
        else
            fprintf(out, "\\u{%" PRIx32 "}", character);
    }
    text_close(out);
    return copy;
}

size_t text_width(const char *text, size_t length)
{
    size_t width = 0;
    uint32_t character;
    for (size_t used = 0, step; used < length && (step = text_decode(text + used, &character)) > 0;
         used += step) {
        int columns = wcwidth((wchar_t)character);
        width += columns > 0 ? (size_t)columns : 0;
    }
    return width;
}

char *text_format(const char *format, ...)
{
    char *text = NULL;
    va_list arguments;
    va_start(arguments, format);
    int length = vasprintf(&text, format, arguments);
    va_end(arguments);
    if (length < 0)
        memory_exhausted();
    return text;
}

char *text_count(uint64_t count)
{
    char digits[21], grouped[28];
    int length = snprintf(digits, sizeof digits, "%" PRIu64, count);
    size_t used = 0;
    for (int i = 0; i < length; i++) {
        if (i > 0 && (length - i) % 3 == 0)
            grouped[used++] = ',';
        grouped[used++] = digits[i];
    }
    return text_format("%.*s", (int)used, grouped);
}

char *text_bytes(uint64_t bytes)
{
    static const char *const units[] = {"kB", "MB", "GB", "TB", "PB", "EB"};
    double value = (double)bytes / 1000;
    size_t unit = 0;
    if (bytes < 1000)
        return text_format("%" PRIu64 " bytes", bytes);
    while (value >= 999.95 && unit + 1 < sizeof units / sizeof units[0]) {
        value /= 1000;
        unit++;
    }
    return text_format("%.1f %s", value, units[unit]);
}

char *text_join(const char *const *parts, size_t count)
{
    char *joined;
    size_t size;
    FILE *out = text_open(&joined, &size);
    for (size_t i = 0; i < count; i++)
        fprintf(out, "%s%s", i ? ", " : "", parts[i]);
    text_close(out);
    return joined;
}
