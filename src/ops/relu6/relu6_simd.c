/* relu6_simd.c: relu6 and its gradient at memory speed. */
#include "engine/elementwise_simd.h"
#include "ops/relu6/relu6.h"

AT_FORCE_INLINE vf forward_of(const vf *x)
{
    return vf_clamp(x[0], 0.0f, 6.0f);
}

static void forward_span(const at_call *c, void *const *at, int64_t n)
{
    at_elementwise_span(c, at, n, 1, forward_of);
}

static at_status forward(const at_call *c)
{
    at_for_spans(c, 1, 1, forward_span);
    return AT_OK;
}

AT_FORCE_INLINE vf gradient_of(const vf *x)
{
    const vf zero = {0};
    return vf_select((x[0] <= zero) | (x[0] >= vf_set(6.0f)), zero, x[1]);
}

static void gradient_span(const at_call *c, void *const *at, int64_t n)
{
    at_elementwise_span(c, at, n, 2, gradient_of);
}

static at_status gradient(const at_call *c)
{
    at_for_spans(c, 2, 1, gradient_span);
    return AT_OK;
}

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
