/* affine_clamp: y = min(max(z, low), high),  z = x scale + shift
 * x, y [..,C] act on an extent   scale, shift [C] acc, shift may be absent
 * channel_affine and then relu or relu6, as one pass over memory instead of two.
 *
 * With d = dy where low < z < high, else 0:  dx = d scale,  dscale = sum_rows d x,  dshift = sum_rows d: one
 * pass that computes z again. Where scale and shift do not learn, the output decides instead of z (dx_only),
 * so that x need not be kept. NaN passes through. */
#include "ops/affine_clamp/affine_clamp.h"
#include "ops/channel_affine/channel_affine.h"
#include "ops/relu/relu.h"
#include "ops/relu6/relu6.h"
#include <math.h>

static at_status infer(at_ctx *ctx, const void *param, const at_meta *in, at_meta *out, at_meta *saved)
{
    const at_clamp_param *p = param;
    AT_REQUIRE(ctx, p->low < p->high, AT_E_RANGE, "affine_clamp: low %g must be below high %g", p->low,
               p->high);
    return at_op_channel_affine.infer(ctx, NULL, in, out, saved);
}

static void grad(at_graph *g, const at_node *n, at_value *const *dy, at_value **dx)
{
    if (!dx[1] && !dx[2]) {
        if (dx[0]) dx[0] = at_op1(g, &at_op_affine_clamp_dx_only, n->param, n->out[0], n->in[1], dy[0]);
        return;
    }
    const at_node *d = at_opn(g, &at_op_affine_clamp_dx, n->param, n->in[0], n->in[1], n->in[2], dy[0]);
    for (int i = 0; i < 3; i++)
        if (dx[i]) dx[i] = d->out[i];
}

static double clamped(const at_clamp_param *p, double z)
{
    return z < p->low ? p->low : z > p->high ? p->high : z;
}

static bool is_cut(const at_clamp_param *p, double z)
{
    return z <= p->low || z >= p->high;
}

static double affine_at(const at_call *c, const at_real *x, int64_t i)
{
    return (double)x[i] * (double)at_row(c, 1, 0)[i] + (c->in[2].data ? (double)at_row(c, 2, 0)[i] : 0.0);
}

static at_status ref_fwd(const at_call *c)
{
    for (int64_t m = 0; m < c->out[0].rows; m++) {
        const at_real *x = at_row(c, 0, m);
        at_real *y = at_out_row(c, 0, m);
        for (int64_t i = 0; i < c->out[0].cols; i++)
            at_put(c, 0, &y[i], clamped(c->param, affine_at(c, x, i)));
    }
    return AT_OK;
}

#define SIX .param = &(const at_clamp_param){0, 6}, .low = -3, .high = 9
#define RELU                                                                                                 \
    .param = &(const at_clamp_param)                                                                         \
    {                                                                                                        \
        0, INFINITY                                                                                          \
    }

static const at_op_case cases[] = {
    {.name = "row64", RELU, .in = {{2, {3, 64}}, {1, {64}}, {1, {64}}}},
    {.name = "odd", SIX, .in = {{3, {2, 5, 37}}, {1, {37}}, {1, {37}}}},
    {.name = "narrow", SIX, .in = {{2, {41, 8}}, {1, {8}}, {1, {8}}}},
    {.name = "scale only", RELU, .in = {{2, {3, 5}}, {1, {5}}}},
    {.name = "one", RELU, .in = {{2, {1, 3}}, {1, {3}}, {1, {3}}}},
    {.name = "empty", RELU, .in = {{2, {0, 8}}, {1, {8}}, {1, {8}}}},
    {.name = "large", SIX, .in = {{4, {3, 28, 28, 24}}, {1, {24}}, {1, {24}}}, .large = true},
    {.name = "large_wide", SIX, .in = {{2, {60, 1000}}, {1, {1000}}, {1, {1000}}}, .large = true},
    {0},
};

static const at_op_case refused[] = {
    {.name = "scale must be [C=4]", RELU, .in = {{2, {3, 4}}, {1, {3}}, {1, {4}}}},
    {.name = "must be below high",
     .param = &(const at_clamp_param){1, 1},
     .in = {{2, {3, 4}}, {1, {4}}, {1, {4}}}},
    {0},
};

const at_op at_op_affine_clamp = {
    .name = "affine_clamp",
    .doc = "x scale + shift per channel, clamped: channel_affine and relu or relu6",
    .n_in = 3,
    .n_out = 1,
    .param_size = sizeof(at_clamp_param),
    .optional_in = 4,
    .extent_in = 1,
    .acc_in = 6,
    .inplace = {{0, 0}},
    .n_inplace = 1,
    .infer = infer,
    .grad = grad,
    .ref = ref_fwd,
    .cases = cases,
    .refused = refused};

/* ---- gradient: in x, scale, shift, dy -> dx, dscale, dshift ---- */

static at_status dx_infer(at_ctx *ctx, const void *param, const at_meta *in, at_meta *out, at_meta *saved)
{
    AT_TRY(infer(ctx, param, in, out, saved));
    AT_REQUIRE(ctx, at_same_shape(&in[0], &in[3]), AT_E_SHAPE, "affine_clamp_dx: x and dy differ in shape");
    out[1] = out[2] = at_meta_vector(AT_ACC, at_meta_cols(&in[0]));
    return AT_OK;
}

/* Column after column, so that dx may lie over dy or x. */
static at_status ref_dx(const at_call *c)
{
    for (int64_t i = 0; i < c->in[0].cols; i++) {
        double dscale = 0.0, dshift = 0.0;
        for (int64_t m = 0; m < c->in[0].rows; m++) {
            const double x = (double)at_row(c, 0, m)[i];
            const double d =
                is_cut(c->param, affine_at(c, at_row(c, 0, m), i)) ? 0.0 : (double)at_row(c, 3, m)[i];
            dscale += d * x;
            dshift += d;
            if (c->out[0].data) at_put(c, 0, &at_out_row(c, 0, m)[i], d * (double)at_row(c, 1, 0)[i]);
        }
        if (c->out[1].data) at_put(c, 1, &at_out_row(c, 1, 0)[i], dscale);
        if (c->out[2].data) at_put(c, 2, &at_out_row(c, 2, 0)[i], dshift);
    }
    return AT_OK;
}

static const at_op_case dx_cases[] = {
    {.name = "odd", SIX, .in = {{3, {2, 5, 37}}, {1, {37}}, {1, {37}}, {3, {2, 5, 37}}}},
    {.name = "narrow", RELU, .in = {{2, {41, 8}}, {1, {8}}, {1, {8}}, {2, {41, 8}}}},
    {.name = "scale only", RELU, .in = {{2, {3, 5}}, {1, {5}}, {0}, {2, {3, 5}}}},
    {.name = "empty", RELU, .in = {{2, {0, 8}}, {1, {8}}, {1, {8}}, {2, {0, 8}}}},
    {.name = "large",
     SIX,
     .in = {{4, {3, 40, 40, 24}}, {1, {24}}, {1, {24}}, {4, {3, 40, 40, 24}}},
     .large = true},
    {.name = "large_wide",
     SIX,
     .in = {{2, {600, 520}}, {1, {520}}, {1, {520}}, {2, {600, 520}}},
     .large = true},
    {.name = "large_blocks",
     RELU,
     .in = {{2, {3, 2100}}, {1, {2100}}, {1, {2100}}, {2, {3, 2100}}},
     .large = true},
    {0},
};

static const at_op_case dx_refused[] = {
    {.name = "x and dy differ", RELU, .in = {{2, {3, 4}}, {1, {4}}, {1, {4}}, {2, {3, 5}}}},
    {0},
};

const at_op at_op_affine_clamp_dx = {.name = "affine_clamp_dx",
                                     .doc = "gradient of affine_clamp",
                                     .n_in = 4,
                                     .n_out = 3,
                                     .param_size = sizeof(at_clamp_param),
                                     .optional_in = 4,
                                     .extent_in = 9,
                                     .acc_in = 6,
                                     .inplace = {{3, 0}, {0, 0}},
                                     .n_inplace = 2,
                                     .infer = dx_infer,
                                     .no_grad_reason = "a gradient itself",
                                     .ref = ref_dx,
                                     .cases = dx_cases,
                                     .refused = dx_refused};

/* ---- gradient of x alone: in y, scale, dy -> dx ---- */

static at_status only_infer(at_ctx *ctx, const void *param, const at_meta *in, at_meta *out, at_meta *saved)
{
    const at_meta of_forward[3] = {in[0], in[1]};
    AT_TRY(infer(ctx, param, of_forward, out, saved));
    AT_REQUIRE(ctx, at_same_shape(&in[0], &in[2]), AT_E_SHAPE,
               "affine_clamp_dx_only: y and dy differ in shape");
    return AT_OK;
}

static at_status ref_only(const at_call *c)
{
    for (int64_t m = 0; m < c->out[0].rows; m++) {
        const at_real *y = at_row(c, 0, m), *scale = at_row(c, 1, 0), *dy = at_row(c, 2, m);
        at_real *dx = at_out_row(c, 0, m);
        for (int64_t i = 0; i < c->out[0].cols; i++)
            at_put(c, 0, &dx[i], (is_cut(c->param, (double)y[i]) ? 0.0 : (double)dy[i]) * (double)scale[i]);
    }
    return AT_OK;
}

static const at_op_case only_cases[] = {
    {.name = "odd", SIX, .in = {{3, {2, 5, 37}}, {1, {37}}, {3, {2, 5, 37}}}},
    {.name = "narrow", RELU, .in = {{2, {41, 8}}, {1, {8}}, {2, {41, 8}}}},
    {.name = "empty", RELU, .in = {{2, {0, 8}}, {1, {8}}, {2, {0, 8}}}},
    {.name = "large", SIX, .in = {{4, {3, 28, 28, 24}}, {1, {24}}, {4, {3, 28, 28, 24}}}, .large = true},
    {0},
};

static const at_op_case only_refused[] = {
    {.name = "y and dy differ", RELU, .in = {{2, {3, 4}}, {1, {4}}, {2, {3, 5}}}},
    {0},
};

const at_op at_op_affine_clamp_dx_only = {.name = "affine_clamp_dx_only",
                                          .doc = "gradient of affine_clamp's x, by its output",
                                          .n_in = 3,
                                          .n_out = 1,
                                          .param_size = sizeof(at_clamp_param),
                                          .extent_in = 5,
                                          .acc_in = 2,
                                          .inplace = {{2, 0}, {0, 0}},
                                          .n_inplace = 2,
                                          .infer = only_infer,
                                          .no_grad_reason = "a gradient itself",
                                          .ref = ref_only,
                                          .cases = only_cases,
                                          .refused = only_refused};

/* ---- what it stands for ---- */

static void param_relu(void *out, const at_node *first, const at_node *then)
{
    (void)first, (void)then;
    *(at_clamp_param *)out = (at_clamp_param){0, INFINITY};
}

static void param_relu6(void *out, const at_node *first, const at_node *then)
{
    (void)first, (void)then;
    *(at_clamp_param *)out = (at_clamp_param){0, 6};
}

const at_fusion at_fusion_affine_relu = {.name = "affine_relu",
                                         .first = &at_op_channel_affine,
                                         .then = &at_op_relu,
                                         .fused = &at_op_affine_clamp,
                                         .param = param_relu};

const at_fusion at_fusion_affine_relu6 = {.name = "affine_relu6",
                                          .first = &at_op_channel_affine,
                                          .then = &at_op_relu6,
                                          .fused = &at_op_affine_clamp,
                                          .param = param_relu6};
