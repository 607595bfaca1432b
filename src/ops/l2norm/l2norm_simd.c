/* l2norm_simd.c: a row at a time, which stays in the first cache. */
#include "engine/dot_simd.h"
#include "ops/l2norm/l2norm.h"
#include <math.h>

enum { TILE_ROWS = 16 };

static const float LEAST = (float)AT_L2NORM_LEAST;

static const at_element *in_row(const at_call *c, int in, int64_t m)
{
    return (const at_element *)c->in[in].data + m * c->in[in].pitch;
}

static at_element *out_row(const at_call *c, int64_t m)
{
    return (at_element *)c->out[0].data + m * c->out[0].pitch;
}

static void normalise(const at_call *c, int64_t m)
{
    const int64_t C = c->in[0].cols;
    const at_element *x = in_row(c, 0, m);
    at_element *y = out_row(c, m);
    const float length = sqrtf(va_dot(x, x, C));
    const vf share = vf_set(1.0f / (length < LEAST ? LEAST : length));
    for (int64_t i = 0; i < C; i += VL) {
        const int64_t lanes = at_min(VL, C - i);
        vf v = va_load_n(x + i, lanes) * share;
        if (c->accumulate & 1) v += va_load_n(y + i, lanes);
        va_store_n(y + i, v, lanes);
    }
}

static void forward_tile(void *arg, int64_t tile, int thread)
{
    (void)thread;
    const at_call *c = arg;
    for (int64_t m = tile * TILE_ROWS; m < at_min((tile + 1) * TILE_ROWS, c->in[0].rows); m++)
        normalise(c, m);
}

static at_status forward(const at_call *c)
{
    at_parallel_for(c->pool, at_ceil_div(c->in[0].rows, TILE_ROWS), forward_tile, (void *)(uintptr_t)c);
    return AT_OK;
}

const at_kernel AT_SIMD(at_kernel_l2norm) = {.name = "l2norm." AT_SIMD_VARIANT,
                                             .op = &at_op_l2norm,
                                             .isa = AT_SIMD_LEVEL,
                                             .act = AT_SIMD_ACT,
                                             .run = forward};

/* ---- gradient ---- */

static void dx_row(const at_call *c, int64_t m)
{
    const int64_t C = c->in[0].cols;
    const at_element *dy = in_row(c, 0, m), *x = in_row(c, 1, m);
    at_element *dx = out_row(c, m);
    const float square = va_dot(x, x, C), length = sqrtf(square);
    const bool is_short = length < LEAST;
    const vf along = vf_set(is_short ? 0.0f : va_dot(dy, x, C) / square);
    const vf share = vf_set(1.0f / (is_short ? LEAST : length));
    for (int64_t i = 0; i < C; i += VL) {
        const int64_t lanes = at_min(VL, C - i);
        vf v = (va_load_n(dy + i, lanes) - along * va_load_n(x + i, lanes)) * share;
        if (c->accumulate & 1) v += va_load_n(dx + i, lanes);
        va_store_n(dx + i, v, lanes);
    }
}

static void gradient_tile(void *arg, int64_t tile, int thread)
{
    (void)thread;
    const at_call *c = arg;
    for (int64_t m = tile * TILE_ROWS; m < at_min((tile + 1) * TILE_ROWS, c->in[0].rows); m++) dx_row(c, m);
}

static at_status gradient(const at_call *c)
{
    at_parallel_for(c->pool, at_ceil_div(c->in[0].rows, TILE_ROWS), gradient_tile, (void *)(uintptr_t)c);
    return AT_OK;
}

const at_kernel AT_SIMD(at_kernel_l2norm_dx) = {.name = "l2norm_dx." AT_SIMD_VARIANT,
                                                .op = &at_op_l2norm_dx,
                                                .isa = AT_SIMD_LEVEL,
                                                .act = AT_SIMD_ACT,
                                                .run = gradient};
