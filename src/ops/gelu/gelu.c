/* gelu: y = x P(x)          x, y [rows,C] act          (Hendrycks and Gimpel 2016)
 * erf:   P(x) = (1 + erf(x / sqrt 2)) / 2, the standard normal distribution;   P'(x) = exp(-x^2 / 2) / sqrt(2
 * pi) tanh:  P(x) = (1 + tanh u) / 2,  u = sqrt(2 / pi) (x + 0.044715 x^3);   P'(x) = (1 - tanh^2 u) u' / 2
 * dx = dy (P(x) + x P'(x)) */
#include "ops/gelu/gelu.h"
#include <math.h>

static const double SQRT_2_OVER_PI = 0.79788456080286535588, SQRT_HALF = 0.70710678118654752440,
                    CUBE = 0.044715;

static at_status check(at_ctx *ctx, const at_gelu_param *p)
{
    AT_REQUIRE(ctx, p->form == AT_GELU_ERF || p->form == AT_GELU_TANH, AT_E_RANGE,
               "gelu: form %lld is unknown", (long long)p->form);
    return AT_OK;
}

static at_status infer(at_ctx *ctx, const void *param, const at_meta *in, at_meta *out, at_meta *saved)
{
    (void)saved;
    AT_TRY(check(ctx, param));
    out[0] = in[0];
    return AT_OK;
}

static void grad(at_graph *g, const at_node *n, at_value *const *dy, at_value **dx)
{
    if (dx[0]) dx[0] = at_op1(g, &at_op_gelu_dx, n->param, n->in[0], dy[0]);
}

/* P(x), and P'(x) to *density. */
static double probability(const at_gelu_param *p, double x, double *density)
{
    if (p->form == AT_GELU_ERF) {
        *density = exp(-0.5 * x * x) * SQRT_2_OVER_PI / 2;
        return 0.5 * erfc(-x * SQRT_HALF);
    }
    const double t = tanh(SQRT_2_OVER_PI * (x + CUBE * x * x * x));
    *density = 0.5 * (1 - t * t) * SQRT_2_OVER_PI * (1 + 3 * CUBE * x * x);
    return 0.5 * (1 + t);
}

double at_gelu_of(const at_gelu_param *p, double x, double *slope)
{
    double density;
    const double below = probability(p, x, &density);
    *slope = below + x * density;
    return x * below;
}

static at_status ref_fwd(const at_call *c)
{
    double slope;
    for (int64_t m = 0; m < c->out[0].rows; m++) {
        const at_real *x = at_row(c, 0, m);
        at_real *y = at_out_row(c, 0, m);
        for (int64_t i = 0; i < c->out[0].cols; i++)
            at_put(c, 0, &y[i], at_gelu_of(c->param, (double)x[i], &slope));
    }
    return AT_OK;
}

#define ERF  .param = &(const at_gelu_param){AT_GELU_ERF}, .low = -6, .high = 6
#define TANH .param = &(const at_gelu_param){AT_GELU_TANH}, .low = -6, .high = 6

static const at_op_case cases[] = {
    {.name = "erf", ERF, .in = {{2, {3, 64}}}},
    {.name = "tanh", TANH, .in = {{2, {3, 64}}}},
    {.name = "odd", ERF, .in = {{3, {2, 5, 37}}}},
    {.name = "odd_tanh", TANH, .in = {{3, {2, 5, 7}}}},
    {.name = "empty", ERF, .in = {{2, {0, 8}}}},
    {.name = "large", ERF, .in = {{2, {67, 1536}}}, .large = true},
    {.name = "large_tanh", TANH, .in = {{2, {67, 1536}}}, .large = true},
    {0},
};

static const at_op_case refused[] = {
    {.name = "form 2 is unknown", .param = &(const at_gelu_param){2}, .in = {{2, {3, 4}}}},
    {0},
};

/* About what the kernels spend on an exponential, a quotient and a polynomial. */
static double flops(const void *param, const at_meta *in, const at_meta *out)
{
    (void)param, (void)out;
    return 50.0 * (double)at_meta_max_rows(&in[0]) * (double)at_meta_cols(&in[0]);
}

const at_op at_op_gelu = {.name = "gelu",
                          .doc = "x times the normal distribution at x, or its approximation by tanh",
                          .n_in = 1,
                          .n_out = 1,
                          .param_size = sizeof(at_gelu_param),
                          .extent_in = 1,
                          .inplace = {{0, 0}},
                          .n_inplace = 1,
                          .infer = infer,
                          .grad = grad,
                          .ref = ref_fwd,
                          .flops = flops,
                          .cases = cases,
                          .refused = refused};

/* ---- gradient: in x, dy ---- */

static at_status dx_infer(at_ctx *ctx, const void *param, const at_meta *in, at_meta *out, at_meta *saved)
{
    (void)saved;
    AT_TRY(check(ctx, param));
    AT_REQUIRE(ctx, at_same_shape(&in[0], &in[1]), AT_E_SHAPE, "gelu_dx: x and dy differ in shape");
    out[0] = in[0];
    return AT_OK;
}

static at_status ref_dx(const at_call *c)
{
    for (int64_t m = 0; m < c->out[0].rows; m++) {
        const at_real *x = at_row(c, 0, m), *dy = at_row(c, 1, m);
        at_real *dx = at_out_row(c, 0, m);
        for (int64_t i = 0; i < c->out[0].cols; i++) {
            double slope;
            at_gelu_of(c->param, (double)x[i], &slope);
            at_put(c, 0, &dx[i], (double)dy[i] * slope);
        }
    }
    return AT_OK;
}

static const at_op_case dx_cases[] = {
    {.name = "odd", ERF, .in = {{2, {3, 37}}, {2, {3, 37}}}},
    {.name = "odd_tanh", TANH, .in = {{2, {3, 37}}, {2, {3, 37}}}},
    {.name = "large", ERF, .in = {{2, {67, 1536}}, {2, {67, 1536}}}, .large = true},
    {.name = "large_tanh", TANH, .in = {{2, {67, 1536}}, {2, {67, 1536}}}, .large = true},
    {0},
};

static const at_op_case dx_refused[] = {
    {.name = "x and dy differ", ERF, .in = {{2, {3, 4}}, {2, {3, 5}}}},
    {0},
};

const at_op at_op_gelu_dx = {.name = "gelu_dx",
                             .doc = "gradient of gelu",
                             .n_in = 2,
                             .n_out = 1,
                             .param_size = sizeof(at_gelu_param),
                             .extent_in = 3,
                             .inplace = {{1, 0}, {0, 0}},
                             .n_inplace = 2,
                             .infer = dx_infer,
                             .no_grad_reason = "a gradient itself",
                             .ref = ref_dx,
                             .flops = flops,
                             .cases = dx_cases,
                             .refused = dx_refused};

at_value *at_gelu(at_graph *g, at_value *x, at_gelu_form form)
{
    return at_op1(g, &at_op_gelu, (&(at_gelu_param){form}), x);
}
