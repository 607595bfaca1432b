/* rows.h: walking the rows of elementwise kernels in parallel. Layer: engine.
 *
 * A tile is a run of rows; tiles are fixed by the shape, never by the thread count. Where all operands lie
 * without gaps (pitch = cols) a tile is one long row, so that narrow channels cost no loop overhead. */
#ifndef AT_ROWS_H
#define AT_ROWS_H

#include "base/pool.h"
#include "engine/op.h"

/* Work on n consecutive elements; at[k] points at operand k's first element (inputs, then outputs), which has
 * the operand's dtype. */
typedef void (*at_span_fn)(const at_call *c, void *const *at, int64_t n);

/* Call span for every row (or gapless run of rows) of the first n_in inputs and n_out outputs, which must
 * agree in rows and cols. */
void at_for_spans(const at_call *c, int n_in, int n_out, at_span_fn span);

/* The same for operands in any order; the first n_operands of the list take part. */
void at_for_spans_of(const at_call *c, const at_arg *const *operands, int n_operands, at_span_fn span);

enum { AT_MAX_SPAN_OPERANDS = 8, AT_CHUNK_ROWS = 4096 };

#endif
