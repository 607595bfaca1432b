/* batchnorm_clamp: y = min(max(z, low), high),  z = batchnorm(x, gamma, beta)
 * x, y [..,C] act on an extent   gamma, beta [C] acc   saved: mean, rstd, unbiased variance [C] acc, as
 * batchnorm saves them. It stands for batchnorm and then relu or relu6, without the clamp's own passes over
 * memory, forward and backward.
 *
 * With d = dy where low < z < high, else 0: the gradient of batchnorm for d. NaN passes through. */
#include "ops/batchnorm_clamp/batchnorm_clamp.h"
#include "ops/batchnorm/batchnorm.h"
#include "ops/relu/relu.h"
#include "ops/relu6/relu6.h"
#include <math.h>

static at_status infer(at_ctx *ctx, const void *param, const at_meta *in, at_meta *out, at_meta *saved)
{
    const at_batchnorm_clamp_param *p = param;
    AT_REQUIRE(ctx, p->low < p->high, AT_E_RANGE, "batchnorm_clamp: low %g must be below high %g", p->low,
               p->high);
    return at_op_batchnorm.infer(ctx, &(at_batchnorm_param){p->eps}, in, out, saved);
}

static void grad(at_graph *g, const at_node *n, at_value *const *dy, at_value **dx)
{
    const at_node *d = at_opn(g, &at_op_batchnorm_clamp_dx, n->param, n->in[0], n->in[1], n->in[2],
                              n->saved[0], n->saved[1], dy[0]);
    for (int i = 0; i < 3; i++)
        if (dx[i]) dx[i] = d->out[i];
}

/* batchnorm, then the clamp where y is. */
static at_status ref_fwd(const at_call *c)
{
    const at_batchnorm_clamp_param *p = c->param;
    const double n = (double)c->in[0].rows;
    for (int64_t i = 0; i < c->in[0].cols; i++) {
        double mean = 0.0, var = 0.0;
        for (int64_t m = 0; m < c->in[0].rows; m++) mean += (double)at_row(c, 0, m)[i];
        mean /= n;
        for (int64_t m = 0; m < c->in[0].rows; m++) {
            const double d = (double)at_row(c, 0, m)[i] - mean;
            var += d * d;
        }
        const double rstd = 1 / sqrt(var / n + p->eps);
        if (c->out[1].data) at_put(c, 1, &at_out_row(c, 1, 0)[i], mean);
        if (c->out[2].data) at_put(c, 2, &at_out_row(c, 2, 0)[i], rstd);
        if (c->out[3].data) at_put(c, 3, &at_out_row(c, 3, 0)[i], n > 0 ? var / fmax(n - 1, 1) : (double)NAN);
        const double gamma = (double)at_row(c, 1, 0)[i], beta = (double)at_row(c, 2, 0)[i];
        for (int64_t m = 0; m < c->in[0].rows && c->out[0].data; m++) {
            const double z = ((double)at_row(c, 0, m)[i] - mean) * rstd * gamma + beta;
            at_put(c, 0, &at_out_row(c, 0, m)[i], z < p->low ? p->low : z > p->high ? p->high : z);
        }
    }
    return AT_OK;
}

#define RELU                                                                                                 \
    .param = &(const at_batchnorm_clamp_param)                                                               \
    {                                                                                                        \
        1e-5, 0, INFINITY                                                                                    \
    }
#define RELU6                                                                                                \
    .param = &(const at_batchnorm_clamp_param)                                                               \
    {                                                                                                        \
        1e-5, 0, 6                                                                                           \
    }
#define SIX                                                                                                  \
    .param = &(const at_batchnorm_clamp_param)                                                               \
    {                                                                                                        \
        1e-3, -0.5, 1                                                                                        \
    }

static const at_op_case cases[] = {
    {.name = "rows", RELU, .in = {{2, {6, 4}}, {1, {4}}, {1, {4}}}},
    {.name = "odd", SIX, .in = {{3, {2, 5, 7}}, {1, {7}}, {1, {7}}}, .low = -1, .high = 3},
    {.name = "image", SIX, .in = {{4, {3, 2, 3, 5}}, {1, {5}}, {1, {5}}}},
    {.name = "relu6", RELU6, .in = {{2, {6, 4}}, {1, {4}}, {1, {4}}}, .low = -3, .high = 9},
    {.name = "relu6_image", RELU6, .in = {{4, {3, 2, 3, 5}}, {1, {5}}, {1, {5}}}, .low = -3, .high = 9},
    {.name = "one", RELU, .in = {{2, {1, 3}}, {1, {3}}, {1, {3}}}},
    {.name = "empty", RELU, .in = {{2, {0, 8}}, {1, {8}}, {1, {8}}}},
    {.name = "large",
     SIX,
     .in = {{4, {3, 40, 40, 24}}, {1, {24}}, {1, {24}}},
     .low = -1,
     .high = 3,
     .large = true},
    {.name = "large_wide", RELU, .in = {{2, {600, 520}}, {1, {520}}, {1, {520}}}, .large = true},
    {0},
};

static const at_op_case refused[] = {
    {.name = "gamma must be [C=4]", RELU, .in = {{2, {3, 4}}, {1, {3}}, {1, {4}}}},
    {.name = "must be below high",
     .param = &(const at_batchnorm_clamp_param){1e-5, 6, 0},
     .in = {{2, {3, 4}}, {1, {4}}, {1, {4}}}},
    {0},
};

const at_op at_op_batchnorm_clamp = {
    .name = "batchnorm_clamp",
    .doc = "normalisation by the step's statistics, clamped: batchnorm and relu or relu6",
    .n_in = 3,
    .n_out = 1,
    .n_saved = 3,
    .param_size = sizeof(at_batchnorm_clamp_param),
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

/* ---- gradient: in x, gamma, beta, mean, rstd, dy -> dx, dgamma, dbeta ---- */

static at_status dx_infer(at_ctx *ctx, const void *p, const at_meta *in, at_meta *out, at_meta *saved)
{
    (void)p, (void)saved;
    const int64_t C = at_meta_cols(&in[0]);
    AT_REQUIRE(ctx, at_same_shape(&in[0], &in[5]), AT_E_SHAPE,
               "batchnorm_clamp_dx: x and dy differ in shape");
    for (int i = 1; i < 5; i++)
        AT_REQUIRE(ctx, at_is_vector(&in[i], C), AT_E_SHAPE, "batchnorm_clamp_dx: input %d must be [C=%lld]",
                   i, (long long)C);
    out[0] = in[0];
    out[1] = out[2] = at_meta_vector(AT_ACC, C);
    return AT_OK;
}

/* dy where the clamp let it pass. */
static double passed(const at_call *c, int64_t m, int64_t i)
{
    const at_batchnorm_clamp_param *p = c->param;
    const double h = ((double)at_row(c, 0, m)[i] - (double)at_row(c, 3, 0)[i]) * (double)at_row(c, 4, 0)[i];
    const double z = h * (double)at_row(c, 1, 0)[i] + (double)at_row(c, 2, 0)[i];
    return z <= p->low || z >= p->high ? 0.0 : (double)at_row(c, 5, m)[i];
}

/* Column after column, so that dx may lie over dy or x: element m is read before it is written. */
static at_status ref_dx(const at_call *c)
{
    const double n = (double)c->in[0].rows;
    for (int64_t i = 0; i < c->in[0].cols; i++) {
        const double gamma = (double)at_row(c, 1, 0)[i], mean = (double)at_row(c, 3, 0)[i];
        const double rstd = (double)at_row(c, 4, 0)[i];
        double dgamma = 0.0, dbeta = 0.0;
        for (int64_t m = 0; m < c->in[0].rows; m++) {
            const double d = passed(c, m, i);
            dgamma += d * ((double)at_row(c, 0, m)[i] - mean) * rstd;
            dbeta += d;
        }
        if (c->out[1].data) at_put(c, 1, &at_out_row(c, 1, 0)[i], dgamma);
        if (c->out[2].data) at_put(c, 2, &at_out_row(c, 2, 0)[i], dbeta);
        for (int64_t m = 0; m < c->in[0].rows && c->out[0].data; m++) {
            const double h = ((double)at_row(c, 0, m)[i] - mean) * rstd, d = passed(c, m, i);
            at_put(c, 0, &at_out_row(c, 0, m)[i], gamma * rstd * (d - dbeta / n - h * dgamma / n));
        }
    }
    return AT_OK;
}

static const at_op_case dx_cases[] = {
    {.name = "odd",
     SIX,
     .in = {{3, {2, 5, 7}}, {1, {7}}, {1, {7}}, {1, {7}}, {1, {7}}, {3, {2, 5, 7}}},
     .positive = 16},
    {.name = "one",
     RELU,
     .in = {{2, {1, 3}}, {1, {3}}, {1, {3}}, {1, {3}}, {1, {3}}, {2, {1, 3}}},
     .positive = 16},
    {.name = "empty",
     RELU,
     .in = {{2, {0, 8}}, {1, {8}}, {1, {8}}, {1, {8}}, {1, {8}}, {2, {0, 8}}},
     .positive = 16},
    {.name = "large",
     SIX,
     .in = {{4, {3, 40, 40, 24}}, {1, {24}}, {1, {24}}, {1, {24}}, {1, {24}}, {4, {3, 40, 40, 24}}},
     .positive = 16,
     .large = true},
    {.name = "large_wide",
     RELU,
     .in = {{2, {600, 520}}, {1, {520}}, {1, {520}}, {1, {520}}, {1, {520}}, {2, {600, 520}}},
     .positive = 16,
     .large = true},
    {0},
};

static const at_op_case dx_refused[] = {
    {.name = "x and dy differ",
     RELU,
     .in = {{2, {3, 4}}, {1, {4}}, {1, {4}}, {1, {4}}, {1, {4}}, {2, {3, 5}}}},
    {.name = "input 4 must be [C=4]",
     RELU,
     .in = {{2, {3, 4}}, {1, {4}}, {1, {4}}, {1, {4}}, {1, {5}}, {2, {3, 4}}}},
    {0},
};

const at_op at_op_batchnorm_clamp_dx = {.name = "batchnorm_clamp_dx",
                                        .doc = "gradient of batchnorm_clamp",
                                        .n_in = 6,
                                        .n_out = 3,
                                        .param_size = sizeof(at_batchnorm_clamp_param),
                                        .extent_in = 33,
                                        .acc_in = 30,
                                        .inplace = {{5, 0}, {0, 0}},
                                        .n_inplace = 2,
                                        .couples_rows = true,
                                        .infer = dx_infer,
                                        .no_grad_reason = "a gradient itself",
                                        .ref = ref_dx,
                                        .cases = dx_cases,
                                        .refused = dx_refused};

/* ---- what it stands for ---- */

static void clamped(void *out, const at_node *first, double high)
{
    *(at_batchnorm_clamp_param *)out =
        (at_batchnorm_clamp_param){((const at_batchnorm_param *)first->param)->eps, 0, high};
}

static void param_relu(void *out, const at_node *first, const at_node *then)
{
    (void)then;
    clamped(out, first, (double)INFINITY);
}

static void param_relu6(void *out, const at_node *first, const at_node *then)
{
    (void)then;
    clamped(out, first, 6);
}

const at_fusion at_fusion_batchnorm_relu = {.name = "batchnorm_relu",
                                            .first = &at_op_batchnorm,
                                            .then = &at_op_relu,
                                            .fused = &at_op_batchnorm_clamp,
                                            .param = param_relu};

const at_fusion at_fusion_batchnorm_relu6 = {.name = "batchnorm_relu6",
                                             .first = &at_op_batchnorm,
                                             .then = &at_op_relu6,
                                             .fused = &at_op_batchnorm_clamp,
                                             .param = param_relu6};
