/* linear_matrix.c: the linear map and its gradients by the packed product. */
#include "ops/linear/linear.h"
#include "ops/linear/pack_simd.h"

/* ---- y = x W^T + b ---- */

static at_status prepare_forward(const at_call *c)
{
    return pack_forward(c, &c->in[1], 1, 1);
}

static void forward_need(const at_problem *p, at_need *out)
{
    out->thread_scratch = AT_SIMD(at_gemm_thread_scratch)(p->in[1].dim[1], p->in[1].dim[0], NULL);
    out->n_prepared = 1;
    out->prepared[0].from = 2;
    out->prepared[0].bytes =
        (size_t)gemm_packed_size(p->in[1].dim[1], p->in[1].dim[0]) * sizeof(gemm_operand);
    out->prepared[0].prepare = prepare_forward;
}

/* x or dy times packed weights. */
static void product(const at_call *c, const float *bias)
{
    const at_gemm_job job = {.M = c->out[0].rows,
                             .N = c->out[0].cols,
                             .K = c->in[0].cols,
                             .a = {.data = c->in[0].data, .pitch = c->in[0].pitch},
                             .b = c->prepared[0],
                             .c = c->out[0].data,
                             .c_pitch = c->out[0].pitch,
                             .bias = bias,
                             .accumulate = c->accumulate & 1,
                             .pool = c->pool,
                             .thread_scratch = c->thread_scratch,
                             .thread_stride = c->thread_stride};
    AT_SIMD(at_gemm)(&job);
}

static at_status forward(const at_call *c)
{
    product(c, c->in[2].data);
    return AT_OK;
}

const at_kernel AT_SIMD(at_kernel_linear) = {.name = "linear." AT_SIMD_VARIANT,
                                             .op = &at_op_linear,
                                             .isa = AT_SIMD_LEVEL,
                                             .act = AT_SIMD_ACT,
                                             .reads_storage = 2,
                                             .need = forward_need,
                                             .run = forward};

/* ---- dx = dy W ---- */

static at_status prepare_dx(const at_call *c)
{
    return pack_backward_one(c, &c->in[1], 1);
}

static void dx_need(const at_problem *p, at_need *out)
{
    out->thread_scratch = AT_SIMD(at_gemm_thread_scratch)(p->in[1].dim[0], p->in[1].dim[1], NULL);
    out->n_prepared = 1;
    out->prepared[0].from = 2;
    out->prepared[0].bytes =
        (size_t)gemm_packed_size(p->in[1].dim[0], p->in[1].dim[1]) * sizeof(gemm_operand);
    out->prepared[0].prepare = prepare_dx;
}

static at_status dx(const at_call *c)
{
    product(c, NULL);
    return AT_OK;
}

const at_kernel AT_SIMD(at_kernel_linear_dx) = {.name = "linear_dx." AT_SIMD_VARIANT,
                                                .op = &at_op_linear_dx,
                                                .isa = AT_SIMD_LEVEL,
                                                .act = AT_SIMD_ACT,
                                                .reads_storage = 2,
                                                .need = dx_need,
                                                .run = dx};

/* ---- dw = sum_rows dy^T x ---- */

static void dw_need(const at_problem *p, at_need *out)
{
    AT_SIMD(at_gemm_outer_scratch)
    (at_meta_max_rows(&p->in[0]), p->out[0].dim[0], p->out[0].dim[1], false, NULL, &out->scratch,
     &out->thread_scratch);
}

static at_status dw(const at_call *c)
{
    const at_gemm_outer_job job = {.rows = c->in[0].rows,
                                   .M = c->out[0].rows,
                                   .N = c->out[0].cols,
                                   .a = c->in[0].data,
                                   .a_pitch = c->in[0].pitch,
                                   .b = {.data = c->in[1].data, .pitch = c->in[1].pitch},
                                   .c = c->out[0].data,
                                   .taps = 1,
                                   .accumulate = c->accumulate & 1,
                                   .pool = c->pool,
                                   .thread_scratch = c->thread_scratch,
                                   .thread_stride = c->thread_stride,
                                   .partial = c->scratch};
    AT_SIMD(at_gemm_outer)(&job);
    return AT_OK;
}

const at_kernel AT_SIMD(at_kernel_linear_dw) = {.name = "linear_dw." AT_SIMD_VARIANT,
                                                .op = &at_op_linear_dw,
                                                .isa = AT_SIMD_LEVEL,
                                                .act = AT_SIMD_ACT,
                                                .need = dw_need,
                                                .run = dw};
