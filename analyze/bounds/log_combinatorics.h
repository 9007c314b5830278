/* Counting with logarithms: factorials of layer widths and numbers of multisets overflow every number type,
 * so all results are natural logarithms of counts (nats), unless a name says log10.
 */
#ifndef CNX_ANALYZE_LOG_COMBINATORICS_H
#define CNX_ANALYZE_LOG_COMBINATORICS_H

#include <stddef.h>
#include <stdint.h>

#define CNX_LN_10 2.302585092994045684017991454684364208

/* ln n!, the order of the symmetric group S_n. */
double cnx_log_factorial(double n);

/* ln of the order of H wr S_copies, where `log_inner` is ln |H|: copies ln |H| + ln copies!. */
double cnx_log_wreath(double log_inner, double copies);

/* ln C(M + count - 1, count): the multisets of `count` elements taken from M kinds, `log_kinds` = ln M with
 * M >= 1. Exactly 0 for M = 1. Every term is positive, so nothing cancels, whether M or count is the large
 * one; the time is O(min(M, count)). */
double cnx_log_multisets(double log_kinds, double count);

/* By how much that exceeds count ln M - ln count!, the sequences divided by the order of the group:
 * the sum of ln(1 + i/M) over i < count, never negative. */
double cnx_log_multiset_excess(double log_kinds, double count);

/* ln (d! / (m_1! m_2! ...)): distinct arrangements of d rows among which m_1, m_2, ... are equal. This is the
 * factor d* of Theorem 5. `multiplicities` may leave out ones. */
double cnx_log_arrangements(double d, const uint64_t *multiplicities, size_t count);

/* ln (e^a + e^b); -INFINITY is the logarithm of nothing. */
double cnx_log_add(double a, double b);

#endif
