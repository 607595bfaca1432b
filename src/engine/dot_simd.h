/* dot_simd.h: what kernels that look at whole rows share: sums of products along a row, and the sum of the
 * rows' losses. For *_simd.c files. Layer: engine. */
#ifndef AT_DOT_SIMD_H
#define AT_DOT_SIMD_H

#include "base/simd.h"
#include "engine/rows.h"

static inline float vf_dot(const float *a, const float *b, int64_t n)
{
    vf even = {0}, odd = {0}; /* abreast, to hide the latency of additions */
    int64_t i = 0;
    for (; i + 2 * VL <= n; i += 2 * VL) {
        even += vf_load(a + i) * vf_load(b + i);
        odd += vf_load(a + i + VL) * vf_load(b + i + VL);
    }
    for (; i < n; i += VL) even += vf_load_n(a + i, at_min(VL, n - i)) * vf_load_n(b + i, at_min(VL, n - i));
    return vf_sum(even + odd);
}

static inline float va_dot(const at_element *a, const at_element *b, int64_t n)
{
    vf even = {0}, odd = {0};
    int64_t i = 0;
    for (; i + 2 * VL <= n; i += 2 * VL) {
        even += va_load(a + i) * va_load(b + i);
        odd += va_load(a + i + VL) * va_load(b + i + VL);
    }
    for (; i < n; i += VL) even += va_load_n(a + i, at_min(VL, n - i)) * va_load_n(b + i, at_min(VL, n - i));
    return vf_sum(even + odd);
}

/* Chunk by chunk in index order, so that it does not depend on threads. */
static inline double at_sum_of_rows(const double *loss, int64_t rows)
{
    double total = 0.0;
    for (int64_t first = 0; first < rows; first += AT_CHUNK_ROWS) {
        double chunk = 0.0;
        for (int64_t m = first; m < at_min(first + AT_CHUNK_ROWS, rows); m++) chunk += loss[m];
        total += chunk;
    }
    return total;
}

/* A loss's outputs 0 and 1. */
static inline void at_put_loss(const at_call *c, double sum, double count)
{
    if (c->out[0].data) at_put(c, 0, at_out_row(c, 0, 0), sum);
    if (c->out[1].data) at_put(c, 1, at_out_row(c, 1, 0), count);
}

#endif
