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
 * x = n ln 2 + r with |r| <= 0.347; the Taylor polynomial of degree 7 is off by 5e-9 there.
 * Of `many` vectors, 4 at most, step by step, because each step waits for the one before. */
AT_FORCE_INLINE void vf_exp_each(vf *x, const int many)
{
    static const float taylor[] = {1.0f / 720, 1.0f / 120, 1.0f / 24, 1.0f / 6, 0.5f, 1.0f, 1.0f};
    const vf round = vf_set(0x1.8p23f); /* adding it leaves an integer in the low bits */
    vf shifted[4], r[4], p[4];
#pragma GCC unroll 4
    for (int i = 0; i < many; i++) {
        r[i] = vf_clamp(x[i], -105.0f, 90.0f);
        shifted[i] = r[i] * vf_set(0x1.715476p+0f) + round;
    }
#pragma GCC unroll 4
    for (int i = 0; i < many; i++) {
        const vf n = shifted[i] - round;
        r[i] = r[i] - n * vf_set(0x1.62e4p-1f); /* of ln 2: so few bits that the product is exact */
        r[i] = r[i] - n * vf_set(0x1.7f7d1cp-20f);
        p[i] = vf_set(1.0f / 5040);
    }
#pragma GCC unroll 7
    for (int k = 0; k < AT_COUNT(taylor); k++)
#pragma GCC unroll 4
        for (int i = 0; i < many; i++) p[i] = p[i] * r[i] + vf_set(taylor[k]);
#pragma GCC unroll 4
    for (int i = 0; i < many; i++) {
#if defined(__AVX512F__)
        x[i] = (vf)_mm512_scalef_ps((__m512)p[i], (__m512)(shifted[i] - round));
#else
        const vi power = (vi)shifted[i] - (vi)round; /* in two steps, for results that are subnormal */
        const vi half = power >> 1;
        x[i] = p[i] * vf_power_of_two(half) * vf_power_of_two(power - half);
#endif
    }
}

static inline vf vf_exp(vf x)
{
    vf_exp_each(&x, 1);
    return x;
}

/* Hyperbolic tangent within 3 units of the last place; NaN stays NaN. Near zero an odd polynomial of degree
 * 11 (largest relative error 7e-9 up to 0.65), else 1 - 2 / (e^2|x| + 1). */
static inline vf vf_tanh(vf x)
{
    const vi sign = (vi)x & INT32_MIN;
    const vf a = (vf)((vi)x & INT32_MAX), z = x * x, one = vf_set(1.0f);
    vf p = vf_set(-5.515085e-3f);
    p = p * z + vf_set(2.0469347e-2f);
    p = p * z + vf_set(-5.3688e-2f);
    p = p * z + vf_set(1.333083e-1f);
    p = p * z + vf_set(-3.3333260e-1f);
    const vf large = one - vf_set(2.0f) / (vf_exp(a + a) + one);
    return vf_select(a < vf_set(0.625f), x + x * z * p, (vf)((vi)large | sign));
}

/* 1 / (1 + e^-x) within 4 units of the last place where it is normal; NaN stays NaN. */
static inline vf vf_sigmoid(vf x)
{
    return vf_set(1.0f) / (vf_set(1.0f) + vf_exp(-x));
}

/* log(1 + x) for 0 <= x <= 1, within 2 units of the last place; NaN stays NaN. It is 2 artanh(s) with s =
 * x / (2 + x) <= 1/3, whose series is cut where its next term is 1.4e-9 of it. */
static inline vf vf_log1p(vf x)
{
    const vf s = x / (vf_set(2.0f) + x), z = s * s;
    vf p = vf_set(2.0f / 15);
    p = p * z + vf_set(2.0f / 13);
    p = p * z + vf_set(2.0f / 11);
    p = p * z + vf_set(2.0f / 9);
    p = p * z + vf_set(2.0f / 7);
    p = p * z + vf_set(2.0f / 5);
    p = p * z + vf_set(2.0f / 3);
    return s * vf_set(2.0f) + s * z * p;
}

/* log(x) of a normal x >= 1, within 2 units of the last place; NaN stays NaN. x = 2^e m with 1 <= m < 2. */
static inline vf vf_log(vf x)
{
    const vi bits = (vi)x, one = (vi)vf_set(1.0f);
    const vf m = (vf)((bits & 0x7fffff) | one), e = __builtin_convertvector((bits >> 23) - 127, vf);
    const vf log_x = e * vf_set(0x1.62e430p-1f) + vf_log1p(m - vf_set(1.0f));
    return vf_select(x == x, log_x, x);
}

typedef struct vf_normal {
    vf below, density; /* P(X < x) and its derivative */
} vf_normal;

/* The standard normal distribution. `below` is off by at most 3e-7 of itself times 1 + x^2 / 2, which is what
 * the rounding of x^2 does to tails; NaN stays NaN. With a = |x|, P(X < -a) = e^(-a^2/2) M(a), where M is
 * Mills' ratio over sqrt(2 pi); the polynomial in t = 1 / (1 + 0.35 a) is off by 3.2e-8 of it for 0 <= a <=
 * 15 (fitted by iterated least squares; the form is Hastings', Approximations for Digital Computers, 1955).
 */
static inline vf_normal vf_normal_of(vf x)
{
    const vf a = (vf)((vi)x & INT32_MAX), e = vf_exp(vf_set(-0.5f) * a * a);
    const vf t = vf_set(1.0f) / (vf_set(1.0f) + vf_set(0.35f) * a);
    vf p = vf_set(-2.91635804e-2f);
    p = p * t + vf_set(1.44059241e-1f);
    p = p * t + vf_set(-2.55898893e-1f);
    p = p * t + vf_set(1.59389779e-1f);
    p = p * t + vf_set(-2.32618768e-2f);
    p = p * t + vf_set(1.05574057e-1f);
    p = p * t + vf_set(1.1981567e-1f);
    p = p * t + vf_set(1.39864311e-1f);
    p = p * t + vf_set(1.39621258e-1f);
    const vf tail = e * (p * t), zero = {0};
    return (vf_normal){vf_select(x > zero, vf_set(1.0f) - tail, tail), e * vf_set(0.398942280f)};
}

#endif
