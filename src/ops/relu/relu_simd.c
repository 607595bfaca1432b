/* relu_simd.c: relu and its gradient at memory speed. */
#include "engine/elementwise_simd.h"
#include "ops/relu/relu.h"

AT_FORCE_INLINE vf forward_of(const vf *x)
{
    return vf_at_least(x[0], (vf){0});
}

AT_ELEMENTWISE(forward, 1, forward_of)

AT_FORCE_INLINE vf gradient_of(const vf *x)
{
    const vf zero = {0};
    return vf_select(x[0] <= zero, zero, x[1]);
}

AT_ELEMENTWISE(gradient, 2, gradient_of)

const at_kernel AT_SIMD(at_kernel_relu) = {
    .name = "relu." AT_SIMD_VARIANT,
    .op = &at_op_relu,
    .isa = AT_SIMD_LEVEL,
    .act = AT_SIMD_ACT,
    .run = forward,
};

const at_kernel AT_SIMD(at_kernel_relu_dx) = {
    .name = "relu_dx." AT_SIMD_VARIANT,
    .op = &at_op_relu_dx,
    .isa = AT_SIMD_LEVEL,
    .act = AT_SIMD_ACT,
    .run = gradient,
};
