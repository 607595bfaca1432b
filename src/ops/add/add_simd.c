/* add_simd.c: sums of two values at memory speed. */
#include "engine/elementwise_simd.h"
#include "ops/add/add.h"

AT_FORCE_INLINE vf value(const vf *x)
{
    return x[0] + x[1];
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

const at_kernel AT_SIMD(at_kernel_add) = {
    .name = "add." AT_SIMD_VARIANT,
    .op = &at_op_add,
    .isa = AT_SIMD_LEVEL,
    .act = AT_SIMD_ACT,
    .run = run,
};
