/* relu: y = max(x, 0)          x, y [rows,C] act          (Nair and Hinton 2010)
 * dx = dy where y > 0, else 0: the output decides, so that the input need not be kept. NaN passes through. */
#include "ops/relu/relu.h"

static at_status infer(at_ctx *ctx, const void *p, const at_meta *in, at_meta *out, at_meta *saved)
{
    (void)ctx, (void)p, (void)saved;
    out[0] = in[0];
    return AT_OK;
}

static void grad(at_graph *g, const at_node *n, at_value *const *dy, at_value **dx)
{
    if (dx[0]) dx[0] = at_op1(g, &at_op_relu_dx, NULL, n->out[0], dy[0]);
}

static at_status ref_fwd(const at_call *c)
{
    for (int64_t m = 0; m < c->out[0].rows; m++) {
        const at_real *x = at_row(c, 0, m);
        at_real *y = at_out_row(c, 0, m);
        for (int64_t i = 0; i < c->out[0].cols; i++) at_put(c, 0, &y[i], x[i] < 0 ? 0.0 : (double)x[i]);
    }
    return AT_OK;
}

static const at_op_case cases[] = {
    {.name = "row64", .in = {{2, {3, 64}}}, .kinks = (const double[]){0}, .n_kinks = 1},
    {.name = "odd", .in = {{3, {2, 5, 37}}}, .kinks = (const double[]){0}, .n_kinks = 1},
    {.name = "one", .in = {{2, {1, 5}}}, .kinks = (const double[]){0}, .n_kinks = 1},
    {.name = "empty", .in = {{2, {0, 8}}}},
    {.name = "large", .in = {{4, {3, 28, 28, 24}}}, .large = true},
    {0},
};

const at_op at_op_relu = {.name = "relu",
                          .doc = "max(x, 0)",
                          .n_in = 1,
                          .n_out = 1,
                          .extent_in = 1,
                          .inplace = {{0, 0}},
                          .n_inplace = 1,
                          .infer = infer,
                          .grad = grad,
                          .ref = ref_fwd,
                          .cases = cases};

/* ---- gradient: in y, dy ---- */

static at_status dx_infer(at_ctx *ctx, const void *p, const at_meta *in, at_meta *out, at_meta *saved)
{
    (void)p, (void)saved;
    AT_REQUIRE(ctx, at_same_shape(&in[0], &in[1]), AT_E_SHAPE, "relu_dx: y and dy differ in shape");
    out[0] = in[0];
    return AT_OK;
}

static at_status ref_dx(const at_call *c)
{
    for (int64_t m = 0; m < c->out[0].rows; m++) {
        const at_real *y = at_row(c, 0, m), *dy = at_row(c, 1, m);
        at_real *dx = at_out_row(c, 0, m);
        for (int64_t i = 0; i < c->out[0].cols; i++) at_put(c, 0, &dx[i], y[i] <= 0 ? 0.0 : (double)dy[i]);
    }
    return AT_OK;
}

static const at_op_case dx_cases[] = {
    {.name = "odd", .in = {{2, {3, 37}}, {2, {3, 37}}}},
    {.name = "empty", .in = {{2, {0, 8}}, {2, {0, 8}}}},
    {.name = "large", .in = {{4, {3, 28, 28, 24}}, {4, {3, 28, 28, 24}}}, .large = true},
    {0},
};

static const at_op_case dx_refused[] = {
    {.name = "y and dy differ", .in = {{2, {3, 4}}, {2, {3, 5}}}},
    {0},
};

const at_op at_op_relu_dx = {.name = "relu_dx",
                             .doc = "gradient of relu",
                             .n_in = 2,
                             .n_out = 1,
                             .extent_in = 3,
                             .inplace = {{1, 0}, {0, 0}},
                             .n_inplace = 2,
                             .infer = dx_infer,
                             .no_grad_reason = "a gradient itself",
                             .ref = ref_dx,
                             .cases = dx_cases,
                             .refused = dx_refused};

at_value *at_relu(at_graph *g, at_value *x)
{
    return at_op1(g, &at_op_relu, NULL, x);
}
