/* dropout_test.c: a mask belongs to the sample, not to the batch; forward and gradient draw the same one. */
#include "ops/dropout/dropout.h"
#include "tests/harness/rig.h"
#include "tests/harness/test.h"
#include <math.h>

enum { EACH = 5 * 7, MANY = 4 };

static const at_dropout_param half = {0.5};

/* y or, with gradient, dx of samples first .. first + n of a batch of MANY whose ids are given. */
static void run(at_ctx *ctx, const char *kernels, bool gradient, const int32_t *ids, int first, int n,
                at_real *out)
{
    const at_op_case k = {.name = "here", .param = &half, .in = {{3, {n, 5, 7}}, {1, {n}}}, .int_below = 1};
    at_rig t;
    at_expect_ok(ctx, at_rig_build(&t, ctx, &at_op_dropout, &k,
                                   &(at_rig_options){.wanted = gradient, .seeded = 1, .kernels = kernels}));
    for (int i = 0; i < n * EACH; i++) t.data[0][i] = t.seeds[0][i] = (at_real)(1 + first * EACH + i);
    memcpy(t.data[1], ids + first, (size_t)n * sizeof *ids);
    at_expect_ok(ctx, at_rig_run(&t, &out));
    at_rig_destroy(&t);
}

AT_TEST(test_dropout__the_mask_does_not_depend_on_the_batch)
{
    at_ctx *ctx = at_test_ctx();
    const int32_t ids[MANY] = {17, 4, 4000000, 3};
    const char *const kernels[] = {"ref", "base", "avx2", "avx512"};
    at_real whole[MANY * EACH], halves[MANY * EACH], dx[MANY * EACH];
    for (int i = 0; i < AT_COUNT(kernels); i++) {
        run(ctx, kernels[i], false, ids, 0, MANY, whole);
        run(ctx, kernels[i], false, ids, 0, MANY / 2, halves);
        run(ctx, kernels[i], false, ids, MANY / 2, MANY / 2, halves + MANY / 2 * EACH);
        assert_memory_equal(whole, halves, sizeof whole);
        run(ctx, kernels[i], true, ids, 0, MANY, dx); /* its seeds are the forward's inputs */
        assert_memory_equal(whole, dx, sizeof whole);
    }
    at_test_done(ctx);
}

AT_TEST(test_dropout__samples_have_masks_of_their_own)
{
    at_ctx *ctx = at_test_ctx();
    const int32_t ids[MANY] = {1, 2, 1, 3};
    at_real y[MANY * EACH];
    bool same[MANY] = {true, true, true, true};
    run(ctx, "auto", false, ids, 0, MANY, y);
    for (int s = 0; s < MANY; s++)
        for (int i = 0; i < EACH; i++) same[s] &= (y[i] != 0) == (y[s * EACH + i] != 0);
    assert_true(same[2]);
    assert_false(same[1] || same[3]);
    at_test_done(ctx);
}

/* 100,000 draws: the share kept is within 5 standard deviations, kept ones are scaled, dropped ones are zero.
 */
AT_TEST(test_dropout__keeps_the_share_it_should)
{
    at_ctx *ctx = at_test_ctx();
    enum { N = 100000 };
    static at_real y[N];
    const double ps[] = {0.1, 0.5, 0.9};
    for (int j = 0; j < AT_COUNT(ps); j++) {
        const double p = ps[j];
        const at_op_case k = {
            .name = "here", .param = &(at_dropout_param){p}, .in = {{2, {1, N}}, {1, {1}}}, .int_below = 9};
        at_rig t;
        at_expect_ok(ctx, at_rig_build(&t, ctx, &at_op_dropout, &k, &(at_rig_options){0}));
        for (int i = 0; i < N; i++) t.data[0][i] = 1;
        at_expect_ok(ctx, at_rig_run(&t, &(at_real *){y}));
        at_rig_destroy(&t);
        int kept = 0;
        for (int i = 0; i < N; i++) {
            kept += y[i] != 0;
            assert_true(y[i] == 0 || fabs((double)y[i] * (1 - p) - 1) < 1e-6);
        }
        if (!(fabs(kept - N * (1 - p)) < 5 * sqrt(N * p * (1 - p))))
            fail_msg("p %g: %d of %d kept", p, kept, (int)N);
    }
    at_test_done(ctx);
}

/* Two dropouts of one site draw different masks, and each gradient that of its own forward. */
AT_TEST(test_dropout__gradients_use_the_mask_of_their_own_forward)
{
    at_ctx *ctx = at_test_ctx();
    at_device *device;
    at_store *store;
    at_graph *g;
    at_plan *plan;
    at_expect_ok(ctx, at_device_open(&device, ctx, "cpu"));
    at_expect_ok(ctx, at_store_create(&store, ctx, device));
    at_expect_ok(ctx, at_graph_create(&g, ctx, store, AT_TRAIN));
    const at_extent *e = at_graph_extent(g, "samples", 2);
    at_graph_site(g, "block.0");
    at_value *x = at_input(g, "x", AT_ACT, e, 2, (const int64_t[]){1, EACH});
    at_value *ids = at_input(g, "ids", AT_INT, e, 1, (const int64_t[]){1});
    at_value *dy = at_input(g, "dy", AT_ACT, e, 2, (const int64_t[]){1, EACH});
    x->want_grad = true;
    at_value *once = at_dropout(g, x, ids, 0.5), *twice = at_dropout(g, once, ids, 0.5);
    at_gradients(g, &twice, &dy, 1);
    at_expect_ok(ctx, at_graph_finish(g));
    at_expect_ok(ctx, at_plan_create(&plan, g,
                                     &(at_plan_options){.fetches = (at_value *const[]){once, twice, x->grad},
                                                        .n_fetches = 3}));
    at_real ones[2 * EACH], y1[2 * EACH], y2[2 * EACH], dx[2 * EACH];
    for (int i = 0; i < 2 * EACH; i++) ones[i] = 1;
    at_plan_write(plan, x, ones, 2);
    at_plan_write(plan, dy, ones, 2);
    at_plan_write(plan, ids, (const int32_t[]){6, 5}, 2);
    at_plan_run(plan, &(at_pass){.seed = 1, .extents = (const int64_t[]){2}});
    at_plan_fetch(plan, once, y1);
    at_plan_fetch(plan, twice, y2);
    at_plan_fetch(plan, x->grad, dx);
    at_expect_ok(ctx, at_plan_sync(plan));
    int only_once = 0;
    for (int i = 0; i < 2 * EACH; i++) only_once += y1[i] != 0 && y2[i] == 0;
    assert_true(only_once > 0);
    assert_memory_equal(dx, y2, sizeof dx); /* of ones, both are the product of the masks */
    at_plan_destroy(plan);
    at_graph_destroy(g);
    at_store_destroy(store);
    at_device_close(device);
    at_test_done(ctx);
}

AT_TEST(test_dropout__is_nothing_without_p_or_outside_training)
{
    at_ctx *ctx = at_test_ctx();
    for (int mode = AT_TRAIN; mode <= AT_EVAL; mode++) {
        at_graph *g;
        at_expect_ok(ctx, at_graph_create(&g, ctx, NULL, (at_mode)mode));
        at_value *x = at_input(g, "x", AT_ACT, at_graph_extent(g, "samples", 2), 2, (const int64_t[]){1, 4});
        assert_ptr_equal(at_dropout(g, x, NULL, mode == AT_TRAIN ? 0 : 0.5), x);
        at_expect_ok(ctx, at_graph_finish(g));
        at_graph_destroy(g);
    }
    at_test_done(ctx);
}
