/* mul: y = a b, element by element          a, b, y of one shape, act
 * da = dy b     db = dy a: products again */
#include "ops/mul/mul.h"

static at_status infer(at_ctx *ctx, const void *p, const at_meta *in, at_meta *out, at_meta *saved)
{
    (void)p, (void)saved;
    AT_REQUIRE(ctx, at_same_shape(&in[0], &in[1]), AT_E_SHAPE, "mul: the inputs differ in shape");
    out[0] = in[0];
    return AT_OK;
}

static void grad(at_graph *g, const at_node *n, at_value *const *dy, at_value **dx)
{
    if (dx[0]) dx[0] = at_mul(g, dy[0], n->in[1]);
    if (dx[1]) dx[1] = at_mul(g, dy[0], n->in[0]);
}

static at_status ref(const at_call *c)
{
    for (int64_t m = 0; m < c->out[0].rows; m++) {
        const at_real *a = at_row(c, 0, m), *b = at_row(c, 1, m);
        at_real *y = at_out_row(c, 0, m);
        for (int64_t i = 0; i < c->out[0].cols; i++) at_put(c, 0, &y[i], (double)a[i] * (double)b[i]);
    }
    return AT_OK;
}

static const at_op_case cases[] = {
    {.name = "row64", .in = {{2, {3, 64}}, {2, {3, 64}}}},
    {.name = "odd", .in = {{3, {2, 5, 37}}, {3, {2, 5, 37}}}},
    {.name = "one", .in = {{2, {1, 5}}, {2, {1, 5}}}},
    {.name = "empty", .in = {{2, {0, 8}}, {2, {0, 8}}}},
    {.name = "large", .in = {{2, {67, 1152}}, {2, {67, 1152}}}, .large = true},
    {0},
};

static const at_op_case refused[] = {
    {.name = "differ in shape", .in = {{2, {3, 4}}, {2, {3, 5}}}},
    {0},
};

const at_op at_op_mul = {.name = "mul",
                         .doc = "a b, element by element",
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

at_value *at_mul(at_graph *g, at_value *a, at_value *b)
{
    return at_op1(g, &at_op_mul, NULL, a, b);
}
