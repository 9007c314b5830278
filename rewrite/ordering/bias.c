/* Biases: the first key that members of a cell are sorted by. */
#include "rewrite/ordering/fingerprint_internal.h"
#include "rewrite/permute.h"

/* Whether a value enters its only use as a bias: position 2 of the operators that have one there, or a
 * summand. */
static bool is_bias_use(const cnx_parameter *parameter)
{
    static const char *const with_bias[] = {"Conv",
                                            "ConvTranspose",
                                            "Gemm",
                                            "BatchNormalization",
                                            "InstanceNormalization",
                                            "LayerNormalization",
                                            "GroupNormalization"};
    uint32_t slot;
    const cnx_node *node = cnx_first_reader(parameter, &slot);
    if (node == NULL || slot == CNX_NONE || node->domain[0] != '\0')
        return false;
    if (strcmp(node->op_type, "Add") == 0)
        return true;
    for (size_t i = 0; i < sizeof with_bias / sizeof *with_bias; i++)
        if (strcmp(node->op_type, with_bias[i]) == 0)
            return slot == 2;
    return false;
}

/* An ascending key for descending values: sign and magnitude turned into one order, -0 below +0, NaN by its
 * bits. */
static uint64_t descending_key(uint64_t bits, unsigned width)
{
    uint64_t sign = UINT64_C(1) << (width - 1);
    uint64_t ascending = (bits & sign) != 0 ? ~bits & (sign | (sign - 1)) : bits | sign;
    return ~ascending;
}

static void take_biases(cnx_prints *prints, const cnx_parameter *parameter)
{
    const cnx_cells *cells = prints->cells;
    cnx_tensor *tensor = parameter->tensor;
    const cnx_labels *labels = cnx_parameter_labels(parameter, 0);
    unsigned bits = cnx_type_bits(tensor->type);
    if (labels == NULL || labels->over != NULL || cnx_type_kind_of(tensor->type) != CNX_KIND_FLOAT ||
        bits < 8)
        return;
    const uint8_t *bytes = cnx_tensor_values(prints->analysis->model, tensor);
    uint32_t *copies = prints->scratch.copies;
    for (uint32_t i = 0; i < labels->sequence->count; i++)
        copies[cells->class_of[labels->sequence->points[i]]]++;
    for (uint32_t i = 0; i < labels->sequence->count; i++) {
        uint32_t class = cells->class_of[labels->sequence->points[i]];
        uint32_t cell = cells->cell_of[class];
        if (cell == CNX_NONE || copies[class] != 1 ||
            (prints->bias_of[cell] != NULL && prints->bias_of[cell] != parameter))
            continue; /* the first bias of a cell counts */
        prints->bias_of[cell] = parameter;
        prints->bias[class] = descending_key(cnx_element_bits(bytes, bits, i), bits);
    }
    for (uint32_t i = 0; i < labels->sequence->count; i++)
        copies[cells->class_of[labels->sequence->points[i]]] = 0;
}

void cnx_read_biases(cnx_prints *prints)
{
    for (size_t p = 0; p < prints->analysis->parameter_count; p++) {
        const cnx_parameter *parameter = &prints->analysis->parameters[p];
        if (!parameter->again && parameter->tensor->rank == 1 && is_bias_use(parameter))
            take_biases(prints, parameter);
    }
}
