/* rope_test.c: positions out of range are told; turning back undoes a turn, at the far end of a long text,
 * too. */
#include "ops/rope/rope.h"
#include "tests/harness/rig.h"
#include "tests/harness/test.h"
#include <math.h>

static const char *const every_kernel[] = {"ref", "base", "avx2", "avx512"};

static at_status run(at_ctx *ctx, const char *kernels, const at_rope_param *p, const at_real *x,
                     const int32_t positions[2], at_real y[16])
{
    const at_op_case k = {.name = "here", .param = p, .in = {{2, {2, 8}}, {1, {2}}}, .int_below = 1};
    at_rig t;
    at_expect_ok(ctx, at_rig_build(&t, ctx, &at_op_rope, &k, &(at_rig_options){.kernels = kernels}));
    memcpy(t.data[0], x, 16 * sizeof *x);
    memcpy(t.data[1], positions, 2 * sizeof *positions);
    const at_status s = at_rig_run(&t, (at_real *const[]){y});
    at_rig_destroy(&t);
    at_clear_error(ctx);
    return s;
}

AT_TEST(test_rope__positions_out_of_range_are_a_defect)
{
    at_ctx *ctx = at_test_ctx();
    const at_rope_param p = {2, 5, 0, 100};
    const at_real x[16] = {1};
    at_real y[16];
    for (int i = 0; i < AT_COUNT(every_kernel); i++) {
        assert_int_equal(run(ctx, every_kernel[i], &p, x, (const int32_t[]){0, 4}, y), AT_OK);
        assert_int_equal(run(ctx, every_kernel[i], &p, x, (const int32_t[]){0, 5}, y), AT_E_INTERNAL);
        assert_int_equal(run(ctx, every_kernel[i], &p, x, (const int32_t[]){-1, 0}, y), AT_E_INTERNAL);
    }
    at_test_done(ctx);
}

AT_TEST(test_rope__turning_back_undoes_a_turn)
{
    at_ctx *ctx = at_test_ctx();
    const at_rope_param forth = {2, 8192, 0, 10000}, back = {2, 8192, 1, 10000};
    const int32_t positions[] = {8191, 63};
    at_real x[16], y[16], z[16];
    for (int i = 0; i < 16; i++) x[i] = (at_real)(i - 7);
    for (int i = 0; i < AT_COUNT(every_kernel); i++) {
        assert_int_equal(run(ctx, every_kernel[i], &forth, x, positions, y), AT_OK);
        assert_true(fabs((double)y[0] - ((double)x[0] * cos(8191) - (double)x[2] * sin(8191))) < 1e-5);
        assert_int_equal(run(ctx, every_kernel[i], &back, y, positions, z), AT_OK);
        for (int e = 0; e < 16; e++) assert_true(fabs((double)(z[e] - x[e])) < 1e-5);
    }
    at_test_done(ctx);
}
