/* depthwise_dw_simd.c: the gradient of depthwise convolution with respect to its weights: partial sums [tap,
 * C] of fixed chunks of output rows, added in order. Within a row outputs are taken in order, a few at a time
 * for all channels of a block, so that pixels are read whole; meanwhile the sums of rows of three taps stay
 * in registers. */
#include "ops/depthwise/walk_simd.h"

enum {
    BLOCK = 64,            /* channels */
    SLIDES = VL == 16,     /* there are registers for nine sums and six inputs */
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

/* Add one output to the sums of the taps [kx0, kx1) of `rows` rows of a kernel three wide. */
AT_FORCE_INLINE void add_output(const walk *k, const walk_row *r, vf *sum, const int rows, const int kx0,
                                const int kx1, const int64_t stride, int64_t ox, int64_t channel)
{
    const int64_t pitch = k->from->pitch;
    const vf d = va_load(r->to + ox * k->to->pitch + channel);
    const at_element *from = r->from + (ox * stride - k->pad_left) * pitch + channel;
#pragma GCC unroll 3
    for (int y = 0; y < rows; y++)
#pragma GCC unroll 3
        for (int x = kx0; x < kx1; x++) sum[y * 3 + x] += d * va_load(from + y * r->from_step + x * pitch);
}

/* The same for all taps of outputs [x0, x1) at stride 1: each input is loaded, and widened, once. */
AT_FORCE_INLINE void add_sliding(const walk *k, const walk_row *r, vf *sum, const int rows, int64_t x0,
                                 int64_t x1, int64_t channel)
{
    const int64_t pitch = k->from->pitch;
    const at_element *from = r->from + (x0 - k->pad_left) * pitch + channel;
    vf left[3], middle[3];
#pragma GCC unroll 3
    for (int y = 0; y < rows; y++) {
        left[y] = va_load(from + y * r->from_step);
        middle[y] = va_load(from + y * r->from_step + pitch);
    }
    for (int64_t ox = x0; ox < x1; ox++, from += pitch) {
        const vf d = va_load(r->to + ox * k->to->pitch + channel);
#pragma GCC unroll 3
        for (int y = 0; y < rows; y++) {
            const vf right = va_load(from + y * r->from_step + 2 * pitch);
            sum[y * 3] += d * left[y];
            sum[y * 3 + 1] += d * middle[y];
            sum[y * 3 + 2] += d * right;
            left[y] = middle[y];
            middle[y] = right;
        }
    }
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

/* Add outputs [x0, x1) of one row to the sums of `rows` rows of three taps, which stay in registers; one
 * vector of channels. */
AT_FORCE_INLINE void add_threes(const walk *k, const walk_row *r, float *sums, const int rows,
                                const int64_t stride, int64_t x0, int64_t x1, int64_t channel)
{
    const int64_t C = k->to->cols, W = k->from->dim[2];
    vf sum[9];
    sums += r->ky0 * 3 * C + channel;
#pragma GCC unroll 9
    for (int t = 0; t < rows * 3; t++) sum[t] = vf_load(sums + t * C);
    for (int64_t ox = x0; ox < x1;) {
        const int64_t first = ox * stride - k->pad_left;
        if (first >= 0 && first + 3 <= W) {
            const int64_t end = at_min(x1, r->full1);
            if (SLIDES && stride == 1)
                add_sliding(k, r, sum, rows, ox, end, channel);
            else
                for (int64_t i = ox; i < end; i++) add_output(k, r, sum, rows, 0, 3, stride, i, channel);
            ox = end;
            continue;
        }
        if (first + 3 <= W)
            add_output(k, r, sum, rows, 1, 3, stride, ox, channel);
        else if (first >= 0)
            add_output(k, r, sum, rows, 0, 2, stride, ox, channel);
        else
            add_output(k, r, sum, rows, 1, 2, stride, ox, channel);
        ox++;
    }
#pragma GCC unroll 9
    for (int t = 0; t < rows * 3; t++) vf_store(sums + t * C, sum[t]);
}

/* The same for a block of channels. */
AT_FORCE_INLINE void add_threes_block(const walk *k, const walk_row *r, float *sums, const int rows,
                                      const int64_t stride, int64_t x0, int64_t x1, int64_t block)
{
    const int64_t last = at_min(block + BLOCK, k->to->cols);
    int64_t c = block;
    for (; c + VL <= last; c += VL) add_threes(k, r, sums, rows, stride, x0, x1, c);
    if (c < last) /* less than a vector */
        for (int64_t ox = x0; ox < x1; ox++) add_edge(k, r, sums, ox, c);
}

/* Does every output miss at most the first and the last tap of a row? */
static bool misses_one(const walk *k)
{
    const int64_t behind = k->from->dim[2] - ((k->to->dim[2] - 1) * k->stride_x - k->pad_left);
    return k->pad_left <= 1 && behind >= 2;
}

/* Outputs a time. */
static int64_t outputs_near(const walk *k)
{
    return at_max(4, NEAR_BYTES / (BLOCK * (int64_t)sizeof(at_element) * (1 + k->kh * k->stride_x)));
}

AT_FORCE_INLINE void add_row_of_threes(const walk *k, const walk_row *r, float *sums, const int rows,
                                       const int64_t stride)
{
    const int64_t near = outputs_near(k), Wo = k->to->dim[2];
    for (int64_t block = 0; block < k->to->cols; block += BLOCK)
        for (int64_t ox = 0; ox < Wo; ox += near)
            add_threes_block(k, r, sums, rows, stride, ox, at_min(ox + near, Wo), block);
}

static void add_row(const walk *k, const walk_row *r, float *sums)
{
    const int64_t near = outputs_near(k);
    for (int64_t block = 0; block < k->to->cols; block += BLOCK) {
        for (int64_t ox = 0; ox < r->full0; ox++) add_edge(k, r, sums, ox, block);
        for (int64_t ox = r->full0; ox < r->full1; ox += near)
            add_taps(k, r, sums, 0, k->kw, ox, at_min(ox + near, r->full1), block);
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
    const bool of_threes = misses_one(k) && (walk_is_three(k, 1) || walk_is_three(k, 2));
    for (int64_t row = first; row < last; row++) {
        const walk_row r = walk_at_row(k, row / Ho, row % Ho);
        const int64_t rows = of_threes ? r.ky1 - r.ky0 : 0;
        if (rows == 3 && k->stride_x == 1)
            add_row_of_threes(k, &r, sums, 3, 1);
        else if (rows == 3)
            add_row_of_threes(k, &r, sums, 3, 2);
        else if (rows == 2 && k->stride_x == 1)
            add_row_of_threes(k, &r, sums, 2, 1);
        else if (rows == 2)
            add_row_of_threes(k, &r, sums, 2, 2);
        else
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
