/* gelu_simd.c: gelu and its gradient by vectors of exponentials. */
#include "ops/gelu/form_simd.h"
#include "ops/gelu/gelu.h"

static bool is_erf(const at_call *c)
{
    return ((const at_gelu_param *)c->param)->form == AT_GELU_ERF;
}

AT_ELEMENTWISE(run_erf, 1, gelu_erf)
AT_ELEMENTWISE(run_tanh, 1, gelu_tanh)

static at_status forward(const at_call *c)
{
    return (is_erf(c) ? run_erf : run_tanh)(c);
}

AT_ELEMENTWISE(run_erf_dx, 2, gelu_erf_dx)
AT_ELEMENTWISE(run_tanh_dx, 2, gelu_tanh_dx)

static at_status gradient(const at_call *c)
{
    return (is_erf(c) ? run_erf_dx : run_tanh_dx)(c);
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
