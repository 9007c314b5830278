/* What a run did, pass by pass, and where every name of the result comes from. Only kept when somebody asks:
 * without a trace all of these functions return at once.
 *
 * Origins: a value remembers the names that it and the values it replaced had in the model as it was read
 * (cnx_value.origins), a node the same by its message, which no pass exchanges. Values that a pass makes have
 * none. */
#ifndef CNX_REWRITE_TRACE_H
#define CNX_REWRITE_TRACE_H

#include "rewrite/pass.h"

typedef struct cnx_trace cnx_trace;

/* Begins a trace of the run, before its first pass. NULL when neither is asked for. */
cnx_trace *cnx_trace_begin(cnx_rewrite *rewrite, bool explain, bool names);

/* Pass number `row` of the table runs now; and it has run, and changed so many things. */
void cnx_trace_enter(cnx_trace *trace, size_t row);
void cnx_trace_leave(cnx_trace *trace, size_t row, size_t changed);

/* A few words about one thing that the pass does, with names; the second one is about a node and begins with
 * it. */
void cnx_explain(cnx_rewrite *rewrite, const char *format, ...) __attribute__((format(printf, 2, 3)));
void cnx_explain_node(cnx_rewrite *rewrite, const cnx_graph *graph, const cnx_node *node, const char *format,
                      ...) __attribute__((format(printf, 4, 5)));

/* Value `into` stands for value `from` from now on, too; `from` is another value of the same graph. */
void cnx_trace_join(cnx_rewrite *rewrite, cnx_graph *graph, uint32_t into, uint32_t from);

/* Node `into` does what node `from` did, too. */
void cnx_trace_join_nodes(cnx_rewrite *rewrite, const cnx_node *into, const cnx_node *from);

/* Puts passes (those that ran, by the names of cnx_pass_list) and renamings into the report. */
void cnx_trace_end(cnx_rewrite *rewrite, cnx_canon_report *report);

#endif
