#include "digest_line.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

void digest_line_print(FILE *stream, const char *before, const char *path, const char *after)
{
    bool escape = strpbrk(path, "\\\n\r") != NULL;
    fprintf(stream, "%s%s", escape ? "\\" : "", before);
    for (const char *c = path; *c; c++) {
        if (*c == '\\')
            fputs("\\\\", stream);
        else if (*c == '\n')
            fputs("\\n", stream);
        else if (*c == '\r')
            fputs("\\r", stream);
        else
            putc(*c, stream);
    }
    fprintf(stream, "%s\n", after);
}

/* False: a backslash is followed by something that it cannot stand before. */
static bool unescape(char *path)
{
    char *out = path;
    for (const char *c = path; *c; c++) {
        if (*c != '\\') {
            *out++ = *c;
            continue;
        }
        c++;
        if (*c != '\\' && *c != 'n' && *c != 'r')
            return false;
        *out++ = *c == 'n' ? '\n' : *c == 'r' ? '\r' : '\\';
    }
    *out = '\0';
    return true;
}

bool digest_line_parse(char *line, size_t length, char **digest, char **path)
{
    if (length > 0 && line[length - 1] == '\n')
        line[--length] = '\0';
    if (length > 0 && line[length - 1] == '\r') /* other systems end lines so; one in a name is escaped */
        line[--length] = '\0';
    bool escaped = line[0] == '\\';
    *digest = line + escaped;
    size_t digits = 0;
    while (digits < DIGEST_LENGTH && isxdigit((unsigned char)(*digest)[digits])) {
        (*digest)[digits] = (char)tolower((unsigned char)(*digest)[digits]);
        digits++;
    }
    if (digits < DIGEST_LENGTH || strncmp(*digest + digits, "  ", 2) != 0 || strlen(line) != length)
        return false;
    (*digest)[digits] = '\0';
    *path = *digest + digits + 2;
    return **path != '\0' && (!escaped || unescape(*path));
}

bool digest_line_begins(const char *path)
{
    struct stat status;
    if (stat(path, &status) != 0 || S_ISDIR(status.st_mode))
        return false;
    if (!S_ISREG(status.st_mode))
        return true; /* a pipe; no model comes from there */
    FILE *file = fopen(path, "re");
    char *line = NULL, *digest, *named;
    size_t room = 0;
    ssize_t length = -1;
    /* A binary file may have one line of any length, so a line is only read when it can be one of ours. */
    for (int c = '#'; file && c == '#';) {
        c = getc(file);
        ungetc(c, file);
        if (c == '#' || c == '\\' || isxdigit(c))
            length = getline(&line, &room, file);
        if (length < 0)
            break;
    }
    bool is_one = length >= 0 && digest_line_parse(line, (size_t)length, &digest, &named);
    free(line);
    if (file)
        fclose(file);
    return is_one;
}
