/* One form for every payload: raw_data, packed and little-endian, absent when there are no elements. Floats
 * and external data are only viewed; what a typed field held as varints is decoded. Strings have no such form
 * and stay. */
#include "rewrite/edit.h"
#include "rewrite/trace.h"

size_t cnx_pass_tensors(cnx_rewrite *rewrite)
{
    size_t changed = 0;
    for (size_t i = 0; i < rewrite->model->tensor_count; i++) {
        cnx_tensor *tensor = rewrite->model->tensors[i];
        if (cnx_tensor_plain(rewrite->model, tensor) == 0)
            continue;
        cnx_explain(rewrite, "tensor \"%s\" is stored as raw data",
                    tensor->proto->name != NULL ? tensor->proto->name : "");
        changed++;
    }
    return changed;
}
