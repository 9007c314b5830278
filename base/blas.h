/* The linear algebra of OpenBLAS, for the few commands that need some.
 *
 * It is loaded when it is first used, and not when the program starts: a library that every program can use
 * starts threads of its own as it is loaded, which wait actively, and `hash` of a small model would spend
 * more time on that than on the model.
 */
#ifndef CNX_BASE_BLAS_H
#define CNX_BASE_BLAS_H

#include "base/arena.h"

#include <cblas.h>

/* Functions of cblas.h, without their prefix. */
#define CNX_BLAS_FUNCTIONS(FUNCTION)                                                                         \
    FUNCTION(dnrm2) FUNCTION(dscal) FUNCTION(dgemv) FUNCTION(dger) FUNCTION(dgemm) FUNCTION(dsyrk)

typedef struct cnx_blas {
#define FUNCTION(name) __typeof__(cblas_##name) *name;
    CNX_BLAS_FUNCTIONS(FUNCTION)
#undef FUNCTION
} cnx_blas;

/* The functions, in the arena; they stay loaded until the program ends. Fails (CNX_ERROR_FILE) where the
 * library is not installed. */
const cnx_blas *cnx_blas_load(cnx_arena *arena);

#endif
