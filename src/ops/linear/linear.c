/* linear: y = x W^T + b          x [...,in] act, w [out,in] acc, b [out] acc (optional), y [...,out] act
 * dx = dy W,   dw = sum_rows dy^T x,   db = sum_rows dy */
#include "ops/linear/linear.h"
#include "ops/rowsum/rowsum.h"

static at_status infer(at_ctx *ctx, const void *p, const at_meta *in, at_meta *out, at_meta *saved)
{
    (void)p, (void)saved;
    const int64_t C = at_meta_cols(&in[0]);
    AT_REQUIRE(ctx, in[1].rank == 2 && in[1].dim[1] == C, AT_E_SHAPE, "linear: w must be [out,in=%lld]",
               (long long)C);
    AT_REQUIRE(ctx, !in[2].rank || (in[2].rank == 1 && in[2].dim[0] == in[1].dim[0]), AT_E_SHAPE,
               "linear: b must be [out=%lld]", (long long)in[1].dim[0]);
    out[0] = in[0];
    out[0].dim[in[0].rank - 1] = in[1].dim[0];
    return AT_OK;
}

static void grad(at_graph *g, const at_node *n, at_value *const *dy, at_value **dx)
{
    if (dx[1]) dx[1] = at_op1(g, &at_op_linear_dw, NULL, dy[0], n->in[0]);
    if (n->n_in > 2 && dx[2]) dx[2] = at_rowsum(g, dy[0]);
    if (dx[0]) dx[0] = at_op1(g, &at_op_linear_dx, NULL, dy[0], n->in[1]);
}

static at_status ref_fwd(const at_call *c)
{
    const int64_t K = c->in[0].cols;
    for (int64_t m = 0; m < c->out[0].rows; m++) {
        const at_real *x = at_row(c, 0, m);
        at_real *y = at_out_row(c, 0, m);
        for (int64_t n = 0; n < c->out[0].cols; n++) {
            const at_real *w = at_row(c, 1, n);
            double sum = c->in[2].data ? (double)at_row(c, 2, 0)[n] : 0.0;
            for (int64_t k = 0; k < K; k++) sum += (double)x[k] * (double)w[k];
            at_put(c, 0, &y[n], sum);
        }
    }
    return AT_OK;
}

static const at_op_case cases[] = {
    {.name = "bias", .in = {{2, {3, 8}}, {2, {5, 8}}, {1, {5}}}},
    {.name = "odd", .in = {{3, {2, 3, 7}}, {2, {3, 7}}}},
    {.name = "empty", .in = {{2, {0, 4}}, {2, {3, 4}}, {1, {3}}}},
    {.name = "one", .in = {{2, {1, 1}}, {2, {1, 1}}, {1, {1}}}},
    {.name = "large", .in = {{2, {131, 393}}, {2, {67, 393}}, {1, {67}}}, .large = true},
    {.name = "wide", .in = {{2, {5, 1000}}, {2, {1030, 1000}}}, .large = true},
    {0},
};

static const at_op_case refused[] = {
    {.name = "w must be [out,in=8]", .in = {{2, {3, 8}}, {2, {5, 7}}}},
    {.name = "b must be [out=5]", .in = {{2, {3, 8}}, {2, {5, 8}}, {1, {4}}}},
    {0},
};

static double flops(const void *param, const at_meta *in, const at_meta *out)
{
    (void)param;
    return at_product_flops(&out[0], &in[1]);
}

const at_op at_op_linear = {.name = "linear",
                            .doc = "y = x W^T + b",
                            .n_in = 3,
                            .n_out = 1,
                            .optional_in = 4,
                            .extent_in = 1,
                            .acc_in = 6,
                            .infer = infer,
                            .grad = grad,
                            .ref = ref_fwd,
                            .flops = flops,
                            .cases = cases,
                            .refused = refused};

/* ---- dx = dy W: in dy, w ---- */

static at_status dx_infer(at_ctx *ctx, const void *p, const at_meta *in, at_meta *out, at_meta *saved)
{
    (void)p, (void)saved;
    AT_REQUIRE(ctx, in[1].rank == 2 && in[1].dim[0] == at_meta_cols(&in[0]), AT_E_SHAPE,
               "linear_dx: w must be [out=%lld,in]", (long long)at_meta_cols(&in[0]));
    out[0] = in[0];
    out[0].dim[in[0].rank - 1] = in[1].dim[1];
    return AT_OK;
}

static at_status ref_dx(const at_call *c)
{
    for (int64_t m = 0; m < c->out[0].rows; m++) {
        const at_real *dy = at_row(c, 0, m);
        at_real *dx = at_out_row(c, 0, m);
        for (int64_t k = 0; k < c->out[0].cols; k++) {
            double sum = 0.0;
            for (int64_t n = 0; n < c->in[0].cols; n++) sum += (double)dy[n] * (double)at_row(c, 1, n)[k];
            at_put(c, 0, &dx[k], sum);
        }
    }
    return AT_OK;
}

static const at_op_case dx_cases[] = {
    {.name = "odd", .in = {{2, {3, 5}}, {2, {5, 7}}}},
    {.name = "large", .in = {{2, {131, 67}}, {2, {67, 393}}}, .large = true},
    {0},
};

static const at_op_case dx_refused[] = {
    {.name = "w must be [out=5,in]", .in = {{2, {3, 5}}, {2, {4, 7}}}},
    {0},
};

static double dx_flops(const void *param, const at_meta *in, const at_meta *out)
{
    (void)param, (void)out;
    return at_product_flops(&in[0], &in[1]);
}

const at_op at_op_linear_dx = {.name = "linear_dx",
                               .doc = "dx = dy W",
                               .n_in = 2,
                               .n_out = 1,
                               .extent_in = 1,
                               .acc_in = 2,
                               .infer = dx_infer,
                               .no_grad_reason = "a gradient itself",
                               .ref = ref_dx,
                               .flops = dx_flops,
                               .cases = dx_cases,
                               .refused = dx_refused};

/* ---- dw = sum_rows dy^T x: in dy, x ---- */

static at_status dw_infer(at_ctx *ctx, const void *p, const at_meta *in, at_meta *out, at_meta *saved)
{
    (void)p, (void)saved;
    AT_REQUIRE(ctx, in[0].extent == in[1].extent && at_meta_max_rows(&in[0]) == at_meta_max_rows(&in[1]),
               AT_E_SHAPE, "linear_dw: dy and x differ in rows");
    const int64_t dim[] = {at_meta_cols(&in[0]), at_meta_cols(&in[1])};
    out[0] = at_meta_of(AT_ACC, 2, dim);
    return AT_OK;
}

static at_status ref_dw(const at_call *c)
{
    enum { ABREAST = 8 }; /* sums side by side: rows are read in runs */
    for (int64_t n = 0; n < c->out[0].rows; n++)
        for (int64_t first = 0; first < c->out[0].cols; first += ABREAST) {
            const int64_t count = at_min(ABREAST, c->out[0].cols - first);
            double sum[ABREAST] = {0};
            for (int64_t m = 0; m < c->in[0].rows; m++)
                for (int64_t k = 0; k < count; k++)
                    sum[k] += (double)at_row(c, 0, m)[n] * (double)at_row(c, 1, m)[first + k];
            for (int64_t k = 0; k < count; k++) at_put(c, 0, &at_out_row(c, 0, n)[first + k], sum[k]);
        }
    return AT_OK;
}

static const at_op_case dw_cases[] = {
    {.name = "odd", .in = {{2, {3, 5}}, {2, {3, 7}}}},
    {.name = "empty", .in = {{2, {0, 5}}, {2, {0, 7}}}},
    {.name = "large", .in = {{2, {131, 67}}, {2, {131, 393}}}, .large = true},
    {.name = "chunks", .in = {{2, {9001, 19}}, {2, {9001, 21}}}, .large = true},
    {.name = "wide", .in = {{2, {531, 259}}, {2, {531, 261}}}, .large = true},
    {.name = "wide_whole_vectors", .in = {{2, {60, 128}}, {2, {60, 528}}}, .large = true},
    {0},
};

static const at_op_case dw_refused[] = {
    {.name = "differ in rows", .in = {{2, {3, 5}}, {3, {3, 2, 7}}}},
    {0},
};

static double dw_flops(const void *param, const at_meta *in, const at_meta *out)
{
    (void)param;
    return at_product_flops(&in[0], &out[0]);
}

const at_op at_op_linear_dw = {.name = "linear_dw",
                               .doc = "dw = sum over rows of dy^T x",
                               .n_in = 2,
                               .n_out = 1,
                               .extent_in = 3,
                               .infer = dw_infer,
                               .no_grad_reason = "a gradient itself",
                               .ref = ref_dw,
                               .flops = dw_flops,
                               .cases = dw_cases,
                               .refused = dw_refused};

at_value *at_linear(at_graph *g, at_value *x, at_value *w, at_value *b)
{
    return at_op1(g, &at_op_linear, NULL, x, w, b);
}
