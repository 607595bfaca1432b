/* mul_simd.c: products of two values at memory speed. */
#include "engine/elementwise_simd.h"
#include "ops/mul/mul.h"

AT_FORCE_INLINE vf value(const vf *x)
{
    return x[0] * x[1];
}

AT_ELEMENTWISE(run, 2, value)

const at_kernel AT_SIMD(at_kernel_mul) = {
    .name = "mul." AT_SIMD_VARIANT,
    .op = &at_op_mul,
    .isa = AT_SIMD_LEVEL,
    .act = AT_SIMD_ACT,
    .run = run,
};
