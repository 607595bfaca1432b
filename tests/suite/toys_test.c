/* toys_test.c: the toy task and network through a whole run: ragged rows, no classes, an optimiser that needs
 * norms, an adapter; the same bits with and without cached features; three bad steps; and an adapter that
 * changes no draw. */
#include "formats/file.h"
#include "ops/linear/linear.h"
#include "tests/harness/report.h"
#include "tests/harness/small.h"
#include "tests/harness/test.h"
#include "tests/harness/toyfolder.h"
#include "tests/toys/toys.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { SAMPLES = 64 };

/* A file for the toy task; the largest sample is among the last, which validate. bad: targets that are no
 * numbers. */
static void write_data(at_ctx *ctx, const char *path, bool bad)
{
    static char text[1 << 16];
    size_t n = (size_t)snprintf(text, sizeof text, "%d %d %d\n", SAMPLES, AT_TOY_COLUMNS, AT_TOY_CODES);
    for (int i = 0; i < SAMPLES; i++) {
        const int rows = i == SAMPLES - 1 ? 9 : i % 4;
        n += (size_t)snprintf(text + n, sizeof text - n, "%s %d %d %d",
                              bad     ? "nan"
                              : i % 2 ? "1.5"
                                      : "-0.5",
                              i % AT_TOY_VOCABULARY, (i * 3 + 1) % AT_TOY_VOCABULARY, rows);
        for (int k = 0; k < rows * AT_TOY_COLUMNS; k++)
            n += (size_t)snprintf(text + n, sizeof text - n, " %.4f",
                                  sin(i + k) + (k % 3 == 0 ? i % 2 - 0.5 : 0));
        n += (size_t)snprintf(text + n, sizeof text - n, "\n");
    }
    at_expect_ok(ctx, at_file_write(ctx, path, text, n));
}

typedef struct run {
    at_ctx *ctx;
    at_recipe *recipe;
    char folder[1024], output[1100];
    double rmse;
} run;

static void keep_score(void *data, const at_event *e)
{
    run *t = data;
    for (int i = 0; i < e->n_scores && e->kind == AT_EVENT_DONE; i++)
        if (strcmp(e->scores[i].name, "rmse") == 0) t->rmse = e->scores[i].value;
}

static const at_kernel *another; /* of the next runs; NULL = none */

static at_status train(run *t, const char *name, bool bad, const char *const (*settings)[2], int n)
{
    char path[1200];
    *t = (run){.rmse = -1};
    t->ctx = at_test_ctx();
    at_toys_add(t->ctx);
    if (another) at_expect_ok(t->ctx, at_ctx_add(t->ctx, "kernel", another));
    at_expect_ok(t->ctx, at_ctx_add(t->ctx, "task", &at_task_toy_regression));
    at_toyfolder_model(t->ctx, at_test_folder(t->folder, name), false);
    snprintf(path, sizeof path, "%s/data.toy", t->folder);
    write_data(t->ctx, path, bad);
    snprintf(t->output, sizeof t->output, "%s/run", t->folder);
    at_expect_ok(t->ctx, at_recipe_create(&t->recipe, t->ctx));
    const char *const common[][2] = {{"model", t->folder},
                                     {"data.train", path},
                                     {"output", t->output},
                                     {"cache", "none"},
                                     {"train.learning_rate", "0.05"}};
    for (int i = 0; i < AT_COUNT(common); i++)
        at_expect_ok(t->ctx, at_recipe_set(t->recipe, common[i][0], common[i][1]));
    for (int i = 0; i < n; i++)
        at_expect_ok(t->ctx, at_recipe_set(t->recipe, settings[i][0], settings[i][1]));
    return at_train(t->ctx, t->recipe, keep_score, t);
}

static void end(run *t)
{
    at_recipe_destroy(t->recipe);
    at_test_done(t->ctx);
}

AT_TEST(test_toys__a_regression_on_ragged_rows_is_trained)
{
    static const char *const settings[][2] = {
        {"method", "[{train: [\"encode*\", head]}, {toy-gain: \"encode*\"}]"},
        {"train.optimizer", "toy-unit"},
        {"train.epochs", "20"},
        {"train.micro_batch", "5"}};
    run t;
    const at_status s = train(&t, "toy_run", false, settings, AT_COUNT(settings));
    at_expect_ok(t.ctx, s);
    if (!(t.rmse >= 0 && t.rmse < 0.8)) fail_msg("rmse %g; always saying the mean gives 1", t.rmse);
    end(&t);
}

/* What lies below the head is computed once, or at each step: the same result, bit for bit. */
AT_TEST(test_toys__cached_features_change_nothing)
{
    double rmse[2];
    for (int i = 0; i < 2; i++) {
        const char *const settings[][2] = {
            {"method", "[{train: head}]"}, {"train.epochs", "5"}, {"train.cache_features", i ? "yes" : "no"}};
        run t;
        const at_status s = train(&t, i ? "toy_cached" : "toy_computed", false, settings, AT_COUNT(settings));
        at_expect_ok(t.ctx, s);
        rmse[i] = t.rmse;
        end(&t);
    }
    assert_true(rmse[0] > 0);
    assert_memory_equal(&rmse[0], &rmse[1], sizeof rmse[0]);
}

AT_TEST(test_toys__three_bad_steps_stop_the_run_and_name_the_first_bad_value)
{
    static const char *const settings[][2] = {{"method", "[{train: head}]"}};
    run t;
    const at_status s = train(&t, "toy_bad", true, settings, AT_COUNT(settings));
    assert_non_null(
        strstr(at_last_error(t.ctx),
               "the first bad value is in loss (toy_squared), whose input 1 target is not finite"));
    at_expect_error(t.ctx, s, AT_E_NONFINITE, "training diverged: the steps 1 to 3 gave no finite gradient");
    end(&t);
}

static int racy_runs;

static at_status run_racy(const at_call *c)
{
    racy_runs++;
    return at_op_linear.ref(c);
}

static int highest(const at_problem *p)
{
    (void)p;
    return 1 << 20;
}

/* Whether features are computed once or not: that has a plan of its own. */
AT_TEST(test_toys__a_deterministic_run_has_no_kernel_that_depends_on_threads)
{
    static const at_kernel racy = {.name = "linear.racy",
                                   .op = &at_op_linear,
                                   .score = highest,
                                   .thread_dependent = true,
                                   .run = run_racy};
    another = &racy;
    for (int i = 0; i < 4; i++) {
        const char *const settings[][2] = {{"method", "[{train: head}]"},
                                           {"train.steps", "2"},
                                           {"train.cache_features", i & 1 ? "yes" : "no"},
                                           {"deterministic", i & 2 ? "true" : "false"}};
        run t;
        racy_runs = 0;
        const at_status s = train(&t, "toy_racy", false, settings, AT_COUNT(settings));
        at_expect_ok(t.ctx, s);
        assert_int_equal(racy_runs == 0, i / 2);
        end(&t);
    }
    another = NULL;
}

/* ---- Adapters in a network with dropout ---- */

AT_TEST(test_toys__a_neutral_adapter_changes_no_bit_and_no_draw)
{
    at_real logits[2][AT_SMALL_BATCH * AT_SMALL_CLASSES];
    at_report r = {0};
    for (int i = 0; i < 2; i++) {
        at_ctx *ctx = at_test_ctx();
        at_small t;
        at_expect_ok(
            ctx, at_small_open(&t, ctx,
                               &(at_small_options){.micro = 1, .adapter = i ? &at_adapter_toy_gain : NULL}));
        assert_int_equal(at_store_find(t.net.store, "wide.toy_gain") != NULL, i);
        at_small_passes(&t, 0, false);
        at_plan_fetch(t.plan, t.logits, logits[i]);
        at_expect_ok(ctx, at_plan_sync(t.plan));
        at_small_close(&t);
        at_test_done(ctx);
    }
    at_report_same(&r, "logits with dropout", logits[1], logits[0], sizeof logits[0]);
    at_expect_clean(&r);
}
