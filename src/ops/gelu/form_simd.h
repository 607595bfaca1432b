/* form_simd.h: gelu and its slope by vectors, as functions of elementwise loops. For *_simd.c and *_matrix.c
 * files of ops. */
#ifndef AT_GELU_FORM_SIMD_H
#define AT_GELU_FORM_SIMD_H

#include "base/simd_math.h"
#include "engine/elementwise_simd.h"

/* The forms' distributions and their derivatives. */
AT_FORCE_INLINE vf_normal gelu_by_erf(vf x)
{
    return vf_normal_of(x);
}

/* (1 + tanh u) / 2 is the sigmoid of 2u, u = sqrt(2 / pi) (x + 0.044715 x^3). */
AT_FORCE_INLINE vf_normal gelu_by_tanh(vf x)
{
    const vf square = x * x, twice = vf_set(2 * 0.797884561f), cube = vf_set(0.044715f), one = vf_set(1.0f);
    const vf s = vf_sigmoid(twice * x * (one + cube * square));
    return (vf_normal){s, s * (one - s) * twice * (one + vf_set(3.0f) * cube * square)};
}

/* y from x */
AT_FORCE_INLINE vf gelu_erf(const vf *x)
{
    return x[0] * gelu_by_erf(x[0]).below;
}

AT_FORCE_INLINE vf gelu_tanh(const vf *x)
{
    return x[0] * gelu_by_tanh(x[0]).below;
}

/* dx from x, dy */
AT_FORCE_INLINE vf gelu_dx_of(const vf *x, vf_normal p)
{
    return x[1] * (p.below + x[0] * p.density);
}

AT_FORCE_INLINE vf gelu_erf_dx(const vf *x)
{
    return gelu_dx_of(x, gelu_by_erf(x[0]));
}

AT_FORCE_INLINE vf gelu_tanh_dx(const vf *x)
{
    return gelu_dx_of(x, gelu_by_tanh(x[0]));
}

#endif
