/* mse: squared error of one number a sample, as torch.nn.functional.mse_loss(reduction="sum") defines it,
 * with targets in a unit of their own.   x [S,1] act   y targets [S] acc   t = (y - shift) / scale loss_sum
 * [1] acc = sum_s (x_s - t_s)^2,   count [1] acc = S;   the mean is taken over the whole batch, not here.
 * saved: dx [S,1] act = 2 (x - t). Targets are acc, so that in a bf16 plan 1987 stays 1987. */
#include "ops/mse/mse.h"

static at_status infer(at_ctx *ctx, const void *param, const at_meta *in, at_meta *out, at_meta *saved)
{
    const at_mse_param *p = param;
    AT_REQUIRE(ctx, p->scale > 0, AT_E_RANGE, "mse: the targets' scale is %g, must be above 0", p->scale);
    AT_REQUIRE(ctx, in[0].rank == 2 && in[0].extent && in[0].dim[1] == 1, AT_E_SHAPE,
               "mse: predictions must be [S,1] on an extent");
    AT_REQUIRE(ctx, in[1].rank == 1 && in[1].extent == in[0].extent && in[1].dim[0] == in[0].dim[0],
               AT_E_SHAPE, "mse: targets must be [S], one for each row of the predictions");
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
    const at_mse_param *p = c->param;
    double loss = 0.0;
    for (int64_t s = 0; s < c->in[0].rows; s++) {
        const double d = (double)at_row(c, 0, s)[0] - ((double)at_row(c, 1, s)[0] - p->shift) / p->scale;
        loss += d * d;
        if (c->out[2].data) at_put(c, 2, at_out_row(c, 2, s), 2.0 * d);
    }
    if (c->out[0].data) at_put(c, 0, at_out_row(c, 0, 0), loss);
    if (c->out[1].data) at_put(c, 1, at_out_row(c, 1, 0), (double)c->in[0].rows);
    return AT_OK;
}

#define PLAIN                                                                                                \
    .param = &(const at_mse_param)                                                                           \
    {                                                                                                        \
        0, 1                                                                                                 \
    }
#define SCALED                                                                                               \
    .param = &(const at_mse_param)                                                                           \
    {                                                                                                        \
        2, 0.5                                                                                               \
    }

static const at_op_case cases[] = {
    {.name = "some", PLAIN, .in = {{2, {5, 1}}, {1, {5}}}},
    {.name = "scaled", SCALED, .in = {{2, {7, 1}}, {1, {7}}}, .low = -3, .high = 3},
    {.name = "one", SCALED, .in = {{2, {1, 1}}, {1, {1}}}},
    {.name = "empty", PLAIN, .in = {{2, {0, 1}}, {1, {0}}}},
    {.name = "large_rows", SCALED, .in = {{2, {9000, 1}}, {1, {9000}}}, .low = -9, .high = 9, .large = true},
    {0},
};

static const at_op_case refused[] = {
    {.name = "must be above 0", .param = &(const at_mse_param){0, 0}, .in = {{2, {3, 1}}, {1, {3}}}},
    {.name = "predictions must be [S,1]", PLAIN, .in = {{2, {3, 2}}, {1, {3}}}},
    {.name = "targets must be [S]", PLAIN, .in = {{2, {3, 1}}, {1, {2}}}},
    {0},
};

const at_op at_op_mse = {.name = "mse",
                         .doc = "squared error of one number a sample: sum and number",
                         .n_in = 2,
                         .n_out = 2,
                         .n_saved = 1,
                         .param_size = sizeof(at_mse_param),
                         .extent_in = 3,
                         .acc_in = 2,
                         .constant_in = 2,
                         .inplace = {{0, 2}},
                         .n_inplace = 1,
                         .loss = true,
                         .infer = infer,
                         .grad = grad,
                         .ref = ref,
                         .cases = cases,
                         .refused = refused};

at_loss at_mse(at_graph *g, at_value *x, at_value *y, double shift, double scale)
{
    const at_node *n = at_opn(g, &at_op_mse, (&(at_mse_param){shift, scale}), x, y);
    return (at_loss){n->out[0], n->out[1]};
}
