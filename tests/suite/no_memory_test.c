/* no_memory_test.c: at_train, at_evaluate and at_predict while allocations fail: a message, nothing leaked,
 * no file left open, and what was there is intact. Here for a sample of the allocations;
 * no_memory_slow_test.c takes all. */
#include "run/recipe.h"
#include "tests/harness/program.h"
#include "tests/harness/scene.h"
#include "tests/harness/test.h"
#include "tests/harness/torture.h"
#include "tests/suite/starve.h"
#include <stdio.h>

typedef struct verb {
    at_ctx *own; /* of the test: not the one that starves */
    const char *folder, *method;
    char model[1200], photos[1200], output[1200];
    at_status (*run)(at_ctx *ctx, at_recipe *r, const struct verb *v);
} verb;

static at_status train(at_ctx *ctx, at_recipe *r, const verb *v)
{
    AT_TRY(at_recipe_set(r, "output", v->output));
    AT_TRY(at_recipe_set(r, "data.train", v->photos));
    AT_TRY(at_recipe_set(r, "method", v->method));
    AT_TRY(at_recipe_set(r, "train.steps", "2"));
    AT_TRY(at_recipe_set(r, "train.batch_size", "4"));
    return at_train(ctx, r, NULL, NULL);
}

static at_status evaluate(at_ctx *ctx, at_recipe *r, const verb *v)
{
    AT_TRY(at_recipe_set(r, "data.test", v->photos));
    return at_evaluate(ctx, r, NULL, NULL);
}

static at_status predict(at_ctx *ctx, at_recipe *r, const verb *v)
{
    const char *const paths[] = {v->photos};
    return at_predict(ctx, r, paths, 1, NULL, NULL);
}

static at_status inspect(at_ctx *ctx, at_recipe *r, const verb *v)
{
    (void)v;
    return at_inspect(ctx, r, NULL, NULL);
}

static at_status attempt(at_ctx *ctx, void *arg)
{
    verb *v = arg;
    at_recipe *r;
    at_expect_ok(v->own, at_folder_remove(v->own, v->output));
    AT_TRY(at_recipe_create(&r, ctx));
    at_status s = at_recipe_set(r, "model", v->model);
    if (s == AT_OK) s = at_recipe_set(r, "cache", "none");
    if (s == AT_OK) s = v->run(ctx, r, v);
    at_recipe_destroy(r);
    return s;
}

static void starve(const char *folder, int64_t stride, const char *method,
                   at_status (*run)(at_ctx *ctx, at_recipe *r, const verb *v))
{
    char before[65], after[65];
    at_ctx *ctx = at_test_ctx();
    verb v = {.own = at_test_ctx(), .folder = folder, .method = method, .run = run};
    snprintf(v.model, sizeof v.model, "%s/model", folder);
    snprintf(v.photos, sizeof v.photos, "%s/%s", folder, run == evaluate ? "insects" : "photos");
    snprintf(v.output, sizeof v.output, "%s/run", folder);
    at_folder_digest(before, folder, "run");
    at_torture_some(ctx, attempt, &v, 1 + stride / 2, stride);
    at_folder_digest(after, folder, "run");
    assert_string_equal(before, after);
    at_test_done(v.own);
    at_test_done(ctx);
}

void at_expect_starved(const char *name, int64_t stride)
{
    char folder[1024], insects[1100];
    at_make_scene(folder, name, 2);
    snprintf(insects, sizeof insects, "%s/insects", folder);
    at_make_photos(insects, "ant bee", 1, 0);
    starve(folder, stride, "full", train);
    starve(folder, stride, "head", train);
    starve(folder, stride, "probe", train);
    starve(folder, stride, NULL, evaluate);
    starve(folder, stride, NULL, predict);
    starve(folder, stride, NULL, inspect);
}

AT_TEST(test_no_memory__a_sample_of_allocations_fails)
{
    at_expect_starved("no-memory", 41);
}
