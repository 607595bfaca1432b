/* two_layer_test.c: a network of two linear sites trained for 20 steps as PyTorch trains it (golden.py):
 * smoothed and weighted cross-entropy, AdamW, clipping, warm-up and cosine, a smaller last batch in every
 * epoch. The same numbers must come out of two micro passes a step, and the same bits after saving and
 * restoring all states half way. */
#include "engine/plan.h"
#include "formats/safetensors.h"
#include "nn/net.h"
#include "ops/optim/adamw.h"
#include "ops/relu/relu.h"
#include "ops/softmax_xent/softmax_xent.h"
#include "tests/harness/report.h"
#include "tests/harness/test.h"
#include "tests/harness/tolerance.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define GOLDEN AT_SOURCE_DIR "/src/nn/golden.safetensors"

enum { SAMPLES = 23, BATCH = 9, IN = 7, HIDDEN = 33, CLASSES = 5, STEPS = 20, HALF = STEPS / 2 };
enum { PER_EPOCH = (SAMPLES + BATCH - 1) / BATCH, MOST = HIDDEN * IN };
static const double rate = 0.02, decay = 0.1, clip = 1.0, smoothing = 0.1;
static const at_adamw_options adamw = {0.9, 0.999, 1e-8};

typedef struct rig {
    at_ctx *ctx;
    at_device *device;
    at_net net;
    at_graph *g;
    at_plan *plan;
    at_value *x, *labels;
    at_loss loss;
    at_commit commit;
    at_safetensors *golden;
    at_real losses[STEPS], norms[STEPS];
} rig;

static const void *golden(const rig *t, const char *name, int64_t count)
{
    const at_tensor *x = at_safetensors_find(t->golden, name);
    if (!x || x->count != count) fail_msg("the golden lacks %s, or it has another size", name);
    return x->data;
}

static void reals(at_real *out, const void *from, int64_t n)
{
    for (int64_t i = 0; i < n; i++) out[i] = (at_real)((const double *)from)[i];
}

static void declare(rig *t)
{
    at_site *site;
    at_expect_ok(t->ctx, at_net_init(&t->net, t->ctx, t->device));
    at_expect_ok(t->ctx, at_net_group(&t->net, "all"));
    at_expect_ok(t->ctx, at_net_linear(&site, &t->net, "hidden", "hidden", IN, HIDDEN, true));
    at_expect_ok(t->ctx, at_net_linear(&site, &t->net, "output", "output", HIDDEN, CLASSES, true));
    for (int i = 0; i < t->net.n_params; i++) {
        at_state *s = t->net.params[i]->state;
        char name[64];
        at_real value[MOST];
        snprintf(name, sizeof name, "start.%s", s->name);
        reals(value, golden(t, name, s->count), s->count);
        at_expect_ok(t->ctx, at_state_set(t->net.store, s, value));
        t->net.params[i]->trainable = true;
    }
    at_net_assign_roles(&t->net);
}

static void open_rig(rig *t, at_ctx *ctx, const char *device, const char *kernels)
{
    *t = (rig){.ctx = ctx};
    at_expect_ok(ctx, at_safetensors_open(&t->golden, ctx, GOLDEN));
    at_expect_ok(ctx, at_device_open(&t->device, ctx, device));
    declare(t);
    at_store *s = t->net.store;
    at_expect_ok(ctx, at_graph_create(&t->g, ctx, s, AT_TRAIN));
    const at_extent *e = at_graph_extent(t->g, "samples", BATCH);
    t->x = at_input(t->g, "x", AT_ACT, e, 2, (const int64_t[]){1, IN});
    t->labels = at_input(t->g, "labels", AT_INT, e, 1, (const int64_t[]){1});
    at_value *weight = at_input(t->g, "class_weight", AT_ACC, NULL, 1, (const int64_t[]){CLASSES});
    at_value *h = at_relu(t->g, at_site_linear(t->g, at_net_find(&t->net, "hidden"), t->x));
    t->loss = at_softmax_xent(t->g, at_site_linear(t->g, at_net_find(&t->net, "output"), h), t->labels,
                              weight, smoothing);
    at_gradients(t->g, &t->loss.sum, &(at_value *){NULL}, 1);
    at_step_sum(t->g, t->loss.sum);
    at_step_sum(t->g, t->loss.weight);
    at_expect_ok(ctx, at_graph_finish(t->g));
    at_expect_ok(ctx, at_store_layout(s, t->g));
    for (int i = 0; i < s->n_ranges; i++) s->ranges[i].decay = s->ranges[i].state->shape.rank > 1 ? decay : 0;
    at_expect_ok(ctx, at_build_commit(&t->commit, t->g, t->loss.sum, t->loss.weight, clip,
                                      &at_optimizer_adamw, &adamw));
    at_value *fetches[] = {t->commit.norm, t->commit.ok};
    at_expect_ok(ctx,
                 at_plan_create(&t->plan, t->g,
                                &(at_plan_options){.kernels = kernels, .fetches = fetches, .n_fetches = 2}));
    at_real class_weight[CLASSES];
    reals(class_weight, golden(t, "class_weight", CLASSES), CLASSES);
    at_plan_write(t->plan, weight, class_weight, 1);
}

static void close_rig(rig *t)
{
    at_plan_destroy(t->plan);
    at_graph_destroy(t->g);
    at_net_deinit(&t->net);
    at_device_close(t->device);
    at_safetensors_close(t->ctx, t->golden);
}

/* ---- Steps ---- */

/* The n samples order[0..n). */
static void run_pass(rig *t, const int32_t *order, int64_t n, int micro)
{
    const double *x = golden(t, "x", SAMPLES * IN);
    const int32_t *labels = golden(t, "labels", SAMPLES);
    at_real row[BATCH * IN];
    int32_t label[BATCH];
    for (int64_t i = 0; i < n; i++) {
        reals(row + i * IN, x + order[i] * IN, IN);
        label[i] = labels[order[i]];
    }
    at_plan_write(t->plan, t->x, row, n);
    at_plan_write(t->plan, t->labels, label, n);
    at_plan_run(t->plan, &(at_pass){.micro = micro, .extents = &n});
}

/* Step number `step` in passes of at most `most` samples. */
static void run_step(rig *t, int step, int64_t most)
{
    const int32_t *order = golden(t, "order", (int64_t)(STEPS + PER_EPOCH - 1) / PER_EPOCH * SAMPLES);
    const int64_t first = step % PER_EPOCH * BATCH, n = at_min(BATCH, SAMPLES - first);
    const at_real r = (at_real)(rate * ((const double *)golden(t, "factor", STEPS))[step]);
    at_real sum, weight, ok;
    order += step / PER_EPOCH * SAMPLES + first;
    for (int64_t at = 0; at < n; at += most) run_pass(t, order + at, at_min(most, n - at), (int)(at / most));
    at_plan_write(t->plan, t->commit.rate, &r, 1);
    at_plan_commit(t->plan, &(at_pass){.extents = &n});
    at_plan_fetch(t->plan, t->loss.sum, &sum);
    at_plan_fetch(t->plan, t->loss.weight, &weight);
    at_plan_fetch(t->plan, t->commit.norm, &t->norms[step]);
    at_plan_fetch(t->plan, t->commit.ok, &ok);
    at_expect_ok(t->ctx, at_plan_sync(t->plan));
    assert_true(ok > 0);
    t->losses[step] = sum / weight;
}

static void compare_parameters(rig *t, const char *when, at_report *r)
{
    for (int i = 0; i < t->net.n_params; i++) {
        const at_state *s = t->net.params[i]->state;
        char name[64];
        at_real got[MOST], want[MOST];
        snprintf(name, sizeof name, "%s.%s", when, s->name);
        reals(want, golden(t, name, s->count), s->count);
        at_expect_ok(t->ctx, at_state_get(t->net.store, s, got));
        at_report_close_l2(r, name, got, want, s->count, AT_TOL_TRACE_WEIGHT);
    }
}

/* Each element against its own size. */
static void compare_series(rig *t, const char *name, const at_real *got, double tol, at_report *r)
{
    const double *want = golden(t, name, STEPS);
    for (int i = 0; i < STEPS; i++)
        at_report_check(r, fabs((double)got[i] - want[i]) <= tol * fabs(want[i]),
                        "%s of step %d is %.12g, expected %.12g", name, i, (double)got[i], want[i]);
}

static void check_training(at_ctx *ctx, const char *device, const char *kernels, int64_t most, at_report *r)
{
    rig t;
    open_rig(&t, ctx, device, kernels);
    at_report_at(r, "kernels %s on %s, %lld samples a pass", kernels, device, (long long)most);
    for (int step = 0; step < STEPS; step++) {
        run_step(&t, step, most);
        if (step + 1 == HALF) compare_parameters(&t, "half", r);
    }
    compare_series(&t, "loss", t.losses, AT_TOL_TRACE_LOSS, r);
    compare_series(&t, "norm", t.norms, AT_TOL_TRACE_WEIGHT, r);
    compare_parameters(&t, "end", r);
    close_rig(&t);
}

AT_TEST(test_two_layer__20_steps_equal_pytorch)
{
    static const char *const kernels[] = {"auto", "ref", "base", "avx2", "avx512"};
    at_ctx *ctx = at_test_ctx();
    at_report r = {0};
    for (int k = 0; k < AT_COUNT(kernels); k++) check_training(ctx, "cpu", kernels[k], BATCH, &r);
    check_training(ctx, "far", "auto", BATCH, &r);
    at_expect_clean(&r);
    at_test_done(ctx);
}

AT_TEST(test_two_layer__micro_passes_add_up_to_one_pass)
{
    at_ctx *ctx = at_test_ctx();
    at_report r = {0};
    for (int64_t most = 1; most < BATCH; most += 2) check_training(ctx, "cpu", "auto", most, &r);
    check_training(ctx, "far", "auto", 5, &r);
    at_expect_clean(&r);
    at_test_done(ctx);
}

/* ---- The same bits ---- */

enum { MAX_FLAT = 1024 };
typedef struct snapshot { /* masters, moments, step counter */
    at_real flat[4][MAX_FLAT];
    int n;
} snapshot;

static int flats(const rig *t, at_state *out[4])
{
    int n = 0;
    out[n++] = t->net.store->master;
    out[n++] = t->commit.step;
    for (int i = 0; i < t->commit.n_slots; i++) out[n++] = t->commit.slots[i];
    for (int i = 0; i < n; i++) assert_true(out[i]->count <= MAX_FLAT);
    return n;
}

static void save(rig *t, snapshot *s)
{
    at_state *all[4];
    memset(s, 0, sizeof *s);
    s->n = flats(t, all);
    for (int i = 0; i < s->n; i++) at_expect_ok(t->ctx, at_state_get(t->net.store, all[i], s->flat[i]));
}

static void restore(rig *t, const snapshot *s)
{
    at_state *all[4];
    assert_int_equal(flats(t, all), s->n);
    for (int i = 0; i < s->n; i++) at_expect_ok(t->ctx, at_state_set(t->net.store, all[i], s->flat[i]));
    at_store_touch(t->net.store);
}

/* All steps, with a break after `pause` of them (0 = none) in which everything but the saved states is lost.
 */
static void train(at_ctx *ctx, const char *device, int threads, int pause, snapshot *end)
{
    rig t;
    snapshot kept;
    at_expect_ok(ctx, at_ctx_set_threads(ctx, threads));
    open_rig(&t, ctx, device, "auto");
    for (int step = 0; step < STEPS; step++) {
        if (pause && step == pause) {
            save(&t, &kept);
            close_rig(&t);
            open_rig(&t, ctx, device, "auto");
            restore(&t, &kept);
        }
        run_step(&t, step, BATCH);
    }
    save(&t, end);
    close_rig(&t);
}

AT_TEST(test_two_layer__restored_states_and_threads_give_the_same_bits)
{
    at_ctx *ctx = at_test_ctx();
    at_report r = {0};
    snapshot want, got;
    train(ctx, "cpu", 1, 0, &want);
    for (int pause = 1; pause < STEPS; pause += 6) {
        train(ctx, "cpu", 1, pause, &got);
        at_report_at(&r, "restored after step %d", pause);
        at_report_same(&r, "states", &got, &want, sizeof want);
    }
    for (int threads = 2; threads <= 5; threads += 3) {
        train(ctx, "cpu", threads, 0, &got);
        at_report_at(&r, "%d threads", threads);
        at_report_same(&r, "states", &got, &want, sizeof want);
    }
    train(ctx, "far", 2, HALF, &got);
    at_report_at(&r, "far device");
    at_report_same(&r, "states", &got, &want, sizeof want);
    at_expect_clean(&r);
    at_test_done(ctx);
}
