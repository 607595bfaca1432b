/* sigmoid_xent_test.c: known answers, extreme logits, NaN. */
#include "ops/sigmoid_xent/sigmoid_xent.h"
#include "tests/harness/rig.h"
#include "tests/harness/test.h"
#include "tests/harness/tolerance.h"
#include <math.h>

enum { K = 4 };

typedef struct result {
    at_real loss, count, dlogits[K];
} result;

/* One sample. */
static result run(at_ctx *ctx, const double *logits, const double *targets)
{
    const at_op_case k = {.name = "here", .in = {{2, {1, K}}, {2, {1, K}}}};
    at_rig t;
    result r = {0};
    at_expect_ok(ctx, at_rig_build(&t, ctx, &at_op_sigmoid_xent, &k, &(at_rig_options){.saved = true}));
    for (int i = 0; i < K; i++) {
        t.data[0][i] = (at_real)logits[i];
        t.data[1][i] = (at_real)targets[i];
    }
    at_expect_ok(ctx, at_rig_run(&t, (at_real *const[]){&r.loss, &r.count, r.dlogits}));
    at_rig_destroy(&t);
    return r;
}

static void expect_near(at_real got, double want)
{
    const double tol =
        sizeof(at_real) == sizeof(double) ? 1e-9 : AT_TOL_KERNEL; /* answers have nine digits */
    if (!(fabs((double)got - want) <= tol * fmax(1, fabs(want))))
        fail_msg("%.12g, expected %.12g", (double)got, want);
}

/* softplus(-2) = .126928011, softplus(-1) = .313261688, softplus(0) = .693147181, softplus(.5) = .974076984
 */
AT_TEST(test_sigmoid_xent__known_answers)
{
    at_ctx *ctx = at_test_ctx();
    const result r = run(ctx, (const double[]){2, -1, 0, .5}, (const double[]){1, 0, 1, 0});
    expect_near(r.loss, .126928011 + .313261688 + .693147181 + .974076984);
    expect_near(r.count, K);
    expect_near(r.dlogits[0], -.119202922);
    expect_near(r.dlogits[1], .268941421);
    expect_near(r.dlogits[2], -.5);
    expect_near(r.dlogits[3], .622459331);
    at_test_done(ctx);
}

AT_TEST(test_sigmoid_xent__extreme_logits_do_not_overflow)
{
    const double inf = (double)INFINITY;
    at_ctx *ctx = at_test_ctx();
    result r = run(ctx, (const double[]){1e4, -1e4, 1e4, -1e4}, (const double[]){1, 1, 0, 0});
    expect_near(r.loss, 2e4);
    expect_near(r.dlogits[0], 0);
    expect_near(r.dlogits[1], -1);
    expect_near(r.dlogits[2], 1);
    r = run(ctx, (const double[]){inf, -inf, 0, 0}, (const double[]){1, 0, 0, 0}); /* right, and sure of it */
    expect_near(r.loss, 2 * .693147181);
    expect_near(r.dlogits[0], 0);
    r = run(ctx, (const double[]){inf, 0, 0, 0}, (const double[]){0, 0, 0, 0});
    assert_true(isinf((double)r.loss));
    at_test_done(ctx);
}

AT_TEST(test_sigmoid_xent__nan_logits_give_a_nan_loss)
{
    at_ctx *ctx = at_test_ctx();
    for (int at = 0; at < K; at++) {
        double z[K] = {0};
        z[at] = (double)NAN;
        const result r = run(ctx, z, (const double[]){0, 1, 0, 1});
        assert_true(isnan((double)r.loss) && isnan((double)r.dlogits[at]));
        assert_false(isnan((double)r.dlogits[(at + 1) % K]));
    }
    at_test_done(ctx);
}
