/* add_test.c: what the automatic suite cannot know: types must agree, and a value may be added to itself. */
#include "engine/plan.h"
#include "ops/add/add.h"
#include "tests/harness/test.h"

AT_TEST(test_add__refuses_mixed_types)
{
    at_ctx *ctx = at_test_ctx();
    at_graph *g;
    at_expect_ok(ctx, at_graph_create(&g, ctx, NULL, AT_TRAIN));
    const at_extent *e = at_graph_extent(g, "samples", 2);
    at_value *a = at_input(g, "a", AT_ACT, e, 2, (const int64_t[]){1, 4});
    at_value *b = at_input(g, "b", AT_ACC, e, 2, (const int64_t[]){1, 4});
    at_graph_site(g, "blocks.3");
    at_add(g, a, b);
    at_expect_error(ctx, at_graph_finish(g), AT_E_DTYPE, "blocks.3: add: one input is act, the other acc");
    at_graph_destroy(g);
    at_test_done(ctx);
}

/* y = x + x: both gradients are the same value, and their sum is 2 dy. */
AT_TEST(test_add__a_value_added_to_itself_learns_twice)
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
    at_value *x = at_input(g, "x", AT_ACT, e, 2, (const int64_t[]){1, 3});
    at_value *dy = at_input(g, "dy", AT_ACT, e, 2, (const int64_t[]){1, 3});
    x->want_grad = true;
    at_value *y = at_add(g, x, x);
    at_gradients(g, &y, &dy, 1);
    at_expect_ok(ctx, at_graph_finish(g));
    at_expect_ok(
        ctx, at_plan_create(&plan, g,
                            &(at_plan_options){.fetches = (at_value *const[]){y, x->grad}, .n_fetches = 2}));
    const at_real in[6] = {1, 2, 3, 4, 5, 6};
    at_real twice[6], dx[6];
    at_plan_write(plan, x, in, 2);
    at_plan_write(plan, dy, in, 2);
    at_plan_run(plan, &(at_pass){.extents = (const int64_t[]){2}});
    at_plan_fetch(plan, y, twice);
    at_plan_fetch(plan, x->grad, dx);
    at_expect_ok(ctx, at_plan_sync(plan));
    for (int i = 0; i < 6; i++) assert_true(twice[i] == 2 * in[i] && dx[i] == 2 * in[i]);
    at_plan_destroy(plan);
    at_graph_destroy(g);
    at_store_destroy(store);
    at_device_close(device);
    at_test_done(ctx);
}
