/* mse_simd.c: one number a sample, a pitch apart: nothing to put into vectors, and a few thousand numbers a
 * step at most. Differences are taken in double, for targets may lie far from 0. */
#include "engine/dot_simd.h"
#include "ops/mse/mse.h"

static double sample(const at_call *c, int64_t s)
{
    const at_mse_param *p = c->param;
    const float x = at_element_value(((const at_element *)c->in[0].data)[s * c->in[0].pitch]);
    const double d = (double)x - ((double)at_row(c, 1, s)[0] - p->shift) / p->scale;
    if (c->out[2].data) {
        at_element *dx = (at_element *)c->out[2].data + s * c->out[2].pitch;
        const double before = c->accumulate >> 2 & 1 ? (double)at_element_value(*dx) : 0.0;
        *dx = at_element_of((float)(before + 2.0 * d));
    }
    return d * d;
}

static void need(const at_problem *p, at_need *out)
{
    out->scratch = (size_t)at_meta_max_rows(&p->in[0]) * sizeof(double);
}

static at_status run(const at_call *c)
{
    double *loss = c->scratch;
    for (int64_t s = 0; s < c->in[0].rows; s++) loss[s] = sample(c, s);
    at_put_loss(c, at_sum_of_rows(loss, c->in[0].rows), (double)c->in[0].rows);
    return AT_OK;
}

const at_kernel AT_SIMD(at_kernel_mse) = {.name = "mse." AT_SIMD_VARIANT,
                                          .op = &at_op_mse,
                                          .isa = AT_SIMD_LEVEL,
                                          .act = AT_SIMD_ACT,
                                          .need = need,
                                          .run = run};
