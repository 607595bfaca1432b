/* conv2d: y[s,oy,ox,o] = b[o] + sum_{c,ky,kx} x[s, oy stride - pad + ky dilation, ox ..., c] w[o,c,ky,kx]
 * x [S,H,W,C] act, w [O,C/groups,kh,kw] acc, b [O] acc (optional), y [S,H',W',O] act; zeros outside x.
 * dx and dw are the adjoints; db = sum_rows dy. */
#include "ops/conv2d/conv2d.h"
#include "ops/rowsum/rowsum.h"

int64_t at_conv_size(int64_t size, int64_t kernel, int64_t stride, int64_t dilation, int64_t before,
                     int64_t after)
{
    const int64_t room = size + before + after - dilation * (kernel - 1) - 1;
    return room < 0 ? 0 : room / stride + 1;
}

void at_same_padding(int64_t size, int64_t kernel, int64_t stride, int64_t dilation, int64_t *before,
                     int64_t *after)
{
    const int64_t outputs = at_ceil_div(size, stride);
    const int64_t total = at_max((outputs - 1) * stride + dilation * (kernel - 1) + 1 - size, 0);
    *before = total / 2;
    *after = total - *before;
}

static at_status check_param(at_ctx *ctx, const at_conv2d_param *p)
{
    AT_REQUIRE(ctx,
               p->stride_y > 0 && p->stride_x > 0 && p->dilation_y > 0 && p->dilation_x > 0 && p->groups > 0,
               AT_E_ARG, "conv2d: stride, dilation and groups must be positive");
    AT_REQUIRE(ctx, p->pad_top >= 0 && p->pad_left >= 0 && p->pad_bottom >= 0 && p->pad_right >= 0, AT_E_ARG,
               "conv2d: padding must not be negative");
    return AT_OK;
}

static at_status infer(at_ctx *ctx, const void *param, const at_meta *in, at_meta *out, at_meta *saved)
{
    (void)saved;
    const at_conv2d_param *p = param;
    const at_meta *x = &in[0], *w = &in[1];
    AT_TRY(check_param(ctx, p));
    AT_REQUIRE(ctx, x->rank == 4 && w->rank == 4, AT_E_SHAPE,
               "conv2d: x must be [S,H,W,C], w [O,C/groups,kh,kw]");
    AT_REQUIRE(ctx, w->dim[1] * p->groups == x->dim[3] && w->dim[0] % p->groups == 0, AT_E_SHAPE,
               "conv2d: w [%lld,%lld,..] does not fit %lld channels in %lld groups", (long long)w->dim[0],
               (long long)w->dim[1], (long long)x->dim[3], (long long)p->groups);
    AT_REQUIRE(ctx, !in[2].rank || (in[2].rank == 1 && in[2].dim[0] == w->dim[0]), AT_E_SHAPE,
               "conv2d: b must be [O=%lld]", (long long)w->dim[0]);
    out[0] = *x;
    out[0].dim[1] = at_conv_size(x->dim[1], w->dim[2], p->stride_y, p->dilation_y, p->pad_top, p->pad_bottom);
    out[0].dim[2] = at_conv_size(x->dim[2], w->dim[3], p->stride_x, p->dilation_x, p->pad_left, p->pad_right);
    out[0].dim[3] = w->dim[0];
    AT_REQUIRE(ctx, out[0].dim[1] > 0 && out[0].dim[2] > 0, AT_E_SHAPE,
               "conv2d: a %lldx%lld kernel is larger than the padded %lldx%lld picture", (long long)w->dim[2],
               (long long)w->dim[3], (long long)x->dim[1], (long long)x->dim[2]);
    return AT_OK;
}

static void grad(at_graph *g, const at_node *n, at_value *const *dy, at_value **dx)
{
    at_conv2d_param p = *(const at_conv2d_param *)n->param;
    p.height = n->in[0]->meta.dim[1];
    p.width = n->in[0]->meta.dim[2];
    p.kernel_y = n->in[1]->meta.dim[2];
    p.kernel_x = n->in[1]->meta.dim[3];
    if (dx[1]) dx[1] = at_op1(g, &at_op_conv2d_dw, &p, dy[0], n->in[0]);
    if (n->n_in > 2 && dx[2]) dx[2] = at_rowsum(g, dy[0]);
    if (dx[0]) dx[0] = at_op1(g, &at_op_conv2d_dx, &p, dy[0], n->in[1]);
}

/* ---- References: one walk over all products, with what to do with each ---- */

typedef struct tap {                        /* n products x[c + i] w[w + i step] of output y[...] */
    int64_t x_row, c, y_row, o, w, n, step; /* w: index into the weight, dense */
} tap;

typedef struct shape {
    int64_t S, H, W, C, Ho, Wo, O, kh, kw;
} shape;

/* Calls visit for every product that exists, those of a group's input channels at once. */
static void for_every_tap(const at_conv2d_param *p, const shape *d,
                          void (*visit)(const at_call *c, const tap *t, double *sums), const at_call *c,
                          double *sums)
{
    const int64_t Cg = d->C / p->groups, Og = d->O / p->groups;
    tap t = {.n = Cg, .step = d->kh * d->kw};
    for (t.y_row = 0; t.y_row < d->S * d->Ho * d->Wo; t.y_row++) {
        const int64_t s = t.y_row / (d->Ho * d->Wo), oy = t.y_row / d->Wo % d->Ho, ox = t.y_row % d->Wo;
        for (int64_t ky = 0; ky < d->kh; ky++)
            for (int64_t kx = 0; kx < d->kw; kx++) {
                const int64_t y = oy * p->stride_y - p->pad_top + ky * p->dilation_y;
                const int64_t x = ox * p->stride_x - p->pad_left + kx * p->dilation_x;
                if (y < 0 || y >= d->H || x < 0 || x >= d->W) continue;
                t.x_row = (s * d->H + y) * d->W + x;
                for (t.o = 0; t.o < d->O; t.o++) {
                    t.c = t.o / Og * Cg;
                    t.w = (t.o * Cg * d->kh + ky) * d->kw + kx;
                    visit(c, &t, sums);
                }
            }
    }
}

static void add_y(const at_call *c, const tap *t, double *sums)
{
    const at_real *x = at_row(c, 0, t->x_row) + t->c, *w = (const at_real *)c->in[1].data + t->w;
    double *to = &sums[t->y_row * c->out[0].cols + t->o], sum = *to;
    for (int64_t i = 0; i < t->n; i++) sum += (double)x[i] * (double)w[i * t->step];
    *to = sum;
}

static void add_dx(const at_call *c, const tap *t, double *sums)
{
    const at_real *w = (const at_real *)c->in[1].data + t->w;
    const double dy = (double)at_row(c, 0, t->y_row)[t->o];
    double *to = sums + t->x_row * c->out[0].cols + t->c;
    for (int64_t i = 0; i < t->n; i++) to[i] += dy * (double)w[i * t->step];
}

static void add_dw(const at_call *c, const tap *t, double *sums)
{
    const at_real *x = at_row(c, 1, t->x_row) + t->c;
    const double dy = (double)at_row(c, 0, t->y_row)[t->o];
    for (int64_t i = 0; i < t->n; i++) sums[t->w + i * t->step] += dy * (double)x[i];
}

/* The sums are in scratch, one double an output element. */
static void need(const at_problem *p, at_need *out)
{
    out->scratch = (size_t)(at_meta_max_rows(&p->out[0]) * at_meta_cols(&p->out[0])) * sizeof(double);
}

static at_status put_sums(const at_call *c, const double *sums, const at_real *bias)
{
    for (int64_t m = 0; m < c->out[0].rows; m++)
        for (int64_t i = 0; i < c->out[0].cols; i++)
            at_put(c, 0, &at_out_row(c, 0, m)[i],
                   sums[m * c->out[0].cols + i] + (bias ? (double)bias[i] : 0.0));
    return AT_OK;
}

static double *zero_sums(const at_call *c)
{
    memset(c->scratch, 0, (size_t)(c->out[0].rows * c->out[0].cols) * sizeof(double));
    return c->scratch;
}

static at_status ref_fwd(const at_call *c)
{
    const at_arg *x = &c->in[0], *w = &c->in[1], *y = &c->out[0];
    const shape d = {x->dim[0], x->dim[1], x->dim[2], x->dim[3], y->dim[1],
                     y->dim[2], y->dim[3], w->dim[2], w->dim[3]};
    double *sums = zero_sums(c);
    for_every_tap(c->param, &d, add_y, c, sums);
    return put_sums(c, sums, c->in[2].data);
}

static at_status ref_dx(const at_call *c)
{
    const at_arg *dy = &c->in[0], *w = &c->in[1], *dx = &c->out[0];
    const shape d = {dx->dim[0], dx->dim[1], dx->dim[2], dx->dim[3], dy->dim[1],
                     dy->dim[2], dy->dim[3], w->dim[2],  w->dim[3]};
    double *sums = zero_sums(c);
    for_every_tap(c->param, &d, add_dx, c, sums);
    return put_sums(c, sums, NULL);
}

static at_status ref_dw(const at_call *c)
{
    const at_arg *dy = &c->in[0], *x = &c->in[1], *dw = &c->out[0];
    const shape d = {x->dim[0],  x->dim[1],  x->dim[2],  x->dim[3], dy->dim[1],
                     dy->dim[2], dy->dim[3], dw->dim[2], dw->dim[3]};
    double *sums = zero_sums(c);
    for_every_tap(c->param, &d, add_dw, c, sums);
    return put_sums(c, sums, NULL);
}

/* ---- Cases ---- */

/* Strides and dilation along x, groups; then padding and what the gradients need. */
#define PARAM(sy, sx, dil_x, g, ...)                                                                         \
    (&(const at_conv2d_param){                                                                               \
        .stride_y = sy, .stride_x = sx, .dilation_y = 1, .dilation_x = dil_x, .groups = g, __VA_ARGS__})
#define DILATED(sy, sx, dil, g, ...)                                                                         \
    (&(const at_conv2d_param){                                                                               \
        .stride_y = sy, .stride_x = sx, .dilation_y = dil, .dilation_x = dil, .groups = g, __VA_ARGS__})
#define PAD1      .pad_top = 1, .pad_left = 1, .pad_bottom = 1, .pad_right = 1
#define PAD_SAME2 .pad_bottom = 1, .pad_right = 1 /* stride 2 on an even size, TensorFlow's "same" */

static const at_op_case cases[] = {
    {.name = "1x1",
     .param = PARAM(1, 1, 1, 1, .pad_top = 0),
     .in = {{4, {2, 3, 2, 5}}, {4, {4, 5, 1, 1}}, {1, {4}}}},
    {.name = "3x3", .param = PARAM(1, 1, 1, 1, PAD1), .in = {{4, {2, 4, 3, 3}}, {4, {2, 3, 3, 3}}}},
    {.name = "stride_same",
     .param = PARAM(2, 2, 1, 1, PAD_SAME2),
     .in = {{4, {1, 4, 6, 3}}, {4, {3, 3, 3, 3}}, {1, {3}}}},
    {.name = "uneven_same", /* rows: 3 zeros, 1 before and 2 behind; columns: 1, behind */
     .param = PARAM(1, 2, 1, 1, .pad_top = 1, .pad_bottom = 2, .pad_right = 1),
     .in = {{4, {1, 5, 6, 2}}, {4, {2, 2, 4, 3}}}},
    {.name = "odd",
     .param = PARAM(2, 3, 2, 1, .pad_top = 2, .pad_right = 1),
     .in = {{4, {2, 5, 7, 2}}, {4, {3, 2, 3, 2}}}},
    {.name = "groups",
     .param = PARAM(1, 1, 1, 2, .pad_left = 1),
     .in = {{4, {2, 3, 3, 4}}, {4, {6, 2, 2, 2}}}},
    {.name = "groups_stride",
     .param = PARAM(2, 2, 1, 3, PAD1),
     .in = {{4, {2, 5, 4, 6}}, {4, {3, 2, 3, 3}}, {1, {3}}}},
    {.name = "1x1_stride",
     .param = PARAM(2, 2, 1, 1, .pad_top = 0),
     .in = {{4, {2, 5, 4, 3}}, {4, {2, 3, 1, 1}}}},
    {.name = "few_channels",
     .param = PARAM(1, 2, 2, 1, PAD1),
     .in = {{4, {2, 6, 9, 5}}, {4, {6, 5, 3, 3}}, {1, {6}}}},
    {.name = "empty", .param = PARAM(1, 1, 1, 1, .pad_top = 0), .in = {{4, {0, 3, 3, 2}}, {4, {3, 2, 2, 2}}}},
    {.name = "stem",
     .param = PARAM(2, 2, 1, 1, PAD_SAME2),
     .in = {{4, {2, 32, 30, 3}}, {4, {16, 3, 3, 3}}},
     .large = true},
    {.name = "large",
     .param = PARAM(1, 1, 1, 1, PAD1),
     .in = {{4, {3, 9, 11, 45}}, {4, {35, 45, 3, 3}}, {1, {35}}},
     .large = true},
    {.name = "strip", /* whole vectors of channels: a strip of pixels */
     .param = PARAM(1, 1, 1, 1, PAD1),
     .in = {{4, {3, 9, 11, 64}}, {4, {35, 64, 3, 3}}, {1, {35}}},
     .large = true},
    {.name = "strip_stride",
     .param = PARAM(2, 2, 1, 1, PAD1),
     .in = {{4, {2, 14, 19, 32}}, {4, {40, 32, 4, 4}}},
     .large = true},
    {.name = "strip_groups",
     .param = DILATED(1, 2, 2, 2, .pad_left = 1),
     .in = {{4, {1, 16, 23, 64}}, {4, {20, 32, 2, 3}}},
     .large = true},
    {.name = "large_groups",
     .param = PARAM(2, 1, 1, 3, .pad_top = 1),
     .in = {{4, {2, 9, 8, 18}}, {4, {21, 6, 3, 3}}},
     .large = true},
    {0},
};

static const at_op_case refused[] = {
    {.name = "does not fit 5 channels",
     .param = PARAM(1, 1, 1, 1, .pad_top = 0),
     .in = {{4, {2, 3, 3, 5}}, {4, {4, 4, 1, 1}}}},
    {.name = "kernel is larger",
     .param = PARAM(1, 1, 1, 1, .pad_top = 0),
     .in = {{4, {2, 2, 3, 5}}, {4, {4, 5, 3, 3}}}},
    {.name = "x must be [S,H,W,C]",
     .param = PARAM(1, 1, 1, 1, .pad_top = 0),
     .in = {{3, {2, 3, 5}}, {4, {4, 5, 1, 1}}}},
    {.name = "b must be [O=4]",
     .param = PARAM(1, 1, 1, 1, .pad_top = 0),
     .in = {{4, {2, 3, 3, 5}}, {4, {4, 5, 1, 1}}, {1, {5}}}},
    {.name = "must be positive",
     .param = &(const at_conv2d_param){0},
     .in = {{4, {2, 3, 3, 5}}, {4, {4, 5, 1, 1}}}},
    {.name = "padding must not be negative",
     .param = PARAM(1, 1, 1, 1, .pad_left = -1),
     .in = {{4, {2, 3, 3, 5}}, {4, {4, 5, 1, 1}}}},
    {.name = "does not fit 6 channels in 4 groups",
     .param = PARAM(1, 1, 1, 4, .pad_top = 0),
     .in = {{4, {2, 3, 3, 6}}, {4, {4, 1, 1, 1}}}},
    {.name = "w [5,3,..] does not fit 6 channels in 2 groups",
     .param = PARAM(1, 1, 1, 2, .pad_top = 0),
     .in = {{4, {2, 3, 3, 6}}, {4, {5, 3, 1, 1}}}},
    {0},
};

static double flops(const void *param, const at_meta *in, const at_meta *out)
{
    (void)param;
    return at_product_flops(&out[0], &in[1]);
}

const at_op at_op_conv2d = {.name = "conv2d",
                            .doc = "two-dimensional convolution",
                            .n_in = 3,
                            .n_out = 1,
                            .param_size = sizeof(at_conv2d_param),
                            .optional_in = 4,
                            .extent_in = 1,
                            .acc_in = 6,
                            .infer = infer,
                            .grad = grad,
                            .ref = ref_fwd,
                            .ref_need = need,
                            .flops = flops,
                            .cases = cases,
                            .refused = refused};

/* ---- dx: in dy, w ---- */

static at_status dx_infer(at_ctx *ctx, const void *param, const at_meta *in, at_meta *out, at_meta *saved)
{
    (void)saved;
    const at_conv2d_param *p = param;
    AT_REQUIRE(ctx, in[0].rank == 4 && in[1].rank == 4 && in[1].dim[0] == in[0].dim[3], AT_E_SHAPE,
               "conv2d_dx: w must have O=%lld outputs", (long long)in[0].dim[3]);
    out[0] = in[0];
    out[0].dim[1] = p->height;
    out[0].dim[2] = p->width;
    out[0].dim[3] = in[1].dim[1] * p->groups;
    return AT_OK;
}

static const at_op_case dx_cases[] = {
    {.name = "3x3",
     .param = PARAM(1, 1, 1, 1, PAD1, .height = 9, .width = 11),
     .in = {{4, {3, 9, 11, 35}}, {4, {35, 45, 3, 3}}},
     .large = true},
    {.name = "stride",
     .param = PARAM(2, 2, 1, 1, PAD_SAME2, .height = 8, .width = 10),
     .in = {{4, {2, 4, 5, 7}}, {4, {7, 5, 3, 3}}},
     .large = true},
    {.name = "1x1",
     .param = PARAM(1, 1, 1, 1, .height = 5, .width = 4),
     .in = {{4, {2, 5, 4, 7}}, {4, {7, 5, 1, 1}}},
     .large = true},
    {.name = "groups",
     .param = PARAM(2, 1, 1, 3, .pad_top = 1, .height = 9, .width = 8),
     .in = {{4, {2, 4, 6, 21}}, {4, {21, 6, 3, 3}}},
     .large = true},
    {.name = "1x1_stride",
     .param = PARAM(2, 2, 1, 1, .height = 9, .width = 12),
     .in = {{4, {3, 5, 6, 37}}, {4, {37, 45, 1, 1}}},
     .large = true},
    {.name = "3x3_stride", /* more rows a phase than one piece */
     .param = PARAM(2, 2, 1, 1, PAD1, .height = 65, .width = 131),
     .in = {{4, {2, 33, 66, 5}}, {4, {5, 7, 3, 3}}},
     .large = true},
    {.name = "7x7_stride",
     .param = PARAM(2, 2, 1, 1, .pad_top = 3, .pad_left = 3, .pad_bottom = 3, .pad_right = 3, .height = 17,
                    .width = 14),
     .in = {{4, {2, 9, 7, 19}}, {4, {19, 3, 7, 7}}},
     .large = true},
    {.name = "stride_3", /* the last rows and columns were read by nothing */
     .param = PARAM(3, 3, 1, 1, .pad_top = 1, .pad_left = 2, .height = 12, .width = 11),
     .in = {{4, {2, 4, 4, 35}}, {4, {35, 40, 3, 2}}},
     .large = true},
    {.name = "stride_dilation", /* three of four phases without a tap */
     .param = DILATED(2, 2, 2, 1, .pad_top = 2, .pad_left = 1, .pad_bottom = 2, .pad_right = 3, .height = 9,
                      .width = 8),
     .in = {{4, {2, 5, 4, 33}}, {4, {33, 18, 3, 3}}},
     .large = true},
    {.name = "stride_dilation_6", /* along y every second tap in a phase; outputs 3 and 2 apart */
     .param = DILATED(4, 3, 6, 1, .pad_top = 9, .pad_left = 7, .height = 15, .width = 17),
     .in = {{4, {2, 2, 4, 9}}, {4, {9, 18, 4, 3}}},
     .large = true},
    {.name = "groups_stride",
     .param = PARAM(2, 2, 1, 2, PAD1, .height = 8, .width = 9),
     .in = {{4, {2, 4, 5, 38}}, {4, {38, 21, 3, 3}}},
     .large = true},
    {.name = "strip",
     .param = PARAM(1, 1, 1, 1, PAD1, .height = 9, .width = 11),
     .in = {{4, {3, 9, 11, 64}}, {4, {64, 35, 3, 3}}},
     .large = true},
    {.name = "strip_stride", /* four taps a phase; more rows than one piece */
     .param = PARAM(2, 2, 1, 1, PAD1, .height = 66, .width = 130),
     .in = {{4, {2, 33, 65, 32}}, {4, {32, 4, 4, 4}}},
     .large = true},
    {.name = "strip_groups",
     .param = DILATED(1, 1, 2, 2, .height = 14, .width = 15),
     .in = {{4, {2, 10, 11, 64}}, {4, {64, 9, 3, 3}}},
     .large = true},
    {.name = "narrow", /* fewer pixels than the stride */
     .param = PARAM(3, 2, 1, 1, .pad_top = 2, .pad_bottom = 2, .height = 2, .width = 1),
     .in = {{4, {2, 2, 1, 5}}, {4, {5, 6, 3, 1}}},
     .large = true},
    {0},
};

static const at_op_case dx_refused[] = {
    {.name = "must have O=7",
     .param = PARAM(1, 1, 1, 1, .height = 5, .width = 4),
     .in = {{4, {2, 5, 4, 7}}, {4, {6, 5, 1, 1}}}},
    {0},
};

static double dx_flops(const void *param, const at_meta *in, const at_meta *out)
{
    (void)param, (void)out;
    return at_product_flops(&in[0], &in[1]);
}

const at_op at_op_conv2d_dx = {.name = "conv2d_dx",
                               .doc = "gradient of conv2d with respect to x",
                               .n_in = 2,
                               .n_out = 1,
                               .param_size = sizeof(at_conv2d_param),
                               .extent_in = 1,
                               .acc_in = 2,
                               .infer = dx_infer,
                               .no_grad_reason = "a gradient itself",
                               .ref = ref_dx,
                               .ref_need = need,
                               .flops = dx_flops,
                               .cases = dx_cases,
                               .refused = dx_refused};

/* ---- dw: in dy, x ---- */

static at_status dw_infer(at_ctx *ctx, const void *param, const at_meta *in, at_meta *out, at_meta *saved)
{
    (void)saved;
    const at_conv2d_param *p = param;
    AT_REQUIRE(ctx,
               in[0].rank == 4 && in[1].rank == 4 && in[0].extent == in[1].extent &&
                   in[0].dim[0] == in[1].dim[0],
               AT_E_SHAPE, "conv2d_dw: dy and x must have the same samples");
    const int64_t dim[] = {in[0].dim[3], in[1].dim[3] / p->groups, p->kernel_y, p->kernel_x};
    out[0] = at_meta_of(AT_ACC, 4, dim);
    return AT_OK;
}

static const at_op_case dw_cases[] = {
    {.name = "3x3",
     .param = PARAM(1, 1, 1, 1, PAD1, .kernel_y = 3, .kernel_x = 3),
     .in = {{4, {3, 9, 11, 35}}, {4, {3, 9, 11, 45}}},
     .large = true},
    {.name = "stem",
     .param = PARAM(2, 2, 1, 1, PAD_SAME2, .kernel_y = 3, .kernel_x = 3),
     .in = {{4, {2, 16, 15, 16}}, {4, {2, 32, 30, 3}}},
     .large = true},
    {.name = "1x1",
     .param = PARAM(1, 1, 1, 1, .kernel_y = 1, .kernel_x = 1),
     .in = {{4, {2, 5, 4, 7}}, {4, {2, 5, 4, 5}}},
     .large = true},
    {.name = "groups",
     .param = PARAM(2, 1, 1, 3, .pad_top = 1, .kernel_y = 3, .kernel_x = 3),
     .in = {{4, {2, 4, 6, 21}}, {4, {2, 9, 8, 18}}},
     .large = true},
    {.name = "few_channels",
     .param = PARAM(1, 1, 1, 1, PAD1, .kernel_y = 3, .kernel_x = 3),
     .in = {{4, {2, 6, 9, 7}}, {4, {2, 6, 9, 5}}}},
    {.name = "chunks",
     .param = PARAM(1, 1, 1, 1, .kernel_y = 1, .kernel_x = 1),
     .in = {{4, {2, 50, 50, 7}}, {4, {2, 50, 50, 5}}},
     .large = true},
    {.name = "strip",
     .param = PARAM(1, 1, 1, 1, PAD1, .kernel_y = 3, .kernel_x = 3),
     .in = {{4, {3, 9, 11, 35}}, {4, {3, 9, 11, 32}}},
     .large = true},
    {.name = "strip_stride",
     .param = PARAM(2, 2, 1, 1, PAD1, .kernel_y = 6, .kernel_x = 6),
     .in = {{4, {2, 6, 8, 33}}, {4, {2, 14, 19, 64}}},
     .large = true},
    {.name = "strip_groups",
     .param = DILATED(1, 2, 2, 2, .pad_left = 1, .kernel_y = 3, .kernel_x = 3),
     .in = {{4, {1, 12, 10, 20}}, {4, {1, 16, 23, 64}}},
     .large = true},
    {.name = "wide",
     .param = PARAM(1, 1, 1, 1, PAD1, .kernel_y = 3, .kernel_x = 3),
     .in = {{4, {11, 5, 5, 61}}, {4, {11, 5, 5, 121}}},
     .large = true},
    {0},
};

static const at_op_case dw_refused[] = {
    {.name = "same samples",
     .param = PARAM(1, 1, 1, 1, .kernel_y = 1, .kernel_x = 1),
     .in = {{4, {2, 5, 4, 7}}, {3, {2, 5, 4}}}},
    {0},
};

static double dw_flops(const void *param, const at_meta *in, const at_meta *out)
{
    (void)param;
    return at_product_flops(&in[0], &out[0]);
}

const at_op at_op_conv2d_dw = {.name = "conv2d_dw",
                               .doc = "gradient of conv2d with respect to w",
                               .n_in = 2,
                               .n_out = 1,
                               .param_size = sizeof(at_conv2d_param),
                               .extent_in = 3,
                               .infer = dw_infer,
                               .no_grad_reason = "a gradient itself",
                               .ref = ref_dw,
                               .ref_need = need,
                               .flops = dw_flops,
                               .cases = dw_cases,
                               .refused = dw_refused};

at_value *at_conv2d(at_graph *g, at_value *x, at_value *w, at_value *b, const at_conv2d_param *p)
{
    return at_op1(g, &at_op_conv2d, p, x, w, b);
}
