/* cosine_loss_simd.c: a pair at a time: its three sums, then both gradients. */
#include "engine/dot_simd.h"
#include "ops/cosine_loss/cosine_loss.h"
#include <math.h>

static const float LEAST = (float)AT_COSINE_LEAST;

/* dx = slope (other / |other| - cosine x / |x|) / |x| */
static void put_gradient(const at_call *c, int64_t m, const at_element *x, float x_length,
                         const at_element *other, float other_length, float cosine, float slope)
{
    at_element *dx = (at_element *)c->out[2].data + m * c->out[2].pitch;
    const vf of_other = vf_set(slope / x_length / other_length);
    const vf of_x = vf_set(slope * cosine / x_length / x_length);
    for (int64_t i = 0; i < c->in[1].cols; i += VL) {
        const int64_t lanes = at_min(VL, c->in[1].cols - i);
        vf v = of_other * va_load_n(other + i, lanes) - of_x * va_load_n(x + i, lanes);
        if (c->accumulate >> 2 & 1) v += va_load_n(dx + i, lanes);
        va_store_n(dx + i, v, lanes);
    }
}

static void pair(void *arg, int64_t s, int thread)
{
    (void)thread;
    const at_call *c = arg;
    const int64_t C = c->in[1].cols;
    const at_element *a = (const at_element *)c->in[1].data + 2 * s * c->in[1].pitch, *b = a + c->in[1].pitch;
    const float a_length = fmaxf(sqrtf(va_dot(a, a, C)), LEAST),
                b_length = fmaxf(sqrtf(va_dot(b, b, C)), LEAST),
                cosine = va_dot(a, b, C) / a_length / b_length;
    const double miss = (double)cosine - (double)*at_row(c, 0, s);
    ((double *)c->scratch)[s] = miss * miss;
    if (!c->out[2].data) return;
    put_gradient(c, 2 * s, a, a_length, b, b_length, cosine, (float)(2 * miss));
    put_gradient(c, 2 * s + 1, b, b_length, a, a_length, cosine, (float)(2 * miss));
}

static void need(const at_problem *p, at_need *out)
{
    out->scratch = (size_t)at_meta_max_rows(&p->in[0]) * sizeof(double);
}

static at_status run(const at_call *c)
{
    at_parallel_for(c->pool, c->in[0].rows, pair, (void *)(uintptr_t)c);
    at_put_loss(c, at_sum_of_rows(c->scratch, c->in[0].rows), (double)c->in[0].rows);
    return AT_OK;
}

const at_kernel AT_SIMD(at_kernel_cosine_loss) = {.name = "cosine_loss." AT_SIMD_VARIANT,
                                                  .op = &at_op_cosine_loss,
                                                  .isa = AT_SIMD_LEVEL,
                                                  .act = AT_SIMD_ACT,
                                                  .need = need,
                                                  .run = run};
