/* commands_test.c: every command on tiny inputs, from outside: exit codes, JSON lines, what is left behind.
 */
#include "tests/harness/program.h"
#include "tests/harness/scene.h"
#include "tests/harness/test.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- JSON ---- */

static double number(const at_tree *t, const char *path)
{
    const at_tree *x = at_tree_at(t, path);
    if (!x || (x->kind != AT_NUMBER && x->kind != AT_WHOLE)) fail_msg("no number %s", path);
    return x->number;
}

static const char *text(const at_tree *t, const char *path)
{
    const at_tree *x = at_tree_at(t, path);
    if (!x || x->kind != AT_STRING) fail_msg("no text %s", path);
    return x->text;
}

/* A map with these keys in this order and no other. */
static void expect_keys(const at_tree *t, const char *keys)
{
    at_ctx *ctx = at_test_ctx();
    at_text found;
    at_text_init(&found, ctx);
    assert_non_null(t);
    for (const at_tree *c = t->first; c; c = c->next)
        at_text_printf(&found, "%s%s", c == t->first ? "" : " ", c->key);
    assert_string_equal(found.data, keys);
    at_text_deinit(&found);
    at_test_done(ctx);
}

/* The main score is the first, every score is there, and those between 0 and 1 are fractions. */
static void expect_scores(const at_tree *scores)
{
    static const char *const fractions[] = {"accuracy", "balanced_accuracy", "macro_f1", "roc_auc",
                                            "average_precision"};
    for (int i = 0; i < AT_COUNT(fractions); i++) {
        const double x = number(scores, fractions[i]);
        assert_true(x >= 0 && x <= 1);
    }
    assert_true(number(scores, "log_loss") > 0);
    assert_true(fabs(number(scores, "matthews_correlation")) <= 1);
    assert_string_equal(scores->first->key, "accuracy");
    assert_int_equal(scores->n, 7);
}

typedef struct ran { /* a command and its events */
    at_ctx *ctx;
    at_arena arena;
    at_output output;
    at_tree *lines;
} ran;

static void run(ran *r, const char *folder, const char *line)
{
    r->ctx = at_test_ctx();
    at_arena_init(&r->arena, r->ctx);
    at_attune(&r->output, folder, "%s --json --quiet", line);
    if (r->output.code != 0) fail_msg("%s: %s", line, r->output.err);
    assert_string_equal(r->output.err, "");
    r->lines = at_json_lines(&r->arena, r->output.out);
}

static void done(ran *r)
{
    at_output_free(&r->output);
    at_arena_deinit(&r->arena);
    at_test_done(r->ctx);
}

/* ---- train ---- */

#define DONE_KEYS                                                                                            \
    "event run valid test test_samples steps best_step trainable_parameters seconds samples_per_second "     \
    "peak_memory_bytes first_step_seconds"

AT_TEST(test_commands__train_tells_what_it_did)
{
    char folder[1024];
    ran r;
    at_make_scene(folder, "commands-train", 8);
    run(&r, folder,
        "train model photos --output run --data.test 25% --data.valid 25% --train.epochs 2 "
        "--train.batch_size 4 "
        "--logging_steps 1");
    const at_tree *plan = at_event_named(r.lines, "plan", 0), *end = at_event_named(r.lines, "done", -1);
    const at_tree *step = at_event_named(r.lines, "step", 0),
                  *score = at_event_named(r.lines, "evaluation", 0);
    assert_ptr_equal(plan, r.lines->first);
    assert_ptr_equal(end, r.lines->last);
    expect_keys(end, DONE_KEYS);
    assert_string_equal(text(end, "run"), "run");
    expect_scores(at_tree_get(end, "valid"));
    expect_scores(at_tree_get(end, "test"));
    assert_int_equal((int)number(end, "test_samples"), 6);
    assert_int_equal((int)number(end, "steps"), 6);
    assert_true(number(end, "seconds") >= number(end, "first_step_seconds"));
    assert_true(number(end, "first_step_seconds") > 0 && number(end, "samples_per_second") > 0);
    assert_true(number(end, "peak_memory_bytes") > 1 << 20);
    expect_keys(at_tree_get(plan, "samples"), "train valid test");
    assert_int_equal((int)number(plan, "samples.train"), 12);
    assert_int_equal((int)number(plan, "samples.valid"), 6);
    assert_int_equal((int)number(plan, "outputs"), 3);
    assert_true(number(plan, "trainable_parameters") == number(end, "trainable_parameters"));
    expect_keys(step, "event step steps epoch loss grad_norm learning_rate samples_per_second");
    assert_true(number(step, "samples_per_second") > 0); /* from the first step on */
    assert_non_null(at_event_named(r.lines, "step", 5));
    assert_null(at_event_named(r.lines, "step", 6));
    expect_keys(score, "event split step epoch scores");
    expect_scores(at_tree_get(score, "scores"));
    assert_string_equal(text(score, "split"), "valid");
    assert_int_equal((int)number(score, "step"), 3);
    expect_keys(at_event_named(r.lines, "checkpoint", 0), "event step path");
    done(&r);
}

AT_TEST(test_commands__train_leaves_a_run_folder)
{
    static const char *const files[] = {"recipe.yaml",
                                        "metrics.jsonl",
                                        "log.txt",
                                        "report.html",
                                        "result.json",
                                        "events.out.tfevents.1.attune",
                                        "model/config.json",
                                        "model/model.safetensors",
                                        "model/preprocessor_config.json",
                                        "checkpoints/best/state.safetensors",
                                        "checkpoints/step-00000002/state.safetensors"};
    char folder[1024], run_folder[1100], path[1400], *metrics;
    size_t n;
    at_make_scene(folder, "commands-folder", 4);
    at_attune_expect(0, folder, "train model photos --output run --train.epochs 2");
    at_ctx *ctx = at_test_ctx();
    for (int i = 0; i < AT_COUNT(files); i++) {
        snprintf(path, sizeof path, "%s/run/%s", folder, files[i]);
        if (!at_path_exists(path)) fail_msg("%s is missing", path);
    }
    at_arena a;
    const char **names;
    int64_t n_names;
    at_arena_init(&a, ctx);
    snprintf(run_folder, sizeof run_folder, "%s/run", folder);
    at_expect_ok(ctx, at_folder_list(&a, &names, &n_names, run_folder));
    assert_int_equal(n_names, 8); /* and nothing else: no temporary file */
    snprintf(path, sizeof path, "%s/run/metrics.jsonl", folder);
    at_expect_ok(ctx, at_file_read(ctx, &metrics, &n, path, 1 << 20));
    const at_tree *lines = at_json_lines(&a, metrics);
    assert_int_equal(lines->n, 2 + 2 + 1); /* steps, evaluations, the verdict on the best */
    for (const at_tree *t = lines->first; t; t = t->next) assert_true(number(t, "step") >= 1);
    at_free(ctx, metrics);
    at_arena_deinit(&a);
    at_test_done(ctx);
}

/* ---- eval, predict ---- */

AT_TEST(test_commands__a_run_folder_is_a_model)
{
    char folder[1024];
    ran trained, by_run, by_model;
    at_make_scene(folder, "commands-model", 6);
    run(&trained, folder, "train model photos --output run --train.epochs 3 --data.test 50%");
    run(&by_run, folder, "eval run photos");
    run(&by_model, folder, "eval run/model photos");
    const at_tree *scores = at_event_named(by_run.lines, "evaluation", 0);
    assert_int_equal(by_run.lines->n, 1);
    expect_scores(at_tree_get(scores, "scores"));
    assert_string_equal(text(scores, "split"), "test");
    assert_string_equal(by_run.output.out, by_model.output.out);
    done(&by_model);
    run(&by_model, folder, "train run photos --output again --train.epochs 1");
    assert_int_equal((int)number(at_event_named(by_model.lines, "plan", 0), "outputs"), 3);
    done(&by_model);
    done(&by_run);
    done(&trained);
}

/* The network that is handed over is the one that was judged: the same scores to the last bit. */
AT_TEST(test_commands__what_is_handed_over_was_judged)
{
    char folder[1024], path[1400];
    ran trained, scored;
    at_make_scene(folder, "commands-handed", 6);
    snprintf(path, sizeof path, "%s/all", folder);
    at_make_photos(strcat(path, "/train"), "cat dog emu", 6, 0);
    snprintf(path, sizeof path, "%s/all/test", folder);
    at_make_photos(path, "cat dog emu", 5, 50);
    run(&trained, folder, "train model all --output run --train.epochs 4 --train.learning_rate 3e-3");
    run(&scored, folder, "eval run all");
    const at_tree *before = at_tree_at(at_event_named(trained.lines, "done", 0), "test");
    const at_tree *after = at_tree_at(at_event_named(scored.lines, "evaluation", 0), "scores");
    expect_scores(before);
    for (const at_tree *x = before->first; x; x = x->next) assert_true(x->number == number(after, x->key));
    done(&scored);
    done(&trained);
}

AT_TEST(test_commands__predict_gives_probabilities)
{
    char folder[1024];
    ran r;
    at_make_scene(folder, "commands-predict", 2);
    run(&r, folder, "predict model photos/dog photos/cat/01.jpg");
    static const char *const files[] = {"photos/dog/00.jpg", "photos/dog/01.jpg", "photos/cat/01.jpg"};
    assert_int_equal(r.lines->n, 3);
    for (int i = 0; i < 3; i++) {
        const at_tree *p = at_event_named(r.lines, "prediction", i);
        expect_keys(p, "event file label probabilities");
        assert_string_equal(text(p, "file"), files[i]);
        const at_tree *all = at_tree_get(p, "probabilities"), *best = all->first;
        expect_keys(all, "ant bee fly moth wasp");
        double sum = 0;
        for (const at_tree *x = all->first; x; x = x->next) {
            assert_true(x->number >= 0 && x->number <= 1);
            sum += x->number;
            if (x->number > best->number) best = x;
        }
        assert_true(fabs(sum - 1) < 1e-6);
        assert_string_equal(text(p, "label"), best->key);
    }
    done(&r);
}

AT_TEST(test_commands__predict_does_not_depend_on_the_batch)
{
    char folder[1024];
    at_output one, all;
    at_make_scene(folder, "commands-batch", 5);
    at_attune(&all, folder, "predict model photos --json");
    at_attune(&one, folder, "predict model photos --json --train.micro_batch 1");
    assert_int_equal(all.code, 0);
    assert_string_equal(one.out, all.out);
    at_output_free(&one);
    at_output_free(&all);
}

/* ---- inspect, env ---- */

AT_TEST(test_commands__inspect_lists_tensors)
{
    char folder[1024];
    ran r;
    at_make_scene(folder, "commands-inspect", 1);
    run(&r, folder, "inspect model");
    const at_tree *plan = r.lines->first;
    assert_int_equal(r.lines->n, 1);
    assert_string_equal(text(plan, "architecture"), "mobilenet_v2");
    assert_int_equal((int)number(plan, "parameters"), 16805);
    const at_tree *tensors = at_tree_get(plan, "tensors");
    assert_non_null(tensors);
    double sum = 0;
    for (const at_tree *t = tensors->first; t; t = t->next) {
        double count = 1;
        for (const at_tree *d = at_tree_get(t, "shape")->first; d; d = d->next) count *= d->number;
        const bool statistic = strstr(text(t, "name"), "running_") || strstr(text(t, "name"), "num_batches");
        if (!statistic) sum += count;
    }
    assert_true(sum == number(plan, "parameters"));
    done(&r);
}

AT_TEST(test_commands__env_describes_the_machine)
{
    char folder[1024];
    at_output o;
    at_make_scene(folder, "commands-env", 1);
    at_attune(&o, folder, "env --isa base --json");
    assert_int_equal(o.code, 0);
    at_ctx *ctx = at_test_ctx();
    at_arena a;
    at_arena_init(&a, ctx);
    const at_tree *t = at_json_lines(&a, o.out)->first;
    assert_string_equal(text(t, "version"), AT_VERSION);
    assert_string_equal(text(t, "instruction_set_used"), "base");
    assert_true(number(t, "threads") >= 1 && number(t, "memory_bytes") > 0);
    assert_non_null(strstr(text(t, "variables.ATTUNE_CACHE"), "/.cache"));
    at_arena_deinit(&a);
    at_test_done(ctx);
    at_output_free(&o);
}

/* ---- demo ---- */

static void make_demo(const char *folder)
{
    char path[1400], command[3000];
    snprintf(path, sizeof path, "%s/demo/photos/train", folder);
    at_make_photos(path, "cat dog", 8, 0);
    snprintf(path, sizeof path, "%s/demo/photos/test", folder);
    at_make_photos(path, "cat dog", 8, 50);
    snprintf(command, sizeof command, "cp -r '%s/model' '%s/demo/model' && mkdir '%s/demo/recipes'", folder,
             folder, folder);
    assert_int_equal(system(command), 0);
    snprintf(path, sizeof path, "%s/demo/recipes", folder);
    at_put_text(path, "1-head.yaml", "method: probe\ndata: { valid: none }\n");
}

AT_TEST(test_commands__demo_compares_recipes)
{
    char folder[1024], recipes[1100];
    ran r;
    at_make_scene(folder, "commands-demo", 1);
    make_demo(folder);
    snprintf(recipes, sizeof recipes, "%s/demo/recipes", folder);
    /* A rate of almost 0: it knows no more than when it began. */
    at_put_text(recipes, "2-scratch.yaml",
                "method: scratch\ndata: { valid: none }\ntrain: { epochs: 1, learning_rate: 1e-9, "
                "head_learning_rate: 1e-9 }\n");
    run(&r, folder, "demo demo --output shown");
    done(&r);
    at_ctx *ctx = at_test_ctx();
    char path[1400];
    snprintf(path, sizeof path, "%s/shown/report.html", folder);
    assert_true(at_path_exists(path));
    at_test_done(ctx);
}

AT_TEST(test_commands__demo_fails_where_tuning_gains_nothing)
{
    char folder[1024], recipes[1100];
    at_make_scene(folder, "commands-demo-fails", 1);
    make_demo(folder);
    snprintf(recipes, sizeof recipes, "%s/demo/recipes", folder);
    at_put_text(recipes, "2-scratch.yaml", "method: probe\ndata: { valid: none }\n");
    at_attune_expect(1, folder, "demo demo --output shown");
}

/* ---- Odd names, odd lines ---- */

AT_TEST(test_commands__paths_are_taken_as_they_are)
{
    static const char *const names[] = {"photos #2", "[old]", "a: b", "~", "12", "true", "no"};
    char folder[1024], path[1400], command[3000];
    at_make_scene(folder, "commands-paths", 3);
    for (int i = 0; i < AT_COUNT(names); i++) {
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        snprintf(command, sizeof command, "cp -r '%s/photos' '%s'", folder, path);
        assert_int_equal(system(command), 0);
        at_attune_expect(0, folder, "train model '%s' --output 'out %d: #' --train.epochs 1 --method head",
                         names[i], i);
        at_attune_expect(0, folder, "train --resume 'out %d: #'", i); /* what was written reads back */
        at_attune_expect(0, folder, "predict 'out %d: #' '%s'", i, names[i]);
    }
}

AT_TEST(test_commands__corrupt_photos_are_skipped_and_counted)
{
    char folder[1024];
    ran r;
    at_make_scene(folder, "commands-skip", 6);
    for (int i = 0; i < 3; i++) {
        char name[64];
        snprintf(name, sizeof name, "photos/dog/%02d.jpg", i);
        at_cut_file(folder, name, 1200);
    }
    at_put_text(folder, "photos/cat/01.jpg", "");
    run(&r, folder, "train model photos --output run --data.corrupt skip --train.epochs 1 --data.valid none");
    assert_int_equal((int)number(at_event_named(r.lines, "plan", 0), "samples.train"), 14);
    assert_string_equal(text(at_event_named(r.lines, "note", 0), "text"),
                        "skipped: photos/cat/01.jpg: the file is empty; replace or remove it");
    assert_string_equal(text(at_event_named(r.lines, "note", 4), "text"),
                        "4 of 18 photos of photos cannot be decoded and are left out");
    assert_null(at_event_named(r.lines, "note", 5));
    done(&r);
    run(&r, folder, "predict run photos --data.corrupt skip");
    assert_non_null(at_event_named(r.lines, "prediction", 13));
    assert_null(at_event_named(r.lines, "prediction", 14));
    done(&r);
}

AT_TEST(test_commands__duplicates_across_given_splits_are_told)
{
    char folder[1024], path[1400], command[4000];
    ran r;
    at_make_scene(folder, "commands-duplicates", 4);
    snprintf(path, sizeof path, "%s/all/TEST", folder);
    at_make_photos(path, "cat dog emu", 2, 50);
    snprintf(command, sizeof command,
             "cd '%s' && mv photos all/Training && cp all/Training/dog/02.jpg all/TEST/dog/copy.jpg", folder);
    assert_int_equal(system(command), 0);
    run(&r, folder, "train model all --output run --train.epochs 1");
    assert_string_equal(text(at_event_named(r.lines, "note", 0), "text"),
                        "the same photo is in two splits: all/Training/dog/02.jpg and all/TEST/dog/copy.jpg");
    assert_null(at_event_named(r.lines, "note", 1));
    done(&r);
}

AT_TEST(test_commands__too_little_memory_is_told_before_work)
{
    char folder[1024], before[65], after[65];
    at_output o;
    at_make_scene(folder, "commands-memory", 4);
    at_folder_digest(before, folder, NULL);
    at_attune(&o, folder, "train model photos --output run --memory 100K");
    assert_int_equal(o.code, 1);
    assert_non_null(strstr(o.err,
                           " MiB even where activations are recomputed, the limit is 0.1 MiB; the least "
                           "that works is --memory "));
    assert_non_null(strstr(o.err, "K with train.micro_batch 1 (is 9)\n"));
    at_folder_digest(after, folder, NULL);
    assert_string_equal(before, after);
    at_output_free(&o);
}
