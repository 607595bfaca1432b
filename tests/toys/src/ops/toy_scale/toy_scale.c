/* toy_scale: y = s x,   dx = s dy,   ds = sum of dy x          x, y [...,C] act   s [1] acc */
#include "ops/toy_scale/toy_scale.h"

static const at_op at_op_toy_scale_ds;

static at_status infer(at_ctx *ctx, const void *p, const at_meta *in, at_meta *out, at_meta *saved)
{
    (void)p, (void)saved;
    AT_REQUIRE(ctx, at_is_vector(&in[1], 1), AT_E_SHAPE, "toy_scale: s must be [1]");
    out[0] = in[0];
    return AT_OK;
}

static void grad(at_graph *g, const at_node *n, at_value *const *dy, at_value **dx)
{
    if (dx[1]) dx[1] = at_op1(g, &at_op_toy_scale_ds, NULL, dy[0], n->in[0]);
    if (dx[0]) dx[0] = at_toy_scale(g, dy[0], n->in[1]);
}

static at_status ref(const at_call *c)
{
    const double s = (double)at_row(c, 1, 0)[0];
    for (int64_t m = 0; m < c->out[0].rows; m++)
        for (int64_t i = 0; i < c->out[0].cols; i++)
            at_put(c, 0, &at_out_row(c, 0, m)[i], s * (double)at_row(c, 0, m)[i]);
    return AT_OK;
}

static const at_op_case cases[] = {
    {.name = "some", .in = {{2, {3, 5}}, {1, {1}}}},
    {.name = "empty", .in = {{2, {0, 5}}, {1, {1}}}},
    {0},
};

const at_op at_op_toy_scale = {.name = "toy_scale",
                               .doc = "y = s x",
                               .n_in = 2,
                               .n_out = 1,
                               .extent_in = 1,
                               .acc_in = 2,
                               .inplace = {{0, 0}},
                               .n_inplace = 1,
                               .infer = infer,
                               .grad = grad,
                               .ref = ref,
                               .cases = cases};

/* ---- ds: in dy, x ---- */

static at_status ds_infer(at_ctx *ctx, const void *p, const at_meta *in, at_meta *out, at_meta *saved)
{
    (void)p, (void)saved;
    AT_REQUIRE(ctx, at_same_shape(&in[0], &in[1]), AT_E_SHAPE, "toy_scale_ds: dy and x differ");
    out[0] = at_meta_vector(AT_ACC, 1);
    return AT_OK;
}

static at_status ds_ref(const at_call *c)
{
    double sum = 0.0;
    for (int64_t m = 0; m < c->in[0].rows; m++)
        for (int64_t i = 0; i < c->in[0].cols; i++)
            sum += (double)at_row(c, 0, m)[i] * (double)at_row(c, 1, m)[i];
    at_put(c, 0, at_out_row(c, 0, 0), sum);
    return AT_OK;
}

static const at_op at_op_toy_scale_ds = {.name = "toy_scale_ds",
                                         .doc = "sum of dy x",
                                         .n_in = 2,
                                         .n_out = 1,
                                         .extent_in = 3,
                                         .infer = ds_infer,
                                         .no_grad_reason = "a gradient itself",
                                         .ref = ds_ref};

at_value *at_toy_scale(at_graph *g, at_value *x, at_value *s)
{
    return at_op1(g, &at_op_toy_scale, NULL, x, s);
}
