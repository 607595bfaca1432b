/* composed_exact_test.c: ops that do the work of several, or of a more general one, against that composition:
 * outputs and every gradient, by the references in double precision and by every kernel in float32. */
#include "engine/plan.h"
#include "ops/add/add.h"
#include "ops/batchnorm/batchnorm.h"
#include "ops/bn_fold/bn_fold.h"
#include "ops/channel_affine/channel_affine.h"
#include "ops/conv2d/conv2d.h"
#include "ops/depthwise/depthwise.h"
#include "ops/global_avgpool/global_avgpool.h"
#include "ops/linear/linear.h"
#include "ops/relu/relu.h"
#include "ops/relu6/relu6.h"
#include "tests/harness/report.h"
#include "tests/harness/test.h"
#include "tests/harness/tolerance.h"
#include <math.h>
#include <stdlib.h>

enum { MAX_INPUTS = 5, S = 3, H = 5, W = 4, C = 6, O = 7 };

/* The first input is an activation of S samples, the others are parameters. */
typedef at_value *(*builder)(at_graph *g, at_value *const *in);

typedef struct pair {
    const char *name;
    builder whole, parts;
    at_shape in[MAX_INPUTS];     /* in[0]: one sample */
    double constant[MAX_INPUTS]; /* not 0: the input is full of it, and does not learn */
    double spread;               /* the first input is in [-spread, spread); 0 = 1 */
    bool statistics; /* in[3] and in[4] are mean and variance of in[0], whose own gradient differs then */
} pair;

static const at_conv2d_param same3 = {.stride_y = 1,
                                      .stride_x = 1,
                                      .dilation_y = 1,
                                      .dilation_x = 1,
                                      .pad_top = 1,
                                      .pad_left = 1,
                                      .pad_bottom = 1,
                                      .pad_right = 1,
                                      .groups = 1};
static const at_conv2d_param plain = {
    .stride_y = 1, .stride_x = 1, .dilation_y = 1, .dilation_x = 1, .groups = 1};
static const at_conv2d_param strided = {.stride_y = 2,
                                        .stride_x = 2,
                                        .dilation_y = 1,
                                        .dilation_x = 1,
                                        .pad_bottom = 1,
                                        .pad_right = 1,
                                        .groups = C};

static at_value *linear_bias(at_graph *g, at_value *const *in)
{
    return at_linear(g, in[0], in[1], in[2]);
}

/* in[3]: ones */
static at_value *linear_affine(at_graph *g, at_value *const *in)
{
    return at_channel_affine(g, at_linear(g, in[0], in[1], NULL), in[3], in[2]);
}

static at_value *conv_bias(at_graph *g, at_value *const *in)
{
    return at_conv2d(g, in[0], in[1], in[2], &same3);
}

static at_value *conv_affine(at_graph *g, at_value *const *in)
{
    return at_channel_affine(g, at_conv2d(g, in[0], in[1], NULL, &same3), in[3], in[2]);
}

static at_value *pointwise(at_graph *g, at_value *const *in)
{
    return at_conv2d(g, in[0], in[1], in[2], &plain);
}

/* The same weight as a matrix: what a product over pixels takes. */
static at_value *pointwise_linear(at_graph *g, at_value *const *in)
{
    return at_linear(g, in[0], at_reshape(g, in[1], 2, (const int64_t[]){O, C}), in[2]);
}

static at_value *depthwise(at_graph *g, at_value *const *in)
{
    return at_depthwise(g, in[0], in[1], &strided);
}

static at_value *conv_groups(at_graph *g, at_value *const *in)
{
    return at_conv2d(g, in[0], in[1], NULL, &strided);
}

static at_value *affine(at_graph *g, at_value *const *in)
{
    return at_channel_affine(g, in[0], in[1], NULL);
}

static at_value *affine_depthwise(at_graph *g, at_value *const *in)
{
    return at_depthwise(g, in[0], at_reshape(g, in[1], 4, (const int64_t[]){C, 1, 1, 1}), &plain);
}

static at_value *pool(at_graph *g, at_value *const *in)
{
    return at_global_avgpool(g, in[0]);
}

/* in[1]: 1 / (H W) everywhere */
static at_value *pool_depthwise(at_graph *g, at_value *const *in)
{
    return at_reshape(g, at_depthwise(g, in[0], in[1], &plain), 2, (const int64_t[]){0, C});
}

static at_value *relu6(at_graph *g, at_value *const *in)
{
    return at_relu6(g, in[0]);
}

/* in[1..3]: 1, -6, -1 */
static at_value *relu_twice(at_graph *g, at_value *const *in)
{
    at_value *beyond = at_relu(g, at_channel_affine(g, in[0], in[1], in[2]));
    return at_add(g, at_relu(g, in[0]), at_channel_affine(g, beyond, in[3], NULL));
}

static at_value *batchnorm(at_graph *g, at_value *const *in)
{
    return at_batchnorm(g, in[0], in[1], in[2], 1e-3).y;
}

static at_value *stored(at_graph *g, at_value *const *in)
{
    const at_scale_shift f = at_bn_fold(g, in[1], in[2], in[3], in[4], 1e-3);
    return at_channel_affine(g, in[0], f.scale, f.shift);
}

#define IMAGE                                                                                                \
    {                                                                                                        \
        4,                                                                                                   \
        {                                                                                                    \
            1, H, W, C                                                                                       \
        }                                                                                                    \
    }
#define OUTS                                                                                                 \
    {                                                                                                        \
        1,                                                                                                   \
        {                                                                                                    \
            O                                                                                                \
        }                                                                                                    \
    }
#define CHANS                                                                                                \
    {                                                                                                        \
        1,                                                                                                   \
        {                                                                                                    \
            C                                                                                                \
        }                                                                                                    \
    }

static const pair pairs[] = {
    {.name = "linear with a bias",
     .whole = linear_bias,
     .parts = linear_affine,
     .in = {{2, {1, C}}, {2, {O, C}}, OUTS, OUTS},
     .constant = {0, 0, 0, 1}},
    {.name = "conv2d with a bias",
     .whole = conv_bias,
     .parts = conv_affine,
     .in = {IMAGE, {4, {O, C, 3, 3}}, OUTS, OUTS},
     .constant = {0, 0, 0, 1}},
    {.name = "conv2d 1x1",
     .whole = pointwise,
     .parts = pointwise_linear,
     .in = {IMAGE, {4, {O, C, 1, 1}}, OUTS}},
    {.name = "depthwise", .whole = depthwise, .parts = conv_groups, .in = {IMAGE, {4, {C, 1, 3, 3}}}},
    {.name = "channel_affine", .whole = affine, .parts = affine_depthwise, .in = {IMAGE, CHANS}},
    {.name = "global_avgpool",
     .whole = pool,
     .parts = pool_depthwise,
     .in = {IMAGE, {4, {C, 1, H, W}}},
     .constant = {0, 1.0 / (H * W)}},
    {.name = "relu6",
     .whole = relu6,
     .parts = relu_twice,
     .in = {IMAGE, CHANS, CHANS, CHANS},
     .constant = {0, 1, -6, -1},
     .spread = 12},
    {.name = "batchnorm",
     .whole = batchnorm,
     .parts = stored,
     .in = {IMAGE, CHANS, CHANS, CHANS, CHANS},
     .constant = {0, 0, 0, 0.5, 0.5},
     .statistics = true},
};

/* ---- Data ---- */

typedef struct data {
    at_real *in[MAX_INPUTS], *seed;
    int64_t count[MAX_INPUTS];
} data;

static int64_t count_of(const at_shape *s)
{
    int64_t n = 1;
    for (int i = 0; i < s->rank; i++) n *= s->dim[i];
    return n;
}

static void find_statistics(data *d)
{
    const int64_t n = d->count[0] / C;
    for (int c = 0; c < C; c++) {
        double mean = 0, var = 0;
        for (int64_t i = 0; i < n; i++) mean += (double)d->in[0][i * C + c] / (double)n;
        for (int64_t i = 0; i < n; i++) var += pow((double)d->in[0][i * C + c] - mean, 2) / (double)n;
        d->in[3][c] = (at_real)mean;
        d->in[4][c] = (at_real)var;
    }
}

static void make_data(data *d, const pair *p)
{
    const at_rng_key key = at_rng_make(4, at_hash_name(p->name), 0);
    enum { MOST = S * H * W * O };
    memset(d, 0, sizeof *d);
    for (int i = 0; i < MAX_INPUTS && p->in[i].rank; i++) {
        const double spread = i == 0 && p->spread > 0 ? p->spread : 1;
        d->count[i] = count_of(&p->in[i]) * (i == 0 ? S : 1);
        d->in[i] = malloc((size_t)d->count[i] * sizeof(at_real));
        for (int64_t e = 0; e < d->count[i]; e++)
            d->in[i][e] =
                (at_real)(p->constant[i] != 0
                              ? p->constant[i]
                              : spread * (2 * at_rng_uniform(key, (uint64_t)i, 0, (uint64_t)e) - 1));
    }
    d->seed = malloc(MOST * sizeof(at_real));
    for (int64_t e = 0; e < MOST; e++)
        d->seed[e] = (at_real)(2 * at_rng_uniform(key, 99, 0, (uint64_t)e) - 1);
    if (p->statistics) find_statistics(d);
}

static void free_data(data *d)
{
    for (int i = 0; i < MAX_INPUTS; i++) free(d->in[i]);
    free(d->seed);
}

/* ---- Run ---- */

typedef struct results {
    at_real *y, *dx[MAX_INPUTS];
    int64_t n;
} results;

static at_value *make_graph(at_graph *g, const pair *p, builder build, at_value *in[MAX_INPUTS])
{
    const at_extent *e = at_graph_extent(g, "samples", S);
    for (int i = 0; i < MAX_INPUTS && p->in[i].rank; i++) {
        in[i] = at_input(g, "x", i ? AT_ACC : AT_ACT, i ? NULL : e, p->in[i].rank, p->in[i].dim);
        in[i]->want_grad = p->constant[i] == 0 && !(p->statistics && i == 0);
    }
    return build(g, in);
}

static void run(at_ctx *ctx, const pair *p, builder build, const char *kernels, const data *d, results *out)
{
    at_device *device;
    at_store *store;
    at_graph *g;
    at_plan *plan;
    at_value *in[MAX_INPUTS] = {0}, *fetches[MAX_INPUTS + 1];
    int n_fetches = 0;
    at_expect_ok(ctx, at_device_open(&device, ctx, "cpu"));
    at_expect_ok(ctx, at_store_create(&store, ctx, device));
    at_expect_ok(ctx, at_graph_create(&g, ctx, store, AT_TRAIN));
    at_value *y = make_graph(g, p, build, in);
    int64_t dim[AT_MAX_RANK];
    memcpy(dim, y->meta.dim, sizeof dim);
    dim[0] /= S;
    at_value *dy = at_input(g, "dy", AT_ACT, y->meta.extent, y->meta.rank, dim);
    at_gradients(g, &y, &dy, 1);
    at_expect_ok(ctx, at_graph_finish(g));
    fetches[n_fetches++] = y;
    for (int i = 0; i < MAX_INPUTS; i++)
        if (in[i] && in[i]->grad) fetches[n_fetches++] = in[i]->grad;
    at_expect_ok(ctx, at_plan_create(
                          &plan, g, &(at_plan_options){kernels, .fetches = fetches, .n_fetches = n_fetches}));
    for (int i = 0; i < MAX_INPUTS; i++)
        if (in[i]) at_plan_write(plan, in[i], d->in[i], i ? in[i]->meta.dim[0] : S);
    at_plan_write(plan, dy, d->seed, S);
    at_plan_run(plan, &(at_pass){.extents = (const int64_t[]){S}});
    memset(out, 0, sizeof *out);
    out->n = at_meta_max_rows(&y->meta) * at_meta_cols(&y->meta);
    out->y = malloc((size_t)out->n * sizeof *out->y);
    at_plan_fetch(plan, y, out->y);
    for (int i = 0; i < MAX_INPUTS; i++) {
        if (!in[i] || !in[i]->want_grad) continue;
        assert_non_null(in[i]->grad);
        out->dx[i] = malloc((size_t)d->count[i] * sizeof(at_real));
        at_plan_fetch(plan, in[i]->grad, out->dx[i]);
    }
    at_expect_ok(ctx, at_plan_sync(plan));
    at_plan_destroy(plan);
    at_graph_destroy(g);
    at_store_destroy(store);
    at_device_close(device);
}

static void free_results(results *r)
{
    free(r->y);
    for (int i = 0; i < MAX_INPUTS; i++) free(r->dx[i]);
}

static void check(at_ctx *ctx, const pair *p, const char *kernels, at_report *r)
{
    const double tol = sizeof(at_real) == sizeof(double) ? AT_TOL_EXACT : AT_TOL_KERNEL;
    data d;
    results whole, parts;
    make_data(&d, p);
    run(ctx, p, p->whole, kernels, &d, &whole);
    run(ctx, p, p->parts, "ref", &d, &parts);
    at_report_at(r, "%s, kernels %s", p->name, kernels);
    at_report_check(r, whole.n == parts.n, "sizes differ");
    at_report_close(r, "y", whole.y, parts.y, parts.n, tol);
    for (int i = 0; i < MAX_INPUTS; i++)
        if (parts.dx[i]) at_report_close(r, "gradient", whole.dx[i], parts.dx[i], d.count[i], tol);
    free_data(&d);
    free_results(&whole);
    free_results(&parts);
}

AT_TEST(test_composed_exact__ops_equal_what_they_stand_for)
{
    at_ctx *ctx = at_test_ctx();
    at_report r = {0};
    for (int i = 0; i < AT_COUNT(pairs); i++)
        for (int k = -1; k <= (int)ctx->isa; k++)
            check(ctx, &pairs[i], k < 0 ? "ref" : at_isa_name((at_isa)k), &r);
    at_expect_clean(&r);
    at_test_done(ctx);
}
