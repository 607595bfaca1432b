/* sentence_test.c: what is written is read back; folders without it; without memory. What folders may not say
 * is in tests/suite/similarity_runs_test.c. */
#include "formats/file.h"
#include "models/sentence.h"
#include "tests/harness/scene.h"
#include "tests/harness/test.h"
#include "tests/harness/torture.h"
#include <stdio.h>

static void expect_same(const at_sentence *a, const at_sentence *b)
{
    assert_int_equal(a->found, b->found);
    assert_int_equal(a->pooling, b->pooling);
    assert_int_equal(a->normalise, b->normalise);
    assert_int_equal(a->max_length, b->max_length);
    assert_int_equal(a->has_prompt, b->has_prompt);
}

AT_TEST(test_sentence__what_is_written_is_read)
{
    static const at_sentence all[] = {
        {.found = true, .pooling = AT_POOL_MEAN, .normalise = true, .max_length = 77},
        {.found = true, .pooling = AT_POOL_FIRST},
        {.found = true, .pooling = AT_POOL_MAX},
        {.found = true, .pooling = AT_POOL_MEAN_SQRT},
        {.found = true, .pooling = AT_POOL_WEIGHTED},
        {.found = true, .pooling = AT_POOL_LAST}};
    char folder[1024];
    at_ctx *ctx = at_test_ctx();
    at_test_folder(folder, "sentence");
    assert_false(at_sentence_is(ctx, folder));
    at_sentence s = all[0];
    at_expect_ok(ctx, at_sentence_read(ctx, &s, folder));
    expect_same(&s, &(at_sentence){0});
    for (int i = 0; i < AT_COUNT(all); i++) {
        at_expect_ok(ctx, at_sentence_write(ctx, &all[i], folder, 18));
        at_expect_ok(ctx, at_sentence_read(ctx, &s, folder));
        expect_same(&s, &all[i]);
        assert_true(at_sentence_is(ctx, folder));
    }
    at_test_done(ctx);
}

/* Versions of sentence-transformers before 2.3 fail on keys that they do not know. */
AT_TEST(test_sentence__late_poolings_are_written_where_they_are_used)
{
    char folder[1024], path[1100];
    char *text;
    size_t size;
    at_ctx *ctx = at_test_ctx();
    at_test_folder(folder, "sentence-late");
    snprintf(path, sizeof path, "%s/1_Pooling/config.json", folder);
    for (int last = 0; last < 2; last++) {
        const at_sentence s = {.pooling = last ? AT_POOL_LAST : AT_POOL_MAX};
        at_expect_ok(ctx, at_sentence_write(ctx, &s, folder, 18));
        at_expect_ok(ctx, at_file_read(ctx, &text, &size, path, 1 << 20));
        assert_non_null(
            strstr(text, last ? "\"pooling_mode_max_tokens\": false" : "\"pooling_mode_max_tokens\": true"));
        assert_int_equal(strstr(text, "lasttoken") != NULL, last);
        assert_null(strstr(text, "weightedmean"));
        at_free(ctx, text);
    }
    at_test_done(ctx);
}

AT_TEST(test_sentence__a_prompt_is_seen)
{
    char folder[1024];
    at_ctx *ctx = at_test_ctx();
    at_sentence s = {.found = true};
    at_test_folder(folder, "sentence-prompt");
    at_expect_ok(ctx, at_sentence_write(ctx, &s, folder, 18));
    at_put_text(
        folder, "config_sentence_transformers.json",
        "{\"prompts\": {\"query\": \"query: \", \"document\": \"\"}, \"default_prompt_name\": \"query\"}");
    at_expect_ok(ctx, at_sentence_read(ctx, &s, folder));
    assert_true(s.has_prompt);
    at_put_text(folder, "config_sentence_transformers.json",
                "{\"prompts\": {\"query\": \"query: \"}, \"default_prompt_name\": null}");
    at_expect_ok(ctx, at_sentence_read(ctx, &s, folder));
    assert_false(s.has_prompt);
    at_test_done(ctx);
}

static at_status write_and_read(at_ctx *ctx, void *folder)
{
    at_sentence s = {.normalise = true};
    AT_TRY(at_sentence_write(ctx, &s, folder, 18));
    return at_sentence_read(ctx, &s, folder);
}

AT_TEST(test_sentence__survives_without_memory)
{
    char folder[1024];
    at_ctx *ctx = at_test_ctx();
    at_test_folder(folder, "sentence-memory");
    at_torture(ctx, write_and_read, folder);
    at_test_done(ctx);
}
