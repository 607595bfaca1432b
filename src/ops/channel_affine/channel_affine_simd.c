/* channel_affine_simd.c: scale and shift per channel at memory speed, and their gradient in fixed chunks. */
#include "engine/columns_simd.h"
#include "ops/channel_affine/channel_affine.h"

/* ---- forward: patterns of scale and shift in scratch ---- */

enum { AHEAD = 256 }; /* elements */

static void forward_need(const at_problem *p, at_need *out)
{
    out->scratch = 2 * (size_t)at_pattern_room(at_meta_cols(&p->in[0])) * sizeof(float);
}

AT_FORCE_INLINE void forward_vector(const float *x, float *y, const float *scale, const float *shift,
                                    bool accumulate, int64_t i, int64_t lanes)
{
    __builtin_prefetch(x + i + AHEAD); /* the loads of constants keep the processor from running far ahead */
    vf v = vf_load_n(x + i, lanes) * vf_load(scale + i) + vf_load(shift + i);
    if (accumulate) v += vf_load_n(y + i, lanes);
    vf_store_n(y + i, v, lanes);
}

static void forward_span(const at_call *c, float *const *at, int64_t n)
{
    const int64_t C = c->out[0].cols, L = at_long_row(C);
    const float *scale = c->scratch, *shift = scale + at_pattern_room(C);
    const bool accumulate = c->accumulate & 1;
    for (int64_t e = 0; e < n; e += L) {
        const float *x = at[0] + e;
        float *y = at[1] + e;
        const int64_t now = at_min(L, n - e);
        int64_t i = 0;
        for (; i + VL <= now; i += VL) forward_vector(x, y, scale, shift, accumulate, i, VL);
        if (i < now) forward_vector(x, y, scale, shift, accumulate, i, now - i);
    }
}

static at_status forward(const at_call *c)
{
    const int64_t C = c->out[0].cols;
    const float *given = c->in[2].data;
    float *scale = c->scratch, *shift = scale + at_pattern_room(C);
    memcpy(scale, c->in[1].data, (size_t)C * sizeof *scale);
    for (int64_t i = 0; i < C; i++) shift[i] = given ? given[i] : 0.0f;
    at_pattern_repeat(scale, C);
    at_pattern_repeat(shift, C);
    at_for_spans(c, 1, 1, forward_span);
    return AT_OK;
}

const at_kernel AT_SIMD(at_kernel_channel_affine) = {.name = "channel_affine." AT_SIMD_VARIANT,
                                                     .op = &at_op_channel_affine,
                                                     .isa = AT_SIMD_LEVEL,
                                                     .need = forward_need,
                                                     .run = forward};

/* ---- gradient of scale and shift ---- */

/* dshift first: the sum that rowsum makes has the same bits. */
AT_FORCE_INLINE void dscale_terms(vf *sum, const vf *x, vf centre)
{
    (void)centre;
    sum[0] += x[1];
    sum[1] += x[0] * x[1];
}

static void dscale_tile(void *arg, int64_t i, int thread)
{
    (void)thread;
    at_column_sums_tile(arg, i, 2, 2, dscale_terms);
}

static void dscale_need(const at_problem *p, at_need *out)
{
    out->scratch = at_column_sums_bytes(at_meta_max_rows(&p->in[0]), at_meta_cols(&p->in[0]), 2);
}

static at_status dscale(const at_call *c)
{
    at_column_sums s = {.x = {&c->in[0], &c->in[1]}, .partial = c->scratch};
    at_column_sums_run(&s, 2, c->threads, dscale_tile);
    for (int64_t i = 0; i < s.cols; i++) {
        if (c->out[0].data) at_put(c, 0, &at_out_row(c, 0, 0)[i], at_column_sum(&s, 1, i));
        if (c->out[1].data) at_put(c, 1, &at_out_row(c, 1, 0)[i], at_column_sum(&s, 0, i));
    }
    return AT_OK;
}

const at_kernel AT_SIMD(at_kernel_channel_affine_dscale) = {.name = "channel_affine_dscale." AT_SIMD_VARIANT,
                                                            .op = &at_op_channel_affine_dscale,
                                                            .isa = AT_SIMD_LEVEL,
                                                            .need = dscale_need,
                                                            .run = dscale};
