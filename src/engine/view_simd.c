/* view_simd.c: copy on all threads: what sums of gradients are made of. */
#include "base/simd.h"
#include "engine/rows.h"
#include "engine/view.h"

static void span(const at_call *c, void *const *at, int64_t n)
{
    const at_element *x = at[0];
    at_element *y = at[1];
    const bool accumulate = c->accumulate & 1;
    for (int64_t i = 0; i < n; i += VL) {
        const int64_t lanes = at_min(VL, n - i);
        vf v = va_load_n(x + i, lanes);
        if (accumulate) v += va_load_n(y + i, lanes);
        va_store_n(y + i, v, lanes);
    }
}

static at_status run(const at_call *c)
{
    at_for_spans(c, 1, 1, span);
    return AT_OK;
}

const at_kernel AT_SIMD(at_kernel_copy) = {
    .name = "copy." AT_SIMD_VARIANT,
    .op = &at_op_copy,
    .isa = AT_SIMD_LEVEL,
    .act = AT_SIMD_ACT,
    .run = run,
};
