/* add_simd.c: sums of two values at memory speed. */
#include "engine/elementwise_simd.h"
#include "ops/add/add.h"

AT_FORCE_INLINE vf value(const vf *x)
{
    return x[0] + x[1];
}

AT_ELEMENTWISE(run, 2, value)

const at_kernel AT_SIMD(at_kernel_add) = {
    .name = "add." AT_SIMD_VARIANT,
    .op = &at_op_add,
    .isa = AT_SIMD_LEVEL,
    .act = AT_SIMD_ACT,
    .run = run,
};
