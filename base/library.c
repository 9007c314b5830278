#include "base/library.h"

#include <dlfcn.h>

static _Noreturn void fail(cnx_arena *arena, const char *called)
{
    cnx_fail(arena, CNX_ERROR_FILE, NULL, "cannot load %s: %s", called, dlerror());
}

void *cnx_library_load(cnx_arena *arena, const char *file, const char *called)
{
    void *library = dlopen(file, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (library == NULL)
        fail(arena, called);
    dlclose(library); /* it stays */
    return library;
}

void *cnx_library_find(cnx_arena *arena, void *library, const char *called, const char *name)
{
    void *address = dlsym(library, name);
    if (address == NULL)
        fail(arena, called);
    return address;
}
