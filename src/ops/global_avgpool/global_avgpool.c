/* global_avgpool: y = mean over h, w of x          x [S,H,W,C] act on an extent   y [S,C] act          (Lin
 * et al. 2013) dx[s,h,w,:] = dy[s,:] / (H W) */
#include "ops/global_avgpool/global_avgpool.h"

static at_status infer(at_ctx *ctx, const void *p, const at_meta *in, at_meta *out, at_meta *saved)
{
    (void)p, (void)saved;
    AT_REQUIRE(ctx, in[0].rank == 4 && in[0].dim[1] > 0 && in[0].dim[2] > 0, AT_E_SHAPE,
               "global_avgpool: x must be [S,H,W,C]");
    out[0] = in[0];
    out[0].rank = 2;
    out[0].dim[1] = in[0].dim[3];
    out[0].dim[2] = out[0].dim[3] = 0;
    return AT_OK;
}

static void grad(at_graph *g, const at_node *n, at_value *const *dy, at_value **dx)
{
    const int64_t *dim = n->in[0]->meta.dim;
    if (dx[0]) dx[0] = at_op1(g, &at_op_global_avgpool_dx, (&(at_pool_area){dim[1], dim[2]}), dy[0]);
}

static at_status ref_fwd(const at_call *c)
{
    const int64_t area = c->in[0].dim[1] * c->in[0].dim[2];
    for (int64_t s = 0; s < c->out[0].rows; s++)
        for (int64_t i = 0; i < c->out[0].cols; i++) {
            double sum = 0.0;
            for (int64_t m = 0; m < area; m++) sum += (double)at_row(c, 0, s * area + m)[i];
            at_put(c, 0, &at_out_row(c, 0, s)[i], sum / (double)area);
        }
    return AT_OK;
}

static const at_op_case cases[] = {
    {.name = "square", .in = {{4, {2, 3, 3, 8}}}},
    {.name = "odd", .in = {{4, {3, 2, 5, 7}}}},
    {.name = "pixel", .in = {{4, {2, 1, 1, 5}}}},
    {.name = "one", .in = {{4, {1, 4, 3, 3}}}},
    {.name = "empty", .in = {{4, {0, 2, 2, 4}}}},
    {.name = "large", .in = {{4, {3, 7, 7, 1280}}}, .large = true},
    {.name = "large_narrow", .in = {{4, {2, 56, 56, 16}}}, .large = true},
    {0},
};

static const at_op_case refused[] = {
    {.name = "x must be [S,H,W,C]", .in = {{3, {2, 9, 8}}}},
    {.name = "x must be [S,H,W,C]", .in = {{4, {2, 0, 9, 8}}}},
    {0},
};

const at_op at_op_global_avgpool = {.name = "global_avgpool",
                                    .doc = "mean over height and width",
                                    .n_in = 1,
                                    .n_out = 1,
                                    .extent_in = 1,
                                    .infer = infer,
                                    .grad = grad,
                                    .ref = ref_fwd,
                                    .cases = cases,
                                    .refused = refused};

/* ---- gradient: in dy [S,C] -> dx [S,H,W,C] ---- */

static at_status dx_infer(at_ctx *ctx, const void *param, const at_meta *in, at_meta *out, at_meta *saved)
{
    (void)saved;
    const at_pool_area *p = param;
    AT_REQUIRE(ctx, in[0].rank == 2, AT_E_SHAPE, "global_avgpool_dx: dy must be [S,C]");
    out[0] = in[0];
    out[0].rank = 4;
    out[0].dim[1] = p->height;
    out[0].dim[2] = p->width;
    out[0].dim[3] = in[0].dim[1];
    return AT_OK;
}

static at_status ref_dx(const at_call *c)
{
    const at_pool_area *p = c->param;
    const int64_t area = p->height * p->width;
    for (int64_t m = 0; m < c->out[0].rows; m++) {
        const at_real *dy = at_row(c, 0, m / area);
        at_real *dx = at_out_row(c, 0, m);
        for (int64_t i = 0; i < c->out[0].cols; i++) at_put(c, 0, &dx[i], (double)dy[i] / (double)area);
    }
    return AT_OK;
}

static const at_op_case dx_cases[] = {
    {.name = "odd", .param = &(const at_pool_area){2, 5}, .in = {{2, {3, 7}}}},
    {.name = "empty", .param = &(const at_pool_area){2, 2}, .in = {{2, {0, 4}}}},
    {.name = "large", .param = &(const at_pool_area){7, 7}, .in = {{2, {3, 1280}}}, .large = true},
    {.name = "large_narrow", .param = &(const at_pool_area){56, 56}, .in = {{2, {2, 16}}}, .large = true},
    {0},
};

static const at_op_case dx_refused[] = {
    {.name = "dy must be [S,C]", .param = &(const at_pool_area){2, 2}, .in = {{3, {2, 1, 4}}}},
    {0},
};

const at_op at_op_global_avgpool_dx = {.name = "global_avgpool_dx",
                                       .doc = "gradient of global_avgpool",
                                       .n_in = 1,
                                       .n_out = 1,
                                       .param_size = sizeof(at_pool_area),
                                       .extent_in = 1,
                                       .infer = dx_infer,
                                       .no_grad_reason = "a gradient itself",
                                       .ref = ref_dx,
                                       .cases = dx_cases,
                                       .refused = dx_refused};

at_value *at_global_avgpool(at_graph *g, at_value *x)
{
    return at_op1(g, &at_op_global_avgpool, NULL, x);
}
