#include "rewrite/edit.h"

cnx_tensor *cnx_tensor_share(cnx_model *model, cnx_tensor *tensor)
{
    if (tensor->type != CNX_TYPE_STRING)
        cnx_tensor_store_raw(model, tensor);
    Onnx__TensorProto *proto = CNX_NEW(model->arena, Onnx__TensorProto);
    *proto = *tensor->proto;
    return cnx_tensor_register(model, proto);
}
