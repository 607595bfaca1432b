/* layernorm: y = h weight + bias,  h = (x - mean) rstd,  rstd = 1/sqrt(var + eps)          (Ba et al. 2016)
 * x, y [..,C] act on an extent   weight, bias [C] acc, each may be absent
 * mean and var (over C, not C - 1) are those of each row; saved: mean, rstd [rows] acc.
 *
 * With g = dy weight:  dx = rstd (g - mean_C(g) - h mean_C(g h)),  dweight = sum_rows dy h,  dbias = sum_rows
 * dy. */
#include "ops/layernorm/layernorm.h"
#include <math.h>

static at_meta one_a_row(const at_meta *x)
{
    return (at_meta){.type = AT_ACC, .rank = 1, .dim = {at_meta_max_rows(x)}, .extent = x->extent};
}

static at_status infer(at_ctx *ctx, const void *param, const at_meta *in, at_meta *out, at_meta *saved)
{
    const at_layernorm_param *p = param;
    const int64_t C = at_meta_cols(&in[0]);
    AT_REQUIRE(ctx, p->eps >= 0, AT_E_RANGE, "layernorm: eps is %g, must not be negative", p->eps);
    AT_REQUIRE(ctx, in[0].rank >= 2 && in[0].extent && C >= 1, AT_E_SHAPE,
               "layernorm: x needs rows and columns, on an extent");
    AT_REQUIRE(ctx, !in[1].rank || at_is_vector(&in[1], C), AT_E_SHAPE, "layernorm: weight must be [C=%lld]",
               (long long)C);
    AT_REQUIRE(ctx, !in[2].rank || at_is_vector(&in[2], C), AT_E_SHAPE, "layernorm: bias must be [C=%lld]",
               (long long)C);
    out[0] = in[0];
    saved[0] = saved[1] = one_a_row(&in[0]);
    return AT_OK;
}

static void grad(at_graph *g, const at_node *n, at_value *const *dy, at_value **dx)
{
    const at_node *d =
        at_opn(g, &at_op_layernorm_dx, NULL, n->in[0], n->in[1], n->saved[0], n->saved[1], dy[0]);
    for (int i = 0; i < 3; i++)
        if (dx[i]) dx[i] = d->out[i];
}

static double weight_at(const at_call *c, int64_t i)
{
    return c->in[1].data ? (double)at_row(c, 1, 0)[i] : 1.0;
}

static at_status ref_fwd(const at_call *c)
{
    const double eps = ((const at_layernorm_param *)c->param)->eps;
    const int64_t C = c->in[0].cols;
    for (int64_t m = 0; m < c->in[0].rows; m++) {
        const at_real *x = at_row(c, 0, m);
        double mean = 0.0, var = 0.0;
        for (int64_t i = 0; i < C; i++) mean += (double)x[i];
        mean /= (double)C;
        for (int64_t i = 0; i < C; i++) var += ((double)x[i] - mean) * ((double)x[i] - mean);
        const double rstd = 1 / sqrt(var / (double)C + eps);
        if (c->out[1].data) at_put(c, 1, at_out_row(c, 1, m), mean);
        if (c->out[2].data) at_put(c, 2, at_out_row(c, 2, m), rstd);
        for (int64_t i = 0; i < C && c->out[0].data; i++) {
            const double bias = c->in[2].data ? (double)at_row(c, 2, 0)[i] : 0.0;
            at_put(c, 0, &at_out_row(c, 0, m)[i], ((double)x[i] - mean) * rstd * weight_at(c, i) + bias);
        }
    }
    return AT_OK;
}

#define EPS                                                                                                  \
    .param = &(const at_layernorm_param)                                                                     \
    {                                                                                                        \
        1e-5                                                                                                 \
    }

static const at_op_case cases[] = {
    {.name = "rows", EPS, .in = {{2, {6, 8}}, {1, {8}}, {1, {8}}}},
    {.name = "odd",
     .param = &(const at_layernorm_param){1e-12},
     .in = {{3, {2, 3, 37}}, {1, {37}}, {1, {37}}},
     .low = -1,
     .high = 3},
    {.name = "no bias", EPS, .in = {{2, {4, 9}}, {1, {9}}}},
    {.name = "plain", EPS, .in = {{2, {4, 5}}}},
    {.name = "bias only", EPS, .in = {{2, {4, 5}}, {0}, {1, {5}}}},
    {.name = "one", EPS, .in = {{2, {1, 3}}, {1, {3}}, {1, {3}}}},
    {.name = "one_column", EPS, .in = {{2, {3, 1}}, {1, {1}}, {1, {1}}}},
    {.name = "empty", EPS, .in = {{2, {0, 8}}, {1, {8}}, {1, {8}}}},
    {.name = "large", EPS, .in = {{2, {131, 384}}, {1, {384}}, {1, {384}}}, .large = true},
    {.name = "large_odd", EPS, .in = {{2, {70, 1031}}, {1, {1031}}, {1, {1031}}}, .large = true},
    {.name = "far_from_zero",
     EPS,
     .in = {{2, {9, 300}}, {1, {300}}, {1, {300}}},
     .low = 99,
     .high = 101,
     .large = true},
    {0},
};

static const at_op_case refused[] = {
    {.name = "weight must be [C=4]", EPS, .in = {{2, {3, 4}}, {1, {3}}, {1, {4}}}},
    {.name = "bias must be [C=4]", EPS, .in = {{2, {3, 4}}, {1, {4}}, {1, {5}}}},
    {.name = "rows and columns", EPS, .in = {{1, {3}}, {1, {1}}, {1, {1}}}},
    {.name = "must not be negative",
     .param = &(const at_layernorm_param){-1},
     .in = {{2, {3, 4}}, {1, {4}}, {1, {4}}}},
    {0},
};

/* Two sweeps for the statistics and one for the result. */
static double flops(const void *param, const at_meta *in, const at_meta *out)
{
    (void)param, (void)out;
    return 8.0 * (double)at_meta_max_rows(&in[0]) * (double)at_meta_cols(&in[0]);
}

const at_op at_op_layernorm = {.name = "layernorm",
                               .doc = "normalisation of each row by its own statistics",
                               .n_in = 3,
                               .n_out = 1,
                               .n_saved = 2,
                               .param_size = sizeof(at_layernorm_param),
                               .optional_in = 6,
                               .extent_in = 1,
                               .acc_in = 6,
                               .inplace = {{0, 0}},
                               .n_inplace = 1,
                               .infer = infer,
                               .grad = grad,
                               .ref = ref_fwd,
                               .flops = flops,
                               .cases = cases,
                               .refused = refused};

/* ---- gradient: in x, weight or none, mean, rstd, dy -> dx, dweight, dbias ---- */

static at_status dx_infer(at_ctx *ctx, const void *p, const at_meta *in, at_meta *out, at_meta *saved)
{
    (void)p, (void)saved;
    const int64_t C = at_meta_cols(&in[0]);
    const at_meta row = one_a_row(&in[0]);
    AT_REQUIRE(ctx, at_same_shape(&in[0], &in[4]), AT_E_SHAPE, "layernorm_dx: x and dy differ in shape");
    AT_REQUIRE(ctx, !in[1].rank || at_is_vector(&in[1], C), AT_E_SHAPE,
               "layernorm_dx: weight must be [C=%lld]", (long long)C);
    AT_REQUIRE(ctx, at_same_shape(&in[2], &row) && at_same_shape(&in[3], &row), AT_E_SHAPE,
               "layernorm_dx: mean and rstd must be one number a row");
    out[0] = in[0];
    out[1] = out[2] = at_meta_vector(AT_ACC, C);
    return AT_OK;
}

static double normalised(const at_call *c, int64_t m, int64_t i)
{
    return ((double)at_row(c, 0, m)[i] - (double)at_row(c, 2, m)[0]) * (double)at_row(c, 3, m)[0];
}

static void ref_dx_row(const at_call *c, int64_t m)
{
    const int64_t C = c->in[0].cols;
    const at_real *dy = at_row(c, 4, m);
    const double rstd = (double)at_row(c, 3, m)[0];
    double sum = 0.0, along = 0.0;
    for (int64_t i = 0; i < C; i++) {
        sum += (double)dy[i] * weight_at(c, i);
        along += (double)dy[i] * weight_at(c, i) * normalised(c, m, i);
    }
    for (int64_t i = 0; i < C; i++) {
        const double g = (double)dy[i] * weight_at(c, i);
        at_put(c, 0, &at_out_row(c, 0, m)[i],
               rstd * (g - sum / (double)C - normalised(c, m, i) * along / (double)C));
    }
}

/* The sums over rows come first, so that dx may lie over dy or x. */
static at_status ref_dx(const at_call *c)
{
    for (int64_t i = 0; i < c->in[0].cols; i++) {
        double dweight = 0.0, dbias = 0.0;
        for (int64_t m = 0; m < c->in[0].rows; m++) {
            dweight += (double)at_row(c, 4, m)[i] * normalised(c, m, i);
            dbias += (double)at_row(c, 4, m)[i];
        }
        if (c->out[1].data) at_put(c, 1, &at_out_row(c, 1, 0)[i], dweight);
        if (c->out[2].data) at_put(c, 2, &at_out_row(c, 2, 0)[i], dbias);
    }
    for (int64_t m = 0; m < c->in[0].rows && c->out[0].data; m++) ref_dx_row(c, m);
    return AT_OK;
}

static const at_op_case dx_cases[] = {
    {.name = "odd", .in = {{3, {2, 3, 37}}, {1, {37}}, {1, {6}}, {1, {6}}, {3, {2, 3, 37}}}, .positive = 8},
    {.name = "plain", .in = {{2, {4, 5}}, {0}, {1, {4}}, {1, {4}}, {2, {4, 5}}}, .positive = 8},
    {.name = "one", .in = {{2, {1, 3}}, {1, {3}}, {1, {1}}, {1, {1}}, {2, {1, 3}}}, .positive = 8},
    {.name = "empty", .in = {{2, {0, 8}}, {1, {8}}, {1, {0}}, {1, {0}}, {2, {0, 8}}}, .positive = 8},
    {.name = "large",
     .in = {{2, {331, 384}}, {1, {384}}, {1, {331}}, {1, {331}}, {2, {331, 384}}},
     .positive = 8,
     .large = true},
    {.name = "large_odd",
     .in = {{2, {70, 1031}}, {1, {1031}}, {1, {70}}, {1, {70}}, {2, {70, 1031}}},
     .positive = 8,
     .large = true},
    {0},
};

static const at_op_case dx_refused[] = {
    {.name = "x and dy differ", .in = {{2, {3, 4}}, {1, {4}}, {1, {3}}, {1, {3}}, {2, {3, 5}}}},
    {.name = "weight must be [C=4]", .in = {{2, {3, 4}}, {1, {5}}, {1, {3}}, {1, {3}}, {2, {3, 4}}}},
    {.name = "one number a row", .in = {{2, {3, 4}}, {1, {4}}, {1, {3}}, {1, {6}}, {2, {3, 4}}}},
    {0},
};

static double dx_flops(const void *param, const at_meta *in, const at_meta *out)
{
    (void)param, (void)out;
    return 16.0 * (double)at_meta_max_rows(&in[0]) * (double)at_meta_cols(&in[0]);
}

const at_op at_op_layernorm_dx = {.name = "layernorm_dx",
                                  .doc = "gradient of layernorm",
                                  .n_in = 5,
                                  .n_out = 3,
                                  .optional_in = 2,
                                  .extent_in = 29,
                                  .acc_in = 14,
                                  .inplace = {{4, 0}, {0, 0}},
                                  .n_inplace = 2,
                                  .infer = dx_infer,
                                  .no_grad_reason = "a gradient itself",
                                  .ref = ref_dx,
                                  .flops = dx_flops,
                                  .cases = dx_cases,
                                  .refused = dx_refused};

at_value *at_layernorm(at_graph *g, at_value *x, at_value *weight, at_value *bias, double eps)
{
    return at_op1(g, &at_op_layernorm, (&(at_layernorm_param){eps}), x, weight, bias);
}
