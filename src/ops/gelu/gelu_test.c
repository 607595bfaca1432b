/* gelu_test.c: the error of the vectors' normal distribution, in its middle and in its tails. */
#include "ops/gelu/gelu.h"
#include "tests/harness/rig.h"
#include "tests/harness/test.h"
#include <math.h>

enum { N = 100000 };

/* y = x P(x), so that y / x shows P. */
static void expect_normal(const char *kernels, const at_real *x, const at_real *y)
{
    for (int i = 0; i < N; i++) {
        const double a = (double)x[i], want = 0.5 * erfc(-a / sqrt(2)), got = (double)y[i] / a;
        const double bound = 4e-7 * want * (1 + (a < 0 ? a * a / 2 : 0)) + 1e-37; /* subnormal tails */
        if (!(fabs(got - want) <= bound))
            fail_msg("%s: P(%.9g) = %.9g, expected %.9g", kernels, a, got, want);
    }
}

AT_TEST(test_gelu__tails_are_right_to_a_few_units_of_the_last_place)
{
    at_ctx *ctx = at_test_ctx();
    const char *const kernels[] = {"base", "avx2", "avx512"};
    static at_real x[N], y[N];
    for (int i = 0; i < AT_COUNT(kernels); i++) {
        const at_op_case k = {.name = "here", .param = &(at_gelu_param){AT_GELU_ERF}, .in = {{2, {1, N}}}};
        at_rig t;
        at_expect_ok(ctx, at_rig_build(&t, ctx, &at_op_gelu, &k, &(at_rig_options){.kernels = kernels[i]}));
        for (int e = 0; e < N; e++) x[e] = t.data[0][e] = (at_real)((e + 0.5) * 28 / N - 14);
        at_expect_ok(ctx, at_rig_run(&t, (at_real *const[]){y}));
        at_rig_destroy(&t);
        expect_normal(kernels[i], x, y);
    }
    at_test_done(ctx);
}
