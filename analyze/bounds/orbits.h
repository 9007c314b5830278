/* Counting a grid of parameter vectors up to symmetry: what "divide by prod d_l!" means for every radius.
 *
 * Cut every parameter's range into m cells. Centres that are permutations of each other are one function, so
 * the number of orbits of the group on the grid [m]^S bounds the covering number, for every epsilon: unlike
 * the factorials of Theorem 4 it needs no condition, and for m = 1 it is 1. For a group that permutes the
 * indices of axes a = 1, 2, ..., attribute every parameter tensor to at most one of its axes; let k_a
 * parameters belong to each index of a, M_a = m^{k_a}, and S_0 parameters to no axis. Then
 *
 *     #orbits <= m^{S_0} prod_a C(M_a + d_a - 1, d_a),
 *
 * with equality for one hidden layer. Proof: c(g), the number of cycles on the parameters, is at most S_0 +
 * sum_a k_a c(pi_a), because a cycle of length p meets one of length q in gcd(p, q) <= p cycles; and the sum
 * of M^c(pi) over S_d is M (M+1) ... (M+d-1). Then use Burnside's lemma.
 *
 * With signs (odd activations) and scales (positively homogeneous ones) the number of kinds M_a is
 * smaller; that argument is sequential: bring each index to a canonical form, axis after axis, then sort.
 *
 * All logarithms are natural. `log_cells` is ln m, m >= 1.
 */
#ifndef CNX_ANALYZE_ORBITS_H
#define CNX_ANALYZE_ORBITS_H

#include "analyze/bounds/theorems.h"

typedef struct cnx_orbit_axis {
    double extent;    /* d_a */
    double log_kinds; /* ln of the number of different contents of one index */
} cnx_orbit_axis;

/* log_free + the sum of ln C(kinds + extent - 1, extent). */
double cnx_orbit_bound(const cnx_orbit_axis *axes, size_t count, double log_free);

/* How far that is above ln (m^S / |G|), the grid divided by the order of the group. */
double cnx_orbit_excess(const cnx_orbit_axis *axes, size_t count);

/* ln m^k: an index with k parameters. */
double cnx_kinds_plain(double log_cells, double parameters);

/* An index whose k parameters may all change sign together: the orbits of -1 on a grid symmetric about 0,
 * (m^k + (m mod 2)) / 2. */
double cnx_kinds_signed(double log_cells, double parameters);

/* An index whose `incoming` parameters may grow while its `outgoing` ones shrink: grown until the largest
 * reaches the edge of the box they lie on its faces, min(2 k_in m^(k_in - 1), m^k_in) kinds, times m^k_out.
 */
double cnx_kinds_scaled(double log_cells, double incoming, double outgoing);

typedef enum cnx_orbit_symmetry {
    CNX_ORBIT_PERMUTATIONS,
    CNX_ORBIT_SIGNS,  /* and permutations */
    CNX_ORBIT_SCALES, /* and permutations */
} cnx_orbit_symmetry;

/* The hidden axes of a chain: layer l takes the rows of its weight and its bias, layer L also the columns of
 * the last weight. Fills axes[0 .. hidden - 1] and returns ln m^{S_0}, where S_0 = d_{L+1} is the last bias.
 */
double cnx_shape_orbit_axes(const cnx_shape *shape, double log_cells, cnx_orbit_symmetry symmetry,
                            cnx_orbit_axis *axes);

#endif
