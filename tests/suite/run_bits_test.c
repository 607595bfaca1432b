/* run_bits_test.c: what must not change a run's result to the last bit: threads, caches, batches of
 * evaluation, and the written recipe in place of the flags. */
#include "tests/harness/program.h"
#include "tests/harness/scene.h"
#include "tests/harness/test.h"
#include <stdio.h>

/* Run with these flags into run0, run1 ...: all must hand over the same weights, after the same losses. */
static void expect_same(const char *folder, const char *common, const char *const *flags, int n)
{
    char first[1100], other[1100];
    snprintf(first, sizeof first, "%s/run0", folder);
    for (int i = 0; i < n; i++) {
        at_attune_expect(0, folder, "train model photos --output run%d --logging_steps 1 %s %s", i, common,
                         flags[i]);
        snprintf(other, sizeof other, "%s/run%d", folder, i);
        if (i) at_expect_same_file(first, other, "model/model.safetensors");
        if (i) at_expect_same_file(first, other, "metrics.jsonl");
    }
}

static void expect_other(const char *folder, const char *line)
{
    char path[2][1200];
    at_attune_expect(0, folder, "train model photos --output other %s", line);
    for (int i = 0; i < 2; i++)
        snprintf(path[i], sizeof path[i], "%s/%s/model/model.safetensors", folder, i ? "other" : "run0");
    assert_true(at_tensor_distance(path[0], path[1], "classifier.weight") > 0);
}

/* Threads decode, flip and compute. */
AT_TEST(test_run_bits__any_number_of_threads)
{
    static const char *const flags[] = {"--threads 1", "--threads 2", "--threads 5"};
    static const char common[] =
        "--train.epochs 3 --train.batch_size 7 --augment '[{flip: both}]' --dropout 0.4 "
        "--edits '[{norm: {sites: \"*\", mode: train}}]'";
    char folder[1024], line[512];
    at_make_scene(folder, "bits-threads", 8);
    expect_same(folder, common, flags, 3);
    snprintf(line, sizeof line, "%s --seed 1", common);
    expect_other(folder, line); /* the comparison sees differences */
}

AT_TEST(test_run_bits__bf16)
{
    static const char *const flags[] = {"--threads 1", "--threads 5"};
    static const char *const caches[] = {"--train.cache_features no", "--cache kept", "--cache kept"};
    char folder[1024];
    at_make_scene(folder, "bits-bf16", 8);
    expect_same(folder, "--precision bf16 --train.epochs 2 --augment '[{flip: both}]' --dropout 0.4", flags,
                2);
    expect_other(folder, "--precision f32 --train.epochs 2 --augment '[{flip: both}]' --dropout 0.4");
    at_make_scene(folder, "bits-bf16-features", 8);
    expect_same(folder, "--precision bf16 --method head --dropout 0.4 --train.epochs 3", caches, 3);
}

AT_TEST(test_run_bits__features_cached_and_recomputed)
{
    static const char *const flags[] = {"--train.cache_features no", "--cache kept", "--cache kept",
                                        "--cache none"};
    char folder[1024], path[1200];
    at_make_scene(folder, "bits-features", 8);
    expect_same(folder, "--method head --dropout 0.4 --train.epochs 5", flags, 4);
    at_ctx *ctx = at_test_ctx();
    at_arena a;
    at_arena_init(&a, ctx);
    const char **names;
    int64_t n;
    snprintf(path, sizeof path, "%s/kept", folder);
    at_expect_ok(ctx, at_folder_list(&a, &names, &n, path));
    assert_int_equal(n, 2); /* training and validation, once */
    at_arena_deinit(&a);
    at_test_done(ctx);
}

/* The last bytes of a file are its digest; before them are numbers. */
AT_TEST(test_run_bits__damaged_features_are_computed_anew)
{
    static const char common[] = "--method head --train.epochs 3";
    static const char *const flags[] = {"--cache none", "--cache kept"};
    char folder[1024], first[1100], again[1100];
    at_make_scene(folder, "bits-damaged", 8);
    expect_same(folder, common, flags, 2);
    at_in_folder(folder,
                 "cp -r kept whole && for f in kept/*; do printf '\\377' | dd of=$f bs=1 conv=notrunc "
                 "seek=$(($(stat -c %s $f) - 97)) 2>/dev/null; done && ! diff -rq kept whole >/dev/null");
    at_attune_expect(0, folder, "train model photos --output again --logging_steps 1 --cache kept %s",
                     common);
    snprintf(first, sizeof first, "%s/run0", folder);
    snprintf(again, sizeof again, "%s/again", folder);
    at_expect_same_file(first, again, "model/model.safetensors");
    at_expect_same_file(first, again, "metrics.jsonl");
    at_in_folder(folder, "diff -r kept whole");
}

AT_TEST(test_run_bits__the_written_recipe_reproduces_the_run)
{
    char folder[1024], first[1100], second[1100];
    at_make_scene(folder, "bits-recipe", 6);
    at_attune_expect(
        0, folder,
        "train model photos --output run --method last:2 --lr 3e-3 --train.epochs 3 --warmup_ratio 0.3 "
        "--seed 5 "
        "--edits '[{lr: {\"conv_1x1*\": 0.5}}, {freeze: \"layer.15*\"}]' --augment '[{flip: vertical}]' "
        "--smoothing 0.1 --image-classification.class_weights balanced --schedule linear --optim sgd "
        "--sgd.nesterov");
    at_attune_expect(0, folder, "train --recipe run/recipe.yaml --output again");
    snprintf(first, sizeof first, "%s/run", folder);
    snprintf(second, sizeof second, "%s/again", folder);
    at_expect_same_file(first, second, "model/model.safetensors");
    at_expect_same_file(first, second, "metrics.jsonl");
    at_expect_same_file(first, second, "recipe.yaml");
    /* A flag wins over the file. */
    at_attune_expect(0, folder, "train --recipe run/recipe.yaml --output third --seed 6");
    char path[2][1200];
    snprintf(path[0], sizeof path[0], "%s/model/model.safetensors", first);
    snprintf(path[1], sizeof path[1], "%s/third/model/model.safetensors", folder);
    assert_true(at_tensor_distance(path[0], path[1], "classifier.weight") > 0);
}
