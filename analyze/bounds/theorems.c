#include "analyze/bounds/theorems.h"

#include "analyze/bounds/log_combinatorics.h"

#include <math.h>

uint64_t cnx_shape_width(const cnx_shape *shape)
{
    uint64_t width = 0;
    for (size_t l = 1; l <= shape->hidden; l++)
        width = shape->widths[l] > width ? shape->widths[l] : width;
    return width;
}

uint64_t cnx_shape_size(const cnx_shape *shape)
{
    uint64_t size = 0;
    for (size_t i = 0; i <= shape->hidden; i++)
        size += shape->widths[i + 1] * (shape->widths[i] + 1);
    return size;
}

uint64_t cnx_shape_neurons(const cnx_shape *shape)
{
    uint64_t neurons = 0;
    for (size_t l = 1; l <= shape->hidden; l++)
        neurons += shape->widths[l];
    return neurons;
}

double cnx_shape_log_factorials(const cnx_shape *shape)
{
    double sum = 0.0;
    for (size_t l = 1; l <= shape->hidden; l++)
        sum += cnx_log_factorial((double)shape->widths[l]);
    return sum;
}

static double width_of(const cnx_class *class, size_t l)
{
    return (double)class->shape.widths[l];
}

/* Below 1, N would be less than the one network a cover has at least. */
static double clip(double log_count)
{
    return fmax(log_count, 0.0);
}

/* `log_extra` is what multiplies base^S before the factorials; `log_hidden_base` is 4 B / delta for the
 * hidden parameters. */
static cnx_theorem_result finish(const cnx_class *class, double log_base, double log_extra,
                                 double log_hidden_base)
{
    double log_count = (double)cnx_shape_size(&class->shape) * log_base + log_extra;
    double reduction = cnx_shape_log_factorials(&class->shape);
    return (cnx_theorem_result){
        .log_base = log_base,
        .log_covering_number = clip(log_count),
        .log_covering_number_reduced = clip(log_count - reduction),
        .log_reduction = reduction,
        .condition_holds = log_hidden_base >= log(2.0 * (double)cnx_shape_width(&class->shape)),
    };
}

cnx_theorem_result cnx_theorem_3(const cnx_class *class)
{
    double inputs = width_of(class, 0);
    double hidden = width_of(class, 1);
    double log_rho = log(class->activations[0].lipschitz);
    double log_b = log(class->parameter_bound);
    double log_common = log(class->input_bound + 1.0) + 0.5 * log(inputs) + log(hidden);
    double log_base = log(16.0) + 2.0 * log_b + log_common - log(class->epsilon);
    cnx_theorem_result result =
        finish(class, log_base, hidden * (inputs + 1.0) * log_rho, log_base + fmin(0.0, log_rho));
    result.log_parameter_lipschitz = log(4.0) + log_b + log_common + log_rho;
    return result;
}

cnx_theorem_result cnx_theorem_4(const cnx_class *class)
{
    double depth = (double)class->shape.hidden;
    double log_products = log(width_of(class, 0));
    for (size_t l = 1; l <= class->shape.hidden; l++)
        log_products += log(class->activations[l - 1].lipschitz) + log(width_of(class, l));
    double log_common = log(depth + 1.0) + log(class->input_bound + 1.0) + log_products;
    double log_2b = log(2.0 * class->parameter_bound);
    double log_base = log(4.0) + log_common + (depth + 2.0) * log_2b - log(class->epsilon);
    cnx_theorem_result result = finish(class, log_base, 0.0, log_base);
    result.log_parameter_lipschitz = log(2.0) + log_common + (depth + 1.0) * log_2b;
    return result;
}

double cnx_stochastic_term(double log_covering_number, double samples)
{
    return sqrt(clip(log_covering_number) / samples);
}

void cnx_class_reach(const cnx_class *class, bool euclidean, cnx_reach *reach)
{
    double log_b = log(class->parameter_bound);
    double range = log(class->input_bound);
    double lipschitz = -INFINITY;
    for (size_t l = 0; l <= class->shape.hidden; l++) {
        double log_fan_in = log(width_of(class, l));
        double log_product = (euclidean && l == 0 ? 0.5 : 1.0) * log_fan_in + range;
        double reached = cnx_log_add(log_product, 0.0); /* n R + 1 */
        lipschitz = cnx_log_add(log_b + log_fan_in + lipschitz, reached);
        range = log_b + reached;
        reach[l].range_before = range;
        reach[l].lipschitz_before = lipschitz;
        if (l < class->shape.hidden) {
            const cnx_growth *s = &class->activations[l];
            double log_rho = log(s->lipschitz);
            range = fmin(log(s->bound), cnx_log_add(log(fabs(s->at_zero)), log_rho + range));
            lipschitz += log_rho;
        }
        reach[l].range_after = range;
        reach[l].lipschitz_after = lipschitz;
    }
}

double cnx_grid_bound(const cnx_class *class, double log_lipschitz, double *log_cells)
{
    double log_ratio = log(class->parameter_bound) + log_lipschitz - log(class->epsilon);
    double ratio = exp(log_ratio);
    /* The logarithms carry rounding errors: a ratio that is an integer up to those is not rounded up to the
     * next. */
    double nearest = rint(ratio);
    double cells = fabs(ratio - nearest) <= 1e-12 * nearest ? nearest : ceil(ratio);
    *log_cells = ratio < 0x1p53 ? log(fmax(cells, 1.0)) : log_ratio;
    return (double)cnx_shape_size(&class->shape) * *log_cells;
}

double cnx_table_value(cnx_table_row row, const cnx_table_input *input)
{
    double depth = (double)input->shape.hidden;
    double width = (double)cnx_shape_width(&input->shape);
    double growth = input->lipschitz_product * input->spectral_product;
    double scaled = input->input_bound * growth / input->epsilon;
    double log_reach = log(input->input_bound) - log(input->epsilon);
    switch (row) {
    case CNX_TABLE_BARTLETT_2017:
        return scaled * scaled * (double)cnx_shape_neurons(&input->shape) * log(width);
    case CNX_TABLE_NEYSHABUR_2017:
        return scaled * scaled * input->size * depth * depth * log(width * depth);
    case CNX_TABLE_LIN_2019:
        return scaled * input->size * input->size * depth;
    case CNX_TABLE_BARTLETT_2019:
        return depth * input->size * log(input->size) * log(scaled);
    case CNX_TABLE_SHEN_PRINTED:
        return input->size * (depth * log(growth) + log_reach) - cnx_shape_log_factorials(&input->shape);
    case CNX_TABLE_SHEN_PRODUCT:
        return input->size * (log(growth) + log_reach) - cnx_shape_log_factorials(&input->shape);
    }
    return NAN;
}
