/* tanh_test.c: the error of the vectors' tanh, in units of the last place. */
#include "ops/tanh/tanh.h"
#include "tests/harness/rig.h"
#include "tests/harness/test.h"
#include <math.h>

enum { N = 100000 };

static void expect_within(const char *kernels, const at_real *x, const at_real *y, double units)
{
    for (int i = 0; i < N; i++) {
        const double want = tanh((double)x[i]), unit = ldexp(1.0, ilogb(want) - 23);
        if (!(fabs((double)y[i] - want) <= units * unit))
            fail_msg("%s: tanh %.9g = %.9g, expected %.9g", kernels, (double)x[i], (double)y[i], want);
    }
}

AT_TEST(test_tanh__is_right_to_3_units_of_the_last_place)
{
    at_ctx *ctx = at_test_ctx();
    const char *const kernels[] = {"base", "avx2", "avx512"};
    static at_real x[N], y[N];
    for (int i = 0; i < AT_COUNT(kernels); i++) {
        const at_op_case k = {.name = "here", .in = {{2, {1, N}}}};
        at_rig t;
        at_expect_ok(ctx, at_rig_build(&t, ctx, &at_op_tanh, &k, &(at_rig_options){.kernels = kernels[i]}));
        for (int e = 0; e < N; e++) /* dense around zero, up to where it is 1 */
            x[e] = t.data[0][e] = (at_real)(pow(10, 7.0 * e / N - 6) * (e % 2 ? 1 : -1));
        at_expect_ok(ctx, at_rig_run(&t, (at_real *const[]){y}));
        at_rig_destroy(&t);
        expect_within(kernels[i], x, y, 3);
    }
    at_test_done(ctx);
}
