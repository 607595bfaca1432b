/* schedules_test.c: learning-rate factors against the formulas: (t + 1) / w while warming up, then the
 * schedule over the rest. */
#include "run/schedule.h"
#include "tests/harness/test.h"
#include <math.h>

static void expect_factors(const char *name, int64_t total, int64_t warmup, double (*after)(double progress))
{
    at_ctx *ctx = at_test_ctx();
    const at_schedule *s = at_registry_find(ctx, "schedule", name);
    assert_non_null(s);
    double last = 0;
    for (int64_t t = 0; t < total; t++) {
        const double got = at_schedule_factor(s, t, total, warmup);
        const double want = t < warmup ? (double)(t + 1) / (double)warmup
                                       : after((double)(t - warmup) / (double)(total - warmup));
        if (!(fabs(got - want) < 1e-12))
            fail_msg("%s: step %lld has %.15g, expected %.15g", name, (long long)t, got, want);
        assert_true(got > 0 && got <= 1); /* every step moves */
        if (t < warmup) assert_true(got > last);
        last = got;
    }
    at_test_done(ctx);
}

static double stays(double p)
{
    (void)p;
    return 1;
}

static double line(double p)
{
    return 1 - p;
}

static double half_cosine(double p)
{
    return (1 + cos(acos(-1.0) * p)) / 2;
}

AT_TEST(test_schedules__follow_their_formulas)
{
    static const int64_t sizes[][2] = {{100, 6}, {10, 0}, {1, 0}, {7, 6}, {3, 3}};
    for (int i = 0; i < AT_COUNT(sizes); i++) {
        expect_factors("constant", sizes[i][0], sizes[i][1], stays);
        expect_factors("linear", sizes[i][0], sizes[i][1], line);
        expect_factors("cosine", sizes[i][0], sizes[i][1], half_cosine);
    }
}
