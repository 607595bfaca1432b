/* rowsum: y = sum over rows of x          x [..,C] act on an extent   y [C] acc
 * The gradient of whatever is added to every row: biases. */
#include "ops/rowsum/rowsum.h"

static at_status infer(at_ctx *ctx, const void *p, const at_meta *in, at_meta *out, at_meta *saved)
{
    (void)p, (void)saved;
    AT_REQUIRE(ctx, in[0].rank >= 2, AT_E_SHAPE, "rowsum: x needs rows and columns");
    out[0] = at_meta_vector(AT_ACC, at_meta_cols(&in[0]));
    return AT_OK;
}

static at_status ref(const at_call *c)
{
    at_real *y = at_out_row(c, 0, 0);
    for (int64_t i = 0; i < c->in[0].cols; i++) {
        double sum = 0.0;
        for (int64_t m = 0; m < c->in[0].rows; m++) sum += (double)at_row(c, 0, m)[i];
        at_put(c, 0, &y[i], sum);
    }
    return AT_OK;
}

static const at_op_case cases[] = {
    {.name = "narrow", .in = {{2, {21, 8}}}},
    {.name = "odd", .in = {{3, {3, 5, 37}}}},
    {.name = "wide", .in = {{2, {5, 300}}}},
    {.name = "one", .in = {{2, {1, 3}}}},
    {.name = "empty", .in = {{2, {0, 8}}}},
    {.name = "large", .in = {{4, {3, 40, 40, 24}}}, .large = true},
    {.name = "large_blocks", .in = {{2, {3, 2100}}}, .large = true},
    {.name = "large_wide", .in = {{2, {600, 520}}}, .large = true},
    {0},
};

static const at_op_case refused[] = {
    {.name = "rows and columns", .in = {{1, {3}}}},
    {0},
};

const at_op at_op_rowsum = {.name = "rowsum",
                            .doc = "sum over rows, per channel",
                            .n_in = 1,
                            .n_out = 1,
                            .extent_in = 1,
                            .infer = infer,
                            .no_grad_reason = "a gradient itself",
                            .ref = ref,
                            .cases = cases,
                            .refused = refused};

at_value *at_rowsum(at_graph *g, at_value *x)
{
    return at_op1(g, &at_op_rowsum, NULL, x);
}
