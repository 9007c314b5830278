/* Names, strings and numbers. */
#include "base/checksum.h"
#include "onnx/text/writer.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { LONGEST_STRING = 4096 };

/* ---- characters ---- */

/* The length of the UTF-8 character that begins a string of `size` bytes, 0 when it is none. */
static size_t decode(const uint8_t *bytes, size_t size, uint32_t *character)
{
    *character = bytes[0];
    if (bytes[0] < 0x80)
        return 1;
    if (bytes[0] < 0xC2 || bytes[0] > 0xF4)
        return 0;
    size_t length = bytes[0] >= 0xF0 ? 4 : bytes[0] >= 0xE0 ? 3 : 2;
    static const uint32_t smallest[] = {[2] = 0x80, [3] = 0x800, [4] = 0x10000};
    uint32_t value = bytes[0] & (0xFFu >> (length + 1));
    for (size_t i = 1; i < length; i++) {
        if (i >= size || (bytes[i] & 0xC0) != 0x80)
            return 0;
        value = value << 6 | (bytes[i] & 0x3Fu);
    }
    if (value < smallest[length] || value > 0x10FFFF || (value >= 0xD800 && value <= 0xDFFF))
        return 0;
    *character = value;
    return length;
}

/* Whether a terminal shows the character and does nothing else. */
static bool is_harmless(uint32_t character)
{
    bool control = character < 0x20 || (character >= 0x7F && character < 0xA0);
    bool direction = character == 0x061C || character == 0x200E || character == 0x200F ||
                     (character >= 0x202A && character <= 0x202E) ||
                     (character >= 0x2066 && character <= 0x2069);
    return !control && !direction && character != 0x2028 && character != 0x2029;
}

static void write_escaped(cnx_writer *out, const uint8_t *bytes, size_t size, bool lines)
{
    for (size_t at = 0; at < size;) {
        uint32_t character;
        size_t length = decode(bytes + at, size - at, &character);
        if (length == 0 || (length == 1 && character < 0x80 && !is_harmless(character))) {
            if (length == 1 && lines && (character == '\n' || character == '\t'))
                cnx_write_bytes(out, (const char *)bytes + at, 1);
            else if (length == 1 && character == '\n')
                cnx_write(out, "\\n");
            else
                cnx_write_format(out, "\\x%02x", bytes[at]);
            at++;
            continue;
        }
        if (character == '"' || character == '\\')
            cnx_write(out, "\\");
        if (is_harmless(character))
            cnx_write_bytes(out, (const char *)bytes + at, length);
        else
            cnx_write_format(out, "\\u{%x}", (unsigned)character);
        at += length;
    }
}

static bool is_text(const uint8_t *bytes, size_t size)
{
    for (size_t at = 0; at < size;) {
        uint32_t character;
        size_t length = decode(bytes + at, size - at, &character);
        if (length == 0 || (character < 0x20 && character != '\n' && character != '\t' && character != '\r'))
            return false;
        at += length;
    }
    return true;
}

/* ---- names and strings ---- */

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_identifier(const char *name)
{
    if (!is_letter(name[0]))
        return false;
    while (is_letter(*name) || (*name >= '0' && *name <= '9'))
        name++;
    return *name == '\0';
}

void cnx_write_name(cnx_writer *out, const char *name)
{
    if (name == NULL)
        name = "";
    if (is_identifier(name)) {
        cnx_write(out, name);
        return;
    }
    cnx_write(out, "\"");
    write_escaped(out, (const uint8_t *)name, strlen(name), false);
    cnx_write(out, "\"");
}

void cnx_write_string(cnx_writer *out, const void *bytes, size_t size)
{
    cnx_write(out, "\"");
    if (out->weights != CNX_TEXT_VALUES && (size > LONGEST_STRING || !is_text(bytes, size))) {
        char digest[33];
        cnx_checksum_of(bytes, size, digest);
        cnx_write_format(out, "(%zu bytes, xxh3 %s)", size, digest);
    } else {
        write_escaped(out, bytes, size, !out->in_comment);
    }
    cnx_write(out, "\"");
}

void cnx_write_text(cnx_writer *out, const char *text)
{
    cnx_write_string(out, text == NULL ? "" : text, text == NULL ? 0 : strlen(text));
}

/* ---- numbers ---- */

static bool write_special(cnx_writer *out, double value)
{
    if (isfinite(value))
        return false;
    cnx_write(out, signbit(value) ? "-" : "");
    cnx_write(out, isnan(value) ? "nan" : "inf");
    return true;
}

static void write_number(cnx_writer *out, const char *digits)
{
    cnx_write(out, digits);
    if (strpbrk(digits, ".e") == NULL)
        cnx_write(out, ".0");
}

void cnx_write_float(cnx_writer *out, float value)
{
    char digits[32];
    if (write_special(out, (double)value))
        return;
    for (int precision = 1; precision <= 9; precision++) {
        snprintf(digits, sizeof digits, "%.*g", precision, (double)value);
        if (strtof(digits, NULL) == value)
            break;
    }
    write_number(out, digits);
}

void cnx_write_double(cnx_writer *out, double value)
{
    char digits[32];
    if (write_special(out, value))
        return;
    for (int precision = 1; precision <= 17; precision++) {
        snprintf(digits, sizeof digits, "%.*g", precision, value);
        if (strtod(digits, NULL) == value)
            break;
    }
    write_number(out, digits);
}
