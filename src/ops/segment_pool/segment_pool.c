/* segment_pool: y[s] = sum_r share(r) x[r] over the rows r = 0 .. n - 1 of sample s; share(r) is
 *     first  1 at 0, else 0        mean       1 / n
 *     last   1 at n - 1, else 0    mean_sqrt  1 / sqrt(n)     weighted  (r + 1) / (1 + .. + n)
 * x [R,C] act on ragged rows   offsets [Smax+1] int   like [S,..] on samples, not read   y [S,C] act
 * dx[r] = share(r) dy[s(r)]      (the poolings of Reimers and Gurevych 2019; weighted: Muennighoff 2022) */
#include "ops/segment_pool/segment_pool.h"

static at_status check(at_ctx *ctx, const char *name, const at_segment_pool_param *p, const at_meta *rows,
                       const at_meta *offsets, const at_meta *samples)
{
    AT_REQUIRE(ctx, p->mode >= 0 && p->mode < AT_SEGMENT_MODES, AT_E_RANGE, "%s: mode %lld is unknown", name,
               (long long)p->mode);
    AT_REQUIRE(ctx, rows->rank == 2 && rows->extent, AT_E_SHAPE, "%s: x must be [R,C] on an extent", name);
    AT_REQUIRE(ctx, samples->extent, AT_E_SHAPE, "%s: samples must be on an extent", name);
    AT_REQUIRE(ctx, at_is_vector(offsets, samples->dim[0] + 1), AT_E_SHAPE, "%s: offsets must be [%lld]",
               name, (long long)samples->dim[0] + 1);
    return AT_OK;
}

static at_status infer(at_ctx *ctx, const void *param, const at_meta *in, at_meta *out, at_meta *saved)
{
    (void)saved;
    AT_TRY(check(ctx, "segment_pool", param, &in[0], &in[1], &in[2]));
    out[0] = in[0];
    out[0].extent = in[2].extent;
    out[0].dim[0] = in[2].dim[0];
    return AT_OK;
}

static void grad(at_graph *g, const at_node *n, at_value *const *dy, at_value **dx)
{
    if (dx[0]) dx[0] = at_op1(g, &at_op_segment_pool_dx, n->param, dy[0], n->in[1], n->in[0]);
}

static at_status ref_fwd(const at_call *c)
{
    for (int64_t s = 0; s < c->out[0].rows; s++) {
        const at_segment g = at_segment_of(c->param, at_int_row(c, 1, 0), s);
        for (int64_t i = 0; i < c->out[0].cols; i++) {
            double sum = 0.0;
            for (int64_t r = g.from; r < g.to; r++)
                sum += at_segment_weight(&g, r) * (double)at_row(c, 0, g.first + r)[i];
            at_put(c, 0, &at_out_row(c, 0, s)[i], sum * g.scale);
        }
    }
    return AT_OK;
}

#define MODE(m)                                                                                              \
    .param = &(const at_segment_pool_param)                                                                  \
    {                                                                                                        \
        AT_SEGMENT_##m                                                                                       \
    }
#define LENGTHS_4 .lengths = (const int[]){2, 1, 5, 3}, .n_lengths = 4      /* 11 rows */
#define LENGTHS_5 .lengths = (const int[]){0, 3, 30, 0, 17}, .n_lengths = 5 /* 50 rows */

#define SMALL(m) MODE(m), LENGTHS_4, .in = {{2, {11, 8}}, {1, {5}}, {1, {4}}}, .int_below = 9
#define ODD(m)   MODE(m), LENGTHS_5, .in = {{2, {50, 3}}, {1, {6}}, {2, {5, 2}}}, .int_below = 9
#define LARGE(m) MODE(m), LENGTHS_5, .in = {{2, {50, 390}}, {1, {6}}, {1, {5}}}, .int_below = 9, .large = true

static const at_op_case cases[] = {
    {.name = "first", SMALL(FIRST)},
    {.name = "mean", SMALL(MEAN)},
    {.name = "last", SMALL(LAST)},
    {.name = "mean_sqrt", SMALL(MEAN_SQRT)},
    {.name = "weighted", SMALL(WEIGHTED)},
    {.name = "odd_first", ODD(FIRST)},
    {.name = "odd_mean", ODD(MEAN)},
    {.name = "odd_last", ODD(LAST)},
    {.name = "odd_mean_sqrt", ODD(MEAN_SQRT)},
    {.name = "odd_weighted", ODD(WEIGHTED)},
    {.name = "empty",
     MODE(MEAN),
     .lengths = (const int[]){0},
     .n_lengths = 1,
     .in = {{2, {0, 8}}, {1, {2}}, {1, {1}}},
     .int_below = 9},
    {.name = "large_first", LARGE(FIRST)},
    {.name = "large_mean", LARGE(MEAN)},
    {.name = "large_last", LARGE(LAST)},
    {.name = "large_mean_sqrt", LARGE(MEAN_SQRT)},
    {.name = "large_weighted", LARGE(WEIGHTED)},
    {0},
};

static const at_op_case refused[] = {
    {.name = "offsets must be [5]", MODE(MEAN), LENGTHS_4, .in = {{2, {11, 8}}, {1, {4}}, {1, {4}}}},
    {.name = "x must be [R,C]", MODE(MEAN), LENGTHS_4, .in = {{3, {11, 2, 8}}, {1, {5}}, {1, {4}}}},
    {.name = "mode 5 is unknown", MODE(MODES), LENGTHS_4, .in = {{2, {11, 8}}, {1, {5}}, {1, {4}}}},
    {0},
};

const at_op at_op_segment_pool = {.name = "segment_pool",
                                  .doc = "the first or the last row of each sample's rows, or a mean of them",
                                  .n_in = 3,
                                  .n_out = 1,
                                  .param_size = sizeof(at_segment_pool_param),
                                  .extent_in = 4,
                                  .rows_in = 1,
                                  .offsets_in = 2,
                                  .int_in = 6,
                                  .infer = infer,
                                  .grad = grad,
                                  .ref = ref_fwd,
                                  .cases = cases,
                                  .refused = refused};

/* ---- gradient: in dy, offsets, x (its shape; not read) ---- */

static at_status dx_infer(at_ctx *ctx, const void *param, const at_meta *in, at_meta *out, at_meta *saved)
{
    (void)saved;
    AT_TRY(check(ctx, "segment_pool_dx", param, &in[2], &in[1], &in[0]));
    AT_REQUIRE(ctx, in[0].rank == 2 && in[0].dim[1] == in[2].dim[1], AT_E_SHAPE,
               "segment_pool_dx: dy and x differ in columns");
    out[0] = in[2];
    return AT_OK;
}

static at_status ref_dx(const at_call *c)
{
    for (int64_t s = 0; s < c->in[0].rows; s++) {
        const at_segment g = at_segment_of(c->param, at_int_row(c, 1, 0), s);
        for (int64_t r = 0; r < g.n; r++) {
            const bool counts = r >= g.from && r < g.to;
            const double share = at_segment_weight(&g, r) * g.scale;
            for (int64_t i = 0; i < c->out[0].cols; i++)
                at_put(c, 0, &at_out_row(c, 0, g.first + r)[i],
                       counts ? share * (double)at_row(c, 0, s)[i] : 0.0);
        }
    }
    return AT_OK;
}

#define GRADIENT(m) MODE(m), LENGTHS_5, .in = {{2, {5, 37}}, {1, {6}}, {2, {50, 37}}}

static const at_op_case dx_cases[] = {
    {.name = "first", GRADIENT(FIRST)},       {.name = "mean", GRADIENT(MEAN)},
    {.name = "last", GRADIENT(LAST)},         {.name = "mean_sqrt", GRADIENT(MEAN_SQRT)},
    {.name = "weighted", GRADIENT(WEIGHTED)}, {0},
};

static const at_op_case dx_refused[] = {
    {.name = "differ in columns", MODE(MEAN), LENGTHS_4, .in = {{2, {4, 8}}, {1, {5}}, {2, {11, 7}}}},
    {0},
};

const at_op at_op_segment_pool_dx = {.name = "segment_pool_dx",
                                     .doc = "gradient of segment_pool",
                                     .n_in = 3,
                                     .n_out = 1,
                                     .param_size = sizeof(at_segment_pool_param),
                                     .extent_in = 1,
                                     .rows_in = 4,
                                     .offsets_in = 2,
                                     .int_in = 2,
                                     .infer = dx_infer,
                                     .no_grad_reason = "a gradient itself",
                                     .ref = ref_dx,
                                     .cases = dx_cases,
                                     .refused = dx_refused};

at_value *at_segment_pool(at_graph *g, at_segment_mode mode, at_value *x, at_value *offsets, at_value *like)
{
    return at_op1(g, &at_op_segment_pool, (&(at_segment_pool_param){mode}), x, offsets, like);
}

at_value *at_segment_first(at_graph *g, at_value *x, at_value *offsets, at_value *like)
{
    return at_segment_pool(g, AT_SEGMENT_FIRST, x, offsets, like);
}

at_value *at_segment_mean(at_graph *g, at_value *x, at_value *offsets, at_value *like)
{
    return at_segment_pool(g, AT_SEGMENT_MEAN, x, offsets, like);
}
