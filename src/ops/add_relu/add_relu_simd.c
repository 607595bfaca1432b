/* add_relu_simd.c: positive parts of sums at memory speed. */
#include "engine/elementwise_simd.h"
#include "ops/add_relu/add_relu.h"

AT_FORCE_INLINE vf value(const vf *x)
{
    const vf z = x[0] + x[1], zero = {0};
    return vf_select(z < zero, zero, z);
}

static void span(const at_call *c, void *const *at, int64_t n)
{
    at_elementwise_span(c, at, n, 2, value);
}

static at_status run(const at_call *c)
{
    at_for_spans(c, 2, 1, span);
    return AT_OK;
}

const at_kernel AT_SIMD(at_kernel_add_relu) = {
    .name = "add_relu." AT_SIMD_VARIANT,
    .op = &at_op_add_relu,
    .isa = AT_SIMD_LEVEL,
    .act = AT_SIMD_ACT,
    .run = run,
};
