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

/* The windows that hold one position of x, ny below one another and nx beside; the first of them, and what
 * leads to the next below and beside. */
typedef struct holders {
    int64_t ny, nx;
    const int32_t *taps;
    const at_element *dy;
    int32_t tap; /* that the position is there */
    int64_t taps_below, taps_beside, dy_below, dy_beside;
    int32_t tap_below, tap_beside; /* so much less */
} holders;

static holders holders_of(const at_call *c, int64_t sample, int64_t y, at_pool_range oy, int64_t x,
                          at_pool_range ox)
{
    const at_maxpool_param *p = c->param;
    const at_arg *taps = &c->in[0], *dy = &c->in[1];
    const int64_t m = (sample * dy->dim[1] + oy.first) * dy->dim[2] + ox.first,
                  tap = (y + p->pad - oy.first * p->stride) * p->kernel + x + p->pad - ox.first * p->stride;
    return (holders){.ny = oy.last - oy.first,
                     .nx = ox.last - ox.first,
                     .taps = (const int32_t *)taps->data + m * taps->pitch,
                     .dy = pixel(dy, m),
                     .tap = (int32_t)tap,
                     .taps_below = dy->dim[2] * taps->pitch,
                     .taps_beside = taps->pitch,
                     .dy_below = dy->dim[2] * dy->pitch,
                     .dy_beside = dy->pitch,
                     .tap_below = (int32_t)(p->stride * p->kernel),
                     .tap_beside = (int32_t)p->stride};
}

/* at_maxpool_outputs of the position behind the one that `o` is of, without its divisions. */
static at_pool_range next_outputs(const at_maxpool_param *p, at_pool_range o, int64_t i, int64_t size)
{
    while (o.first * p->stride + p->kernel <= i + p->pad) o.first++;
    while (o.last < size && o.last * p->stride <= i + p->pad) o.last++;
    return o;
}

AT_FORCE_INLINE vf gathered(const holders *h, const int64_t ny, const int64_t nx, int64_t channel,
                            const int64_t lanes)
{
    vf sum = {0};
    for (int64_t a = 0; a < ny; a++)
        for (int64_t b = 0; b < nx; b++) {
            const vi tap = vi_load_n(h->taps + a * h->taps_below + b * h->taps_beside + channel, lanes);
            const vf dy = va_load_n(h->dy + a * h->dy_below + b * h->dy_beside + channel, lanes);
            const int32_t here = h->tap - (int32_t)a * h->tap_below - (int32_t)b * h->tap_beside;
            sum += vf_select(tap == here, dy, (vf){0});
        }
    return sum;
}

AT_FORCE_INLINE void gather(const at_call *c, const holders *h, const int64_t ny, const int64_t nx,
                            at_element *dx, bool streams)
{
    const int64_t C = c->out[0].cols;
    const bool accumulate = c->accumulate & 1;
    int64_t i = 0;
    for (; i + VL <= C; i += VL) {
        vf v = gathered(h, ny, nx, i, VL);
        if (accumulate) v += va_load_n(dx + i, VL);
        va_put_n(dx + i, v, VL, streams);
    }
    if (i == C) return;
    vf v = gathered(h, ny, nx, i, C - i);
    if (accumulate) v += va_load_n(dx + i, C - i);
    va_store_n(dx + i, v, C - i);
}

/* With strides of at least half a window one or two hold a position along each axis. */
static void gradient_tile(void *arg, int64_t i, int thread)
{
    (void)thread;
    const at_call *c = arg;
    const at_maxpool_param *p = c->param;
    const at_arg *dy = &c->in[1], *dx = &c->out[0];
    const bool streams = at_streams(c, dx);
    const int64_t sample = i / dx->dim[1], y = i % dx->dim[1];
    const at_pool_range oy = at_maxpool_outputs(p, y, dy->dim[1]);
    at_pool_range ox = {0, 0};
    for (int64_t x = 0; x < dx->dim[2]; x++) {
        ox = next_outputs(p, ox, x, dy->dim[2]);
        const holders h = holders_of(c, sample, y, oy, x, ox);
        at_element *to = pixel(dx, i * dx->dim[2] + x);
        if (h.ny == 1 && h.nx == 1)
            gather(c, &h, 1, 1, to, streams);
        else if (h.ny == 1 && h.nx == 2)
            gather(c, &h, 1, 2, to, streams);
        else if (h.ny == 2 && h.nx == 1)
            gather(c, &h, 2, 1, to, streams);
        else if (h.ny == 2 && h.nx == 2)
            gather(c, &h, 2, 2, to, streams);
        else
            gather(c, &h, h.ny, h.nx, to, streams);
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
