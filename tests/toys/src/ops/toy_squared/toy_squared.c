/* toy_squared: loss = sum_s (y[s] - t[s])^2,   count = rows,   saved: 2 (y - t)          y, t [S,1] act */
#include "ops/toy_squared/toy_squared.h"

static at_status infer(at_ctx *ctx, const void *p, const at_meta *in, at_meta *out, at_meta *saved)
{
    (void)p;
    AT_REQUIRE(ctx, in[0].extent && at_meta_cols(&in[0]) == 1 && at_same_shape(&in[0], &in[1]), AT_E_SHAPE,
               "toy_squared: y and target must be [S,1]");
    out[0] = out[1] = at_meta_vector(AT_ACC, 1);
    saved[0] = in[0];
    return AT_OK;
}

static void grad(at_graph *g, const at_node *n, at_value *const *dy, at_value **dx)
{
    (void)g, (void)dy;
    if (dx[0]) dx[0] = n->saved[0];
}

static at_status ref(const at_call *c)
{
    double loss = 0.0;
    for (int64_t s = 0; s < c->in[0].rows; s++) {
        const double d = (double)at_row(c, 0, s)[0] - (double)at_row(c, 1, s)[0];
        loss += d * d;
        if (c->out[2].data) at_put(c, 2, at_out_row(c, 2, s), 2.0 * d);
    }
    if (c->out[0].data) at_put(c, 0, at_out_row(c, 0, 0), loss);
    if (c->out[1].data) at_put(c, 1, at_out_row(c, 1, 0), (double)c->in[0].rows);
    return AT_OK;
}

static const at_op_case cases[] = {
    {.name = "some", .in = {{2, {5, 1}}, {2, {5, 1}}}},
    {.name = "empty", .in = {{2, {0, 1}}, {2, {0, 1}}}},
    {0},
};

const at_op at_op_toy_squared = {.name = "toy_squared",
                                 .doc = "sum of squared differences, and their number",
                                 .n_in = 2,
                                 .n_out = 2,
                                 .n_saved = 1,
                                 .extent_in = 3,
                                 .constant_in = 2,
                                 .loss = true,
                                 .infer = infer,
                                 .grad = grad,
                                 .ref = ref,
                                 .cases = cases};

at_squared at_toy_squared(at_graph *g, at_value *y, at_value *target)
{
    const at_node *n = at_opn(g, &at_op_toy_squared, NULL, y, target);
    return (at_squared){n->out[0], n->out[1]};
}
