/* The covering-number theorems, as functions of numbers: no graph, no file, no memory.
 *
 * The network is f = A_{L+1} o s_L o A_L o ... o s_1 o A_1 with A_l(x) = W_l x + b_l and widths d_0 ...
 * d_{L+1}; all parameters lie in [-B, B]; an input's Euclidean norm is at most Bx; s_l has the Lipschitz
 * constant rho_l. N is the least number of networks of the class such that every network of the class is
 * within epsilon of one of them, uniformly over inputs and outputs. All results are natural logarithms.
 *
 * Theorem 3, Theorem 4 and the table are those of Shen, "Complexity of feed-forward neural networks from the
 * perspective of functional equivalence" (arXiv 2305.11417). Where their constants come from: two parameter
 * vectors closer than delta = epsilon / K' in every entry give functions closer than epsilon; a maximal
 * delta-separated set in the ordered part of the box {b_1 >= ... >= b_d in every hidden layer} has disjoint
 * cubes of side delta round its points, which lie inside a translate of twice that part; so N <= (4 B /
 * delta)^S / prod d_l!. That last step needs a cube of side delta inside the ordered part, which is there iff
 * delta <= 2 B / max d_l: the *condition* reported below. The printed theorems do not mention it.
 */
#ifndef CNX_ANALYZE_THEOREMS_H
#define CNX_ANALYZE_THEOREMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The widths d_0 ... d_{hidden + 1}, each at least 1. */
typedef struct cnx_shape {
    size_t hidden; /* L */
    const uint64_t *widths;
} cnx_shape;

/* max(d_1 ... d_L), 0 without hidden layers. */
uint64_t cnx_shape_width(const cnx_shape *shape);
/* S = sum of d_{i+1} (d_i + 1), biases included. */
uint64_t cnx_shape_size(const cnx_shape *shape);
/* U = d_1 + ... + d_L. */
uint64_t cnx_shape_neurons(const cnx_shape *shape);
/* ln of the order of the permutation group: the sum of ln d_l! over the hidden layers. */
double cnx_shape_log_factorials(const cnx_shape *shape);

/* What a theorem needs to know of one hidden layer's activation s. */
typedef struct cnx_growth {
    double lipschitz; /* rho */
    double at_zero;   /* s(0) */
    double bound;     /* the supremum of |s|, or INFINITY */
} cnx_growth;

/* The constants of a class of networks. */
typedef struct cnx_class {
    cnx_shape shape;
    const cnx_growth *activations; /* of the hidden layers, in order */
    double parameter_bound;        /* B */
    double input_bound;            /* Bx */
    double epsilon;
} cnx_class;

typedef struct cnx_theorem_result {
    double log_base;                    /* ln of the quantity that is raised to the power S */
    double log_covering_number;         /* without the factorials; at least 0 */
    double log_covering_number_reduced; /* with them; at least 0 */
    double log_reduction;               /* sum of ln d_l! */
    double log_parameter_lipschitz;     /* ln K', the constant that the proof uses */
    bool condition_holds;               /* base >= 2 max d_l */
} cnx_theorem_result;

/* Theorem 3: one hidden layer, one output, S = d_0 d_1 + 2 d_1 + 1, S_h = d_0 d_1 + d_1.
 * ln N <= S ln(16 B^2 (Bx+1) sqrt(d_0) d_1 / epsilon) + S_h ln rho - ln d_1!. The condition uses
 * base min(1, rho), since hidden parameters are separated by epsilon / (K'/rho * rho). */
cnx_theorem_result cnx_theorem_3(const cnx_class *class);

/* Theorem 4: L >= 1 hidden layers.
 * ln N <= S ln(4 (L+1) (Bx+1) (2B)^{L+2} prod rho_j prod_{j<=L} d_j / epsilon) - sum ln d_l!. */
cnx_theorem_result cnx_theorem_4(const cnx_class *class);

/* Theorem 4's stochastic term at epsilon = 1/n up to constants: sqrt(ln N / n), 0 when ln N < 0. */
double cnx_stochastic_term(double log_covering_number, double samples);

/* What the constants let a layer's values reach, in natural logarithms: `range` bounds ln |X_i|, `lipschitz`
 * bounds ln of |X_i(theta) - X_i(theta')| / max |theta - theta'|. -INFINITY is the logarithm of 0. */
typedef struct cnx_reach {
    double range_before; /* before the activation */
    double lipschitz_before;
    double range_after;
    double lipschitz_after;
} cnx_reach;

/* Fills reach[0 .. hidden] for the layers 1 ... L+1 by the recursion R' = B (n R + 1), K' = B n K + n R + 1
 * through a layer of n inputs, R' = min(sup |s|, |s(0)| + rho R), K' = rho K through an activation. These are
 * proved for every activation, s(0) = 0 or not; the last entry's lipschitz_after is ln K of the network.
 * Bx bounds every entry of the input, or its Euclidean norm (then sqrt(d_0) Bx takes the place of the
 * first layer's n R). */
void cnx_class_reach(const cnx_class *class, bool euclidean, cnx_reach *reach);

/* The grid bound: cut every side of the box into m = max(1, ceil(B K / epsilon)) cells; their centres are a
 * cover. Sets *log_cells to ln m and returns S ln m. */
double cnx_grid_bound(const cnx_class *class, double log_lipschitz, double *log_cells);

/* The rows of the slides' table of complexity measures, constants dropped; natural logarithms inside. */
typedef enum cnx_table_row {
    CNX_TABLE_BARTLETT_2017 = 1, /* Bx^2 (rho s)^2 U ln W / eps^2 */
    CNX_TABLE_NEYSHABUR_2017,    /* Bx^2 (rho s)^2 S L^2 ln(W L) / eps^2 */
    CNX_TABLE_LIN_2019,          /* Bx rho s S^2 L / eps */
    CNX_TABLE_BARTLETT_2019,     /* L S ln S ln(rho s Bx / eps) */
    CNX_TABLE_SHEN_PRINTED,      /* S (L ln(rho s) + ln Bx - ln eps) - sum ln d_l! */
    CNX_TABLE_SHEN_PRODUCT, /* S (ln(rho s) + ln Bx - ln eps) - sum ln d_l!: rho and s are products already */
} cnx_table_row;

typedef struct cnx_table_input {
    cnx_shape shape;
    double size;              /* S */
    double lipschitz_product; /* rho: product of the rho_l */
    double spectral_product;  /* s: product of the hidden layers' spectral norms */
    double input_bound;
    double epsilon;
} cnx_table_input;

double cnx_table_value(cnx_table_row row, const cnx_table_input *input);

#endif
