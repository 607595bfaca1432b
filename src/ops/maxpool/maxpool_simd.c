/* maxpool_simd.c: largest values of windows and their gradient, a vector of channels at a time, one tile a
 * row of pixels. Windows of 3 x 3 that lie inside the picture are compiled for their size. */
#include "engine/stream_simd.h"
#include "ops/maxpool/maxpool.h"

static at_element *pixel(const at_arg *a, int64_t row)
{
    return (at_element *)a->data + row * a->pitch;
}

static vi vi_load_n(const int32_t *p, int64_t n)
{
    return (vi)vf_load_n((const float *)p, n);
}

static void vi_store_n(int32_t *p, vi x, int64_t n)
{
    vf_store_n((float *)p, (vf)x, n);
}

/* ---- forward ---- */

/* Where a window begins, its taps inside the picture, and where its result goes. */
typedef struct window {
    const at_element *x;
    int64_t start;      /* elements from x to tap (0, 0), which may lie in the padding */
    int64_t row, pixel; /* and from tap to tap along y and x */
    at_pool_range ky, kx;
    at_element *to; /* NULL = unused */
    int32_t *taps;  /* NULL = unused */
    bool accumulate;
} window;

AT_FORCE_INLINE vf load_tap(const window *w, int64_t a, int64_t b, int64_t channel, const int64_t lanes)
{
    return va_load_n(w->x + (w->start + a * w->row + b * w->pixel + channel), lanes);
}

AT_FORCE_INLINE void largest(const window *w, const int64_t kernel, const at_pool_range ky,
                             const at_pool_range kx, int64_t channel, const int64_t lanes)
{
    vf best = load_tap(w, ky.first, kx.first, channel, lanes);
    vi tap = (int32_t)(ky.first * kernel + kx.first) - (vi){0};
    for (int64_t a = ky.first; a < ky.last; a++)
        for (int64_t b = kx.first; b < kx.last; b++) {
            const vf v = load_tap(w, a, b, channel, lanes);
            const vi better = (v > best) | (v != v); /* NaN is; nothing is greater than it */
            best = vf_select(better, v, best);
            tap = (vi)vf_select(better, (vf)((int32_t)(a * kernel + b) - (vi){0}), (vf)tap);
        }
    if (w->taps) vi_store_n(w->taps + channel, tap, lanes);
    if (!w->to) return;
    if (w->accumulate) best += va_load_n(w->to + channel, lanes);
    va_store_n(w->to + channel, best, lanes);
}

AT_FORCE_INLINE void channels(const window *w, const int64_t kernel, const at_pool_range ky,
                              const at_pool_range kx, int64_t C)
{
    int64_t channel = 0;
    for (; channel + VL <= C; channel += VL) largest(w, kernel, ky, kx, channel, VL);
    if (channel < C) largest(w, kernel, ky, kx, channel, C - channel);
}

static void row_of_windows(const at_call *c, int64_t s, int64_t oy)
{
    const at_maxpool_param *p = c->param;
    const at_arg *x = &c->in[0], *y = &c->out[0], *taps = &c->out[1];
    const int64_t top = (s * x->dim[1] + oy * p->stride - p->pad) * x->dim[2] - p->pad;
    window w = {.x = x->data,
                .row = x->dim[2] * x->pitch,
                .pixel = x->pitch,
                .ky = at_maxpool_taps(p, oy, x->dim[1]),
                .accumulate = c->accumulate & 1};
    for (int64_t ox = 0; ox < y->dim[2]; ox++) {
        const int64_t m = (s * y->dim[1] + oy) * y->dim[2] + ox;
        w.start = (top + ox * p->stride) * x->pitch;
        w.kx = at_maxpool_taps(p, ox, x->dim[2]);
        w.to = y->data ? pixel(y, m) : NULL;
        w.taps = taps->data ? (int32_t *)taps->data + m * taps->pitch : NULL;
        if (p->kernel == 3 && w.ky.last - w.ky.first == 3 && w.kx.last - w.kx.first == 3)
            channels(&w, 3, (at_pool_range){0, 3}, (at_pool_range){0, 3}, y->cols);
        else
            channels(&w, p->kernel, w.ky, w.kx, y->cols);
    }
}

static void forward_tile(void *arg, int64_t i, int thread)
{
    (void)thread;
    const at_call *c = arg;
    row_of_windows(c, i / c->out[0].dim[1], i % c->out[0].dim[1]);
}

static at_status forward(const at_call *c)
{
    at_call call = *c;
    at_parallel_for(c->pool, c->out[0].dim[0] * c->out[0].dim[1], forward_tile, &call);
    return AT_OK;
}

const at_kernel AT_SIMD(at_kernel_maxpool) = {.name = "maxpool." AT_SIMD_VARIANT,
                                              .op = &at_op_maxpool,
                                              .isa = AT_SIMD_LEVEL,
                                              .act = AT_SIMD_ACT,
                                              .run = forward};

/* ---- gradient ---- */

/* One position of x: the outputs whose windows hold it. */
typedef struct position {
    int64_t sample, y, x; /* y, x: counted from the padding's start */
    at_pool_range oy, ox;
} position;

AT_FORCE_INLINE vf gathered(const at_call *c, const position *at, int64_t channel, const int64_t lanes)
{
    const at_maxpool_param *p = c->param;
    const at_arg *taps = &c->in[0], *dy = &c->in[1];
    vf sum = {0};
    for (int64_t oy = at->oy.first; oy < at->oy.last; oy++)
        for (int64_t ox = at->ox.first; ox < at->ox.last; ox++) {
            const int64_t m = (at->sample * dy->dim[1] + oy) * dy->dim[2] + ox;
            const int64_t tap = (at->y - oy * p->stride) * p->kernel + at->x - ox * p->stride;
            const vi found =
                vi_load_n((const int32_t *)taps->data + m * taps->pitch + channel, lanes) == (int32_t)tap;
            sum += vf_select(found, va_load_n(pixel(dy, m) + channel, lanes), (vf){0});
        }
    return sum;
}

AT_FORCE_INLINE void gather(const at_call *c, const position *at, at_element *dx, int64_t channel,
                            const int64_t lanes, bool streams)
{
    vf v = gathered(c, at, channel, lanes);
    if (c->accumulate & 1) v += va_load_n(dx + channel, lanes);
    va_put_n(dx + channel, v, lanes, streams);
}

static void gradient_tile(void *arg, int64_t i, int thread)
{
    (void)thread;
    const at_call *c = arg;
    const at_maxpool_param *p = c->param;
    const at_arg *dy = &c->in[1], *dx = &c->out[0];
    const int64_t y = i % dx->dim[1];
    const bool streams = at_streams(c, dx);
    position at = {.sample = i / dx->dim[1], .y = y + p->pad, .oy = at_maxpool_outputs(p, y, dy->dim[1])};
    for (int64_t x = 0; x < dx->dim[2]; x++) {
        at_element *to = pixel(dx, i * dx->dim[2] + x);
        at.x = x + p->pad;
        at.ox = at_maxpool_outputs(p, x, dy->dim[2]);
        int64_t channel = 0;
        for (; channel + VL <= dx->cols; channel += VL) gather(c, &at, to, channel, VL, streams);
        if (channel < dx->cols) gather(c, &at, to, channel, dx->cols - channel, false);
    }
    if (streams) vf_stream_end();
}

static at_status gradient(const at_call *c)
{
    at_call call = *c;
    at_parallel_for(c->pool, c->out[0].dim[0] * c->out[0].dim[1], gradient_tile, &call);
    return AT_OK;
}

const at_kernel AT_SIMD(at_kernel_maxpool_dx) = {.name = "maxpool_dx." AT_SIMD_VARIANT,
                                                 .op = &at_op_maxpool_dx,
                                                 .isa = AT_SIMD_LEVEL,
                                                 .act = AT_SIMD_ACT,
                                                 .run = gradient};
