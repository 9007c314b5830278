#include "hash_check.h"

#include "digest_line.h"
#include "outcome.h"
#include "text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* What one model was compared with. */
struct comparison {
    const char *list;     /* where the digest was written down; NULL: in the model */
    const char *path;     /* of the model */
    const char *expected; /* NULL: unknown */
    const char *found;    /* NULL: unknown */
    const cnx_error *error;
};

cnx_code hash_digest(const char *path, enum digest_kind kind, char digest[33], char embedded[33],
                     cnx_error *error)
{
    static const cnx_canon_options everything = {0};
    if (kind == DIGEST_OF_FORM && embedded == NULL)
        return cnx_path_hash(path, digest, error);
    cnx_model *model;
    cnx_code code = cnx_model_open(path, &model, error);
    const char *said = NULL;
    if (code == CNX_OK && embedded)
        code = cnx_model_embedded_hash(model, &said, error);
    if (code == CNX_OK && embedded)
        snprintf(embedded, DIGEST_LENGTH + 1, "%s", said ? said : "");
    if (code == CNX_OK && kind != DIGEST_OF_STRUCTURE)
        code = cnx_canonicalize(model, &everything, NULL, error);
    if (code == CNX_OK && kind == DIGEST_OF_STRUCTURE)
        code = cnx_model_hash_structure(model, digest, error);
    else if (code == CNX_OK && kind == DIGEST_OF_WEIGHTS)
        code = cnx_model_hash_weights(model, digest, error);
    else if (code == CNX_OK)
        code = cnx_model_hash(model, digest, error);
    cnx_model_close(model);
    return code;
}

json_t *hash_error_value(const cnx_error *error)
{
    json_t *object = document_object();
    field_text(object, "place", error->place);
    field_text(object, "message", error->message);
    return object;
}

/* Tells how a comparison ended and returns its outcome. */
static int tell(const struct request *request, const struct comparison *one, json_t *checks)
{
    bool same = one->found && one->expected && strcmp(one->found, one->expected) == 0;
    if (request->json) {
        json_t *object = document_object();
        field_text(object, "list", one->list);
        field_text(object, "path", one->path);
        field_text(object, "expected", one->expected);
        field_text(object, "digest", one->found);
        field_bool(object, "ok", same);
        field_value(object, "error", one->error ? hash_error_value(one->error) : json_null());
        item_value(checks, object);
    } else if (one->found && !(same && request->quiet)) {
        digest_line_print(stdout, "", one->path, same ? ": OK" : ": FAILED");
    }
    if (one->error)
        return outcome_failure(one->path, one->error);
    return same ? OUTCOME_SUCCESS : OUTCOME_DIFFERENT;
}

static int check_embedded(const struct request *request, enum digest_kind kind, const char *path,
                          json_t *checks)
{
    char digest[33], embedded[33] = "";
    cnx_error error = {0};
    struct comparison one = {.path = path};
    if (kind != DIGEST_OF_FORM) {
        snprintf(error.message, sizeof error.message,
                 "a model holds the hash of its whole form only (expected a list of digests)");
        one.error = &error;
        return tell(request, &one, checks);
    }
    if (hash_digest(path, kind, digest, embedded, &error) != CNX_OK) {
        one.error = &error;
    } else if (!embedded[0]) {
        snprintf(error.message, sizeof error.message,
                 "the model holds no hash (expected one made by canon --embed-hash, or a list of digests)");
        one.error = &error;
    } else {
        one.found = digest;
        one.expected = embedded;
    }
    return tell(request, &one, checks);
}

static int check_line(const struct request *request, enum digest_kind kind, const char *list,
                      const char *expected, const char *path, json_t *checks)
{
    char digest[33];
    cnx_error error = {0};
    struct comparison one = {.list = list, .path = path, .expected = expected};
    if (hash_digest(path, kind, digest, NULL, &error) == CNX_OK)
        one.found = digest;
    else
        one.error = &error;
    return tell(request, &one, checks);
}

/* A list that is no list is trouble, wherever that shows: what it was to guard may be missing. */
static int list_trouble(const struct request *request, const char *list, size_t line, const char *what,
                        json_t *checks)
{
    cnx_error error = {0};
    struct comparison one = {.list = list, .path = list, .error = &error};
    if (line)
        snprintf(error.place, sizeof error.place, "line %zu", line);
    snprintf(error.message, sizeof error.message, "%s", what);
    return tell(request, &one, checks);
}

static int worse(int a, int b)
{
    return a > b ? a : b;
}

static int check_list(const struct request *request, enum digest_kind kind, const char *list, FILE *file,
                      json_t *checks)
{
    static const char expected_line[] =
        "not a digest and a path (expected 32 hexadecimal digits, two spaces, a path)";
    int outcome = OUTCOME_SUCCESS;
    char *line = NULL, *digest, *path;
    size_t room = 0, number = 0, models = 0;
    ssize_t length;
    errno = 0;
    while ((length = getline(&line, &room, file)) >= 0) {
        number++;
        if (line[0] == '#')
            continue;
        models++;
        outcome = worse(outcome, digest_line_parse(line, (size_t)length, &digest, &path)
                                     ? check_line(request, kind, list, digest, path, checks)
                                     : list_trouble(request, list, number, expected_line, checks));
        errno = 0;
    }
    if (ferror(file))
        outcome = list_trouble(request, list, 0, strerror(errno), checks);
    else if (models == 0)
        outcome = list_trouble(request, list, 0,
                               "no digests in it (expected lines that canonnx hash printed)", checks);
    free(line);
    return outcome;
}

int hash_check(const struct request *request, enum digest_kind kind, const char *file, json_t *checks)
{
    if (strcmp(file, "-") == 0)
        return check_list(request, kind, file, stdin, checks);
    if (!digest_line_begins(file))
        return check_embedded(request, kind, file, checks);
    FILE *stream = fopen(file, "re");
    if (!stream)
        return list_trouble(request, file, 0, strerror(errno), checks);
    int outcome = check_list(request, kind, file, stream, checks);
    fclose(stream);
    return outcome;
}
