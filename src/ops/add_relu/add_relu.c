/* add_relu: y = max(a + b, 0)          a, b, y of one shape, act
 * add and then relu, as where a residual block ends (He et al. 2016), in one pass over memory instead of two.
 * da = db = dy where y > 0, else 0: one node gives both. NaN passes through. */
#include "ops/add_relu/add_relu.h"
#include "ops/add/add.h"
#include "ops/relu/relu.h"

static at_status infer(at_ctx *ctx, const void *p, const at_meta *in, at_meta *out, at_meta *saved)
{
    (void)p, (void)saved;
    AT_REQUIRE(ctx, at_same_shape(&in[0], &in[1]), AT_E_SHAPE, "add_relu: the inputs differ in shape");
    out[0] = in[0];
    return AT_OK;
}

static void grad(at_graph *g, const at_node *n, at_value *const *dy, at_value **dx)
{
    at_value *d = dx[0] || dx[1] ? at_op1(g, &at_op_relu_dx, NULL, n->out[0], dy[0]) : NULL;
    for (int i = 0; i < 2; i++)
        if (dx[i]) dx[i] = d;
}

static at_status ref(const at_call *c)
{
    for (int64_t m = 0; m < c->out[0].rows; m++) {
        const at_real *a = at_row(c, 0, m), *b = at_row(c, 1, m);
        at_real *y = at_out_row(c, 0, m);
        for (int64_t i = 0; i < c->out[0].cols; i++) {
            const double z = (double)a[i] + (double)b[i];
            at_put(c, 0, &y[i], z < 0 ? 0.0 : z);
        }
    }
    return AT_OK;
}

static const at_op_case cases[] = {
    {.name = "row64", .in = {{2, {3, 64}}, {2, {3, 64}}}},
    {.name = "odd", .in = {{3, {2, 5, 37}}, {3, {2, 5, 37}}}},
    {.name = "one", .in = {{2, {1, 5}}, {2, {1, 5}}}},
    {.name = "empty", .in = {{2, {0, 8}}, {2, {0, 8}}}},
    {.name = "large", .in = {{4, {3, 28, 28, 24}}, {4, {3, 28, 28, 24}}}, .large = true},
    {0},
};

static const at_op_case refused[] = {
    {.name = "differ in shape", .in = {{2, {3, 4}}, {2, {3, 5}}}},
    {0},
};

const at_op at_op_add_relu = {.name = "add_relu",
                              .doc = "max(a + b, 0): add and relu",
                              .n_in = 2,
                              .n_out = 1,
                              .extent_in = 3,
                              .inplace = {{0, 0}, {1, 0}},
                              .n_inplace = 2,
                              .infer = infer,
                              .grad = grad,
                              .ref = ref,
                              .cases = cases,
                              .refused = refused};

const at_fusion at_fusion_add_relu = {
    .name = "add_relu", .first = &at_op_add, .then = &at_op_relu, .fused = &at_op_add_relu};
