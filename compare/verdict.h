/* The comparison as a whole. */
#ifndef CNX_COMPARE_VERDICT_H
#define CNX_COMPARE_VERDICT_H

#include "onnx/model.h"

/* Compares two models; the report is in a's arena. Failures in either model's part unwind to its own trap. */
const cnx_diff *cnx_compare(cnx_model *a, cnx_model *b, const cnx_diff_options *options);

#endif
