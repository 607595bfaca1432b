/* conv2d_matrix.c: convolutions by the packed product: y = im2col(x) B, dw = dy^T im2col(x), where the loader
 * writes the few rows that the product is about to use. A 1x1 convolution of stride 1 reads its operand in
 * place. Columns are ordered (tap, channel), so that a tap is one run of memory. Groups are products one
 * after another. dx: conv2d_dx_matrix.c. */
#include "ops/conv2d/conv2d.h"
#include "ops/conv2d/grid.h"
#include "ops/linear/pack_simd.h"

/* A picture batch read as the rows of a product. */
typedef struct view {
    const at_element *data;        /* at the group's first channel */
    int64_t pitch, channels, H, W; /* of what is read */
    grid rows;                     /* of the product: pixels of the other picture */
    int64_t kw;
    bool is_dense; /* taps along x are one run of memory */
    const at_conv2d_param *p;
    at_gemm_taps taps; /* the same in the product's terms */
} view;

/* x: [S,H,W,..], y: [S,H',W',..] and kernel: [kh,kw] */
static at_gemm_taps taps_of(const at_conv2d_param *p, const int64_t *x, const int64_t *y,
                            const int64_t *kernel, int64_t channels)
{
    return (at_gemm_taps){.channels = channels,
                          .samples = x[0],
                          .y = {x[1], y[1], p->stride_y, kernel[0], -p->pad_top, p->dilation_y},
                          .x = {x[2], y[2], p->stride_x, kernel[1], -p->pad_left, p->dilation_x}};
}

static view view_of(const at_conv2d_param *p, const at_arg *x, const at_arg *y, const int64_t *kernel,
                    int64_t channels)
{
    view v = {.pitch = x->pitch,
              .channels = channels,
              .H = x->dim[1],
              .W = x->dim[2],
              .rows = {y->dim[1], y->dim[2]},
              .kw = kernel[1],
              .is_dense = p->dilation_x == 1 && x->pitch == channels,
              .p = p,
              .taps = taps_of(p, x->dim, y->dim, kernel, channels)};
    v.taps.pitch = x->pitch;
    return v;
}

static void choose_group(view *v, const at_arg *x, int64_t group)
{
    v->data = (const at_element *)x->data + group * v->channels;
    v->taps.data = v->data;
}

static void zero(gemm_operand *out, int64_t n)
{
    for (int64_t i = 0; i < n; i++) out[i] = 0;
}

/* ---- im2col of x: row (s, y, x), columns (ky, kx, channel) ---- */

/* n elements, from element `first` on, of the taps along x that begin at pixel ix of a line; line NULL: it
 * lies outside the picture. */
static inline void load_taps(const view *v, gemm_operand *out, const at_element *line, int64_t ix,
                             int64_t first, int64_t n)
{
    const int64_t C = v->channels;
    if (!line) {
        zero(out, n);
        return;
    }
    for (int64_t last = first + n; first < last;) {
        const int64_t x = ix + first / C * v->p->dilation_x, channel = first % C,
                      now = at_min(C - channel, last - first);
        if (x >= 0 && x < v->W)
            gemm_copy(out, line + x * v->pitch + channel, now);
        else
            zero(out, now);
        out += now;
        first += now;
    }
}

/* Pixels of a row of the product, from `at` on, all of whose taps along x are one run inside the picture. */
static inline int64_t pixels_inside(const view *v, const place *at)
{
    const int64_t reach = v->W + v->p->pad_left - v->kw;
    if (!v->is_dense || at->x * v->p->stride_x < v->p->pad_left || reach < 0) return 0;
    return at_max(0, at_min(v->rows.width, reach / v->p->stride_x + 1) - at->x);
}

static void load(const void *arg, void *out, int64_t ld, int64_t row, int64_t rows, int64_t col, int64_t cols)
{
    const view *v = arg;
    const int64_t run = v->kw * v->channels; /* columns of one ky */
    const int64_t first_ky = col / run, line_size = v->W * v->pitch, next = v->p->stride_x * v->channels;
    gemm_operand *to = out;
    place at = place_of(&v->rows, row);
    for (int64_t i = 0, now; i < rows; i += now, to += now * ld) {
        const int64_t inside = at_min(pixels_inside(v, &at), rows - i);
        const int64_t ix = at.x * v->p->stride_x - v->p->pad_left;
        int64_t iy = at.y * v->p->stride_y - v->p->pad_top + first_ky * v->p->dilation_y;
        now = at_max(1, inside);
        for (int64_t k = 0, first = col - first_ky * run; k < cols; first = 0, iy += v->p->dilation_y) {
            const int64_t n = at_min(run - first, cols - k);
            const at_element *line = iy >= 0 && iy < v->H ? v->data + (at.s * v->H + iy) * line_size : NULL;
            if (line && inside)
                for (int64_t p = 0; p < inside; p++)
                    gemm_copy(to + p * ld + k, line + ix * v->channels + first + p * next, n);
            else
                for (int64_t p = 0; p < now; p++)
                    load_taps(v, to + p * ld + k, line, ix + p * v->p->stride_x, first, n);
            k += n;
        }
        at.x += now - 1;
        step(&v->rows, &at);
    }
}

/* 1x1, stride 1, no padding: row m of the product is row m of memory. */
static bool is_pointwise(const at_conv2d_param *p, int64_t kh, int64_t kw)
{
    return kh == 1 && kw == 1 && p->stride_y == 1 && p->stride_x == 1 && p->pad_top == 0 &&
           p->pad_left == 0 && p->pad_bottom == 0 && p->pad_right == 0;
}

static at_gemm_matrix matrix_of(const view *v, int64_t kh)
{
    if (is_pointwise(v->p, kh, v->kw)) return (at_gemm_matrix){.data = v->data, .pitch = v->pitch};
    return (at_gemm_matrix){.load = load, .arg = v, .taps = &v->taps};
}

/* ---- y; packed weights are the groups' panels one after another ---- */

static at_status prepare(const at_call *c)
{
    const at_conv2d_param *p = c->param;
    const at_arg *w = &c->in[1];
    return pack_forward(c, w, p->groups, w->dim[2] * w->dim[3]);
}

static void forward_need(const at_problem *problem, at_need *out)
{
    const at_conv2d_param *p = problem->param;
    const at_meta *w = &problem->in[1];
    const int64_t K = w->dim[1] * w->dim[2] * w->dim[3], N = w->dim[0] / p->groups;
    const at_gemm_taps taps = taps_of(p, problem->in[0].dim, problem->out[0].dim, &w->dim[2], w->dim[1]);
    out->thread_scratch = AT_SIMD(at_gemm_thread_scratch)(K, N, &taps);
    out->n_prepared = 1;
    out->prepared[0].from = 2;
    out->prepared[0].bytes = (size_t)(p->groups * gemm_packed_size(K, N)) * sizeof(gemm_operand);
    out->prepared[0].prepare = prepare;
}

static at_status forward(const at_call *c)
{
    const at_conv2d_param *p = c->param;
    const at_arg *x = &c->in[0], *w = &c->in[1], *y = &c->out[0];
    const int64_t ins = w->dim[1], outs = w->dim[0] / p->groups, K = ins * w->dim[2] * w->dim[3];
    const float *bias = c->in[2].data;
    view v = view_of(p, x, y, &w->dim[2], ins);
    for (int64_t g = 0; g < p->groups; g++) {
        choose_group(&v, x, g);
        const at_gemm_job job = {.M = y->rows,
                                 .N = outs,
                                 .K = K,
                                 .a = matrix_of(&v, w->dim[2]),
                                 .b = (const gemm_operand *)c->prepared[0] + g * gemm_packed_size(K, outs),
                                 .c = (at_element *)y->data + g * outs,
                                 .c_pitch = y->pitch,
                                 .bias = bias ? bias + g * outs : NULL,
                                 .accumulate = c->accumulate & 1,
                                 .pool = c->pool,
                                 .thread_scratch = c->thread_scratch,
                                 .thread_stride = c->thread_stride};
        AT_SIMD(at_gemm)(&job);
    }
    return AT_OK;
}

const at_kernel AT_SIMD(at_kernel_conv2d) = {.name = "conv2d." AT_SIMD_VARIANT,
                                             .op = &at_op_conv2d,
                                             .isa = AT_SIMD_LEVEL,
                                             .act = AT_SIMD_ACT,
                                             .reads_storage = 2,
                                             .need = forward_need,
                                             .run = forward};

/* ---- dw ---- */

static void dw_need(const at_problem *problem, at_need *out)
{
    const at_conv2d_param *p = problem->param;
    const at_meta *dw = &problem->out[0];
    const at_gemm_taps taps = taps_of(p, problem->in[1].dim, problem->in[0].dim, &dw->dim[2], dw->dim[1]);
    const bool pointwise = is_pointwise(p, dw->dim[2], dw->dim[3]);
    AT_SIMD(at_gemm_outer_scratch)
    (at_meta_max_rows(&problem->in[0]), dw->dim[0] / p->groups, dw->dim[1] * dw->dim[2] * dw->dim[3],
     !pointwise, pointwise ? NULL : &taps, &out->scratch, &out->thread_scratch);
}

static at_status dw(const at_call *c)
{
    const at_conv2d_param *p = c->param;
    const at_arg *dy = &c->in[0], *x = &c->in[1], *out = &c->out[0];
    const int64_t outs = out->dim[0] / p->groups, ins = out->dim[1], taps = out->dim[2] * out->dim[3];
    view v = view_of(p, x, dy, &out->dim[2], ins);
    for (int64_t g = 0; g < p->groups; g++) {
        choose_group(&v, x, g);
        const at_gemm_outer_job job = {.rows = dy->rows,
                                       .M = outs,
                                       .N = ins * taps,
                                       .a = (const at_element *)dy->data + g * outs,
                                       .a_pitch = dy->pitch,
                                       .b = matrix_of(&v, out->dim[2]),
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
