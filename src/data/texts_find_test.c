/* texts_find_test.c: the files of splits that a folder has. */
#include "tests/harness/texts.h"
#include "tests/harness/torture.h"

static void expect_name(const char *got, const char *want)
{
    if (want)
        assert_string_equal(got, below(want));
    else
        assert_null(got);
}

static void check_splits(const char *train, const char *valid, const char *test)
{
    at_arena arena;
    at_text_splits s;
    at_arena_init(&arena, ctx);
    at_expect_ok(ctx, at_texts_find_splits(&arena, &s, folder));
    expect_name(s.train, train);
    expect_name(s.valid, valid);
    expect_name(s.test, test);
    at_arena_deinit(&arena);
}

static void refuse_splits(const char *path, at_status status, const char *message)
{
    at_arena arena;
    at_text_splits s = {.train = ""};
    at_arena_init(&arena, ctx);
    at_expect_error(ctx, at_texts_find_splits(&arena, &s, path), status, message);
    assert_null(s.train);
    at_arena_deinit(&arena);
}

AT_TEST(test_texts_find__splits_are_found_by_their_names)
{
    begin("texts-splits");
    put("SOURCE.md", "");
    put("only.csv", "");
    at_expect_ok(ctx, at_folder_make(ctx, below("test.csv")));
    check_splits("only.csv", NULL, NULL);
    put("x_Test-set.all", "");
    put("my.train.all", "");
    put(".train.txt", "");
    put("contest.csv", "");
    put("train.md", "");
    check_splits("my.train.all", NULL, "x_Test-set.all");
    put("x dev.all", "");
    check_splits("my.train.all", "x dev.all", "x_Test-set.all");
    put("Train.jsonl", "");
    put("validation.tsv", "");
    check_splits("Train.jsonl", "validation.tsv", NULL);
    at_arena arena;
    at_text_splits s;
    at_arena_init(&arena, ctx);
    at_expect_ok(ctx, at_texts_find_splits(&arena, &s, below("x dev.all")));
    expect_name(s.train, "x dev.all");
    at_arena_deinit(&arena);
    at_test_done(ctx);
}

AT_TEST(test_texts_find__splits_that_cannot_be_are_told)
{
    begin("texts-bad-splits");
    refuse_splits(below("none"), AT_E_IO, "texts-bad-splits/none: no such file or folder; check the path");
    put("x.md", "");
    refuse_splits(folder, AT_E_FORMAT,
                  "texts-bad-splits: no table of texts; expected train.csv (or .tsv, .txt, .json, .jsonl), "
                  "perhaps valid "
                  "and test beside it, or the path of a file");
    put("a.csv", "");
    put("b.csv", "");
    refuse_splits(
        folder, AT_E_ARG,
        "texts-bad-splits: a.csv and b.csv may both be the train split; give files (data.train, data.valid, "
        "data.test)");
    put("a-test.csv", "");
    put("a-train.dat", "");
    refuse_splits(
        folder, AT_E_ARG,
        "texts-bad-splits: a-test.csv and a-train.dat have different endings; give files (data.train, "
        "data.valid, data.test)");
    put("val.csv", "");
    put("dev.csv", "");
    refuse_splits(folder, AT_E_ARG,
                  "texts-bad-splits: dev.csv and val.csv may both be the valid split; give files");
    at_test_done(ctx);
}

static at_status splits_attempt(at_ctx *c, void *arg)
{
    at_arena arena;
    at_text_splits s;
    at_arena_init(&arena, c);
    const at_status status = at_texts_find_splits(&arena, &s, arg);
    at_arena_deinit(&arena);
    return status;
}

AT_TEST(test_texts_find__survives_lack_of_memory)
{
    begin("texts-find-memory");
    put("train.csv", "");
    put("dev.csv", "");
    put("test.csv", "");
    at_torture(ctx, splits_attempt, folder);
    at_test_done(ctx);
}
