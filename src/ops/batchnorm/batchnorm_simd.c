/* batchnorm_simd.c: two passes each: sums over rows in fixed parts, then the elementwise work. */
#include "ops/batchnorm/batchnorm.h"
#include "ops/batchnorm/moments_simd.h"

/* ---- forward ---- */

AT_FORCE_INLINE vf normalise(const vf *x, const vf *k, const vf *u)
{
    (void)u;
    return (x[0] - k[BN_CENTRE]) * k[BN_SCALE] + k[BN_SHIFT];
}

static void forward_span(const at_call *c, void *const *at, int64_t n)
{
    at_channel_span(c, at, n, NULL, 1, BN_PATTERNS, normalise);
}

static void forward_need(const at_problem *p, at_need *out)
{
    out->scratch = bn_scratch(p, BN_PATTERNS);
}

static at_status forward(const at_call *c)
{
    bn_statistics(c, ((const at_batchnorm_param *)c->param)->eps);
    if (c->out[0].data) at_for_spans(c, 1, 1, forward_span);
    return AT_OK;
}

const at_kernel AT_SIMD(at_kernel_batchnorm) = {.name = "batchnorm." AT_SIMD_VARIANT,
                                                .op = &at_op_batchnorm,
                                                .isa = AT_SIMD_LEVEL,
                                                .act = AT_SIMD_ACT,
                                                .need = forward_need,
                                                .run = forward};

/* ---- gradient ---- */

enum { GRADIENT_PATTERNS = 4 };

AT_FORCE_INLINE vf gradient_terms(vf *sum, const vf *x, const vf *k, const vf *u)
{
    (void)u;
    sum[0] += x[1];
    return sum[1] += x[1] * (x[0] - k[0]);
}

static void gradient_tile(void *arg, int64_t i, int thread)
{
    (void)thread;
    at_column_sums_tile(arg, i, (at_sums_shape){.n_x = 2, .n_sums = 2, .n_k = 1, .terms = gradient_terms});
}

/* dx = dy a + (x - mean) b + d */
AT_FORCE_INLINE vf combine(const vf *x, const vf *k, const vf *u)
{
    (void)u;
    return x[1] * k[1] + ((x[0] - k[0]) * k[2] + k[3]);
}

static void gradient_span(const at_call *c, void *const *at, int64_t n)
{
    at_channel_span(c, at, n, NULL, 2, GRADIENT_PATTERNS, combine);
}

static void gradient_need(const at_problem *p, at_need *out)
{
    out->scratch = bn_scratch(p, GRADIENT_PATTERNS);
}

static at_status gradient(const at_call *c)
{
    const int64_t C = c->in[0].cols;
    at_column_sums s = {.x = {&c->in[0], &c->in[4]},
                        .constant = {c->in[2].data},
                        .partial = bn_partials(c, GRADIENT_PATTERNS)};
    at_column_sums_run(&s, 2, c->pool, gradient_tile);
    const double *sum = at_column_sums_add(&s), n = (double)s.rows;
    for (int64_t i = 0; i < C; i++) {
        const double rstd = (double)at_row(c, 3, 0)[i], a = rstd * (double)at_row(c, 1, 0)[i];
        const double dbeta = sum[i], dgamma = n > 0 ? sum[C + i] * rstd : 0.0;
        at_pattern(c, C, 0)[i] = at_row(c, 2, 0)[i];
        at_pattern(c, C, 1)[i] = (float)a;
        at_pattern(c, C, 2)[i] = (float)(-a * rstd * dgamma / n);
        at_pattern(c, C, 3)[i] = (float)(-a * dbeta / n);
        if (c->out[1].data) at_put(c, 1, &at_out_row(c, 1, 0)[i], dgamma);
        if (c->out[2].data) at_put(c, 2, &at_out_row(c, 2, 0)[i], dbeta);
    }
    if (!c->out[0].data) return AT_OK;
    at_patterns_repeat(c, C, GRADIENT_PATTERNS);
    at_for_spans_of(c, (const at_arg *const[]){&c->in[0], &c->in[4], &c->out[0]}, 3, gradient_span);
    return AT_OK;
}

const at_kernel AT_SIMD(at_kernel_batchnorm_dx) = {.name = "batchnorm_dx." AT_SIMD_VARIANT,
                                                   .op = &at_op_batchnorm_dx,
                                                   .isa = AT_SIMD_LEVEL,
                                                   .act = AT_SIMD_ACT,
                                                   .need = gradient_need,
                                                   .run = gradient};
