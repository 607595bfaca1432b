/* bn_fold: scale = gamma r,  shift = beta - mean gamma r,  r = 1/sqrt(var + eps)          all [C] acc
 * Batch normalisation by stored statistics is then y = x scale + shift (channel_affine). A node of frozen
 * states only, hence evaluated once; with learning gamma and beta it carries their gradient.
 *
 * dgamma = r (dscale - mean dshift)     dbeta = dshift     dmean = -gamma r dshift
 * dvar = -1/2 r^3 gamma (dscale - mean dshift) */
#include "ops/bn_fold/bn_fold.h"
#include <math.h>

static at_status infer(at_ctx *ctx, const void *param, const at_meta *in, at_meta *out, at_meta *saved)
{
    (void)saved;
    const at_bn_fold_param *p = param;
    AT_REQUIRE(ctx, p->eps >= 0, AT_E_RANGE, "bn_fold: eps is %g, must not be negative", p->eps);
    const int64_t C = in[0].dim[0];
    for (int i = 0; i < 4; i++)
        AT_REQUIRE(ctx, at_is_vector(&in[i], C), AT_E_SHAPE, "bn_fold: input %d must be [C=%lld]", i,
                   (long long)C);
    out[0] = out[1] = in[0];
    return AT_OK;
}

/* A gradient that is NULL (of an output that nobody uses) contributes nothing. */
static void grad(at_graph *g, const at_node *n, at_value *const *dy, at_value **dx)
{
    if (dx[1]) dx[1] = dy[1];
    if (!dx[0] && !dx[2] && !dx[3]) return;
    const at_node *d = at_opn(g, &at_op_bn_fold_dx, n->param, n->in[0], n->in[2], n->in[3], dy[0], dy[1]);
    if (dx[0]) dx[0] = d->out[0];
    if (dx[2]) dx[2] = dy[1] ? d->out[1] : NULL;
    if (dx[3]) dx[3] = d->out[2];
}

static at_status ref_fwd(const at_call *c)
{
    const double eps = ((const at_bn_fold_param *)c->param)->eps;
    const at_real *gamma = at_row(c, 0, 0), *beta = at_row(c, 1, 0), *mean = at_row(c, 2, 0);
    const at_real *var = at_row(c, 3, 0);
    for (int64_t i = 0; i < c->in[0].cols; i++) {
        const double scale = (double)gamma[i] / sqrt((double)var[i] + eps);
        if (c->out[0].data) at_put(c, 0, &at_out_row(c, 0, 0)[i], scale);
        if (c->out[1].data) at_put(c, 1, &at_out_row(c, 1, 0)[i], (double)beta[i] - (double)mean[i] * scale);
    }
    return AT_OK;
}

#define EPS_1E5                                                                                              \
    .param = &(const at_bn_fold_param)                                                                       \
    {                                                                                                        \
        1e-5                                                                                                 \
    }

static const at_op_case cases[] = {
    {.name = "odd", EPS_1E5, .in = {{1, {7}}, {1, {7}}, {1, {7}}, {1, {7}}}, .positive = 8},
    {.name = "one", EPS_1E5, .in = {{1, {1}}, {1, {1}}, {1, {1}}, {1, {1}}}, .positive = 8},
    {.name = "tf",
     .param = &(const at_bn_fold_param){1e-3},
     .in = {{1, {5}}, {1, {5}}, {1, {5}}, {1, {5}}},
     .positive = 8},
    {.name = "large",
     EPS_1E5,
     .in = {{1, {1280}}, {1, {1280}}, {1, {1280}}, {1, {1280}}},
     .positive = 8,
     .large = true},
    {0},
};

static const at_op_case refused[] = {
    {.name = "input 3 must be [C=4]", EPS_1E5, .in = {{1, {4}}, {1, {4}}, {1, {4}}, {1, {5}}}},
    {.name = "input 0 must be", EPS_1E5, .in = {{2, {4, 1}}, {1, {4}}, {1, {4}}, {1, {4}}}},
    {.name = "must not be negative",
     .param = &(const at_bn_fold_param){-1},
     .in = {{1, {4}}, {1, {4}}, {1, {4}}, {1, {4}}}},
    {0},
};

const at_op at_op_bn_fold = {.name = "bn_fold",
                             .doc = "batch normalisation by stored statistics as scale and shift",
                             .n_in = 4,
                             .n_out = 2,
                             .param_size = sizeof(at_bn_fold_param),
                             .acc_in = 15,
                             .infer = infer,
                             .grad = grad,
                             .ref = ref_fwd,
                             .cases = cases,
                             .refused = refused};

/* ---- gradient: in gamma, mean, var, dscale, dshift -> dgamma, dmean, dvar; dbeta is dshift itself ---- */

static at_status dx_infer(at_ctx *ctx, const void *p, const at_meta *in, at_meta *out, at_meta *saved)
{
    (void)p, (void)saved;
    const int64_t C = in[0].dim[0];
    for (int i = 0; i < 5; i++)
        AT_REQUIRE(ctx, (i >= 3 && !in[i].rank) || at_is_vector(&in[i], C), AT_E_SHAPE,
                   "bn_fold_dx: input %d must be [C=%lld]", i, (long long)C);
    out[0] = out[1] = out[2] = in[0];
    return AT_OK;
}

static at_status ref_dx(const at_call *c)
{
    const double eps = ((const at_bn_fold_param *)c->param)->eps;
    const at_real *gamma = at_row(c, 0, 0), *mean = at_row(c, 1, 0), *var = at_row(c, 2, 0);
    const at_real *dscale = c->in[3].data, *dshift = c->in[4].data;
    for (int64_t i = 0; i < c->in[0].cols; i++) {
        const double r = 1 / sqrt((double)var[i] + eps), t = dshift ? (double)dshift[i] : 0.0;
        const double s = (dscale ? (double)dscale[i] : 0.0) - (double)mean[i] * t;
        if (c->out[0].data) at_put(c, 0, &at_out_row(c, 0, 0)[i], r * s);
        if (c->out[1].data) at_put(c, 1, &at_out_row(c, 1, 0)[i], -(double)gamma[i] * r * t);
        if (c->out[2].data) at_put(c, 2, &at_out_row(c, 2, 0)[i], -0.5 * r * r * r * (double)gamma[i] * s);
    }
    return AT_OK;
}

static const at_op_case dx_cases[] = {
    {.name = "odd", EPS_1E5, .in = {{1, {7}}, {1, {7}}, {1, {7}}, {1, {7}}, {1, {7}}}, .positive = 4},
    {.name = "scale only", EPS_1E5, .in = {{1, {7}}, {1, {7}}, {1, {7}}, {1, {7}}}, .positive = 4},
    {.name = "shift only", EPS_1E5, .in = {{1, {7}}, {1, {7}}, {1, {7}}, {0}, {1, {7}}}, .positive = 4},
    {0},
};

static const at_op_case dx_refused[] = {
    {.name = "input 4 must be [C=4]", EPS_1E5, .in = {{1, {4}}, {1, {4}}, {1, {4}}, {1, {4}}, {1, {5}}}},
    {0},
};

const at_op at_op_bn_fold_dx = {.name = "bn_fold_dx",
                                .doc = "gradient of bn_fold",
                                .n_in = 5,
                                .n_out = 3,
                                .param_size = sizeof(at_bn_fold_param),
                                .optional_in = 24,
                                .acc_in = 31,
                                .infer = dx_infer,
                                .no_grad_reason = "a gradient itself",
                                .ref = ref_dx,
                                .cases = dx_cases,
                                .refused = dx_refused};

/* A few thousand numbers a step: the references are fast enough to be the kernels, and strict plans may take
 * them. */
const at_kernel at_kernel_bn_fold = {.name = "bn_fold.plain", .op = &at_op_bn_fold, .run = ref_fwd};
const at_kernel at_kernel_bn_fold_dx = {.name = "bn_fold_dx.plain", .op = &at_op_bn_fold_dx, .run = ref_dx};

at_scale_shift at_bn_fold(at_graph *g, at_value *gamma, at_value *beta, at_value *mean, at_value *var,
                          double eps)
{
    const at_node *n = at_opn(g, &at_op_bn_fold, (&(at_bn_fold_param){eps}), gamma, beta, mean, var);
    return (at_scale_shift){n->out[0], n->out[1]};
}
