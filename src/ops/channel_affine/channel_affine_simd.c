/* channel_affine_simd.c: scale and shift per channel at memory speed, and their gradient in fixed parts. */
#include "engine/columns_simd.h"
#include "ops/channel_affine/channel_affine.h"

/* ---- forward ---- */

static void forward_need(const at_problem *p, at_need *out)
{
    out->scratch = at_patterns_bytes(at_meta_cols(&p->in[0]), 2);
}

AT_FORCE_INLINE vf affine(const vf *x, const vf *k, const vf *u)
{
    (void)u;
    return x[0] * k[0] + k[1];
}

static void forward_span(const at_call *c, void *const *at, int64_t n)
{
    at_channel_span(c, at, n, NULL, 1, 2, affine);
}

static at_status forward(const at_call *c)
{
    const int64_t C = c->out[0].cols;
    const float *scale = c->in[1].data, *shift = c->in[2].data;
    for (int64_t i = 0; i < C; i++) {
        at_pattern(c, C, 0)[i] = scale[i];
        at_pattern(c, C, 1)[i] = shift ? shift[i] : 0.0f;
    }
    at_patterns_repeat(c, C, 2);
    at_for_spans(c, 1, 1, forward_span);
    return AT_OK;
}

const at_kernel AT_SIMD(at_kernel_channel_affine) = {.name = "channel_affine." AT_SIMD_VARIANT,
                                                     .op = &at_op_channel_affine,
                                                     .isa = AT_SIMD_LEVEL,
                                                     .act = AT_SIMD_ACT,
                                                     .need = forward_need,
                                                     .run = forward};

/* ---- gradient of scale and shift ---- */

/* dshift first: the sum that rowsum makes has the same bits. */
AT_FORCE_INLINE vf dscale_terms(vf *sum, const vf *x, const vf *k, const vf *u)
{
    (void)k, (void)u;
    sum[0] += x[1];
    return sum[1] += x[0] * x[1];
}

static void dscale_tile(void *arg, int64_t i, int thread)
{
    (void)thread;
    at_column_sums_tile(arg, i, (at_sums_shape){.n_x = 2, .n_sums = 2, .terms = dscale_terms});
}

static void dscale_need(const at_problem *p, at_need *out)
{
    out->scratch = at_column_sums_bytes(at_meta_max_rows(&p->in[0]), at_meta_cols(&p->in[0]), 2);
}

static at_status gradient(const at_call *c)
{
    at_column_sums s = {.x = {&c->in[0], &c->in[1]}, .partial = c->scratch};
    at_column_sums_run(&s, 2, c->pool, dscale_tile);
    const double *dshift = at_column_sums_add(&s), *dscale = dshift + s.cols;
    for (int64_t i = 0; i < s.cols; i++) {
        if (c->out[0].data) at_put(c, 0, &at_out_row(c, 0, 0)[i], dscale[i]);
        if (c->out[1].data) at_put(c, 1, &at_out_row(c, 1, 0)[i], dshift[i]);
    }
    return AT_OK;
}

const at_kernel AT_SIMD(at_kernel_channel_affine_dscale) = {.name = "channel_affine_dscale." AT_SIMD_VARIANT,
                                                            .op = &at_op_channel_affine_dscale,
                                                            .isa = AT_SIMD_LEVEL,
                                                            .act = AT_SIMD_ACT,
                                                            .need = dscale_need,
                                                            .run = gradient};
