/* torture_test.c: memory that runs out at each place where a training obtains some: store, graph, gradients,
 * layout, commit, plan, and the steps themselves. */
#include "tests/harness/small.h"
#include "tests/harness/test.h"
#include "tests/harness/torture.h"
#include "tests/toys/toys.h"

static at_status train_a_step(at_ctx *ctx, void *arg)
{
    at_small t;
    at_small_scalars s = {0};
    at_status status = at_small_open(&t, ctx, arg);
    if (status == AT_OK) {
        at_small_passes(&t, 0, false);
        at_small_commit(&t, 0, &s);
        status = at_plan_sync(t.plan);
        if (status == AT_OK && !((double)s.ok > 0)) status = AT_E_NONFINITE;
    }
    at_small_close(&t);
    return status;
}

AT_TEST(test_torture__a_training_without_memory_fails_cleanly)
{
    at_ctx *ctx = at_test_ctx();
    at_torture(ctx, train_a_step, &(at_small_options){.micro = 1});
    at_torture(ctx, train_a_step,
               &(at_small_options){.micro = 1, .adapter = &at_adapter_toy_gain, .no_prepared = true});
    at_torture(ctx, train_a_step, &(at_small_options){.micro = 1, .most_bytes = 1});
    at_test_done(ctx);
}

AT_TEST(test_torture__so_does_one_on_the_far_device)
{
    at_ctx *ctx = at_test_ctx();
    at_torture(ctx, train_a_step, &(at_small_options){.micro = 1, .device = "far"});
    at_test_done(ctx);
}
