#include "rewrite/factors/exactness.h"

#include "rewrite/factors/room.h"
#include "rewrite/permute.h"

#include <limits.h>

static bool lies_within_limits(const cnx_tensor *tensor, int smallest, int largest)
{
    return largest == INT_MIN ||
           (smallest >= cnx_smallest_exponent(tensor->type) && largest <= cnx_largest_exponent(tensor->type));
}

cnx_exponents cnx_exponents_of(const cnx_tensor *tensor, const cnx_slice *slices, uint32_t count)
{
    cnx_exponents e = {.known = true, .smallest = INT_MAX, .largest = INT_MIN};
    uint64_t elements = 0;
    int least, most;
    for (uint32_t i = 0; i < count; i++) {
        e.known = e.known && slices[i].finite && slices[i].exact;
        e.smallest = slices[i].smallest < e.smallest ? slices[i].smallest : e.smallest;
        e.largest = slices[i].largest > e.largest ? slices[i].largest : e.largest;
        elements += slices[i].count;
    }
    e.known = e.known && elements == tensor->count;
    if (!e.known || e.largest == INT_MIN)
        return e;
    cnx_factors_range(tensor, &least, &most);
    e.smallest -= most;
    e.largest -= least;
    return e;
}

/* Whether that follows from the largest and the smallest of the elements as they are stored, which are found
 * sooner than products are. */
static bool stored_has_room(cnx_slice_reading *reading, const cnx_tensor *tensor, int least, int most)
{
    cnx_tensor stored = *tensor;
    stored.permutation = NULL;
    cnx_slice whole = cnx_measure_tensor(reading, &stored);
    if (whole.largest == INT_MIN)
        return whole.finite;
    return whole.finite && lies_within_limits(tensor, whole.smallest, whole.largest) &&
           lies_within_limits(tensor, whole.smallest + least, whole.largest + most);
}

bool cnx_has_room(cnx_slice_reading *reading, cnx_tensor *tensor, const cnx_exponents *known,
                  atomic_bool *lost)
{
    int least, most;
    cnx_factors_range(tensor, &least, &most);
    if (known->known && (known->largest == INT_MIN ||
                         (lies_within_limits(tensor, known->smallest, known->largest) &&
                          lies_within_limits(tensor, known->smallest + least, known->largest + most))))
        return true;
    if (lost != NULL) {
        cnx_tensor_permutation(reading->analysis->model->arena, tensor)->lost = lost;
        return true;
    }
    if (stored_has_room(reading, tensor, least, most))
        return true;
    cnx_slice whole = cnx_measure_tensor(reading, tensor);
    return whole.finite && whole.exact && whole.largest <= cnx_largest_exponent(tensor->type);
}
