/* depthwise_dw_simd.c: the gradient of depthwise convolution with respect to its weights: partial sums [tap,
 * C] of fixed chunks of output rows, added in order. Within a row outputs are taken in order, a few at a time
 * for all channels of a block, so that pixels are read whole; meanwhile the sums of a 3 x 3 kernel stay in
 * registers. */
#include "ops/depthwise/walk_simd.h"

enum {
    BLOCK = 64,            /* channels */
    NEAR_BYTES = 24 << 10, /* of dy and x: what is read for several taps stays in the first cache */
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

/* Add outputs [x0, x1) of one row to the sums of all 3 x 3 taps, which stay in registers; one vector of
 * channels. */
AT_FORCE_INLINE void add_nine(const walk *k, const walk_row *r, float *sums, const int64_t stride, int64_t x0,
                              int64_t x1, int64_t channel, const int64_t lanes)
{
    const int64_t C = k->to->cols, pitch = k->from->pitch;
    vf sum[9];
#pragma GCC unroll 9
    for (int t = 0; t < 9; t++) sum[t] = vf_load_n(sums + t * C + channel, lanes);
    for (int64_t ox = x0; ox < x1; ox++) {
        const vf d = va_load_n(r->to + ox * k->to->pitch + channel, lanes);
        const at_element *from = r->from + (ox * stride - k->pad_left) * pitch + channel;
#pragma GCC unroll 9
        for (int t = 0; t < 9; t++)
            sum[t] += d * va_load_n(from + t / 3 * r->from_step + t % 3 * pitch, lanes);
    }
#pragma GCC unroll 9
    for (int t = 0; t < 9; t++) vf_store_n(sums + t * C + channel, sum[t], lanes);
}

/* The same for a block of channels. */
AT_FORCE_INLINE void add_nine_block(const walk *k, const walk_row *r, float *sums, const int64_t stride,
                                    int64_t x0, int64_t x1, int64_t block)
{
    const int64_t last = at_min(block + BLOCK, k->to->cols);
    int64_t c = block;
    for (; c + VL <= last; c += VL) add_nine(k, r, sums, stride, x0, x1, c, VL);
    if (c < last) add_nine(k, r, sums, stride, x0, x1, c, last - c);
}

/* Any kernel: outputs [x0, x1) of one row to the taps [kx0, kx1) of the rows that lie inside, tap by tap. */
static void add_taps(const walk *k, const walk_row *r, float *sums, int64_t kx0, int64_t kx1, int64_t x0,
                     int64_t x1, int64_t block)
{
    const int64_t C = k->to->cols, last = at_min(block + BLOCK, C), pitch = k->from->pitch;
    for (int64_t y = 0; y < r->ky1 - r->ky0; y++)
        for (int64_t x = kx0; x < kx1; x++)
            for (int64_t c = block; c < last; c += VL) {
                const int64_t lanes = at_min(VL, last - c);
                float *to = sums + ((r->ky0 + y) * k->kw + x) * C + c;
                const at_element *from =
                    r->from + y * r->from_step + (x * k->dilation_x - k->pad_left) * pitch + c;
                vf sum = vf_load_n(to, lanes);
                for (int64_t ox = x0; ox < x1; ox++)
                    sum += va_load_n(r->to + ox * k->to->pitch + c, lanes) *
                           va_load_n(from + ox * k->stride_x * pitch, lanes);
                vf_store_n(to, sum, lanes);
            }
}

/* One output some of whose taps lie in the padding. */
static void add_edge(const walk *k, const walk_row *r, float *sums, int64_t ox, int64_t block)
{
    int64_t kx0, kx1;
    walk_inside(ox, k->stride_x, k->dilation_x, k->pad_left, k->kw, k->from->dim[2], &kx0, &kx1);
    add_taps(k, r, sums, kx0, kx1, ox, ox + 1, block);
}

static void add_row(const walk *k, const walk_row *r, float *sums)
{
    const int64_t near =
        at_max(4, NEAR_BYTES / (BLOCK * (int64_t)sizeof(at_element) * (1 + k->kh * k->stride_x)));
    const bool nine = r->ky1 - r->ky0 == 3 && k->kh == 3;
    for (int64_t block = 0; block < k->to->cols; block += BLOCK) {
        for (int64_t ox = 0; ox < r->full0; ox++) add_edge(k, r, sums, ox, block);
        for (int64_t ox = r->full0; ox < r->full1; ox += near) {
            const int64_t end = at_min(ox + near, r->full1);
            if (nine && walk_is_three(k, 1))
                add_nine_block(k, r, sums, 1, ox, end, block);
            else if (nine && walk_is_three(k, 2))
                add_nine_block(k, r, sums, 2, ox, end, block);
            else
                add_taps(k, r, sums, 0, k->kw, ox, end, block);
        }
        for (int64_t ox = r->full1; ox < k->to->dim[2]; ox++) add_edge(k, r, sums, ox, block);
    }
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
        add_row(k, &r, sums);
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
                                                   .act = AT_SIMD_ACT,
                                                   .supports = walk_supports,
                                                   .need = dw_need,
                                                   .run = dw};
