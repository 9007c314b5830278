/* A model as text. */
#include "onnx/text.h"
#include "rewrite/permute.h"
#include "rewrite/text/text_names.h"

#include <errno.h>
#include <locale.h>

typedef struct receiver {
    cnx_text_writer *write;
    void *state;
} receiver;

static void send(cnx_sink *sink, const void *bytes, size_t size)
{
    const receiver *to = sink->state;
    errno = 0;
    if (!to->write(to->state, bytes, size))
        cnx_fail(sink->arena, CNX_ERROR_FILE, NULL, "cannot write the text: %s",
                 errno == 0 ? "write error" : strerror(errno));
}

static void print(cnx_model *model, const cnx_text_options *options, cnx_text_writer *write, void *state)
{
    static const cnx_text_options defaults = {0};
    if (options == NULL)
        options = &defaults;
    bool given_up = !options->raw && model->not_canonical != NULL;
    if (given_up && !options->best_effort)
        cnx_fail(model->arena, CNX_ERROR_NOT_CANONICAL, NULL, "the form is not canonical: %s",
                 model->not_canonical);
    cnx_arena *scratch = cnx_arena_create(model->arena);
    receiver to = {write, state};
    cnx_sink sink = {.write = send, .state = &to, .arena = scratch};
    cnx_listings *listings = cnx_listings_create(scratch, model);
    if (!options->raw)
        cnx_text_names(model, listings, options->weights);
    if (given_up) {
        const char *comment = cnx_print(scratch, "# The form is not canonical: %s\n", model->not_canonical);
        send(&sink, comment, strlen(comment));
    }
    cnx_text_print(model, listings, options->weights, cnx_tensor_read, &sink);
    cnx_arena_destroy(scratch);
}

/* Numbers have points, whatever locale the program uses. */
cnx_code cnx_model_text(cnx_model *model, const cnx_text_options *options, cnx_text_writer *write,
                        void *state, cnx_error *error)
{
    locale_t plain = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (plain == (locale_t)0)
        return cnx_out_of_memory(error);
    locale_t kept = uselocale(plain);
    cnx_trap trap;
    if (CNX_ENTER(model->arena, trap, error) == CNX_OK)
        print(model, options, write, state);
    cnx_code code = cnx_leave(model->arena, &trap);
    uselocale(kept);
    freelocale(plain);
    return code;
}
