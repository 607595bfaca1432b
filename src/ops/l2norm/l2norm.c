/* l2norm: y = x / max(|x|, 1e-12), row by row          x, y [..,C] act on an extent
 * dx = (dy - y <dy, y>) / |x|;  for rows shorter than that, dy / 1e-12
 * As torch.nn.functional.normalize. */
#include "ops/l2norm/l2norm.h"
#include <math.h>

static at_status infer(at_ctx *ctx, const void *p, const at_meta *in, at_meta *out, at_meta *saved)
{
    (void)p, (void)saved;
    AT_REQUIRE(ctx, in[0].rank >= 2 && in[0].extent, AT_E_SHAPE, "l2norm: x must be [..,C] on an extent");
    out[0] = in[0];
    return AT_OK;
}

static void grad(at_graph *g, const at_node *n, at_value *const *dy, at_value **dx)
{
    if (dx[0]) dx[0] = at_op1(g, &at_op_l2norm_dx, NULL, dy[0], n->in[0]);
}

static double dot(const at_real *a, const at_real *b, int64_t n)
{
    double sum = 0.0;
    for (int64_t i = 0; i < n; i++) sum += (double)a[i] * (double)b[i];
    return sum;
}

static at_status ref(const at_call *c)
{
    const int64_t C = c->in[0].cols;
    for (int64_t m = 0; m < c->in[0].rows; m++) {
        const at_real *x = at_row(c, 0, m);
        const double length = sqrt(dot(x, x, C)),
                     divisor = length < AT_L2NORM_LEAST ? AT_L2NORM_LEAST : length;
        for (int64_t i = 0; i < C; i++) at_put(c, 0, &at_out_row(c, 0, m)[i], (double)x[i] / divisor);
    }
    return AT_OK;
}

static const at_op_case cases[] = {
    {.name = "row", .in = {{2, {3, 8}}}},
    {.name = "odd", .in = {{3, {2, 3, 37}}}},
    {.name = "one", .in = {{2, {1, 2}}}},
    {.name = "empty", .in = {{2, {0, 8}}}},
    {.name = "large", .in = {{2, {131, 390}}}, .large = true},
    {0},
};

static const at_op_case refused[] = {
    {.name = "x must be [..,C]", .in = {{1, {3}}}},
    {0},
};

const at_op at_op_l2norm = {.name = "l2norm",
                            .doc = "rows of length 1",
                            .n_in = 1,
                            .n_out = 1,
                            .extent_in = 1,
                            .inplace = {{0, 0}},
                            .n_inplace = 1,
                            .infer = infer,
                            .grad = grad,
                            .ref = ref,
                            .cases = cases,
                            .refused = refused};

/* ---- gradient: in dy, x ---- */

static at_status dx_infer(at_ctx *ctx, const void *p, const at_meta *in, at_meta *out, at_meta *saved)
{
    (void)p, (void)saved;
    AT_REQUIRE(ctx, at_same_shape(&in[0], &in[1]), AT_E_SHAPE, "l2norm_dx: dy and x differ in shape");
    out[0] = in[0];
    return AT_OK;
}

static at_status ref_dx(const at_call *c)
{
    const int64_t C = c->in[0].cols;
    for (int64_t m = 0; m < c->in[0].rows; m++) {
        const at_real *dy = at_row(c, 0, m), *x = at_row(c, 1, m);
        const double length = sqrt(dot(x, x, C)),
                     divisor = length < AT_L2NORM_LEAST ? AT_L2NORM_LEAST : length;
        const double along = length < AT_L2NORM_LEAST ? 0.0 : dot(dy, x, C) / (length * length);
        for (int64_t i = 0; i < C; i++)
            at_put(c, 0, &at_out_row(c, 0, m)[i], ((double)dy[i] - along * (double)x[i]) / divisor);
    }
    return AT_OK;
}

static const at_op_case dx_cases[] = {
    {.name = "odd", .in = {{2, {3, 37}}, {2, {3, 37}}}},
    {.name = "empty", .in = {{2, {0, 8}}, {2, {0, 8}}}},
    {.name = "large", .in = {{2, {131, 390}}, {2, {131, 390}}}, .large = true},
    {0},
};

static const at_op_case dx_refused[] = {
    {.name = "differ in shape", .in = {{2, {3, 4}}, {2, {3, 5}}}},
    {0},
};

const at_op at_op_l2norm_dx = {.name = "l2norm_dx",
                               .doc = "gradient of l2norm",
                               .n_in = 2,
                               .n_out = 1,
                               .extent_in = 3,
                               .infer = dx_infer,
                               .no_grad_reason = "a gradient itself",
                               .ref = ref_dx,
                               .cases = dx_cases,
                               .refused = dx_refused};

at_value *at_l2norm(at_graph *g, at_value *x)
{
    return at_op1(g, &at_op_l2norm, NULL, x);
}
