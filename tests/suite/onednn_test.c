/* onednn_test.c: kernels by oneDNN (builds with -DAT_ONEDNN=ON), beside what ops_test.c says of every kernel:
 * where they are named they run, threads and devices change no bit, a network equals PyTorch with them. */
#include "tests/harness/modelcheck.h"
#include "tests/harness/report.h"
#include "tests/harness/small.h"
#include "tests/harness/torture.h"
#include <stdlib.h>

#define FIRST "auto+onednn"

/* Nodes that run by oneDNN. */
static int count(const at_plan *p)
{
    int cursor = 0, n = 0;
    at_plan_line line;
    while (at_plan_next(p, &cursor, &line)) n += line.kernel && strstr(line.kernel->name, ".onednn") != NULL;
    return n;
}

AT_TEST(test_onednn__runs_where_it_is_named)
{
    static const char *const policies[] = {"base", "auto", FIRST};
    for (int i = 0; i < AT_COUNT(policies); i++) {
        at_ctx *ctx = at_test_ctx();
        at_small t;
        at_expect_ok(ctx, at_small_open(&t, ctx, &(at_small_options){.kernels = policies[i]}));
        /* its one convolution without groups has few channels: taken by itself where that was measured */
        assert_int_equal(count(t.plan), i == 2 || (i == 1 && ctx->isa == AT_ISA_AVX2));
        at_small_close(&t);
        at_test_done(ctx);
    }
}

static at_real *train(int threads, const at_small_options *o, int64_t *n)
{
    at_ctx *ctx;
    if (at_ctx_create(&ctx, &(at_ctx_options){.threads = threads}) != AT_OK) fail_msg("no context");
    at_real *x = at_small_train(ctx, o, n);
    at_test_done(ctx);
    return x;
}

AT_TEST(test_onednn__same_bits_for_threads_budget_and_device)
{
    static const struct {
        const char *what;
        int threads;
        at_small_options options;
    } others[] = {{"2 threads", 2, {.kernels = FIRST}},
                  {"5 threads", 5, {.kernels = FIRST}},
                  {"budget 0", 2, {.kernels = FIRST, .no_prepared = true}},
                  {"far", 2, {.kernels = FIRST, .device = "far"}},
                  {"what lies behind the rows", 2, {.kernels = FIRST, .poison = true}}};
    int64_t n, m;
    at_report r = {0};
    at_real *x = train(1, &(at_small_options){.kernels = FIRST}, &n);
    for (int i = 0; i < AT_COUNT(others); i++) {
        at_real *y = train(others[i].threads, &others[i].options, &m);
        assert_int_equal(n, m);
        at_report_same(&r, others[i].what, x, y, (size_t)n * sizeof *x);
        free(y);
    }
    at_expect_clean(&r);
    free(x);
}

AT_TEST(test_onednn__a_network_equals_pytorch)
{
    static const char *const folders[] = {AT_SOURCE_DIR "/src/models/resnet/golden_hf",
                                          AT_SOURCE_DIR "/src/models/resnet/golden_timm"};
    at_ctx *ctx = at_test_ctx();
    at_trace trace = at_trace_sgd;
    trace.kernels = FIRST;
    for (int i = 0; i < AT_COUNT(folders); i++) {
        at_check_output(ctx,
                        &(at_model_case){.folder = folders[i], .tensor = "eval.logits", .kernels = FIRST});
        at_check_trace(ctx, folders[i], "cpu", &trace, false);
    }
    at_test_done(ctx);
}

static at_status attempt(at_ctx *ctx, void *arg)
{
    at_small t;
    const at_status s = at_small_open(&t, ctx, arg);
    at_small_close(&t);
    return s;
}

AT_TEST(test_onednn__survives_every_failed_allocation)
{
    at_ctx *ctx = at_test_ctx();
    at_torture(ctx, attempt, &(at_small_options){.kernels = FIRST});
    at_test_done(ctx);
}
