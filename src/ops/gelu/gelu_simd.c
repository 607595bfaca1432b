/* gelu_simd.c: gelu and its gradient by vectors of exponentials. */
#include "base/simd_math.h"
#include "engine/elementwise_simd.h"
#include "ops/gelu/gelu.h"

#define SQRT_2_OVER_PI 0.797884561f
#define CUBE           0.044715f

/* The forms' distributions and their derivatives. */
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

AT_FORCE_INLINE vf forward_erf(const vf *x)
{
    return x[0] * by_erf(x[0]).below;
}

AT_FORCE_INLINE vf forward_tanh(const vf *x)
{
    return x[0] * by_tanh(x[0]).below;
}

AT_ELEMENTWISE(run_forward_erf, 1, forward_erf)
AT_ELEMENTWISE(run_forward_tanh, 1, forward_tanh)

static at_status forward(const at_call *c)
{
    return ((const at_gelu_param *)c->param)->form == AT_GELU_ERF ? run_forward_erf(c) : run_forward_tanh(c);
}

AT_FORCE_INLINE vf gradient_of(const vf *x, vf_normal p)
{
    return x[1] * (p.below + x[0] * p.density);
}

AT_FORCE_INLINE vf gradient_erf(const vf *x)
{
    return gradient_of(x, by_erf(x[0]));
}

AT_FORCE_INLINE vf gradient_tanh(const vf *x)
{
    return gradient_of(x, by_tanh(x[0]));
}

AT_ELEMENTWISE(run_gradient_erf, 2, gradient_erf)
AT_ELEMENTWISE(run_gradient_tanh, 2, gradient_tanh)

static at_status gradient(const at_call *c)
{
    return ((const at_gelu_param *)c->param)->form == AT_GELU_ERF ? run_gradient_erf(c)
                                                                  : run_gradient_tanh(c);
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
