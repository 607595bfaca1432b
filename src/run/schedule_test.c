/* schedule_test.c: warm-up and cosine as PyTorch's schedulers give them, and where schedules start and end.
 */
#include "formats/safetensors.h"
#include "run/schedule.h"
#include "tests/harness/test.h"
#include <math.h>

extern const at_schedule at_schedule_constant, at_schedule_cosine, at_schedule_linear;

enum { STEPS = 20, WARMUP = 4, TOTAL = 24 }; /* src/nn/golden.py */

AT_TEST(test_schedule__warm_up_and_cosine_equal_pytorch)
{
    at_ctx *ctx = at_test_ctx();
    at_safetensors *golden;
    at_expect_ok(ctx, at_safetensors_open(&golden, ctx, AT_SOURCE_DIR "/src/nn/golden.safetensors"));
    const at_tensor *factor = at_safetensors_find(golden, "factor");
    assert_true(factor && factor->count == STEPS);
    for (int t = 0; t < STEPS; t++) {
        const double got = at_schedule_factor(&at_schedule_cosine, t, TOTAL, WARMUP),
                     want = ((const double *)factor->data)[t];
        if (!(fabs(got - want) <= 1e-14)) fail_msg("step %d: factor %.17g, expected %.17g", t, got, want);
    }
    at_safetensors_close(ctx, golden);
    at_test_done(ctx);
}

AT_TEST(test_schedule__moves_from_the_first_step_to_the_last)
{
    static const at_schedule *const all[] = {&at_schedule_constant, &at_schedule_cosine, &at_schedule_linear};
    for (int i = 0; i < AT_COUNT(all); i++)
        for (int warmup = 0; warmup <= 3; warmup += 3)
            for (int total = warmup + 1; total < 9; total++) {
                double before = 0;
                for (int t = 0; t < total; t++) {
                    const double f = at_schedule_factor(all[i], t, total, warmup);
                    assert_true(f > 0 && f <= 1);
                    assert_true(t < warmup ? f > before : t == warmup ? f == 1.0 : f <= before);
                    before = f;
                }
            }
    assert_true(at_schedule_factor(&at_schedule_cosine, 5, 5, 5) == 1.0); /* nothing but warm-up */
}
