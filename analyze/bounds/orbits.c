#include "analyze/bounds/orbits.h"

#include "analyze/bounds/log_combinatorics.h"

#include <math.h>

/* Up to here m^k is an exact integer in a double. */
#define LARGEST_EXACT_LOG 36.0

double cnx_orbit_bound(const cnx_orbit_axis *axes, size_t count, double log_free)
{
    double sum = log_free;
    for (size_t i = 0; i < count; i++)
        sum += cnx_log_multisets(axes[i].log_kinds, axes[i].extent);
    return sum;
}

double cnx_orbit_excess(const cnx_orbit_axis *axes, size_t count)
{
    double sum = 0.0;
    for (size_t i = 0; i < count; i++)
        sum += cnx_log_multiset_excess(axes[i].log_kinds, axes[i].extent);
    return sum;
}

double cnx_kinds_plain(double log_cells, double parameters)
{
    return parameters * log_cells;
}

double cnx_kinds_signed(double log_cells, double parameters)
{
    double log_kinds = parameters * log_cells;
    if (log_kinds > LARGEST_EXACT_LOG)
        return log_kinds - M_LN2;
    double kinds = rint(exp(log_kinds));
    return log((kinds + fmod(kinds, 2.0)) / 2.0); /* m^k is odd iff m is */
}

double cnx_kinds_scaled(double log_cells, double incoming, double outgoing)
{
    double faces = log(2.0 * incoming) + (incoming - 1.0) * log_cells;
    return fmin(faces, incoming * log_cells) + outgoing * log_cells;
}

double cnx_shape_orbit_axes(const cnx_shape *shape, double log_cells, cnx_orbit_symmetry symmetry,
                            cnx_orbit_axis *axes)
{
    size_t hidden = shape->hidden;
    double outputs = (double)shape->widths[hidden + 1];
    for (size_t l = 1; l <= hidden; l++) {
        double incoming = (double)shape->widths[l - 1] + 1.0;
        double outgoing = l == hidden ? outputs : 0.0;
        double log_kinds = symmetry == CNX_ORBIT_SCALES  ? cnx_kinds_scaled(log_cells, incoming, outgoing)
                           : symmetry == CNX_ORBIT_SIGNS ? cnx_kinds_signed(log_cells, incoming + outgoing)
                                                         : cnx_kinds_plain(log_cells, incoming + outgoing);
        axes[l - 1] = (cnx_orbit_axis){.extent = (double)shape->widths[l], .log_kinds = log_kinds};
    }
    return outputs * log_cells;
}
