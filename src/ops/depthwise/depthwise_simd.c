/* depthwise_simd.c: depthwise convolution and its gradient with respect to x at memory speed, vectors over
 * channels.
 *
 * Weights are prepared as [tap, C]. A tile is a block of output rows of one sample, so that the input rows it
 * shares stay in this core's cache. Pixels are read whole, all channels of a block one after the other, so
 * that no cache line is fetched twice. Outputs whose taps all lie inside the picture are computed RUN at a
 * time: neighbours share their weights. The gradient with respect to x at stride 1 is the same walk with the
 * kernel turned round; at larger strides each input gathers from the outputs it reached. */
#include "engine/state.h"
#include "engine/stream_simd.h"
#include "ops/depthwise/walk_simd.h"

enum { RUN = 4, TILE_BYTES = 96 << 10, BLOCK = 256 /* channels whose weights stay in the first cache */ };

/* ---- Outputs from inputs ---- */

/* n outputs (1 or RUN) from ox on, one vector of channels, taps [kx0, kx1) of each row. All but ox and
 * channel are constants where it pays. */
AT_FORCE_INLINE void outputs(const walk *k, const walk_row *r, const int n, const int64_t kw,
                             const int64_t stride, const int64_t dilation, const int64_t kx0,
                             const int64_t kx1, int64_t ox, int64_t channel, const int64_t lanes)
{
    const int64_t C = k->to->cols, pitch = k->from->pitch;
    const at_element *from = r->from + channel;
    const float *w = k->w + r->ky0 * kw * C + channel;
    const int64_t first = ox * stride - k->pad_left;
    vf acc[RUN];
#pragma GCC unroll 4
    for (int i = 0; i < n; i++) acc[i] = (vf){0};
    for (int64_t ky = r->ky0; ky < r->ky1; ky++) {
#pragma GCC unroll 3
        for (int64_t kx = kx0; kx < kx1; kx++) {
            const vf wv = vf_load_n(w + kx * C, lanes);
#pragma GCC unroll 4
            for (int i = 0; i < n; i++)
                acc[i] += va_load_n(from + (first + i * stride + kx * dilation) * pitch, lanes) * wv;
        }
        from += r->from_step;
        w += kw * C;
    }
#pragma GCC unroll 4
    for (int i = 0; i < n; i++) {
        at_element *to = r->to + (ox + i) * k->to->pitch + channel;
        if (k->accumulate) acc[i] = va_load_n(to, lanes) + acc[i];
        va_put_n(to, acc[i], lanes, k->streams);
    }
}

/* n outputs of channels that are less than a vector; compiled once, for all kernels. */
static __attribute__((noinline)) void few_channels(const walk *k, const walk_row *r, int n, int64_t kx0,
                                                   int64_t kx1, int64_t ox, int64_t channel, int64_t lanes)
{
    for (int i = 0; i < n; i++)
        outputs(k, r, 1, k->kw, k->stride_x, k->dilation_x, kx0, kx1, ox + i, channel, lanes);
}

/* The same for a block of channels. */
AT_FORCE_INLINE void pixels(const walk *k, const walk_row *r, const int n, const int64_t kw,
                            const int64_t stride, const int64_t dilation, const int64_t kx0,
                            const int64_t kx1, int64_t ox, int64_t block)
{
    const int64_t last = at_min(block + BLOCK, k->to->cols);
    int64_t channel = block;
    for (; channel + VL <= last; channel += VL)
        outputs(k, r, n, kw, stride, dilation, kx0, kx1, ox, channel, VL);
    if (channel < last) few_channels(k, r, n, kx0, kx1, ox, channel, last - channel);
}

/* One output some of whose taps lie in the padding; compiled once, too. */
static void edge(const walk *k, const walk_row *r, int64_t ox, int64_t block)
{
    int64_t kx0, kx1;
    walk_inside(ox, k->stride_x, k->dilation_x, k->pad_left, k->kw, k->from->dim[2], &kx0, &kx1);
    pixels(k, r, 1, k->kw, k->stride_x, k->dilation_x, kx0, kx1, ox, block);
}

AT_FORCE_INLINE void output_row(const walk *k, const walk_row *r, const int64_t kw, const int64_t stride,
                                const int64_t dilation)
{
    for (int64_t block = 0; block < k->to->cols; block += BLOCK) {
        int64_t ox = 0;
        for (; ox < r->full0; ox++) edge(k, r, ox, block);
        for (; ox + RUN <= r->full1; ox += RUN) pixels(k, r, RUN, kw, stride, dilation, 0, kw, ox, block);
        for (; ox < r->full1; ox++) pixels(k, r, 1, kw, stride, dilation, 0, kw, ox, block);
        for (; ox < k->to->dim[2]; ox++) edge(k, r, ox, block);
    }
}

static void forward_tile(void *arg, int64_t index, int thread)
{
    (void)thread;
    const walk *k = arg;
    const int64_t s = index / k->tiles, first = index % k->tiles * k->tile_rows;
    const int64_t last = at_min(first + k->tile_rows, k->to->dim[1]);
    for (int64_t oy = first; oy < last; oy++) {
        const walk_row r = walk_at_row(k, s, oy);
        if (walk_is_three(k, 1))
            output_row(k, &r, 3, 1, 1);
        else if (walk_is_three(k, 2))
            output_row(k, &r, 3, 2, 1);
        else
            output_row(k, &r, k->kw, k->stride_x, k->dilation_x);
    }
    if (k->streams) vf_stream_end();
}

/* Rows a tile: about TILE_BYTES of results. */
static void cut(walk *k)
{
    const int64_t row_bytes = k->to->dim[2] * k->to->pitch * (int64_t)sizeof(at_element);
    k->tile_rows = at_min(at_max(1, TILE_BYTES / at_max(row_bytes, 1)), at_max(k->to->dim[1], 1));
    k->tiles = at_ceil_div(k->to->dim[1], k->tile_rows);
}

/* ---- Prepared weights [tap, C], as they are or turned round ---- */

static at_status prepare(const at_call *c, bool turned)
{
    const at_arg *w = &c->in[1];
    const int64_t C = w->dim[0], taps = w->cols;
    float *out = c->prepared[0], row[MAX_TAPS];
    for (int64_t i = 0; i < C; i++) {
        if (w->storage)
            w->storage->load(row, w->buffers, taps, i, 0, taps);
        else
            memcpy(row, (const float *)w->data + i * w->pitch, (size_t)taps * sizeof(float));
        for (int64_t t = 0; t < taps; t++) out[(turned ? taps - 1 - t : t) * C + i] = row[t];
    }
    return AT_OK;
}

static at_status prepare_plain(const at_call *c)
{
    return prepare(c, false);
}

static at_status prepare_turned(const at_call *c)
{
    return prepare(c, true);
}

static void need_weights(const at_problem *p, at_need *out, at_run_fn how)
{
    out->n_prepared = 1;
    out->prepared[0].from = 2;
    out->prepared[0].bytes = (size_t)(p->in[1].dim[0] * p->in[1].dim[2] * p->in[1].dim[3]) * sizeof(float);
    out->prepared[0].prepare = how;
}

/* ---- y ---- */

static void forward_need(const at_problem *p, at_need *out)
{
    need_weights(p, out, prepare_plain);
}

static at_status forward(const at_call *c)
{
    const at_conv2d_param *p = c->param;
    walk k = {.from = &c->in[0],
              .to = &c->out[0],
              .w = c->prepared[0],
              .kh = c->in[1].dim[2],
              .kw = c->in[1].dim[3],
              .stride_y = p->stride_y,
              .stride_x = p->stride_x,
              .dilation_y = p->dilation_y,
              .dilation_x = p->dilation_x,
              .pad_top = p->pad_top,
              .pad_left = p->pad_left,
              .accumulate = c->accumulate & 1,
              .streams = at_streams(c, &c->out[0])};
    cut(&k);
    at_parallel_for(c->pool, k.to->dim[0] * k.tiles, forward_tile, &k);
    return AT_OK;
}

const at_kernel AT_SIMD(at_kernel_depthwise) = {.name = "depthwise." AT_SIMD_VARIANT,
                                                .op = &at_op_depthwise,
                                                .isa = AT_SIMD_LEVEL,
                                                .act = AT_SIMD_ACT,
                                                .reads_storage = 2,
                                                .supports = walk_supports,
                                                .need = forward_need,
                                                .run = forward};

/* ---- dx ---- */

/* Stride 1: dx is dy convolved with the kernel turned round, so prepared weights are turned for it. */
static bool is_unit_stride(const at_conv2d_param *p)
{
    return p->stride_y == 1 && p->stride_x == 1;
}

static void dx_need(const at_problem *p, at_need *out)
{
    need_weights(p, out, is_unit_stride(p->param) ? prepare_turned : prepare_plain);
}

/* What input position i meets along one axis: taps t and outputs o with o stride - pad + t dilation = i. */
typedef struct meeting {
    int n;
    int64_t tap[MAX_KERNEL], out[MAX_KERNEL];
} meeting;

AT_FORCE_INLINE meeting meet(int64_t i, const int64_t stride, int64_t dilation, int64_t pad, int64_t kernel,
                             int64_t size)
{
    meeting m = {0};
    for (int64_t t = 0; t < kernel; t++) {
        const int64_t at = i + pad - t * dilation;
        if (at < 0 || at % stride || at / stride >= size) continue;
        m.tap[m.n] = t;
        m.out[m.n++] = at / stride;
    }
    return m;
}

AT_FORCE_INLINE void gather_vector(const walk *k, const at_element *const *rows, const meeting *y,
                                   const meeting *x, const int ny, const int nx, at_element *to,
                                   int64_t channel, const int64_t lanes)
{
    vf acc = {0};
#pragma GCC unroll 2
    for (int i = 0; i < ny; i++)
#pragma GCC unroll 2
        for (int j = 0; j < nx; j++)
            acc += va_load_n(rows[i] + x->out[j] * k->from->pitch + channel, lanes) *
                   vf_load_n(k->w + (y->tap[i] * k->kw + x->tap[j]) * k->to->cols + channel, lanes);
    if (k->accumulate) acc = va_load_n(to + channel, lanes) + acc;
    va_put_n(to + channel, acc, lanes, k->streams);
}

AT_FORCE_INLINE void gather_pixel(const walk *k, const at_element *const *rows, const meeting *y,
                                  const meeting *x, const int ny, const int nx, at_element *to)
{
    int64_t channel = 0;
    for (; channel + VL <= k->to->cols; channel += VL) gather_vector(k, rows, y, x, ny, nx, to, channel, VL);
    if (channel < k->to->cols) gather_vector(k, rows, y, x, ny, nx, to, channel, k->to->cols - channel);
}

/* The common meetings of stride 2, compiled for their size. */
static void gather_11(const walk *k, const at_element *const *rows, const meeting *y, const meeting *x,
                      at_element *to)
{
    gather_pixel(k, rows, y, x, 1, 1, to);
}

static void gather_12(const walk *k, const at_element *const *rows, const meeting *y, const meeting *x,
                      at_element *to)
{
    gather_pixel(k, rows, y, x, 1, 2, to);
}

static void gather_21(const walk *k, const at_element *const *rows, const meeting *y, const meeting *x,
                      at_element *to)
{
    gather_pixel(k, rows, y, x, 2, 1, to);
}

static void gather_22(const walk *k, const at_element *const *rows, const meeting *y, const meeting *x,
                      at_element *to)
{
    gather_pixel(k, rows, y, x, 2, 2, to);
}

static void gather_any(const walk *k, const at_element *const *rows, const meeting *y, const meeting *x,
                       at_element *to)
{
    gather_pixel(k, rows, y, x, y->n, x->n, to);
}

typedef void (*gather_fn)(const walk *k, const at_element *const *rows, const meeting *y, const meeting *x,
                          at_element *to);

static gather_fn gather_of(int ny, int nx)
{
    static const gather_fn small[2][2] = {{gather_11, gather_12}, {gather_21, gather_22}};
    return ny >= 1 && ny <= 2 && nx >= 1 && nx <= 2 ? small[ny - 1][nx - 1] : gather_any;
}

AT_FORCE_INLINE void gather_row(const walk *k, const int64_t stride, int64_t s, int64_t y)
{
    const at_element *rows[MAX_KERNEL];
    const meeting my = meet(y, k->stride_y, k->dilation_y, k->pad_top, k->kh, k->from->dim[1]);
    for (int i = 0; i < my.n; i++) rows[i] = walk_pixel(k->from, s, my.out[i], 0);
    for (int64_t x = 0; x < k->to->dim[2]; x++) {
        const meeting mx = meet(x, stride, k->dilation_x, k->pad_left, k->kw, k->from->dim[2]);
        gather_of(my.n, mx.n)(k, rows, &my, &mx, walk_pixel(k->to, s, y, x));
    }
}

static void gather_tile(void *arg, int64_t index, int thread)
{
    (void)thread;
    const walk *k = arg;
    const int64_t first = index % k->tiles * k->tile_rows, last = at_min(first + k->tile_rows, k->to->dim[1]);
    for (int64_t y = first; y < last; y++) {
        if (k->stride_x == 2)
            gather_row(k, 2, index / k->tiles, y); /* no divisions */
        else
            gather_row(k, k->stride_x, index / k->tiles, y);
    }
    if (k->streams) vf_stream_end();
}

static at_status dx(const at_call *c)
{
    const at_conv2d_param *p = c->param;
    walk k = {.from = &c->in[0],
              .to = &c->out[0],
              .w = c->prepared[0],
              .kh = c->in[1].dim[2],
              .kw = c->in[1].dim[3],
              .stride_y = p->stride_y,
              .stride_x = p->stride_x,
              .dilation_y = p->dilation_y,
              .dilation_x = p->dilation_x,
              .pad_top = p->pad_top,
              .pad_left = p->pad_left,
              .accumulate = c->accumulate & 1,
              .streams = at_streams(c, &c->out[0])};
    if (is_unit_stride(p)) {
        k.pad_top = (k.kh - 1) * k.dilation_y - k.pad_top;
        k.pad_left = (k.kw - 1) * k.dilation_x - k.pad_left;
    }
    cut(&k);
    at_parallel_for(c->pool, k.to->dim[0] * k.tiles, is_unit_stride(p) ? forward_tile : gather_tile, &k);
    return AT_OK;
}

const at_kernel AT_SIMD(at_kernel_depthwise_dx) = {.name = "depthwise_dx." AT_SIMD_VARIANT,
                                                   .op = &at_op_depthwise_dx,
                                                   .isa = AT_SIMD_LEVEL,
                                                   .act = AT_SIMD_ACT,
                                                   .reads_storage = 2,
                                                   .supports = walk_supports,
                                                   .need = dx_need,
                                                   .run = dx};
