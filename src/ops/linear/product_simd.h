/* product_simd.h: the linear map and its dx as products with packed weights, in[1] [out,in]. For *_matrix.c
 * files of ops. */
#ifndef AT_LINEAR_PRODUCT_SIMD_H
#define AT_LINEAR_PRODUCT_SIMD_H

#include "ops/linear/pack_simd.h"

static inline at_status linear_prepare(const at_call *c)
{
    return pack_forward(c, &c->in[1], 1, 1);
}

static inline void linear_part(const at_call *c, int64_t part)
{
    pack_forward_part(c, &c->in[1], 1, part);
}

static inline at_status linear_prepare_dx(const at_call *c)
{
    return pack_backward_one(c, &c->in[1], 1);
}

static inline void linear_part_dx(const at_call *c, int64_t part)
{
    pack_backward_part(c, &c->in[1], part);
}

static inline void linear_need_of(at_need *out, int64_t K, int64_t N, at_run_fn prepare, at_part_fn part)
{
    out->thread_scratch = AT_SIMD(at_gemm_thread_scratch)(K, N, NULL);
    out->n_prepared = 1;
    out->prepared[0].from = 2;
    out->prepared[0].bytes = (size_t)gemm_packed_size(K, N) * sizeof(gemm_operand);
    out->prepared[0].prepare = prepare;
    out->prepared[0].part = part;
    out->prepared[0].part_rows = GEMM_NR;
}

static inline void linear_need(const at_problem *p, at_need *out)
{
    linear_need_of(out, p->in[1].dim[1], p->in[1].dim[0], linear_prepare, linear_part);
}

static inline void linear_need_dx(const at_problem *p, at_need *out)
{
    linear_need_of(out, p->in[1].dim[0], p->in[1].dim[1], linear_prepare_dx, linear_part_dx);
}

/* Rows of in[0] times the weights, to `to`. */
static inline at_gemm_job linear_job(const at_call *c, const at_arg *to)
{
    return (at_gemm_job){.M = to->rows,
                         .N = to->cols,
                         .K = c->in[0].cols,
                         .a = {.data = c->in[0].data, .pitch = c->in[0].pitch},
                         .b = c->prepared[0],
                         .c = to->data,
                         .c_pitch = to->pitch,
                         .pool = c->pool,
                         .thread_scratch = c->thread_scratch,
                         .thread_stride = c->thread_stride};
}

#endif
