/* Normalizations: operators, and the elementwise spellings of them.
 *
 * Spelled layer normalization is found from its square root outwards. Backwards lie the epsilon, the mean of
 * the squares, the squares, and before these the subtraction of the mean (without it, it is the root mean
 * square that normalizes). Forwards lie the division, then scale and shift. Exporters vary the square (Pow or
 * Mul), the division (Div, Reciprocal and Mul, or Pow by -1/2), add Casts, and some subtract the mean twice.
 */
#include "analyze/blocks/matcher.h"

#include <inttypes.h>

/* ---- steps back and forth, over casts ---- */

/* The node that makes `value`, casts taken on the way; *value becomes what that node makes. */
static uint32_t maker(cnx_matcher *m, uint32_t *value)
{
    uint32_t node = cnx_producer(m, *value);
    while (cnx_op(m, node) == OP_Cast && cnx_take(m, node)) {
        *value = cnx_input(m, node, 0);
        node = cnx_producer(m, *value);
    }
    return node;
}

/* The only node that reads `value`, casts taken on the way. */
static uint32_t reader(cnx_matcher *m, uint32_t *value)
{
    uint32_t node = cnx_only_user(m, *value);
    while (cnx_op(m, node) == OP_Cast && cnx_take(m, node)) {
        *value = cnx_output(m, node, 0);
        node = cnx_only_user(m, *value);
    }
    return node;
}

/* x when the node computes x * x. */
static uint32_t squared(const cnx_matcher *m, uint32_t node)
{
    uint32_t x = cnx_input(m, node, 0);
    bool power = cnx_op(m, node) == OP_Pow && cnx_is_number(m, cnx_input(m, node, 1), 2);
    bool product = cnx_op(m, node) == OP_Mul && cnx_reads(m, node, 1, x);
    return power || product ? x : CNX_NONE;
}

/* The axes of a reduction, attribute or input; *count is 0 when unknown or all. */
static const int64_t *reduced_axes(const cnx_matcher *m, uint32_t node, size_t *count)
{
    const int64_t *axes = cnx_ints(m, node, "axes", count);
    uint32_t input = cnx_input(m, node, 1);
    if (*count != 0 || input == CNX_NONE)
        return axes;
    const cnx_fact *fact = &m->view->facts[input];
    int64_t *numbers = CNX_NEW_ARRAY(m->arena, int64_t, fact->content_count);
    for (size_t i = 0; i < fact->content_count; i++)
        if (!cnx_dim_is_number(m->dims, fact->content[i], &numbers[i]))
            return NULL;
    *count = fact->has_content ? fact->content_count : 0;
    return numbers;
}

/* Takes per-channel scale and shift behind a normalization; returns the result. */
static uint32_t take_scale_and_shift(cnx_matcher *m, uint32_t value)
{
    static const cnx_block_op STEPS[] = {OP_Mul, OP_Add};
    for (size_t i = 0; i < 2; i++) {
        uint32_t user = reader(m, &value);
        if (cnx_op(m, user) == STEPS[i] && cnx_is_weight(m, cnx_other_input(m, user, value)) &&
            cnx_take(m, user))
            value = cnx_output(m, user, 0);
    }
    return value;
}

static void say_activation(cnx_matcher *m, uint32_t value)
{
    const char *name;
    if (cnx_take_activation(m, value, &name) != CNX_NONE)
        cnx_say(m, "%s", name);
}

/* ---- layer normalization ---- */

typedef struct spelled {
    uint32_t centered; /* the value that is squared and divided */
    uint32_t source;   /* before the mean is subtracted; the same when it is not */
    uint32_t mean;     /* node of the mean of squares */
} spelled;

/* From the square root back to the source. */
static bool look_back(cnx_matcher *m, uint32_t root, spelled *s)
{
    double ignored;
    uint32_t value = cnx_input(m, root, 0), node = maker(m, &value);
    if (cnx_op(m, node) == OP_Add || cnx_op(m, node) == OP_Max || cnx_op(m, node) == OP_Clip) {
        bool first = cnx_is_data(m, cnx_input(m, node, 0));
        if (cnx_op(m, node) != OP_Clip && !cnx_number(m, cnx_input(m, node, first), &ignored))
            return false;
        value = cnx_input(m, node, !first);
        if (!cnx_take(m, node))
            return false;
        node = maker(m, &value);
    }
    s->mean = node;
    if (cnx_op(m, node) != OP_ReduceMean || !cnx_take(m, node))
        return false;
    value = cnx_input(m, node, 0);
    node = maker(m, &value);
    s->centered = squared(m, node);
    if (s->centered == CNX_NONE || !cnx_take(m, node))
        return false;
    s->source = s->centered;
    value = s->centered;
    uint32_t subtract = maker(m, &value);
    uint32_t mean_value = cnx_input(m, subtract, 1), mean = cnx_producer(m, mean_value);
    if (cnx_op(m, subtract) == OP_Sub && cnx_op(m, mean) == OP_ReduceMean &&
        cnx_reads(m, mean, 0, cnx_input(m, subtract, 0)) && cnx_take(m, mean)) {
        cnx_take(m, subtract);
        s->source = cnx_input(m, subtract, 0);
    }
    return true;
}

/* Whether `value` is what is divided: the centred value, or a second subtraction of the same mean. */
static bool is_dividend(cnx_matcher *m, const spelled *s, uint32_t value)
{
    uint32_t node = maker(m, &value), first = cnx_producer(m, s->centered);
    if (value == s->centered || value == s->source)
        return true;
    return cnx_op(m, node) == OP_Sub && cnx_op(m, first) == OP_Sub &&
           cnx_reads(m, node, 0, cnx_input(m, first, 0)) && cnx_reads(m, node, 1, cnx_input(m, first, 1)) &&
           cnx_take(m, node);
}

/* From the square root to the quotient; CNX_NONE when there is none. */
static uint32_t look_ahead(cnx_matcher *m, const spelled *s, uint32_t root)
{
    bool inverted = cnx_op(m, root) == OP_Pow;
    uint32_t value = cnx_output(m, root, 0), user = reader(m, &value);
    bool one_by = cnx_op(m, user) == OP_Div && cnx_is_number(m, cnx_input(m, user, 0), 1);
    if (!inverted && (cnx_op(m, user) == OP_Reciprocal || one_by) && cnx_take(m, user)) {
        inverted = true;
        value = cnx_output(m, user, 0);
        user = reader(m, &value);
    }
    bool divides = !inverted && cnx_op(m, user) == OP_Div && cnx_reads(m, user, 1, value);
    bool multiplies = inverted && cnx_op(m, user) == OP_Mul;
    if ((!divides && !multiplies) || !is_dividend(m, s, cnx_other_input(m, user, value)) ||
        !cnx_take(m, user))
        return CNX_NONE;
    return cnx_output(m, user, 0);
}

/* The width of what is normalized; that of the scale behind it where shapes are unknown. */
static const char *width_text(const cnx_matcher *m, const spelled *s, uint32_t quotient)
{
    uint32_t user = cnx_only_user(m, quotient), scale = cnx_other_input(m, user, quotient);
    cnx_dim extent;
    bool known = cnx_extent(m, s->source, -1, &extent) && !cnx_dim_has_unknown(m->dims, extent);
    return cnx_extent_text(m, known || !cnx_is_weight(m, scale) ? s->source : scale, -1);
}

/* "LayerNormalization 768"; mean and variance over other axes than the last ones are named after these. */
static void say_spelled(cnx_matcher *m, const spelled *s, uint32_t quotient)
{
    size_t count;
    uint32_t rank;
    const char *name = s->source == s->centered ? "RMSNormalization" : "LayerNormalization";
    const int64_t *axes = reduced_axes(m, s->mean, &count);
    bool known = cnx_rank(m, s->source, &rank);
    bool last = count == 1 && (axes[0] == -1 || (known && axes[0] == (int64_t)rank - 1));
    if (last || count == 0) {
        cnx_say(m, "%s %s", name, width_text(m, s, quotient));
        return;
    }
    bool over_space = known && count + 2 == rank;
    for (size_t i = 0; i < count && over_space; i++)
        over_space = (axes[i] < 0 ? axes[i] + (int64_t)rank : axes[i]) == (int64_t)i + 2;
    if (over_space && s->source != s->centered)
        cnx_say(m, "InstanceNormalization %s", cnx_extent_text(m, s->source, 1));
    else if (count == 1)
        cnx_say(m, "%s %s, axis %" PRId64, name, cnx_extent_text(m, s->source, (int)axes[0]), axes[0]);
    else
        cnx_say(m, "%s over %zu axes", name, count);
}

bool cnx_match_layer_normalization(cnx_matcher *m, uint32_t node)
{
    spelled s;
    bool inverse_root = cnx_op(m, node) == OP_Pow && cnx_is_number(m, cnx_input(m, node, 1), -0.5);
    if ((cnx_op(m, node) != OP_Sqrt && !inverse_root) || !cnx_is_data(m, cnx_input(m, node, 0)))
        return false;
    if (!cnx_take(m, node) || !look_back(m, node, &s))
        return false;
    uint32_t quotient = look_ahead(m, &s, node);
    if (quotient == CNX_NONE)
        return false;
    say_spelled(m, &s, quotient);
    take_scale_and_shift(m, quotient);
    return true;
}

/* ---- group normalization ---- */

bool cnx_match_group_normalization(cnx_matcher *m, uint32_t node)
{
    if (cnx_op(m, node) != OP_InstanceNormalization)
        return false;
    uint32_t before = cnx_producer(m, cnx_input(m, node, 0)), value = cnx_output(m, node, 0);
    uint32_t after = cnx_only_user(m, value);
    if (cnx_op(m, before) != OP_Reshape || cnx_op(m, after) != OP_Reshape || !cnx_reads(m, after, 0, value))
        return false;
    if (!cnx_take(m, before) || !cnx_take(m, after))
        return false;
    cnx_take(m, node);
    cnx_say(m, "GroupNormalization %s", cnx_extent_text(m, cnx_input(m, before, 0), 1));
    cnx_say(m, "%s groups", cnx_extent_text(m, cnx_input(m, node, 1), 0));
    say_activation(m, take_scale_and_shift(m, cnx_output(m, after, 0)));
    return true;
}

/* ---- division by a Euclidean norm ---- */

/* ReduceL2 or Sqrt of a sum of squares; then perhaps a lower bound and Expand; then Div. */
bool cnx_match_l2_normalization(cnx_matcher *m, uint32_t node)
{
    uint32_t source = CNX_NONE, sum = cnx_producer(m, cnx_input(m, node, 0)), ignored = CNX_NONE;
    if (cnx_op(m, node) == OP_ReduceL2) {
        source = cnx_input(m, node, 0);
    } else if (cnx_op(m, node) == OP_Sqrt && cnx_op(m, sum) == OP_ReduceSumSquare) {
        source = cnx_input(m, sum, 0);
    } else if (cnx_op(m, node) == OP_Sqrt && cnx_op(m, sum) == OP_ReduceSum) {
        ignored = cnx_producer(m, cnx_input(m, sum, 0));
        source = squared(m, ignored);
    }
    if (!cnx_is_data(m, source))
        return false;
    cnx_take(m, node);
    if (cnx_op(m, node) == OP_Sqrt && !cnx_take(m, sum))
        return false;
    if (ignored != CNX_NONE && !cnx_take(m, ignored))
        return false;
    uint32_t value = cnx_output(m, node, 0), user = reader(m, &value);
    while (cnx_op(m, user) == OP_Clip || cnx_op(m, user) == OP_Max || cnx_op(m, user) == OP_Add ||
           cnx_op(m, user) == OP_Expand) {
        if (!cnx_take(m, user))
            return false;
        value = cnx_output(m, user, 0);
        user = reader(m, &value);
    }
    if (cnx_op(m, user) != OP_Div || !cnx_reads(m, user, 0, source) || !cnx_reads(m, user, 1, value) ||
        !cnx_take(m, user))
        return false;
    cnx_say(m, "L2 %s", cnx_shape_text(m, source));
    return true;
}

/* ---- operators ---- */

bool cnx_match_normalization(cnx_matcher *m, uint32_t node)
{
    cnx_block_op op = cnx_op(m, node);
    bool extra = op == OP_SkipLayerNormalization || op == OP_SkipSimplifiedLayerNormalization ||
                 op == OP_SimplifiedLayerNormalization || op == OP_GroupNorm;
    if ((cnx_class(m, node) != CNX_OP_NORMALIZATION && !extra) || !cnx_is_data(m, cnx_input(m, node, 0)))
        return false;
    cnx_take(m, node);
    bool last = extra || op == OP_LayerNormalization || op == OP_RMSNormalization;
    cnx_say(m, "%s %s", cnx_node_at(m, node)->op_type,
            cnx_extent_text(m, cnx_input(m, node, 0), last && op != OP_GroupNorm ? -1 : 1));
    if (op == OP_GroupNormalization)
        cnx_say(m, "%" PRId64 " groups", cnx_int(m, node, "num_groups", 0));
    say_activation(m, cnx_output(m, node, 0));
    return true;
}
