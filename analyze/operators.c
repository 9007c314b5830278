/* The operator table: analyze/ops.def as an array, looked up by (domain, name, operator-set version). */
#include "analyze/scaling/scaling.h"

/* The rule of a row that pins on purpose. */
#define cnx_apply_pins NULL
#define cnx_scale_fixes NULL
#define cnx_scale_unfollowed NULL

static const cnx_operator operators[] = {
#define OP(domain_, name_, since_, rule_, scaling_, class_, commutative_)                                    \
    {.domain = domain_,                                                                                      \
     .name = name_,                                                                                          \
     .since = since_,                                                                                        \
     .rule = cnx_apply_##rule_,                                                                              \
     .rule_name = #rule_,                                                                                    \
     .scaling = cnx_scale_##scaling_,                                                                        \
     .class = CNX_OP_##class_,                                                                               \
     .commutative = commutative_},
#include "analyze/ops.def"
#undef OP
};

#define OPERATOR_COUNT (sizeof operators / sizeof *operators)

static int compare_keys(const char *domain_a, const char *name_a, const char *domain_b, const char *name_b)
{
    int order = strcmp(domain_a, domain_b);
    return order != 0 ? order : strcmp(name_a, name_b);
}

/* The rows are sorted (a test checks it), so the first row of a name is found by bisection. */
const cnx_operator *cnx_operator_find(const char *domain, const char *name, int64_t opset)
{
    size_t low = 0, high = OPERATOR_COUNT;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare_keys(operators[middle].domain, operators[middle].name, domain, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    const cnx_operator *found = NULL;
    for (; low < OPERATOR_COUNT; low++) {
        if (compare_keys(operators[low].domain, operators[low].name, domain, name) != 0)
            break;
        if (opset == 0 || operators[low].since <= opset)
            found = &operators[low];
    }
    return found;
}

/* A name as people write it, "com.microsoft.FusedConv", and what kind of thing it is since which version. */
#define FULL_NAME(domain_, name_) (sizeof(domain_) == 1 ? name_ : domain_ "." name_)

/* What a class is called. */
#define WORDS_OTHER "other"
#define WORDS_ELEMENTWISE "position by position"
#define WORDS_ACTIVATION "activation function"
#define WORDS_LINEAR "matrix product"
#define WORDS_CONVOLUTION "convolution"
#define WORDS_POOL "pooling"
#define WORDS_NORMALIZATION "normalization"
#define WORDS_SOFTMAX "softmax"
#define WORDS_REDUCTION "sum or choice over axes"
#define WORDS_LAYOUT "moves and selects"
#define WORDS_RECURRENT "recurrent layer"
#define WORDS_ATTENTION "attention"
#define WORDS_CONSTANT "makes constants and shapes"
#define WORDS_IDENTITY "passes on"
#define WORDS_CONTROL "nested graphs"
#define WORDS_QUANTIZATION "quantization"

size_t cnx_operator_list(const cnx_list_row **rows)
{
    static const cnx_list_row list[] = {
#define OP(domain_, name_, since_, rule_, scaling_, class_, commutative_)                                    \
    {FULL_NAME(domain_, name_), #rule_, WORDS_##class_ ", since " #since_},
#include "analyze/ops.def"
#undef OP
    };
    *rows = list;
    return sizeof list / sizeof *list;
}
