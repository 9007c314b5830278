#include "base/blas.h"

#include "base/library.h"

const cnx_blas *cnx_blas_load(cnx_arena *arena)
{
    void *library = cnx_library_load(arena, "libopenblas.so.0", "OpenBLAS");
    cnx_blas *blas = CNX_NEW(arena, cnx_blas);
    void *address;
#define FUNCTION(name)                                                                                       \
    address = cnx_library_find(arena, library, "OpenBLAS", "cblas_" #name);                                  \
    memcpy(&blas->name, &address, sizeof address);
    CNX_BLAS_FUNCTIONS(FUNCTION)
#undef FUNCTION
    return blas;
}
