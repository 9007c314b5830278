#include "onnx/place.h"

const char *cnx_place_text(cnx_arena *arena, const cnx_place *place)
{
    if (place == NULL)
        return "";
    bool named = place->name != NULL && place->name[0] != '\0';
    bool detailed = place->detail != NULL && place->detail[0] != '\0';
    const char *text = named ? cnx_print(arena, "%s \"%s\"", place->kind, place->name)
                             : cnx_print(arena, "%s #%llu", place->kind, (unsigned long long)place->index);
    if (detailed)
        text = cnx_print(arena, "%s (%s)", text, place->detail);
    return place->outer == NULL ? text
                                : cnx_print(arena, "%s, %s", cnx_place_text(arena, place->outer), text);
}
