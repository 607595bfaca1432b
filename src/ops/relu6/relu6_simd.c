/* relu6_simd.c: relu6 and its gradient at memory speed. */
#include "engine/elementwise_simd.h"
#include "ops/relu6/relu6.h"

AT_FORCE_INLINE vf forward_of(const vf *x)
{
    return vf_clamp(x[0], 0.0f, 6.0f);
}

AT_ELEMENTWISE(forward, 1, forward_of)

AT_FORCE_INLINE vf gradient_of(const vf *x)
{
    const vf zero = {0};
    return vf_select((x[0] <= zero) | (x[0] >= vf_set(6.0f)), zero, x[1]);
}

AT_ELEMENTWISE(gradient, 2, gradient_of)

const at_kernel AT_SIMD(at_kernel_relu6) = {
    .name = "relu6." AT_SIMD_VARIANT,
    .op = &at_op_relu6,
    .isa = AT_SIMD_LEVEL,
    .act = AT_SIMD_ACT,
    .run = forward,
};

const at_kernel AT_SIMD(at_kernel_relu6_dx) = {
    .name = "relu6_dx." AT_SIMD_VARIANT,
    .op = &at_op_relu6_dx,
    .isa = AT_SIMD_LEVEL,
    .act = AT_SIMD_ACT,
    .run = gradient,
};
