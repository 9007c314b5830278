/* Shared libraries that are loaded when they are first used, and not when the program starts: most runs need
 * none of them, and loading one may take longer than the analysis of a model. */
#ifndef CNX_BASE_LIBRARY_H
#define CNX_BASE_LIBRARY_H

#include "base/arena.h"

/* Loads the library in `file`, which stays loaded until the program ends; `called` is what people call it.
 * Fails (CNX_ERROR_FILE) where it is not installed. */
void *cnx_library_load(cnx_arena *arena, const char *file, const char *called);

/* The address of a function in a loaded library. Fails (CNX_ERROR_FILE) where it has none of that name. C has
 * no cast from an object's address to a function's: the caller copies it, as POSIX does. */
void *cnx_library_find(cnx_arena *arena, void *library, const char *called, const char *name);

#endif
