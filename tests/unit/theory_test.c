/* Every published test vector of the theory, against the functions of analyze/ that compute it. */
#include "theory_vectors.h"

#include "burnside.h"

#include "analyze/bounds/activations.h"
#include "analyze/bounds/log_combinatorics.h"
#include "analyze/bounds/orbits.h"
#include "analyze/bounds/theorems.h"

/* Relative. The largest sums have 2e8 terms of one size in closed form; nothing cancels. */
#define TOLERANCE 1e-12

/* ---- inputs ---- */

/* A class of networks with room for its arrays. */
typedef struct network {
    uint64_t widths[MOST_LAYERS + 1];
    cnx_growth growths[MOST_LAYERS];
    cnx_class class;
} network;

static void read_widths(network *n, const json_t *list)
{
    size_t count = json_array_size(list);
    assert_in_range(count, 2, MOST_LAYERS + 1);
    for (size_t i = 0; i < count; i++)
        n->widths[i] = (uint64_t)json_integer_value(json_array_get(list, i));
    n->class.shape = (cnx_shape){.hidden = count - 2, .widths = n->widths};
    n->class.activations = n->growths;
    for (size_t l = 0; l < n->class.shape.hidden; l++)
        n->growths[l] = (cnx_growth){.lipschitz = 1.0, .at_zero = 0.0, .bound = INFINITY};
}

static void read_constants(network *n, const json_t *inputs)
{
    n->class.parameter_bound = number(inputs, "B");
    n->class.input_bound = number(inputs, "Bx");
    n->class.epsilon = number_or(inputs, "eps", 1.0);
}

static void read_theorem_3(network *n, const json_t *inputs)
{
    *n = (network){.widths = {(uint64_t)number(inputs, "d0"), (uint64_t)number(inputs, "d1"), 1}};
    n->class.shape = (cnx_shape){.hidden = 1, .widths = n->widths};
    n->class.activations = n->growths;
    n->growths[0] = (cnx_growth){.lipschitz = number(inputs, "rho"), .bound = INFINITY};
    read_constants(n, inputs);
}

static void read_theorem_4(network *n, const json_t *inputs)
{
    *n = (network){0};
    read_widths(n, item(inputs, "d"));
    const json_t *rho = item(inputs, "rho");
    assert_int_equal(json_array_size(rho), n->class.shape.hidden);
    for (size_t l = 0; l < n->class.shape.hidden; l++)
        n->growths[l].lipschitz = json_number_value(json_array_get(rho, l));
    read_constants(n, inputs);
}

/* ---- architecture ---- */

static cnx_shape read_shape(network *n, const json_t *inputs)
{
    *n = (network){0};
    read_widths(n, item(inputs, "d"));
    return n->class.shape;
}

static double depth(const json_t *inputs)
{
    network n;
    return (double)read_shape(&n, inputs).hidden;
}

static double width(const json_t *inputs)
{
    network n;
    cnx_shape shape = read_shape(&n, inputs);
    return (double)cnx_shape_width(&shape);
}

static double size(const json_t *inputs)
{
    network n;
    cnx_shape shape = read_shape(&n, inputs);
    return (double)cnx_shape_size(&shape);
}

static double neurons(const json_t *inputs)
{
    network n;
    cnx_shape shape = read_shape(&n, inputs);
    return (double)cnx_shape_neurons(&shape);
}

/* ---- activations ---- */

/* "Gelu(approximate=tanh)" is an operator and its variant; parameters come as inputs of the vector. */
static bool read_activation(const json_t *inputs, cnx_activation *activation)
{
    char name[64];
    snprintf(name, sizeof name, "%s", text(inputs, "op"));
    bool is_tanh = strstr(name, "approximate=tanh") != NULL;
    name[strcspn(name, "(")] = '\0';
    cnx_activation_parameters given = CNX_ACTIVATION_DEFAULTS;
    given.alpha = number_or(inputs, "alpha", NAN);
    given.beta = number_or(inputs, "beta", NAN);
    given.gamma = number_or(inputs, "gamma", NAN);
    return cnx_activation_find("", name, is_tanh ? "tanh" : NULL, 0, &given, activation);
}

static double activation_lipschitz(const json_t *inputs)
{
    cnx_activation activation;
    return read_activation(inputs, &activation) ? activation.lipschitz : NAN;
}

static double activation_minimum(const json_t *inputs)
{
    cnx_activation activation;
    return read_activation(inputs, &activation) ? activation.low : NAN;
}

/* ---- theorems ---- */

static cnx_theorem_result theorem_3(const json_t *inputs)
{
    network n;
    read_theorem_3(&n, inputs);
    return cnx_theorem_3(&n.class);
}

static double theorem_3_size(const json_t *inputs)
{
    network n;
    read_theorem_3(&n, inputs);
    return (double)cnx_shape_size(&n.class.shape);
}

static double theorem_3_base(const json_t *inputs)
{
    return theorem_3(inputs).log_base;
}

static double theorem_3_discount(const json_t *inputs)
{
    return theorem_3(inputs).log_reduction;
}

static double theorem_3_bound(const json_t *inputs)
{
    cnx_theorem_result result = theorem_3(inputs);
    assert_true(result.condition_holds);
    assert_true(agrees(result.log_covering_number - result.log_reduction, result.log_covering_number_reduced,
                       TOLERANCE));
    return result.log_covering_number_reduced;
}

static double theorem_3_stochastic(const json_t *inputs)
{
    return cnx_stochastic_term(theorem_3_bound(inputs), number(inputs, "n"));
}

static cnx_theorem_result theorem_4(const json_t *inputs)
{
    network n;
    read_theorem_4(&n, inputs);
    return cnx_theorem_4(&n.class);
}

static double theorem_4_base(const json_t *inputs)
{
    return theorem_4(inputs).log_base;
}

static double theorem_4_discount(const json_t *inputs)
{
    return theorem_4(inputs).log_reduction;
}

static double theorem_4_plain(const json_t *inputs)
{
    return theorem_4(inputs).log_covering_number;
}

static double theorem_4_bound(const json_t *inputs)
{
    return theorem_4(inputs).log_covering_number_reduced;
}

/* The slide's term takes epsilon = 1/n. */
static double theorem_4_stochastic(const json_t *inputs)
{
    assert_true(agrees(1.0 / number(inputs, "n"), number(inputs, "eps"), TOLERANCE));
    return cnx_stochastic_term(theorem_4_bound(inputs), number(inputs, "n"));
}

static double arrangements_log(const json_t *inputs)
{
    const json_t *list = item(inputs, "multiplicities");
    uint64_t multiplicities[256];
    size_t count = json_array_size(list);
    assert_in_range(count, 1, 256);
    for (size_t i = 0; i < count; i++)
        multiplicities[i] = (uint64_t)json_integer_value(json_array_get(list, i));
    return cnx_log_arrangements(number(inputs, "d"), multiplicities, count);
}

static double arrangements(const json_t *inputs)
{
    return exp(arrangements_log(inputs));
}

/* ---- the slides' table ---- */

static double table_value(cnx_table_row row, const json_t *inputs)
{
    network n = {0};
    const json_t *hidden = item(inputs, "widths");
    size_t count = json_array_size(hidden);
    assert_in_range(count, 1, MOST_LAYERS - 1);
    for (size_t i = 0; i < count; i++)
        n.widths[i + 1] = (uint64_t)json_integer_value(json_array_get(hidden, i));
    cnx_table_input input = {
        .shape = {.hidden = count, .widths = n.widths},
        .size = number(inputs, "S"),
        .lipschitz_product = number(inputs, "rho"),
        .spectral_product = number(inputs, "s"),
        .input_bound = number(inputs, "Bx"),
        .epsilon = number(inputs, "eps"),
    };
    return cnx_table_value(row, &input);
}

#define TABLE_ROW(n)                                                                                         \
    static double table_row_##n(const json_t *inputs)                                                        \
    {                                                                                                        \
        return table_value((cnx_table_row)(n), inputs);                                                      \
    }
TABLE_ROW(1)
TABLE_ROW(2)
TABLE_ROW(3)
TABLE_ROW(4)
TABLE_ROW(5)
TABLE_ROW(6)

/* ---- groups: "S_768 x prod_{12 layers}[S_3072 x ((S_64 x S_64) wr S_12)]" ---- */

static double group_product(const char **at);

static bool take_word(const char **at, const char *word)
{
    size_t length = strlen(word);
    if (strncmp(*at, word, length) != 0)
        return false;
    *at += length;
    return true;
}

static double group_factor(const char **at)
{
    char *end;
    if (take_word(at, "S_")) {
        double degree = strtod(*at, &end);
        *at = end;
        return cnx_log_factorial(degree);
    }
    double copies = 1.0;
    if (take_word(at, "prod_{")) {
        copies = strtod(*at, &end);
        *at = strchr(end, '[');
    }
    assert_true(take_word(at, "(") || take_word(at, "["));
    double inner = group_product(at);
    assert_true(take_word(at, ")") || take_word(at, "]"));
    return copies * inner;
}

/* `H wr S_h` binds more tightly than `x`. */
static double group_product(const char **at)
{
    double sum = 0.0;
    do {
        double factor = group_factor(at);
        while (take_word(at, " wr S_")) {
            char *end;
            factor = cnx_log_wreath(factor, strtod(*at, &end));
            *at = end;
        }
        sum += factor;
    } while (take_word(at, " x "));
    return sum;
}

static double group_order(const json_t *inputs)
{
    const char *at = text(inputs, "group");
    double order = group_product(&at);
    assert_string_equal(at, "");
    return order;
}

static double group_order_log10(const json_t *inputs)
{
    return group_order(inputs) / CNX_LN_10;
}

/* ---- orbits ---- */

typedef struct orbit_axes {
    cnx_orbit_axis axes[MOST_LAYERS];
    size_t count;
    double log_free;
} orbit_axes;

static orbit_axes chain_axes(const json_t *inputs, cnx_orbit_symmetry symmetry)
{
    network n;
    cnx_shape shape = read_shape(&n, inputs);
    orbit_axes result = {.count = shape.hidden};
    result.log_free = cnx_shape_orbit_axes(&shape, log(number(inputs, "m")), symmetry, result.axes);
    return result;
}

static double orbit_bound(const json_t *inputs, cnx_orbit_symmetry symmetry)
{
    orbit_axes a = chain_axes(inputs, symmetry);
    return cnx_orbit_bound(a.axes, a.count, a.log_free);
}

static double orbits_permuted(const json_t *inputs)
{
    return orbit_bound(inputs, CNX_ORBIT_PERMUTATIONS);
}

static double orbits_signed(const json_t *inputs)
{
    return orbit_bound(inputs, CNX_ORBIT_SIGNS);
}

static double orbits_scaled(const json_t *inputs)
{
    return orbit_bound(inputs, CNX_ORBIT_SCALES);
}

static double orbit_product(const json_t *inputs)
{
    return exp(orbits_permuted(inputs));
}

static double orbit_excess(const json_t *inputs)
{
    orbit_axes a = chain_axes(inputs, CNX_ORBIT_PERMUTATIONS);
    return cnx_orbit_excess(a.axes, a.count);
}

static double multisets(const json_t *inputs)
{
    return cnx_log_multisets(log(number(inputs, "M")), number(inputs, "d"));
}

/* Axes given one by one; the tiny case gives the count itself. */
static double orbits_of_axes(const json_t *inputs)
{
    const json_t *list = item(inputs, "axes");
    double log_cells = log(number(inputs, "m"));
    orbit_axes a = {.count = json_array_size(list), .log_free = number(inputs, "free") * log_cells};
    assert_in_range(a.count, 1, MOST_LAYERS);
    for (size_t i = 0; i < a.count; i++) {
        const json_t *axis = json_array_get(list, i);
        a.axes[i] = (cnx_orbit_axis){number(axis, "d"), cnx_kinds_plain(log_cells, number(axis, "k"))};
    }
    double bound = cnx_orbit_bound(a.axes, a.count, a.log_free);
    return number(inputs, "m") == 2.0 ? exp(bound) : bound;
}

/* The exact count comes from the slow way; what we bound it by must not be below, and equal for one hidden
 * layer. */
static double orbits_exact(const json_t *inputs, bool with_signs)
{
    network n;
    cnx_shape shape = read_shape(&n, inputs);
    size_t widths[MOST_LAYERS + 1];
    for (size_t i = 0; i < shape.hidden + 2; i++)
        widths[i] = (size_t)shape.widths[i];
    double exact = count_orbits(widths, shape.hidden + 1, number(inputs, "m"), with_signs);
    double bound = exp(orbit_bound(inputs, with_signs ? CNX_ORBIT_SIGNS : CNX_ORBIT_PERMUTATIONS));
    assert_true(bound >= exact * (1.0 - TOLERANCE));
    assert_true(shape.hidden > 1 || agrees(exact, bound, TOLERANCE));
    return exact;
}

static double orbits_exact_permuted(const json_t *inputs)
{
    return orbits_exact(inputs, false);
}

static double orbits_exact_signed(const json_t *inputs)
{
    return orbits_exact(inputs, true);
}

/* h blocks, each with `axes` axes of `extent` indices with k parameters: multisets of what a block can be. */
static double wreath(double log_cells, double blocks, double extent, double parameters, double axes)
{
    double inner = axes * cnx_log_multisets(cnx_kinds_plain(log_cells, parameters), extent);
    return cnx_log_multisets(inner, blocks);
}

static double wreath_exact(const json_t *inputs)
{
    double log_cells = log(number(inputs, "m")), blocks = number(inputs, "h"), extent, parameters;
    if (sscanf(text(inputs, "inner"), "S_%lf, %lf params per index", &extent, &parameters) != 2) {
        assert_string_equal(text(inputs, "inner"), "S_2 on 2 coords");
        extent = 2.0;
        parameters = 1.0;
    }
    return exp(wreath(log_cells, blocks, extent, parameters, 1.0));
}

static double wreath_log(const json_t *inputs)
{
    assert_string_equal(text(inputs, "inner"), "S_64 (k=2*768+1) x S_64 (k=2*768+1)");
    return wreath(log(number(inputs, "m")), number(inputs, "h"), 64.0, 2.0 * 768.0 + 1.0, 2.0);
}

/* ---- the recursion of ranges, for chains ---- */

/* Reads a chain whose activations are bounded by their Lipschitz constant alone. */
static bool read_chain(network *n, const json_t *inputs)
{
    const json_t *net = item(inputs, "net");
    *n = (network){0};
    if (strcmp(text(net, "kind"), "mlp") != 0 || strcmp(text(net, "activation"), "Relu") != 0)
        return false;
    read_widths(n, item(net, "d"));
    read_constants(n, net);
    n->class.epsilon = number_or(inputs, "eps", 1.0);
    return true;
}

/* "pre2": before the activation of layer 2; "act2": after it. */
static double reach_of(const json_t *inputs, bool range)
{
    network n;
    cnx_reach reach[MOST_LAYERS];
    size_t layer;
    char stage[4];
    if (!read_chain(&n, inputs) || sscanf(text(inputs, "tensor"), "%3[a-z]%zu", stage, &layer) != 2)
        return NAN;
    assert_in_range(layer, 1, n.class.shape.hidden + 1);
    cnx_class_reach(&n.class, false, reach);
    const cnx_reach *at = &reach[layer - 1];
    if (strcmp(stage, "pre") == 0)
        return exp(range ? at->range_before : at->lipschitz_before);
    return exp(range ? at->range_after : at->lipschitz_after);
}

static double reach_range(const json_t *inputs)
{
    return reach_of(inputs, true);
}

static double reach_lipschitz(const json_t *inputs)
{
    return reach_of(inputs, false);
}

static double chain_size(const json_t *inputs)
{
    network n;
    return read_chain(&n, inputs) ? (double)cnx_shape_size(&n.class.shape) : NAN;
}

static double grid(const json_t *inputs, bool cells)
{
    network n;
    cnx_reach reach[MOST_LAYERS];
    double log_cells;
    if (!read_chain(&n, inputs))
        return NAN;
    cnx_class_reach(&n.class, false, reach);
    double bound = cnx_grid_bound(&n.class, reach[n.class.shape.hidden].lipschitz_after, &log_cells);
    return cells ? exp(log_cells) : bound;
}

static double grid_cells(const json_t *inputs)
{
    return grid(inputs, true);
}

static double grid_bound(const json_t *inputs)
{
    return grid(inputs, false);
}

/* ---- the list ---- */

#define ONLY_CHAINS "Relu chains; the bound for any graph is not computed yet"
#define NO_MEASURE "this measure is not computed yet"

static claim claims[] = {
#define ALL(function, compute)                                                                               \
    {                                                                                                        \
        function, compute, NULL, 0, 0                                                                        \
    }
#define PART(function, compute, why)                                                                         \
    {                                                                                                        \
        function, compute, why, 0, 0                                                                         \
    }
#define NOT_YET(function, why)                                                                               \
    {                                                                                                        \
        function, NULL, why, 0, 0                                                                            \
    }
#include "theory_claims.def"
};

#define CLAIM_COUNT (sizeof claims / sizeof claims[0])

static json_t *all_vectors;

static void test_claim(void **state)
{
    claim_check(*state, all_vectors, TOLERANCE);
}

static void test_complete(void **state)
{
    (void)state;
    claims_check_complete(claims, CLAIM_COUNT, all_vectors);
}

int main(void)
{
    struct CMUnitTest tests[CLAIM_COUNT + 1];
    all_vectors = load_vectors(THEORY_VECTORS);
    for (size_t i = 0; i < CLAIM_COUNT; i++)
        tests[i] = (struct CMUnitTest){claims[i].function, test_claim, NULL, NULL, &claims[i]};
    tests[CLAIM_COUNT] = (struct CMUnitTest){"every function is listed", test_complete, NULL, NULL, NULL};
    int failures = cmocka_run_group_tests(tests, NULL, NULL);
    json_decref(vector_file);
    return failures;
}
