/* channel_affine: y = x scale + shift          x, y [..,C] act on an extent   scale, shift [C] acc, shift may
 * be absent Folded batch normalisation, layer scale, biases.
 *
 * dx = dy scale: channel_affine itself, without a shift
 * dscale = sum_rows dy x,  dshift = sum_rows dy */
#include "ops/channel_affine/channel_affine.h"
#include "ops/rowsum/rowsum.h"

static at_status infer(at_ctx *ctx, const void *p, const at_meta *in, at_meta *out, at_meta *saved)
{
    (void)p, (void)saved;
    const int64_t C = at_meta_cols(&in[0]);
    AT_REQUIRE(ctx, in[0].rank >= 2, AT_E_SHAPE, "channel_affine: x needs rows and columns");
    AT_REQUIRE(ctx, at_is_vector(&in[1], C), AT_E_SHAPE, "channel_affine: scale must be [C=%lld]",
               (long long)C);
    AT_REQUIRE(ctx, !in[2].rank || at_is_vector(&in[2], C), AT_E_SHAPE,
               "channel_affine: shift must be [C=%lld]", (long long)C);
    out[0] = in[0];
    return AT_OK;
}

static void grad(at_graph *g, const at_node *n, at_value *const *dy, at_value **dx)
{
    if (dx[0]) dx[0] = at_channel_affine(g, dy[0], n->in[1], NULL);
    if (dx[1]) {
        const at_node *d = at_opn(g, &at_op_channel_affine_dscale, NULL, n->in[0], dy[0]);
        dx[1] = d->out[0];
        if (dx[2]) dx[2] = d->out[1];
    } else if (dx[2]) { /* x is not needed then, and need not be kept */
        dx[2] = at_rowsum(g, dy[0]);
    }
}

static at_status ref_fwd(const at_call *c)
{
    const at_real *scale = at_row(c, 1, 0), *shift = c->in[2].data;
    for (int64_t m = 0; m < c->out[0].rows; m++) {
        const at_real *x = at_row(c, 0, m);
        at_real *y = at_out_row(c, 0, m);
        for (int64_t i = 0; i < c->out[0].cols; i++)
            at_put(c, 0, &y[i], (double)x[i] * (double)scale[i] + (shift ? (double)shift[i] : 0.0));
    }
    return AT_OK;
}

static const at_op_case cases[] = {
    {.name = "row64", .in = {{2, {3, 64}}, {1, {64}}, {1, {64}}}},
    {.name = "odd", .in = {{3, {2, 5, 37}}, {1, {37}}, {1, {37}}}},
    {.name = "narrow", .in = {{2, {41, 8}}, {1, {8}}, {1, {8}}}},
    {.name = "scale only", .in = {{2, {3, 5}}, {1, {5}}}},
    {.name = "one", .in = {{2, {1, 3}}, {1, {3}}, {1, {3}}}},
    {.name = "empty", .in = {{2, {0, 8}}, {1, {8}}, {1, {8}}}},
    {.name = "large", .in = {{4, {3, 28, 28, 24}}, {1, {24}}, {1, {24}}}, .large = true},
    {.name = "large_wide", .in = {{2, {60, 1000}}, {1, {1000}}, {1, {1000}}}, .large = true},
    {0},
};

static const at_op_case refused[] = {
    {.name = "scale must be [C=4]", .in = {{2, {3, 4}}, {1, {3}}, {1, {4}}}},
    {.name = "shift must be [C=4]", .in = {{2, {3, 4}}, {1, {4}}, {1, {3}}}},
    {.name = "rows and columns", .in = {{1, {3}}, {1, {1}}, {1, {1}}}},
    {0},
};

const at_op at_op_channel_affine = {.name = "channel_affine",
                                    .doc = "x scale + shift, per channel",
                                    .n_in = 3,
                                    .n_out = 1,
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

/* ---- gradient of scale and shift: in x, dy -> dscale, dshift ---- */

static at_status dscale_infer(at_ctx *ctx, const void *p, const at_meta *in, at_meta *out, at_meta *saved)
{
    (void)p, (void)saved;
    AT_REQUIRE(ctx, at_same_shape(&in[0], &in[1]), AT_E_SHAPE,
               "channel_affine_dscale: x and dy differ in shape");
    out[0] = out[1] = at_meta_vector(AT_ACC, at_meta_cols(&in[0]));
    return AT_OK;
}

static at_status ref_dscale(const at_call *c)
{
    for (int64_t i = 0; i < c->in[0].cols; i++) {
        double dscale = 0.0, dshift = 0.0;
        for (int64_t m = 0; m < c->in[0].rows; m++) {
            const double dy = (double)at_row(c, 1, m)[i];
            dscale += dy * (double)at_row(c, 0, m)[i];
            dshift += dy;
        }
        if (c->out[0].data) at_put(c, 0, &at_out_row(c, 0, 0)[i], dscale);
        if (c->out[1].data) at_put(c, 1, &at_out_row(c, 1, 0)[i], dshift);
    }
    return AT_OK;
}

static const at_op_case dscale_cases[] = {
    {.name = "odd", .in = {{3, {2, 5, 37}}, {3, {2, 5, 37}}}},
    {.name = "narrow", .in = {{2, {41, 8}}, {2, {41, 8}}}},
    {.name = "one", .in = {{2, {1, 3}}, {2, {1, 3}}}},
    {.name = "empty", .in = {{2, {0, 8}}, {2, {0, 8}}}},
    {.name = "large", .in = {{4, {3, 40, 40, 24}}, {4, {3, 40, 40, 24}}}, .large = true},
    {.name = "large_wide", .in = {{2, {600, 520}}, {2, {600, 520}}}, .large = true},
    {0},
};

static const at_op_case dscale_refused[] = {
    {.name = "x and dy differ", .in = {{2, {3, 4}}, {2, {3, 5}}}},
    {0},
};

const at_op at_op_channel_affine_dscale = {.name = "channel_affine_dscale",
                                           .doc = "gradient of channel_affine's scale and shift",
                                           .n_in = 2,
                                           .n_out = 2,
                                           .extent_in = 3,
                                           .infer = dscale_infer,
                                           .no_grad_reason = "a gradient itself",
                                           .ref = ref_dscale,
                                           .cases = dscale_cases,
                                           .refused = dscale_refused};

at_value *at_channel_affine(at_graph *g, at_value *x, at_value *scale, at_value *shift)
{
    return at_op1(g, &at_op_channel_affine, NULL, x, scale, shift);
}
