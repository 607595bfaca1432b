/* products_test.c: what is promised of matrix products and convolutions as a plan runs them: a row has the
 * same bits however many rows there are, wherever it stands and however many threads work; and weights packed
 * before each use give the same bits as weights that are kept packed and remade by updates. The op suite cuts
 * one row off; here the rows go from 1 to several blocks of every kernel. */
#include "engine/plan.h"
#include "engine/prepared.h"
#include "ops/conv2d/conv2d.h"
#include "ops/depthwise/depthwise.h"
#include "ops/global_avgpool/global_avgpool.h"
#include "ops/linear/linear.h"
#include "ops/optim/sgd.h"
#include "ops/relu6/relu6.h"
#include "ops/softmax_xent/softmax_xent.h"
#include "tests/harness/report.h"
#include "tests/harness/test.h"
#include <stdlib.h>

static void fill(at_real *out, int64_t n, uint64_t stream)
{
    const at_rng_key key = at_rng_make(1, 2, 3);
    for (int64_t i = 0; i < n; i++) out[i] = (at_real)(2 * at_rng_uniform(key, stream, 0, (uint64_t)i) - 1);
}

/* ---- Rows ---- */

typedef struct product {
    const char *name;
    int rank;
    int64_t x[4], w[4]; /* x of one sample */
    bool depthwise, bias;
    at_conv2d_param window;
    int64_t most; /* samples */
} product;

#define PLAIN .stride_y = 1, .stride_x = 1, .dilation_y = 1, .dilation_x = 1, .groups = 1
#define PAD1  .pad_top = 1, .pad_left = 1, .pad_bottom = 1, .pad_right = 1

static const product products[] = {
    {"linear", 2, {1, 801}, {71, 801}, .bias = true, .most = 421},
    {"linear, wide", 2, {1, 37}, {1100, 37}, .most = 67},
    {"conv2d 1x1", 4, {1, 5, 7, 45}, {67, 45, 1, 1}, .window = {PLAIN}, .most = 13},
    {"conv2d 3x3", 4, {1, 6, 5, 45}, {35, 45, 3, 3}, .bias = true, .window = {PLAIN, PAD1}, .most = 13},
    {"conv2d stem",
     4,
     {1, 16, 14, 3},
     {17, 3, 3, 3},
     .window = {.stride_y = 2,
                .stride_x = 2,
                .dilation_y = 1,
                .dilation_x = 1,
                .groups = 1,
                .pad_bottom = 1,
                .pad_right = 1},
     .most = 9},
    {"conv2d, strided", /* its gradient's phases have more rows than are made at once */
     4,
     {1, 30, 40, 5},
     {7, 5, 3, 3},
     .window = {.stride_y = 2, .stride_x = 2, .dilation_y = 1, .dilation_x = 1, .groups = 1, PAD1},
     .most = 15},
    {"depthwise", 4, {1, 9, 8, 37}, {37, 1, 3, 3}, .depthwise = true, .window = {PLAIN, PAD1}, .most = 9},
};

/* Kernels of one instruction set for one element type of activations: every pair of them that was built and
 * that this processor can run. */
typedef struct kind {
    const char *kernels;
    at_dtype act;
} kind;

static int list_kinds(const at_ctx *ctx, kind out[2 * AT_ISA_COUNT])
{
    int n = 0, cursor = 0;
    const at_kernel *k;
    while ((k = at_registry_next(ctx, "kernel", &cursor)))
        if (k->op == &at_op_linear && k->isa <= ctx->isa) out[n++] = (kind){at_isa_name(k->isa), k->act};
    assert_true(n >= 2);
    return n;
}

typedef struct results {
    at_real *y, *dx;
    int64_t y_each, dx_each; /* elements a sample */
} results;

static at_value *build(at_graph *g, const product *p, at_value *x, at_value *w, at_value *b)
{
    if (p->rank == 2) return at_linear(g, x, w, b);
    return p->depthwise ? at_depthwise(g, x, w, &p->window) : at_conv2d(g, x, w, b, &p->window);
}

/* Samples [first, first + n) in a plan of its own for n of them. */
static results run(at_ctx *ctx, const product *p, const kind *how, int64_t first, int64_t n)
{
    at_device *device;
    at_store *store;
    at_graph *g;
    at_plan *plan;
    at_expect_ok(ctx, at_device_open(&device, ctx, "cpu"));
    at_expect_ok(ctx, at_store_create(&store, ctx, device));
    at_expect_ok(ctx, at_graph_create(&g, ctx, store, AT_TRAIN));
    const at_extent *e = at_graph_extent(g, "samples", n);
    at_value *x = at_input(g, "x", AT_ACT, e, p->rank, p->x),
             *w = at_input(g, "w", AT_ACC, NULL, p->rank, p->w);
    at_value *b = p->bias ? at_input(g, "b", AT_ACC, NULL, 1, p->w) : NULL;
    x->want_grad = true;
    at_value *y = build(g, p, x, w, b);
    int64_t dim[4];
    memcpy(dim, y->meta.dim, sizeof dim);
    dim[0] = 1;
    at_value *dy = at_input(g, "dy", AT_ACT, e, p->rank, dim);
    at_gradients(g, &y, &dy, 1);
    at_value *fetches[] = {y, x->grad};
    at_expect_ok(ctx, at_plan_create(
                          &plan, g,
                          &(at_plan_options){
                              .kernels = how->kernels, .act = how->act, .fetches = fetches, .n_fetches = 2}));
    const int64_t x_each = at_meta_max_rows(&x->meta) / n * at_meta_cols(&x->meta);
    const int64_t y_each = at_meta_max_rows(&y->meta) / n * at_meta_cols(&y->meta);
    const int64_t weights = at_meta_max_rows(&w->meta) * at_meta_cols(&w->meta);
    results r = {malloc((size_t)(n * y_each) * sizeof *r.y), malloc((size_t)(n * x_each) * sizeof *r.y),
                 y_each, x_each};
    at_real *data = malloc((size_t)((first + n) * at_max(x_each, y_each) + weights) * sizeof *data);
    fill(data, weights, 0);
    at_plan_write(plan, w, data, p->w[0]);
    fill(data, p->w[0], 1);
    if (b) at_plan_write(plan, b, data, 1);
    fill(data, (first + n) * x_each, 2);
    at_plan_write(plan, x, data + first * x_each, n);
    fill(data, (first + n) * y_each, 3);
    at_plan_write(plan, dy, data + first * y_each, n);
    at_plan_run(plan, &(at_pass){.extents = &n});
    at_plan_fetch(plan, y, r.y);
    at_plan_fetch(plan, x->grad, r.dx);
    at_expect_ok(ctx, at_plan_sync(plan));
    free(data);
    at_plan_destroy(plan);
    at_graph_destroy(g);
    at_store_destroy(store);
    at_device_close(device);
    return r;
}

static void check_rows(at_ctx *ctx, const product *p, const kind *how, at_report *r)
{
    static const int64_t counts[] = {1,  2,  3,  5,  6,  7,  8,  9,  12,  13,  14, 15,
                                     16, 17, 24, 29, 33, 48, 65, 97, 191, 193, 385};
    at_expect_ok(ctx, at_ctx_set_threads(ctx, 1));
    const results all = run(ctx, p, how, 0, p->most);
    for (int i = 0; i <= AT_COUNT(counts); i++) {
        const int64_t n = i < AT_COUNT(counts) ? counts[i] : p->most;
        if (n > p->most) continue;
        const int threads = i % 3 == 0 ? 5 : i % 3;
        const int64_t first = n == p->most ? 0 : (p->most - n) * (i % 4) / 3;
        at_expect_ok(ctx, at_ctx_set_threads(ctx, threads));
        const results some = run(ctx, p, how, first, n);
        at_report_at(r, "%s, kernels %s, %s, %lld samples from %lld, %d threads", p->name, how->kernels,
                     at_dtype_name(how->act), (long long)n, (long long)first, threads);
        at_report_same(r, "y", some.y, all.y + first * all.y_each,
                       (size_t)(n * all.y_each) * sizeof(at_real));
        at_report_same(r, "dx", some.dx, all.dx + first * all.dx_each,
                       (size_t)(n * all.dx_each) * sizeof(at_real));
        free(some.y), free(some.dx);
    }
    free(all.y), free(all.dx);
}

AT_TEST(test_products__a_row_has_the_same_bits_in_any_company)
{
    at_ctx *ctx = at_test_ctx();
    at_report r = {0};
    kind kinds[2 * AT_ISA_COUNT];
    const int n = list_kinds(ctx, kinds);
    for (int k = 0; k < n; k++)
        for (int i = 0; i < AT_COUNT(products); i++) check_rows(ctx, &products[i], &kinds[k], &r);
    at_expect_clean(&r);
    at_test_done(ctx);
}

/* ---- Prepared operands ---- */

enum { SAMPLES = 3, STEPS = 4, MAX_FLAT = 8192 };

typedef struct outcome {
    at_real flat[MAX_FLAT], loss[STEPS];
    size_t prepared;
    bool remakes; /* the update's kernel does */
    int remade;   /* operands that the last update made again */
} outcome;

static at_value *weight(at_graph *g, const char *name, int rank, const int64_t *dim, at_role role)
{
    at_state *s;
    at_real values[MAX_FLAT];
    at_expect_ok(g->ctx, at_store_add(&s, g->store, name, role, rank, dim));
    assert_true(s->count <= MAX_FLAT);
    fill(values, s->count, at_hash_name(name));
    at_expect_ok(g->ctx, at_state_set(g->store, s, values));
    return at_read(g, s);
}

static at_loss build_net(at_graph *g, at_value *x, at_value *labels)
{
    const at_conv2d_param three = {PLAIN, PAD1}, one = {PLAIN};
    at_conv2d_param two = three;
    at_conv2d_param strided = three;
    two.groups = 2;
    strided.stride_y = strided.stride_x = 2;
    x = at_conv2d(g, x, weight(g, "stem", 4, (const int64_t[]){8, 3, 3, 3}, AT_FROZEN), NULL, &three);
    x = at_conv2d(g, at_relu6(g, x), weight(g, "groups", 4, (const int64_t[]){20, 4, 3, 3}, AT_TRAINABLE),
                  NULL, &two);
    x = at_conv2d(g, x, weight(g, "strided", 4, (const int64_t[]){20, 20, 3, 3}, AT_TRAINABLE), NULL,
                  &strided);
    x = at_depthwise(g, at_relu6(g, x),
                     weight(g, "depthwise", 4, (const int64_t[]){20, 1, 3, 3}, AT_TRAINABLE), &three);
    x = at_conv2d(g, x, weight(g, "pointwise", 4, (const int64_t[]){30, 20, 1, 1}, AT_TRAINABLE), NULL, &one);
    x = at_linear(g, at_global_avgpool(g, x), weight(g, "head", 2, (const int64_t[]){5, 30}, AT_TRAINABLE),
                  NULL);
    return at_softmax_xent(g, x, labels, NULL, 0);
}

static void train(at_ctx *ctx, const kind *how, size_t budget, outcome *out)
{
    const at_sgd_options sgd = {0.9, false};
    const int64_t n = SAMPLES, image[] = {1, 6, 5, 3}, one[] = {1};
    at_device *device;
    at_store *store;
    at_graph *g;
    at_plan *plan;
    at_commit commit;
    memset(out, 0, sizeof *out);
    at_expect_ok(ctx, at_device_open(&device, ctx, "cpu"));
    at_expect_ok(ctx, at_store_create(&store, ctx, device));
    store->prepared_budget = budget;
    at_expect_ok(ctx, at_graph_create(&g, ctx, store, AT_TRAIN));
    const at_extent *e = at_graph_extent(g, "samples", n);
    at_value *x = at_input(g, "x", AT_ACT, e, 4, image), *labels = at_input(g, "labels", AT_INT, e, 1, one);
    const at_loss loss = build_net(g, x, labels);
    at_gradients(g, (at_value *const *)&loss.sum, &(at_value *){NULL}, 1);
    at_step_sum(g, loss.sum);
    at_step_sum(g, loss.weight);
    at_expect_ok(ctx, at_graph_finish(g));
    at_expect_ok(ctx, at_store_layout(store, g));
    at_expect_ok(ctx, at_build_commit(&commit, g, loss.sum, loss.weight, 1.0, &at_optimizer_sgd, &sgd));
    at_expect_ok(ctx, at_plan_create(&plan, g, &(at_plan_options){.kernels = how->kernels, .act = how->act}));
    at_real pixels[SAMPLES * 6 * 5 * 3], rate = (at_real)0.01;
    fill(pixels, AT_COUNT(pixels), 1);
    at_plan_write(plan, x, pixels, n);
    at_plan_write(plan, labels, (const int32_t[]){0, 3, 4}, n);
    for (int step = 0; step < STEPS; step++) {
        at_plan_run(plan, &(at_pass){.extents = &n});
        at_plan_write(plan, commit.rate, &rate, 1);
        at_plan_commit(plan, &(at_pass){.extents = &n});
        at_plan_fetch(plan, loss.sum, &out->loss[step]);
        at_expect_ok(ctx, at_plan_sync(plan));
    }
    assert_true(store->master->count <= MAX_FLAT);
    at_expect_ok(ctx, at_state_get(store, store->master, out->flat));
    out->prepared = at_plan_memory(plan).prepared;
    at_plan_line line;
    for (int cursor = 0; at_plan_next(plan, &cursor, &line);)
        out->remakes |= line.kernel && line.kernel->remakes;
    for (const at_prepared *p = store->prepared; p; p = p->next)
        out->remade += p->part && p->version == at_prepared_current(p);
    at_plan_destroy(plan);
    at_graph_destroy(g);
    at_store_destroy(store);
    at_device_close(device);
}

AT_TEST(test_products__weights_packed_at_each_use_give_the_same_bits)
{
    static const size_t budgets[] = {0, 4000};
    at_ctx *ctx = at_test_ctx();
    at_report r = {0};
    kind kinds[2 * AT_ISA_COUNT];
    const int n = list_kinds(ctx, kinds);
    bool any_remakes = false;
    for (int k = 0; k < n; k++) {
        static outcome kept, other;
        train(ctx, &kinds[k], SIZE_MAX, &kept);
        assert_true(kept.prepared > 4000 && kept.loss[STEPS - 1] < kept.loss[0]);
        /* strided, pointwise, head: forward and back; groups are not */
        assert_int_equal(kept.remade, kept.remakes ? 6 : 0);
        any_remakes |= kept.remakes;
        for (int b = 0; b < AT_COUNT(budgets); b++) {
            train(ctx, &kinds[k], budgets[b], &other);
            at_report_at(&r, "kernels %s, %s, %zu bytes", kinds[k].kernels, at_dtype_name(kinds[k].act),
                         budgets[b]);
            at_report_check(&r, other.prepared <= budgets[b] && (other.prepared > 0) == (budgets[b] > 0),
                            "%zu bytes are kept", other.prepared);
            at_report_same(&r, "losses", other.loss, kept.loss, sizeof kept.loss);
            at_report_same(&r, "weights", other.flat, kept.flat, sizeof kept.flat);
        }
    }
    assert_true(any_remakes);
    at_expect_clean(&r);
    at_test_done(ctx);
}
