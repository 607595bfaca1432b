/* batchnorm_clamp_simd.c: as batchnorm_simd.c; what the clamp let pass is found again from x, which the
 * gradient reads anyway. */
#include "ops/batchnorm/moments_simd.h"
#include "ops/batchnorm_clamp/batchnorm_clamp.h"

static const double *bounds_of(const at_call *c)
{
    return &((const at_batchnorm_clamp_param *)c->param)->low; /* low, high */
}

AT_FORCE_INLINE vf normalised(vf x, const vf *k)
{
    return (x - k[BN_CENTRE]) * k[BN_SCALE] + k[BN_SHIFT];
}

/* ---- forward ---- */

AT_FORCE_INLINE vf clamp(const vf *x, const vf *k, const vf *u)
{
    return vf_at_most(vf_at_least(normalised(x[0], k), u[0]), u[1]);
}

static void forward_span(const at_call *c, void *const *at, int64_t n)
{
    at_channel_span(c, at, n, bounds_of(c), 1, BN_PATTERNS, clamp);
}

static void forward_need(const at_problem *p, at_need *out)
{
    out->scratch = bn_scratch(p, BN_PATTERNS);
}

static at_status forward(const at_call *c)
{
    bn_statistics(c, ((const at_batchnorm_clamp_param *)c->param)->eps);
    if (c->out[0].data) at_for_spans(c, 1, 1, forward_span);
    return AT_OK;
}

const at_kernel AT_SIMD(at_kernel_batchnorm_clamp) = {.name = "batchnorm_clamp." AT_SIMD_VARIANT,
                                                      .op = &at_op_batchnorm_clamp,
                                                      .isa = AT_SIMD_LEVEL,
                                                      .act = AT_SIMD_ACT,
                                                      .need = forward_need,
                                                      .run = forward};

/* ---- gradient: dx = d SCALE + (x - CENTRE) SLOPE + OFFSET, d = dy where the clamp let y pass ---- */

enum { SLOPE = BN_PATTERNS, OFFSET, GRADIENT_PATTERNS };

AT_FORCE_INLINE vf passed(const vf *x, const vf *k, const vf *u)
{
    const vf z = normalised(x[0], k);
    return vf_select((z <= u[0]) | (z >= u[1]), (vf){0}, x[1]); /* NaN passes */
}

AT_FORCE_INLINE vf gradient_terms(vf *sum, const vf *x, const vf *k, const vf *u)
{
    const vf d = passed(x, k, u);
    sum[0] += d;
    return sum[1] += d * (x[0] - k[BN_CENTRE]);
}

static void gradient_tile(void *arg, int64_t i, int thread)
{
    (void)thread;
    at_column_sums_tile(arg, i,
                        (at_sums_shape){.n_x = 2, .n_sums = 2, .n_k = BN_PATTERNS, .terms = gradient_terms});
}

AT_FORCE_INLINE vf combine(const vf *x, const vf *k, const vf *u)
{
    return passed(x, k, u) * k[BN_SCALE] + ((x[0] - k[BN_CENTRE]) * k[SLOPE] + k[OFFSET]);
}

static void gradient_span(const at_call *c, void *const *at, int64_t n)
{
    at_channel_span(c, at, n, bounds_of(c), 2, GRADIENT_PATTERNS, combine);
}

static void gradient_need(const at_problem *p, at_need *out)
{
    out->scratch = bn_scratch(p, GRADIENT_PATTERNS);
}

static at_status gradient(const at_call *c)
{
    const int64_t C = c->in[0].cols;
    const at_real *gamma = at_row(c, 1, 0), *beta = at_row(c, 2, 0), *mean = at_row(c, 3, 0),
                  *rstd = at_row(c, 4, 0);
    for (int64_t i = 0; i < C; i++) {
        at_pattern(c, C, BN_CENTRE)[i] = mean[i];
        at_pattern(c, C, BN_SCALE)[i] = (float)((double)rstd[i] * (double)gamma[i]);
        at_pattern(c, C, BN_SHIFT)[i] = beta[i];
    }
    at_column_sums s = {
        .x = {&c->in[0], &c->in[5]}, .uniform = bounds_of(c), .partial = bn_partials(c, GRADIENT_PATTERNS)};
    for (int k = 0; k < BN_PATTERNS; k++) s.constant[k] = at_pattern(c, C, k);
    at_column_sums_run(&s, 2, c->pool, gradient_tile);
    const double *sum = at_column_sums_add(&s), n = (double)s.rows;
    for (int64_t i = 0; i < C; i++) {
        const double scale = (double)rstd[i] * (double)gamma[i];
        const double dbeta = sum[i], dgamma = n > 0 ? sum[C + i] * (double)rstd[i] : 0.0;
        at_pattern(c, C, SLOPE)[i] = (float)(-scale * (double)rstd[i] * dgamma / n);
        at_pattern(c, C, OFFSET)[i] = (float)(-scale * dbeta / n);
        if (c->out[1].data) at_put(c, 1, &at_out_row(c, 1, 0)[i], dgamma);
        if (c->out[2].data) at_put(c, 2, &at_out_row(c, 2, 0)[i], dbeta);
    }
    if (!c->out[0].data) return AT_OK;
    at_patterns_repeat(c, C, GRADIENT_PATTERNS);
    at_for_spans_of(c, (const at_arg *const[]){&c->in[0], &c->in[5], &c->out[0]}, 3, gradient_span);
    return AT_OK;
}

const at_kernel AT_SIMD(at_kernel_batchnorm_clamp_dx) = {.name = "batchnorm_clamp_dx." AT_SIMD_VARIANT,
                                                         .op = &at_op_batchnorm_clamp_dx,
                                                         .isa = AT_SIMD_LEVEL,
                                                         .act = AT_SIMD_ACT,
                                                         .need = gradient_need,
                                                         .run = gradient};
