/* softmax_xent_test.c: known answers, rows that are not counted, extreme logits, labels out of range. */
#include "ops/softmax_xent/softmax_xent.h"
#include "tests/harness/rig.h"
#include "tests/harness/test.h"
#include "tests/harness/tolerance.h"
#include <math.h>

enum { ROWS = 3, CLASSES = 3 };

static const char *const every_kernel[] = {"ref", "base", "avx2", "avx512"};

typedef struct result {
    at_real loss, weight, dlogits[ROWS * CLASSES];
    at_status status;
} result;

static result run(at_ctx *ctx, const char *kernels, double smoothing, const double *logits,
                  const int32_t *labels, const double *weights)
{
    const at_softmax_xent_param param = {smoothing};
    at_op_case k = {
        .name = "here", .param = &param, .in = {{2, {ROWS, CLASSES}}, {1, {ROWS}}}, .int_below = 1};
    if (weights) k.in[2] = (at_shape){1, {CLASSES}};
    at_rig t;
    result r = {0};
    at_expect_ok(ctx, at_rig_build(&t, ctx, &at_op_softmax_xent, &k,
                                   &(at_rig_options){.saved = true, .kernels = kernels}));
    for (int i = 0; i < ROWS * CLASSES; i++) t.data[0][i] = (at_real)logits[i];
    memcpy(t.data[1], labels, ROWS * sizeof *labels);
    for (int i = 0; weights && i < CLASSES; i++) t.data[2][i] = (at_real)weights[i];
    r.status = at_rig_run(&t, (at_real *const[]){&r.loss, &r.weight, r.dlogits});
    at_rig_destroy(&t);
    return r;
}

static void expect_near(double got, double want, const char *what)
{
    const double tol =
        sizeof(at_real) == sizeof(double) ? 1e-9 : AT_TOL_KERNEL; /* answers have nine digits */
    if (!(fabs(got - want) <= tol * fmax(1, fabs(want))))
        fail_msg("%s: %.12g, expected %.12g", what, got, want);
}

/* logits [2, .5, -1]: label 0 costs .241311297, smoothed by .1 .391311297; label 2 costs 3.2413113 */
AT_TEST(test_softmax_xent__known_answers)
{
    at_ctx *ctx = at_test_ctx();
    const double z[] = {2, .5, -1, 2, .5, -1, 0, 0, 0};
    for (int i = 0; i < AT_COUNT(every_kernel); i++) {
        result r = run(ctx, every_kernel[i], 0, z, (const int32_t[]){0, AT_NO_LABEL, AT_NO_LABEL}, NULL);
        expect_near((double)r.loss, .241311297, "label 0");
        r = run(ctx, every_kernel[i], 0, z, (const int32_t[]){2, AT_NO_LABEL, AT_NO_LABEL}, NULL);
        expect_near((double)r.loss, 3.241311297, "label 2");
        r = run(ctx, every_kernel[i], .1, z, (const int32_t[]){0, AT_NO_LABEL, AT_NO_LABEL}, NULL);
        expect_near((double)r.loss, .391311297, "smoothed");
        r = run(ctx, every_kernel[i], 0, z, (const int32_t[]){0, 2, 1}, (const double[]){1, 2, .5});
        expect_near((double)r.loss, .241311297 + .5 * 3.241311297 + 2 * log(3), "weighted");
        expect_near((double)r.weight, 1 + .5 + 2, "sum of weights");
    }
    at_test_done(ctx);
}

AT_TEST(test_softmax_xent__rows_without_a_label_are_not_counted)
{
    at_ctx *ctx = at_test_ctx();
    const double z[] = {2, .5, -1, (double)NAN, 1, (double)INFINITY, 0, 0, 0};
    for (int i = 0; i < AT_COUNT(every_kernel); i++) {
        const result r = run(ctx, every_kernel[i], .1, z, (const int32_t[]){0, AT_NO_LABEL, 1}, NULL);
        expect_near((double)r.loss, .391311297 + log(3), "loss");
        expect_near((double)r.weight, 2, "count");
        for (int c = 0; c < CLASSES; c++) assert_true(r.dlogits[CLASSES + c] == 0);
    }
    at_test_done(ctx);
}

AT_TEST(test_softmax_xent__nan_logits_give_a_nan_loss)
{
    at_ctx *ctx = at_test_ctx();
    for (int at = 0; at < CLASSES; at++)
        for (int i = 0; i < AT_COUNT(every_kernel); i++) {
            double z[ROWS * CLASSES] = {0};
            z[CLASSES + at] = (double)NAN;
            const result r = run(ctx, every_kernel[i], 0, z, (const int32_t[]){0, 1, 2}, NULL);
            assert_true(isnan((double)r.loss));
            for (int c = 0; c < CLASSES; c++) assert_true(isnan((double)r.dlogits[CLASSES + c]));
            assert_false(isnan((double)r.dlogits[0]));
        }
    at_test_done(ctx);
}

AT_TEST(test_softmax_xent__extreme_logits_do_not_overflow)
{
    at_ctx *ctx = at_test_ctx();
    const double z[] = {1e4, -1e4, 0, -1e30, -1e30, -1e30, 5, -(double)INFINITY, 5};
    for (int i = 0; i < AT_COUNT(every_kernel); i++) {
        const result r = run(ctx, every_kernel[i], 0, z, (const int32_t[]){1, 0, 2}, NULL);
        expect_near((double)r.loss, 2e4 + log(3) + log(2), "loss");
        expect_near((double)r.dlogits[0], 1, "gradient of the largest");
        expect_near((double)r.dlogits[1], -1, "gradient of the label");
        expect_near((double)r.dlogits[7], 0, "gradient of an impossible class");
    }
    at_test_done(ctx);
}

AT_TEST(test_softmax_xent__labels_out_of_range_are_a_defect)
{
    at_ctx *ctx = at_test_ctx();
    const double z[ROWS * CLASSES] = {0};
    for (int i = 0; i < AT_COUNT(every_kernel); i++) {
        assert_int_equal(run(ctx, every_kernel[i], 0, z, (const int32_t[]){0, 1, 3}, NULL).status,
                         AT_E_INTERNAL);
        assert_int_equal(run(ctx, every_kernel[i], 0, z, (const int32_t[]){0, -1, 2}, NULL).status,
                         AT_E_INTERNAL);
        at_clear_error(ctx);
    }
    at_test_done(ctx);
}

AT_TEST(test_softmax_xent__class_weights_do_not_learn)
{
    at_ctx *ctx = at_test_ctx();
    const at_op_case *k = at_op_softmax_xent.cases;
    while (!k->in[2].rank) k++;
    at_rig t;
    const at_status s =
        at_rig_build(&t, ctx, &at_op_softmax_xent, k, &(at_rig_options){.wanted = 4, .seeded = 1});
    at_expect_error(ctx, s, AT_E_UNSUPPORTED, "never learns");
    at_rig_destroy(&t);
    at_test_done(ctx);
}
