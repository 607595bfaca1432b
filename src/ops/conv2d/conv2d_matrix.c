/* conv2d_matrix.c: convolutions by the packed product: y = im2col(x) B, dx = im2col^T(dy) B', dw = dy^T
 * im2col(x), where the loaders write the few rows that the product is about to use. A 1x1 convolution of
 * stride 1 reads its operand in place. Columns are ordered (tap, channel), so that a tap is one run of
 * memory. Groups are products one after another. */
#include "ops/conv2d/conv2d.h"
#include "ops/linear/pack_simd.h"

/* A picture batch read as the rows of a product. */
typedef struct view {
    const at_element *data;        /* at the group's first channel */
    int64_t pitch, channels, H, W; /* of what is read */
    int64_t rows_y, rows_x;        /* row index = (s, y, x) over this grid */
    int64_t kw;
    const at_conv2d_param *p;
} view;

/* Where row `row` of the product is in the grid, and the step to the next. */
typedef struct place {
    int64_t s, y, x;
} place;

static place place_of(const view *v, int64_t row)
{
    return (place){row / (v->rows_x * v->rows_y), row / v->rows_x % v->rows_y, row % v->rows_x};
}

static void step(const view *v, place *at)
{
    if (++at->x < v->rows_x) return;
    at->x = 0;
    if (++at->y < v->rows_y) return;
    at->y = 0;
    at->s++;
}

static void zero(gemm_operand *out, int64_t n)
{
    for (int64_t i = 0; i < n; i++) out[i] = 0;
}

/* ---- im2col of x: row (s, y, x), columns (ky, kx, channel) ---- */

/* Elements [first, last) of the taps along x of one row of the picture, which begin at pixel ix. */
static void load_taps(const view *v, gemm_operand *out, const at_element *line, int64_t ix, int64_t first,
                      int64_t last)
{
    const int64_t C = v->channels;
    if (v->p->dilation_x == 1 && v->pitch == C) { /* one run of memory */
        const int64_t begin = at_min(at_max(first, -ix * C), last),
                      end = at_max(begin, at_min(last, (v->W - ix) * C));
        zero(out, begin - first);
        gemm_copy(out + (begin - first), line + ix * C + begin, end - begin);
        zero(out + (end - first), last - end);
        return;
    }
    for (int64_t at = first; at < last;) {
        const int64_t x = ix + at / C * v->p->dilation_x, channel = at % C,
                      n = at_min(C - channel, last - at);
        if (x >= 0 && x < v->W)
            gemm_copy(out, line + x * v->pitch + channel, n);
        else
            zero(out, n);
        out += n;
        at += n;
    }
}

static void load_forward(const void *arg, void *out, int64_t ld, int64_t row, int64_t rows, int64_t col,
                         int64_t cols)
{
    const view *v = arg;
    const int64_t run = v->kw * v->channels; /* columns of one ky */
    place at = place_of(v, row);
    for (int64_t i = 0; i < rows; i++, step(v, &at)) {
        const int64_t ix = at.x * v->p->stride_x - v->p->pad_left;
        for (int64_t k = col, ky = col / run; k < col + cols; ky++) {
            const int64_t first = k - ky * run, last = at_min(run, col + cols - ky * run);
            const int64_t iy = at.y * v->p->stride_y - v->p->pad_top + ky * v->p->dilation_y;
            gemm_operand *to = (gemm_operand *)out + i * ld + (k - col);
            if (iy >= 0 && iy < v->H)
                load_taps(v, to, v->data + (at.s * v->H + iy) * v->W * v->pitch, ix, first, last);
            else
                zero(to, last - first);
            k += last - first;
        }
    }
}

/* ---- Its adjoint: row (s, y, x) of x, columns (ky, kx, output channel) ---- */

/* Row of dy that input (y, x) contributed to through tap (ky, kx), or -1. */
static int64_t backward_row(const view *v, const place *at, int64_t ky, int64_t kx)
{
    const int64_t ny = at->y + v->p->pad_top - ky * v->p->dilation_y,
                  nx = at->x + v->p->pad_left - kx * v->p->dilation_x;
    if (ny < 0 || nx < 0 || ny % v->p->stride_y || nx % v->p->stride_x) return -1;
    const int64_t oy = ny / v->p->stride_y, ox = nx / v->p->stride_x;
    return oy >= v->H || ox >= v->W ? -1 : (at->s * v->H + oy) * v->W + ox;
}

static void load_backward(const void *arg, void *out, int64_t ld, int64_t row, int64_t rows, int64_t col,
                          int64_t cols)
{
    const view *v = arg;
    place at = place_of(v, row);
    for (int64_t i = 0; i < rows; i++, step(v, &at)) {
        int64_t tap = col / v->channels, channel = col % v->channels;
        for (int64_t k = 0; k < cols; tap++, channel = 0) {
            const int64_t n = at_min(v->channels - channel, cols - k);
            const int64_t from = backward_row(v, &at, tap / v->kw, tap % v->kw);
            gemm_operand *to = (gemm_operand *)out + i * ld + k;
            if (from >= 0)
                gemm_copy(to, v->data + from * v->pitch + channel, n);
            else
                zero(to, n);
            k += n;
        }
    }
}

/* 1x1, stride 1, no padding: row m of the product is row m of memory. */
static bool is_pointwise(const at_conv2d_param *p, int64_t kh, int64_t kw)
{
    return kh == 1 && kw == 1 && p->stride_y == 1 && p->stride_x == 1 && p->pad_top == 0 &&
           p->pad_left == 0 && p->pad_bottom == 0 && p->pad_right == 0;
}

static at_gemm_matrix matrix_of(const view *v, at_gemm_load_fn loader, int64_t kh)
{
    if (is_pointwise(v->p, kh, v->kw)) return (at_gemm_matrix){.data = v->data, .pitch = v->pitch};
    return (at_gemm_matrix){.load = loader, .arg = v};
}

/* ---- Packed weights: the groups' panels one after another ---- */

static at_status prepare(const at_call *c, bool backward)
{
    const at_conv2d_param *p = c->param;
    const at_arg *w = &c->in[1];
    return pack_groups(c, w, p->groups, w->dim[2] * w->dim[3], backward);
}

static at_status prepare_forward(const at_call *c)
{
    return prepare(c, false);
}

static at_status prepare_backward(const at_call *c)
{
    return prepare(c, true);
}

static void packed_need(const at_problem *problem, at_need *out, bool backward)
{
    const at_conv2d_param *p = problem->param;
    const at_meta *w = &problem->in[1];
    const int64_t outs = w->dim[0] / p->groups, ins = w->dim[1], taps = w->dim[2] * w->dim[3];
    const int64_t K = (backward ? outs : ins) * taps, N = backward ? ins : outs;
    out->thread_scratch = AT_SIMD(at_gemm_thread_scratch)(K, N);
    out->n_prepared = 1;
    out->prepared[0].from = 2;
    out->prepared[0].bytes = (size_t)(p->groups * gemm_packed_size(K, N)) * sizeof(gemm_operand);
    out->prepared[0].prepare = backward ? prepare_backward : prepare_forward;
}

/* Rows of `out` times packed weights, group by group. ins: channels a group reads; outs: channels it writes.
 */
static void products(const at_call *c, view *v, at_gemm_load_fn loader, int64_t ins, int64_t outs,
                     const float *bias)
{
    const at_arg *w = &c->in[1], *out = &c->out[0];
    const int64_t taps = w->dim[2] * w->dim[3], groups = v->p->groups;
    const int64_t size = gemm_packed_size(ins * taps, outs);
    for (int64_t g = 0; g < groups; g++) {
        v->data = (const at_element *)c->in[0].data + g * ins;
        const at_gemm_job job = {.M = out->rows,
                                 .N = outs,
                                 .K = ins * taps,
                                 .a = matrix_of(v, loader, w->dim[2]),
                                 .b = (const gemm_operand *)c->prepared[0] + g * size,
                                 .c = (at_element *)out->data + g * outs,
                                 .c_pitch = out->pitch,
                                 .bias = bias ? bias + g * outs : NULL,
                                 .accumulate = c->accumulate & 1,
                                 .pool = c->pool,
                                 .thread_scratch = c->thread_scratch,
                                 .thread_stride = c->thread_stride};
        AT_SIMD(at_gemm)(&job);
    }
}

/* ---- y ---- */

static void forward_need(const at_problem *p, at_need *out)
{
    packed_need(p, out, false);
}

static at_status forward(const at_call *c)
{
    const at_conv2d_param *p = c->param;
    const at_arg *x = &c->in[0], *w = &c->in[1], *y = &c->out[0];
    view v = {.pitch = x->pitch,
              .channels = w->dim[1],
              .H = x->dim[1],
              .W = x->dim[2],
              .rows_y = y->dim[1],
              .rows_x = y->dim[2],
              .kw = w->dim[3],
              .p = p};
    products(c, &v, load_forward, w->dim[1], w->dim[0] / p->groups, c->in[2].data);
    return AT_OK;
}

const at_kernel AT_SIMD(at_kernel_conv2d) = {.name = "conv2d." AT_SIMD_VARIANT,
                                             .op = &at_op_conv2d,
                                             .isa = AT_SIMD_LEVEL,
                                             .act = AT_SIMD_ACT,
                                             .reads_storage = 2,
                                             .need = forward_need,
                                             .run = forward};

/* ---- dx ---- */

static void dx_need(const at_problem *p, at_need *out)
{
    packed_need(p, out, true);
}

static at_status dx(const at_call *c)
{
    const at_conv2d_param *p = c->param;
    const at_arg *dy = &c->in[0], *w = &c->in[1], *out = &c->out[0];
    const int64_t outs = w->dim[0] / p->groups;
    view v = {.pitch = dy->pitch,
              .channels = outs,
              .H = dy->dim[1],
              .W = dy->dim[2],
              .rows_y = out->dim[1],
              .rows_x = out->dim[2],
              .kw = w->dim[3],
              .p = p};
    products(c, &v, load_backward, outs, w->dim[1], NULL);
    return AT_OK;
}

const at_kernel AT_SIMD(at_kernel_conv2d_dx) = {.name = "conv2d_dx." AT_SIMD_VARIANT,
                                                .op = &at_op_conv2d_dx,
                                                .isa = AT_SIMD_LEVEL,
                                                .act = AT_SIMD_ACT,
                                                .reads_storage = 2,
                                                .need = dx_need,
                                                .run = dx};

/* ---- dw ---- */

static void dw_need(const at_problem *problem, at_need *out)
{
    const at_conv2d_param *p = problem->param;
    const at_meta *dw = &problem->out[0];
    AT_SIMD(at_gemm_outer_scratch)
    (at_meta_max_rows(&problem->in[0]), dw->dim[0] / p->groups, dw->dim[1] * dw->dim[2] * dw->dim[3],
     !is_pointwise(p, dw->dim[2], dw->dim[3]), &out->scratch, &out->thread_scratch);
}

static at_status dw(const at_call *c)
{
    const at_conv2d_param *p = c->param;
    const at_arg *dy = &c->in[0], *x = &c->in[1], *out = &c->out[0];
    const int64_t outs = out->dim[0] / p->groups, ins = out->dim[1], taps = out->dim[2] * out->dim[3];
    view v = {.pitch = x->pitch,
              .channels = ins,
              .H = x->dim[1],
              .W = x->dim[2],
              .rows_y = dy->dim[1],
              .rows_x = dy->dim[2],
              .kw = out->dim[3],
              .p = p};
    for (int64_t g = 0; g < p->groups; g++) {
        v.data = (const at_element *)x->data + g * ins;
        const at_gemm_outer_job job = {.rows = dy->rows,
                                       .M = outs,
                                       .N = ins * taps,
                                       .a = (const at_element *)dy->data + g * outs,
                                       .a_pitch = dy->pitch,
                                       .b = matrix_of(&v, load_forward, out->dim[2]),
                                       .c = (float *)out->data + g * outs * ins * taps,
                                       .taps = taps,
                                       .accumulate = c->accumulate & 1,
                                       .pool = c->pool,
                                       .thread_scratch = c->thread_scratch,
                                       .thread_stride = c->thread_stride,
                                       .partial = c->scratch};
        AT_SIMD(at_gemm_outer)(&job);
    }
    return AT_OK;
}

const at_kernel AT_SIMD(at_kernel_conv2d_dw) = {.name = "conv2d_dw." AT_SIMD_VARIANT,
                                                .op = &at_op_conv2d_dw,
                                                .isa = AT_SIMD_LEVEL,
                                                .act = AT_SIMD_ACT,
                                                .need = dw_need,
                                                .run = dw};
