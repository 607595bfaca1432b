/* dropout: y = x keep / (1 - p)          x, y [rows,C] act   sample_id [S] int, same extent (Srivastava et
 * al. 2014) keep is 1 where the draw is at least p, else 0. The draw is at_rng_uniform of (key, sample id,
 * occurrence, index), row r belonging to sample r / (rows / S) and index counting that sample's elements, row
 * after row: the same mask however samples are put into batches.
 *
 * dx = dy keep / (1 - p): nothing is kept for it, the mask is drawn again with the forward node's occurrence.
 * Dropped NaN stay NaN (0 times NaN). */
#include "ops/dropout/dropout.h"
#include <math.h>

static at_status check(at_ctx *ctx, const char *name, double p, const at_meta *in)
{
    AT_REQUIRE(ctx, p >= 0 && p < 1, AT_E_RANGE, "%s: p is %g, must be in [0, 1)", name, p);
    AT_REQUIRE(ctx, in[0].rank >= 2, AT_E_SHAPE, "%s: x needs rows and columns", name);
    AT_REQUIRE(ctx,
               in[1].rank == 1 && in[1].extent && in[1].extent == in[0].extent && in[1].dim[0] > 0 &&
                   in[0].dim[0] % in[1].dim[0] == 0,
               AT_E_SHAPE,
               "%s: sample_id must be [S] on the extent of x, whose rows divide evenly among samples", name);
    return AT_OK;
}

static at_status infer(at_ctx *ctx, const void *param, const at_meta *in, at_meta *out, at_meta *saved)
{
    (void)saved;
    AT_TRY(check(ctx, "dropout", ((const at_dropout_param *)param)->p, in));
    out[0] = in[0];
    return AT_OK;
}

static void grad(at_graph *g, const at_node *n, at_value *const *dy, at_value **dx)
{
    const at_dropout_dx_param p = {((const at_dropout_param *)n->param)->p, n->occurrence};
    if (dx[0]) dx[0] = at_op1(g, &at_op_dropout_dx, &p, dy[0], n->in[1]);
}

static at_status mask(const at_call *c, double p, uint32_t occurrence)
{
    if (c->out[0].rows == 0) return AT_OK;
    const int64_t C = c->out[0].cols, rows_each = c->out[0].rows / c->in[1].rows;
    for (int64_t m = 0; m < c->out[0].rows; m++) {
        const uint64_t sample = (uint64_t)at_int_row(c, 1, m / rows_each)[0];
        const at_real *x = at_row(c, 0, m);
        at_real *y = at_out_row(c, 0, m);
        for (int64_t i = 0; i < C; i++) {
            const double u = at_rng_uniform(c->key, sample, occurrence, (uint64_t)(m % rows_each * C + i));
            at_put(c, 0, &y[i], (double)x[i] * (u >= p ? 1 / (1 - p) : 0.0));
        }
    }
    return AT_OK;
}

static at_status ref_fwd(const at_call *c)
{
    return mask(c, ((const at_dropout_param *)c->param)->p, c->occurrence);
}

static const at_op_case cases[] = {
    {.name = "row64",
     .param = &(const at_dropout_param){0.5},
     .in = {{2, {3, 64}}, {1, {3}}},
     .int_below = 1000},
    {.name = "odd",
     .param = &(const at_dropout_param){0.1},
     .in = {{3, {2, 5, 37}}, {1, {2}}},
     .int_below = 1000},
    {.name = "none", .param = &(const at_dropout_param){0}, .in = {{2, {2, 5}}, {1, {2}}}, .int_below = 1000},
    {.name = "one",
     .param = &(const at_dropout_param){0.9},
     .in = {{2, {1, 3}}, {1, {1}}},
     .int_below = 1000},
    {.name = "empty",
     .param = &(const at_dropout_param){0.5},
     .in = {{2, {0, 8}}, {1, {0}}},
     .int_below = 1000},
    {.name = "large",
     .param = &(const at_dropout_param){0.2},
     .in = {{4, {3, 28, 28, 24}}, {1, {3}}},
     .int_below = 1000,
     .large = true},
    {.name = "large_odd",
     .param = &(const at_dropout_param){0.2},
     .in = {{3, {2, 61, 1031}}, {1, {2}}},
     .int_below = 1000,
     .large = true},
    {0},
};

static const at_op_case refused[] = {
    {.name = "must be in [0, 1)", .param = &(const at_dropout_param){1}, .in = {{2, {3, 4}}, {1, {3}}}},
    {.name = "must be in [0, 1)", .param = &(const at_dropout_param){-0.5}, .in = {{2, {3, 4}}, {1, {3}}}},
    {.name = "divide evenly", .param = &(const at_dropout_param){0.5}, .in = {{2, {3, 4}}, {1, {2}}}},
    {.name = "sample_id must be [S]",
     .param = &(const at_dropout_param){0.5},
     .in = {{2, {3, 4}}, {2, {3, 1}}}},
    {0},
};

const at_op at_op_dropout = {.name = "dropout",
                             .doc = "elements dropped with probability p, the others scaled by 1 / (1 - p)",
                             .n_in = 2,
                             .n_out = 1,
                             .param_size = sizeof(at_dropout_param),
                             .extent_in = 3,
                             .int_in = 2,
                             .inplace = {{0, 0}},
                             .n_inplace = 1,
                             .stochastic = true,
                             .infer = infer,
                             .grad = grad,
                             .ref = ref_fwd,
                             .cases = cases,
                             .refused = refused};

/* ---- gradient: in dy, sample_id ---- */

static at_status dx_infer(at_ctx *ctx, const void *param, const at_meta *in, at_meta *out, at_meta *saved)
{
    (void)saved;
    const at_dropout_dx_param *p = param;
    AT_TRY(check(ctx, "dropout_dx", p->p, in));
    AT_REQUIRE(ctx, p->occurrence >= 0 && p->occurrence <= UINT32_MAX, AT_E_RANGE,
               "dropout_dx: occurrence %lld", (long long)p->occurrence);
    out[0] = in[0];
    return AT_OK;
}

static at_status ref_dx(const at_call *c)
{
    const at_dropout_dx_param *p = c->param;
    return mask(c, p->p, (uint32_t)p->occurrence);
}

static const at_op_case dx_cases[] = {
    {.name = "odd",
     .param = &(const at_dropout_dx_param){0.3, 4},
     .in = {{3, {2, 5, 37}}, {1, {2}}},
     .int_below = 1000},
    {.name = "empty",
     .param = &(const at_dropout_dx_param){0.5, 0},
     .in = {{2, {0, 8}}, {1, {0}}},
     .int_below = 1000},
    {.name = "large",
     .param = &(const at_dropout_dx_param){0.2, 1},
     .in = {{4, {3, 28, 28, 24}}, {1, {3}}},
     .int_below = 1000,
     .large = true},
    {0},
};

static const at_op_case dx_refused[] = {
    {.name = "must be in [0, 1)", .param = &(const at_dropout_dx_param){1, 0}, .in = {{2, {3, 4}}, {1, {3}}}},
    {.name = "divide evenly", .param = &(const at_dropout_dx_param){0.5, 0}, .in = {{2, {3, 4}}, {1, {2}}}},
    {.name = "occurrence -1", .param = &(const at_dropout_dx_param){0.5, -1}, .in = {{2, {3, 4}}, {1, {3}}}},
    {0},
};

const at_op at_op_dropout_dx = {.name = "dropout_dx",
                                .doc = "gradient of dropout: the same mask",
                                .n_in = 2,
                                .n_out = 1,
                                .param_size = sizeof(at_dropout_dx_param),
                                .extent_in = 3,
                                .int_in = 2,
                                .inplace = {{0, 0}},
                                .n_inplace = 1,
                                .stochastic = true,
                                .infer = dx_infer,
                                .no_grad_reason = "a gradient itself",
                                .ref = ref_dx,
                                .cases = dx_cases,
                                .refused = dx_refused};

at_value *at_dropout(at_graph *g, at_value *x, at_value *sample_id, double p)
{
    if (p == 0 || g->mode != AT_TRAIN) return x;
    return at_op1(g, &at_op_dropout, (&(at_dropout_param){p}), x, sample_id);
}
