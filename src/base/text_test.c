/* text_test.c: growing text, escaping, numbers, UTF-8. */
#include "base/text.h"
#include "tests/harness/test.h"
#include "tests/harness/torture.h"
#include <float.h>
#include <locale.h>
#include <math.h>

static void expect_text(at_text *t, const char *want)
{
    assert_int_equal(at_text_status(t), AT_OK);
    assert_string_equal(t->data, want);
    assert_int_equal(t->size, strlen(want));
    at_text_deinit(t);
    at_text_init(t, t->ctx);
}

AT_TEST(test_text__grows)
{
    at_ctx *ctx = at_test_ctx();
    at_text t;
    at_text_init(&t, ctx);
    assert_null(t.data);
    at_text_add(&t, "");
    expect_text(&t, "");
    for (int i = 0; i < 1000; i++) at_text_printf(&t, "%d,", i % 10);
    assert_int_equal(t.size, 2000);
    assert_int_equal(strlen(t.data), 2000);
    assert_memory_equal(t.data + 1990, "5,6,7,8,9,", 10);
    at_text_deinit(&t);
    at_text_bytes(&t, "a\0b", 3);
    assert_int_equal(t.size, 3);
    assert_memory_equal(t.data, "a\0b", 4);
    at_text_deinit(&t);
    at_test_done(ctx);
}

AT_TEST(test_text__refuses_sizes_that_would_wrap_around)
{
    at_ctx *ctx = at_test_ctx();
    at_text t;
    at_text_init(&t, ctx);
    at_text_add(&t, "abc");
    at_text_bytes(&t, "x", SIZE_MAX - 2);
    assert_int_equal(at_text_status(&t), AT_E_NOMEM);
    at_expect_error(ctx, at_last_status(ctx), AT_E_NOMEM, "");
    at_text_deinit(&t);
    at_test_done(ctx);
}

AT_TEST(test_text__json_is_escaped)
{
    at_ctx *ctx = at_test_ctx();
    at_text t;
    at_text_init(&t, ctx);
    at_text_json(&t, "a\"b\\c/d\b\t\n\v\f\r\x01\x1f\x7f");
    expect_text(&t, "\"a\\\"b\\\\c/d\\b\\t\\n\\u000b\\f\\r\\u0001\\u001f\\u007f\"");
    at_text_json(&t, "\xc3\xa9\xe7\x8c\xab\xf0\x9f\x90\x88"); /* two, three and four bytes */
    expect_text(&t, "\"\xc3\xa9\xe7\x8c\xab\xf0\x9f\x90\x88\"");
    at_text_json(&t, "a\xff\xc3(\xe7\x8c");
    expect_text(&t, "\"a\xef\xbf\xbd\xef\xbf\xbd(\xef\xbf\xbd\xef\xbf\xbd\"");
    at_test_done(ctx);
}

AT_TEST(test_text__html_is_escaped)
{
    at_ctx *ctx = at_test_ctx();
    at_text t;
    at_text_init(&t, ctx);
    at_text_html(&t, "<a href=\"x\">it's R&D</a>");
    expect_text(&t, "&lt;a href=&quot;x&quot;&gt;it&#39;s R&amp;D&lt;/a&gt;");
    at_text_html(&t, "plain");
    expect_text(&t, "plain");
    at_test_done(ctx);
}

static const struct {
    double x;
    const char *want;
} numbers[] = {
    {0.0, "0"},
    {-0.0, "-0"},
    {1.0, "1"},
    {0.1, "0.1"},
    {-1.5e-7, "-1.5e-07"},
    {1e22, "1e+22"},
    {100000.0, "100000"},
    {0.1 + 0.2, "0.30000000000000004"},
    {1.0 / 3.0, "0.3333333333333333"},
    {9007199254740993.0, "9007199254740992"},
    {DBL_MAX, "1.7976931348623157e+308"},
    {DBL_MIN, "2.2250738585072014e-308"},
    {5e-324, "5e-324"},
    {123456789012345678.0, "1.2345678901234568e+17"},
    {NAN, "null"},
    {INFINITY, "null"},
    {-INFINITY, "null"},
};

AT_TEST(test_text__numbers_are_short_and_read_back)
{
    at_ctx *ctx = at_test_ctx();
    at_text t;
    at_text_init(&t, ctx);
    for (int i = 0; i < AT_COUNT(numbers); i++) {
        double back;
        at_text_number(&t, numbers[i].x);
        if (isfinite(numbers[i].x)) {
            assert_true(at_number_parse(&back, t.data));
            assert_memory_equal(&back, &numbers[i].x, sizeof back);
        }
        expect_text(&t, numbers[i].want);
    }
    at_test_done(ctx);
}

AT_TEST(test_text__number_parse_takes_all_or_nothing)
{
    double x = 7.0;
    static const char *const wrong[] = {"", " ", "1 ", "1,5", "abc", "1e", "0x", "--1"};
    for (int i = 0; i < AT_COUNT(wrong); i++)
        if (at_number_parse(&x, wrong[i])) fail_msg("\"%s\" gives %g", wrong[i], x);
    assert_true(x == 7.0);
    assert_true(at_number_parse(&x, "-2.5e3") && x == -2500.0);
}

/* A German program that uses the library must not write "0,5" into JSON. */
AT_TEST(test_text__numbers_ignore_the_locale)
{
    static const char *const with_comma[] = {"de_DE.UTF-8", "de_DE", "fr_FR.UTF-8", "fr_FR", NULL};
    int i = 0;
    while (with_comma[i] && !setlocale(LC_NUMERIC, with_comma[i])) i++;
    char number[AT_NUMBER_TEXT];
    double x;
    at_number_format(number, 0.5);
    const bool parsed = at_number_parse(&x, "1.25");
    setlocale(LC_NUMERIC, "C");
    assert_string_equal(number, "0.5");
    assert_true(parsed && x == 1.25);
    if (!with_comma[i]) AT_SKIP("no locale with a decimal comma is installed");
}

static const struct {
    const char *bytes;
    int length;
    uint32_t code;
} characters[] = {
    {"", 1, 0},
    {"a", 1, 'a'},
    {"\x7f", 1, 0x7f},
    {"\xc2\x80", 2, 0x80},
    {"\xdf\xbf", 2, 0x7ff},
    {"\xe0\xa0\x80", 3, 0x800},
    {"\xed\x9f\xbf", 3, 0xd7ff},
    {"\xee\x80\x80", 3, 0xe000},
    {"\xef\xbf\xbf", 3, 0xffff},
    {"\xf0\x90\x80\x80", 4, 0x10000},
    {"\xf4\x8f\xbf\xbf", 4, 0x10ffff},
    {"\x80", 0, 0},     /* continuation first */
    {"\xc0\x80", 0, 0}, /* overlong */
    {"\xc1\xbf", 0, 0},
    {"\xe0\x9f\xbf", 0, 0},
    {"\xf0\x8f\xbf\xbf", 0, 0},
    {"\xed\xa0\x80", 0, 0}, /* surrogate */
    {"\xed\xbf\xbf", 0, 0},
    {"\xf4\x90\x80\x80", 0, 0}, /* above 10FFFF */
    {"\xf8\x88\x80\x80\x80", 0, 0},
    {"\xff", 0, 0},
    {"\xc3", 0, 0}, /* cut off */
    {"\xe7\x8c", 0, 0},
    {"\xc3(", 0, 0},
};

AT_TEST(test_text__utf8_is_decoded_strictly)
{
    for (int i = 0; i < AT_COUNT(characters); i++) {
        uint32_t code = 0;
        if (at_utf8_decode(&code, characters[i].bytes) != characters[i].length || code != characters[i].code)
            fail_msg("character %d gives %x", i, (unsigned)code);
    }
}

static at_status build_text(at_ctx *ctx, void *arg)
{
    (void)arg;
    at_text t;
    at_text_init(&t, ctx);
    for (int i = 0; i < 2000; i++) {
        at_text_printf(&t, "%d", i);
        at_text_json(&t, "\"");
        at_text_html(&t, "<");
        at_text_number(&t, i);
    }
    const at_status status = at_text_status(&t);
    at_text_deinit(&t);
    return status;
}

AT_TEST(test_text__survives_failures)
{
    at_ctx *ctx = at_test_ctx();
    at_torture(ctx, build_text, NULL);
    at_test_done(ctx);
}
