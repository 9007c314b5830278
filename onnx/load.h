/* Steps of loading, private to onnx/. */
#ifndef CNX_ONNX_LOAD_H
#define CNX_ONNX_LOAD_H

#include "onnx/model.h"
#include "onnx/place.h"

/* Makes the record of a tensor: checks that type, dims and payload fit together and finds its bytes. */
cnx_tensor *cnx_tensor_bind(cnx_model *model, Onnx__TensorProto *proto, const cnx_place *place);

/* Binds every TensorProto of the model. */
void cnx_tensors_collect(cnx_model *model);

/* Builds model->graph and model->functions from the messages. */
void cnx_graphs_build(cnx_model *model);

/* Fails when functions of the model call each other in a circle. Sets cnx_node.function. */
void cnx_functions_link(cnx_model *model);

/* "" for "ai.onnx" and NULL, else the domain. */
const char *cnx_domain_name(const char *domain);

#endif
