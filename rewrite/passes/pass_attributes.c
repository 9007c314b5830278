/* Attributes in order of their names, without those that only state what the operator does anyway
 * (rewrite/passes/attribute_defaults.def), every one with its type written down.
 *
 * Attributes of functions of the model and of operators that are not in the table are kept as they are. */
#include "rewrite/pass.h"
#include "rewrite/trace.h"

#include <stdlib.h>

typedef Onnx__AttributeProto attribute_proto;

enum default_kind { DEFAULT_NONE, DEFAULT_INT, DEFAULT_FLOAT, DEFAULT_TEXT, DEFAULT_ALL, DEFAULT_REVERSED };

typedef struct attribute_default {
    const char *domain;
    const char *op_type;
    const char *attribute;
    int64_t since;
    enum default_kind kind;
    int64_t number;
    float real;
    const char *text;
} attribute_default;

static const attribute_default table[] = {
#define NONE .kind = DEFAULT_NONE
#define INT(value) .kind = DEFAULT_INT, .number = (value)
#define FLOAT(value) .kind = DEFAULT_FLOAT, .real = (value)
#define TEXT(value) .kind = DEFAULT_TEXT, .text = (value)
#define ALL(value) .kind = DEFAULT_ALL, .number = (value)
#define REVERSED .kind = DEFAULT_REVERSED
#define ATTRIBUTE_DEFAULT(domain_, operator_, attribute_, since_, ...)                                       \
    {.domain = domain_, .op_type = operator_, .attribute = attribute_, .since = since_, __VA_ARGS__},
#include "rewrite/passes/attribute_defaults.def"
#undef ATTRIBUTE_DEFAULT
#undef REVERSED
#undef ALL
#undef TEXT
#undef FLOAT
#undef INT
#undef NONE
};

enum { TABLE_COUNT = sizeof table / sizeof table[0] };

/* The newest version of an operator set that the table knows about. */
static int64_t newest_version(const char *domain)
{
#define OPERATOR_SET_NEWEST(name, version)                                                                   \
    if (strcmp(domain, name) == 0)                                                                           \
        return version;
#include "rewrite/passes/attribute_defaults.def"
#undef OPERATOR_SET_NEWEST
    return 0;
}

/* ---- defaults ---- */

/* Compares a row with domain, operator, attribute, and version. */
static int compare(const attribute_default *row, const cnx_node *node, const char *attribute)
{
    int order = strcmp(row->domain, node->domain);
    if (order == 0)
        order = strcmp(row->op_type, node->op_type);
    if (order == 0)
        order = strcmp(row->attribute, attribute);
    if (order == 0)
        order = row->since <= node->opset ? -1 : 1;
    return order;
}

/* The newest row for an attribute that speaks about the node's version, or NULL. */
static const attribute_default *find_default(const cnx_node *node, const char *attribute)
{
    size_t low = 0; /* rows before it are smaller */
    size_t high = TABLE_COUNT;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare(&table[middle], node, attribute) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == 0)
        return NULL;
    const attribute_default *row = &table[low - 1];
    bool same = strcmp(row->domain, node->domain) == 0 && strcmp(row->op_type, node->op_type) == 0 &&
                strcmp(row->attribute, attribute) == 0;
    return same ? row : NULL;
}

static bool all_equal(const attribute_proto *attribute, int64_t number)
{
    for (size_t i = 0; i < attribute->n_ints; i++)
        if (attribute->ints[i] != number)
            return false;
    return true;
}

static bool is_reversal(const attribute_proto *attribute)
{
    for (size_t i = 0; i < attribute->n_ints; i++)
        if (attribute->ints[i] != (int64_t)(attribute->n_ints - 1 - i))
            return false;
    return true;
}

/* -0 is not the default 0. */
static bool same_bits(float a, float b)
{
    uint32_t x, y;
    memcpy(&x, &a, sizeof x);
    memcpy(&y, &b, sizeof y);
    return x == y;
}

static bool states_default(const attribute_default *row, const attribute_proto *attribute)
{
    switch (row->kind) {
    case DEFAULT_INT:
        return attribute->type == ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT && attribute->i == row->number;
    case DEFAULT_FLOAT:
        return attribute->type == ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT &&
               same_bits(attribute->f, row->real);
    case DEFAULT_TEXT:
        return attribute->type == ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING &&
               attribute->s.len == strlen(row->text) &&
               memcmp(attribute->s.data, row->text, attribute->s.len) == 0;
    case DEFAULT_ALL:
        return attribute->type == ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS &&
               all_equal(attribute, row->number);
    case DEFAULT_REVERSED:
        return attribute->type == ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS && is_reversal(attribute);
    case DEFAULT_NONE:
        return false;
    }
    return false;
}

/* ---- one spelling ---- */

/* The type that the value in use implies; early files leave it out. */
static Onnx__AttributeProto__AttributeType implied_type(const attribute_proto *attribute)
{
    if (attribute->has_f)
        return ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT;
    if (attribute->has_i)
        return ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT;
    if (attribute->has_s)
        return ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING;
    if (attribute->t != NULL)
        return ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TENSOR;
    if (attribute->g != NULL)
        return ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__GRAPH;
    if (attribute->n_floats != 0)
        return ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOATS;
    if (attribute->n_ints != 0)
        return ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS;
    if (attribute->n_strings != 0)
        return ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRINGS;
    return ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__UNDEFINED;
}

static bool is_reference(const attribute_proto *attribute)
{
    return attribute->ref_attr_name != NULL && attribute->ref_attr_name[0] != '\0';
}

static int presence(const attribute_proto *attribute)
{
    return attribute->has_type + attribute->has_i + attribute->has_f + attribute->has_s;
}

/* Writes the type down, and a value that is the type's zero. */
static size_t complete(attribute_proto *attribute)
{
    int before = presence(attribute);
    if (!attribute->has_type || attribute->type == ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__UNDEFINED)
        attribute->type = implied_type(attribute);
    attribute->has_type = attribute->type != ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__UNDEFINED;
    if (!is_reference(attribute)) {
        attribute->ref_attr_name = NULL;
        attribute->has_i |= attribute->type == ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT;
        attribute->has_f |= attribute->type == ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT;
        attribute->has_s |= attribute->type == ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING;
    }
    return presence(attribute) != before;
}

static size_t drop_name(Onnx__TensorProto *tensor)
{
    size_t changed = tensor != NULL && tensor->name != NULL;
    if (tensor != NULL)
        tensor->name = NULL;
    return changed;
}

static size_t drop_sparse_names(const Onnx__SparseTensorProto *sparse)
{
    return sparse != NULL ? drop_name(sparse->values) + drop_name(sparse->indices) : 0;
}

/* Tensors in attributes have names that nothing refers to. */
static size_t drop_tensor_names(const attribute_proto *attribute)
{
    size_t changed = drop_name(attribute->t) + drop_sparse_names(attribute->sparse_tensor);
    for (size_t i = 0; i < attribute->n_tensors; i++)
        changed += drop_name(attribute->tensors[i]);
    for (size_t i = 0; i < attribute->n_sparse_tensors; i++)
        changed += drop_sparse_names(attribute->sparse_tensors[i]);
    return changed;
}

static int by_name(const void *a, const void *b)
{
    return strcmp((*(attribute_proto *const *)a)->name, (*(attribute_proto *const *)b)->name);
}

static int by_attribute(const void *a, const void *b)
{
    const cnx_subgraph *left = a;
    const cnx_subgraph *right = b;
    int order = strcmp(left->attribute->name, right->attribute->name);
    return order != 0 ? order : (left->position > right->position) - (left->position < right->position);
}

static size_t sort_attributes(cnx_node *node)
{
    Onnx__NodeProto *proto = node->proto;
    size_t unsorted = 0;
    for (size_t i = 1; i < proto->n_attribute; i++)
        unsorted += by_name(&proto->attribute[i - 1], &proto->attribute[i]) > 0;
    if (unsorted == 0)
        return 0;
    qsort(proto->attribute, proto->n_attribute, sizeof *proto->attribute, by_name);
    if (node->subgraph_count > 1)
        qsort(node->subgraphs, node->subgraph_count, sizeof *node->subgraphs, by_attribute);
    return 1;
}

static size_t clean_node(cnx_rewrite *rewrite, const cnx_graph *graph, cnx_node *node)
{
    Onnx__NodeProto *proto = node->proto;
    bool known = node->function == NULL && node->opset >= 1 && node->opset <= newest_version(node->domain);
    size_t changed = 0;
    size_t kept = 0;
    for (size_t i = 0; i < proto->n_attribute; i++) {
        attribute_proto *attribute = proto->attribute[i];
        changed += complete(attribute) + drop_tensor_names(attribute);
        const attribute_default *row = NULL;
        if (known && !is_reference(attribute))
            row = find_default(node, attribute->name);
        if (row == NULL || !states_default(row, attribute)) {
            proto->attribute[kept++] = attribute;
            continue;
        }
        cnx_explain_node(rewrite, graph, node, "attribute \"%s\" states the default", attribute->name);
        changed++;
    }
    proto->n_attribute = kept;
    return changed + sort_attributes(node);
}

size_t cnx_pass_attributes(cnx_rewrite *rewrite)
{
    size_t changed = 0;
    size_t count;
    cnx_graph **graphs = cnx_rewrite_graphs(rewrite, &count);
    for (size_t i = 0; i < count; i++)
        for (uint32_t k = 0; k < graphs[i]->order_count; k++)
            changed += clean_node(rewrite, graphs[i], &graphs[i]->nodes[graphs[i]->order[k]]);
    return changed;
}
