/* sgd_isa.c: gradient descent at memory speed. */
#include "base/simd.h"
#include "ops/optim/sgd.h"

static void piece(const at_call *c, const at_range *r, int64_t lo, int64_t hi)
{
    const at_sgd_param *p = c->param;
    float *x = c->in[0].data, *b = c->in[2].data;
    const float *g = c->in[1].data;
    const vf scale = vf_set(*(const float *)c->in[3].data), decay = vf_set((float)r->decay);
    const vf rate = vf_set((float)((double)*(const float *)c->in[5].data * r->rate)),
             mu = vf_set((float)p->momentum);
    for (int64_t i = lo; i < hi; i += VL) {
        const int64_t n = at_min(VL, hi - i);
        const vf xi = vf_load_n(x + i, n);
        vf direction = vf_load_n(g + i, n) * scale + decay * xi;
        if (b) {
            const vf bi = mu * vf_load_n(b + i, n) + direction;
            vf_store_n(b + i, bi, n);
            if (p->nesterov)
                direction += mu * bi;
            else
                direction = bi;
        }
        vf_store_n(x + i, xi - rate * direction, n);
    }
}

static at_status run(const at_call *c)
{
    const at_sgd_param *p = c->param;
    if (*(const float *)c->in[4].data > 0) at_for_ranges(c, &p->ranges, piece);
    return AT_OK;
}

const at_kernel AT_SIMD(at_kernel_sgd) = {
    .name = "sgd." AT_SIMD_VARIANT,
    .op = &at_op_sgd,
    .isa = AT_SIMD_LEVEL,
    .remakes = true,
    .run = run,
};
