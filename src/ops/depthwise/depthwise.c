/* depthwise: y[s,oy,ox,c] = sum_{ky,kx} x[s, oy stride - pad + ky dilation, ox ..., c] w[c,0,ky,kx]
 * x [S,H,W,C] act, w [C,1,kh,kw] acc, y [S,H',W',C] act; zeros outside x.   (Howard et al. 2017)
 * dx and dw are the adjoints. */
#include "ops/depthwise/depthwise.h"

static at_status infer(at_ctx *ctx, const void *param, const at_meta *in, at_meta *out, at_meta *saved)
{
    (void)saved;
    const at_conv2d_param *p = param;
    const at_meta *x = &in[0], *w = &in[1];
    AT_REQUIRE(ctx, p->stride_y > 0 && p->stride_x > 0 && p->dilation_y > 0 && p->dilation_x > 0, AT_E_ARG,
               "depthwise: stride and dilation must be positive");
    AT_REQUIRE(ctx, p->pad_top >= 0 && p->pad_left >= 0 && p->pad_bottom >= 0 && p->pad_right >= 0, AT_E_ARG,
               "depthwise: padding must not be negative");
    AT_REQUIRE(ctx, x->rank == 4 && w->rank == 4 && w->dim[0] == x->dim[3] && w->dim[1] == 1, AT_E_SHAPE,
               "depthwise: x must be [S,H,W,C] and w [C,1,kh,kw] with equal C");
    out[0] = *x;
    out[0].dim[1] = at_conv_size(x->dim[1], w->dim[2], p->stride_y, p->dilation_y, p->pad_top, p->pad_bottom);
    out[0].dim[2] = at_conv_size(x->dim[2], w->dim[3], p->stride_x, p->dilation_x, p->pad_left, p->pad_right);
    AT_REQUIRE(ctx, out[0].dim[1] > 0 && out[0].dim[2] > 0, AT_E_SHAPE,
               "depthwise: the kernel is larger than the padded picture");
    return AT_OK;
}

static void grad(at_graph *g, const at_node *n, at_value *const *dy, at_value **dx)
{
    at_conv2d_param p = *(const at_conv2d_param *)n->param;
    p.height = n->in[0]->meta.dim[1];
    p.width = n->in[0]->meta.dim[2];
    p.kernel_y = n->in[1]->meta.dim[2];
    p.kernel_x = n->in[1]->meta.dim[3];
    if (dx[1]) dx[1] = at_op1(g, &at_op_depthwise_dw, &p, dy[0], n->in[0]);
    if (dx[0]) dx[0] = at_op1(g, &at_op_depthwise_dx, &p, dy[0], n->in[1]);
}

/* ---- References ---- */

/* Row of x that output (s, oy, ox) meets at tap (ky, kx), or -1 in the padding. */
static int64_t x_row(const at_conv2d_param *p, const at_arg *x, int64_t s, int64_t oy, int64_t ox, int64_t ky,
                     int64_t kx)
{
    const int64_t y = oy * p->stride_y - p->pad_top + ky * p->dilation_y;
    const int64_t i = ox * p->stride_x - p->pad_left + kx * p->dilation_x;
    return y < 0 || y >= x->dim[1] || i < 0 || i >= x->dim[2] ? -1 : (s * x->dim[1] + y) * x->dim[2] + i;
}

static at_status ref_fwd(const at_call *c)
{
    const at_arg *x = &c->in[0], *w = &c->in[1], *y = &c->out[0];
    const int64_t kh = w->dim[2], kw = w->dim[3];
    for (int64_t m = 0; m < y->rows; m++)
        for (int64_t i = 0; i < y->cols; i++) {
            const int64_t s = m / (y->dim[1] * y->dim[2]), oy = m / y->dim[2] % y->dim[1], ox = m % y->dim[2];
            double sum = 0.0;
            for (int64_t t = 0; t < kh * kw; t++) {
                const int64_t row = x_row(c->param, x, s, oy, ox, t / kw, t % kw);
                if (row >= 0) sum += (double)at_row(c, 0, row)[i] * (double)at_row(c, 1, i)[t];
            }
            at_put(c, 0, &at_out_row(c, 0, m)[i], sum);
        }
    return AT_OK;
}

/* Sums of one sample's dx lie in scratch as doubles. */
static void dx_need(const at_problem *p, at_need *out)
{
    out->scratch = (size_t)(p->out[0].dim[1] * p->out[0].dim[2] * p->out[0].dim[3]) * sizeof(double);
}

static at_status ref_dx(const at_call *c)
{
    const at_arg *dy = &c->in[0], *w = &c->in[1], *dx = &c->out[0];
    const int64_t kh = w->dim[2], kw = w->dim[3], HW = dx->dim[1] * dx->dim[2], C = dx->cols;
    double *sums = c->scratch;
    for (int64_t s = 0; s < dx->dim[0]; s++) {
        memset(sums, 0, (size_t)(HW * C) * sizeof *sums);
        for (int64_t o = 0; o < dy->dim[1] * dy->dim[2]; o++)
            for (int64_t t = 0; t < kh * kw; t++) {
                const int64_t row = x_row(c->param, dx, 0, o / dy->dim[2], o % dy->dim[2], t / kw, t % kw);
                for (int64_t i = 0; i < C && row >= 0; i++)
                    sums[row * C + i] +=
                        (double)at_row(c, 0, s * dy->dim[1] * dy->dim[2] + o)[i] * (double)at_row(c, 1, i)[t];
            }
        for (int64_t m = 0; m < HW; m++)
            for (int64_t i = 0; i < C; i++) at_put(c, 0, &at_out_row(c, 0, s * HW + m)[i], sums[m * C + i]);
    }
    return AT_OK;
}

static at_status ref_dw(const at_call *c)
{
    const at_arg *dy = &c->in[0], *x = &c->in[1], *dw = &c->out[0];
    const int64_t kh = dw->dim[2], kw = dw->dim[3];
    for (int64_t i = 0; i < dw->dim[0]; i++)
        for (int64_t t = 0; t < kh * kw; t++) {
            double sum = 0.0;
            for (int64_t m = 0; m < dy->rows; m++) {
                const int64_t s = m / (dy->dim[1] * dy->dim[2]), oy = m / dy->dim[2] % dy->dim[1],
                              ox = m % dy->dim[2];
                const int64_t row = x_row(c->param, x, s, oy, ox, t / kw, t % kw);
                if (row >= 0) sum += (double)at_row(c, 0, m)[i] * (double)at_row(c, 1, row)[i];
            }
            at_put(c, 0, (at_real *)dw->data + i * kh * kw + t, sum);
        }
    return AT_OK;
}

/* ---- Cases ---- */

/* Stride (both axes), dilation along y and x; then padding and what the gradients need. */
#define PARAM(stride, dil_y, dil_x, ...)                                                                     \
    (&(const at_conv2d_param){.stride_y = stride,                                                            \
                              .stride_x = stride,                                                            \
                              .dilation_y = dil_y,                                                           \
                              .dilation_x = dil_x,                                                           \
                              .groups = 1,                                                                   \
                              __VA_ARGS__})
#define PAD1      .pad_top = 1, .pad_left = 1, .pad_bottom = 1, .pad_right = 1
#define PAD2      .pad_top = 2, .pad_left = 2, .pad_bottom = 2, .pad_right = 2
#define PAD_SAME2 .pad_bottom = 1, .pad_right = 1 /* stride 2 on an even size, TensorFlow's "same" */

static const at_op_case cases[] = {
    {.name = "3x3", .param = PARAM(1, 1, 1, PAD1), .in = {{4, {2, 4, 3, 3}}, {4, {3, 1, 3, 3}}}},
    {.name = "stride_same", .param = PARAM(2, 1, 1, PAD_SAME2), .in = {{4, {1, 4, 6, 3}}, {4, {3, 1, 3, 3}}}},
    {.name = "odd",
     .param = PARAM(2, 1, 2, .pad_top = 2, .pad_right = 1),
     .in = {{4, {2, 5, 7, 2}}, {4, {2, 1, 3, 2}}}},
    {.name = "pixel", .param = PARAM(1, 1, 1, PAD1), .in = {{4, {1, 1, 1, 5}}, {4, {5, 1, 3, 3}}}},
    {.name = "empty", .param = PARAM(1, 1, 1, PAD1), .in = {{4, {0, 3, 3, 2}}, {4, {2, 1, 3, 3}}}},
    {.name = "large",
     .param = PARAM(1, 1, 1, PAD1),
     .in = {{4, {3, 15, 13, 56}}, {4, {56, 1, 3, 3}}},
     .large = true},
    {.name = "large_stride",
     .param = PARAM(2, 1, 1, PAD1),
     .in = {{4, {2, 15, 14, 24}}, {4, {24, 1, 3, 3}}},
     .large = true},
    {.name = "large_same",
     .param = PARAM(2, 1, 1, PAD_SAME2),
     .in = {{4, {2, 16, 14, 19}}, {4, {19, 1, 3, 3}}},
     .large = true},
    {.name = "5x5",
     .param = PARAM(1, 1, 1, PAD2),
     .in = {{4, {2, 8, 9, 20}}, {4, {20, 1, 5, 5}}},
     .large = true},
    {.name = "dilated",
     .param = PARAM(1, 2, 2, PAD2),
     .in = {{4, {2, 8, 9, 20}}, {4, {20, 1, 3, 3}}},
     .large = true},
    {0},
};

static const at_op_case refused[] = {
    {.name = "with equal C",
     .param = PARAM(1, 1, 1, .pad_top = 0),
     .in = {{4, {2, 3, 3, 5}}, {4, {4, 1, 1, 1}}}},
    {.name = "kernel is larger",
     .param = PARAM(1, 1, 1, .pad_top = 0),
     .in = {{4, {2, 2, 3, 5}}, {4, {5, 1, 3, 3}}}},
    {.name = "must be positive",
     .param = &(const at_conv2d_param){0},
     .in = {{4, {2, 3, 3, 5}}, {4, {5, 1, 1, 1}}}},
    {.name = "padding must not be negative",
     .param = PARAM(1, 1, 1, .pad_right = -1),
     .in = {{4, {2, 3, 3, 5}}, {4, {5, 1, 1, 1}}}},
    {.name = "w [C,1,kh,kw]",
     .param = PARAM(1, 1, 1, .pad_top = 0),
     .in = {{4, {2, 3, 3, 5}}, {4, {5, 2, 1, 1}}}},
    {0},
};

static double flops(const void *param, const at_meta *in, const at_meta *out)
{
    (void)param;
    return at_product_flops(&out[0], &in[1]);
}

const at_op at_op_depthwise = {.name = "depthwise",
                               .doc = "convolution channel by channel",
                               .n_in = 2,
                               .n_out = 1,
                               .param_size = sizeof(at_conv2d_param),
                               .extent_in = 1,
                               .acc_in = 2,
                               .infer = infer,
                               .grad = grad,
                               .ref = ref_fwd,
                               .flops = flops,
                               .cases = cases,
                               .refused = refused};

/* ---- dx: in dy, w ---- */

static at_status dx_infer(at_ctx *ctx, const void *param, const at_meta *in, at_meta *out, at_meta *saved)
{
    (void)saved;
    const at_conv2d_param *p = param;
    AT_REQUIRE(ctx, in[0].rank == 4 && in[1].rank == 4 && in[1].dim[0] == in[0].dim[3], AT_E_SHAPE,
               "depthwise_dx: dy and w must have equal C");
    out[0] = in[0];
    out[0].dim[1] = p->height;
    out[0].dim[2] = p->width;
    return AT_OK;
}

static const at_op_case dx_cases[] = {
    {.name = "large",
     .param = PARAM(1, 1, 1, PAD1, .height = 15, .width = 13),
     .in = {{4, {3, 15, 13, 56}}, {4, {56, 1, 3, 3}}},
     .large = true},
    {.name = "stride",
     .param = PARAM(2, 1, 1, PAD1, .height = 15, .width = 14),
     .in = {{4, {2, 8, 7, 24}}, {4, {24, 1, 3, 3}}},
     .large = true},
    {.name = "stride_same",
     .param = PARAM(2, 1, 1, PAD_SAME2, .height = 16, .width = 14),
     .in = {{4, {2, 8, 7, 19}}, {4, {19, 1, 3, 3}}},
     .large = true},
    {.name = "5x5",
     .param = PARAM(1, 1, 1, PAD2, .height = 8, .width = 9),
     .in = {{4, {2, 8, 9, 20}}, {4, {20, 1, 5, 5}}},
     .large = true},
    {0},
};

static const at_op_case dx_refused[] = {
    {.name = "must have equal C",
     .param = PARAM(1, 1, 1, .height = 3, .width = 3),
     .in = {{4, {2, 3, 3, 5}}, {4, {4, 1, 1, 1}}}},
    {0},
};

static double dx_flops(const void *param, const at_meta *in, const at_meta *out)
{
    (void)param, (void)out;
    return at_product_flops(&in[0], &in[1]);
}

const at_op at_op_depthwise_dx = {.name = "depthwise_dx",
                                  .doc = "gradient of depthwise with respect to x",
                                  .n_in = 2,
                                  .n_out = 1,
                                  .param_size = sizeof(at_conv2d_param),
                                  .extent_in = 1,
                                  .acc_in = 2,
                                  .infer = dx_infer,
                                  .no_grad_reason = "a gradient itself",
                                  .ref = ref_dx,
                                  .ref_need = dx_need,
                                  .flops = dx_flops,
                                  .cases = dx_cases,
                                  .refused = dx_refused};

/* ---- dw: in dy, x ---- */

static at_status dw_infer(at_ctx *ctx, const void *param, const at_meta *in, at_meta *out, at_meta *saved)
{
    (void)saved;
    const at_conv2d_param *p = param;
    AT_REQUIRE(ctx,
               in[0].rank == 4 && in[1].rank == 4 && in[0].dim[3] == in[1].dim[3] &&
                   in[0].extent == in[1].extent,
               AT_E_SHAPE, "depthwise_dw: dy and x must have equal C and samples");
    const int64_t dim[] = {in[0].dim[3], 1, p->kernel_y, p->kernel_x};
    out[0] = at_meta_of(AT_ACC, 4, dim);
    return AT_OK;
}

static const at_op_case dw_cases[] = {
    {.name = "large",
     .param = PARAM(1, 1, 1, PAD1, .kernel_y = 3, .kernel_x = 3),
     .in = {{4, {3, 15, 13, 56}}, {4, {3, 15, 13, 56}}},
     .large = true},
    {.name = "stride",
     .param = PARAM(2, 1, 1, PAD1, .kernel_y = 3, .kernel_x = 3),
     .in = {{4, {2, 8, 7, 24}}, {4, {2, 15, 14, 24}}},
     .large = true},
    {.name = "chunks",
     .param = PARAM(1, 1, 1, PAD1, .kernel_y = 3, .kernel_x = 3),
     .in = {{4, {2, 55, 60, 19}}, {4, {2, 55, 60, 19}}},
     .large = true},
    {.name = "5x5",
     .param = PARAM(1, 1, 1, PAD2, .kernel_y = 5, .kernel_x = 5),
     .in = {{4, {2, 8, 9, 20}}, {4, {2, 8, 9, 20}}},
     .large = true},
    {0},
};

static const at_op_case dw_refused[] = {
    {.name = "must have equal C",
     .param = PARAM(1, 1, 1, .kernel_y = 1, .kernel_x = 1),
     .in = {{4, {2, 3, 3, 5}}, {4, {2, 3, 3, 4}}}},
    {0},
};

static double dw_flops(const void *param, const at_meta *in, const at_meta *out)
{
    (void)param;
    return at_product_flops(&in[0], &out[0]);
}

const at_op at_op_depthwise_dw = {.name = "depthwise_dw",
                                  .doc = "gradient of depthwise with respect to w",
                                  .n_in = 2,
                                  .n_out = 1,
                                  .param_size = sizeof(at_conv2d_param),
                                  .extent_in = 3,
                                  .infer = dw_infer,
                                  .no_grad_reason = "a gradient itself",
                                  .ref = ref_dw,
                                  .flops = dw_flops,
                                  .cases = dw_cases,
                                  .refused = dw_refused};

at_value *at_depthwise(at_graph *g, at_value *x, at_value *w, const at_conv2d_param *p)
{
    return at_op1(g, &at_op_depthwise, p, x, w);
}
