/* methods_test.c: which weights methods and edits move in the model that is handed over, to the bit; early
 * stop; and what every run checks of its first steps. */
#include "tests/harness/program.h"
#include "tests/harness/scene.h"
#include "tests/harness/test.h"
#include <stdio.h>
#include <stdlib.h>

typedef bool (*moves_fn)(const char *name); /* shall this tensor of the file have moved? */

static bool ends(const char *name, const char *end)
{
    const size_t n = strlen(name), m = strlen(end);
    return n >= m && strcmp(name + n - m, end) == 0;
}

static bool is_statistic(const char *name)
{
    return ends(name, "running_mean") || ends(name, "running_var") || ends(name, "num_batches_tracked");
}

static bool none(const char *name)
{
    (void)name;
    return false;
}

static bool all_that_learn(const char *name)
{
    return !is_statistic(name);
}

static bool all(const char *name)
{
    (void)name;
    return true;
}

static bool last_three(const char *name)
{
    static const char *const groups[] = {"mobilenet_v2.conv_1x1.", "mobilenet_v2.layer.15.",
                                         "mobilenet_v2.layer.14."};
    for (int i = 0; i < 3; i++)
        if (strncmp(name, groups[i], strlen(groups[i])) == 0) return !is_statistic(name);
    return false;
}

static bool all_but_layer_3(const char *name)
{
    return !is_statistic(name) && strncmp(name, "mobilenet_v2.layer.3.", 21) != 0;
}

static bool norms_of_layer_4(const char *name)
{
    return strstr(name, "layer.4.") &&
           (ends(name, "normalization.weight") || ends(name, "normalization.bias"));
}

static bool statistics_of_layer_4(const char *name)
{
    return strstr(name, "layer.4.") && is_statistic(name);
}

static bool in_layer_4(const char *name)
{
    return strstr(name, "layer.4.") != NULL;
}

/* Compare every tensor of the network that was read, but the head, with what was handed over. */
static void expect_moved(const char *folder, const char *line, moves_fn moves)
{
    at_ctx *ctx = at_test_ctx();
    char before[1200], after[1200];
    at_safetensors *a, *b;
    int moved = 0, stayed = 0;
    at_attune_expect(0, folder,
                     "train model photos --output run --train.epochs 2 --train.learning_rate 1e-2 %s", line);
    snprintf(before, sizeof before, "%s/model/model.safetensors", folder);
    snprintf(after, sizeof after, "%s/run/model/model.safetensors", folder);
    at_expect_ok(ctx, at_safetensors_open(&a, ctx, before));
    at_expect_ok(ctx, at_safetensors_open(&b, ctx, after));
    assert_int_equal(a->n, b->n); /* the same names, and a head of other labels */
    for (int64_t i = 0; i < a->n; i++) {
        const at_tensor *t = &a->tensors[i], *u = at_safetensors_find(b, t->name);
        if (!u) fail_msg("%s: %s is lost", line, t->name);
        if (strncmp(t->name, "classifier", 10) == 0) continue;
        const bool differs = t->bytes != u->bytes || memcmp(t->data, u->data, t->bytes) != 0;
        if (differs != moves(t->name))
            fail_msg("%s: %s has %s", line, t->name, differs ? "moved" : "not moved");
        *(differs ? &moved : &stayed) += 1;
    }
    assert_true(moved + stayed > 100);
    at_safetensors_close(ctx, a);
    at_safetensors_close(ctx, b);
    at_expect_ok(ctx, at_folder_remove(ctx, strcat(strcpy(after, folder), "/run")));
    at_test_done(ctx);
}

AT_TEST(test_methods__what_moves_and_what_keeps_its_bits)
{
    char folder[1024];
    at_make_scene(folder, "methods", 8);
    expect_moved(folder, "--method head", none);
    expect_moved(folder, "--method probe", none);
    expect_moved(folder, "--method last:3", last_three);
    expect_moved(folder, "--method last:0", none);
    expect_moved(folder, "--method full", all_that_learn);
    expect_moved(folder, "--method scratch", all);
    expect_moved(folder, "--method full --edits '[{freeze: \"layer.3\"}]'", all_but_layer_3);
    expect_moved(folder, "--method full --edits '[{lr: {\"layer.3\": 0}}]'", all_but_layer_3);
    expect_moved(folder,
                 "--method head --edits '[{train: \"layer.4.*normalization.*\"}, {norm: {sites: \"layer.4\", "
                 "mode: affine}}]'",
                 norms_of_layer_4);
    expect_moved(folder, "--method head --edits '[{norm: {sites: \"layer.4\", mode: stats}}]'",
                 statistics_of_layer_4);
    expect_moved(folder,
                 "--method head --edits '[{train: \"layer.4\"}, {norm: {sites: \"layer.4\", mode: train}}]'",
                 in_layer_4);
    expect_moved(folder, "--method '[{train: head}]'", none);
}

/* A head whose labels are the data's is kept and learns on; another is replaced. */
AT_TEST(test_methods__a_fitting_head_is_kept)
{
    char folder[1024], path[1200], before[1200], after[1200];
    at_output o;
    at_make_scene(folder, "methods-head", 1);
    snprintf(path, sizeof path, "%s/insects", folder);
    at_make_photos(path, "ant bee fly moth wasp", 4, 0);
    snprintf(before, sizeof before, "%s/model/model.safetensors", folder);
    snprintf(after, sizeof after, "%s/run/model/model.safetensors", folder);
    at_attune(&o, folder,
              "train model insects --output run --train.epochs 1 --train.learning_rate 1e-4 --method head");
    assert_int_equal(o.code, 0);
    assert_non_null(strstr(o.out, "5 outputs; the head is the model's own\n"));
    at_output_free(&o);
    const double moved = at_tensor_distance(before, after, "classifier.weight");
    assert_true(moved > 0 && moved < 1e-2);
    at_attune(&o, folder, "train model insects --output new --train.epochs 1 --edits '[{head: new}]'");
    assert_int_equal(o.code, 0);
    assert_non_null(strstr(o.out, "5 outputs; the head is new\n"));
    at_output_free(&o);
    at_attune(&o, folder,
              "train model photos --output keep --train.epochs 1 --data.valid none --edits '[{head: keep}]'");
    assert_int_equal(o.code, 2);
    assert_string_equal(
        o.err, "attune: --edits: edits: head: keep, but the labels of model are not those of the data\n");
    at_output_free(&o);
}

/* The best evaluation's weights are handed over, not the last ones. */
AT_TEST(test_methods__early_stop_restores_the_best)
{
    char folder[1024], path[1400], command[1400];
    at_ctx *ctx = at_test_ctx();
    at_arena a;
    at_output o;
    at_arena_init(&a, ctx);
    at_make_scene(folder, "methods-stop", 8);
    /* Steps this long only make it worse: the log loss of the first epochs is the best. */
    at_attune(
        &o, folder,
        "train model photos --json --quiet --output run --train.epochs 30 --method full --train.schedule "
        "constant --train.learning_rate 0.3 --train.head_learning_rate 3 --train.early_stop.metric log_loss "
        "--train.early_stop.patience 2");
    assert_int_equal(o.code, 0);
    const at_tree *lines = at_json_lines(&a, o.out), *done = at_event_named(lines, "done", 0), *e;
    int n = 0, best = 0;
    double least = 0;
    for (; (e = at_event_named(lines, "evaluation", n)); n++) {
        const double loss = at_tree_at(e, "scores.log_loss")->number;
        if (n == 0 || loss < least) {
            least = loss;
            best = n;
        }
        if (n == 29) break;
    }
    assert_int_equal(n, best + 3); /* two more, and the loop found no fourth */
    assert_true(at_tree_at(done, "valid.log_loss")->number == least);
    assert_int_equal(at_tree_get(done, "best_step")->whole,
                     at_tree_get(at_event_named(lines, "evaluation", best), "step")->whole);
    assert_true(at_tree_get(done, "steps")->whole > at_tree_get(done, "best_step")->whole);
    at_output_free(&o);
    snprintf(path, sizeof path, "%s/run/model/model.safetensors", folder);
    snprintf(command, sizeof command, "%s/run/checkpoints/best/state.safetensors", folder);
    at_safetensors *model, *saved;
    at_expect_ok(ctx, at_safetensors_open(&model, ctx, path));
    at_expect_ok(ctx, at_safetensors_open(&saved, ctx, command));
    const at_tensor *x = at_safetensors_find(model, "classifier.weight"),
                    *y = at_safetensors_find(saved, "parameter/classifier.weight");
    assert_memory_equal(x->data, y->data, x->bytes);
    at_safetensors_close(ctx, model);
    at_safetensors_close(ctx, saved);
    at_arena_deinit(&a);
    at_test_done(ctx);
}

/* ---- What every run checks of its first steps ---- */

/* Features that are all 0: nothing reaches the head's weights, nor anything below. */
static int64_t kill_features(at_tensor *tensors, int64_t n)
{
    static float dead[4096];
    for (int i = 0; i < 4096; i++) dead[i] = -1e6f;
    for (int64_t i = 0; i < n; i++)
        if (strcmp(tensors[i].name, "mobilenet_v2.conv_1x1.normalization.bias") == 0) tensors[i].data = dead;
    return n;
}

AT_TEST(test_methods__a_gradient_of_zero_stops_the_run)
{
    char folder[1024];
    at_output o;
    at_make_scene(folder, "methods-dead", 4);
    at_rewrite_tensors(folder, "model/model.safetensors", kill_features);
    at_attune(&o, folder, "train model photos --output run --quiet --json --train.epochs 3");
    assert_string_equal(
        o.err,
        "attune: classifier.weight is to be trained, but its gradient was zero in the first 3 steps; freeze "
        "it, or see whether what lies above it is dead\n");
    assert_int_equal(o.code, 1);
    at_output_free(&o);
}

AT_TEST(test_methods__a_rate_of_nothing_stops_the_run)
{
    char folder[1024];
    at_output o;
    at_make_scene(folder, "methods-still", 4);
    at_attune(&o, folder,
              "train model photos --output run --quiet --json --method full --train.epochs 3 "
              "--train.learning_rate 1e-20 "
              "--train.head_learning_rate 1e-20");
    assert_int_equal(o.code, 1);
    assert_non_null(
        strstr(o.err, "did not move in the first 3 steps; raise its learning rate or freeze it\n"));
    at_output_free(&o);
}

/* ---- Divergence ---- */

AT_TEST(test_methods__divergence_names_the_first_bad_value)
{
    char folder[1024], before[65], after[65];
    at_output o;
    at_make_scene(folder, "methods-diverge", 8);
    at_folder_digest(before, folder, "run");
    at_attune(&o, folder,
              "train model photos --output run --json --quiet --method scratch --train.optimizer sgd "
              "--train.learning_rate 1e6 "
              "--clip 0 --train.schedule constant --train.warmup 0 --train.epochs 20");
    assert_int_equal(o.code, 1);
    assert_non_null(strstr(o.err, "attune: training diverged: the steps "));
    assert_non_null(strstr(o.err, " gave no finite gradient; the first bad value is in "));
    assert_non_null(strstr(
        o.err, "; the weights are those before them. Lower train.learning_rate (1e+06, head 0.001)\n"));
    int skipped = 0;
    for (const char *p = o.out; (p = strstr(p, "is skipped: its loss or gradient is not finite")); p++)
        skipped++;
    assert_true(skipped >= 3);
    at_folder_digest(after, folder, "run");
    assert_string_equal(before, after);
    /* What was saved before is whole and finite: it opens and is scored. */
    at_output_free(&o);
    at_ctx *ctx = at_test_ctx();
    at_arena a;
    const char **names;
    int64_t n;
    char path[1400];
    at_arena_init(&a, ctx);
    snprintf(path, sizeof path, "%s/run/checkpoints", folder);
    at_expect_ok(ctx, at_folder_list(&a, &names, &n, path));
    assert_true(n >= 1);
    for (int64_t i = 0; i < n; i++) {
        at_safetensors *f;
        at_expect_ok(ctx, at_safetensors_open(
                              &f, ctx, at_arena_printf(&a, "%s/%s/state.safetensors", path, names[i])));
        for (int64_t k = 0; k < f->n; k++)
            for (int64_t j = 0; j < f->tensors[k].count; j++) {
                const float x = ((const float *)f->tensors[k].data)[j];
                assert_true(x - x == 0);
            }
        at_safetensors_close(ctx, f);
    }
    at_arena_deinit(&a);
    at_test_done(ctx);
}
