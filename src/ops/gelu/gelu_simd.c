/* gelu_simd.c: gelu and its gradient by vectors of exponentials. */
#include "base/simd_math.h"
#include "engine/rows.h"
#include "ops/gelu/gelu.h"

#define SQRT_2_OVER_PI 0.797884561f
#define CUBE           0.044715f

/* The form's distribution and its derivative. */
typedef vf_normal (*probability_fn)(vf x);

AT_FORCE_INLINE vf_normal by_erf(vf x)
{
    return vf_normal_of(x);
}

/* (1 + tanh u) / 2 is the sigmoid of 2u. */
AT_FORCE_INLINE vf_normal by_tanh(vf x)
{
    const vf square = x * x, two = vf_set(2 * SQRT_2_OVER_PI), one = vf_set(1.0f);
    const vf s = vf_sigmoid(two * x * (one + vf_set(CUBE) * square));
    return (vf_normal){s, s * (one - s) * two * (one + vf_set(3 * CUBE) * square)};
}

AT_FORCE_INLINE void forward_n(const at_call *c, void *const *at, int64_t n, probability_fn probability)
{
    const at_element *x = at[0];
    at_element *y = at[1];
    for (int64_t i = 0; i < n; i += VL) {
        const int64_t lanes = at_min(VL, n - i);
        const vf in = va_load_n(x + i, lanes);
        vf v = in * probability(in).below;
        if (c->accumulate & 1) v += va_load_n(y + i, lanes);
        va_store_n(y + i, v, lanes);
    }
}

static void forward_span(const at_call *c, void *const *at, int64_t n)
{
    if (((const at_gelu_param *)c->param)->form == AT_GELU_ERF)
        forward_n(c, at, n, by_erf);
    else
        forward_n(c, at, n, by_tanh);
}

static at_status forward(const at_call *c)
{
    at_for_spans(c, 1, 1, forward_span);
    return AT_OK;
}

AT_FORCE_INLINE void gradient_n(const at_call *c, void *const *at, int64_t n, probability_fn probability)
{
    const at_element *x = at[0], *dy = at[1];
    at_element *dx = at[2];
    for (int64_t i = 0; i < n; i += VL) {
        const int64_t lanes = at_min(VL, n - i);
        const vf in = va_load_n(x + i, lanes);
        const vf_normal p = probability(in);
        vf v = va_load_n(dy + i, lanes) * (p.below + in * p.density);
        if (c->accumulate & 1) v += va_load_n(dx + i, lanes);
        va_store_n(dx + i, v, lanes);
    }
}

static void gradient_span(const at_call *c, void *const *at, int64_t n)
{
    if (((const at_gelu_param *)c->param)->form == AT_GELU_ERF)
        gradient_n(c, at, n, by_erf);
    else
        gradient_n(c, at, n, by_tanh);
}

static at_status gradient(const at_call *c)
{
    at_for_spans(c, 2, 1, gradient_span);
    return AT_OK;
}

const at_kernel AT_SIMD(at_kernel_gelu) = {
    .name = "gelu." AT_SIMD_VARIANT,
    .op = &at_op_gelu,
    .isa = AT_SIMD_LEVEL,
    .act = AT_SIMD_ACT,
    .run = forward,
};

const at_kernel AT_SIMD(at_kernel_gelu_dx) = {
    .name = "gelu_dx." AT_SIMD_VARIANT,
    .op = &at_op_gelu_dx,
    .isa = AT_SIMD_LEVEL,
    .act = AT_SIMD_ACT,
    .run = gradient,
};
