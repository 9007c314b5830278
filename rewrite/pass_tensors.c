/* One form for every payload: raw_data, packed and little-endian. Floats and external data are only viewed;
 * what a typed field held as varints is decoded. Strings have no such form and stay. */
#include "rewrite/pass.h"

static size_t store(cnx_model *model, cnx_tensor *tensor)
{
    Onnx__TensorProto *proto = tensor->proto;
    if (tensor->type == CNX_TYPE_STRING)
        return 0;
    bool raw = proto->has_raw_data && proto->raw_data.len == tensor->size && !proto->has_data_location;
    cnx_tensor_store_raw(model, tensor);
    if (tensor->count == 0)
        proto->has_raw_data = false;
    return !raw;
}

size_t cnx_pass_tensors(cnx_rewrite *rewrite)
{
    size_t changed = 0;
    for (size_t i = 0; i < rewrite->model->tensor_count; i++)
        changed += store(rewrite->model, rewrite->model->tensors[i]);
    return changed;
}
