/* tanh: y = tanh x          x, y [rows,C] act
 * dx = dy (1 - y^2): by the output, so that the input need not be kept. */
#include "ops/tanh/tanh.h"
#include <math.h>

static at_status infer(at_ctx *ctx, const void *p, const at_meta *in, at_meta *out, at_meta *saved)
{
    (void)ctx, (void)p, (void)saved;
    out[0] = in[0];
    return AT_OK;
}

static void grad(at_graph *g, const at_node *n, at_value *const *dy, at_value **dx)
{
    if (dx[0]) dx[0] = at_op1(g, &at_op_tanh_dx, NULL, n->out[0], dy[0]);
}

static at_status ref_fwd(const at_call *c)
{
    for (int64_t m = 0; m < c->out[0].rows; m++) {
        const at_real *x = at_row(c, 0, m);
        at_real *y = at_out_row(c, 0, m);
        for (int64_t i = 0; i < c->out[0].cols; i++) at_put(c, 0, &y[i], tanh((double)x[i]));
    }
    return AT_OK;
}

static const at_op_case cases[] = {
    {.name = "row64", .in = {{2, {3, 64}}}, .low = -3, .high = 3},
    {.name = "odd", .in = {{3, {2, 5, 37}}}, .low = -3, .high = 3},
    {.name = "empty", .in = {{2, {0, 8}}}},
    {.name = "large", .in = {{2, {67, 768}}}, .low = -12, .high = 12, .large = true},
    {0},
};

const at_op at_op_tanh = {.name = "tanh",
                          .doc = "tanh x",
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
    AT_REQUIRE(ctx, at_same_shape(&in[0], &in[1]), AT_E_SHAPE, "tanh_dx: y and dy differ in shape");
    out[0] = in[0];
    return AT_OK;
}

static at_status ref_dx(const at_call *c)
{
    for (int64_t m = 0; m < c->out[0].rows; m++) {
        const at_real *y = at_row(c, 0, m), *dy = at_row(c, 1, m);
        at_real *dx = at_out_row(c, 0, m);
        for (int64_t i = 0; i < c->out[0].cols; i++)
            at_put(c, 0, &dx[i], (double)dy[i] * (1 - (double)y[i] * (double)y[i]));
    }
    return AT_OK;
}

static const at_op_case dx_cases[] = {
    {.name = "odd", .in = {{2, {3, 37}}, {2, {3, 37}}}},
    {.name = "large", .in = {{2, {67, 768}}, {2, {67, 768}}}, .large = true},
    {0},
};

static const at_op_case dx_refused[] = {
    {.name = "y and dy differ", .in = {{2, {3, 4}}, {2, {3, 5}}}},
    {0},
};

const at_op at_op_tanh_dx = {.name = "tanh_dx",
                             .doc = "gradient of tanh",
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

at_value *at_tanh(at_graph *g, at_value *x)
{
    return at_op1(g, &at_op_tanh, NULL, x);
}
