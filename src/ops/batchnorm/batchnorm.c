/* batchnorm: y = (x - mean) rstd gamma + beta, by the statistics of all n rows of the step          (Ioffe
 * and Szegedy 2015) x, y [..,C] act on an extent   gamma, beta [C] acc saved: mean [C], rstd [C] = 1/sqrt(var
 * + eps) with var over n, and the unbiased variance [C] = var n / max(n - 1, 1) that running statistics take;
 * all acc. With h = (x - mean) rstd: dbeta = sum_rows dy,  dgamma = sum_rows dy h,  dx = gamma rstd (dy -
 * dbeta / n - h dgamma / n) A step without rows has no statistics: they are NaN. */
#include "ops/batchnorm/batchnorm.h"
#include <math.h>

static at_status infer(at_ctx *ctx, const void *param, const at_meta *in, at_meta *out, at_meta *saved)
{
    const at_batchnorm_param *p = param;
    const int64_t C = at_meta_cols(&in[0]);
    AT_REQUIRE(ctx, p->eps >= 0, AT_E_RANGE, "batchnorm: eps is %g, must not be negative", p->eps);
    AT_REQUIRE(ctx, in[0].rank >= 2, AT_E_SHAPE, "batchnorm: x needs rows and columns");
    AT_REQUIRE(ctx, at_is_vector(&in[1], C), AT_E_SHAPE, "batchnorm: gamma must be [C=%lld]", (long long)C);
    AT_REQUIRE(ctx, at_is_vector(&in[2], C), AT_E_SHAPE, "batchnorm: beta must be [C=%lld]", (long long)C);
    out[0] = in[0];
    saved[0] = saved[1] = saved[2] = at_meta_vector(AT_ACC, C);
    return AT_OK;
}

static void grad(at_graph *g, const at_node *n, at_value *const *dy, at_value **dx)
{
    const at_node *d =
        at_opn(g, &at_op_batchnorm_dx, NULL, n->in[0], n->in[1], n->saved[0], n->saved[1], dy[0]);
    for (int i = 0; i < 3; i++)
        if (dx[i]) dx[i] = d->out[i];
}

/* Column after column, so that y may lie over x. */
static at_status ref_fwd(const at_call *c)
{
    const double eps = ((const at_batchnorm_param *)c->param)->eps, n = (double)c->in[0].rows;
    for (int64_t i = 0; i < c->in[0].cols; i++) {
        double mean = 0.0, var = 0.0;
        for (int64_t m = 0; m < c->in[0].rows; m++) mean += (double)at_row(c, 0, m)[i];
        mean /= n;
        for (int64_t m = 0; m < c->in[0].rows; m++) {
            const double d = (double)at_row(c, 0, m)[i] - mean;
            var += d * d;
        }
        const double rstd = 1 / sqrt(var / n + eps);
        if (c->out[1].data) at_put(c, 1, &at_out_row(c, 1, 0)[i], mean);
        if (c->out[2].data) at_put(c, 2, &at_out_row(c, 2, 0)[i], rstd);
        if (c->out[3].data) at_put(c, 3, &at_out_row(c, 3, 0)[i], n > 0 ? var / fmax(n - 1, 1) : (double)NAN);
        const double gamma = (double)at_row(c, 1, 0)[i], beta = (double)at_row(c, 2, 0)[i];
        for (int64_t m = 0; m < c->in[0].rows && c->out[0].data; m++)
            at_put(c, 0, &at_out_row(c, 0, m)[i], ((double)at_row(c, 0, m)[i] - mean) * rstd * gamma + beta);
    }
    return AT_OK;
}

#define EPS_1E5                                                                                              \
    .param = &(const at_batchnorm_param)                                                                     \
    {                                                                                                        \
        1e-5                                                                                                 \
    }

static const at_op_case cases[] = {
    {.name = "rows", EPS_1E5, .in = {{2, {6, 4}}, {1, {4}}, {1, {4}}}},
    {.name = "odd", EPS_1E5, .in = {{3, {2, 5, 7}}, {1, {7}}, {1, {7}}}, .low = -1, .high = 3},
    {.name = "image",
     .param = &(const at_batchnorm_param){1e-3},
     .in = {{4, {3, 2, 3, 5}}, {1, {5}}, {1, {5}}}},
    {.name = "one", EPS_1E5, .in = {{2, {1, 3}}, {1, {3}}, {1, {3}}}},
    {.name = "empty", EPS_1E5, .in = {{2, {0, 8}}, {1, {8}}, {1, {8}}}},
    {.name = "large",
     EPS_1E5,
     .in = {{4, {3, 40, 40, 24}}, {1, {24}}, {1, {24}}},
     .low = -1,
     .high = 3,
     .large = true},
    {.name = "large_wide", EPS_1E5, .in = {{2, {600, 520}}, {1, {520}}, {1, {520}}}, .large = true},
    {.name = "large_blocks", EPS_1E5, .in = {{2, {3, 2100}}, {1, {2100}}, {1, {2100}}}, .large = true},
    {.name = "far_from_zero",
     EPS_1E5,
     .in = {{2, {300, 9}}, {1, {9}}, {1, {9}}},
     .low = 99,
     .high = 101,
     .large = true},
    {0},
};

static const at_op_case refused[] = {
    {.name = "gamma must be [C=4]", EPS_1E5, .in = {{2, {3, 4}}, {1, {3}}, {1, {4}}}},
    {.name = "beta must be [C=4]", EPS_1E5, .in = {{2, {3, 4}}, {1, {4}}, {1, {5}}}},
    {.name = "rows and columns", EPS_1E5, .in = {{1, {3}}, {1, {1}}, {1, {1}}}},
    {.name = "must not be negative",
     .param = &(const at_batchnorm_param){-1},
     .in = {{2, {3, 4}}, {1, {4}}, {1, {4}}}},
    {0},
};

const at_op at_op_batchnorm = {.name = "batchnorm",
                               .doc = "normalisation per channel by the statistics of the step's rows",
                               .n_in = 3,
                               .n_out = 1,
                               .n_saved = 3,
                               .param_size = sizeof(at_batchnorm_param),
                               .extent_in = 1,
                               .acc_in = 6,
                               .inplace = {{0, 0}},
                               .n_inplace = 1,
                               .couples_rows = true,
                               .infer = infer,
                               .grad = grad,
                               .ref = ref_fwd,
                               .cases = cases,
                               .refused = refused};

/* ---- gradient: in x, gamma, mean, rstd, dy -> dx, dgamma, dbeta ---- */

static at_status dx_infer(at_ctx *ctx, const void *p, const at_meta *in, at_meta *out, at_meta *saved)
{
    (void)p, (void)saved;
    const int64_t C = at_meta_cols(&in[0]);
    AT_REQUIRE(ctx, at_same_shape(&in[0], &in[4]), AT_E_SHAPE, "batchnorm_dx: x and dy differ in shape");
    for (int i = 1; i < 4; i++)
        AT_REQUIRE(ctx, at_is_vector(&in[i], C), AT_E_SHAPE, "batchnorm_dx: input %d must be [C=%lld]", i,
                   (long long)C);
    out[0] = in[0];
    out[1] = out[2] = at_meta_vector(AT_ACC, C);
    return AT_OK;
}

/* Column after column, so that dx may lie over dy or x. */
static at_status ref_dx(const at_call *c)
{
    const double n = (double)c->in[0].rows;
    for (int64_t i = 0; i < c->in[0].cols; i++) {
        const double gamma = (double)at_row(c, 1, 0)[i], mean = (double)at_row(c, 2, 0)[i];
        const double rstd = (double)at_row(c, 3, 0)[i];
        double dgamma = 0.0, dbeta = 0.0;
        for (int64_t m = 0; m < c->in[0].rows; m++) {
            const double dy = (double)at_row(c, 4, m)[i];
            dgamma += dy * ((double)at_row(c, 0, m)[i] - mean) * rstd;
            dbeta += dy;
        }
        if (c->out[1].data) at_put(c, 1, &at_out_row(c, 1, 0)[i], dgamma);
        if (c->out[2].data) at_put(c, 2, &at_out_row(c, 2, 0)[i], dbeta);
        for (int64_t m = 0; m < c->in[0].rows && c->out[0].data; m++) {
            const double h = ((double)at_row(c, 0, m)[i] - mean) * rstd, dy = (double)at_row(c, 4, m)[i];
            at_put(c, 0, &at_out_row(c, 0, m)[i], gamma * rstd * (dy - dbeta / n - h * dgamma / n));
        }
    }
    return AT_OK;
}

static const at_op_case dx_cases[] = {
    {.name = "odd", .in = {{3, {2, 5, 7}}, {1, {7}}, {1, {7}}, {1, {7}}, {3, {2, 5, 7}}}, .positive = 8},
    {.name = "one", .in = {{2, {1, 3}}, {1, {3}}, {1, {3}}, {1, {3}}, {2, {1, 3}}}, .positive = 8},
    {.name = "empty", .in = {{2, {0, 8}}, {1, {8}}, {1, {8}}, {1, {8}}, {2, {0, 8}}}, .positive = 8},
    {.name = "large",
     .in = {{4, {3, 40, 40, 24}}, {1, {24}}, {1, {24}}, {1, {24}}, {4, {3, 40, 40, 24}}},
     .positive = 8,
     .large = true},
    {.name = "large_wide",
     .in = {{2, {600, 520}}, {1, {520}}, {1, {520}}, {1, {520}}, {2, {600, 520}}},
     .positive = 8,
     .large = true},
    {0},
};

static const at_op_case dx_refused[] = {
    {.name = "x and dy differ", .in = {{2, {3, 4}}, {1, {4}}, {1, {4}}, {1, {4}}, {2, {3, 5}}}},
    {.name = "input 3 must be [C=4]", .in = {{2, {3, 4}}, {1, {4}}, {1, {4}}, {1, {5}}, {2, {3, 4}}}},
    {0},
};

const at_op at_op_batchnorm_dx = {.name = "batchnorm_dx",
                                  .doc = "gradient of batchnorm",
                                  .n_in = 5,
                                  .n_out = 3,
                                  .extent_in = 17,
                                  .acc_in = 14,
                                  .inplace = {{4, 0}, {0, 0}},
                                  .n_inplace = 2,
                                  .couples_rows = true,
                                  .infer = dx_infer,
                                  .no_grad_reason = "a gradient itself",
                                  .ref = ref_dx,
                                  .cases = dx_cases,
                                  .refused = dx_refused};

at_batchnorm_values at_batchnorm(at_graph *g, at_value *x, at_value *gamma, at_value *beta, double eps)
{
    const at_node *n = at_opn(g, &at_op_batchnorm, (&(at_batchnorm_param){eps}), x, gamma, beta);
    return (at_batchnorm_values){n->out[0], n->saved[0], n->saved[2]};
}
