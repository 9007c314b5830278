/* The elementwise functions of one variable, as data: how fast they grow and which changes of sign and scale
 * they let through. The facts are rows of activations.def; this file reads them for a given operator.
 *
 * A row holds formulas in the operator's parameters, so that one row speaks for LeakyRelu of every slope. A
 * cnx_activation is a row evaluated for one choice of parameters.
 */
#ifndef CNX_ANALYZE_ACTIVATIONS_H
#define CNX_ANALYZE_ACTIVATIONS_H

#include "onnx/model.h"

/* Every parameter of every row. */
#define CNX_ACTIVATION_PARAMETERS(PARAMETER)                                                                 \
    PARAMETER(alpha)                                                                                         \
    PARAMETER(beta)                                                                                          \
    PARAMETER(gamma)                                                                                         \
    PARAMETER(bias)                                                                                          \
    PARAMETER(lambd)                                                                                         \
    PARAMETER(minimum)                                                                                       \
    PARAMETER(maximum)

/* NAN stands for "not given": the operator's default. */
typedef struct cnx_activation_parameters {
#define PARAMETER(name) double name;
    CNX_ACTIVATION_PARAMETERS(PARAMETER)
#undef PARAMETER
} cnx_activation_parameters;

#define CNX_ACTIVATION_DEFAULTS ((cnx_activation_parameters){NAN, NAN, NAN, NAN, NAN, NAN, NAN})

typedef enum cnx_flip_kind {
    CNX_FLIP_NONE,
    CNX_FLIP_ODD,    /* s(-x) = -s(x) */
    CNX_FLIP_EVEN,   /* s(-x) = s(x) */
    CNX_FLIP_AFFINE, /* s(center - x) = sum - s(x) */
} cnx_flip_kind;

typedef struct cnx_flip {
    cnx_flip_kind kind;
    double center; /* for CNX_FLIP_AFFINE */
    double sum;
} cnx_flip;

struct cnx_activation_row;

typedef struct cnx_activation {
    const struct cnx_activation_row *row;
    const char *name; /* for people: "Relu", "Gelu (tanh)" */
    cnx_activation_parameters parameters;
    double lipschitz; /* on the whole line; INFINITY when there is none */
    bool homogeneous; /* s(c x) = c^degree s(x) for c > 0 */
    double degree;
    cnx_flip flip;
    double low; /* the values of s lie in [low, high] */
    double high;
    double at_zero; /* s(0) */
    bool per_unit;  /* the function differs from unit to unit (PRelu with a slope for each) */
    bool trained;   /* a parameter of the function is a tensor that training may have set (PRelu) */
} cnx_activation;

/* The activation that an operator name stands for. `variant` is the attribute `approximate` (NULL: absent),
 * `opset` the imported version of the domain (0: the newest row). False when the table has no such row. */
bool cnx_activation_find(const char *domain, const char *name, const char *variant, int64_t opset,
                         const cnx_activation_parameters *given, cnx_activation *activation);

/* The same for a node, whose parameters are read from its attributes and from constant inputs (Clip's limits,
 * PRelu's slopes: the one of largest magnitude). False when the node is not a function of its first input
 * alone, or a parameter is computed. */
bool cnx_activation_of_node(const cnx_graph *graph, const cnx_node *node, cnx_activation *activation);

/* s(x). */
double cnx_activation_value(const cnx_activation *activation, double x);

/* The Lipschitz constant of an operator with the given parameters (NULL: defaults); NAN when it is not in the
 * table. */
double cnx_activation_lipschitz(const char *name, const char *variant,
                                const cnx_activation_parameters *given);

/* The rows in the order of the table, each with its default parameters; false past the end. */
bool cnx_activation_at(size_t index, cnx_activation *activation);

#endif
