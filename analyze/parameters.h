/* Which constants of a model are parameters.
 *
 * A model file holds numbers of two kinds: those that training found, and settings (a new shape, an axis, the
 * 2 of a square, the 0.5 of a GELU). People ask for the first. A constant with at least one axis counts as a
 * parameter when it is
 *
 * (1) of a float or complex type, except when every use of it is a setting: bounds of Clip, scales of
 *     Resize, the fill of Pad ...;
 *
 * (2) of a small integer type (16 bits or fewer): quantised weights and their zero points;
 *
 * (3) of another integer type, where an operator takes it for a weight: DequantizeLinear, the bias of
 *     QLinearConv.
 *
 * A scalar without axes is an epsilon, an exponent or a scale that somebody wrote out. (The rare learned one,
 * such as CLIP's temperature, is one element.)
 *
 * So for a PyTorch export the count is numel() over parameters and buffers (the running statistics of
 * BatchNormalization are in the file, and count), except that a folded BatchNormalization leaves one bias a
 * channel. Tensors are told apart by where they are stored: one that is used many times counts once.
 */
#ifndef CNX_ANALYZE_PARAMETERS_H
#define CNX_ANALYZE_PARAMETERS_H

#include "onnx/model.h"

/* Whether value `value` of `graph`, defined there by an initializer or a Constant node, is a parameter. */
bool cnx_is_parameter(const cnx_graph *graph, uint32_t value);

/* Calls `visit` for every parameter of the model once: main graph first, then nested graphs, then functions.
 */
void cnx_parameters_visit(const cnx_model *model, void (*visit)(void *state, const cnx_tensor *tensor),
                          void *state);

#endif
