/* moments_simd.h: the statistics of a row, and the row normalised by them. For *_simd.c files of ops. */
#ifndef AT_LAYERNORM_MOMENTS_SIMD_H
#define AT_LAYERNORM_MOMENTS_SIMD_H

#include "base/simd.h"
#include <math.h>

/* The lanes behind the row's end are zero. */
AT_FORCE_INLINE vf moments_only_first(vf x, int64_t lanes)
{
    return lanes < VL ? vf_select(vi_first(lanes), x, (vf){0}) : x;
}

/* The mean in two parts, so that rows far from zero lose nothing: mean = centre + shift. */
typedef struct moments {
    float centre, shift;
    double rstd;
} moments;

static inline moments moments_of(const at_element *x, int64_t C, double eps)
{
    vf sum = {0}, deviations = {0}, squares = {0};
    for (int64_t i = 0; i < C; i += VL) sum += va_load_n(x + i, at_min(VL, C - i));
    const float centre = vf_sum(sum) / (float)C;
    for (int64_t i = 0; i < C; i += VL) {
        const int64_t lanes = at_min(VL, C - i);
        const vf d = moments_only_first(va_load_n(x + i, lanes) - vf_set(centre), lanes);
        deviations += d;
        squares += d * d;
    }
    const double shift = (double)vf_sum(deviations) / (double)C, square = (double)vf_sum(squares) / (double)C;
    return (moments){centre, (float)shift, 1 / sqrt(square - shift * shift + eps)};
}

/* weight, bias: NULL = none; add: to y. */
static inline void moments_normalise(const moments *s, const at_element *x, int64_t C, const float *weight,
                                     const float *bias, at_element *y, bool add)
{
    const vf centre = vf_set(s->centre), shift = vf_set(s->shift), rstd = vf_set((float)s->rstd);
    for (int64_t i = 0; i < C; i += VL) {
        const int64_t lanes = at_min(VL, C - i);
        vf v = ((va_load_n(x + i, lanes) - centre) - shift) * rstd *
               (weight ? vf_load_n(weight + i, lanes) : vf_set(1.0f));
        if (bias) v += vf_load_n(bias + i, lanes);
        if (add) v += va_load_n(y + i, lanes);
        va_store_n(y + i, v, lanes);
    }
}

#endif
