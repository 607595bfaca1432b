/* table_json_test.c: JSON lists and JSON lines as tables. */
#include "base/text.h"
#include "formats/file.h"
#include "formats/table.h"
#include "tests/harness/test.h"
#include "tests/harness/torture.h"
#include <stdio.h>
#include <unistd.h>

static at_ctx *ctx;
static char path[1200];

static void put(const char *name, const char *text)
{
    char folder[1024];
    at_test_folder(folder, "table-json");
    snprintf(path, sizeof path, "%s/%s", folder, name);
    at_expect_ok(ctx, at_file_write(ctx, path, text, strlen(text)));
}

static at_table read_file(const char *name, const char *text)
{
    at_table t;
    put(name, text);
    at_expect_ok(ctx, at_table_read(ctx, &t, path, NULL));
    assert_null(t.delimiter);
    return t;
}

static void expect_row(const at_table *t, int64_t row, int64_t line, const char *const *cells)
{
    assert_int_equal(t->line[row], line);
    for (int i = 0; i < t->n_columns; i++) {
        assert_string_equal(at_table_cell(t, row, i)->text, cells[i]);
        assert_int_equal(at_table_cell(t, row, i)->n, strlen(cells[i]));
    }
}

static void expect_refused(const char *name, const char *text, const char *message)
{
    char whole[1600];
    at_table t = {.n_rows = 1};
    put(name, text);
    snprintf(whole, sizeof whole, "%s%s", path, message);
    assert_int_equal(at_table_read(ctx, &t, path, NULL), AT_E_FORMAT);
    assert_string_equal(at_last_error(ctx), whole);
    assert_int_equal(t.n_rows, 0);
    at_clear_error(ctx);
}

AT_TEST(test_table_json__lines_are_rows)
{
    ctx = at_test_ctx();
    at_table t = read_file("x.jsonl", "\xef\xbb\xbf{\"text\": \"a\\nb\", \"label\": 1}\n\n"
                                      "{\"label\": true, \"score\": 1.50, \"text\": \"\\u00e9\"}\r\n  \n"
                                      "{\"text\": null, \"label\": \"\"} ");
    static const char *const rows[][3] = {{"a\nb", "1", ""}, {"\xc3\xa9", "true", "1.5"}, {"", "", ""}};
    static const int lines[] = {1, 3, 5};
    assert_int_equal(t.n_rows, 3);
    assert_int_equal(t.n_columns, 3);
    assert_string_equal(t.names[0], "text");
    assert_string_equal(t.names[1], "label");
    assert_string_equal(t.names[2], "score");
    for (int i = 0; i < 3; i++) expect_row(&t, i, lines[i], rows[i]);
    at_table_deinit(&t);
    at_test_done(ctx);
}

static void expect_two_rows(const char *name, const char *text, int first, int second)
{
    static const char *const rows[][2] = {{"x]", "0"}, {"y\"}", "1"}};
    at_table t = read_file(name, text);
    assert_int_equal(t.n_rows, 2);
    assert_int_equal(t.n_columns, 2);
    expect_row(&t, 0, first, rows[0]);
    expect_row(&t, 1, second, rows[1]);
    at_table_deinit(&t);
}

AT_TEST(test_table_json__a_list_is_found_in_its_document)
{
    ctx = at_test_ctx();
    expect_two_rows("x.json", "[{\"t\": \"x]\", \"l\": 0}, {\"t\": \"y\\\"}\", \"l\": 1}]", 1, 1);
    expect_two_rows("x.JSON",
                    "\xef\xbb\xbf\n[\n{\"t\": \"x]\",\n \"l\": 0}\n,\n{\"t\":\n\"y\\\"}\", \"l\": 1}\n]\n", 3,
                    6);
    expect_two_rows("x.json",
                    "{\"version\": 1.0, \"of\": {\"a\": [1]},\n \"data\" : [{\"t\":\"x]\",\"l\":0},\n"
                    "{\"t\":\"y\\\"}\",\"l\":1}], \"end\":null}",
                    2, 3);
    expect_two_rows("x.ndjson", "{\"t\":\"x]\",\"l\":0}\n{\"t\":\"y\\\"}\",\"l\":1}", 1, 2);
    at_test_done(ctx);
}

AT_TEST(test_table_json__rows_that_cannot_be_are_told)
{
    ctx = at_test_ctx();
    expect_refused("x.jsonl", "{\"a\": 1}\n[1]\n", ":2: a row is a list, must be a map like {\"text\": ...}");
    expect_refused("x.json", "[\n1]", ":2: a row is a whole number, must be a map like {\"text\": ...}");
    expect_refused("x.jsonl", "{\"a\": {\"b\": 1}}",
                   ":1: \"a\" is a map, a cell must be text, a number, true, false, null or a list of such");
    expect_refused("x.jsonl", "{}\n{}\n", ": its rows have no keys");
    at_test_done(ctx);
}

static void expect_items(const at_table *t, int64_t row, const char *text, const char *const *items)
{
    const at_items *got = at_table_items(t, row, 1);
    int n = 0;
    for (; items[n]; n++) {
        assert_true(n < got->n);
        assert_string_equal(got->list[n].text, items[n]);
        assert_int_equal(got->list[n].n, strlen(items[n]));
    }
    assert_int_equal(got->n, n);
    assert_string_equal(at_table_cell(t, row, 1)->text, text);
    assert_int_equal(at_table_cell(t, row, 1)->n, strlen(text));
}

AT_TEST(test_table_json__lists_have_items)
{
    ctx = at_test_ctx();
    at_table t =
        read_file("x.jsonl", "{\"t\": \"x\"}\n{\"t\": \"y\", \"l\": [\"a, b\", 1, \"\", 2.5, true]}\n"
                             "{\"l\": []}\n{\"l\": null}\n{\"l\": [\"c\"]}\n");
    assert_false(at_table_has_lists(&t, 0));
    assert_true(at_table_has_lists(&t, 1));
    expect_items(&t, 0, "", (const char *const[]){NULL});
    expect_items(&t, 1, "a, b, 1, , 2.5, true", (const char *const[]){"a, b", "1", "", "2.5", "true", NULL});
    expect_items(&t, 2, "", (const char *const[]){NULL});
    expect_items(&t, 3, "", (const char *const[]){NULL});
    expect_items(&t, 4, "c", (const char *const[]){"c", NULL});
    at_table_deinit(&t);
    t = read_file("x.jsonl", "{\"t\": \"x\"}\n");
    assert_false(at_table_has_lists(&t, 0));
    at_table_deinit(&t);
    at_test_done(ctx);
}

AT_TEST(test_table_json__lists_that_cannot_be_are_told)
{
    ctx = at_test_ctx();
    expect_refused("x.jsonl", "{\"l\": [\"a\"]}\n{\"l\": [\"b\", [\"c\"]]}\n",
                   ":2: item 2 of \"l\" is a list, must be text, a number, true or false");
    expect_refused("x.json", "[{\"a\": 1},\n\n{\n\"b\": [{}]}]",
                   ":3: item 1 of \"b\" is a map, must be text, a number, true or false");
    expect_refused("x.jsonl", "{\"l\": [null]}\n",
                   ":1: item 1 of \"l\" is nothing, must be text, a number, true or false");
    expect_refused("x.jsonl", "{\"l\": null}\n{\"l\": [\"a\"]}\n{\"l\": \"a\"}\n",
                   ":3: \"l\" is text, but a list in line 2; make it a list in every row, or in none");
    expect_refused("x.jsonl", "{\"l\": 1}\n{\"l\": []}\n",
                   ":2: \"l\" is a list, but none in line 1; make it a list in every row, or in none");
    at_test_done(ctx);
}

AT_TEST(test_table_json__syntax_errors_have_the_line_of_the_file)
{
    ctx = at_test_ctx();
    expect_refused("x.jsonl", "{\"a\": 1}\n\n{\"a\" 1}\n", ":3:6: ':' expected near '1'");
    expect_refused("x.jsonl", "{\"a\": 1,\n\"b\": 2}\n", ":1:8: string or '}' expected near end of file");
    expect_refused("x.jsonl", "{\"a\": 1} {\"a\": 2}\n", ":1:10: end of file expected near '{'");
    expect_refused("x.json", "[{\"a\": 1}, {\"a\": \"\n\"}]", ":1:18: unexpected newline near '\"'");
    expect_refused("x.json", "[{\"a\": 1}\n {\"a\": 2}]", ":2:2: ',' or ']' expected");
    expect_refused("x.json", "[{\"a\": 1},]", ":1:11: a value expected");
    expect_refused("x.json", "[{\"a\": 1}", ":1:10: ',' or ']' expected");
    expect_refused("x.json", "[{\"a\": 1}] []", ":1:12: the end of the file expected");
    expect_refused("x.json", "{\"a\": [{\"b\": 1}]", ":1:17: ',' or '}' expected");
    expect_refused("x.json", "{1: [{\"b\": 1}]}", ":1:2: a key in quotes expected");
    expect_refused("x.json", "{\"a\" [{\"b\": 1}]}", ":1:6: ':' expected");
    at_test_done(ctx);
}

AT_TEST(test_table_json__documents_without_one_list_are_told)
{
    ctx = at_test_ctx();
    static const char no_list[] = ": has no list of rows, must be [{...}, ...] or {\"data\": [{...}, ...]}";
    expect_refused("x.json", "{\"a\": 1}", no_list);
    expect_refused("x.json", "7", no_list);
    expect_refused("x.json", " ", no_list);
    expect_refused("x.json", "{\"a\": [{\"t\": 1}],\n\"b\": []}",
                   ":2: has two lists, \"a\" and \"b\", and only one can be the rows; keep one of them");
    expect_refused("x.json", "[]", ": has no rows");
    expect_refused("x.jsonl", "\n\n", ": has no rows");
    expect_refused("x.jsonl", "", ": is empty; a table with at least one row is needed");
    expect_refused("x.json", "", ": is empty; a table with at least one row is needed");
    put("x.json", "[{\"a\": 1}]");
    at_table t;
    at_expect_error(ctx, at_table_read(ctx, &t, path, &(at_table_options){.encoding = "latin-1"}), AT_E_ARG,
                    "x.json: JSON is UTF-8; leave data.encoding away");
    at_test_done(ctx);
}

/* Neither the limit of at_tree_read nor the scratch arena ends a long list. */
AT_TEST(test_table_json__a_list_may_be_long)
{
    enum { ROWS = 100000 };
    ctx = at_test_ctx();
    at_text out;
    at_text_init(&out, ctx);
    for (int i = 0; i < ROWS; i++)
        at_text_printf(&out, "%s{\"text\": \"%0170d\", \"label\": %d}\n", i ? "," : "[", i, i % 2);
    at_text_add(&out, "]");
    assert_true(out.size > 16 << 20);
    at_table t = read_file("x.json", out.data);
    at_text_deinit(&out);
    assert_int_equal(t.n_rows, ROWS);
    for (int i = 0; i < ROWS; i += 999) {
        char want[200];
        snprintf(want, sizeof want, "%0170d", i);
        expect_row(&t, i, i + 1, (const char *const[]){want, i % 2 ? "1" : "0"});
    }
    at_table_deinit(&t);
    at_test_done(ctx);
}

AT_TEST(test_table_json__limits_are_told)
{
    ctx = at_test_ctx();
    char message[1300];
    at_table t;
    static const char *const starts[][2] = {{"x.jsonl", "{\"a\": 1}\n{\"a\": \""},
                                            {"x.json", "[{\"a\": 1},\n{\"a\": \""},
                                            {"x.json", "{\"note\":\n\""}};
    for (int i = 0; i < AT_COUNT(starts); i++) {
        put(starts[i][0], starts[i][1]);
        snprintf(message, sizeof message, "%s:2: a row of more than 64 MiB; is this a table of texts?", path);
        assert_int_equal(truncate(path, 1 << 30), 0);
        assert_int_equal(at_table_read(ctx, &t, path, NULL), AT_E_FORMAT);
        assert_string_equal(at_last_error(ctx), message);
        at_clear_error(ctx);
    }
    at_text out;
    at_text_init(&out, ctx);
    at_text_add(&out, "{\"x\": 0");
    for (int i = 0; i < AT_TABLE_COLUMNS; i++) at_text_printf(&out, ", \"k%d\": 0", i);
    at_text_add(&out, "}\n");
    put("x.jsonl", out.data);
    at_expect_error(ctx, at_table_read(ctx, &t, path, NULL), AT_E_RANGE,
                    "x.jsonl:1: more than 4096 different keys");
    at_text_deinit(&out);
    at_test_done(ctx);
}

static at_status attempt(at_ctx *c, void *arg)
{
    at_table t;
    const at_status status = at_table_read(c, &t, arg, NULL);
    at_table_deinit(&t);
    return status;
}

AT_TEST(test_table_json__survives_lack_of_memory)
{
    ctx = at_test_ctx();
    at_text out;
    at_text_init(&out, ctx);
    for (int i = 0; i < 600; i++) at_text_printf(&out, "{\"a%d\": 1, \"b\": \"%0200d\"}\n", i % 7, i);
    put("x.jsonl", out.data);
    at_text_deinit(&out);
    at_torture(ctx, attempt, path);
    put("x.json", "{\"a\": {}, \"rows\": [{\"b\": 1}, {\"c\": 2}]}");
    at_torture(ctx, attempt, path);
    at_test_done(ctx);
}
