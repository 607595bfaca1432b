/* segment_pool: y[s] = x[offsets[s]], or the mean of x[offsets[s] .. offsets[s + 1])
 * x [R,C] act on ragged rows   offsets [Smax+1] int   like [S,..] on samples, not read   y [S,C] act
 * dx[r] = dy[s(r)] where r is the sample's first row, else 0; or dy[s(r)] / rows of s. */
#include "ops/segment_pool/segment_pool.h"

static at_status check(at_ctx *ctx, const char *name, const at_segment_pool_param *p, const at_meta *rows,
                       const at_meta *offsets, const at_meta *samples)
{
    AT_REQUIRE(ctx, p->mode == AT_SEGMENT_FIRST || p->mode == AT_SEGMENT_MEAN, AT_E_RANGE,
               "%s: mode %lld is unknown", name, (long long)p->mode);
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

/* Rows [*first, *first + n) are pooled into sample s, each with the weight 1 / n: returns n. */
static int64_t pooled_rows(const at_call *c, int64_t s, int64_t *first)
{
    const int32_t *offsets = at_int_row(c, 1, 0);
    const int64_t n = offsets[s + 1] - offsets[s];
    *first = offsets[s];
    return ((const at_segment_pool_param *)c->param)->mode == AT_SEGMENT_FIRST ? at_min(n, 1) : n;
}

static at_status ref_fwd(const at_call *c)
{
    for (int64_t s = 0; s < c->out[0].rows; s++) {
        int64_t first;
        const int64_t n = pooled_rows(c, s, &first);
        for (int64_t i = 0; i < c->out[0].cols; i++) {
            double sum = 0.0;
            for (int64_t r = first; r < first + n; r++) sum += (double)at_row(c, 0, r)[i];
            at_put(c, 0, &at_out_row(c, 0, s)[i], n ? sum / (double)n : 0.0);
        }
    }
    return AT_OK;
}

#define FIRST                                                                                                \
    .param = &(const at_segment_pool_param)                                                                  \
    {                                                                                                        \
        AT_SEGMENT_FIRST                                                                                     \
    }
#define MEAN                                                                                                 \
    .param = &(const at_segment_pool_param)                                                                  \
    {                                                                                                        \
        AT_SEGMENT_MEAN                                                                                      \
    }
#define LENGTHS_4 .lengths = (const int[]){2, 1, 5, 3}, .n_lengths = 4      /* 11 rows */
#define LENGTHS_5 .lengths = (const int[]){0, 3, 70, 0, 27}, .n_lengths = 5 /* 100 rows */

static const at_op_case cases[] = {
    {.name = "first", FIRST, LENGTHS_4, .in = {{2, {11, 8}}, {1, {5}}, {1, {4}}}, .int_below = 9},
    {.name = "mean", MEAN, LENGTHS_4, .in = {{2, {11, 8}}, {1, {5}}, {1, {4}}}, .int_below = 9},
    {.name = "odd_first", FIRST, LENGTHS_5, .in = {{2, {100, 3}}, {1, {6}}, {2, {5, 2}}}, .int_below = 9},
    {.name = "odd_mean", MEAN, LENGTHS_5, .in = {{2, {100, 3}}, {1, {6}}, {2, {5, 2}}}, .int_below = 9},
    {.name = "empty",
     MEAN,
     .lengths = (const int[]){0},
     .n_lengths = 1,
     .in = {{2, {0, 8}}, {1, {2}}, {1, {1}}},
     .int_below = 9},
    {.name = "large_first",
     FIRST,
     LENGTHS_5,
     .in = {{2, {100, 390}}, {1, {6}}, {1, {5}}},
     .int_below = 9,
     .large = true},
    {.name = "large_mean",
     MEAN,
     LENGTHS_5,
     .in = {{2, {100, 390}}, {1, {6}}, {1, {5}}},
     .int_below = 9,
     .large = true},
    {0},
};

static const at_op_case refused[] = {
    {.name = "offsets must be [5]", MEAN, LENGTHS_4, .in = {{2, {11, 8}}, {1, {4}}, {1, {4}}}},
    {.name = "x must be [R,C]", MEAN, LENGTHS_4, .in = {{3, {11, 2, 8}}, {1, {5}}, {1, {4}}}},
    {.name = "mode 2 is unknown",
     LENGTHS_4,
     .param = &(const at_segment_pool_param){2},
     .in = {{2, {11, 8}}, {1, {5}}, {1, {4}}}},
    {0},
};

const at_op at_op_segment_pool = {.name = "segment_pool",
                                  .doc = "the first row of each sample's rows, or their mean",
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
        int64_t first;
        const int64_t n = pooled_rows(c, s, &first);
        for (int64_t r = first; r < at_int_row(c, 1, 0)[s + 1]; r++)
            for (int64_t i = 0; i < c->out[0].cols; i++)
                at_put(c, 0, &at_out_row(c, 0, r)[i],
                       r < first + n ? (double)at_row(c, 0, s)[i] / (double)n : 0.0);
    }
    return AT_OK;
}

static const at_op_case dx_cases[] = {
    {.name = "first", FIRST, LENGTHS_5, .in = {{2, {5, 37}}, {1, {6}}, {2, {100, 37}}}},
    {.name = "mean", MEAN, LENGTHS_5, .in = {{2, {5, 37}}, {1, {6}}, {2, {100, 37}}}},
    {0},
};

static const at_op_case dx_refused[] = {
    {.name = "differ in columns", MEAN, LENGTHS_4, .in = {{2, {4, 8}}, {1, {5}}, {2, {11, 7}}}},
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

at_value *at_segment_first(at_graph *g, at_value *x, at_value *offsets, at_value *like)
{
    return at_op1(g, &at_op_segment_pool, (&(at_segment_pool_param){AT_SEGMENT_FIRST}), x, offsets, like);
}

at_value *at_segment_mean(at_graph *g, at_value *x, at_value *offsets, at_value *like)
{
    return at_op1(g, &at_op_segment_pool, (&(at_segment_pool_param){AT_SEGMENT_MEAN}), x, offsets, like);
}
