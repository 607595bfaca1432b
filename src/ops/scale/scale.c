/* scale: y = f x          x, y [rows,C] act, f a constant of the graph
 * dx = f dy: the same op. */
#include "ops/scale/scale.h"
#include <math.h>

static at_status infer(at_ctx *ctx, const void *param, const at_meta *in, at_meta *out, at_meta *saved)
{
    (void)saved;
    const double factor = ((const at_scale_param *)param)->factor;
    AT_REQUIRE(ctx, isfinite(factor), AT_E_RANGE, "scale: the factor is %g, must be finite", factor);
    out[0] = in[0];
    return AT_OK;
}

static void grad(at_graph *g, const at_node *n, at_value *const *dy, at_value **dx)
{
    if (dx[0]) dx[0] = at_op1(g, &at_op_scale, n->param, dy[0]);
}

static at_status ref(const at_call *c)
{
    const double factor = ((const at_scale_param *)c->param)->factor;
    for (int64_t m = 0; m < c->out[0].rows; m++) {
        const at_real *x = at_row(c, 0, m);
        at_real *y = at_out_row(c, 0, m);
        for (int64_t i = 0; i < c->out[0].cols; i++) at_put(c, 0, &y[i], factor * (double)x[i]);
    }
    return AT_OK;
}

static const at_op_case cases[] = {
    {.name = "row64", .param = &(const at_scale_param){2}, .in = {{2, {3, 64}}}},
    {.name = "odd", .param = &(const at_scale_param){-0.3}, .in = {{3, {2, 5, 37}}}},
    {.name = "one", .param = &(const at_scale_param){1}, .in = {{2, {1, 5}}}},
    {.name = "zero", .param = &(const at_scale_param){0}, .in = {{2, {2, 5}}}},
    {.name = "empty", .param = &(const at_scale_param){2}, .in = {{2, {0, 8}}}},
    {.name = "large", .param = &(const at_scale_param){0.7}, .in = {{4, {3, 28, 28, 24}}}, .large = true},
    {0},
};

static const at_op_case refused[] = {
    {.name = "must be finite", .param = &(const at_scale_param){INFINITY}, .in = {{2, {3, 4}}}},
    {.name = "must be finite", .param = &(const at_scale_param){NAN}, .in = {{2, {3, 4}}}},
    {0},
};

const at_op at_op_scale = {.name = "scale",
                           .doc = "a constant times x",
                           .n_in = 1,
                           .n_out = 1,
                           .param_size = sizeof(at_scale_param),
                           .extent_in = 1,
                           .inplace = {{0, 0}},
                           .n_inplace = 1,
                           .infer = infer,
                           .grad = grad,
                           .ref = ref,
                           .cases = cases,
                           .refused = refused};

at_value *at_scale(at_graph *g, at_value *x, double factor)
{
    return factor == 1 ? x : at_op1(g, &at_op_scale, (&(at_scale_param){factor}), x);
}
