/* linear_matrix.c: the linear map and its gradients by the packed product. */
#include "ops/linear/linear.h"
#include "ops/linear/product_simd.h"

/* bias: NULL = none. */
static at_status product(const at_call *c, const float *bias)
{
    at_gemm_job job = linear_job(c, &c->out[0]);
    job.bias = bias;
    job.accumulate = c->accumulate & 1;
    AT_SIMD(at_gemm)(&job);
    return AT_OK;
}

/* ---- y = x W^T + b ---- */

static at_status forward(const at_call *c)
{
    return product(c, c->in[2].data);
}

const at_kernel AT_SIMD(at_kernel_linear) = {.name = "linear." AT_SIMD_VARIANT,
                                             .op = &at_op_linear,
                                             .isa = AT_SIMD_LEVEL,
                                             .act = AT_SIMD_ACT,
                                             .reads_storage = 2,
                                             .need = linear_need,
                                             .run = forward};

/* ---- dx = dy W ---- */

static at_status dx(const at_call *c)
{
    return product(c, NULL);
}

const at_kernel AT_SIMD(at_kernel_linear_dx) = {.name = "linear_dx." AT_SIMD_VARIANT,
                                                .op = &at_op_linear_dx,
                                                .isa = AT_SIMD_LEVEL,
                                                .act = AT_SIMD_ACT,
                                                .reads_storage = 2,
                                                .need = linear_need_dx,
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
