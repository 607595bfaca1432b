/* yaml_test.c: YAML in and out. More that must be refused is in tests/data/invalid/yaml. */
#include "formats/tree.h"
#include "tests/harness/test.h"
#include "tests/harness/torture.h"
#include <math.h>

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
    if (at_yaml_parse(&arena, &t, text, strlen(text), "x.yaml") != AT_OK)
        fail_msg("%s\n%s", text, at_last_error(arena.ctx));
    return t;
}

static void expect_refused(const char *text, const char *part)
{
    at_tree *t = &(at_tree){0};
    at_expect_error(arena.ctx, at_yaml_parse(&arena, &t, text, strlen(text), "x.yaml"), AT_E_FORMAT, part);
    assert_null(t);
}

/* ---- Scalars ---- */

static const struct {
    const char *text;
    at_tree_kind kind;
    double number; /* or flag */
} scalars[] = {
    {"", AT_NULL, 0},
    {"~", AT_NULL, 0},
    {"null", AT_NULL, 0},
    {"Null", AT_NULL, 0},
    {"NULL", AT_NULL, 0},
    {"nULL", AT_STRING, 0},
    {"true", AT_FLAG, 1},
    {"True", AT_FLAG, 1},
    {"TRUE", AT_FLAG, 1},
    {"false", AT_FLAG, 0},
    {"False", AT_FLAG, 0},
    {"FALSE", AT_FLAG, 0},
    {"yes", AT_STRING, 0}, /* YAML 1.1 took these for flags */
    {"no", AT_STRING, 0},
    {"on", AT_STRING, 0},
    {"off", AT_STRING, 0},
    {"y", AT_STRING, 0},
    {"0", AT_WHOLE, 0},
    {"7", AT_WHOLE, 7},
    {"-7", AT_WHOLE, -7},
    {"+7", AT_WHOLE, 7},
    {"010", AT_WHOLE, 10}, /* octal in YAML 1.1 */
    {"0o17", AT_WHOLE, 15},
    {"0x1fF", AT_WHOLE, 511},
    {"9223372036854775807", AT_WHOLE, 0x1p63},
    {"-9223372036854775808", AT_WHOLE, -0x1p63},
    {"-0x1", AT_STRING, 0},
    {"0o8", AT_STRING, 0},
    {"0x", AT_STRING, 0},
    {"1_000", AT_STRING, 0},
    {"1:30", AT_STRING, 0},
    {"1e-4", AT_NUMBER, 1e-4}, /* text in YAML 1.1 */
    {"1E4", AT_NUMBER, 1e4},
    {"1e+4", AT_NUMBER, 1e4},
    {"-1.5e3", AT_NUMBER, -1500},
    {"1.", AT_NUMBER, 1},
    {".5", AT_NUMBER, 0.5},
    {"+.5", AT_NUMBER, 0.5},
    {"1.0", AT_NUMBER, 1},
    {"1e-400", AT_NUMBER, 0},
    {".", AT_STRING, 0},
    {"+", AT_STRING, 0},
    {".e3", AT_STRING, 0},
    {"1e", AT_STRING, 0},
    {"1e+", AT_STRING, 0},
    {"1.2.3", AT_STRING, 0},
    {"1.5e3x", AT_STRING, 0},
    {".inf", AT_NUMBER, INFINITY},
    {"+.Inf", AT_NUMBER, INFINITY},
    {"-.INF", AT_NUMBER, -INFINITY},
    {"inf", AT_STRING, 0},
    {"nan", AT_STRING, 0},
    {"+.nan", AT_STRING, 0},
    {"10%", AT_STRING, 0},
    {"2020-01-01", AT_STRING, 0},
    {"hello world", AT_STRING, 0},
};

AT_TEST(test_yaml__plain_scalars_follow_the_core_schema)
{
    at_ctx *ctx = begin();
    for (int i = 0; i < AT_COUNT(scalars); i++) {
        char text[100] = "[1, ";
        strcat(strcat(text, scalars[i].text), "]");
        const at_tree *list = parse(text), *t = list->first->next;
        if (!*scalars[i].text) t = parse("a:")->first; /* in a list a missing value is no value */
        if (t->kind != scalars[i].kind) fail_msg("\"%s\" is %s", scalars[i].text, at_tree_kind_name(t->kind));
        assert_string_equal(t->text, scalars[i].text);
        const bool is_number = t->kind == AT_WHOLE || t->kind == AT_NUMBER;
        if (is_number && t->number != scalars[i].number) fail_msg("\"%s\" is %g", t->text, t->number);
        if (t->kind == AT_FLAG) assert_int_equal(t->flag, scalars[i].number != 0);
    }
    assert_true(isnan(parse(".nan")->number));
    assert_int_equal(parse("9223372036854775807")->whole, INT64_MAX);
    end(ctx);
}

AT_TEST(test_yaml__quoted_and_block_scalars_are_text)
{
    at_ctx *ctx = begin();
    static const char *const forms[] = {"\"1\"", "'1'", "|-\n  1\n", ">-\n  1\n"};
    for (int i = 0; i < AT_COUNT(forms); i++) {
        const at_tree *t = parse(forms[i]);
        assert_int_equal(t->kind, AT_STRING);
        assert_string_equal(t->text, "1");
    }
    assert_string_equal(parse("\"\"")->text, "");
    assert_string_equal(parse("a: \"x\\ty\\u00e9\\n\"")->first->text, "x\ty\xc3\xa9\n");
    assert_string_equal(parse("a: |\n  one\n  two\n")->first->text, "one\ntwo\n");
    end(ctx);
}

AT_TEST(test_yaml__too_large_numbers_are_refused)
{
    at_ctx *ctx = begin();
    expect_refused("a: 1\nb: 9223372036854775808", "x.yaml:2: the number 9223372036854775808 is too large");
    expect_refused("-9223372036854775809", "is too large");
    expect_refused("0xffffffffffffffff", "is too large");
    expect_refused("0o7777777777777777777777", "is too large");
    expect_refused("1e999", "x.yaml:1: the number 1e999 is too large");
    end(ctx);
}

/* ---- Structure ---- */

static const char recipe[] = "# a comment\n"
                             "model: ./resnet-50   # another\n"
                             "data: { train: ./pests/train, valid: 10% }\n"
                             "augment: [ {flip: horizontal}, {rotate: 15} ]\n"
                             "train:\n"
                             "  learning_rate: 1e-4\n"
                             "  stages:\n"
                             "  - epochs: 3\n"
                             "    freeze: 'layers.*'\n"
                             "  -\n"
                             "    epochs: 2\n"
                             "1: one\n"
                             "true: two\n";

AT_TEST(test_yaml__a_recipe_is_read_with_its_lines)
{
    at_ctx *ctx = begin();
    const at_tree *t = parse(recipe);
    assert_int_equal(t->n, 6);
    assert_string_equal(at_tree_get(t, "model")->text, "./resnet-50");
    assert_string_equal(at_tree_at(t, "data.valid")->text, "10%");
    const at_tree *augment = at_tree_get(t, "augment");
    assert_int_equal(at_tree_get(augment->first->next, "rotate")->whole, 15);
    assert_int_equal(augment->line, 4);
    assert_true(at_tree_at(t, "train.learning_rate")->number == 1e-4);
    assert_int_equal(at_tree_at(t, "train.learning_rate")->line, 6);
    assert_int_equal(at_tree_get(t, "train")->line, 5); /* where the key is, not where its map begins */
    const at_tree *stages = at_tree_at(t, "train.stages");
    assert_int_equal(stages->n, 2);
    assert_int_equal(stages->first->line, 8);
    assert_string_equal(at_tree_get(stages->first, "freeze")->text, "layers.*");
    assert_int_equal(at_tree_get(stages->last, "epochs")->line, 11);
    assert_string_equal(at_tree_get(t, "1")->text, "one"); /* keys are text */
    assert_string_equal(at_tree_get(t, "true")->text, "two");
    end(ctx);
}

AT_TEST(test_yaml__an_empty_document_is_null)
{
    at_ctx *ctx = begin();
    assert_int_equal(parse("")->kind, AT_NULL);
    assert_int_equal(parse("# only a comment\n")->kind, AT_NULL);
    assert_int_equal(parse("---\n...\n")->kind, AT_NULL);
    assert_int_equal(parse("# only a comment\n")->line, 1);
    at_tree *t;
    at_expect_ok(ctx, at_yaml_parse(&arena, &t, NULL, 0, "x"));
    assert_int_equal(t->kind, AT_NULL);
    end(ctx);
}

AT_TEST(test_yaml__json_and_byte_order_marks_are_read)
{
    at_ctx *ctx = begin();
    assert_int_equal(at_tree_at(parse("{\"a\": {\"b\": [1, true]}}"), "a.b")->n, 2);
    assert_int_equal(at_tree_get(parse("\xef\xbb\xbf"
                                       "a: 1\r\nb: 2\r\n"),
                                 "b")
                         ->whole,
                     2);
    end(ctx);
}

AT_TEST(test_yaml__errors_have_lines_and_remedies)
{
    at_ctx *ctx = begin();
    expect_refused("a: 1\nb: [1, 2\nc: 3\n", "x.yaml:3:");
    expect_refused("a:\n\tb: 1\n", "; indent with spaces, not with tabs");
    expect_refused("a: 1\nb: 2\na: 3\n", "x.yaml:3: the key \"a\" was given on line 1 already");
    expect_refused("z: 1\nz: 2\na: 3\na: 4\n", "x.yaml:2: the key \"z\" was given on line 1 already");
    expect_refused("a: 1\na: 2\nz: 3\nz: 4\n", "x.yaml:2: the key \"a\" was given on line 1 already");
    expect_refused("x:\n  b: 1\n  \"b\": 2\n", "x.yaml:3: the key \"b\" was given on line 2 already");
    expect_refused("a: &x 1\n", "x.yaml:1: anchors (&name) are not supported");
    expect_refused("a: 1\nb: *x\n", "x.yaml:2: aliases (*name) are not supported; quote");
    expect_refused("a: !!int 1\n", "x.yaml:1: tags (!name) are not supported; quote");
    expect_refused("a: ! 1\n", "tags (!name)");
    expect_refused("a: !x [1]\n", "tags (!name)");
    expect_refused("a: &x {}\n", "anchors (&name)");
    expect_refused("a: 1\n---\nb: 1\n", "x.yaml:2: a second document begins; a file holds one");
    expect_refused("? [1, 2]\n: 3\n", "x.yaml:1: a key must be text, not a list or a map");
    expect_refused("a: 1\n?\n: 3\n", "x.yaml:2: an empty key");
    expect_refused("a: \"x\\0y\"\n", "x.yaml:1: a NUL character in text");
    expect_refused("a: 1\nb: \x01\n", "x.yaml:2: control characters are not allowed (byte 8 of the file)");
    expect_refused("a: \xff\n", "x.yaml:1: invalid leading UTF-8 octet (byte 3 of the file)");
    end(ctx);
}

AT_TEST(test_yaml__depth_is_limited)
{
    at_ctx *ctx = begin();
    char text[2 * AT_TREE_DEPTH + 3] = {0};
    memset(text, '[', AT_TREE_DEPTH);
    memset(text + AT_TREE_DEPTH, ']', AT_TREE_DEPTH);
    parse(text);
    memset(text, '[', AT_TREE_DEPTH + 1);
    expect_refused(text, "x.yaml:1: lists and maps are more than 64 deep");
    end(ctx);
}

/* ---- Writing ---- */

static void expect_written(const at_tree *t, const char *want)
{
    at_text out;
    at_text_init(&out, arena.ctx);
    at_yaml_write(&out, t);
    assert_int_equal(at_text_status(&out), AT_OK);
    if (want) assert_string_equal(out.data, want);
    if (!at_tree_equal(parse(out.data), t)) fail_msg("differs: %s", out.data);
    at_text_deinit(&out);
}

AT_TEST(test_yaml__is_written_in_blocks)
{
    at_ctx *ctx = begin();
    expect_written(parse(recipe), "model: ./resnet-50\n"
                                  "data:\n"
                                  "  train: ./pests/train\n"
                                  "  valid: \"10%\"\n"
                                  "augment:\n"
                                  "  - flip: horizontal\n"
                                  "  - rotate: 15\n"
                                  "train:\n"
                                  "  learning_rate: 0.0001\n"
                                  "  stages:\n"
                                  "    - epochs: 3\n"
                                  "      freeze: \"layers.*\"\n"
                                  "    - epochs: 2\n"
                                  "\"1\": one\n"
                                  "\"true\": two\n");
    expect_written(parse("[[1, [2, 3]], [], {}, {a: [], b: {}}, null]"), "- - 1\n"
                                                                         "  - - 2\n"
                                                                         "    - 3\n"
                                                                         "- []\n"
                                                                         "- {}\n"
                                                                         "- a: []\n"
                                                                         "  b: {}\n"
                                                                         "- null\n");
    expect_written(parse("a: TRUE\nb: false"), "a: true\nb: false\n");
    expect_written(parse("7"), "7\n");
    expect_written(parse("[]"), "[]\n");
    expect_written(parse(""), "null\n");
    end(ctx);
}

/* Every reader must take these numbers for numbers: YAML 1.1 wants a point and a signed exponent. */
AT_TEST(test_yaml__numbers_are_written_for_every_reader)
{
    at_ctx *ctx = begin();
    expect_written(at_tree_number(&arena, 1.0), "1.0\n");
    expect_written(at_tree_number(&arena, 1e-5), "1.0e-05\n");
    expect_written(at_tree_number(&arena, -2.5e30), "-2.5e+30\n");
    expect_written(at_tree_number(&arena, -0.0), "-0.0\n");
    expect_written(at_tree_number(&arena, NAN), ".nan\n");
    expect_written(at_tree_number(&arena, -NAN), ".nan\n");
    expect_written(at_tree_number(&arena, INFINITY), ".inf\n");
    expect_written(at_tree_number(&arena, -INFINITY), "-.inf\n");
    expect_written(at_tree_whole(&arena, INT64_MIN), "-9223372036854775808\n");
    end(ctx);
}

static const struct {
    const char *text, *want; /* want NULL: quoted */
} strings[] = {
    {"hello", "hello"},
    {"two words", "two words"},
    {"./a/b-c_d.e", "./a/b-c_d.e"},
    {"../x", "../x"},
    {"/root/x", "/root/x"},
    {"a+b", "a+b"},
    {"", "\"\""},
    {"yes", "\"yes\""},
    {"Off", "\"Off\""},
    {"N", "\"N\""},
    {"null", "\"null\""},
    {"~", "\"~\""},
    {"1e-4", "\"1e-4\""},
    {"007", "\"007\""},
    {"1:30", "\"1:30\""},
    {".5", "\".5\""},
    {"..", "\"..\""},
    {"-", "\"-\""},
    {"- a", "\"- a\""},
    {"a: b", "\"a: b\""},
    {"a #b", "\"a #b\""},
    {"a ", "\"a \""},
    {" a", "\" a\""},
    {"*", "\"*\""},
    {"{}", "\"{}\""},
    {"---", "\"---\""},
    {"@x", "\"@x\""},
    {"%x", "\"%x\""},
    {"a\nb\tc\r", "\"a\\nb\\tc\\x0D\""},
    {"\"\\", "\"\\\"\\\\\""},
    {"\x01\x7f", "\"\\x01\\x7F\""},
    {"caf\xc3\xa9", "\"caf\xc3\xa9\""},
    {"\xc2\x85\xc2\xa0", "\"\\x85\xc2\xa0\""},                             /* next line; no-break space */
    {"\xe2\x80\xa8\xef\xbb\xbf\xef\xbf\xbf", "\"\\u2028\\uFEFF\\uFFFF\""}, /* line separator, BOM */
    {"\xf0\x9f\x98\x80", "\"\xf0\x9f\x98\x80\""},
};

AT_TEST(test_yaml__text_is_quoted_where_a_reader_would_err)
{
    at_ctx *ctx = begin();
    for (int i = 0; i < AT_COUNT(strings); i++) {
        char line[200];
        strcat(strcpy(line, strings[i].want), "\n");
        expect_written(at_tree_string(&arena, strings[i].text), line);
        at_tree *map = at_tree_new(&arena, AT_MAP); /* as a key, too */
        at_tree_add(&arena, map, strings[i].text, at_tree_string(&arena, strings[i].text));
        expect_written(map, NULL);
    }
    end(ctx);
}

AT_TEST(test_yaml__invalid_utf8_is_replaced)
{
    at_ctx *ctx = begin();
    at_text out;
    at_text_init(&out, ctx);
    at_yaml_write(&out, at_tree_string(&arena, "a\xff"));
    assert_string_equal(out.data, "\"a\xef\xbf\xbd\"\n");
    at_text_deinit(&out);
    end(ctx);
}

/* libyaml takes `key:` up to 1024 characters; escapes make characters of bytes. */
AT_TEST(test_yaml__long_keys_are_read_back)
{
    at_ctx *ctx = begin();
    for (int n = 200; n < 5000; n += n / 10)
        for (int binary = 0; binary < 2; binary++) {
            char key[5001] = {0};
            memset(key, binary ? 1 : 'k', (size_t)n);
            at_tree *list = at_tree_new(&arena, AT_LIST);
            at_tree *map = at_tree_add(&arena, list, NULL, at_tree_new(&arena, AT_MAP));
            at_tree *inner = at_tree_add(&arena, map, key, at_tree_new(&arena, AT_MAP));
            at_tree_add(&arena, inner, "a", at_tree_whole(&arena, 1));
            at_tree_add(&arena, map, "z", at_tree_whole(&arena, 2));
            expect_written(list, NULL);
        }
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
    at_status status = at_yaml_parse(&a, &t, text, strlen(text), "x");
    if (status == AT_OK) {
        at_yaml_write(&out, t);
        status = at_text_status(&out);
    }
    at_text_deinit(&out);
    at_arena_deinit(&a);
    return status;
}

AT_TEST(test_yaml__survives_failing_allocations)
{
    at_ctx *ctx = begin();
    at_text big; /* several chunks of the arena */
    at_text_init(&big, ctx);
    for (int i = 0; i < 300; i++) at_text_printf(&big, "k%d: [a, {b: 1, c: 'x'}]\n", i);
    at_torture(ctx, parse_and_write, big.data);
    at_text_deinit(&big);
    end(ctx);
}
