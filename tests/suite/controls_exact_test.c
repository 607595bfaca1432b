/* controls_exact_test.c: negative controls: each plants a defect and expects the checks to turn red. A suite
 * in which these pass can fail. The defects are kernels and ops added to the test's own context. */
#include "engine/rows.h"
#include "ops/optim/adamw.h"
#include "ops/relu6/relu6.h"
#include "tests/harness/opcheck.h"
#include "tests/harness/test.h"
#include "tests/harness/tolerance.h"
#include <math.h>

static void expect_red(at_ctx *ctx, const at_op *op, const char *part)
{
    at_report r = {0};
    for (const at_op_case *k = op->cases; k->name; k++) at_check_kernels(ctx, op, k, &r);
    if (r.failures == 0) fail_msg("the defect was not seen in %d checks", r.checks);
    if (!strstr(r.first, part)) fail_msg("seen as \"%s\", expected \"%s\"", r.first, part);
    at_test_done(ctx);
}

static at_status flipped_sign(const at_call *c)
{
    at_status s = at_op_relu6_dx.ref(c);
    for (int64_t m = 0; m < c->out[0].rows; m++)
        for (int64_t i = 0; i < c->out[0].cols; i++) at_out_row(c, 0, m)[i] *= -1;
    return s;
}

AT_TEST(test_controls__a_flipped_sign_is_seen)
{
    at_ctx *ctx = at_test_ctx();
    const at_kernel k = {.name = "relu6_dx.flipped", .op = &at_op_relu6_dx, .run = flipped_sign};
    at_expect_ok(ctx, at_ctx_add(ctx, "kernel", &k));
    expect_red(ctx, &at_op_relu6_dx, "relu6_dx.flipped");
}

static at_status skips_last_row(const at_call *c)
{
    at_call fewer = *c;
    for (int i = 0; i < AT_MAX_IN; i++) fewer.in[i].rows--;
    fewer.out[0].rows--;
    return at_op_relu6.ref(&fewer);
}

AT_TEST(test_controls__a_skipped_row_is_seen)
{
    at_ctx *ctx = at_test_ctx();
    const at_kernel k = {.name = "relu6.skips", .op = &at_op_relu6, .run = skips_last_row};
    at_expect_ok(ctx, at_ctx_add(ctx, "kernel", &k));
    expect_red(ctx, &at_op_relu6, "relu6.skips");
}

static at_status ignores_accumulate(const at_call *c)
{
    at_call plain = *c;
    plain.accumulate = 0;
    return at_op_relu6.ref(&plain);
}

AT_TEST(test_controls__an_ignored_accumulate_is_seen)
{
    at_ctx *ctx = at_test_ctx();
    const at_kernel k = {.name = "relu6.overwrites", .op = &at_op_relu6, .run = ignores_accumulate};
    at_expect_ok(ctx, at_ctx_add(ctx, "kernel", &k));
    expect_red(ctx, &at_op_relu6, "accumulate");
}

static at_status writes_nan(const at_call *c)
{
    const at_status s = at_op_relu6.ref(c);
    if (c->out[0].rows > 0) at_out_row(c, 0, 0)[0] = (at_real)NAN;
    return s;
}

AT_TEST(test_controls__a_nan_is_seen)
{
    at_ctx *ctx = at_test_ctx();
    const at_kernel k = {.name = "relu6.nan", .op = &at_op_relu6, .run = writes_nan};
    at_expect_ok(ctx, at_ctx_add(ctx, "kernel", &k));
    expect_red(ctx, &at_op_relu6, "relu6.nan");
}

static at_status writes_beyond(const at_call *c)
{
    const at_status s = at_op_relu6.ref(c);
    at_out_row(c, 0, c->out[0].rows)[0] = 1;
    return s;
}

AT_TEST(test_controls__a_write_beyond_the_rows_is_seen)
{
    at_ctx *ctx = at_test_ctx();
    const at_kernel k = {.name = "relu6.beyond", .op = &at_op_relu6, .run = writes_beyond};
    at_expect_ok(ctx, at_ctx_add(ctx, "kernel", &k));
    expect_red(ctx, &at_op_relu6, "outside");
}

static at_status writes_between(const at_call *c)
{
    const at_status s = at_op_relu6.ref(c);
    const at_arg *y = &c->out[0];
    if (y->rows > 0 && y->pitch > y->cols) at_out_row(c, 0, 0)[y->cols] = 1;
    return s;
}

AT_TEST(test_controls__a_write_between_the_rows_is_seen)
{
    at_ctx *ctx = at_test_ctx();
    const at_kernel k = {.name = "relu6.between", .op = &at_op_relu6, .run = writes_between};
    at_expect_ok(ctx, at_ctx_add(ctx, "kernel", &k));
    expect_red(ctx, &at_op_relu6, "outside");
}

static at_status swallows_nan(const at_call *c)
{
    const at_status s = at_op_relu6.ref(c);
    for (int64_t m = 0; m < c->out[0].rows; m++)
        for (int64_t i = 0; i < c->out[0].cols; i++) {
            at_real *y = &at_out_row(c, 0, m)[i];
            if (isnan((double)*y)) *y = 0;
        }
    return s;
}

AT_TEST(test_controls__a_swallowed_nan_is_seen)
{
    at_ctx *ctx = at_test_ctx();
    const at_kernel k = {.name = "relu6.swallows", .op = &at_op_relu6, .run = swallows_nan};
    at_expect_ok(ctx, at_ctx_add(ctx, "kernel", &k));
    expect_red(ctx, &at_op_relu6, "NaN in input 0");
}

/* Reads its input after it has written the output: wrong where both are one memory. */
static at_status reads_late(const at_call *c)
{
    if (!(c->accumulate & 1))
        for (int64_t m = 0; m < c->out[0].rows; m++)
            for (int64_t i = 0; i < c->out[0].cols; i++) at_out_row(c, 0, m)[i] = 0;
    return at_op_relu6.ref(c);
}

AT_TEST(test_controls__an_input_overwritten_too_early_is_seen)
{
    at_ctx *ctx = at_test_ctx();
    const at_kernel k = {.name = "relu6.late", .op = &at_op_relu6, .run = reads_late};
    at_expect_ok(ctx, at_ctx_add(ctx, "kernel", &k));
    expect_red(ctx, &at_op_relu6, "in place of input 0");
}

/* ---- A step's defects ---- */

/* AdamW as if its moments had not started at zero. */
static at_status without_correction(const at_call *c)
{
    at_real late = 1000000;
    at_call wrong = *c;
    wrong.in[4].data = &late;
    return at_op_adamw.ref(&wrong);
}

AT_TEST(test_controls__an_optimizer_without_bias_correction_is_seen)
{
    at_ctx *ctx = at_test_ctx();
    const at_kernel k = {.name = "adamw.uncorrected", .op = &at_op_adamw, .run = without_correction};
    at_expect_ok(ctx, at_ctx_add(ctx, "kernel", &k));
    expect_red(ctx, &at_op_adamw, "adamw.uncorrected");
}

static at_status commits_anyway(const at_call *c)
{
    at_real yes = 1;
    at_call wrong = *c;
    wrong.in[2].data = &yes;
    return at_op_commit.ref(&wrong);
}

AT_TEST(test_controls__a_commit_despite_nan_is_seen)
{
    at_ctx *ctx = at_test_ctx();
    const at_kernel k = {.name = "commit.always", .op = &at_op_commit, .run = commits_anyway};
    at_expect_ok(ctx, at_ctx_add(ctx, "kernel", &k));
    expect_red(ctx, &at_op_commit, "commit.always, case ok, NaN in input 2");
}

static at_status updates_anyway(const at_call *c)
{
    at_real yes = 1;
    at_call wrong = *c;
    wrong.in[6].data = &yes;
    return at_op_adamw.ref(&wrong);
}

AT_TEST(test_controls__an_update_despite_nan_is_seen)
{
    at_ctx *ctx = at_test_ctx();
    const at_kernel k = {.name = "adamw.always", .op = &at_op_adamw, .run = updates_anyway};
    at_expect_ok(ctx, at_ctx_add(ctx, "kernel", &k));
    expect_red(ctx, &at_op_adamw, "adamw.always, case two, NaN in input 6");
}

static at_status never_minds(const at_call *c)
{
    const at_status s = at_op_clip.ref(c);
    for (int i = 0; i < 3; i += 2) /* scale and ok */
        if (c->out[i].data) at_out_row(c, i, 0)[0] = 1;
    return s;
}

AT_TEST(test_controls__a_test_of_finiteness_that_always_passes_is_seen)
{
    at_ctx *ctx = at_test_ctx();
    const at_kernel k = {.name = "clip.never_minds", .op = &at_op_clip, .run = never_minds};
    at_expect_ok(ctx, at_ctx_add(ctx, "kernel", &k));
    expect_red(ctx, &at_op_clip, "clip.never_minds");
}

/* NaN logits: the comparison that every golden of a network goes through must not let them pass. */
AT_TEST(test_controls__nan_logits_are_seen)
{
    const at_real want[] = {1, 2, 3, 4};
    for (int at = 0; at < 4; at++) {
        at_real got[] = {1, 2, 3, 4};
        at_report r = {0};
        at_report_close(&r, "logits", got, want, 4, AT_TOL_MODEL);
        assert_int_equal(r.failures, 0);
        got[at] = (at_real)NAN;
        at_report_close(&r, "logits", got, want, 4, AT_TOL_MODEL);
        at_report_close_to(&r, "logits", got, want, 4, AT_TOL_MODEL, 1e9);
        at_report_close_l2(&r, "logits", got, want, 4, AT_TOL_MODEL);
        assert_int_equal(r.failures, 3);
    }
}

/* An op whose gradient has the wrong sign, or passes everything, must fail the gradient check (double
 * library). */
static at_op flipped_dx; /* relu6_dx with the other sign */

static void flipped_grad(at_graph *g, const at_node *n, at_value *const *dy, at_value **dx)
{
    if (dx[0]) dx[0] = at_op1(g, &flipped_dx, NULL, n->out[0], dy[0]);
}

static void wrong_grad(at_graph *g, const at_node *n, at_value *const *dy, at_value **dx)
{
    (void)g, (void)n;
    if (dx[0]) dx[0] = dy[0]; /* passes everything, clipped or not */
}

AT_TEST(test_controls__a_wrong_gradient_is_seen)
{
    if (sizeof(at_real) != sizeof(double)) return;
    at_ctx *ctx = at_test_ctx();
    at_grad_fn const wrong[] = {flipped_grad, wrong_grad};
    flipped_dx = at_op_relu6_dx;
    flipped_dx.ref = flipped_sign;
    for (int i = 0; i < AT_COUNT(wrong); i++) {
        at_op op = at_op_relu6;
        op.grad = wrong[i];
        at_report r = {0};
        at_check_gradient(ctx, &op, op.cases, &r);
        assert_true(r.failures > 0);
    }
    at_test_done(ctx);
}

/* A reference that is 1 part in 10^6 off, and a case that the file does not have. */
static at_status slightly_off(const at_call *c)
{
    const at_status s = at_op_relu6.ref(c);
    for (int64_t m = 0; m < c->out[0].rows; m++)
        for (int64_t i = 0; i < c->out[0].cols; i++)
            at_out_row(c, 0, m)[i] *= (at_real)(sizeof(at_real) == sizeof(double) ? 1.000001 : 1.0001);
    return s;
}

AT_TEST(test_controls__a_difference_from_the_golden_is_seen)
{
    at_ctx *ctx = at_test_ctx();
    const char *path = AT_SOURCE_DIR "/src/ops/relu6/golden.safetensors";
    at_report r = {0};
    at_check_golden(ctx, &at_op_relu6, &at_op_relu6.cases[1], path, "ref", &r);
    assert_int_equal(r.failures, 0);
    at_op op = at_op_relu6;
    op.ref = slightly_off;
    at_check_golden(ctx, &op, &op.cases[1], path, "ref", &r);
    if (r.failures == 0 || !strstr(r.first, "out0")) fail_msg("seen as \"%s\"", r.first);
    r = (at_report){0};
    const at_op_case unknown = {.name = "unknown", .in = {{2, {3, 4}}}};
    at_check_golden(ctx, &at_op_relu6, &unknown, path, "ref", &r);
    if (r.failures == 0 || !strstr(r.first, "no in0")) fail_msg("seen as \"%s\"", r.first);
    at_test_done(ctx);
}
