/* engine_step_test.c: a step: micro passes and the commit; bad steps; appended rows. */
#include "engine/view.h"
#include "ops/lerp/lerp.h"
#include "ops/optim/adamw.h"
#include "tests/harness/bare.h"
#include "tests/harness/report.h"
#include "tests/harness/small.h"
#include "tests/toys/toys.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static at_small_scalars run_step(at_small *t, int attempt, bool spoil)
{
    at_small_scalars s;
    at_small_passes(t, attempt, spoil);
    at_small_commit(t, attempt, &s);
    at_expect_ok(t->ctx, at_plan_sync(t->plan));
    return s;
}

static double ramp(int64_t i)
{
    return 0.5 * (double)i - 1;
}

/* ---- Large states move into their range some rows at a time, and are read in parts ---- */

static void check_large_state(at_ctx *ctx, const char *device, int64_t rows, int64_t cols)
{
    at_bare t;
    const int64_t dim[] = {rows, cols}, n = rows * cols, half = n / 2;
    at_real *got = malloc((size_t)n * sizeof *got);
    at_bare_open(&t, ctx, device, AT_TRAIN, 1);
    at_state *learns = at_bare_state(&t, "learns", AT_TRAINABLE, 2, dim, ramp);
    at_value *dy = at_input(t.g, "dy", AT_ACC, NULL, 2, dim);
    at_value *y = at_op1(t.g, &at_op_copy, NULL, at_read(t.g, learns));
    at_gradients(t.g, &y, &dy, 1);
    at_expect_ok(ctx, at_graph_finish(t.g));
    at_expect_ok(ctx, at_store_layout(t.store, t.g));
    assert_non_null(learns->flat);
    at_expect_ok(ctx, at_state_get(t.store, learns, got));
    for (int64_t i = 0; i < n; i++)
        if ((double)got[i] != ramp(i))
            fail_msg("%s: number %lld is %g", device, (long long)i, (double)got[i]);
    at_expect_ok(ctx, at_state_get_part(t.store, t.store->master, learns->offset + half, n - half, got));
    for (int64_t i = half; i < n; i++) assert_true((double)got[i - half] == ramp(i));
    free(got);
    at_bare_close(&t);
}

AT_TEST(test_step__large_states_are_moved_whole)
{
    at_ctx *ctx = at_test_ctx();
    static const char *const devices[] = {"cpu", "far"};
    for (int i = 0; i < AT_COUNT(devices); i++) {
        check_large_state(ctx, devices[i], 301, 401); /* several rows at a time, and a rest */
        check_large_state(ctx, devices[i], 3, 70001); /* rows that are longer than what is moved at once */
    }
    at_test_done(ctx);
}

/* ---- Running states: micro pass i + 1 reads what pass i assigned; the commit takes the last ---- */

AT_TEST(test_step__running_states_go_on_from_pass_to_pass)
{
    enum { C = 3, PASSES = 4, STEPS = 2 };
    at_ctx *ctx = at_test_ctx();
    at_bare t;
    double want[C];
    at_real got[C];
    at_bare_open(&t, ctx, "cpu", AT_TRAIN, 1);
    at_state *mean = at_bare_state(&t, "mean", AT_RUNNING, 1, (const int64_t[]){C}, ramp);
    at_state *learns = at_bare_state(&t, "learns", AT_TRAINABLE, 1, (const int64_t[]){C}, ramp);
    at_value *x = at_input(t.g, "x", AT_ACC, NULL, 1, (const int64_t[]){C});
    at_value *one = at_input(t.g, "one", AT_ACC, NULL, 1, (const int64_t[]){1});
    at_assign(t.g, mean, at_lerp(t.g, at_read(t.g, mean), x, 0.5));
    at_value *y = at_op1(t.g, &at_op_copy, NULL, at_read(t.g, learns)), *loss = at_lerp(t.g, one, one, 0.5);
    at_gradients(t.g, &y, &x, 1);
    at_step_sum(t.g, loss);
    at_expect_ok(ctx, at_graph_finish(t.g));
    at_expect_ok(ctx, at_store_layout(t.store, t.g));
    at_commit commit;
    at_expect_ok(ctx, at_build_commit(&commit, t.g, loss, loss, 0, &at_optimizer_toy_unit, NULL));
    at_bare_plan(&t, NULL, 0, NULL);
    at_plan_write(t.plan, one, (const at_real[]){1}, 1);
    at_plan_write(t.plan, commit.rate, (const at_real[]){1}, 1);
    for (int c = 0; c < C; c++) want[c] = ramp(c);
    for (int step = 0; step < STEPS; step++) {
        for (int i = 0; i < PASSES; i++) {
            at_real x_data[C];
            for (int c = 0; c < C; c++) {
                x_data[c] = (at_real)(8 * step + i + c);
                want[c] = 0.5 * want[c] + 0.5 * (double)x_data[c]; /* halves: exact */
            }
            at_plan_write(t.plan, x, x_data, 1);
            at_bare_run(&t, 1, i);
            if (i < PASSES - 1) continue;
            at_expect_ok(ctx, at_state_get(t.store, mean, got)); /* not before the commit */
            assert_false((double)got[0] == want[0]);
        }
        at_plan_commit(t.plan, &(at_pass){.extents = (const int64_t[]){1}});
        at_expect_ok(ctx, at_state_get(t.store, mean, got));
        for (int c = 0; c < C; c++) assert_true((double)got[c] == want[c]);
    }
    at_bare_close(&t);
    at_test_done(ctx);
}

/* ---- Bad steps ---- */

static void check_bad_step(at_ctx *ctx, const char *device, const char *kernels)
{
    at_small t;
    int64_t n;
    at_report r = {0};
    at_expect_ok(ctx, at_small_open(&t, ctx, &(at_small_options){.device = device, .kernels = kernels}));
    assert_true((double)run_step(&t, 0, false).ok > 0);
    at_real *before = at_small_snapshot(&t, &n);
    at_small_scalars s = run_step(&t, 1, true);
    assert_false((double)s.ok > 0);
    at_real *after = at_small_snapshot(&t, &n);
    at_report_at(&r, "%s, %s", device, kernels);
    at_report_same(&r, "states after a step with NaN", after, before, (size_t)n * sizeof *after);
    free(after);
    assert_true((double)run_step(&t, 2, false).ok > 0); /* and the next good one goes on */
    after = at_small_snapshot(&t, &n);
    at_report_check(&r, memcmp(after, before, (size_t)n * sizeof *after) != 0, "a good step changed nothing");
    at_expect_clean(&r);
    free(before), free(after);
    at_small_close(&t);
}

AT_TEST(test_step__that_is_not_finite_changes_nothing)
{
    at_ctx *ctx = at_test_ctx();
    check_bad_step(ctx, "cpu", "auto");
    check_bad_step(ctx, "cpu", "ref");
    check_bad_step(ctx, "far", "auto");
    at_test_done(ctx);
}

/* A running state that overflows although the loss is finite: pending values are part of ok. */
AT_TEST(test_step__looks_at_pending_values_too)
{
    at_ctx *ctx = at_test_ctx();
    at_small t;
    at_expect_ok(ctx, at_small_open(&t, ctx, NULL));
    at_state *mean = t.norm->part[AT_NORM_MEAN]->state;
    at_real *x = calloc((size_t)mean->count, sizeof *x);
    x[3] = (at_real)INFINITY;
    at_expect_ok(ctx, at_state_set(t.net.store, mean, x));
    const at_small_scalars s = run_step(&t, 0, false);
    assert_true(isfinite((double)s.loss) && isfinite((double)s.norm));
    assert_false((double)s.ok > 0);
    free(x);
    at_small_close(&t);
    at_test_done(ctx);
}

static void expect_first_bad(at_small *t, const char *text)
{
    char found_text[256] = "";
    bool found;
    const int64_t n = AT_SMALL_BATCH;
    at_expect_ok(t->ctx,
                 at_plan_find_nonfinite(t->plan, &(at_pass){.seed = 5, .extents = &n}, &found, found_text));
    if (found != (text != NULL) || (text && strcmp(found_text, text) != 0))
        fail_msg("found \"%s\"", found_text);
}

AT_TEST(test_step__names_the_first_value_that_is_not_finite)
{
    static const char *const devices[] = {"cpu", "far"};
    for (int i = 0; i < 2; i++) {
        at_ctx *ctx = at_test_ctx();
        at_small t;
        at_expect_ok(ctx, at_small_open(&t, ctx, &(at_small_options){.device = devices[i], .micro = 1}));
        at_small_passes(&t, 0, false);
        expect_first_bad(&t, NULL);
        at_small_passes(&t, 0, true);
        expect_first_bad(&t, "conv (conv2d), whose input 0 image is not finite");
        at_state *b = t.wide->part[AT_BIAS]->state;
        at_real *x = calloc((size_t)b->count, sizeof *x);
        x[700] = (at_real)NAN;
        at_expect_ok(ctx, at_state_set(t.net.store, b, x));
        at_small_passes(&t, 0, false);
        expect_first_bad(&t, "wide (linear), whose input 2 wide.bias is not finite");
        free(x);
        at_small_close(&t);
        at_test_done(ctx);
    }
}

/* ---- Optimisers ---- */

/* AdamW's first step moves every weight that has a gradient by the rate, whatever the gradient: mean /
 * sqrt(square) is its sign once both are corrected for their start at zero. NULL = it does; else the first
 * weight that moved otherwise.
 */
static bool moves_by_the_rate(at_ctx *ctx, const at_kernel *kernel, char text[128])
{
    enum { N = 37 };
    const at_range range = {.lo = 0, .hi = N, .rate = 1};
    const at_adamw_param p = {{&range, 1}, 0.9, 0.999, 1e-12};
    at_real x[N], g[N], m[N] = {0}, v[N] = {0}, step = 0, scale = 1, ok = 1, rate = (at_real)0.01;
    void *const data[] = {x, g, m, v, &step, &scale, &ok, &rate};
    at_call c = {.param = &p, .pool = ctx->pool};
    for (int i = 0; i < N; i++) {
        x[i] = 1;
        g[i] = (at_real)((i % 2 ? 1 : -1) * pow(10, i % 7 - 3));
    }
    for (int i = 0; i < 8; i++)
        c.in[i] = (at_arg){.data = data[i],
                           .dtype = AT_REAL,
                           .rank = 1,
                           .dim = {i < 4 ? N : 1},
                           .rows = 1,
                           .cols = i < 4 ? N : 1,
                           .pitch = i < 4 ? N : 1};
    assert_int_equal(kernel ? kernel->run(&c) : at_op_adamw.ref(&c), AT_OK);
    for (int i = 0; i < N; i++) {
        const double moved = ((double)x[i] - 1) * (i % 2 ? -1 : 1);
        snprintf(text, 128, "weight %d moved by %g", i, moved);
        if (!(fabs(moved - 0.01) < 1e-6)) return false; /* float32 near 1 resolves 6e-8 */
    }
    return true;
}

static at_status without_correction(const at_call *c)
{
    at_real late = 1000000; /* so many steps that nothing is corrected any more */
    at_call wrong = *c;
    wrong.in[4].data = &late;
    return at_op_adamw.ref(&wrong);
}

AT_TEST(test_step__the_first_one_of_adamw_moves_by_the_rate)
{
    at_ctx *ctx = at_test_ctx();
    char text[128];
    int cursor = 0;
    const at_kernel *k, wrong = {.name = "adamw.uncorrected", .op = &at_op_adamw, .run = without_correction};
    if (!moves_by_the_rate(ctx, NULL, text)) fail_msg("reference: %s", text);
    while ((k = at_registry_next(ctx, "kernel", &cursor)))
        if (k->op == &at_op_adamw && k->isa <= ctx->isa && !moves_by_the_rate(ctx, k, text))
            fail_msg("%s: %s", k->name, text);
    assert_false(moves_by_the_rate(ctx, &wrong, text)); /* and this check sees a missing correction */
    at_test_done(ctx);
}

/* The norm per tensor comes from the engine: each tensor moves by its rate in L2. */
AT_TEST(test_step__an_optimizer_may_ask_for_norms_of_tensors)
{
    at_ctx *ctx = at_test_ctx();
    at_small t;
    int64_t n;
    at_expect_ok(ctx, at_small_open(&t, ctx, &(at_small_options){.optimizer = &at_optimizer_toy_unit}));
    at_real *before = at_small_snapshot(&t, &n);
    assert_true((double)run_step(&t, 0, false).ok > 0);
    at_real *after = at_small_snapshot(&t, &n);
    const at_store *s = t.net.store;
    for (int i = 0; i < s->n_ranges; i++) {
        const at_range *r = &s->ranges[i];
        double sum = 0;
        for (int64_t k = r->lo; k < r->hi; k++) sum += pow((double)after[k] - (double)before[k], 2);
        if (!(fabs(sqrt(sum) / (0.01 * r->rate) - 1) < 1e-3))
            fail_msg("%s moved by %g", r->state->name, sqrt(sum));
    }
    free(before), free(after);
    at_small_close(&t);
    at_test_done(ctx);
}

/* Flat ranges lie in the order in which the backward pass completes the gradients, one behind another. */
AT_TEST(test_step__flat_ranges_lie_in_the_order_of_the_backward_pass)
{
    at_ctx *ctx = at_test_ctx();
    at_small t;
    at_expect_ok(ctx, at_small_open(&t, ctx, NULL));
    const at_store *s = t.net.store;
    int node = -1;
    int64_t end = 0;
    assert_int_equal(s->n_ranges, 9); /* conv, and two each of norm, affine, wide and head */
    for (int i = 0; i < s->n_ranges; i++) {
        const at_range *r = &s->ranges[i];
        const int completes = at_read(t.g, at_store_find(s, r->state->name))->grad->node->id;
        assert_true(completes >= node && r->lo >= end && r->hi - r->lo == r->state->count);
        node = completes;
        end = r->hi;
    }
    assert_true(strncmp(s->ranges[0].state->name, "head.", 5) == 0);
    at_small_close(&t);
    at_test_done(ctx);
}

/* ---- Appended rows ---- */

/* y[r] = sum of the cache's rows 0 .. at + r: what a causal op sees */
static at_status prefix_infer(at_ctx *ctx, const void *p, const at_meta *in, at_meta *out, at_meta *saved)
{
    (void)ctx, (void)p, (void)saved;
    out[0] = in[1];
    return AT_OK;
}

static at_status prefix_ref(const at_call *c)
{
    const int32_t at = *at_int_row(c, 2, 0);
    for (int64_t m = 0; m < c->out[0].rows; m++)
        for (int64_t i = 0; i < c->out[0].cols; i++) {
            double sum = 0;
            for (int64_t k = 0; k <= at + m; k++) sum += (double)at_row(c, 0, k)[i];
            at_put(c, 0, &at_out_row(c, 0, m)[i], sum);
        }
    return AT_OK;
}

static const at_op prefix = {.name = "prefix",
                             .doc = "sums of a cache's rows so far",
                             .n_in = 3,
                             .n_out = 1,
                             .extent_in = 2,
                             .int_in = 4,
                             .infer = prefix_infer,
                             .no_grad_reason = "decoding does not learn",
                             .ref = prefix_ref};

enum { CACHE_ROWS = 8, CACHE_COLUMNS = 5 };

static void decode(at_ctx *ctx, const char *device, int64_t rows_at_once, at_real *y, at_real *cache_out)
{
    at_bare t;
    at_state *cache;
    at_bare_open(&t, ctx, device, AT_DECODE, CACHE_ROWS);
    at_expect_ok(ctx, at_store_add(&cache, t.store, "cache", AT_CACHE, 2,
                                   (const int64_t[]){CACHE_ROWS, CACHE_COLUMNS}));
    at_value *x = at_bare_rows(&t, "x", AT_ACT, CACHE_COLUMNS);
    at_value *at = at_input(t.g, "at", AT_INT, NULL, 1, (const int64_t[]){1});
    at_value *out = at_op1(t.g, &prefix, NULL, at_append(t.g, cache, x, at), x, at);
    at_bare_plan(&t, &out, 1, NULL);
    for (int64_t first = 0; first < CACHE_ROWS; first += rows_at_once) {
        at_real rows[CACHE_ROWS * CACHE_COLUMNS];
        const int32_t position = (int32_t)first;
        for (int64_t i = 0; i < rows_at_once * CACHE_COLUMNS; i++)
            rows[i] = (at_real)sin((double)(first * CACHE_COLUMNS + i));
        at_plan_write(t.plan, x, rows, rows_at_once);
        at_plan_write(t.plan, at, &position, 1);
        at_bare_run(&t, rows_at_once, 0);
        at_bare_fetch(&t, out, y + first * CACHE_COLUMNS);
    }
    at_expect_ok(ctx, at_state_get(t.store, cache, cache_out));
    at_bare_close(&t);
}

AT_TEST(test_append__eight_rows_one_by_one_equal_eight_at_once)
{
    static const char *const devices[] = {"cpu", "far"};
    at_ctx *ctx = at_test_ctx();
    at_report r = {0};
    for (int d = 0; d < 2; d++) {
        at_real y[3][CACHE_ROWS * CACHE_COLUMNS], cache[3][CACHE_ROWS * CACHE_COLUMNS];
        const int64_t at_once[] = {CACHE_ROWS, 1, 4};
        for (int i = 0; i < 3; i++) decode(ctx, devices[d], at_once[i], y[i], cache[i]);
        assert_true((double)y[0][CACHE_ROWS * CACHE_COLUMNS - 1] != 0);
        at_report_at(&r, "%s", devices[d]);
        for (int i = 1; i < 3; i++) {
            at_report_same(&r, "outputs", y[i], y[0], sizeof y[0]);
            at_report_same(&r, "cache", cache[i], cache[0], sizeof cache[0]);
        }
    }
    at_expect_clean(&r);
    at_test_done(ctx);
}

AT_TEST(test_append__belongs_to_decoding_and_stays_inside)
{
    at_ctx *ctx = at_test_ctx();
    at_bare t;
    at_state *cache;
    at_bare_open(&t, ctx, "cpu", AT_TRAIN, 2);
    at_expect_ok(ctx, at_store_add(&cache, t.store, "cache", AT_CACHE, 2, (const int64_t[]){3, 2}));
    at_value *at = at_input(t.g, "at", AT_INT, NULL, 1, (const int64_t[]){1});
    at_append(t.g, cache, at_bare_rows(&t, "x", AT_ACT, 2), at);
    at_expect_error(ctx, at_graph_finish(t.g), AT_E_STATE, "only graphs in decode mode append");
    at_bare_close(&t);
    at_bare_open(&t, ctx, "cpu", AT_DECODE, 2);
    at_expect_ok(ctx, at_store_add(&cache, t.store, "cache", AT_CACHE, 2, (const int64_t[]){3, 2}));
    at_value *x = at_bare_rows(&t, "x", AT_ACT, 2);
    at = at_input(t.g, "at", AT_INT, NULL, 1, (const int64_t[]){1});
    at_append(t.g, cache, x, at);
    at_bare_plan(&t, NULL, 0, NULL);
    at_plan_write(t.plan, x, (const at_real[]){1, 2, 3, 4}, 2);
    at_plan_write(t.plan, at, (const int32_t[]){2}, 1); /* rows 2 and 3 of 3 */
    at_bare_run(&t, 2, 0);
    at_expect_error(ctx, at_plan_sync(t.plan), AT_E_INTERNAL, "");
    at_bare_close(&t);
    at_test_done(ctx);
}
