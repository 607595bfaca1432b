/* tanh_simd.c: tanh and its gradient. */
#include "base/simd_math.h"
#include "engine/elementwise_simd.h"
#include "ops/tanh/tanh.h"

AT_FORCE_INLINE vf forward_of(const vf *x)
{
    return vf_tanh(x[0]);
}

AT_ELEMENTWISE(forward, 1, forward_of)

AT_FORCE_INLINE vf gradient_of(const vf *x)
{
    return x[1] * (vf_set(1.0f) - x[0] * x[0]);
}

AT_ELEMENTWISE(gradient, 2, gradient_of)

const at_kernel AT_SIMD(at_kernel_tanh) = {
    .name = "tanh." AT_SIMD_VARIANT,
    .op = &at_op_tanh,
    .isa = AT_SIMD_LEVEL,
    .act = AT_SIMD_ACT,
    .run = forward,
};

const at_kernel AT_SIMD(at_kernel_tanh_dx) = {
    .name = "tanh_dx." AT_SIMD_VARIANT,
    .op = &at_op_tanh_dx,
    .isa = AT_SIMD_LEVEL,
    .act = AT_SIMD_ACT,
    .run = gradient,
};
