/* maxpool_test.c: what the automatic suite and its goldens cannot know: where NaN and infinities go. */
#include "ops/maxpool/maxpool.h"
#include "tests/harness/rig.h"
#include "tests/harness/test.h"
#include <math.h>

enum { WIDTH = 5 };

static const at_maxpool_param three = {.kernel = 3, .stride = 1, .pad = 1};
static const at_op_case line = {.name = "line", .param = &three, .in = {{4, {1, 1, WIDTH, 1}}}};

/* y, or the gradient of x for dy = 1, of one line of pixels. */
static void run_line(at_ctx *ctx, const double x[WIDTH], bool gradient, at_real out[WIDTH])
{
    at_rig t;
    at_expect_ok(ctx, at_rig_build(&t, ctx, &at_op_maxpool, &line,
                                   &(at_rig_options){.wanted = gradient, .seeded = gradient}));
    for (int i = 0; i < WIDTH; i++) {
        t.data[0][i] = (at_real)x[i];
        t.seeds[0][i] = 1;
    }
    at_expect_ok(ctx, at_rig_run(&t, (at_real *[]){out}));
    at_rig_destroy(&t);
}

static void expect_line(const double x[WIDTH], const double y[WIDTH], const double dx[WIDTH])
{
    at_ctx *ctx = at_test_ctx();
    at_real got[WIDTH];
    run_line(ctx, x, false, got);
    for (int i = 0; i < WIDTH; i++) assert_true(isnan(y[i]) ? isnan((double)got[i]) : (double)got[i] == y[i]);
    run_line(ctx, x, true, got);
    for (int i = 0; i < WIDTH; i++) assert_true((double)got[i] == dx[i]);
    at_test_done(ctx);
}

AT_TEST(test_maxpool__nan_wins_every_window_it_is_in)
{
    const double nan = (double)NAN;
    expect_line((const double[]){1, nan, 2, 3, 0}, (const double[]){nan, nan, nan, 3, 3},
                (const double[]){0, 3, 0, 2, 0});
}

/* A window of nothing but minus infinity has a first element, too; the padding is none. */
AT_TEST(test_maxpool__takes_minus_infinity_from_the_picture)
{
    const double low = -(double)INFINITY;
    expect_line((const double[]){low, low, low, low, -7}, (const double[]){low, low, low, -7, -7},
                (const double[]){2, 1, 0, 0, 2});
}
