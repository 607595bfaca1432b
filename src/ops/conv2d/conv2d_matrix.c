/* conv2d_matrix.c: convolutions by the packed product: y = im2col(x) B, dw = dy^T im2col(x) (im2col_simd.h).
 * A 1x1 convolution of stride 1 reads its operand in place. Groups are products one after another. dx:
 * conv2d_dx_matrix.c. */
#include "ops/conv2d/conv2d.h"
#include "ops/conv2d/im2col_simd.h"
#include "ops/linear/pack_simd.h"

/* x: [S,H,W,..], y: [S,H',W',..] and kernel: [kh,kw] */
static at_gemm_taps taps_of(const at_conv2d_param *p, const int64_t *x, const int64_t *y,
                            const int64_t *kernel, int64_t channels)
{
    return (at_gemm_taps){.channels = channels,
                          .samples = x[0],
                          .y = {x[1], y[1], p->stride_y, kernel[0], -p->pad_top, p->dilation_y},
                          .x = {x[2], y[2], p->stride_x, kernel[1], -p->pad_left, p->dilation_x}};
}

/* Of x, in a group. */
static at_gemm_taps taps_of_group(const at_conv2d_param *p, const at_arg *x, const at_arg *y,
                                  const int64_t *kernel, int64_t channels, int64_t group)
{
    at_gemm_taps t = taps_of(p, x->dim, y->dim, kernel, channels);
    t.data = (const at_element *)x->data + group * channels;
    t.pitch = x->pitch;
    return t;
}

/* ---- y; packed weights are the groups' panels one after another ---- */

static at_status prepare(const at_call *c)
{
    const at_conv2d_param *p = c->param;
    const at_arg *w = &c->in[1];
    return pack_forward(c, w, p->groups, w->dim[2] * w->dim[3]);
}

/* Of one group. */
static void prepare_part(const at_call *c, int64_t part)
{
    const at_arg *w = &c->in[1];
    pack_forward_part(c, w, w->dim[2] * w->dim[3], part);
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
    out->prepared[0].part = p->groups == 1 ? prepare_part : NULL;
    out->prepared[0].part_rows = GEMM_NR;
}

static at_status forward(const at_call *c)
{
    const at_conv2d_param *p = c->param;
    const at_arg *x = &c->in[0], *w = &c->in[1], *y = &c->out[0];
    const int64_t ins = w->dim[1], outs = w->dim[0] / p->groups, K = ins * w->dim[2] * w->dim[3];
    const float *bias = c->in[2].data;
    for (int64_t g = 0; g < p->groups; g++) {
        const at_gemm_taps taps = taps_of_group(p, x, y, &w->dim[2], ins, g);
        const at_gemm_job job = {.M = y->rows,
                                 .N = outs,
                                 .K = K,
                                 .a = im2col_matrix(&taps),
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
    const bool plain = im2col_is_plain(&taps);
    AT_SIMD(at_gemm_outer_scratch)
    (at_meta_max_rows(&problem->in[0]), dw->dim[0] / p->groups, dw->dim[1] * dw->dim[2] * dw->dim[3], !plain,
     plain ? NULL : &taps, &out->scratch, &out->thread_scratch);
}

static at_status dw(const at_call *c)
{
    const at_conv2d_param *p = c->param;
    const at_arg *dy = &c->in[0], *x = &c->in[1], *out = &c->out[0];
    const int64_t outs = out->dim[0] / p->groups, ins = out->dim[1], taps = out->dim[2] * out->dim[3];
    for (int64_t g = 0; g < p->groups; g++) {
        const at_gemm_taps through = taps_of_group(p, x, dy, &out->dim[2], ins, g);
        const at_gemm_outer_job job = {.rows = dy->rows,
                                       .M = outs,
                                       .N = ins * taps,
                                       .a = (const at_element *)dy->data + g * outs,
                                       .a_pitch = dy->pitch,
                                       .b = im2col_matrix(&through),
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
