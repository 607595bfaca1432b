/* memory_test.c: once training is under way, neither the thread that runs the steps nor those of the pool
 * obtain memory: no malloc, no mmap, whoever calls it. */
#include "run/schedule.h"
#include "tests/harness/memwatch.h"
#include "tests/harness/small.h"
#include "tests/harness/test.h"
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

static at_ctx *ctx_of(int threads)
{
    at_ctx *ctx;
    if (at_ctx_create(&ctx, &(at_ctx_options){.threads = threads}) != AT_OK) fail_msg("no context");
    return ctx;
}

/* oneDNN obtains some hundred bytes a call (docs/design.md, Kernels): builds that have it make no promise. */
static bool has_kernels_of_a_library(const at_ctx *ctx)
{
    int cursor = 0;
    const at_kernel *k;
    while ((k = at_registry_next(ctx, "kernel", &cursor)))
        if (k->open) return true;
    return false;
}

/* A control: the watch sees malloc on this thread, inside the C library, and on the pool's. */
static void allocate(void *arg, int64_t i, int thread)
{
    (void)arg, (void)i, (void)thread;
    void *volatile p = malloc(100); /* volatile: a compiler may leave out what is not looked at */
    free(p);
}

AT_TEST(test_memory__the_watch_sees_every_thread_of_the_pool)
{
    at_ctx *ctx = ctx_of(5);
    at_memwatch_threads(ctx->pool);
    assert_int_equal(at_memwatch_count(), at_pool_threads(ctx->pool));
    at_memwatch_begin();
    at_parallel_for(ctx->pool, 40, allocate, NULL);
    assert_int_equal(at_memwatch_end(), 40);
    at_memwatch_begin();
    void *volatile p = realloc(NULL, 10);
    free(p);
    p = strdup("inside the C library");
    free(p);
    p = aligned_alloc(64, 64);
    free(p);
    assert_int_equal(at_memwatch_end(), 3);
#ifndef __SANITIZE_ADDRESS__
    at_memwatch_begin();
    munmap(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), 4096);
    assert_int_equal(at_memwatch_end(), 1);
#endif
    at_memwatch_begin();
    assert_int_equal(at_memwatch_end(), 0);
    at_test_done(ctx);
}

AT_TEST(test_memory__steps_obtain_none)
{
    static const char *const kernels[] = {"auto", "base"};
    for (int k = 0; k < AT_COUNT(kernels); k++) {
        at_ctx *ctx = ctx_of(3);
        if (has_kernels_of_a_library(ctx)) {
            at_test_done(ctx);
            AT_SKIP("a library's kernels obtain memory");
        }
        at_small t;
        at_small_scalars s;
        at_expect_ok(ctx, at_small_open(&t, ctx, &(at_small_options){.kernels = kernels[k]}));
        at_memwatch_threads(ctx->pool);
        for (int a = 0; a < 20; a++) {
            if (a == 2) at_memwatch_begin(); /* steps 3 to 20 */
            at_small_passes(&t, a, false);
            at_small_commit(&t, a, &s);
            at_expect_ok(ctx, at_plan_sync(t.plan));
        }
        assert_int_equal(at_memwatch_end(), 0);
        at_small_close(&t);
        at_test_done(ctx);
    }
}

/* ---- The program's own loop. A schedule is asked once a step: it tells when the steps are. ---- */

static int n_asked;
static int64_t n_seen = -1;

static double counts_steps(double progress)
{
    (void)progress;
    if (++n_asked == 4) at_memwatch_begin();
    if (n_asked == 21) n_seen = at_memwatch_end();
    return 1.0;
}

AT_TEST(test_memory__the_training_loop_obtains_none)
{
    const at_schedule schedule = {.name = "counting", .doc = "constant, counted", .factor = counts_steps};
    at_ctx *ctx = ctx_of(2);
    char folder[1024], output[1100];
    if (has_kernels_of_a_library(ctx)) {
        at_test_done(ctx);
        AT_SKIP("a library's kernels obtain memory");
    }
    at_recipe *recipe;
    at_expect_ok(ctx, at_ctx_add(ctx, "schedule", &schedule));
    at_expect_ok(ctx, at_recipe_create(&recipe, ctx));
    snprintf(output, sizeof output, "%s/run", at_test_folder(folder, "memory_loop"));
    const char *const settings[][2] = {{"model", AT_SOURCE_DIR "/demo/model"},
                                       {"data.train", AT_SOURCE_DIR "/demo/photos/train"},
                                       {"data.valid", "none"},
                                       {"output", output},
                                       {"method", "last:1"},
                                       {"train.batch_size", "4"},
                                       {"train.steps", "24"},
                                       {"train.warmup", "0"},
                                       {"train.log_every", "1000"},
                                       {"train.schedule", "counting"},
                                       {"cache", "none"}};
    for (int i = 0; i < AT_COUNT(settings); i++)
        at_expect_ok(ctx, at_recipe_set(recipe, settings[i][0], settings[i][1]));
    at_memwatch_threads(ctx->pool);
    at_expect_ok(ctx, at_train(ctx, recipe, NULL, NULL));
    assert_true(n_asked >= 24);
    assert_int_equal(n_seen, 0);
    at_recipe_destroy(recipe);
    at_test_done(ctx);
}
