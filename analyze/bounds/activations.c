#include "analyze/bounds/activations.h"

#include "analyze/constants.h"

#include <math.h>

#define SQRT_2_OVER_PI (M_2_SQRTPI * M_SQRT1_2)

#define PARAMETERS(...)                                                                                      \
    (cnx_activation_parameters)                                                                              \
    {                                                                                                        \
        __VA_ARGS__                                                                                          \
    }
#define NO_PARAMETERS PARAMETERS(.alpha = 0)
#define NOT_HOMOGENEOUS NAN
#define DEGREE(p) (p)
#define NO_FLIP ((cnx_flip){CNX_FLIP_NONE, 0, 0})
#define ODD ((cnx_flip){CNX_FLIP_ODD, 0, 0})
#define EVEN ((cnx_flip){CNX_FLIP_EVEN, 0, 0})
#define AFFINE(center, sum) ((cnx_flip){CNX_FLIP_AFFINE, (center), (sum)})

struct cnx_activation_row {
    const char *domain;
    const char *name;
    const char *variant;
    const char *variant_name; /* for people: "Gelu (tanh)" */
    int64_t since;
    cnx_activation_parameters defaults;
    double (*value)(const cnx_activation_parameters *parameters, double x);
    void (*describe)(const cnx_activation_parameters *parameters, cnx_activation *activation);
};

/* The parameters under their own names, for the formulas of the table. */
#define PARAMETER(name)                                                                                      \
    const double name = parameters->name;                                                                    \
    (void)name;
#define OPEN_PARAMETERS CNX_ACTIVATION_PARAMETERS(PARAMETER)

#define ACTIVATION(symbol, domain, operator, variant, since, defaults, formula, rho, power, turn, infimum,   \
                   supremum)                                                                                 \
    static double value_of_##symbol(const cnx_activation_parameters *parameters, double x)                   \
    {                                                                                                        \
        OPEN_PARAMETERS                                                                                      \
        return (formula);                                                                                    \
    }                                                                                                        \
    static void describe_##symbol(const cnx_activation_parameters *parameters, cnx_activation *activation)   \
    {                                                                                                        \
        OPEN_PARAMETERS                                                                                      \
        activation->lipschitz = (rho);                                                                       \
        activation->degree = (power);                                                                        \
        activation->flip = (turn);                                                                           \
        activation->low = (infimum);                                                                         \
        activation->high = (supremum);                                                                       \
    }
#include "analyze/bounds/activations.def"
#undef ACTIVATION

static const struct cnx_activation_row rows[] = {
#define ACTIVATION(symbol, domain, operator, variant, since, defaults, formula, rho, power, turn, infimum,   \
                   supremum)                                                                                 \
    {domain,   operator, variant, operator" (" variant ")", since,                                           \
     defaults, value_of_##symbol, describe_##symbol},
#include "analyze/bounds/activations.def"
#undef ACTIVATION
};
#undef PARAMETER

#define ROW_COUNT (sizeof rows / sizeof rows[0])

static const struct cnx_activation_row *find_row(const char *domain, const char *name, const char *variant,
                                                 int64_t opset)
{
    const struct cnx_activation_row *best = NULL;
    for (size_t i = 0; i < ROW_COUNT; i++) {
        const struct cnx_activation_row *row = &rows[i];
        if (strcmp(row->name, name) != 0 || strcmp(row->domain, domain) != 0)
            continue;
        const char *wanted = variant != NULL ? variant : "none"; /* what an absent `approximate` means */
        if (row->variant[0] != '\0' && strcmp(row->variant, wanted) != 0)
            continue;
        if (opset != 0 && row->since > opset)
            continue;
        if (best == NULL || row->since > best->since)
            best = row;
    }
    return best;
}

static void evaluate_row(const struct cnx_activation_row *row, const cnx_activation_parameters *given,
                         cnx_activation *activation)
{
    memset(activation, 0, sizeof *activation);
    activation->row = row;
    activation->name = strcmp(row->variant, "tanh") == 0 ? row->variant_name : row->name;
    activation->parameters = row->defaults;
#define PARAMETER(parameter)                                                                                 \
    if (given != NULL && !isnan(given->parameter))                                                           \
        activation->parameters.parameter = given->parameter;
    CNX_ACTIVATION_PARAMETERS(PARAMETER)
#undef PARAMETER
    row->describe(&activation->parameters, activation);
    activation->homogeneous = !isnan(activation->degree);
    activation->at_zero = row->value(&activation->parameters, 0);
}

bool cnx_activation_find(const char *domain, const char *name, const char *variant, int64_t opset,
                         const cnx_activation_parameters *given, cnx_activation *activation)
{
    const struct cnx_activation_row *row = find_row(domain, name, variant, opset);
    if (row != NULL)
        evaluate_row(row, given, activation);
    return row != NULL;
}

double cnx_activation_value(const cnx_activation *activation, double x)
{
    return activation->row->value(&activation->parameters, x);
}

double cnx_activation_lipschitz(const char *name, const char *variant, const cnx_activation_parameters *given)
{
    cnx_activation activation;
    return cnx_activation_find("", name, variant, 0, given, &activation) ? activation.lipschitz : NAN;
}

bool cnx_activation_at(size_t index, cnx_activation *activation)
{
    if (index >= ROW_COUNT)
        return false;
    evaluate_row(&rows[index], NULL, activation);
    return true;
}

/* ---- the parameters of a node ---- */

static void read_attributes(const cnx_graph *graph, const cnx_node *node, cnx_activation_parameters *given)
{
    given->alpha = cnx_attribute_float(graph, node, "alpha", NAN);
    given->beta = cnx_attribute_float(graph, node, "beta", NAN);
    given->gamma = cnx_attribute_float(graph, node, "gamma", NAN);
    given->bias = cnx_attribute_float(graph, node, "bias", NAN);
    given->lambd = cnx_attribute_float(graph, node, "lambd", NAN);
    given->minimum = cnx_attribute_float(graph, node, "min", NAN);
    given->maximum = cnx_attribute_float(graph, node, "max", NAN);
}

/* Clip has its limits as inputs since version 11. */
static bool read_limits(const cnx_graph *graph, const cnx_node *node, cnx_activation_parameters *given)
{
    if (node->input_count > 1 && node->inputs[1] != CNX_NONE &&
        !cnx_constant_number(graph, node->inputs[1], &given->minimum))
        return false;
    return node->input_count <= 2 || node->inputs[2] == CNX_NONE ||
           cnx_constant_number(graph, node->inputs[2], &given->maximum);
}

/* PRelu: the slope of largest magnitude stands for all of them. */
static bool read_slopes(const cnx_graph *graph, const cnx_node *node, double *slope, bool *differ)
{
    cnx_tensor *tensor = node->input_count < 2 ? NULL : cnx_fixed_tensor(graph, node->inputs[1]);
    if (tensor == NULL || tensor->count == 0 || cnx_type_kind_of(tensor->type) != CNX_KIND_FLOAT)
        return false;
    *slope = cnx_tensor_float(graph->model, tensor, 0);
    *differ = false;
    for (uint64_t i = 1; i < tensor->count; i++) {
        double other = cnx_tensor_float(graph->model, tensor, i);
        *differ |= other != *slope;
        if (fabs(other) > fabs(*slope))
            *slope = other;
    }
    return true;
}

bool cnx_activation_of_node(const cnx_graph *graph, const cnx_node *node, cnx_activation *activation)
{
    const char *variant =
        strcmp(node->op_type, "Gelu") == 0 ? cnx_attribute_text(graph, node, "approximate", NULL) : NULL;
    const struct cnx_activation_row *row = find_row(node->domain, node->op_type, variant, node->opset);
    if (row == NULL || node->input_count == 0 || node->inputs[0] == CNX_NONE)
        return false;
    cnx_activation_parameters given = CNX_ACTIVATION_DEFAULTS;
    read_attributes(graph, node, &given);
    bool slopes_differ = false;
    bool is_prelu = strcmp(row->name, "PRelu") == 0;
    if (strcmp(row->name, "Clip") == 0) {
        if (!read_limits(graph, node, &given))
            return false;
    } else if (is_prelu) {
        if (!read_slopes(graph, node, &given.alpha, &slopes_differ))
            return false;
    } else if (node->input_count > 1) {
        return false; /* FastGelu with a bias, for one */
    }
    evaluate_row(row, &given, activation);
    activation->trained = is_prelu;
    activation->per_unit = slopes_differ;
    return true;
}
