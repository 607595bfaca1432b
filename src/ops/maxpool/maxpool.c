/* maxpool: y[s,oy,ox,c] = max_{ky,kx} x[s, oy stride - pad + ky, ox stride - pad + kx, c]
 * x [S,H,W,C] act on an extent, y [S,H',W',C] act; nothing outside x counts. saved: tap [S,H',W',C] int,
 * which ky kernel + kx it was: the first of equal ones, of NaN the last, as PyTorch has it.   (Riesenhuber
 * and Poggio 1999)
 *
 * dx[i] = sum of dy over the windows whose tap is at i. The tap is saved rather than found again, for x is
 * larger than all that is saved, and need not be kept. */
#include "ops/maxpool/maxpool.h"

static int64_t outputs(const at_maxpool_param *p, int64_t size)
{
    return size + 2 * p->pad < p->kernel ? 0 : (size + 2 * p->pad - p->kernel) / p->stride + 1;
}

static at_status check_param(at_ctx *ctx, const at_maxpool_param *p)
{
    AT_REQUIRE(ctx, p->kernel > 0 && p->stride > 0, AT_E_ARG, "maxpool: kernel and stride must be positive");
    AT_REQUIRE(ctx, p->kernel <= 1024, AT_E_ARG, "maxpool: the kernel must be at most 1024");
    AT_REQUIRE(ctx, p->pad >= 0 && 2 * p->pad <= p->kernel, AT_E_ARG,
               "maxpool: padding must be at least 0 and at most half of the kernel");
    return AT_OK;
}

static at_status infer(at_ctx *ctx, const void *param, const at_meta *in, at_meta *out, at_meta *saved)
{
    const at_maxpool_param *p = param;
    AT_TRY(check_param(ctx, p));
    AT_REQUIRE(ctx, in[0].rank == 4, AT_E_SHAPE, "maxpool: x must be [S,H,W,C]");
    out[0] = in[0];
    out[0].dim[1] = outputs(p, in[0].dim[1]);
    out[0].dim[2] = outputs(p, in[0].dim[2]);
    AT_REQUIRE(ctx, in[0].dim[1] > 0 && in[0].dim[2] > 0 && out[0].dim[1] > 0 && out[0].dim[2] > 0,
               AT_E_SHAPE, "maxpool: the kernel is larger than the padded picture");
    saved[0] = out[0];
    saved[0].type = AT_INT;
    return AT_OK;
}

static void grad(at_graph *g, const at_node *n, at_value *const *dy, at_value **dx)
{
    at_maxpool_param p = *(const at_maxpool_param *)n->param;
    p.height = n->in[0]->meta.dim[1];
    p.width = n->in[0]->meta.dim[2];
    if (dx[0]) dx[0] = at_op1(g, &at_op_maxpool_dx, &p, n->saved[0], dy[0]);
}

/* ---- References ---- */

/* Channel i of the window at row m of y. */
static void ref_window(const at_call *c, int64_t m, int64_t i)
{
    const at_maxpool_param *p = c->param;
    const at_arg *x = &c->in[0], *y = &c->out[0];
    const int64_t ox = m % y->dim[2], oy = m / y->dim[2] % y->dim[1], s = m / (y->dim[1] * y->dim[2]);
    const at_pool_range ky = at_maxpool_taps(p, oy, x->dim[1]), kx = at_maxpool_taps(p, ox, x->dim[2]);
    double best = 0.0;
    int64_t tap = -1;
    for (int64_t a = ky.first; a < ky.last; a++)
        for (int64_t b = kx.first; b < kx.last; b++) {
            const int64_t row = (s * x->dim[1] + oy * p->stride - p->pad + a) * x->dim[2];
            const double v = (double)at_row(c, 0, row + ox * p->stride - p->pad + b)[i];
            if (tap >= 0 && v <= best) continue;
            if (tap >= 0 && best != best && v == v) continue; /* NaN stays */
            best = v;
            tap = a * p->kernel + b;
        }
    if (y->data) at_put(c, 0, &at_out_row(c, 0, m)[i], best);
    if (c->out[1].data) ((int32_t *)c->out[1].data + m * c->out[1].pitch)[i] = (int32_t)tap;
}

static at_status ref_fwd(const at_call *c)
{
    for (int64_t m = 0; m < c->out[0].rows; m++)
        for (int64_t i = 0; i < c->out[0].cols; i++) ref_window(c, m, i);
    return AT_OK;
}

static at_status ref_dx(const at_call *c)
{
    const at_maxpool_param *p = c->param;
    const at_arg *dy = &c->in[1], *dx = &c->out[0];
    for (int64_t m = 0; m < dx->rows; m++)
        for (int64_t i = 0; i < dx->cols; i++) {
            const int64_t x = m % dx->dim[2], y = m / dx->dim[2] % dx->dim[1],
                          s = m / (dx->dim[1] * dx->dim[2]);
            const at_pool_range oy = at_maxpool_outputs(p, y, dy->dim[1]),
                                ox = at_maxpool_outputs(p, x, dy->dim[2]);
            double sum = 0.0;
            for (int64_t a = oy.first; a < oy.last; a++)
                for (int64_t b = ox.first; b < ox.last; b++) {
                    const int64_t row = (s * dy->dim[1] + a) * dy->dim[2] + b;
                    const int64_t tap = (y + p->pad - a * p->stride) * p->kernel + x + p->pad - b * p->stride;
                    if (at_int_row(c, 0, row)[i] == tap) sum += (double)at_row(c, 1, row)[i];
                }
            at_put(c, 0, &at_out_row(c, 0, m)[i], sum);
        }
    return AT_OK;
}

/* ---- Cases ---- */

/* Kernel, stride, padding; then what the gradient needs. */
#define POOL(k, s, ...) (&(const at_maxpool_param){.kernel = k, .stride = s, __VA_ARGS__})

static const at_op_case cases[] = {
    {.name = "stem", .param = POOL(3, 2, .pad = 1), .in = {{4, {2, 5, 6, 3}}}},
    {.name = "odd", .param = POOL(2, 3, .pad = 1), .in = {{4, {2, 6, 4, 5}}}},
    {.name = "ties", .param = POOL(3, 1, .pad = 1), .in = {{4, {2, 4, 5, 2}}}},
    {.name = "gaps", .param = POOL(2, 3, .pad = 0), .in = {{4, {1, 7, 8, 3}}}},
    {.name = "whole", .param = POOL(4, 1, .pad = 0), .in = {{4, {3, 4, 4, 7}}}},
    {.name = "pixel", .param = POOL(3, 2, .pad = 1), .in = {{4, {1, 1, 1, 5}}}},
    {.name = "empty", .param = POOL(3, 2, .pad = 1), .in = {{4, {0, 3, 3, 2}}}},
    {.name = "large", .param = POOL(3, 2, .pad = 1), .in = {{4, {3, 15, 14, 56}}}, .large = true},
    {.name = "large_wide", .param = POOL(3, 2, .pad = 1), .in = {{4, {2, 28, 28, 67}}}, .large = true},
    {.name = "large_5x5", .param = POOL(5, 1, .pad = 2), .in = {{4, {2, 9, 8, 19}}}, .large = true},
    {0},
};

static const at_op_case refused[] = {
    {.name = "x must be [S,H,W,C]", .param = POOL(2, 2, .pad = 0), .in = {{3, {2, 9, 8}}}},
    {.name = "must be positive", .param = POOL(2, 0, .pad = 0), .in = {{4, {2, 3, 3, 5}}}},
    {.name = "must be positive", .param = POOL(0, 1, .pad = 0), .in = {{4, {2, 3, 3, 5}}}},
    {.name = "at most 1024", .param = POOL(1025, 1, .pad = 512), .in = {{4, {2, 3, 3, 5}}}},
    {.name = "half of the kernel", .param = POOL(3, 2, .pad = 2), .in = {{4, {2, 3, 3, 5}}}},
    {.name = "half of the kernel", .param = POOL(3, 2, .pad = -1), .in = {{4, {2, 3, 3, 5}}}},
    {.name = "kernel is larger", .param = POOL(3, 1, .pad = 0), .in = {{4, {2, 2, 3, 5}}}},
    {.name = "kernel is larger", .param = POOL(2, 1, .pad = 1), .in = {{4, {2, 3, 0, 5}}}},
    {0},
};

const at_op at_op_maxpool = {.name = "maxpool",
                             .doc = "largest value of a window",
                             .n_in = 1,
                             .n_out = 1,
                             .n_saved = 1,
                             .param_size = sizeof(at_maxpool_param),
                             .extent_in = 1,
                             .infer = infer,
                             .grad = grad,
                             .ref = ref_fwd,
                             .cases = cases,
                             .refused = refused};

/* ---- gradient: in tap, dy -> dx [S,height,width,C] ---- */

static at_status dx_infer(at_ctx *ctx, const void *param, const at_meta *in, at_meta *out, at_meta *saved)
{
    (void)saved;
    const at_maxpool_param *p = param;
    AT_TRY(check_param(ctx, p));
    AT_REQUIRE(ctx, in[1].rank == 4 && at_same_shape(&in[0], &in[1]), AT_E_SHAPE,
               "maxpool_dx: tap and dy must be [S,H',W',C]");
    AT_REQUIRE(ctx, in[1].dim[1] == outputs(p, p->height) && in[1].dim[2] == outputs(p, p->width), AT_E_SHAPE,
               "maxpool_dx: dy is not of a picture of %lld x %lld", (long long)p->height,
               (long long)p->width);
    out[0] = in[1];
    out[0].dim[1] = p->height;
    out[0].dim[2] = p->width;
    return AT_OK;
}

static const at_op_case dx_cases[] = {
    {.name = "stem",
     .param = POOL(3, 2, .pad = 1, .height = 5, .width = 6),
     .in = {{4, {2, 3, 3, 3}}, {4, {2, 3, 3, 3}}},
     .int_below = 9},
    {.name = "gaps",
     .param = POOL(2, 3, .pad = 0, .height = 7, .width = 8),
     .in = {{4, {1, 2, 3, 3}}, {4, {1, 2, 3, 3}}},
     .int_below = 4},
    {.name = "empty",
     .param = POOL(3, 2, .pad = 1, .height = 3, .width = 3),
     .in = {{4, {0, 2, 2, 2}}, {4, {0, 2, 2, 2}}},
     .int_below = 9},
    {.name = "large",
     .param = POOL(3, 2, .pad = 1, .height = 15, .width = 14),
     .in = {{4, {3, 8, 7, 56}}, {4, {3, 8, 7, 56}}},
     .int_below = 9,
     .large = true},
    {.name = "large_5x5",
     .param = POOL(5, 1, .pad = 2, .height = 9, .width = 8),
     .in = {{4, {2, 9, 8, 19}}, {4, {2, 9, 8, 19}}},
     .int_below = 25,
     .large = true},
    {0},
};

static const at_op_case dx_refused[] = {
    {.name = "must be [S,H',W',C]",
     .param = POOL(2, 2, .pad = 0, .height = 4, .width = 4),
     .in = {{4, {2, 2, 2, 5}}, {4, {2, 2, 2, 4}}}},
    {.name = "not of a picture of 4 x 5",
     .param = POOL(2, 2, .pad = 0, .height = 4, .width = 5),
     .in = {{4, {2, 2, 3, 5}}, {4, {2, 2, 3, 5}}}},
    {.name = "must be positive",
     .param = POOL(2, 0, .pad = 0, .height = 4, .width = 4),
     .in = {{4, {2, 2, 2, 5}}, {4, {2, 2, 2, 5}}}},
    {0},
};

const at_op at_op_maxpool_dx = {.name = "maxpool_dx",
                                .doc = "gradient of maxpool",
                                .n_in = 2,
                                .n_out = 1,
                                .param_size = sizeof(at_maxpool_param),
                                .extent_in = 3,
                                .int_in = 1,
                                .infer = dx_infer,
                                .no_grad_reason = "a gradient itself",
                                .ref = ref_dx,
                                .cases = dx_cases,
                                .refused = dx_refused};

at_value *at_maxpool(at_graph *g, at_value *x, int64_t kernel, int64_t stride, int64_t pad)
{
    return at_op1(g, &at_op_maxpool, (&(at_maxpool_param){.kernel = kernel, .stride = stride, .pad = pad}),
                  x);
}
