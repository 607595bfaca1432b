/* segment_max_simd.c: a sample at a time; a column of vectors runs down the sample's rows. */
#include "base/simd.h"
#include "ops/segment_max/segment_max.h"

static vi vi_set(int32_t x)
{
    return x - (vi){0};
}

static void largest_of_sample(void *arg, int64_t s, int thread)
{
    (void)thread;
    const at_call *c = arg;
    const int32_t *at = at_int_row(c, 1, 0) + s;
    const at_element *x = (const at_element *)c->in[0].data + at[0] * c->in[0].pitch;
    at_element *y = c->out[0].data;
    int32_t *rows = c->out[1].data;
    for (int64_t i = 0; i < c->out[0].cols; i += VL) {
        const int64_t lanes = at_min(VL, c->out[0].cols - i);
        vf best = {0};
        vi row = vi_set(-1);
        for (int32_t r = 0; r < at[1] - at[0]; r++) {
            const vf v = va_load_n(x + r * c->in[0].pitch + i, lanes);
            const vi better =
                (row < 0) | (v > best) | ((v != v) & (best == best)); /* NaN is; the first stays */
            best = vf_select(better, v, best);
            row = (vi)vf_select(better, (vf)vi_set(r), (vf)row);
        }
        if (rows) vf_store_n((float *)(rows + s * c->out[1].pitch + i), (vf)row, lanes);
        if (!y) continue;
        if (c->accumulate & 1) best += va_load_n(y + s * c->out[0].pitch + i, lanes);
        va_store_n(y + s * c->out[0].pitch + i, best, lanes);
    }
}

static at_status forward(const at_call *c)
{
    at_call call = *c;
    at_parallel_for(c->pool, c->out[0].rows, largest_of_sample, &call);
    return AT_OK;
}

const at_kernel AT_SIMD(at_kernel_segment_max) = {.name = "segment_max." AT_SIMD_VARIANT,
                                                  .op = &at_op_segment_max,
                                                  .isa = AT_SIMD_LEVEL,
                                                  .act = AT_SIMD_ACT,
                                                  .run = forward};

static void spread_sample(void *arg, int64_t s, int thread)
{
    (void)thread;
    const at_call *c = arg;
    const int32_t *at = at_int_row(c, 2, 0) + s, *rows = at_int_row(c, 0, s);
    const at_element *dy = (const at_element *)c->in[1].data + s * c->in[1].pitch;
    for (int32_t r = 0; r < at[1] - at[0]; r++) {
        at_element *dx = (at_element *)c->out[0].data + (at[0] + r) * c->out[0].pitch;
        for (int64_t i = 0; i < c->out[0].cols; i += VL) {
            const int64_t lanes = at_min(VL, c->out[0].cols - i);
            const vi here = (vi)vf_load_n((const float *)(rows + i), lanes) == r;
            vf v = vf_select(here, va_load_n(dy + i, lanes), (vf){0});
            if (c->accumulate & 1) v += va_load_n(dx + i, lanes);
            va_store_n(dx + i, v, lanes);
        }
    }
}

static at_status gradient(const at_call *c)
{
    at_call call = *c;
    at_parallel_for(c->pool, c->in[1].rows, spread_sample, &call);
    return AT_OK;
}

const at_kernel AT_SIMD(at_kernel_segment_max_dx) = {.name = "segment_max_dx." AT_SIMD_VARIANT,
                                                     .op = &at_op_segment_max_dx,
                                                     .isa = AT_SIMD_LEVEL,
                                                     .act = AT_SIMD_ACT,
                                                     .run = gradient};
