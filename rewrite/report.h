/* The report of a run while it is being written: a before/after table, classes and notes. */
#ifndef CNX_REWRITE_REPORT_H
#define CNX_REWRITE_REPORT_H

#include "rewrite/pass.h"

/* Counts the model as it is now into the column `before` of a new report. */
struct cnx_report_builder *cnx_report_begin(cnx_rewrite *rewrite);

/* Counts the lowered model again, into the column `after`. The report is in the model's arena. */
const cnx_canon_report *cnx_report_end(cnx_rewrite *rewrite);

#endif
