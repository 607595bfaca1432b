/* moments_simd.h: the statistics of batch normalisation, for the *_simd.c files of its ops. */
#ifndef AT_MOMENTS_SIMD_H
#define AT_MOMENTS_SIMD_H

#include "engine/columns_simd.h"
#include <math.h>

/* y = (x - CENTRE) SCALE + SHIFT */
enum { BN_CENTRE, BN_SCALE, BN_SHIFT, BN_PATTERNS };

/* Sums of x and x^2 around the part's first row: squares of numbers far from zero would cancel. */
AT_FORCE_INLINE vf bn_moments(vf *sum, const vf *x, const vf *k, const vf *u)
{
    (void)u;
    const vf d = x[0] - k[0];
    sum[0] += d;
    return sum[1] += d * d;
}

static void bn_moments_tile(void *arg, int64_t i, int thread)
{
    (void)thread;
    at_column_sums_tile(arg, i, (at_sums_shape){.n_x = 1, .n_sums = 2, .n_k = 1, .terms = bn_moments});
}

/* The parts' moments become mean and sum of squared distances of all rows, in the place of the first part's:
 * merged in index order (Chan, Golub, LeVeque 1979). */
static inline void bn_merge(const at_column_sums *s)
{
    double *mean = s->partial, *m2 = mean + s->cols, before = 0.0;
    for (int64_t part = 0; part < s->n_parts; part++) {
        const int64_t first = part * s->part_rows;
        const double n = (double)at_min(s->part_rows, s->rows - first), total = before + n;
        const double by_n = 1 / n, share = n / total, between = before * n / total;
        const double *sum = s->partial + part * 2 * s->cols, *square = sum + s->cols;
        const at_element *pivot = (const at_element *)s->x[0]->data + first * s->x[0]->pitch;
        for (int64_t i = 0; i < s->cols; i++) {
            const double offset = sum[i] * by_n, part_mean = (double)at_element_value(pivot[i]) + offset;
            const double rest = square[i] - sum[i] * offset, part_m2 = rest < 0 ? 0.0 : rest;
            const double delta = part ? part_mean - mean[i] : 0.0;
            mean[i] = part ? mean[i] + delta * share : part_mean;
            m2[i] = part ? m2[i] + part_m2 + delta * delta * between : part_m2;
        }
        before = total;
    }
}

static inline size_t bn_scratch(const at_problem *p, int n_patterns)
{
    const int64_t C = at_meta_cols(&p->in[0]);
    return at_patterns_bytes(C, n_patterns) + at_column_sums_bytes(at_meta_max_rows(&p->in[0]), C, 2);
}

static inline double *bn_partials(const at_call *c, int n_patterns)
{
    return (double *)((char *)c->scratch + at_patterns_bytes(c->in[0].cols, n_patterns));
}

/* Mean, rstd and unbiased variance of x = in[0] into out[1..3], and the patterns of y. gamma, beta = in[1],
 * in[2]. */
static inline void bn_statistics(const at_call *c, double eps)
{
    const int64_t C = c->in[0].cols;
    at_column_sums s = {
        .x = {&c->in[0]}, .first_row_is_constant = true, .partial = bn_partials(c, BN_PATTERNS)};
    at_column_sums_run(&s, 2, c->pool, bn_moments_tile);
    bn_merge(&s);
    for (int64_t i = 0; i < C; i++) {
        const double n = (double)s.rows, mean = n > 0 ? s.partial[i] : (double)NAN;
        const double m2 = n > 0 ? s.partial[C + i] : (double)NAN, rstd = 1 / sqrt(m2 / n + eps);
        const double scale = rstd * (double)at_row(c, 1, 0)[i], beta = (double)at_row(c, 2, 0)[i];
        const float centre = (float)mean; /* what rounding it loses goes into the shift */
        at_pattern(c, C, BN_CENTRE)[i] = centre;
        at_pattern(c, C, BN_SCALE)[i] = (float)scale;
        at_pattern(c, C, BN_SHIFT)[i] = (float)(beta - (mean - (double)centre) * scale);
        if (c->out[1].data) at_put(c, 1, &at_out_row(c, 1, 0)[i], mean);
        if (c->out[2].data) at_put(c, 2, &at_out_row(c, 2, 0)[i], rstd);
        if (c->out[3].data) at_put(c, 3, &at_out_row(c, 3, 0)[i], m2 / fmax(n - 1, 1));
    }
    at_patterns_repeat(c, C, BN_PATTERNS);
}

#endif
