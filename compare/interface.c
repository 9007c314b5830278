/* What a caller sees of a model: inputs, outputs, versions; and what only people see. */
#include "compare/comparison.h"
#include "compare/unknown.h"

#include <inttypes.h>

static const char *text_or_empty(const char *text)
{
    return text != NULL ? text : "";
}

/* ---- inputs and outputs ---- */

/* One direction of the interface of both main graphs. */
typedef struct ports {
    cnx_comparison *c;
    const char *what; /* "input" or "output" */
    const cnx_graph *a, *b;
    const uint32_t *a_ids, *b_ids;
    uint32_t a_count, b_count;
    uint32_t *partner; /* by port of b: port of a, or CNX_NONE */
    bool *taken;       /* by port of a */
} ports;

static const char *describe_type(cnx_arena *arena, const cnx_value *value)
{
    const char *text = cnx_declared_text(arena, cnx_declared_type(value));
    bool has_default = value->is_input && (value->initializer != NULL || value->sparse_initializer != NULL);
    return has_default ? cnx_print(arena, "%s with a default", text) : text;
}

static void pair_by_name(ports *p, cnx_intern *names)
{
    for (uint32_t i = 0; i < p->a_count; i++) {
        const char *name = p->a->values[p->a_ids[i]].name;
        cnx_intern_add(names, name, strlen(name));
    }
    for (uint32_t k = 0; k < p->b_count; k++) {
        const char *name = p->b->values[p->b_ids[k]].name;
        uint32_t i = cnx_intern_find(names, name, strlen(name));
        p->partner[k] = i != CNX_NONE && !p->taken[i] ? i : CNX_NONE;
        if (p->partner[k] != CNX_NONE)
            p->taken[i] = true;
    }
}

/* What is left is paired by place, when the types agree: it was renamed. */
static void pair_by_place(ports *p)
{
    for (uint32_t k = 0; k < p->b_count && k < p->a_count; k++) {
        const char *a = describe_type(p->c->arena, &p->a->values[p->a_ids[k]]);
        const char *b = describe_type(p->c->arena, &p->b->values[p->b_ids[k]]);
        if (p->partner[k] == CNX_NONE && !p->taken[k] && strcmp(a, b) == 0) {
            p->partner[k] = k;
            p->taken[k] = true;
        }
    }
}

static void compare_port(const ports *p, uint32_t i, uint32_t k)
{
    cnx_arena *arena = p->c->arena;
    const cnx_value *a = &p->a->values[p->a_ids[i]], *b = &p->b->values[p->b_ids[k]];
    const char *before = describe_type(arena, a), *after = describe_type(arena, b);
    cnx_interface_change change = {.name = a->name, .matters = true};
    if (strcmp(a->name, b->name) != 0) {
        change.what = cnx_print(arena, "%s name", p->what);
        change.before = a->name;
        change.after = b->name;
        cnx_comparison_interface(p->c, change);
    }
    bool seen = strcmp(before, after) != 0; /* a symbol may be called "4" or "?" */
    if (seen || !cnx_same_type(arena, cnx_declared_type(a), cnx_declared_type(b))) {
        change.what = cnx_print(arena, "%s type", p->what);
        change.before = before;
        change.after = seen ? after : cnx_print(arena, "%s, spelled otherwise", after);
        cnx_comparison_interface(p->c, change);
    }
    if (!cnx_same_sparse(p->c->a, a->sparse_initializer, p->c->b, b->sparse_initializer)) {
        change.what = cnx_print(arena, "%s value", p->what);
        change.before = a->sparse_initializer != NULL ? "sparse" : NULL;
        change.after = b->sparse_initializer != NULL ? "other sparse contents" : NULL;
        cnx_comparison_interface(p->c, change);
    }
}

static void compare_ports(ports *p)
{
    cnx_arena *arena = p->c->arena;
    cnx_intern names;
    cnx_intern_init(&names, cnx_arena_create(arena));
    p->partner = CNX_NEW_ARRAY(arena, uint32_t, p->b_count);
    p->taken = CNX_NEW_ARRAY(arena, bool, p->a_count);
    pair_by_name(p, &names);
    pair_by_place(p);
    for (uint32_t i = 0; i < p->a_count; i++) {
        const cnx_value *value = &p->a->values[p->a_ids[i]];
        cnx_interface_change gone = {
            .what = p->what, .name = value->name, .before = describe_type(arena, value), .matters = true};
        if (!p->taken[i])
            cnx_comparison_interface(p->c, gone);
    }
    bool ordered = true;
    for (uint32_t k = 0, last = 0; k < p->b_count; k++) {
        const cnx_value *value = &p->b->values[p->b_ids[k]];
        cnx_interface_change added = {
            .what = p->what, .name = value->name, .after = describe_type(arena, value), .matters = true};
        if (p->partner[k] == CNX_NONE) {
            cnx_comparison_interface(p->c, added);
            continue;
        }
        compare_port(p, p->partner[k], k);
        ordered = ordered && p->partner[k] >= last;
        last = p->partner[k];
    }
    cnx_interface_change order = {.what = cnx_print(arena, "%s order", p->what), .name = "", .matters = true};
    if (!ordered)
        cnx_comparison_interface(p->c, order);
    cnx_arena_destroy(names.arena);
}

/* ---- versions ---- */

static const Onnx__OperatorSetIdProto *find_opset(const Onnx__ModelProto *proto, const char *domain)
{
    for (size_t i = 0; i < proto->n_opset_import; i++)
        if (strcmp(text_or_empty(proto->opset_import[i]->domain), domain) == 0)
            return proto->opset_import[i];
    return NULL;
}

static const char *version_text(cnx_arena *arena, const Onnx__OperatorSetIdProto *set)
{
    return set != NULL ? cnx_print(arena, "%" PRId64, set->version) : NULL;
}

/* Operator sets that nodes use: the passes have dropped the others, and sorted these. */
static void compare_opsets(cnx_comparison *c, const Onnx__ModelProto *a, const Onnx__ModelProto *b)
{
    for (size_t i = 0; i < a->n_opset_import; i++) {
        const char *domain = text_or_empty(a->opset_import[i]->domain);
        const Onnx__OperatorSetIdProto *other = find_opset(b, domain);
        cnx_interface_change change = {.what = "operator set",
                                       .name = domain,
                                       .before = version_text(c->arena, a->opset_import[i]),
                                       .after = version_text(c->arena, other),
                                       .matters = true};
        if (other == NULL || other->version != a->opset_import[i]->version)
            cnx_comparison_interface(c, change);
    }
    for (size_t i = 0; i < b->n_opset_import; i++) {
        const char *domain = text_or_empty(b->opset_import[i]->domain);
        cnx_interface_change change = {.what = "operator set",
                                       .name = domain,
                                       .after = version_text(c->arena, b->opset_import[i]),
                                       .matters = true};
        if (find_opset(a, domain) == NULL)
            cnx_comparison_interface(c, change);
    }
}

/* Only of models of the same nodes: where nodes came or went, so did their fields. */
static void compare_unknown(cnx_comparison *c)
{
    cnx_interface_change change = {
        .what = "fields that this program does not know", .name = "", .after = "other ones", .matters = true};
    if (c->alignment->isomorphic && cnx_hash_unknown(c->a) != cnx_hash_unknown(c->b))
        cnx_comparison_interface(c, change);
}

static void compare_numbers(cnx_comparison *c, const char *what, int64_t before, int64_t after, bool matters)
{
    cnx_interface_change change = {.what = what,
                                   .name = "",
                                   .before = cnx_print(c->arena, "%" PRId64, before),
                                   .after = cnx_print(c->arena, "%" PRId64, after),
                                   .matters = matters};
    if (before != after)
        cnx_comparison_interface(c, change);
}

/* ---- for people only ---- */

static void compare_texts(cnx_comparison *c, const char *what, const char *name, const char *before,
                          const char *after)
{
    before = text_or_empty(before);
    after = text_or_empty(after);
    cnx_interface_change change = {.what = what,
                                   .name = name,
                                   .before = before[0] != '\0' ? before : NULL,
                                   .after = after[0] != '\0' ? after : NULL};
    if (strcmp(before, after) != 0)
        cnx_comparison_interface(c, change);
}

static const char *find_metadata(const Onnx__ModelProto *proto, const char *key)
{
    for (size_t i = 0; i < proto->n_metadata_props; i++)
        if (strcmp(text_or_empty(proto->metadata_props[i]->key), key) == 0)
            return text_or_empty(proto->metadata_props[i]->value);
    return NULL;
}

/* Files with thousands of entries are not for people. */
enum { MOST_METADATA = 256 };

static void compare_metadata(cnx_comparison *c, const Onnx__ModelProto *a, const Onnx__ModelProto *b)
{
    for (size_t i = 0; i < a->n_metadata_props && i < MOST_METADATA; i++) {
        const char *key = text_or_empty(a->metadata_props[i]->key);
        compare_texts(c, "metadata", key, a->metadata_props[i]->value, find_metadata(b, key));
    }
    for (size_t i = 0; i < b->n_metadata_props && i < MOST_METADATA; i++) {
        const char *key = text_or_empty(b->metadata_props[i]->key);
        if (find_metadata(a, key) == NULL)
            compare_texts(c, "metadata", key, NULL, b->metadata_props[i]->value);
    }
}

static const char *producer_text(cnx_arena *arena, const Onnx__ModelProto *proto)
{
    const char *name = text_or_empty(proto->producer_name), *version = text_or_empty(proto->producer_version);
    return version[0] != '\0' ? cnx_print(arena, "%s %s", name, version) : name;
}

static void compare_remarks(cnx_comparison *c)
{
    const Onnx__ModelProto *a = c->a->given->proto, *b = c->b->given->proto;
    compare_texts(c, "producer", "", producer_text(c->arena, a), producer_text(c->arena, b));
    compare_texts(c, "domain", "", a->domain, b->domain);
    compare_numbers(c, "model version", a->model_version, b->model_version, false);
    compare_texts(c, "documentation", "", a->doc_string, b->doc_string);
    compare_texts(c, "name of the graph", "", a->graph->name, b->graph->name);
    compare_texts(c, "documentation of the graph", "", a->graph->doc_string, b->graph->doc_string);
    compare_metadata(c, a, b);
}

/* ---- functions ---- */

static const char *function_text(cnx_arena *arena, const Onnx__FunctionProto *f)
{
    const char *text = cnx_print(arena, "%zu inputs, %zu outputs", f->n_input, f->n_output);
    for (size_t i = 0; i < f->n_attribute; i++)
        text = cnx_print(arena, "%s, %s", text, f->attribute[i]);
    for (size_t i = 0; i < f->n_opset_import; i++)
        text = cnx_print(arena, "%s, %s %" PRId64, text, text_or_empty(f->opset_import[i]->domain),
                         f->opset_import[i]->version);
    return text;
}

/* Attributes that calls may leave out, and what they are then. */
static bool same_defaults(const cnx_comparison *c, const Onnx__FunctionProto *f, const Onnx__FunctionProto *g)
{
    bool same = f->n_attribute_proto == g->n_attribute_proto;
    for (size_t i = 0; i < f->n_attribute_proto && same; i++)
        same = cnx_same_attribute(c->a, f->attribute_proto[i], c->b, g->attribute_proto[i]);
    return same;
}

static void compare_function(cnx_comparison *c, const cnx_graph *a, const cnx_graph *b)
{
    const cnx_graph *one = a != NULL ? a : b;
    const char *before = a != NULL ? function_text(c->arena, a->function) : NULL;
    const char *after = b != NULL ? function_text(c->arena, b->function) : NULL;
    cnx_interface_change change = {
        .what = "function", .name = one->function->name, .before = before, .after = after, .matters = true};
    if (before == NULL || after == NULL || strcmp(before, after) != 0) {
        cnx_comparison_interface(c, change);
    } else if (!same_defaults(c, a->function, b->function)) {
        change.after = cnx_print(c->arena, "%s, other defaults of attributes", after);
        cnx_comparison_interface(c, change);
    }
}

static void compare_functions(cnx_comparison *c)
{
    for (uint32_t i = 0; i < c->a->model->function_count; i++)
        compare_function(c, c->a->model->functions[i], cnx_partner_function(c->b, c->a->model->functions[i]));
    for (uint32_t i = 0; i < c->b->model->function_count; i++)
        if (cnx_partner_function(c->a, c->b->model->functions[i]) == NULL)
            compare_function(c, NULL, c->b->model->functions[i]);
}

void cnx_compare_interfaces(cnx_comparison *c)
{
    const cnx_graph *a = c->a->model->graph, *b = c->b->model->graph;
    ports inputs = {.c = c,
                    .what = "input",
                    .a = a,
                    .b = b,
                    .a_ids = a->inputs,
                    .b_ids = b->inputs,
                    .a_count = a->input_count,
                    .b_count = b->input_count};
    ports outputs = inputs;
    outputs.what = "output";
    outputs.a_ids = a->outputs;
    outputs.b_ids = b->outputs;
    outputs.a_count = a->output_count;
    outputs.b_count = b->output_count;
    compare_ports(&inputs);
    compare_ports(&outputs);
    compare_numbers(c, "IR version", c->a->model->proto->ir_version, c->b->model->proto->ir_version, true);
    compare_opsets(c, c->a->model->proto, c->b->model->proto);
    compare_functions(c);
    compare_unknown(c);
    compare_remarks(c);
}
