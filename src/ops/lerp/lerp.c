/* lerp: y = (1 - m) a + m b          a, b, y of one shape, acc; 0 <= m <= 1
 * Moves running statistics towards those of the batch. */
#include "ops/lerp/lerp.h"

static at_status infer(at_ctx *ctx, const void *param, const at_meta *in, at_meta *out, at_meta *saved)
{
    (void)saved;
    const at_lerp_param *p = param;
    AT_REQUIRE(ctx, p->m >= 0 && p->m <= 1, AT_E_RANGE, "lerp: m is %g, must be in [0, 1]", p->m);
    AT_REQUIRE(ctx, at_same_shape(&in[0], &in[1]), AT_E_SHAPE, "lerp: the inputs differ in shape");
    out[0] = in[0];
    return AT_OK;
}

static at_status ref(const at_call *c)
{
    const double m = ((const at_lerp_param *)c->param)->m;
    for (int64_t r = 0; r < c->out[0].rows; r++) {
        const at_real *a = at_row(c, 0, r), *b = at_row(c, 1, r);
        at_real *y = at_out_row(c, 0, r);
        for (int64_t i = 0; i < c->out[0].cols; i++)
            at_put(c, 0, &y[i], (1 - m) * (double)a[i] + m * (double)b[i]);
    }
    return AT_OK;
}

static const at_op_case cases[] = {
    {.name = "vector", .param = &(const at_lerp_param){0.1}, .in = {{1, {37}}, {1, {37}}}},
    {.name = "keep", .param = &(const at_lerp_param){0}, .in = {{1, {8}}, {1, {8}}}},
    {.name = "replace", .param = &(const at_lerp_param){1}, .in = {{1, {8}}, {1, {8}}}},
    {.name = "large", .param = &(const at_lerp_param){0.01}, .in = {{1, {2048}}, {1, {2048}}}, .large = true},
    {0},
};

static const at_op_case refused[] = {
    {.name = "must be in [0, 1]", .param = &(const at_lerp_param){1.5}, .in = {{1, {3}}, {1, {3}}}},
    {.name = "must be in [0, 1]", .param = &(const at_lerp_param){-0.1}, .in = {{1, {3}}, {1, {3}}}},
    {.name = "differ in shape", .param = &(const at_lerp_param){0.5}, .in = {{1, {3}}, {1, {4}}}},
    {0},
};

const at_op at_op_lerp = {.name = "lerp",
                          .doc = "(1 - m) a + m b",
                          .n_in = 2,
                          .n_out = 1,
                          .param_size = sizeof(at_lerp_param),
                          .acc_in = 3,
                          .infer = infer,
                          .no_grad_reason = "statistics do not learn",
                          .ref = ref,
                          .cases = cases,
                          .refused = refused};

/* A few thousand numbers a step: the reference is fast enough to be the kernel, and strict plans may take it.
 */
const at_kernel at_kernel_lerp = {.name = "lerp.plain", .op = &at_op_lerp, .run = ref};

at_value *at_lerp(at_graph *g, at_value *a, at_value *b, double m)
{
    return at_op1(g, &at_op_lerp, (&(at_lerp_param){m}), a, b);
}
