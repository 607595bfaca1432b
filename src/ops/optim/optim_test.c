/* optim_test.c: 20 steps of each optimiser against PyTorch (golden.py): clipping, decay, momentum, bias
 * correction, rates and factors are all non-trivial. In between come steps that must not happen. Controls
 * show that the checks see defects. */
#include "engine/plan.h"
#include "formats/safetensors.h"
#include "ops/lerp/lerp.h"
#include "ops/linear/linear.h"
#include "ops/optim/adamw.h"
#include "ops/optim/sgd.h"
#include "ops/rowsum/rowsum.h"
#include "tests/harness/report.h"
#include "tests/harness/test.h"
#include "tests/harness/tolerance.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define TRACE AT_SOURCE_DIR "/src/ops/optim/trace.safetensors"

enum { STEPS = 20, TENSORS = 4, N = 54, BAD_STEP = 7 };
static const double clip = 1.0, count = 3.0;

static const struct tensor { /* in the order of the golden's flat vectors */
    const char *name;
    int rank;
    int64_t dim[2];
    double rate, decay;
} tensors[TENSORS] = {{"first.weight", 2, {3, 5}, 1, 0.1},
                      {"first.bias", 1, {3}, 1, 0},
                      {"second.weight", 2, {2, 17}, 10, 0.02},
                      {"second.bias", 1, {2}, 10, 0}};

typedef struct variant {
    const char *name;
    const at_optimizer *optimizer;
    const void *options;
} variant;

static const variant variants[] = {
    {"adamw", &at_optimizer_adamw, &(at_adamw_options){0.9, 0.999, 1e-8}},
    {"adamw_fast", &at_optimizer_adamw, &(at_adamw_options){0.7, 0.9, 1e-2}},
    {"sgd", &at_optimizer_sgd, &(at_sgd_options){0, false}},
    {"momentum", &at_optimizer_sgd, &(at_sgd_options){0.9, false}},
    {"nesterov", &at_optimizer_sgd, &(at_sgd_options){0.8, true}},
};

/* Four tensors that learn and one statistic; the host writes the gradient, the pending statistic, loss and
 * count. */
typedef struct rig {
    at_ctx *ctx;
    at_device *device;
    at_store *store;
    at_graph *g;
    at_plan *plan;
    at_commit commit;
    at_state *tensor[TENSORS], *statistic;
    at_value *loss, *count;
    at_safetensors *golden;
} rig;

static const double *golden(const rig *t, const char *name, int64_t row)
{
    const at_tensor *x = at_safetensors_find(t->golden, name);
    if (!x || x->dtype != AT_F64) fail_msg("the golden lacks %s", name);
    return (const double *)x->data + (x->rank == 2 ? row * N : row);
}

static void declare(rig *t)
{
    const double *value = golden(t, "start", 0);
    at_real values[N];
    for (int k = 0; k < TENSORS; k++) {
        const struct tensor *s = &tensors[k];
        at_expect_ok(t->ctx, at_store_add(&t->tensor[k], t->store, s->name, AT_TRAINABLE, s->rank, s->dim));
        for (int64_t i = 0; i < t->tensor[k]->count; i++) values[i] = (at_real)*value++;
        at_expect_ok(t->ctx, at_state_set(t->store, t->tensor[k], values));
    }
    at_expect_ok(t->ctx,
                 at_store_add(&t->statistic, t->store, "statistic", AT_RUNNING, 1, (const int64_t[]){3}));
    at_expect_ok(t->ctx, at_state_set(t->store, t->statistic, (const at_real[]){1, 2, 3}));
}

/* A pass that never runs: it says what learns. */
static void build_pass(rig *t)
{
    const at_extent *e = at_graph_extent(t->g, "samples", 4);
    at_value *y[2], *dy[2];
    for (int k = 0; k < 2; k++) {
        const struct tensor *w = &tensors[2 * k];
        at_value *x = at_input(t->g, "x", AT_ACT, e, 2, (const int64_t[]){1, w->dim[1]});
        y[k] = at_linear(t->g, x, at_read(t->g, t->tensor[2 * k]), at_read(t->g, t->tensor[2 * k + 1]));
        dy[k] = at_input(t->g, "dy", AT_ACT, e, 2, (const int64_t[]){1, w->dim[0]});
    }
    at_assign(t->g, t->statistic, at_lerp(t->g, at_read(t->g, t->statistic), at_rowsum(t->g, y[0]), 0.1));
    at_gradients(t->g, y, dy, 2);
}

static void open_rig(rig *t, at_ctx *ctx, const char *device, const char *kernels, const variant *v)
{
    *t = (rig){.ctx = ctx};
    at_expect_ok(ctx, at_safetensors_open(&t->golden, ctx, TRACE));
    at_expect_ok(ctx, at_device_open(&t->device, ctx, device));
    at_expect_ok(ctx, at_store_create(&t->store, ctx, t->device));
    at_expect_ok(ctx, at_graph_create(&t->g, ctx, t->store, AT_TRAIN));
    declare(t);
    build_pass(t);
    t->loss = at_input(t->g, "loss", AT_ACC, NULL, 1, (const int64_t[]){1});
    t->count = at_input(t->g, "count", AT_ACC, NULL, 1, (const int64_t[]){1});
    at_expect_ok(ctx, at_graph_finish(t->g));
    at_expect_ok(ctx, at_store_layout(t->store, t->g));
    for (int i = 0; i < t->store->n_ranges; i++)
        for (int k = 0; k < TENSORS; k++)
            if (t->store->ranges[i].state == t->tensor[k]) {
                t->store->ranges[i].rate = tensors[k].rate;
                t->store->ranges[i].decay = tensors[k].decay;
            }
    at_expect_ok(ctx, at_build_commit(&t->commit, t->g, t->loss, t->count, clip, v->optimizer, v->options));
    at_value *fetches[] = {t->commit.norm, t->commit.ok, t->commit.scale};
    at_expect_ok(ctx,
                 at_plan_create(&t->plan, t->g,
                                &(at_plan_options){.kernels = kernels, .fetches = fetches, .n_fetches = 3}));
}

static void close_rig(rig *t)
{
    at_plan_destroy(t->plan);
    at_graph_destroy(t->g);
    at_store_destroy(t->store);
    at_device_close(t->device);
    at_safetensors_close(t->ctx, t->golden);
}

/* Write a gradient of sums over `count` samples in the order of the golden. */
static void set_gradient(rig *t, const double *mean)
{
    at_real flat[N * 2] = {0};
    assert_true(t->store->gradient->count <= AT_COUNT(flat));
    for (int k = 0; k < TENSORS; k++)
        for (int64_t i = 0; i < t->tensor[k]->count; i++)
            flat[t->tensor[k]->offset + i] = (at_real)(*mean++ * count);
    at_expect_ok(t->ctx, at_state_set(t->store, t->store->gradient, flat));
}

/* Returns whether the commit went through. */
static bool commit(rig *t, const at_real *pending, at_real loss, at_real samples, double rate, at_real *norm)
{
    at_real padded[16] = {pending[0], pending[1], pending[2]}, r = (at_real)rate, ok;
    at_expect_ok(t->ctx, at_state_set(t->store, t->store->pending, padded));
    at_plan_write(t->plan, t->loss, &loss, 1);
    at_plan_write(t->plan, t->count, &samples, 1);
    at_plan_write(t->plan, t->commit.rate, &r, 1);
    at_plan_commit(t->plan, &(at_pass){.extents = (const int64_t[]){4}});
    at_plan_fetch(t->plan, t->commit.norm, norm);
    at_plan_fetch(t->plan, t->commit.ok, &ok);
    at_expect_ok(t->ctx, at_plan_sync(t->plan));
    return ok > 0;
}

/* ---- Steps that must not happen ---- */

enum { MAX_FLAT = 2 * N };
typedef struct snapshot {
    at_real flat[6][MAX_FLAT];
    size_t bytes[6];
    int n;
} snapshot;

static void take(rig *t, snapshot *s)
{
    const at_state *all[6] = {t->store->master, t->store->running, t->commit.step};
    s->n = 3;
    for (int i = 0; i < t->commit.n_slots; i++) all[s->n++] = t->commit.slots[i];
    for (int i = 0; i < s->n; i++) {
        s->bytes[i] = (size_t)all[i]->count * sizeof(at_real);
        assert_true(s->bytes[i] <= sizeof s->flat[i]);
        at_expect_ok(t->ctx, at_state_get(t->store, all[i], s->flat[i]));
    }
}

static void check_bad_steps(rig *t, at_report *r)
{
    static const struct bad {
        const char *what;
        double gradient, pending, loss, count;
    } bad[] = {{"a NaN in the gradient", NAN, 0, 0, 3},
               {"an infinity in the gradient", -INFINITY, 0, 0, 3},
               {"a NaN loss", 0, 0, NAN, 3},
               {"an infinite loss", 0, 0, INFINITY, 3},
               {"a NaN in a pending value", 0, NAN, 0, 3},
               {"a count of 0", 0, 0, 0, 0},
               {"a NaN count", 0, 0, 0, NAN}};
    snapshot before, after;
    double gradient[N];
    take(t, &before);
    for (int i = 0; i < AT_COUNT(bad); i++) {
        const at_real pending[] = {4, 5, (at_real)(6 + bad[i].pending)};
        at_real norm;
        memcpy(gradient, golden(t, "gradient", 0), sizeof gradient);
        gradient[N / 2] += bad[i].gradient;
        set_gradient(t, gradient);
        at_report_check(r, !commit(t, pending, (at_real)bad[i].loss, (at_real)bad[i].count, 0.1, &norm),
                        "%s: ok", bad[i].what);
        take(t, &after);
        for (int k = 0; k < before.n; k++)
            at_report_same(r, bad[i].what, after.flat[k], before.flat[k], before.bytes[k]);
    }
}

/* ---- Traces ---- */

static void compare_tensors(rig *t, const double *want, int step, at_report *r)
{
    const double tol = sizeof(at_real) == sizeof(double) ? AT_TOL_EXACT : AT_TOL_GOLDEN_F32;
    at_real got[N], expected[N];
    for (int k = 0; k < TENSORS; k++) {
        char what[64];
        snprintf(what, sizeof what, "step %d, %s", step, tensors[k].name);
        at_expect_ok(t->ctx, at_state_get(t->store, t->tensor[k], got));
        for (int64_t i = 0; i < t->tensor[k]->count; i++) expected[i] = (at_real)*want++;
        at_report_close(r, what, got, expected, t->tensor[k]->count, tol);
    }
}

static void check_trace(at_ctx *ctx, const char *device, const char *kernels, const variant *v, at_report *r)
{
    rig t;
    open_rig(&t, ctx, device, kernels, v);
    at_report_at(r, "%s, kernels %s on %s", v->name, kernels, device);
    int clipped = 0;
    for (int step = 0; step < STEPS; step++) {
        at_real norm, statistic[3];
        const at_real pending[] = {(at_real)step, (at_real)-step, 0.5},
                      want = (at_real)*golden(&t, "norm", step);
        if (step == BAD_STEP) check_bad_steps(&t, r);
        set_gradient(&t, golden(&t, "gradient", step));
        at_report_check(r, commit(&t, pending, 1, (at_real)count, *golden(&t, "rate", step), &norm),
                        "step %d: not ok", step);
        at_report_close(r, "norm", &norm, &want, 1,
                        sizeof(at_real) == sizeof(double) ? AT_TOL_EXACT : AT_TOL_GOLDEN_F32);
        clipped += norm > (at_real)clip;
        compare_tensors(&t, golden(&t, v->name, step), step, r);
        at_expect_ok(ctx, at_state_get(t.store, t.statistic, statistic));
        at_report_same(r, "statistic", statistic, pending, sizeof statistic);
    }
    at_report_check(r, clipped >= 5 && clipped <= STEPS - 5, "%d steps were clipped", clipped);
    at_real steps;
    at_expect_ok(ctx, at_state_get(t.store, t.commit.step, &steps));
    at_report_check(r, steps == STEPS, "%g steps are counted", (double)steps);
    close_rig(&t);
}

AT_TEST(test_optim__20_steps_equal_pytorch_and_bad_ones_change_nothing)
{
    static const char *const kernels[] = {"auto", "ref", "base", "avx2", "avx512"};
    at_ctx *ctx = at_test_ctx();
    at_report r = {0};
    for (int v = 0; v < AT_COUNT(variants); v++) {
        for (int k = 0; k < AT_COUNT(kernels); k++) check_trace(ctx, "cpu", kernels[k], &variants[v], &r);
        check_trace(ctx, "far", "auto", &variants[v], &r);
    }
    at_expect_clean(&r);
    at_test_done(ctx);
}

/* ---- Controls: each optimiser has a defect that the check above must see ---- */

static at_status without_bias_correction(const at_call *c)
{
    at_real late = 1000000;
    at_call other = *c;
    other.in[4].data = &late;
    return at_op_adamw.ref(&other);
}

static at_status despite_nan(const at_call *c)
{
    at_real one = 1;
    at_call other = *c;
    other.in[6].data = &one;
    return at_op_adamw.ref(&other);
}

static at_op defective;

static void build_defective(at_graph *g, const at_update *u, const void *options)
{
    const at_adamw_options *a = options;
    const at_adamw_param p = {u->ranges, a->beta1, a->beta2, a->epsilon};
    at_opn(g, &defective, &p, u->master, u->gradient, u->slot[0], u->slot[1], u->step, u->scale, u->ok,
           u->rate);
}

static void expect_red(at_run_fn defect, const char *part)
{
    at_ctx *ctx = at_test_ctx();
    at_report r = {0};
    at_optimizer optimizer = at_optimizer_adamw;
    variant v = variants[0];
    defective = at_op_adamw;
    defective.ref = defect;
    optimizer.build = build_defective;
    v.optimizer = &optimizer;
    check_trace(ctx, "cpu", "auto", &v, &r);
    if (r.failures == 0 || !strstr(r.first, part)) fail_msg("seen as \"%s\", expected \"%s\"", r.first, part);
    at_test_done(ctx);
}

AT_TEST(test_optim__a_missing_bias_correction_is_seen)
{
    expect_red(without_bias_correction, "step 0, first.weight");
}

AT_TEST(test_optim__a_commit_despite_nan_is_seen)
{
    expect_red(despite_nan, "a NaN in the gradient: bits differ");
}
