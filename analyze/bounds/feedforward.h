/* Recognising the networks that the covering-number theorems are about: a chain of fully connected layers
 * with an elementwise activation after each but the last.
 *
 * A graph is such a chain when every output is reached from one input through
 *
 *     layout -> [Gemm | MatMul (-> Add)] -> activation -> ... -> [Gemm | MatMul (-> Add)] -> (final
 * operators)
 *
 * where Identity, Dropout (not training) and Cast between float types may stand anywhere, and Flatten,
 * Reshape, Squeeze and Unsqueeze wherever the next layer still reads exactly the units of the layer before.
 * Several outputs are allowed when they are last layers (heads) over one last hidden layer: together they are
 * one last layer. Weights are constants of the file, possibly through Transpose, Identity or a widening Cast.
 *
 * What is refused, and why: weights used by two layers (permuting one layer's units would move the other's),
 * a hidden layer that is an output (its order is visible), a function that differs from unit to unit,
 * anything that joins two computed values. What is accepted with a note: a missing bias (a bias of zeros is
 * in the class), alpha and beta of Gemm (they scale the parameters), no activation between two layers (the
 * identity is one), and operators after the last layer, which the theorem does not see.
 */
#ifndef CNX_ANALYZE_FEEDFORWARD_H
#define CNX_ANALYZE_FEEDFORWARD_H

#include "analyze/analysis.h"
#include "analyze/bounds/activations.h"
#include "analyze/bounds/theorems.h"

typedef struct cnx_feedforward_layer {
    uint32_t node;    /* the Gemm or MatMul */
    uint64_t inputs;  /* d_{l-1} */
    uint64_t outputs; /* d_l */
    const char *weight_name;
    cnx_tensor *weight;
    double weight_scale; /* Gemm's alpha: the layer's parameters are the tensor's entries times this */
    const char *bias_name;
    cnx_tensor *bias; /* NULL: none */
    double bias_scale;
    const char *activation; /* "Relu", or "Relu, Clip" where one follows the other; NULL: none */
    size_t activation_count;
    cnx_growth growth; /* of that function; of the identity when there is none */
} cnx_feedforward_layer;

typedef struct cnx_feedforward {
    bool found;
    const char *why_not; /* the first place where the graph is not such a chain; NULL when found */
    cnx_shape shape;     /* d_0 ... d_{L+1} */
    size_t hidden_count; /* L */
    const cnx_feedforward_layer *hidden;
    size_t head_count; /* last layers, at least one */
    const cnx_feedforward_layer *heads;
    const cnx_growth *growths;   /* of the hidden layers */
    double largest_parameter;    /* B: the largest absolute weight or bias */
    const char *final_operators; /* after the last layer: "Softmax"; NULL: none */
    double final_lipschitz;      /* their Lipschitz constant in the maximum norm */
    size_t note_count;
    size_t note_capacity;
    const char **notes; /* what was accepted although it is not literally the theorems' network */
} cnx_feedforward;

/* Reads the main graph and, when it is a chain, the payloads of its weights. Memory from `arena`. */
cnx_feedforward *cnx_feedforward_find(cnx_arena *arena, const cnx_analysis *analysis);

#endif
