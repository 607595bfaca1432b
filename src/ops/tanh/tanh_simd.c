/* tanh_simd.c: tanh and its gradient. */
#include "base/simd_math.h"
#include "engine/rows.h"
#include "ops/tanh/tanh.h"

static void forward_span(const at_call *c, void *const *at, int64_t n)
{
    const at_element *x = at[0];
    at_element *y = at[1];
    for (int64_t i = 0; i < n; i += VL) {
        const int64_t lanes = at_min(VL, n - i);
        vf v = vf_tanh(va_load_n(x + i, lanes));
        if (c->accumulate & 1) v += va_load_n(y + i, lanes);
        va_store_n(y + i, v, lanes);
    }
}

static at_status forward(const at_call *c)
{
    at_for_spans(c, 1, 1, forward_span);
    return AT_OK;
}

static void gradient_span(const at_call *c, void *const *at, int64_t n)
{
    const at_element *y = at[0], *dy = at[1];
    at_element *dx = at[2];
    for (int64_t i = 0; i < n; i += VL) {
        const int64_t lanes = at_min(VL, n - i);
        const vf out = va_load_n(y + i, lanes);
        vf v = va_load_n(dy + i, lanes) * (vf_set(1.0f) - out * out);
        if (c->accumulate & 1) v += va_load_n(dx + i, lanes);
        va_store_n(dx + i, v, lanes);
    }
}

static at_status gradient(const at_call *c)
{
    at_for_spans(c, 2, 1, gradient_span);
    return AT_OK;
}

const at_kernel AT_SIMD(at_kernel_tanh) = {
    .name = "tanh." AT_SIMD_VARIANT,
    .op = &at_op_tanh,
    .isa = AT_SIMD_LEVEL,
    .act = AT_SIMD_ACT,
    .run = forward,
};

const at_kernel AT_SIMD(at_kernel_tanh_dx) = {
    .name = "tanh_dx." AT_SIMD_VARIANT,
    .op = &at_op_tanh_dx,
    .isa = AT_SIMD_LEVEL,
    .act = AT_SIMD_ACT,
    .run = gradient,
};
