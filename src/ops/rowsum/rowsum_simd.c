/* rowsum_simd.c: sums over rows, in fixed parts. */
#include "engine/columns_simd.h"
#include "ops/rowsum/rowsum.h"

AT_FORCE_INLINE vf terms(vf *sum, const vf *x, const vf *k, const vf *u)
{
    (void)k, (void)u;
    return sum[0] += x[0];
}

static void tile(void *arg, int64_t i, int thread)
{
    (void)thread;
    at_column_sums_tile(arg, i, (at_sums_shape){.n_x = 1, .n_sums = 1, .terms = terms});
}

static void need(const at_problem *p, at_need *out)
{
    out->scratch = at_column_sums_bytes(at_meta_max_rows(&p->in[0]), at_meta_cols(&p->in[0]), 1);
}

static at_status run(const at_call *c)
{
    at_column_sums s = {.x = {&c->in[0]}, .partial = c->scratch};
    at_column_sums_run(&s, 1, c->pool, tile);
    const double *sum = at_column_sums_add(&s);
    for (int64_t i = 0; i < s.cols; i++) at_put(c, 0, &at_out_row(c, 0, 0)[i], sum[i]);
    return AT_OK;
}

const at_kernel AT_SIMD(at_kernel_rowsum) = {
    .name = "rowsum." AT_SIMD_VARIANT,
    .op = &at_op_rowsum,
    .isa = AT_SIMD_LEVEL,
    .act = AT_SIMD_ACT,
    .need = need,
    .run = run,
};
