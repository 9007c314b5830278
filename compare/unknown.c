#include "compare/unknown.h"

#include "base/mix.h"
#include "proto/wire.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

/* Every hash here is 0 where there is nothing unknown. `what` is added at place `at` of what it is part of.
 */
static uint64_t add_part(uint64_t hash, uint64_t at, uint64_t what)
{
    return what != 0 ? cnx_mix_pair(hash, cnx_mix_pair(at, what)) : hash;
}

/* Fields of a message itself, in their order. */
static uint64_t hash_own(const ProtobufCMessage *message)
{
    uint64_t hash = 0;
    for (unsigned i = 0; i < message->n_unknown_fields; i++) {
        const ProtobufCMessageUnknownField *field = &message->unknown_fields[i];
        if (field->tag == CNX_HANDLE_FIELD) /* ours: where the payload is */
            continue;
        hash = cnx_mix_pair(hash, cnx_mix_pair(field->tag, XXH3_64bits(field->data, field->len)));
    }
    return hash;
}

static uint64_t hash_all(const ProtobufCMessage *message);

/* Messages in one field of a message; nested graphs are scopes of their own. */
static uint64_t hash_field(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field)
{
    uint64_t hash = 0;
    const char *at = (const char *)message + field->offset;
    const ProtobufCMessage *const *items = (const ProtobufCMessage *const *)(const void *)at;
    size_t count = *items != NULL;
    if (field->label == PROTOBUF_C_LABEL_REPEATED) {
        memcpy(&count, (const char *)message + field->quantifier_offset, sizeof count);
        memcpy(&items, at, sizeof items);
    } else if ((field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0) {
        uint32_t chosen;
        memcpy(&chosen, (const char *)message + field->quantifier_offset, sizeof chosen);
        count = chosen == field->id;
    }
    for (size_t i = 0; i < count; i++)
        hash = add_part(hash, i, hash_all(items[i]));
    return hash;
}

static uint64_t hash_all(const ProtobufCMessage *message)
{
    uint64_t hash = hash_own(message);
    for (unsigned i = 0; i < message->descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &message->descriptor->fields[i];
        if (field->type == PROTOBUF_C_TYPE_MESSAGE && field->descriptor != &onnx__graph_proto__descriptor)
            hash = add_part(hash, field->id, hash_field(message, field));
    }
    return hash;
}

static uint64_t hash_ports(const cnx_graph *graph, const uint32_t *ids, uint32_t count)
{
    uint64_t hash = 0;
    for (uint32_t i = 0; i < count; i++) {
        const Onnx__ValueInfoProto *info = graph->values[ids[i]].info;
        hash = info != NULL ? add_part(hash, i, hash_all(&info->base)) : hash;
    }
    return hash;
}

static uint64_t hash_scope(const cnx_graph *graph)
{
    uint64_t hash = hash_own(graph->proto != NULL ? &graph->proto->base : &graph->function->base);
    hash = add_part(hash, 1, hash_ports(graph, graph->inputs, graph->input_count));
    return add_part(hash, 2, hash_ports(graph, graph->outputs, graph->output_count));
}

static uint64_t hash_step(const cnx_side *side, uint32_t step)
{
    const cnx_node *node = cnx_side_node(side, step);
    uint64_t hash = hash_all(&node->proto->base);
    for (uint32_t slot = 0; slot < node->input_count; slot++) {
        cnx_origin origin = cnx_side_input(side, step, slot);
        if (origin.kind == CNX_FROM_TENSOR)
            hash =
                add_part(hash, slot, hash_all(&origin.graph->values[origin.value].initializer->proto->base));
        else if (origin.kind == CNX_FROM_SPARSE)
            hash =
                add_part(hash, slot, hash_all(&origin.graph->values[origin.value].sparse_initializer->base));
    }
    return hash;
}

uint64_t cnx_hash_unknown(const cnx_side *side)
{
    const Onnx__ModelProto *proto = side->model->proto;
    uint64_t hash = hash_own(&proto->base);
    for (size_t i = 0; i < proto->n_opset_import; i++)
        hash = add_part(hash, i, hash_own(&proto->opset_import[i]->base));
    for (uint32_t i = 0; i < side->scope_count; i++)
        hash = add_part(hash, i, hash_scope(side->scopes[i].graph));
    for (uint32_t i = 0; i < side->step_count; i++)
        hash = add_part(hash, i, hash_step(side, i));
    return hash;
}
