/* rows.c: elementwise tiles. */
#include "engine/rows.h"

enum { TILE_ELEMENTS = 16384 }; /* 64 KiB an operand: a few operands stay in L2, the claim costs nothing */

typedef struct walk {
    const at_call *c;
    at_span_fn span;
    const at_arg *operands[AT_MAX_SPAN_OPERANDS];
    int n;
    int64_t rows, cols, tile_rows;
    bool gapless;
} walk;

static void tile(void *arg, int64_t i, int thread)
{
    (void)thread;
    const walk *w = arg;
    const int64_t first = i * w->tile_rows, last = at_min(first + w->tile_rows, w->rows);
    void *at[AT_MAX_SPAN_OPERANDS];
    const int64_t step = w->gapless ? last - first : 1;
    for (int64_t m = first; m < last; m += step) {
        for (int k = 0; k < w->n; k++)
            at[k] = (char *)w->operands[k]->data +
                    (size_t)(m * w->operands[k]->pitch) * at_dtype_size(w->operands[k]->dtype);
        w->span(w->c, at, step * w->cols);
    }
}

void at_for_spans_of(const at_call *c, const at_arg *const *operands, int n_operands, at_span_fn span)
{
    walk w = {.c = c, .span = span, .n = n_operands, .rows = operands[0]->rows, .cols = operands[0]->cols};
    w.gapless = true;
    for (int k = 0; k < w.n; k++) {
        w.operands[k] = operands[k];
        w.gapless &= operands[k]->pitch == w.cols;
    }
    if (w.rows == 0 || w.cols == 0) return;
    w.tile_rows = at_max(1, TILE_ELEMENTS / w.cols);
    at_parallel_for(c->pool, at_ceil_div(w.rows, w.tile_rows), tile, &w);
}

void at_for_spans(const at_call *c, int n_in, int n_out, at_span_fn span)
{
    const at_arg *operands[AT_MAX_SPAN_OPERANDS];
    for (int k = 0; k < n_in; k++) operands[k] = &c->in[k];
    for (int k = 0; k < n_out; k++) operands[n_in + k] = &c->out[k];
    at_for_spans_of(c, operands, n_in + n_out, span);
}
