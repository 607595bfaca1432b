/* correlation_test.c: known answers (scipy 1.17: pearsonr, spearmanr), ties, constants, numbers that are
 * none. */
#include "tasks/correlation.h"
#include "tests/harness/test.h"
#include "tests/harness/torture.h"
#include <math.h>

static const double x[] = {1, 2, 2, 4, 5, 3.5}, y[] = {2, 1, 4, 3, 7, 3};

static void expect_near(double got, double want)
{
    if (!(fabs(got - want) <= 1e-12)) fail_msg("%.15g, must be %.15g", got, want);
}

AT_TEST(test_correlation__known_answers)
{
    at_ctx *ctx = at_test_ctx();
    double rho;
    expect_near(at_pearson(x, y, 6), 0.7221437777117052);
    at_expect_ok(ctx, at_spearman(ctx, &rho, x, y, 6));
    expect_near(rho, 0.6470588235294118);
    at_test_done(ctx);
}

AT_TEST(test_correlation__constants_follow_nothing_and_nan_stays)
{
    at_ctx *ctx = at_test_ctx();
    const double constant[] = {3, 3, 3}, bad[] = {1, (double)NAN, 2};
    double rho;
    expect_near(at_pearson(constant, x, 3), 0);
    at_expect_ok(ctx, at_spearman(ctx, &rho, constant, x, 3));
    expect_near(rho, 0);
    assert_true(isnan(at_pearson(bad, x, 3)));
    at_expect_ok(ctx, at_spearman(ctx, &rho, bad, x, 3));
    assert_true(isnan(rho));
    at_test_done(ctx);
}

static at_status attempt(at_ctx *ctx, void *arg)
{
    return at_spearman(ctx, arg, x, y, 6);
}

AT_TEST(test_correlation__survives_without_memory)
{
    at_ctx *ctx = at_test_ctx();
    double rho;
    at_torture(ctx, attempt, &rho);
    at_test_done(ctx);
}
