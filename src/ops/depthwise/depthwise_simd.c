/* depthwise_simd.c: depthwise convolution at memory speed, vectors over channels.
 *
 * Weights are prepared as [tap, C]. A tile is a block of output rows of one sample, so that the input rows it
 * shares stay in this core's cache. Outputs whose taps all lie inside the picture are computed RUN at a time:
 * neighbours share their loads. The gradient with respect to x at stride 1 is the same walk with the kernel
 * turned round; at larger strides each input gathers from the outputs it reached. dw keeps one sum per tap in
 * registers. */
#include "base/simd.h"
#include "engine/rows.h"
#include "engine/state.h"
#include "ops/depthwise/depthwise.h"

enum { RUN = 4, TILE_BYTES = 96 << 10, MAX_TAPS = 49, MAX_KERNEL = 7 };

#define INLINE static inline __attribute__((always_inline))

/* How outputs meet inputs along both axes; weights [kh * kw, C]. */
typedef struct walk {
    const at_call *c;
    const at_arg *from, *to;
    const float *w;
    int64_t kh, kw, stride_y, stride_x, dilation_y, dilation_x, pad_top, pad_left;
    int64_t tile_rows, tiles; /* output rows a tile; tiles a sample */
    bool accumulate;
    float *partial;
} walk;

static const float *pixel(const at_arg *a, int64_t s, int64_t y, int64_t x)
{
    return (const float *)a->data + ((s * a->dim[1] + y) * a->dim[2] + x) * a->pitch;
}

/* Taps [first, last) along one axis that fall inside [0, size) for output o. */
INLINE void inside(int64_t o, int64_t stride, int64_t dilation, int64_t pad, int64_t kernel, int64_t size,
                   int64_t *first, int64_t *last)
{
    const int64_t start = o * stride - pad;
    *first = start >= 0 ? 0 : at_ceil_div(-start, dilation);
    *last = start >= size ? 0 : at_min(kernel, at_ceil_div(size - start, dilation));
    if (*last < *first) *last = *first;
}

/* n outputs (n == 1 or RUN) of one row from ox on, one vector of channels from `channel` on; all taps [kx0,
 * kx1) inside for each of them. kw and stride are constants where it pays. */
INLINE void outputs(const walk *k, const int n, const int64_t kw, const int64_t stride, int64_t s, int64_t oy,
                    int64_t ox, int64_t ky0, int64_t ky1, int64_t kx0, int64_t kx1, int64_t channel,
                    int64_t lanes)
{
    const int64_t C = k->to->cols, pitch = k->from->pitch;
    vf acc[RUN];
#pragma GCC unroll 4
    for (int i = 0; i < n; i++) acc[i] = (vf){0};
    for (int64_t ky = ky0; ky < ky1; ky++) {
        const int64_t y = oy * k->stride_y - k->pad_top + ky * k->dilation_y;
        const float *row =
            (const float *)k->from->data + (s * k->from->dim[1] + y) * k->from->dim[2] * pitch + channel;
        const float *w = k->w + ky * kw * C + channel;
#pragma GCC unroll 7
        for (int64_t kx = kx0; kx < kx1; kx++) {
            const vf wv = vf_load_n(w + kx * C, lanes);
#pragma GCC unroll 4
            for (int i = 0; i < n; i++) {
                const int64_t x = (ox + i) * stride - k->pad_left + kx * k->dilation_x;
                acc[i] += vf_load_n(row + x * pitch, lanes) * wv;
            }
        }
    }
#pragma GCC unroll 4
    for (int i = 0; i < n; i++) {
        float *to = (float *)k->to->data +
                    ((s * k->to->dim[1] + oy) * k->to->dim[2] + ox + i) * k->to->pitch + channel;
        vf y = acc[i];
        if (k->accumulate) y = vf_load_n(to, lanes) + y;
        vf_store_n(to, y, lanes);
    }
}

/* One row of outputs for one vector of channels. */
INLINE void output_row(const walk *k, const int64_t kw, const int64_t stride, int64_t s, int64_t oy,
                       int64_t channel, int64_t lanes)
{
    int64_t ky0, ky1, kx0, kx1;
    const int64_t W = k->from->dim[2], Wo = k->to->dim[2];
    inside(oy, k->stride_y, k->dilation_y, k->pad_top, k->kh, k->from->dim[1], &ky0, &ky1);
    /* [full0, full1): outputs whose taps are all inside */
    const int64_t full0 = at_min(at_ceil_div(k->pad_left, stride), Wo);
    const int64_t reach = W - 1 + k->pad_left - (kw - 1) * k->dilation_x;
    const int64_t full1 = reach < 0 ? full0 : at_max(full0, at_min(Wo, reach / stride + 1));
    int64_t ox = 0;
    while (ox < Wo) {
        if (ox >= full0 && ox + RUN <= full1) {
            outputs(k, RUN, kw, stride, s, oy, ox, ky0, ky1, 0, kw, channel, lanes);
            ox += RUN;
            continue;
        }
        inside(ox, stride, k->dilation_x, k->pad_left, kw, W, &kx0, &kx1);
        outputs(k, 1, kw, stride, s, oy, ox, ky0, ky1, kx0, kx1, channel, lanes);
        ox++;
    }
}

static void forward_tile(void *arg, int64_t index, int thread)
{
    (void)thread;
    const walk *k = arg;
    const int64_t s = index / k->tiles, first = index % k->tiles * k->tile_rows;
    const int64_t last = at_min(first + k->tile_rows, k->to->dim[1]), C = k->to->cols;
    const bool three = k->kw == 3 && k->dilation_x == 1;
    for (int64_t oy = first; oy < last; oy++)
        for (int64_t channel = 0; channel < C; channel += VL) {
            const int64_t lanes = at_min(VL, C - channel);
            if (three && k->stride_x == 1)
                output_row(k, 3, 1, s, oy, channel, lanes);
            else if (three && k->stride_x == 2)
                output_row(k, 3, 2, s, oy, channel, lanes);
            else
                output_row(k, k->kw, k->stride_x, s, oy, channel, lanes);
        }
}

/* Rows a tile: about TILE_BYTES of results. */
static void cut(walk *k)
{
    const int64_t row_bytes = k->to->dim[2] * k->to->pitch * (int64_t)sizeof(float);
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

static bool supports(const at_problem *p, char reason[AT_REASON])
{
    const at_meta *w = p->op == &at_op_depthwise_dw ? &p->out[0] : &p->in[1];
    if (w->dim[2] <= MAX_KERNEL && w->dim[3] <= MAX_KERNEL) return true;
    memcpy(reason, "kernels up to 7x7", sizeof "kernels up to 7x7");
    return false;
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
    walk k = {.c = c,
              .from = &c->in[0],
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
              .accumulate = c->accumulate & 1};
    cut(&k);
    at_parallel_for(c->pool, k.to->dim[0] * k.tiles, forward_tile, &k);
    return AT_OK;
}

const at_kernel AT_SIMD(at_kernel_depthwise) = {.name = "depthwise." AT_SIMD_VARIANT,
                                                .op = &at_op_depthwise,
                                                .isa = AT_SIMD_LEVEL,
                                                .reads_storage = 2,
                                                .supports = supports,
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

/* Outputs that input position i reached along one axis: taps t and outputs o with o stride - pad + t dilation
 * = i. */
INLINE int reached(int64_t i, int64_t stride, int64_t dilation, int64_t pad, int64_t kernel, int64_t size,
                   int64_t taps[MAX_KERNEL], int64_t outs[MAX_KERNEL])
{
    int n = 0;
    for (int64_t t = 0; t < kernel; t++) {
        const int64_t at = i + pad - t * dilation;
        if (at < 0 || at % stride || at / stride >= size) continue;
        taps[n] = t;
        outs[n++] = at / stride;
    }
    return n;
}

static void gather_row(const walk *k, int64_t s, int64_t y)
{
    int64_t ty[MAX_KERNEL], oy[MAX_KERNEL], tx[MAX_KERNEL], ox[MAX_KERNEL];
    const int64_t C = k->to->cols;
    const int ny = reached(y, k->stride_y, k->dilation_y, k->pad_top, k->kh, k->from->dim[1], ty, oy);
    for (int64_t x = 0; x < k->to->dim[2]; x++) {
        const int nx = reached(x, k->stride_x, k->dilation_x, k->pad_left, k->kw, k->from->dim[2], tx, ox);
        float *to = (float *)k->to->data + ((s * k->to->dim[1] + y) * k->to->dim[2] + x) * k->to->pitch;
        for (int64_t channel = 0; channel < C; channel += VL) {
            const int64_t lanes = at_min(VL, C - channel);
            vf acc = {0};
            for (int i = 0; i < ny; i++)
                for (int j = 0; j < nx; j++)
                    acc += vf_load_n(pixel(k->from, s, oy[i], ox[j]) + channel, lanes) *
                           vf_load_n(k->w + (ty[i] * k->kw + tx[j]) * C + channel, lanes);
            if (k->accumulate) acc = vf_load_n(to + channel, lanes) + acc;
            vf_store_n(to + channel, acc, lanes);
        }
    }
}

static void gather_tile(void *arg, int64_t index, int thread)
{
    (void)thread;
    const walk *k = arg;
    const int64_t first = index % k->tiles * k->tile_rows, last = at_min(first + k->tile_rows, k->to->dim[1]);
    for (int64_t y = first; y < last; y++) gather_row(k, index / k->tiles, y);
}

static at_status dx(const at_call *c)
{
    const at_conv2d_param *p = c->param;
    walk k = {.c = c,
              .from = &c->in[0],
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
              .accumulate = c->accumulate & 1};
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
                                                   .reads_storage = 2,
                                                   .supports = supports,
                                                   .need = dx_need,
                                                   .run = dx};

/* ---- dw: partial sums [tap, C] of fixed chunks of output rows, added in order ---- */

/* Output rows (of all samples, one after another) a chunk. */
static int64_t chunk_rows(int64_t width)
{
    return at_max(1, AT_CHUNK_ROWS / at_max(width, 1));
}

static void dw_need(const at_problem *p, at_need *out)
{
    const at_meta *dy = &p->in[0], *dw = &p->out[0];
    const int64_t rows = dy->dim[0] * dy->dim[1], taps = dw->dim[2] * dw->dim[3];
    out->scratch = (size_t)(at_ceil_div(rows, chunk_rows(dy->dim[2])) * taps * dw->dim[0]) * sizeof(float);
}

/* Sums of one row of outputs and one vector of channels, outputs [x0, x1), taps of one kernel row. kw
 * constant. */
INLINE void dw_span(const walk *k, const int64_t kw, const int64_t stride, const float *dy, const float *x,
                    int64_t x0, int64_t x1, int64_t kx0, int64_t kx1, vf *acc, int64_t lanes)
{
    const int64_t dy_pitch = k->to->pitch, x_pitch = k->from->pitch;
    for (int64_t ox = x0; ox < x1; ox++) {
        const vf d = vf_load_n(dy + ox * dy_pitch, lanes);
#pragma GCC unroll 7
        for (int64_t kx = 0; kx < kw; kx++) {
            if (kx < kx0 || kx >= kx1) continue;
            const int64_t ix = ox * stride - k->pad_left + kx * k->dilation_x;
            acc[kx] += d * vf_load_n(x + ix * x_pitch, lanes);
        }
    }
}

INLINE void dw_row(const walk *k, const int64_t kw, const int64_t stride, int64_t row, int64_t channel,
                   int64_t lanes, float *sums)
{
    const int64_t Ho = k->to->dim[1], Wo = k->to->dim[2], H = k->from->dim[1], W = k->from->dim[2],
                  C = k->to->cols;
    const int64_t s = row / Ho, oy = row % Ho;
    int64_t ky0, ky1;
    inside(oy, k->stride_y, k->dilation_y, k->pad_top, k->kh, H, &ky0, &ky1);
    const int64_t full0 = at_min(at_ceil_div(k->pad_left, stride), Wo);
    const int64_t reach = W - 1 + k->pad_left - (kw - 1) * k->dilation_x;
    const int64_t full1 = reach < 0 ? full0 : at_max(full0, at_min(Wo, reach / stride + 1));
    const float *dy = pixel(k->to, s, oy, 0) + channel;
    for (int64_t ky = ky0; ky < ky1; ky++) {
        const float *x = pixel(k->from, s, oy * k->stride_y - k->pad_top + ky * k->dilation_y, 0) + channel;
        float *to = sums + ky * kw * C + channel;
        vf acc[MAX_KERNEL] = {0};
#pragma GCC unroll 7
        for (int64_t kx = 0; kx < kw; kx++) acc[kx] = vf_load_n(to + kx * C, lanes);
        dw_span(k, kw, stride, dy, x, full0, full1, 0, kw, acc, lanes);
        for (int64_t ox = 0; ox < Wo; ox = ox + 1 == full0 ? at_max(full1, ox + 1) : ox + 1) {
            if (ox >= full0 && ox < full1) continue;
            int64_t kx0, kx1;
            inside(ox, stride, k->dilation_x, k->pad_left, kw, W, &kx0, &kx1);
            dw_span(k, kw, stride, dy, x, ox, ox + 1, kx0, kx1, acc, lanes);
        }
#pragma GCC unroll 7
        for (int64_t kx = 0; kx < kw; kx++) vf_store_n(to + kx * C, acc[kx], lanes);
    }
}

static void dw_chunk(void *arg, int64_t index, int thread)
{
    (void)thread;
    const walk *k = arg;
    const int64_t C = k->to->cols, taps = k->kh * k->kw, rows = k->to->dim[0] * k->to->dim[1];
    const int64_t first = index * k->tile_rows, last = at_min(first + k->tile_rows, rows);
    float *sums = k->partial + index * taps * C;
    memset(sums, 0, (size_t)(taps * C) * sizeof(float));
    const bool three = k->kw == 3 && k->dilation_x == 1;
    for (int64_t row = first; row < last; row++)
        for (int64_t channel = 0; channel < C; channel += VL) {
            const int64_t lanes = at_min(VL, C - channel);
            if (three && k->stride_x == 1)
                dw_row(k, 3, 1, row, channel, lanes, sums);
            else if (three && k->stride_x == 2)
                dw_row(k, 3, 2, row, channel, lanes, sums);
            else
                dw_row(k, k->kw, k->stride_x, row, channel, lanes, sums);
        }
}

static at_status dw(const at_call *c)
{
    const at_conv2d_param *p = c->param;
    walk k = {.c = c,
              .from = &c->in[1],
              .to = &c->in[0],
              .kh = c->out[0].dim[2],
              .kw = c->out[0].dim[3],
              .stride_y = p->stride_y,
              .stride_x = p->stride_x,
              .dilation_y = p->dilation_y,
              .dilation_x = p->dilation_x,
              .pad_top = p->pad_top,
              .pad_left = p->pad_left,
              .partial = c->scratch};
    const int64_t C = k.to->cols, taps = k.kh * k.kw;
    k.tile_rows = chunk_rows(k.to->dim[2]);
    const int64_t chunks = at_ceil_div(k.to->dim[0] * k.to->dim[1], k.tile_rows);
    at_parallel_for(c->pool, chunks, dw_chunk, &k);
    float *out = c->out[0].data;
    for (int64_t i = 0; i < C; i++)
        for (int64_t t = 0; t < taps; t++) {
            float *to = &out[i * taps + t];
            float sum = c->accumulate & 1 ? *to : 0.0f;
            for (int64_t chunk = 0; chunk < chunks; chunk++) sum += k.partial[(chunk * taps + t) * C + i];
            *to = sum;
        }
    return AT_OK;
}

const at_kernel AT_SIMD(at_kernel_depthwise_dw) = {.name = "depthwise_dw." AT_SIMD_VARIANT,
                                                   .op = &at_op_depthwise_dw,
                                                   .isa = AT_SIMD_LEVEL,
                                                   .supports = supports,
                                                   .need = dw_need,
                                                   .run = dw};
