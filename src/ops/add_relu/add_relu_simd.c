/* add_relu_simd.c: positive parts of sums at memory speed. */
#include "base/simd.h"
#include "engine/rows.h"
#include "ops/add_relu/add_relu.h"

static void span(const at_call *c, void *const *at, int64_t n)
{
    const at_element *a = at[0], *b = at[1];
    at_element *y = at[2];
    const vf zero = {0};
    const bool accumulate = c->accumulate & 1;
    for (int64_t i = 0; i < n; i += VL) {
        const int64_t lanes = at_min(VL, n - i);
        const vf z = va_load_n(a + i, lanes) + va_load_n(b + i, lanes);
        vf v = vf_select(z < zero, zero, z);
        if (accumulate) v += va_load_n(y + i, lanes);
        va_store_n(y + i, v, lanes);
    }
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
