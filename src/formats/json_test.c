/* json_test.c: JSON in and out. What must be refused is in tests/data/invalid/json. */
#include "formats/tree.h"
#include "tests/harness/test.h"
#include "tests/harness/torture.h"
#include <jansson.h>
#include <math.h>
#include <stdlib.h>

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

static at_tree *parse(const char *text)
{
    at_tree *t;
    at_expect_ok(arena.ctx, at_json_parse(&arena, &t, text, strlen(text), "x.json"));
    return t;
}

static void expect_refused(const char *text, const char *part)
{
    at_tree *t = &(at_tree){0};
    at_expect_error(arena.ctx, at_json_parse(&arena, &t, text, strlen(text), "x.json"), AT_E_FORMAT, part);
    assert_null(t);
}

static void expect_written(const at_tree *t, int indent, const char *want)
{
    at_text out;
    at_text_init(&out, arena.ctx);
    at_json_write(&out, t, indent);
    assert_int_equal(at_text_status(&out), AT_OK);
    assert_string_equal(out.data, want);
    if (!strstr(want, "null")) assert_true(at_tree_equal(parse(out.data), t));
    at_text_deinit(&out);
}

AT_TEST(test_json__every_kind_is_read)
{
    at_ctx *ctx = begin();
    const at_tree *t =
        parse(" {\"n\": null, \"t\": true, \"f\": false, \"w\": -9223372036854775808, \"x\": 1e-4, "
              "\"s\": \"a\\u00e9\\ud83d\\ude00\\n\", \"l\": [1, [2]], \"m\": {}}\n");
    assert_int_equal(t->kind, AT_MAP);
    assert_int_equal(t->n, 8);
    assert_int_equal(at_tree_get(t, "n")->kind, AT_NULL);
    assert_true(at_tree_get(t, "t")->kind == AT_FLAG && at_tree_get(t, "t")->flag);
    assert_true(at_tree_get(t, "f")->kind == AT_FLAG && !at_tree_get(t, "f")->flag);
    assert_true(at_tree_get(t, "w")->kind == AT_WHOLE && at_tree_get(t, "w")->whole == INT64_MIN);
    assert_true(at_tree_get(t, "w")->number == -0x1p63);
    assert_true(at_tree_get(t, "x")->kind == AT_NUMBER && at_tree_get(t, "x")->number == 1e-4);
    assert_string_equal(at_tree_get(t, "s")->text, "a\xc3\xa9\xf0\x9f\x98\x80\n");
    assert_int_equal(at_tree_get(t, "l")->first->next->first->whole, 2);
    assert_int_equal(at_tree_get(t, "m")->n, 0);
    assert_string_equal(t->first->key, "n"); /* the order of the file */
    end(ctx);
}

AT_TEST(test_json__a_document_is_any_value)
{
    at_ctx *ctx = begin();
    assert_int_equal(parse("7")->whole, 7);
    assert_int_equal(parse("\xef\xbb\xbf 7")->whole, 7); /* behind a byte-order mark */
    assert_int_equal(parse("7.0")->kind, AT_NUMBER);
    assert_string_equal(parse("\"x\"")->text, "x");
    end(ctx);
}

AT_TEST(test_json__errors_have_line_and_column)
{
    at_ctx *ctx = begin();
    expect_refused("{\"a\": 1,\n \"b\" 2}", "x.json:2:6: ':' expected near '2'");
    expect_refused("", "x.json: is empty, a JSON value is needed");
    expect_refused("[1] x", "x.json:1:5: end of file expected near 'x'");
    expect_refused("{\"a\": 1, \"a\": 2}", "duplicate object key near '\"a\"'");
    at_tree *t;
    at_expect_error(ctx, at_json_parse(&arena, &t, "[1]\0", 4, "x.json"), AT_E_FORMAT, "x.json:1:4: ");
    at_expect_error(ctx, at_json_parse(&arena, &t, NULL, 0, "x.json"), AT_E_FORMAT, "x.json: is empty");
    end(ctx);
}

static void nest(char *out, int depth)
{
    memset(out, '[', (size_t)depth);
    memset(out + depth, ']', (size_t)depth);
    out[2 * depth] = '\0';
}

AT_TEST(test_json__depth_is_limited)
{
    at_ctx *ctx = begin();
    char text[2 * AT_TREE_DEPTH + 3];
    nest(text, AT_TREE_DEPTH);
    parse(text);
    nest(text, AT_TREE_DEPTH + 1);
    expect_refused(text, "x.json:1: lists and maps are more than 64 deep");
    char quoted[2 * AT_TREE_DEPTH + 10] = "\"\\\""; /* brackets in strings do not count */
    memset(quoted + 3, '[', 2 * AT_TREE_DEPTH);
    strcat(quoted, "\"");
    assert_int_equal(parse(quoted)->kind, AT_STRING);
    end(ctx);
}

AT_TEST(test_json__is_written_on_one_line)
{
    at_ctx *ctx = begin();
    expect_written(parse("{\"a\":[1,2.5,\"x\\ny\"],\"b\":{},\"c\":[],\"d\":true,\"e\\\"\":false}"), 0,
                   "{\"a\": [1, 2.5, \"x\\ny\"], \"b\": {}, \"c\": [], \"d\": true, \"e\\\"\": false}");
    expect_written(parse("null"), 0, "null");
    end(ctx);
}

AT_TEST(test_json__is_written_indented)
{
    at_ctx *ctx = begin();
    expect_written(
        parse("{\"a\":[1,{\"b\":2}],\"c\":{},\"d\":[]}"), 2,
        "{\n  \"a\": [\n    1,\n    {\n      \"b\": 2\n    }\n  ],\n  \"c\": {},\n  \"d\": []\n}\n");
    end(ctx);
}

AT_TEST(test_json__numbers_keep_kind_and_value)
{
    at_ctx *ctx = begin();
    expect_written(at_tree_number(&arena, 1.0), 0, "1.0");
    expect_written(at_tree_number(&arena, -0.0), 0, "-0.0");
    expect_written(at_tree_number(&arena, 1e300), 0, "1e+300");
    expect_written(at_tree_number(&arena, 1e-4), 0, "0.0001");
    expect_written(at_tree_number(&arena, 0.1 + 0.2), 0, "0.30000000000000004");
    expect_written(at_tree_whole(&arena, INT64_MIN), 0, "-9223372036854775808");
    expect_written(at_tree_number(&arena, NAN), 0, "null");
    expect_written(at_tree_number(&arena, -INFINITY), 0, "null");
    end(ctx);
}

static at_status parse_and_write(at_ctx *ctx, void *arg)
{
    const char *text = arg;
    at_arena a;
    at_text out;
    at_arena_init(&a, ctx);
    at_text_init(&out, ctx);
    at_tree *t;
    at_status status = at_json_parse(&a, &t, text, strlen(text), "x");
    if (status == AT_OK) {
        at_json_write(&out, t, 2);
        status = at_text_status(&out);
    }
    at_text_deinit(&out);
    at_arena_deinit(&a);
    return status;
}

AT_TEST(test_json__survives_failing_allocations)
{
    at_ctx *ctx = begin();
    at_text big; /* several chunks of the arena */
    at_text_init(&big, ctx);
    at_text_add(&big, "{\"list\": [null");
    for (int i = 0; i < 3000; i++) at_text_printf(&big, ", {\"k%d\": \"%d\"}", i, i);
    at_text_add(&big, "]}");
    at_torture(ctx, parse_and_write, big.data);
    at_text_deinit(&big);
    end(ctx);
}

/* The library's own memory: it takes some failures for bad syntax, and says nothing of others. */
static int malloc_countdown;

static void *failing_malloc(size_t size)
{
    return --malloc_countdown == 0 ? NULL : malloc(size);
}

AT_TEST(test_json__failures_inside_the_library_are_errors_with_a_message)
{
    at_ctx *ctx = begin();
    static const char text[] = "{\"a\": [1, 2.5, \"x\", {\"b\": true}], \"c\": null}";
    at_tree *t;
    int n = 0, n_silent = 0;
    json_set_alloc_funcs(failing_malloc, free);
    do {
        malloc_countdown = ++n;
        at_clear_error(ctx);
        const at_status status = at_json_parse(&arena, &t, text, sizeof text - 1, "x.json");
        if ((status == AT_OK) != (t != NULL) || (status == AT_OK) != (*at_last_error(ctx) == '\0'))
            n_silent++;
    } while (!t && n < 1000);
    json_set_alloc_funcs(malloc, free);
    assert_non_null(t);
    assert_true(n > 10);
    assert_int_equal(n_silent, 0);
    end(ctx);
}
