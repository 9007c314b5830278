/* One form for every payload: raw_data, packed and little-endian, absent when there are no elements. Floats
 * and external data are only viewed; what a typed field held as varints is decoded. Strings have no such form
 * and stay. */
#include "rewrite/edit.h"

size_t cnx_pass_tensors(cnx_rewrite *rewrite)
{
    size_t changed = 0;
    for (size_t i = 0; i < rewrite->model->tensor_count; i++)
        changed += cnx_tensor_plain(rewrite->model, rewrite->model->tensors[i]);
    return changed;
}
