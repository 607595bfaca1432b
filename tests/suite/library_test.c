/* library_test.c: the verbs as a program of one's own calls them, several times on one context. */
#include <attune.h>

#include "tests/harness/scene.h"
#include "tests/harness/test.h"
#include <stdio.h>

typedef struct seen {
    at_ctx *ctx;
    int64_t stop_at; /* ask to stop at this step; 0 = never */
    int64_t steps, first, done;
    double batches; /* of the plan: steps in all */
} seen;

static void watch(void *data, const at_event *e)
{
    seen *s = data;
    if (e->kind == AT_EVENT_PLAN) s->batches = (double)e->steps;
    if (e->kind == AT_EVENT_DONE) s->done++;
    if (e->kind != AT_EVENT_STEP) return;
    if (!s->steps) s->first = e->step;
    s->steps = e->step;
    if (e->step == s->stop_at) at_request_stop(s->ctx);
}

static void set(at_ctx *ctx, at_recipe *r, const char *folder, const char *key, const char *name)
{
    char path[1200];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    at_expect_ok(ctx, at_recipe_set(r, key, path));
}

static void begin(seen *s, at_recipe **r, char folder[1024], const char *name)
{
    at_make_scene(folder, name, 6);
    *s = (seen){.ctx = at_test_ctx()};
    at_expect_ok(s->ctx, at_recipe_create(r, s->ctx));
    set(s->ctx, *r, folder, "model", "model");
    set(s->ctx, *r, folder, "data.train", "photos");
    set(s->ctx, *r, folder, "output", "run");
    at_expect_ok(s->ctx, at_recipe_set(*r, "train.epochs", "3"));
    at_expect_ok(s->ctx, at_recipe_set(*r, "train.log_every", "1"));
    at_expect_ok(s->ctx, at_recipe_set(*r, "train.batch_size", "5"));
}

/* A stop that was heard does not stop the next run; it goes on where the first ended. */
AT_TEST(test_library__a_stopped_run_is_continued_on_the_same_context)
{
    char folder[1024];
    seen s;
    at_recipe *r;
    begin(&s, &r, folder, "library-stop");
    s.stop_at = 4;
    at_expect_error(s.ctx, at_train(s.ctx, r, watch, &s), AT_E_INTERRUPTED,
                    "the state is saved: continue with --resume");
    assert_in_range(s.steps, 4, 5);
    assert_int_equal(s.done, 0);
    const int64_t last = s.steps;
    s = (seen){.ctx = s.ctx};
    at_expect_ok(s.ctx, at_recipe_set(r, "resume", "yes"));
    at_expect_ok(s.ctx, at_train(s.ctx, r, watch, &s));
    assert_int_equal(s.first, last + 1);
    assert_int_equal(s.done, 1);
    at_recipe_destroy(r);
    at_test_done(s.ctx);
}

/* What a run decided for itself is not told to the next one. */
AT_TEST(test_library__a_recipe_serves_several_runs)
{
    char folder[1024];
    seen s;
    at_recipe *r;
    begin(&s, &r, folder, "library-twice");
    at_expect_ok(s.ctx, at_train(s.ctx, r, watch, &s));
    const double before = s.batches;
    set(s.ctx, r, folder, "output", "second");
    at_expect_ok(s.ctx, at_recipe_set(r, "train.batch_size", "3"));
    at_expect_ok(s.ctx, at_recipe_set(r, "method", "head"));
    at_expect_ok(s.ctx, at_train(s.ctx, r, watch, &s));
    assert_true(s.batches > before);
    at_recipe_destroy(r);
    at_test_done(s.ctx);
}

AT_TEST(test_library__a_stop_ends_scoring_and_predicting)
{
    char folder[1024], photos[1100];
    seen s;
    at_recipe *r;
    begin(&s, &r, folder, "library-score");
    snprintf(photos, sizeof photos, "%s/photos", folder);
    const char *const paths[] = {photos};
    at_request_stop(s.ctx);
    at_expect_error(s.ctx, at_predict(s.ctx, r, paths, 1, watch, &s), AT_E_INTERRUPTED, "interrupted");
    at_expect_ok(s.ctx, at_predict(s.ctx, r, paths, 1, watch, &s));
    at_recipe_destroy(r);
    at_test_done(s.ctx);
}
