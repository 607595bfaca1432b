/* add_relu_simd.c: positive parts of sums at memory speed. */
#include "engine/elementwise_simd.h"
#include "ops/add_relu/add_relu.h"

AT_FORCE_INLINE vf value(const vf *x)
{
    return vf_at_least(x[0] + x[1], (vf){0});
}

AT_ELEMENTWISE(run, 2, value)

const at_kernel AT_SIMD(at_kernel_add_relu) = {
    .name = "add_relu." AT_SIMD_VARIANT,
    .op = &at_op_add_relu,
    .isa = AT_SIMD_LEVEL,
    .act = AT_SIMD_ACT,
    .run = run,
};
