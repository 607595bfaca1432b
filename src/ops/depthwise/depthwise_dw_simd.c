/* depthwise_dw_simd.c: the gradient of depthwise convolution with respect to its weights: partial sums [tap,
 * C] of fixed chunks of output rows, added in order. Within a row outputs are taken in order, a few at a time
 * for all channels of a block, so that pixels are read whole; meanwhile the sums of a 3 x 3 kernel stay in
 * registers. */
#include "ops/depthwise/walk_simd.h"

enum {
    BLOCK = 64,            /* channels */
    NEAR_BYTES = 24 << 10, /* of dy and x: what is read for several taps stays in the first cache */
    MAX_SUMS = 9,          /* 3 rows of 3 taps, or one row of up to 7 */
};

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

/* Where sums meet inputs: ny rows of taps whose first lies over the inputs `from`, their sums [ny * kw, C] at
 * `to`. */
typedef struct tap_rows {
    const float *from;
    float *to;
} tap_rows;

/* Add outputs [x0, x1) of one row to the taps [kx0, kx1) of ny rows, one vector of channels. */
AT_FORCE_INLINE void add_outputs(const walk *k, const walk_row *r, const tap_rows *t, const int64_t ny,
                                 const int64_t kw, const int64_t stride, const int64_t dilation,
                                 const int64_t kx0, const int64_t kx1, int64_t x0, int64_t x1,
                                 int64_t channel, const int64_t lanes)
{
    const int64_t C = k->to->cols, pitch = k->from->pitch;
    float *to = t->to + channel;
    vf sum[MAX_SUMS];
#pragma GCC unroll 3
    for (int64_t y = 0; y < ny; y++)
#pragma GCC unroll 7
        for (int64_t x = kx0; x < kx1; x++) sum[y * kw + x] = vf_load_n(to + (y * kw + x) * C, lanes);
    for (int64_t ox = x0; ox < x1; ox++) {
        const vf d = vf_load_n(r->to + ox * k->to->pitch + channel, lanes);
        const int64_t first = ox * stride - k->pad_left;
#pragma GCC unroll 3
        for (int64_t y = 0; y < ny; y++)
#pragma GCC unroll 7
            for (int64_t x = kx0; x < kx1; x++)
                sum[y * kw + x] +=
                    d *
                    vf_load_n(t->from + y * r->from_step + (first + x * dilation) * pitch + channel, lanes);
    }
#pragma GCC unroll 3
    for (int64_t y = 0; y < ny; y++)
#pragma GCC unroll 7
        for (int64_t x = kx0; x < kx1; x++) vf_store_n(to + (y * kw + x) * C, sum[y * kw + x], lanes);
}

/* The same for a block of channels. */
AT_FORCE_INLINE void add_block(const walk *k, const walk_row *r, const tap_rows *t, const int64_t ny,
                               const int64_t kw, const int64_t stride, const int64_t dilation,
                               const int64_t kx0, const int64_t kx1, int64_t x0, int64_t x1, int64_t block)
{
    const int64_t last = at_min(block + BLOCK, k->to->cols);
    int64_t c = block;
    for (; c + VL <= last; c += VL) add_outputs(k, r, t, ny, kw, stride, dilation, kx0, kx1, x0, x1, c, VL);
    if (c < last) add_outputs(k, r, t, ny, kw, stride, dilation, kx0, kx1, x0, x1, c, last - c);
}

/* One output some of whose taps lie in the padding. */
AT_FORCE_INLINE void add_edge(const walk *k, const walk_row *r, const tap_rows *t, const int64_t ny,
                              const int64_t kw, const int64_t stride, const int64_t dilation, int64_t ox,
                              int64_t block)
{
    int64_t kx0, kx1;
    walk_inside(ox, stride, dilation, k->pad_left, kw, k->from->dim[2], &kx0, &kx1);
    if (kw == 3 && kx0 == 1 && kx1 == 3)
        add_block(k, r, t, ny, kw, stride, dilation, 1, 3, ox, ox + 1, block);
    else if (kw == 3 && kx0 == 0 && kx1 == 2)
        add_block(k, r, t, ny, kw, stride, dilation, 0, 2, ox, ox + 1, block);
    else
        add_block(k, r, t, ny, kw, stride, dilation, kx0, kx1, ox, ox + 1, block);
}

AT_FORCE_INLINE void add_row(const walk *k, const walk_row *r, const tap_rows *t, const int64_t ny,
                             const int64_t kw, const int64_t stride, const int64_t dilation)
{
    const int64_t near = at_max(4, NEAR_BYTES / (BLOCK * (int64_t)sizeof(float) * (1 + ny * stride)));
    for (int64_t block = 0; block < k->to->cols; block += BLOCK) {
        for (int64_t ox = 0; ox < r->full0; ox++) add_edge(k, r, t, ny, kw, stride, dilation, ox, block);
        for (int64_t ox = r->full0; ox < r->full1; ox += near)
            add_block(k, r, t, ny, kw, stride, dilation, 0, kw, ox, at_min(ox + near, r->full1), block);
        for (int64_t ox = r->full1; ox < k->to->dim[2]; ox++)
            add_edge(k, r, t, ny, kw, stride, dilation, ox, block);
    }
}

/* All rows of taps at once where that is compiled, else one after the other. */
AT_FORCE_INLINE void add_rows(const walk *k, const walk_row *r, float *sums, const int64_t kw,
                              const int64_t stride, const int64_t dilation)
{
    const int64_t tap_row = kw * k->to->cols;
    if (kw == 3 && r->ky1 - r->ky0 == 3) {
        add_row(k, r, &(tap_rows){r->from, sums + r->ky0 * tap_row}, 3, kw, stride, dilation);
        return;
    }
    for (int64_t y = 0; y < r->ky1 - r->ky0; y++)
        add_row(k, r, &(tap_rows){r->from + y * r->from_step, sums + (r->ky0 + y) * tap_row}, 1, kw, stride,
                dilation);
}

static void dw_chunk(void *arg, int64_t index, int thread)
{
    (void)thread;
    const walk *k = arg;
    const int64_t n = k->kh * k->kw * k->to->cols, Ho = k->to->dim[1];
    const int64_t first = index * k->tile_rows, last = at_min(first + k->tile_rows, k->to->dim[0] * Ho);
    float *sums = k->partial + index * n;
    memset(sums, 0, (size_t)n * sizeof(float));
    for (int64_t row = first; row < last; row++) {
        const walk_row r = walk_at_row(k, row / Ho, row % Ho);
        if (walk_is_three(k, 1))
            add_rows(k, &r, sums, 3, 1, 1);
        else if (walk_is_three(k, 2))
            add_rows(k, &r, sums, 3, 2, 1);
        else
            add_rows(k, &r, sums, k->kw, k->stride_x, k->dilation_x);
    }
}

static at_status dw(const at_call *c)
{
    const at_conv2d_param *p = c->param;
    walk k = {.from = &c->in[1],
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
                                                   .supports = walk_supports,
                                                   .need = dw_need,
                                                   .run = dw};
