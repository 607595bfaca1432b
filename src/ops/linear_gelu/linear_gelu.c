/* linear_gelu: y = gelu(z),  z = x W^T + b          x [...,in] act, w [out,in] acc, b [out] acc (optional)
 *                                                    y [...,out] act; saved: z, as y
 * linear_dx_gelu: dz = gelu'(z) (dy W)               dy [...,out] act, w [out,in] acc, z and dz [...,in] act
 * linear and then gelu, and the gradients of gelu and then linear, without gelu's own passes over memory. */
#include "ops/linear_gelu/linear_gelu.h"
#include "engine/fuse.h"
#include "ops/gelu/gelu.h"
#include "ops/linear/linear.h"

static at_status infer(at_ctx *ctx, const void *param, const at_meta *in, at_meta *out, at_meta *saved)
{
    AT_TRY(at_op_linear.infer(ctx, NULL, in, saved, NULL));
    return at_op_gelu.infer(ctx, param, saved, out, NULL);
}

static void grad(at_graph *g, const at_node *n, at_value *const *dy, at_value **dx)
{
    at_value *dz = at_op1(g, &at_op_gelu_dx, n->param, n->saved[0], dy[0]);
    at_op_linear.grad(g, n, &dz, dx); /* its inputs are those of the node */
}

static at_status ref_fwd(const at_call *c)
{
    for (int64_t m = 0; m < c->out[0].rows; m++) {
        const at_real *x = at_row(c, 0, m);
        for (int64_t n = 0; n < c->out[0].cols; n++) {
            const at_real *w = at_row(c, 1, n);
            double z = c->in[2].data ? (double)at_row(c, 2, 0)[n] : 0.0, slope;
            for (int64_t k = 0; k < c->in[0].cols; k++) z += (double)x[k] * (double)w[k];
            if (c->out[1].data) at_put(c, 1, &at_out_row(c, 1, m)[n], z);
            if (c->out[0].data)
                at_put(c, 0, &at_out_row(c, 0, m)[n], at_gelu_of(c->param, at_between(c, z), &slope));
        }
    }
    return AT_OK;
}

#define ERF                                                                                                  \
    .param = &(const at_gelu_param)                                                                          \
    {                                                                                                        \
        AT_GELU_ERF                                                                                          \
    }
#define TANH                                                                                                 \
    .param = &(const at_gelu_param)                                                                          \
    {                                                                                                        \
        AT_GELU_TANH                                                                                         \
    }

static const at_op_case cases[] = {
    {.name = "erf", ERF, .in = {{2, {3, 8}}, {2, {5, 8}}, {1, {5}}}},
    {.name = "tanh", TANH, .in = {{3, {2, 3, 7}}, {2, {3, 7}}, {1, {3}}}},
    {.name = "no bias", ERF, .in = {{2, {4, 6}}, {2, {37, 6}}}},
    {.name = "one", TANH, .in = {{2, {1, 1}}, {2, {1, 1}}, {1, {1}}}},
    {.name = "empty", ERF, .in = {{2, {0, 4}}, {2, {3, 4}}, {1, {3}}}},
    {.name = "large", ERF, .in = {{2, {131, 393}}, {2, {67, 393}}, {1, {67}}}, .large = true},
    {.name = "wide_tanh", TANH, .in = {{2, {35, 64}}, {2, {1030, 64}}, {1, {1030}}}, .large = true},
    {0},
};

static const at_op_case refused[] = {
    {.name = "w must be [out,in=8]", ERF, .in = {{2, {3, 8}}, {2, {5, 7}}}},
    {.name = "form 2 is unknown", .param = &(const at_gelu_param){2}, .in = {{2, {3, 8}}, {2, {5, 8}}}},
    {0},
};

static double flops(const void *param, const at_meta *in, const at_meta *out)
{
    return at_product_flops(&out[0], &in[1]) + at_op_gelu.flops(param, out, out);
}

const at_op at_op_linear_gelu = {.name = "linear_gelu",
                                 .doc = "gelu(x W^T + b): linear and gelu",
                                 .n_in = 3,
                                 .n_out = 1,
                                 .n_saved = 1,
                                 .param_size = sizeof(at_gelu_param),
                                 .optional_in = 4,
                                 .extent_in = 1,
                                 .acc_in = 6,
                                 .infer = infer,
                                 .grad = grad,
                                 .ref = ref_fwd,
                                 .flops = flops,
                                 .cases = cases,
                                 .refused = refused};

const at_fusion at_fusion_linear_gelu = {
    .name = "linear_gelu", .first = &at_op_linear, .then = &at_op_gelu, .fused = &at_op_linear_gelu};

/* ---- dz = gelu'(z) (dy W): in dy, w, z ---- */

static at_status dx_infer(at_ctx *ctx, const void *param, const at_meta *in, at_meta *out, at_meta *saved)
{
    at_meta of_gelu[2] = {in[2]};
    AT_TRY(at_op_linear_dx.infer(ctx, NULL, in, &of_gelu[1], saved));
    return at_op_gelu_dx.infer(ctx, param, of_gelu, out, saved);
}

static at_status ref_dx(const at_call *c)
{
    for (int64_t m = 0; m < c->out[0].rows; m++) {
        const at_real *dy = at_row(c, 0, m), *z = at_row(c, 2, m);
        for (int64_t k = 0; k < c->out[0].cols; k++) {
            double sum = 0.0, slope;
            for (int64_t n = 0; n < c->in[0].cols; n++) sum += (double)dy[n] * (double)at_row(c, 1, n)[k];
            at_gelu_of(c->param, (double)z[k], &slope);
            at_put(c, 0, &at_out_row(c, 0, m)[k], at_between(c, sum) * slope);
        }
    }
    return AT_OK;
}

static const at_op_case dx_cases[] = {
    {.name = "odd", ERF, .in = {{2, {3, 5}}, {2, {5, 7}}, {2, {3, 7}}}},
    {.name = "odd_tanh", TANH, .in = {{2, {3, 5}}, {2, {5, 37}}, {2, {3, 37}}}},
    {.name = "large", ERF, .in = {{2, {131, 67}}, {2, {67, 393}}, {2, {131, 393}}}, .large = true},
    {.name = "deep_tanh", TANH, .in = {{2, {35, 700}}, {2, {700, 70}}, {2, {35, 70}}}, .large = true},
    {0},
};

static const at_op_case dx_refused[] = {
    {.name = "w must be [out=5,in]", ERF, .in = {{2, {3, 5}}, {2, {4, 7}}, {2, {3, 7}}}},
    {.name = "x and dy differ", ERF, .in = {{2, {3, 5}}, {2, {5, 7}}, {2, {3, 6}}}},
    {0},
};

static double dx_flops(const void *param, const at_meta *in, const at_meta *out)
{
    return at_product_flops(&in[0], &in[1]) + at_op_gelu_dx.flops(param, out, out);
}

const at_op at_op_linear_dx_gelu = {.name = "linear_dx_gelu",
                                    .doc = "gelu'(z) (dy W): linear_dx and gelu_dx",
                                    .n_in = 3,
                                    .n_out = 1,
                                    .param_size = sizeof(at_gelu_param),
                                    .extent_in = 5,
                                    .acc_in = 2,
                                    .infer = dx_infer,
                                    .no_grad_reason = "a gradient itself",
                                    .ref = ref_dx,
                                    .flops = dx_flops,
                                    .cases = dx_cases,
                                    .refused = dx_refused};

const at_fusion at_fusion_linear_dx_gelu = {.name = "linear_dx_gelu",
                                            .first = &at_op_linear_dx,
                                            .then = &at_op_gelu_dx,
                                            .fused = &at_op_linear_dx_gelu,
                                            .at = 1};
