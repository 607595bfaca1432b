/* plan_test.c: `attune plan`: its forecast of memory against what the run then takes, and that it leaves
 * nothing behind. Its forecast of time is never tested: machines are busy. */
#include "tests/harness/program.h"
#include "tests/harness/scene.h"
#include "tests/harness/test.h"
#include <stdio.h>
#include <stdlib.h>

static double number_behind(const char *text, const char *key)
{
    const char *at = strstr(text, key);
    if (!at) fail_msg("%s is missing in:\n%s", key, text);
    return strtod(at + strlen(key), NULL);
}

static double told(const char *folder, const char *line, const char *key)
{
    at_output o;
    at_attune(&o, folder, "%s", line);
    if (o.code != 0) fail_msg("%s: %s", line, o.err);
    const double x = number_behind(o.out, key);
    at_output_free(&o);
    return x;
}

#define DEMO "'" AT_SOURCE_DIR "/demo/model' '" AT_SOURCE_DIR "/demo/photos' --data.test none "

/* 5 % are forgiven, and 2 MiB for pages that the system happens to keep of files and of freed blocks. A
 * sanitizer must not hold back what is freed: a run that goes on for longer frees more. */
static void expect_forecast(const char *folder, const char *what, const char *options)
{
    char line[2400];
    assert_int_equal(setenv("ASAN_OPTIONS", "quarantine_size_mb=0", 1), 0);
    snprintf(line, sizeof line, "plan %s --json --cache none %s", what, options);
    const double forecast = told(folder, line, "\"event\":\"forecast\",\"memory_bytes\":");
    snprintf(line, sizeof line, "train %s --json --cache none --output run %s", what, options);
    const double real = told(folder, line, "\"peak_memory_bytes\":");
    unsetenv("ASAN_OPTIONS");
    if (!(forecast > 0.95 * real - 2097152 && forecast < 1.05 * real + 2097152))
        fail_msg("%s: %.1f MiB are forecast, %.1f are used", options, forecast / 1048576, real / 1048576);
    snprintf(line, sizeof line, "rm -r '%s/run'", folder);
    assert_int_equal(system(line), 0);
}

/* On the demonstration's network, whose runs are large beside what is forgiven. */
AT_TEST(test_plan__memory_is_as_forecast)
{
    static const char *const recipes[] = {
        "--train.steps 2 --train.batch_size 8", "--train.steps 2 --train.batch_size 8 --precision bf16",
        "--method head --train.steps 2", "--method last:2 --train.steps 2 --train.batch_size 7",
        "--method probe"};
    char folder[1024];
    at_test_folder(folder, "plan-memory");
    for (int i = 0; i < AT_COUNT(recipes); i++) expect_forecast(folder, DEMO, recipes[i]);
}

/* A small network on photos that take 30 (training) and 15 MiB (test) when they are decoded: those that are
 * read again are kept, of which the plan reads a few only; those that are scored once are not. */
AT_TEST(test_plan__memory_of_pictures_is_as_forecast)
{
    static const char *const recipes[] = {"--train.epochs 2", "--train.epochs 1"};
    char folder[1024], photos[1400];
    at_make_scene(folder, "plan-pictures", 1);
    at_edit_text(folder, "model/preprocessor_config.json",
                 "\"crop_size\": {\n    \"height\": 37,\n    \"width\": 45",
                 "\"crop_size\": {\n    \"height\": 320,\n    \"width\": 320");
    snprintf(photos, sizeof photos, "%s/data/train", folder);
    at_make_photos(photos, "cat dog", 50, 0);
    snprintf(photos, sizeof photos, "%s/data/test", folder);
    at_make_photos(photos, "cat dog", 25, 50);
    for (int i = 0; i < AT_COUNT(recipes); i++) {
        char options[256];
        snprintf(options, sizeof options, "--train.batch_size 1 --augment none --train.cache_features no %s",
                 recipes[i]);
        expect_forecast(folder, "model data --method head", options);
    }
}

/* The tiny BERT with other dimensions; the numbers of its tensors are the same small ones. */
typedef struct resized {
    int64_t from, to;
} resized;

static int64_t resize(at_tensor *tensors, int64_t n, const resized *dims, int n_dims)
{
    enum { MOST = 24000 * 128 };
    static float numbers[MOST];
    for (int i = 0; i < MOST; i++) numbers[i] = (float)(i % 1009 - 504) / 10000.0F;
    for (int64_t i = 0; i < n; i++) {
        tensors[i].data = numbers;
        for (int d = 0; d < tensors[i].rank; d++)
            for (int k = 0; k < n_dims; k++)
                if (tensors[i].dim[d] == dims[k].from) {
                    tensors[i].dim[d] = dims[k].to;
                    break;
                }
    }
    return n;
}

static int64_t widen(at_tensor *tensors, int64_t n) /* 17 MiB of weights, and as many packed */
{
    return resize(tensors, n, (const resized[]){{18, 512}, {27, 1024}}, 2);
}

static int64_t know_many_words(at_tensor *tensors, int64_t n) /* 12 MiB of them */
{
    return resize(tensors, n, (const resized[]){{37, 24000}, {18, 128}, {13, 64}}, 3);
}

/* The weights outweigh the activations, and the proof that they are merged reads them twice. */
AT_TEST(test_plan__memory_of_adapters_is_as_forecast)
{
    char folder[1024];
    at_test_folder(folder, "plan-adapters");
    at_copy_bert(folder, "bert");
    at_make_films(folder);
    at_edit_text(folder, "bert/config.json", "\"hidden_size\": 18", "\"hidden_size\": 512");
    at_edit_text(folder, "bert/config.json", "\"intermediate_size\": 27", "\"intermediate_size\": 1024");
    at_rewrite_tensors(folder, "bert/model.safetensors", widen);
    expect_forecast(folder, "bert films.tsv --method lora", "--train.steps 2 --precision f32");
}

/* Gradient and moments of a table take memory where texts name its rows: 320 texts of 30 words each, which no
 * other text has. */
AT_TEST(test_plan__memory_of_tables_is_as_forecast)
{
    char folder[1024];
    at_test_folder(folder, "plan-tables");
    at_copy_bert(folder, "bert");
    at_edit_text(folder, "bert/config.json", "\"hidden_size\": 18", "\"hidden_size\": 128");
    at_edit_text(folder, "bert/config.json", "\"vocab_size\": 37", "\"vocab_size\": 24000");
    at_edit_text(folder, "bert/config.json", "\"max_position_embeddings\": 13",
                 "\"max_position_embeddings\": 64");
    at_rewrite_tensors(folder, "bert/model.safetensors", know_many_words);
    at_in_folder(folder,
                 "awk 'BEGIN { for (i = 37; i < 24000; i++) print \"w\" i }' >>bert/vocab.txt && "
                 "awk 'BEGIN { print \"label\\ttext\"; for (i = 0; i < 320; i++) { "
                 "printf \"%d\\t\", i % 2; for (k = 0; k < 30; k++) printf \"w%d \", 37 + 30 * i + k; "
                 "print \"\" } }' >texts.tsv");
    expect_forecast(folder, "bert texts.tsv --data.valid none",
                    "--train.batch_size 8 --train.epochs 1 --precision f32");
}

/* What suits the cache where the recipe is silent and no op couples rows: 12 MiB of the widest value, which
 * has 112 x 112 pixels of 96 channels. bf16 halves it. A recipe is heard. */
AT_TEST(test_plan__micro_batches_suit_the_cache)
{
    static const char plan[] = "plan " DEMO "--json --data.valid none --train.steps 1 --train.batch_size 16 ";
    static const struct {
        const char *options;
        int micro_batch;
    } expected[] = {{"--precision f32", 4},
                    {"--precision bf16", 8},
                    {"--precision f32 --train.micro_batch 16", 16},
                    {"--precision f32 --edits '[{norm: {sites: \"*\", mode: train}}]'", 16}};
    char folder[1024], line[2400];
    at_test_folder(folder, "plan-micro");
    for (int i = 0; i < AT_COUNT(expected); i++) {
        snprintf(line, sizeof line, "%s%s", plan, expected[i].options);
        assert_int_equal((int)told(folder, line, "\"micro_batch\":"), expected[i].micro_batch);
    }
}

AT_TEST(test_plan__writes_nothing)
{
    char folder[1024], before[65], after[65];
    at_make_scene(folder, "plan-writes", 4);
    at_folder_digest(before, folder, NULL);
    at_attune_expect(0, folder, "plan model photos --cache none");
    at_folder_digest(after, folder, NULL);
    assert_string_equal(before, after);
}

AT_TEST(test_plan__refuses_what_train_refuses)
{
    char folder[1024];
    at_output o;
    at_make_scene(folder, "plan-refuses", 4);
    at_attune(&o, folder, "plan model nowhere");
    assert_int_equal(o.code, 1);
    assert_non_null(strstr(o.err, "nowhere"));
    at_output_free(&o);
}
