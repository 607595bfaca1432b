/* bf16_test.c: plans whose activations are bf16: what the host sees of them, and how far training strays from
 * float32. Each kernel is checked by ops_test.c. */
#include "ops/relu/relu.h"
#include "tests/harness/report.h"
#include "tests/harness/small.h"
#include "tests/harness/test.h"
#include <math.h>
#include <stdlib.h>

/* ---- The border ---- */

enum { ROWS = 3, COLS = 11 };

/* Whatever is written comes back rounded to bf16, relu'd; the host never meets another type than at_real. */
static void check_border(const char *device_name, const char *kernels)
{
    at_ctx *ctx = at_test_ctx();
    at_device *device;
    at_store *store;
    at_graph *g;
    at_plan *plan;
    const int64_t dim[] = {1, COLS}, rows = 2;
    at_real x[ROWS * COLS], y[ROWS * COLS];
    at_expect_ok(ctx, at_device_open(&device, ctx, device_name));
    at_expect_ok(ctx, at_store_create(&store, ctx, device));
    at_expect_ok(ctx, at_graph_create(&g, ctx, store, AT_EVAL));
    at_value *in = at_input(g, "x", AT_ACT, at_graph_extent(g, "rows", ROWS), 2, dim), *out = at_relu(g, in);
    at_expect_ok(
        ctx,
        at_plan_create(
            &plan, g,
            &(at_plan_options){
                .kernels = kernels, .act = AT_BF16, .fetches = &out, .n_fetches = 1, .fetch_only = true}));
    for (int i = 0; i < ROWS * COLS; i++) {
        x[i] = (at_real)(0.001 * i * i - 0.3);
        y[i] = -7;
    }
    at_plan_write(plan, in, x, rows);
    at_plan_run(plan, &(at_pass){.extents = &rows});
    at_plan_fetch(plan, out, y);
    at_expect_ok(ctx, at_plan_sync(plan));
    for (int i = 0; i < ROWS * COLS; i++) {
        const float rounded = at_bf16_to_f32(at_f32_to_bf16((float)x[i]));
        const double expected = i >= rows * COLS ? -7.0 : rounded > 0 ? (double)rounded : 0.0;
        if ((double)y[i] != expected)
            fail_msg("element %d is %.9g, expected %.9g", i, (double)y[i], expected);
    }
    at_plan_destroy(plan);
    at_graph_destroy(g);
    at_store_destroy(store);
    at_device_close(device);
    at_test_done(ctx);
}

AT_TEST(test_bf16__the_host_sees_rounded_numbers)
{
    check_border("cpu", "auto");
    check_border("cpu", "ref");
    check_border("far", "auto");
    check_border("far", "ref");
}

/* ---- Training ---- */

/* Losses of the steps. */
static void losses(const at_small_options *o, double out[AT_SMALL_STEPS])
{
    at_ctx *ctx = at_test_ctx();
    at_small t;
    at_expect_ok(ctx, at_small_open(&t, ctx, o));
    for (int i = 0; i < AT_SMALL_STEPS; i++) {
        at_small_scalars s;
        at_small_passes(&t, i, false);
        at_small_commit(&t, i, &s);
        at_expect_ok(ctx, at_plan_sync(t.plan));
        assert_true(s.ok > 0);
        out[i] = (double)(s.loss / s.count);
    }
    at_small_close(&t);
    at_test_done(ctx);
}

/* A logit passes some 10 roundings of at most 2^-9 of its size each (half that in the mean, up or down by
 * chance): sqrt(10) 2^-10 = 0.3 %, and the loss of a few classes moves by less than its logits do; 2 % is
 * far above that and far below what a wrong kernel does. */
static void expect_near(const at_small_options *a, const at_small_options *b)
{
    double x[AT_SMALL_STEPS], y[AT_SMALL_STEPS];
    losses(a, x);
    losses(b, y);
    for (int i = 0; i < AT_SMALL_STEPS; i++)
        if (!(fabs(x[i] - y[i]) <= 0.02 * y[i]))
            fail_msg("step %d: loss %.6g, expected about %.6g", i, x[i], y[i]);
}

AT_TEST(test_bf16__training_follows_float32)
{
    expect_near(&(at_small_options){.act = AT_BF16}, &(at_small_options){0});
}

/* References run on widened copies. */
AT_TEST(test_bf16__references_follow_kernels)
{
    expect_near(&(at_small_options){.act = AT_BF16, .kernels = "ref"}, &(at_small_options){.act = AT_BF16});
}

/* bf16 holds infinities and NaNs: they are found as in float32. */
AT_TEST(test_bf16__a_nan_stops_the_commit)
{
    at_ctx *ctx = at_test_ctx();
    at_small t;
    at_small_scalars s;
    bool found;
    char text[256];
    at_expect_ok(ctx, at_small_open(&t, ctx, &(at_small_options){.act = AT_BF16, .micro = 1}));
    at_small_passes(&t, 0, true);
    at_small_commit(&t, 0, &s);
    at_expect_ok(ctx, at_plan_sync(t.plan));
    assert_true(s.ok == 0);
    const int64_t extents[] = {AT_SMALL_BATCH};
    at_expect_ok(ctx, at_plan_find_nonfinite(t.plan, &(at_pass){.extents = extents}, &found, text));
    assert_true(found);
    assert_non_null(strstr(text, "image"));
    at_small_close(&t);
    at_test_done(ctx);
}
