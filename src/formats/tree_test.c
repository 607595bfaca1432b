/* tree_test.c: finding, comparing, building and reading trees. */
#include "formats/file.h"
#include "formats/tree.h"
#include "tests/harness/test.h"
#include <math.h>
#include <stdio.h>

static at_arena arena;

static at_ctx *begin(void)
{
    at_ctx *ctx = at_test_ctx();
    at_arena_init(&arena, ctx);
    return ctx;
}

static void end(at_ctx *ctx)
{
    at_arena_deinit(&arena);
    at_test_done(ctx);
}

static at_tree *json(const char *text)
{
    at_tree *t;
    at_expect_ok(arena.ctx, at_json_parse(&arena, &t, text, strlen(text), "test"));
    return t;
}

AT_TEST(test_tree__finds_by_key_and_path)
{
    at_ctx *ctx = begin();
    const at_tree *t = json("{\"a\": {\"b\": {\"c\": 7}, \"bb\": 8}, \"l\": [1], \"\": 9}");
    assert_int_equal(at_tree_at(t, "a.b.c")->whole, 7);
    assert_int_equal(at_tree_at(t, "a.bb")->whole, 8);
    assert_ptr_equal(at_tree_at(t, "a"), at_tree_get(t, "a"));
    assert_int_equal(at_tree_get(t, "")->whole, 9);
    static const char *const missing[] = {"b", "a.x", "a.b.c.d", "a.", "l.0", "aa", "a.b.", ".a"};
    for (int i = 0; i < AT_COUNT(missing); i++)
        if (at_tree_at(t, missing[i])) fail_msg("found %s", missing[i]);
    assert_null(at_tree_get(t, "a.b"));
    assert_null(at_tree_get(NULL, "a"));
    assert_null(at_tree_get(at_tree_get(t, "l"), "a"));
    end(ctx);
}

AT_TEST(test_tree__builds)
{
    at_ctx *ctx = begin();
    at_tree *t = at_tree_new(&arena, AT_MAP);
    char key[] = "k";
    at_tree_add(&arena, t, key, at_tree_string(&arena, "x"));
    key[0] = 'z'; /* was copied */
    at_tree *list = at_tree_add(&arena, t, "list", at_tree_new(&arena, AT_LIST));
    at_tree_add(&arena, list, NULL, at_tree_whole(&arena, -3));
    at_tree_add(&arena, list, NULL, at_tree_number(&arena, 0.5));
    at_tree_add(&arena, list, NULL, at_tree_flag(&arena, true));
    at_tree_add(&arena, list, NULL, at_tree_new(&arena, AT_NULL));
    assert_int_equal(list->n, 4);
    assert_true(list->first->number == -3.0);
    assert_true(at_tree_equal(t, json("{\"k\": \"x\", \"list\": [-3, 0.5, true, null]}")));
    assert_null(at_tree_add(&arena, NULL, "k", list));
    assert_null(at_tree_add(&arena, t, "k", NULL));
    end(ctx);
}

AT_TEST(test_tree__passes_missing_memory_on)
{
    at_ctx *ctx = begin();
    at_tree *t = at_tree_new(&arena, AT_MAP);
    char large[70000]; /* more than is left in the arena's chunk */
    memset(large, 'x', sizeof large - 1);
    large[sizeof large - 1] = '\0';
    ctx->alloc.fail_at = 1;
    assert_null(at_tree_add(&arena, t, "k", at_tree_string(&arena, large)));
    assert_int_equal(t->n, 0);
    at_expect_error(ctx, at_last_status(ctx), AT_E_NOMEM, "out of memory");
    end(ctx);
}

AT_TEST(test_tree__equality_sees_every_difference)
{
    at_ctx *ctx = begin();
    static const char *const different[] = {
        "null",
        "true",
        "false",
        "1",
        "2",
        "1.0",
        "1.5",
        "\"1\"",
        "\"\"",
        "[]",
        "{}",
        "[1]",
        "[1, 2]",
        "[2, 1]",
        "[[1], 2]",
        "{\"a\": 1}",
        "{\"b\": 1}",
        "{\"a\": 2}",
        "{\"a\": []}",
        "[null]",
        "[[1, 2]]",
        "[[], []]",
        "{\"a\":1,\"b\":2}",
        "{\"b\":2,\"a\":1}",
    };
    for (int i = 0; i < AT_COUNT(different); i++)
        for (int j = 0; j < AT_COUNT(different); j++)
            if (at_tree_equal(json(different[i]), json(different[j])) != (i == j))
                fail_msg("%s and %s", different[i], different[j]);
    assert_true(at_tree_equal(NULL, NULL));
    assert_false(at_tree_equal(NULL, json("null")));
    assert_true(at_tree_equal(at_tree_number(&arena, NAN), at_tree_number(&arena, NAN)));
    end(ctx);
}

AT_TEST(test_tree__kinds_have_names)
{
    assert_string_equal(at_tree_kind_name(AT_NULL), "nothing");
    assert_string_equal(at_tree_kind_name(AT_FLAG), "true or false");
    assert_string_equal(at_tree_kind_name(AT_WHOLE), "a whole number");
    assert_string_equal(at_tree_kind_name(AT_NUMBER), "a number");
    assert_string_equal(at_tree_kind_name(AT_STRING), "text");
    assert_string_equal(at_tree_kind_name(AT_LIST), "a list");
    assert_string_equal(at_tree_kind_name(AT_MAP), "a map");
}

AT_TEST(test_tree__reads_files_by_their_ending)
{
    at_ctx *ctx = begin();
    char folder[1024], path[1100];
    at_test_folder(folder, "tree_read");
    at_tree *t;
    snprintf(path, sizeof path, "%s/a.json", folder);
    at_expect_ok(ctx, at_file_write(ctx, path, "{\"a\": 1}", 8));
    at_expect_ok(ctx, at_tree_read(&arena, &t, path));
    assert_int_equal(at_tree_get(t, "a")->whole, 1);
    at_expect_ok(ctx, at_file_write(ctx, path, "a: 1", 4));
    at_expect_error(ctx, at_tree_read(&arena, &t, path), AT_E_FORMAT, "a.json:1:1: ");
    assert_null(t);
    snprintf(path, sizeof path, "%s/json", folder);
    at_expect_ok(ctx, at_file_write(ctx, path, "a: 1", 4));
    at_expect_ok(ctx, at_tree_read(&arena, &t, path));
    assert_int_equal(at_tree_get(t, "a")->whole, 1);
    end(ctx);
}

AT_TEST(test_tree__read_is_limited)
{
    at_ctx *ctx = begin();
    char folder[1024], path[1100];
    at_tree *t;
    at_test_folder(folder, "tree_limit");
    snprintf(path, sizeof path, "%s/missing.json", folder);
    at_expect_error(ctx, at_tree_read(&arena, &t, path), AT_E_IO, "missing.json: cannot open");
    char *spaces = at_alloc(ctx, AT_TREE_LIMIT + 1);
    memset(spaces, ' ', AT_TREE_LIMIT + 1);
    at_expect_ok(ctx, at_file_write(ctx, path, spaces, AT_TREE_LIMIT + 1));
    at_free(ctx, spaces);
    at_expect_error(ctx, at_tree_read(&arena, &t, path), AT_E_RANGE,
                    "missing.json: is larger than 16777216 bytes");
    end(ctx);
}
