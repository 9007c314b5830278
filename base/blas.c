#include "base/blas.h"

#include <dlfcn.h>

#define LIBRARY "libopenblas.so.0"

static void *find(cnx_arena *arena, void *library, const char *name)
{
    void *address = library != NULL ? dlsym(library, name) : NULL;
    if (address == NULL)
        cnx_fail(arena, CNX_ERROR_FILE, NULL, "cannot load OpenBLAS: %s", dlerror());
    return address;
}

const cnx_blas *cnx_blas_load(cnx_arena *arena)
{
    void *library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    cnx_blas *blas = CNX_NEW(arena, cnx_blas);
    void *address; /* C has no cast from an object's address to a function's, so that POSIX copies it */
#define FUNCTION(name)                                                                                       \
    address = find(arena, library, "cblas_" #name);                                                          \
    memcpy(&blas->name, &address, sizeof address);
    CNX_BLAS_FUNCTIONS(FUNCTION)
#undef FUNCTION
    dlclose(library);
    return blas;
}
