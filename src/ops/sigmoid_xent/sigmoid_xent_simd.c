/* sigmoid_xent_simd.c: a sample at a time: loss and gradient in one sweep over its targets. */
#include "base/simd_math.h"
#include "engine/dot_simd.h"
#include "ops/sigmoid_xent/sigmoid_xent.h"

enum {
    TILE_ELEMENTS = 16384,
    CARRY = 1024 /* elements that are summed in float before they are carried into doubles */
};

static int64_t tile_rows(const at_call *c)
{
    return at_max(1, TILE_ELEMENTS / c->in[0].cols);
}

/* weight x, but 0 where the weight is: x may be infinite there. NaN stays NaN. */
AT_FORCE_INLINE vf times(vf weight, vf x)
{
    const vf zero = {0};
    return vf_select((weight == zero) & (x == x), zero, weight * x);
}

/* Of a vector of logits: the terms of the loss, and in dz the gradient. With e = e^-|z|, one of softplus(z)
 * and softplus(-z) is log(1 + e), the other one more by |z|. */
AT_FORCE_INLINE vf terms(vf z, vf y, vf w, vf *dz)
{
    const vf zero = {0}, one = vf_set(1.0f), yes = w * y, no = one - y;
    const vf size = vf_select(z < zero, -z, z), e = vf_exp(-size), share = one / (one + e);
    const vf rest = vf_log1p(e), far = e * share; /* sigmoid(|z|) and sigmoid(-|z|) are share and far */
    *dz = vf_select(z < zero, no * far - yes * share, no * share - yes * far);
    return times(yes, vf_select(z < zero, size + rest, rest)) +
           times(no, vf_select(z < zero, rest, size + rest));
}

static double sample(const at_call *c, int64_t s)
{
    const at_element *z = (const at_element *)c->in[0].data + s * c->in[0].pitch;
    const float *y = at_row(c, 1, s), *w = c->in[2].data;
    at_element *dz = c->out[2].data ? (at_element *)c->out[2].data + s * c->out[2].pitch : NULL;
    double loss = 0.0;
    for (int64_t first = 0; first < c->in[0].cols; first += CARRY) {
        const int64_t last = at_min(c->in[0].cols, first + CARRY);
        vf part = {0};
        for (int64_t k = first; k < last; k += VL) {
            const int64_t lanes = at_min(VL, last - k);
            vf d;
            const vf v = terms(va_load_n(z + k, lanes), vf_load_n(y + k, lanes),
                               w ? vf_load_n(w + k, lanes) : vf_set(1.0f), &d);
            part += lanes < VL ? vf_select(vi_first(lanes), v, (vf){0}) : v;
            if (!dz) continue;
            if (c->accumulate >> 2 & 1) d += va_load_n(dz + k, lanes);
            va_store_n(dz + k, d, lanes);
        }
        loss += (double)vf_sum(part);
    }
    return loss;
}

static void tile(void *arg, int64_t i, int thread)
{
    (void)thread;
    const at_call *c = arg;
    const int64_t rows = tile_rows(c);
    for (int64_t s = i * rows; s < at_min((i + 1) * rows, c->in[0].rows); s++)
        ((double *)c->scratch)[s] = sample(c, s);
}

static void need(const at_problem *p, at_need *out)
{
    out->scratch = (size_t)at_meta_max_rows(&p->in[0]) * sizeof(double);
}

static at_status run(const at_call *c)
{
    const int64_t rows = c->in[0].rows;
    at_parallel_for(c->pool, at_ceil_div(rows, tile_rows(c)), tile, (void *)(uintptr_t)c);
    at_put_loss(c, at_sum_of_rows(c->scratch, rows), (double)(rows * c->in[0].cols));
    return AT_OK;
}

const at_kernel AT_SIMD(at_kernel_sigmoid_xent) = {.name = "sigmoid_xent." AT_SIMD_VARIANT,
                                                   .op = &at_op_sigmoid_xent,
                                                   .isa = AT_SIMD_LEVEL,
                                                   .act = AT_SIMD_ACT,
                                                   .need = need,
                                                   .run = run};
