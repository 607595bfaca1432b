/* contrastive_loss_test.c: a pass without samples, here and of cosine_loss: cases of ops cannot say it where
 * an input has several rows a sample. */
#include "ops/contrastive_loss/contrastive_loss.h"
#include "tests/harness/rig.h"
#include "tests/harness/test.h"

static void expect_nothing(at_ctx *ctx, const at_op *op, const char *kernels)
{
    at_rig t;
    at_real loss = 7, count = 7, dx[256];
    at_expect_ok(ctx,
                 at_rig_build(&t, ctx, op, op->cases, &(at_rig_options){.saved = true, .kernels = kernels}));
    memset(t.rows, 0, sizeof t.rows);
    at_expect_ok(ctx, at_rig_run(&t, (at_real *const[]){&loss, &count, dx}));
    assert_true(loss == 0 && count == 0);
    at_rig_destroy(&t);
}

AT_TEST(test_losses_of_pairs__of_no_sample_are_0)
{
    static const char *const kernels[] = {"ref", "base", "avx2", "avx512"};
    at_ctx *ctx = at_test_ctx();
    for (int i = 0; i < AT_COUNT(kernels); i++) {
        expect_nothing(ctx, &at_op_contrastive_loss, kernels[i]);
        expect_nothing(ctx, &at_op_cosine_loss, kernels[i]);
    }
    at_test_done(ctx);
}
