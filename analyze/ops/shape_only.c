/* Operators that pin everything they touch, on purpose, and whose outputs have shapes all the same. */
#include "analyze/ops/shape_only.h"

#include "analyze/constants.h"

#define MATTER "positions that matter to every input"

cnx_axis cnx_shape_axis(cnx_rule *rule, cnx_dim extent, const char *what)
{
    if (cnx_dim_equals(rule->dims, extent, 1))
        return cnx_axis_any(extent);
    return cnx_axis_pinned(extent, cnx_rule_reason(rule, what));
}

cnx_fact cnx_shape_like(cnx_rule *rule, uint32_t i, int32_t type, const char *what)
{
    const cnx_fact *input = &rule->inputs[i];
    cnx_fact fact = cnx_rule_fact(rule, type, input->rank);
    for (uint32_t k = 0; k < fact.rank; k++)
        fact.axes[k] = cnx_shape_axis(rule, input->axes[k].extent, what);
    return fact;
}

cnx_fact cnx_shape_unknown(cnx_rule *rule, int32_t type, uint32_t rank, const char *what)
{
    cnx_fact fact = cnx_rule_fact(rule, type, rank);
    for (uint32_t k = 0; k < rank; k++)
        fact.axes[k] = cnx_shape_axis(rule, cnx_dim_fresh(rule->dims), what);
    return fact;
}

cnx_dim cnx_shape_number(const cnx_rule *rule, uint32_t i)
{
    const cnx_dim *content;
    size_t count;
    double number;
    if (cnx_rule_content(rule, i, &content, &count) && count == 1)
        return *content;
    if (cnx_rule_has(rule, i) && cnx_constant_number(rule->graph, rule->node->inputs[i], &number) &&
        number >= 0 && number < 1e15)
        return cnx_rule_number(rule, (int64_t)number);
    return cnx_dim_fresh(rule->dims);
}

bool cnx_shape_list(const cnx_rule *rule, uint32_t i, const cnx_dim **extents, size_t *count)
{
    int64_t length;
    if (cnx_rule_content(rule, i, extents, count))
        return *count <= 60;
    if (!cnx_rule_has(rule, i) || rule->inputs[i].rank != 1 ||
        !cnx_dim_is_number(rule->dims, rule->inputs[i].axes[0].extent, &length) || length < 0 || length > 60)
        return false;
    cnx_dim *unknown = CNX_NEW_ARRAY(rule->arena, cnx_dim, (size_t)length);
    for (int64_t k = 0; k < length; k++)
        unknown[k] = cnx_dim_fresh(rule->dims);
    *extents = unknown;
    *count = (size_t)length;
    return true;
}

static cnx_fact made_of(cnx_rule *rule, int32_t type, const cnx_dim *extents, size_t count, const char *what)
{
    cnx_fact fact = cnx_rule_fact(rule, type, (uint32_t)count);
    for (uint32_t k = 0; k < fact.rank; k++)
        fact.axes[k] = cnx_shape_axis(rule, extents[k], what);
    return fact;
}

static int32_t type_attribute(const cnx_rule *rule, const char *name, int32_t otherwise)
{
    return (int32_t)cnx_rule_int(rule, name, otherwise);
}

/* Scatter, ScatterElements, EyeLike, RandomNormalLike, Bernoulli ...: as large as the first input; a `dtype`
 * may say another type. */
void cnx_apply_pins_like_input(cnx_rule *rule)
{
    cnx_rule_pin_all(rule, MATTER);
    int32_t type = type_attribute(rule, "dtype", rule->inputs[0].type);
    cnx_rule_output(rule, 0, cnx_shape_like(rule, 0, type, MATTER));
}

/* Adagrad, Adam, Momentum(R, T, X..., gradients..., states...): every output is laid out as an X. */
void cnx_apply_pins_optimizer(cnx_rule *rule)
{
    cnx_rule_pin_all(rule, MATTER);
    uint32_t kinds = strcmp(rule->node->op_type, "Adam") == 0 ? 4 : 3;
    uint32_t count = rule->input_count < 2 ? 0 : (rule->input_count - 2) / kinds;
    for (uint32_t o = 0; o < rule->output_count && count != 0; o++)
        if (cnx_rule_has(rule, 2 + o % count))
            cnx_rule_output(rule, o,
                            cnx_shape_like(rule, 2 + o % count, rule->inputs[2 + o % count].type, MATTER));
}

/* NegativeLogLikelihoodLoss, SoftmaxCrossEntropyLoss(scores, labels, weights): a number, or one for each
 * label; the latter also gives the logarithms of the probabilities. */
void cnx_apply_pins_loss(cnx_rule *rule)
{
    cnx_rule_pin_all(rule, MATTER);
    int32_t type = rule->inputs[0].type;
    bool each = strcmp(cnx_attribute_text(rule->graph, rule->node, "reduction", "mean"), "none") == 0;
    if (!each)
        cnx_rule_output(rule, 0, cnx_rule_fact(rule, type, 0));
    else if (cnx_rule_has(rule, 1))
        cnx_rule_output(rule, 0, cnx_shape_like(rule, 1, type, MATTER));
    cnx_rule_output(rule, 1, cnx_shape_like(rule, 0, type, MATTER));
}

/* RandomNormal, RandomUniform: the shape is an attribute. */
void cnx_apply_pins_random(cnx_rule *rule)
{
    size_t count;
    const int64_t *shape = cnx_rule_ints(rule, "shape", &count);
    if (count > 60)
        return;
    cnx_fact fact = cnx_rule_fact(rule, type_attribute(rule, "dtype", CNX_TYPE_FLOAT), (uint32_t)count);
    for (uint32_t k = 0; k < fact.rank; k++)
        fact.axes[k] = cnx_shape_axis(rule, cnx_rule_number(rule, shape[k]), "random numbers");
    cnx_rule_output(rule, 0, fact);
}

/* Multinomial: `sample_size` class numbers for each row. */
void cnx_apply_pins_multinomial(cnx_rule *rule)
{
    cnx_rule_pin_all(rule, MATTER);
    if (rule->inputs[0].rank != 2)
        return;
    cnx_dim extents[2] = {rule->inputs[0].axes[0].extent,
                          cnx_rule_number(rule, cnx_rule_int(rule, "sample_size", 1))};
    cnx_rule_output(rule, 0,
                    made_of(rule, type_attribute(rule, "dtype", CNX_TYPE_INT32), extents, 2, MATTER));
}

/* HannWindow, HammingWindow, BlackmanWindow: `size` numbers. */
void cnx_apply_pins_window(cnx_rule *rule)
{
    cnx_rule_pin_all(rule, MATTER);
    cnx_dim size = cnx_shape_number(rule, 0);
    int32_t type = type_attribute(rule, "output_datatype", CNX_TYPE_FLOAT);
    cnx_rule_output(rule, 0, made_of(rule, type, &size, 1, MATTER));
}

/* MelWeightMatrix(num_mel_bins, dft_length ...): [dft_length / 2 + 1, num_mel_bins] */
void cnx_apply_pins_mel(cnx_rule *rule)
{
    cnx_rule_pin_all(rule, MATTER);
    cnx_dim half = cnx_dim_floor_divide(rule->dims, cnx_shape_number(rule, 1), cnx_rule_number(rule, 2));
    cnx_dim extents[2] = {cnx_dim_add(rule->dims, half, cnx_rule_number(rule, 1)), cnx_shape_number(rule, 0)};
    int32_t type = type_attribute(rule, "output_datatype", CNX_TYPE_FLOAT);
    cnx_rule_output(rule, 0, made_of(rule, type, extents, 2, MATTER));
}

/* NonMaxSuppression: (batch, class, box) of every box that is kept. */
void cnx_apply_pins_suppression(cnx_rule *rule)
{
    cnx_rule_pin_all(rule, MATTER);
    cnx_dim extents[2] = {cnx_dim_fresh(rule->dims), cnx_rule_number(rule, 3)};
    cnx_rule_output(rule, 0, made_of(rule, CNX_TYPE_INT64, extents, 2, MATTER));
}

/* TfIdfVectorizer: a weight for each n-gram number, of a text or of each row of texts. */
void cnx_apply_pins_ngrams(cnx_rule *rule)
{
    cnx_rule_pin_all(rule, MATTER);
    size_t count;
    const int64_t *index = cnx_rule_ints(rule, "ngram_indexes", &count);
    int64_t most = -1;
    uint32_t rank = rule->inputs[0].rank;
    for (size_t i = 0; i < count; i++)
        most = index[i] > most ? index[i] : most;
    if (rank < 1 || rank > 2 || most == INT64_MAX)
        return;
    cnx_fact fact = cnx_shape_like(rule, 0, CNX_TYPE_FLOAT, MATTER);
    fact.axes[rank - 1] = cnx_shape_axis(rule, cnx_rule_number(rule, most + 1), MATTER);
    cnx_rule_output(rule, 0, fact);
}

/* StringNormalizer drops words; StringSplit counts parts. */
void cnx_apply_pins_words(cnx_rule *rule)
{
    cnx_rule_pin_all(rule, MATTER);
    bool splits = strcmp(rule->node->op_type, "StringSplit") == 0;
    uint32_t rank = rule->inputs[0].rank;
    if (splits) {
        cnx_fact words = cnx_shape_unknown(rule, CNX_TYPE_STRING, rank + 1, MATTER);
        for (uint32_t k = 0; k < rank; k++)
            words.axes[k].extent = rule->inputs[0].axes[k].extent;
        cnx_rule_output(rule, 0, words);
        cnx_rule_output(rule, 1, cnx_shape_like(rule, 0, CNX_TYPE_INT64, MATTER));
    } else if (rank != 0) {
        cnx_fact words = cnx_shape_like(rule, 0, CNX_TYPE_STRING, MATTER);
        words.axes[rank - 1] = cnx_shape_axis(rule, cnx_dim_fresh(rule->dims), MATTER);
        cnx_rule_output(rule, 0, words);
    }
}

/* Det: one number for each matrix. */
void cnx_apply_pins_determinant(cnx_rule *rule)
{
    cnx_rule_pin_all(rule, MATTER);
    cnx_fact fact = cnx_shape_like(rule, 0, rule->inputs[0].type, MATTER);
    if (fact.rank < 2)
        return;
    fact.rank -= 2;
    cnx_rule_output(rule, 0, fact);
}
