#include "analyze/bounds/log_combinatorics.h"

#include <math.h>

/* Beyond this ln M, terms of i/M and (M-1)/i are far below one unit in the last place of what they change:
 * e^-40 is 4e-18. M itself stops being an exact integer in a double at 2^53, ln of which is 36.7. */
#define LARGE_LOG_KINDS 40.0

/* A sum that keeps what rounding loses (Neumaier). */
typedef struct running_sum {
    double total;
    double lost;
} running_sum;

static void add_term(running_sum *sum, double term)
{
    double total = sum->total + term;
    sum->lost += fabs(sum->total) >= fabs(term) ? (sum->total - total) + term : (term - total) + sum->total;
    sum->total = total;
}

double cnx_log_factorial(double n)
{
    int sign; /* lgamma() would write a global variable */
    return lgamma_r(n + 1.0, &sign);
}

double cnx_log_wreath(double log_inner, double copies)
{
    return copies * log_inner + cnx_log_factorial(copies);
}

/* M from ln M: the integer it must be, where a double can tell. */
static double kinds_from_log(double log_kinds)
{
    double kinds = exp(log_kinds);
    double nearest = rint(kinds);
    return fabs(kinds - nearest) <= 1e-9 * kinds ? nearest : kinds;
}

double cnx_log_multiset_excess(double log_kinds, double count)
{
    if (log_kinds > LARGE_LOG_KINDS)
        return 0.5 * count * (count - 1.0) * exp(-log_kinds); /* the first term of the series in 1/M */
    double kinds = kinds_from_log(log_kinds);
    running_sum sum = {0.0, 0.0};
    for (double i = 1.0; i < count; i += 1.0)
        add_term(&sum, log1p(i / kinds));
    return sum.total + sum.lost;
}

/* C(M + d - 1, d) is the product of (a + i)/i over i = 1..b for {a, b} = {M - 1, d}, either way round. */
double cnx_log_multisets(double log_kinds, double count)
{
    if (count < 1.0)
        return 0.0;
    if (log_kinds > LARGE_LOG_KINDS)
        return count * log_kinds - cnx_log_factorial(count) + cnx_log_multiset_excess(log_kinds, count);
    double others = kinds_from_log(log_kinds) - 1.0;
    double many = fmax(others, count);
    double few = fmin(others, count);
    if (few != rint(few)) { /* M is not an integer: only the count may be the number of factors */
        many = others;
        few = count;
    }
    running_sum sum = {0.0, 0.0};
    for (double i = 1.0; i <= few; i += 1.0)
        add_term(&sum, log1p(many / i));
    return sum.total + sum.lost;
}

double cnx_log_arrangements(double d, const uint64_t *multiplicities, size_t count)
{
    double result = cnx_log_factorial(d);
    for (size_t i = 0; i < count; i++)
        result -= cnx_log_factorial((double)multiplicities[i]);
    return fmax(result, 0.0);
}

double cnx_log_add(double a, double b)
{
    double larger = fmax(a, b);
    if (isinf(larger))
        return larger;
    return larger + log1p(exp(fmin(a, b) - larger));
}
