/* segment_pool_simd.c: a sample at a time; a column of vectors runs down the sample's rows. */
#include "base/simd.h"
#include "ops/segment_pool/segment_pool.h"

typedef struct segment {
    int64_t first, rows; /* of the sample */
    int64_t pooled;      /* its first so many rows are those that count */
    vf share;            /* of each */
} segment;

static segment segment_of(const at_call *c, int64_t s)
{
    const int32_t *offsets = at_int_row(c, 1, 0);
    const int64_t rows = offsets[s + 1] - offsets[s];
    const bool only_first = ((const at_segment_pool_param *)c->param)->mode == AT_SEGMENT_FIRST;
    const int64_t pooled = only_first ? at_min(rows, 1) : rows;
    return (segment){offsets[s], rows, pooled, vf_set(1.0f / (float)at_max(pooled, 1))};
}

static void pool_sample(void *arg, int64_t s, int thread)
{
    (void)thread;
    const at_call *c = arg;
    const segment g = segment_of(c, s);
    const at_element *x = (const at_element *)c->in[0].data + g.first * c->in[0].pitch;
    at_element *y = (at_element *)c->out[0].data + s * c->out[0].pitch;
    for (int64_t i = 0; i < c->out[0].cols; i += VL) {
        const int64_t lanes = at_min(VL, c->out[0].cols - i);
        vf sum = {0};
        for (int64_t r = 0; r < g.pooled; r++) sum += va_load_n(x + r * c->in[0].pitch + i, lanes);
        sum *= g.share;
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
    const segment g = segment_of(c, s);
    const at_element *dy = (const at_element *)c->in[0].data + s * c->in[0].pitch;
    for (int64_t r = 0; r < g.rows; r++) {
        at_element *dx = (at_element *)c->out[0].data + (g.first + r) * c->out[0].pitch;
        if (r >= g.pooled && c->accumulate & 1) break;
        for (int64_t i = 0; i < c->out[0].cols; i += VL) {
            const int64_t lanes = at_min(VL, c->out[0].cols - i);
            vf v = {0};
            if (r < g.pooled) v = va_load_n(dy + i, lanes) * g.share;
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
