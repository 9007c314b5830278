/* How com.microsoft's FusedMatMul sees its operands, for its rules of labels and of scalings. */
#ifndef CNX_ANALYZE_OPS_FUSED_H
#define CNX_ANALYZE_OPS_FUSED_H

#include "analyze/rule.h"

/* Input `i`, 0 or 1, is multiplied as a stack of matrices: axis `k` of that stack is the input's axis that is
 * returned. transBatchA and transBatchB let the rows be the input's first axis, with the stack behind it;
 * transA and transB then exchange rows and columns. */
uint32_t cnx_fused_axis(const cnx_rule *rule, uint32_t i, uint32_t k);

#endif
