/* simd_math.h: elementary functions of vectors. For *_simd.c files. Layer: base. */
#ifndef AT_SIMD_MATH_H
#define AT_SIMD_MATH_H

#include "base/simd.h"

/* 2^n for -127 < n < 128. */
static inline vf vf_power_of_two(vi n)
{
    return (vf)((n + 127) << 23);
}

/* e^x within 2 units of the last place; 0 below -103.98, infinity above 88.73, NaN stays NaN.
 * x = n ln 2 + r with |r| <= 0.347; the Taylor polynomial of degree 7 is off by 5e-9 there. */
static inline vf vf_exp(vf x)
{
    const vf round = vf_set(0x1.8p23f); /* adding it leaves an integer in the low bits */
    x = vf_clamp(x, -105.0f, 90.0f);
    const vf shifted = x * vf_set(0x1.715476p+0f) + round;
    const vf n = shifted - round;
    vf r =
        x -
        n * vf_set(
                0x1.62e4p-1f); /* ln 2 in two parts: the first has few bits, so that the product is exact */
    r = r - n * vf_set(0x1.7f7d1cp-20f);
    vf p = vf_set(1.0f / 5040);
    p = p * r + vf_set(1.0f / 720);
    p = p * r + vf_set(1.0f / 120);
    p = p * r + vf_set(1.0f / 24);
    p = p * r + vf_set(1.0f / 6);
    p = p * r + vf_set(0.5f);
    p = p * r + vf_set(1.0f);
    p = p * r + vf_set(1.0f);
    const vi power = (vi)shifted - (vi)round; /* in two steps, for results that are subnormal */
    const vi half = power >> 1;
    return p * vf_power_of_two(half) * vf_power_of_two(power - half);
}

#endif
