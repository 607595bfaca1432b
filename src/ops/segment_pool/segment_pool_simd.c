/* segment_pool_simd.c: a sample at a time; a column of vectors runs down the sample's rows. */
#include "base/simd.h"
#include "ops/segment_pool/segment_pool.h"

static void pool_sample(void *arg, int64_t s, int thread)
{
    (void)thread;
    const at_call *c = arg;
    const at_segment g = at_segment_of(c->param, at_int_row(c, 1, 0), s);
    const at_element *x = (const at_element *)c->in[0].data + g.first * c->in[0].pitch;
    at_element *y = (at_element *)c->out[0].data + s * c->out[0].pitch;
    for (int64_t i = 0; i < c->out[0].cols; i += VL) {
        const int64_t lanes = at_min(VL, c->out[0].cols - i);
        vf sum = {0};
        for (int64_t r = g.from; r < g.to; r++)
            sum += va_load_n(x + r * c->in[0].pitch + i, lanes) * (float)at_segment_weight(&g, r);
        sum *= (float)g.scale;
        if (c->accumulate & 1) sum += va_load_n(y + i, lanes);
        va_store_n(y + i, sum, lanes);
    }
}

static at_status forward(const at_call *c)
{
    at_parallel_for(c->pool, c->out[0].rows, pool_sample, (void *)(uintptr_t)c);
    return AT_OK;
}

static void spread_sample(void *arg, int64_t s, int thread)
{
    (void)thread;
    const at_call *c = arg;
    const at_segment g = at_segment_of(c->param, at_int_row(c, 1, 0), s);
    const at_element *dy = (const at_element *)c->in[0].data + s * c->in[0].pitch;
    for (int64_t r = 0; r < g.n; r++) {
        at_element *dx = (at_element *)c->out[0].data + (g.first + r) * c->out[0].pitch;
        const bool counts = r >= g.from && r < g.to;
        if (!counts && c->accumulate & 1) continue;
        const float share = (float)(at_segment_weight(&g, r) * g.scale);
        for (int64_t i = 0; i < c->out[0].cols; i += VL) {
            const int64_t lanes = at_min(VL, c->out[0].cols - i);
            vf v = {0};
            if (counts) v = va_load_n(dy + i, lanes) * share;
            if (c->accumulate & 1) v += va_load_n(dx + i, lanes);
            va_store_n(dx + i, v, lanes);
        }
    }
}

static at_status gradient(const at_call *c)
{
    at_parallel_for(c->pool, c->in[0].rows, spread_sample, (void *)(uintptr_t)c);
    return AT_OK;
}

const at_kernel AT_SIMD(at_kernel_segment_pool) = {
    .name = "segment_pool." AT_SIMD_VARIANT,
    .op = &at_op_segment_pool,
    .isa = AT_SIMD_LEVEL,
    .act = AT_SIMD_ACT,
    .run = forward,
};

const at_kernel AT_SIMD(at_kernel_segment_pool_dx) = {
    .name = "segment_pool_dx." AT_SIMD_VARIANT,
    .op = &at_op_segment_pool_dx,
    .isa = AT_SIMD_LEVEL,
    .act = AT_SIMD_ACT,
    .run = gradient,
};
