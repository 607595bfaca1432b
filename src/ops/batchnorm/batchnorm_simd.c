/* batchnorm_simd.c: two passes each: sums over rows in fixed parts, then the elementwise work. */
#include "engine/columns_simd.h"
#include "ops/batchnorm/batchnorm.h"
#include <math.h>

static double *partials(const at_call *c, int n_patterns)
{
    return (double *)((char *)c->scratch + at_patterns_bytes(c->in[0].cols, n_patterns));
}

/* ---- forward ---- */

enum { FORWARD_PATTERNS = 3, GRADIENT_PATTERNS = 4 };

/* Sums of x and x^2 around the part's first row: squares of numbers far from zero would cancel. */
AT_FORCE_INLINE void moments(vf *sum, const vf *x, vf pivot)
{
    const vf d = x[0] - pivot;
    sum[0] += d;
    sum[1] += d * d;
}

static void moments_tile(void *arg, int64_t i, int thread)
{
    (void)thread;
    at_column_sums_tile(arg, i, 1, 2, moments);
}

/* The parts' moments become mean and sum of squared distances of all rows, in the place of the first part's:
 * merged in index order (Chan, Golub, LeVeque 1979). */
static void merge(const at_column_sums *s)
{
    double *mean = s->partial, *m2 = mean + s->cols, before = 0.0;
    for (int64_t part = 0; part < s->n_parts; part++) {
        const int64_t first = part * s->part_rows;
        const double n = (double)at_min(s->part_rows, s->rows - first), total = before + n;
        const double by_n = 1 / n, share = n / total, between = before * n / total;
        const double *sum = s->partial + part * 2 * s->cols, *square = sum + s->cols;
        const float *pivot = (const float *)s->x[0]->data + first * s->x[0]->pitch;
        for (int64_t i = 0; i < s->cols; i++) {
            const double offset = sum[i] * by_n, part_mean = (double)pivot[i] + offset;
            const double rest = square[i] - sum[i] * offset, part_m2 = rest < 0 ? 0.0 : rest;
            const double delta = part ? part_mean - mean[i] : 0.0;
            mean[i] = part ? mean[i] + delta * share : part_mean;
            m2[i] = part ? m2[i] + part_m2 + delta * delta * between : part_m2;
        }
        before = total;
    }
}

AT_FORCE_INLINE vf normalise(const vf *x, const vf *k)
{
    return (x[0] - k[0]) * k[1] + k[2];
}

static void forward_span(const at_call *c, float *const *at, int64_t n)
{
    at_channel_span(c, at, n, 1, FORWARD_PATTERNS, normalise);
}

static void forward_need(const at_problem *p, at_need *out)
{
    const int64_t C = at_meta_cols(&p->in[0]);
    out->scratch =
        at_patterns_bytes(C, FORWARD_PATTERNS) + at_column_sums_bytes(at_meta_max_rows(&p->in[0]), C, 2);
}

static at_status forward(const at_call *c)
{
    const int64_t C = c->in[0].cols;
    const double eps = ((const at_batchnorm_param *)c->param)->eps;
    at_column_sums s = {
        .x = {&c->in[0]}, .first_row_is_centre = true, .partial = partials(c, FORWARD_PATTERNS)};
    at_column_sums_run(&s, 2, c->pool, moments_tile);
    merge(&s);
    for (int64_t i = 0; i < C; i++) {
        const double n = (double)s.rows, mean = n > 0 ? s.partial[i] : (double)NAN;
        const double m2 = n > 0 ? s.partial[C + i] : (double)NAN, rstd = 1 / sqrt(m2 / n + eps);
        const double scale = rstd * (double)at_row(c, 1, 0)[i], beta = (double)at_row(c, 2, 0)[i];
        const float centre = (float)mean; /* what rounding it loses goes into the shift */
        at_pattern(c, C, 0)[i] = centre;
        at_pattern(c, C, 1)[i] = (float)scale;
        at_pattern(c, C, 2)[i] = (float)(beta - (mean - (double)centre) * scale);
        if (c->out[1].data) at_put(c, 1, &at_out_row(c, 1, 0)[i], mean);
        if (c->out[2].data) at_put(c, 2, &at_out_row(c, 2, 0)[i], rstd);
        if (c->out[3].data) at_put(c, 3, &at_out_row(c, 3, 0)[i], m2 / fmax(n - 1, 1));
    }
    if (!c->out[0].data) return AT_OK;
    at_patterns_repeat(c, C, FORWARD_PATTERNS);
    at_for_spans(c, 1, 1, forward_span);
    return AT_OK;
}

const at_kernel AT_SIMD(at_kernel_batchnorm) = {.name = "batchnorm." AT_SIMD_VARIANT,
                                                .op = &at_op_batchnorm,
                                                .isa = AT_SIMD_LEVEL,
                                                .need = forward_need,
                                                .run = forward};

/* ---- gradient ---- */

AT_FORCE_INLINE void gradient_terms(vf *sum, const vf *x, vf mean)
{
    sum[0] += x[1];
    sum[1] += x[1] * (x[0] - mean);
}

static void gradient_tile(void *arg, int64_t i, int thread)
{
    (void)thread;
    at_column_sums_tile(arg, i, 2, 2, gradient_terms);
}

/* dx = dy a + (x - mean) b + d */
AT_FORCE_INLINE vf combine(const vf *x, const vf *k)
{
    return x[1] * k[1] + ((x[0] - k[0]) * k[2] + k[3]);
}

static void gradient_span(const at_call *c, float *const *at, int64_t n)
{
    at_channel_span(c, at, n, 2, GRADIENT_PATTERNS, combine);
}

static void gradient_need(const at_problem *p, at_need *out)
{
    const int64_t C = at_meta_cols(&p->in[0]);
    out->scratch =
        at_patterns_bytes(C, GRADIENT_PATTERNS) + at_column_sums_bytes(at_meta_max_rows(&p->in[0]), C, 2);
}

static at_status gradient(const at_call *c)
{
    const int64_t C = c->in[0].cols;
    at_column_sums s = {
        .x = {&c->in[0], &c->in[4]}, .centre = c->in[2].data, .partial = partials(c, GRADIENT_PATTERNS)};
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
                                                   .need = gradient_need,
                                                   .run = gradient};
