/* sums_isa.c: sums of squares of the tensors of a flat range. A tensor is cut into fixed pieces; a piece is
 * summed by lanes in float over short runs and in double across them, pieces are added in order. */
#include "base/pool.h"
#include "base/simd.h"
#include "ops/optim/optim.h"

enum {
    SUM_PIECE = 32768,
    SHORT_RUN = 512
}; /* elements; 512 / lanes additions in float lose nothing that counts */

static void need(const at_problem *p, at_need *out)
{
    const at_ranges *r = p->param;
    int64_t pieces = 0;
    for (int64_t t = 0; t < r->n; t++) pieces += at_ceil_div(r->list[t].hi - r->list[t].lo, SUM_PIECE);
    out->scratch = (size_t)pieces * sizeof(double);
}

static void piece(void *arg, int64_t index, int thread)
{
    (void)thread;
    const at_call *c = arg;
    const at_ranges *r = c->param;
    double *partial = (double *)c->scratch + index, sum = 0.0;
    int64_t t = 0, n;
    while (index >= (n = at_ceil_div(r->list[t].hi - r->list[t].lo, SUM_PIECE))) index -= n, t++;
    const int64_t lo = r->list[t].lo + index * SUM_PIECE, hi = at_min(lo + SUM_PIECE, r->list[t].hi);
    const float *x = c->in[0].data;
    for (int64_t run = lo; run < hi; run += SHORT_RUN) {
        vf acc = {0};
        bool named;
        const int64_t end = at_min(run + SHORT_RUN, hi);
        if (at_range_alike(&named, &r->list[t], run, end) == end && !named) continue; /* zeros */
        for (int64_t i = run; i < end; i += VL) {
            const vf v = vf_load_n(x + i, at_min(VL, end - i));
            acc += v * v;
        }
        for (int lane = 0; lane < VL; lane++) sum += (double)acc[lane];
    }
    *partial = sum;
}

static at_status run(const at_call *c)
{
    const at_ranges *r = c->param;
    const double *partial = c->scratch;
    float *out = c->out[0].data;
    int64_t pieces = 0;
    for (int64_t t = 0; t < r->n; t++) pieces += at_ceil_div(r->list[t].hi - r->list[t].lo, SUM_PIECE);
    at_parallel_for(c->pool, pieces, piece, (void *)(uintptr_t)c);
    for (int64_t t = 0; t < r->n; t++) {
        double sum = c->accumulate & 1 ? (double)out[t] : 0.0;
        for (int64_t n = at_ceil_div(r->list[t].hi - r->list[t].lo, SUM_PIECE); n > 0; n--) sum += *partial++;
        out[t] = (float)sum;
    }
    return AT_OK;
}

const at_kernel AT_SIMD(at_kernel_tensor_sums) = {.name = "tensor_sums." AT_SIMD_VARIANT,
                                                  .op = &at_op_tensor_sums,
                                                  .isa = AT_SIMD_LEVEL,
                                                  .need = need,
                                                  .run = run};
