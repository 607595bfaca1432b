/* lbfgs_test.c: the solver reaches the optimum of a badly scaled softmax regression that scikit-learn and
 * PyTorch find (golden.py), through the graph that a linear probe is; and what it does with functions that
 * are not so kind. */
#include "engine/plan.h"
#include "formats/safetensors.h"
#include "ops/linear/linear.h"
#include "ops/optim/lbfgs.h"
#include "ops/softmax_xent/softmax_xent.h"
#include "tests/harness/test.h"
#include "tests/harness/tolerance.h"
#include <math.h>
#include <stdlib.h>

enum { SAMPLES = 60, FEATURES = 6, CLASSES = 4 };
static const double penalty = 1e-3;

typedef struct probe {
    at_ctx *ctx;
    at_device *device;
    at_store *store;
    at_graph *g;
    at_plan *plan;
    at_state *weight, *bias;
    at_loss loss;
    at_safetensors *golden;
    int64_t reports;
    double reported;
} probe;

static const void *golden(const probe *p, const char *name)
{
    const at_tensor *t = at_safetensors_find(p->golden, name);
    if (!t) fail_msg("the golden lacks %s", name);
    return t->data;
}

static at_state *zeros(probe *p, const char *name, int rank, const int64_t *dim)
{
    const at_real zero[CLASSES * FEATURES] = {0};
    at_state *s;
    at_expect_ok(p->ctx, at_store_add(&s, p->store, name, AT_TRAINABLE, rank, dim));
    at_expect_ok(p->ctx, at_state_set(p->store, s, zero));
    return s;
}

static void open_probe(probe *p, at_ctx *ctx)
{
    *p = (probe){.ctx = ctx};
    at_expect_ok(ctx, at_safetensors_open(&p->golden, ctx, AT_SOURCE_DIR "/src/ops/optim/probe.safetensors"));
    at_expect_ok(ctx, at_device_open(&p->device, ctx, "cpu"));
    at_expect_ok(ctx, at_store_create(&p->store, ctx, p->device));
    at_expect_ok(ctx, at_graph_create(&p->g, ctx, p->store, AT_TRAIN));
    p->weight = zeros(p, "weight", 2, (const int64_t[]){CLASSES, FEATURES});
    p->bias = zeros(p, "bias", 1, (const int64_t[]){CLASSES});
    const at_extent *e = at_graph_extent(p->g, "samples", SAMPLES);
    at_value *x = at_input(p->g, "x", AT_ACT, e, 2, (const int64_t[]){1, FEATURES});
    at_value *labels = at_input(p->g, "labels", AT_INT, e, 1, (const int64_t[]){1});
    at_value *z = at_linear(p->g, x, at_read(p->g, p->weight), at_read(p->g, p->bias));
    p->loss = at_softmax_xent(p->g, z, labels, NULL, 0);
    at_gradients(p->g, &p->loss.sum, &(at_value *){NULL}, 1);
    at_expect_ok(ctx, at_graph_finish(p->g));
    at_expect_ok(ctx, at_store_layout(p->store, p->g));
    at_expect_ok(ctx,
                 at_plan_create(&p->plan, p->g, &(at_plan_options){.fetches = &p->loss.sum, .n_fetches = 1}));
    at_real data[SAMPLES * FEATURES];
    for (int i = 0; i < AT_COUNT(data); i++) data[i] = (at_real)((const double *)golden(p, "x"))[i];
    at_plan_write(p->plan, x, data, SAMPLES);
    at_plan_write(p->plan, labels, golden(p, "labels"), SAMPLES);
}

static void close_probe(probe *p)
{
    at_plan_destroy(p->plan);
    at_graph_destroy(p->g);
    at_store_destroy(p->store);
    at_device_close(p->device);
    at_safetensors_close(p->ctx, p->golden);
}

static at_status evaluate(void *self, const double *x, double *f, double *gradient)
{
    probe *p = self;
    const int64_t n = p->store->master->count;
    at_real flat[64], loss;
    assert_true(n <= AT_COUNT(flat));
    for (int64_t i = 0; i < n; i++) flat[i] = (at_real)x[i];
    AT_TRY(at_state_set(p->store, p->store->master, flat));
    at_store_touch(p->store);
    at_plan_run(p->plan, &(at_pass){.extents = (const int64_t[]){SAMPLES}});
    at_plan_fetch(p->plan, p->loss.sum, &loss);
    AT_TRY(at_plan_sync(p->plan));
    AT_TRY(at_state_get(p->store, p->store->gradient, flat));
    *f = (double)loss / SAMPLES;
    for (int64_t i = 0; i < n; i++) {
        const bool decays = i >= p->weight->offset && i < p->weight->offset + p->weight->count;
        gradient[i] = (double)flat[i] / SAMPLES + (decays ? penalty * x[i] : 0);
        if (decays) *f += 0.5 * penalty * x[i] * x[i];
    }
    return AT_OK;
}

static void report(void *self, int64_t iteration, double f, double norm)
{
    probe *p = self;
    p->reports = iteration;
    p->reported = f;
    (void)norm;
}

/* The objective and its largest gradient element in plain double arithmetic. */
static double exact(const probe *p, const double *w, const double *b, double *largest)
{
    const double *x = golden(p, "x");
    const int32_t *labels = golden(p, "labels");
    double f = 0, dw[CLASSES * FEATURES], db[CLASSES] = {0};
    for (int i = 0; i < CLASSES * FEATURES; i++) f += 0.5 * penalty * w[i] * w[i], dw[i] = penalty * w[i];
    for (int s = 0; s < SAMPLES; s++, x += FEATURES) {
        double z[CLASSES], sum = 0;
        for (int c = 0; c < CLASSES; c++) {
            z[c] = b[c];
            for (int k = 0; k < FEATURES; k++) z[c] += w[c * FEATURES + k] * x[k];
            sum += exp(z[c]);
        }
        f += (log(sum) - z[labels[s]]) / SAMPLES;
        for (int c = 0; c < CLASSES; c++) {
            const double dz = (exp(z[c]) / sum - (c == labels[s])) / SAMPLES;
            db[c] += dz;
            for (int k = 0; k < FEATURES; k++) dw[c * FEATURES + k] += dz * x[k];
        }
    }
    *largest = 0;
    for (int i = 0; i < CLASSES * FEATURES; i++) *largest = fmax(*largest, fabs(dw[i]));
    for (int c = 0; c < CLASSES; c++) *largest = fmax(*largest, fabs(db[c]));
    return f;
}

static double distance(const double *a, const double *b, int n)
{
    double d = 0, size = 0;
    for (int i = 0; i < n; i++) d += (a[i] - b[i]) * (a[i] - b[i]), size += b[i] * b[i];
    return sqrt(d / size);
}

/* The golden bias has mean 0: adding a constant to all classes changes nothing. */
static void expect_optimum(const probe *p, const double *x, double loss_tol, double gradient_tol,
                           double weight_tol)
{
    double bias[CLASSES], mean = 0, largest;
    const double *w = x + p->weight->offset, *b = x + p->bias->offset,
                 want = *(const double *)golden(p, "loss");
    const double loss = exact(p, w, b, &largest);
    for (int c = 0; c < CLASSES; c++) mean += b[c] / CLASSES;
    for (int c = 0; c < CLASSES; c++) bias[c] = b[c] - mean;
    if (!(fabs(loss - want) <= loss_tol * want)) fail_msg("loss %.17g, optimum %.17g", loss, want);
    if (!(fabs(p->reported - want) <= fmax(loss_tol, 1e-6) * want)) fail_msg("reported %.17g", p->reported);
    if (!(largest <= gradient_tol)) fail_msg("the gradient's largest element is %.3g", largest);
    const double dw = distance(w, golden(p, "weight"), CLASSES * FEATURES),
                 db = distance(bias, golden(p, "bias"), CLASSES);
    if (!(dw <= weight_tol)) fail_msg("weights differ by %.3g relative L2", dw);
    if (!(db <= weight_tol)) fail_msg("biases differ by %.3g relative L2", db);
}

/* In float32 the loss is known to 1e-7, so that near the optimum only the gradient can lead: it must get to
 * its tolerance. */
AT_TEST(test_lbfgs__reaches_the_optimum_of_a_linear_probe)
{
    at_ctx *ctx = at_test_ctx();
    const bool real_is_double = sizeof(at_real) == sizeof(double);
    for (int64_t history = 3; history <= 30; history *= 3) {
        const at_lbfgs_options options = {history, 5000, real_is_double ? 1e-10 : 1e-5};
        probe p;
        open_probe(&p, ctx);
        double x[64] = {0};
        at_expect_ok(ctx, at_optimizer_lbfgs.solve(ctx, &(at_objective){&p, evaluate, report}, x,
                                                   p.store->master->count, &options));
        assert_true(p.reports > 10 && p.reports < 3000);
        if (real_is_double)
            expect_optimum(&p, x, 1e-13, 1.1e-10, 1e-7);
        else
            expect_optimum(&p, x, 1e-6, 2e-5, 2e-3);
        close_probe(&p);
    }
    at_test_done(ctx);
}

/* ---- Other functions, in double ---- */

typedef struct call_count {
    int calls;
    at_status status;
} call_count;

static at_status rosenbrock(void *self, const double *x, double *f, double *g)
{
    call_count *c = self;
    c->calls++;
    const double a = 1 - x[0], b = x[1] - x[0] * x[0];
    *f = a * a + 100 * b * b;
    g[0] = -2 * a - 400 * x[0] * b;
    g[1] = 200 * b;
    return AT_OK;
}

static at_status pole(void *self, const double *x, double *f, double *g)
{
    ((call_count *)self)->calls++;
    *f = (double)INFINITY;
    g[0] = x[0];
    return AT_OK;
}

static at_status refuses(void *self, const double *x, double *f, double *g)
{
    call_count *c = self;
    *f = g[0] = 2 * x[0];
    return ++c->calls > 2 ? c->status : AT_OK;
}

static void ignore(void *self, int64_t iteration, double f, double norm)
{
    (void)self, (void)iteration, (void)f, (void)norm;
}

AT_TEST(test_lbfgs__follows_a_curved_valley)
{
    at_ctx *ctx = at_test_ctx();
    call_count c = {0};
    double x[] = {-1.2, 1};
    at_expect_ok(ctx, at_optimizer_lbfgs.solve(ctx, &(at_objective){&c, rosenbrock, ignore}, x, 2,
                                               &(at_lbfgs_options){10, 1000, 1e-10}));
    assert_true(fabs(x[0] - 1) < 1e-9 && fabs(x[1] - 1) < 1e-9);
    assert_true(c.calls < 200);
    c.calls = 0; /* at the optimum there is nothing to do */
    at_expect_ok(ctx, at_optimizer_lbfgs.solve(ctx, &(at_objective){&c, rosenbrock, ignore}, x, 2,
                                               &(at_lbfgs_options){10, 1000, 1e-6}));
    assert_int_equal(c.calls, 1);
    double start[] = {-1.2, 1}; /* a limit is kept, and the point is better than the start */
    at_expect_ok(ctx, at_optimizer_lbfgs.solve(ctx, &(at_objective){&c, rosenbrock, ignore}, start, 2,
                                               &(at_lbfgs_options){10, 1, 1e-10}));
    double f, g[2];
    rosenbrock(&c, start, &f, g);
    assert_true(f < 24.2 && f > 1e-3);
    at_test_done(ctx);
}

AT_TEST(test_lbfgs__passes_failures_on)
{
    at_ctx *ctx = at_test_ctx();
    call_count c = {.status = AT_E_DEVICE};
    const at_lbfgs_options options = {10, 1000, 1e-10};
    double x[] = {3};
    at_expect_error(ctx, at_optimizer_lbfgs.solve(ctx, &(at_objective){&c, pole, ignore}, x, 1, &options),
                    AT_E_NONFINITE, "lbfgs: the loss is not finite");
    assert_true(x[0] == 3);
    c.calls = 0;
    assert_int_equal(at_optimizer_lbfgs.solve(ctx, &(at_objective){&c, refuses, ignore}, x, 1, &options),
                     AT_E_DEVICE);
    at_clear_error(ctx);
    at_test_done(ctx);
}
