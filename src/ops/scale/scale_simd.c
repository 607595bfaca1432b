/* scale_simd.c: scale at memory speed. */
#include "base/simd.h"
#include "engine/rows.h"
#include "ops/scale/scale.h"

static void span(const at_call *c, void *const *at, int64_t n)
{
    const at_element *x = at[0];
    at_element *y = at[1];
    const vf factor = vf_set((float)((const at_scale_param *)c->param)->factor);
    for (int64_t i = 0; i < n; i += VL) {
        const int64_t lanes = at_min(VL, n - i);
        vf v = factor * va_load_n(x + i, lanes);
        if (c->accumulate & 1) v += va_load_n(y + i, lanes);
        va_store_n(y + i, v, lanes);
    }
}

static at_status run(const at_call *c)
{
    at_for_spans(c, 1, 1, span);
    return AT_OK;
}

const at_kernel AT_SIMD(at_kernel_scale) = {
    .name = "scale." AT_SIMD_VARIANT,
    .op = &at_op_scale,
    .isa = AT_SIMD_LEVEL,
    .act = AT_SIMD_ACT,
    .run = run,
};
