/* affine_clamp_simd.c: scale, shift and clamp per channel at memory speed; the gradient in one pass over x
 * and dy. */
#include "engine/columns_simd.h"
#include "ops/affine_clamp/affine_clamp.h"

enum { SCALE, SHIFT, PATTERNS };

static const double *bounds_of(const at_call *c)
{
    return &((const at_clamp_param *)c->param)->low; /* low, high */
}

/* dy where the clamp let z pass; NaN passes. */
AT_FORCE_INLINE vf passed(vf z, vf dy, const vf *bounds)
{
    return vf_select((z <= bounds[0]) | (z >= bounds[1]), (vf){0}, dy);
}

static void set_patterns(const at_call *c, const at_arg *shift)
{
    const int64_t C = c->out[0].cols;
    for (int64_t i = 0; i < C; i++) {
        at_pattern(c, C, SCALE)[i] = at_row(c, 1, 0)[i];
        at_pattern(c, C, SHIFT)[i] = shift && shift->data ? ((const float *)shift->data)[i] : 0.0f;
    }
}

static void patterns_need(const at_problem *p, at_need *out)
{
    out->scratch = at_patterns_bytes(at_meta_cols(&p->in[0]), PATTERNS);
}

/* ---- forward ---- */

AT_FORCE_INLINE vf affine(const vf *x, const vf *k, const vf *u)
{
    return vf_at_most(vf_at_least(x[0] * k[SCALE] + k[SHIFT], u[0]), u[1]);
}

static void forward_span(const at_call *c, void *const *at, int64_t n)
{
    at_channel_span(c, at, n, bounds_of(c), 1, PATTERNS, affine);
}

static at_status forward(const at_call *c)
{
    set_patterns(c, &c->in[2]);
    at_patterns_repeat(c, c->out[0].cols, PATTERNS);
    at_for_spans(c, 1, 1, forward_span);
    return AT_OK;
}

const at_kernel AT_SIMD(at_kernel_affine_clamp) = {.name = "affine_clamp." AT_SIMD_VARIANT,
                                                   .op = &at_op_affine_clamp,
                                                   .isa = AT_SIMD_LEVEL,
                                                   .act = AT_SIMD_ACT,
                                                   .need = patterns_need,
                                                   .run = forward};

/* ---- gradient ---- */

AT_FORCE_INLINE vf gradient_terms(vf *sum, const vf *x, const vf *k, const vf *u)
{
    const vf d = passed(x[0] * k[SCALE] + k[SHIFT], x[1], u);
    sum[0] += d;
    sum[1] += d * x[0];
    return d * k[SCALE];
}

static void gradient_tile(void *arg, int64_t i, int thread)
{
    (void)thread;
    const at_column_sums *s = arg;
    const at_sums_shape sums = {.n_x = 2, .n_sums = 2, .n_k = PATTERNS, .terms = gradient_terms},
                        all = {
                            .n_x = 2, .n_sums = 2, .n_k = PATTERNS, .stores = true, .terms = gradient_terms};
    if (s->y)
        at_column_sums_tile(s, i, all);
    else
        at_column_sums_tile(s, i, sums);
}

static void gradient_need(const at_problem *p, at_need *out)
{
    const int64_t C = at_meta_cols(&p->in[0]);
    out->scratch = at_patterns_bytes(C, PATTERNS) + at_column_sums_bytes(at_meta_max_rows(&p->in[0]), C, 2);
}

static at_status gradient(const at_call *c)
{
    const int64_t C = c->in[0].cols;
    set_patterns(c, &c->in[2]);
    at_column_sums s = {.x = {&c->in[0], &c->in[3]},
                        .constant = {at_pattern(c, C, SCALE), at_pattern(c, C, SHIFT)},
                        .uniform = bounds_of(c),
                        .y = c->out[0].data ? &c->out[0] : NULL,
                        .accumulate = c->accumulate & 1,
                        .partial = (double *)((char *)c->scratch + at_patterns_bytes(C, PATTERNS))};
    at_column_sums_run(&s, 2, c->pool, gradient_tile);
    const double *dshift = at_column_sums_add(&s), *dscale = dshift + C;
    for (int64_t i = 0; i < C; i++) {
        if (c->out[1].data) at_put(c, 1, &at_out_row(c, 1, 0)[i], dscale[i]);
        if (c->out[2].data) at_put(c, 2, &at_out_row(c, 2, 0)[i], dshift[i]);
    }
    return AT_OK;
}

const at_kernel AT_SIMD(at_kernel_affine_clamp_dx) = {.name = "affine_clamp_dx." AT_SIMD_VARIANT,
                                                      .op = &at_op_affine_clamp_dx,
                                                      .isa = AT_SIMD_LEVEL,
                                                      .act = AT_SIMD_ACT,
                                                      .need = gradient_need,
                                                      .run = gradient};

/* ---- gradient of x alone ---- */

AT_FORCE_INLINE vf only(const vf *x, const vf *k, const vf *u)
{
    return passed(x[0], x[1], u) * k[SCALE];
}

static void only_span(const at_call *c, void *const *at, int64_t n)
{
    at_channel_span(c, at, n, bounds_of(c), 2, SHIFT, only);
}

static at_status gradient_only(const at_call *c)
{
    set_patterns(c, NULL);
    at_patterns_repeat(c, c->out[0].cols, PATTERNS);
    at_for_spans_of(c, (const at_arg *const[]){&c->in[0], &c->in[2], &c->out[0]}, 3, only_span);
    return AT_OK;
}

const at_kernel AT_SIMD(at_kernel_affine_clamp_dx_only) = {.name = "affine_clamp_dx_only." AT_SIMD_VARIANT,
                                                           .op = &at_op_affine_clamp_dx_only,
                                                           .isa = AT_SIMD_LEVEL,
                                                           .act = AT_SIMD_ACT,
                                                           .need = patterns_need,
                                                           .run = gradient_only};
