/* table_test.c: names of columns and how they are found. */
#include "formats/file.h"
#include "formats/table.h"
#include "tests/harness/test.h"
#include <stdio.h>

static at_ctx *ctx;

static at_table read_text(const char *text)
{
    char folder[1024], path[1200];
    at_table t;
    at_test_folder(folder, "table");
    snprintf(path, sizeof path, "%s/x.csv", folder);
    at_expect_ok(ctx, at_file_write(ctx, path, text, strlen(text)));
    at_expect_ok(ctx, at_table_read(ctx, &t, path, NULL));
    return t;
}

static int found(const at_table *t, const char *name)
{
    int column = -1;
    at_expect_ok(ctx, at_table_find(ctx, &column, t, name, "data.label"));
    return column;
}

AT_TEST(test_table__columns_are_found_by_name_and_number)
{
    ctx = at_test_ctx();
    at_table t = read_text("Text,label,text,1\na,b,c,d\n");
    int column;
    assert_int_equal(found(&t, "text"), 2);
    assert_int_equal(found(&t, "Text"), 0);
    assert_int_equal(found(&t, "LABEL"), 1);
    assert_int_equal(found(&t, "1"), 3); /* a name comes first */
    assert_int_equal(found(&t, "3"), 2);
    at_expect_error(ctx, at_table_find(ctx, &column, &t, "lable", "data.label"), AT_E_ARG,
                    "x.csv: data.label is lable, but no column is called so; the nearest is \"label\"");
    at_expect_error(ctx, at_table_find(ctx, &column, &t, "5", "data.text"), AT_E_ARG,
                    "x.csv: data.text is 5, but no column is called so; the nearest is \"1\"");
    at_expect_error(ctx, at_table_find(ctx, &column, &t, "99999999999999999999", "data.text"), AT_E_ARG,
                    "no column");
    char title[AT_COLUMN_TITLE];
    at_table_title(title, &t, 1);
    assert_string_equal(title, "column 2 \"label\"");
    at_table_deinit(&t);
    at_test_done(ctx);
}

AT_TEST(test_table__without_a_header_columns_have_numbers)
{
    ctx = at_test_ctx();
    at_table t = read_text("a,b\nc,d\n");
    int column;
    assert_int_equal(found(&t, "2"), 1);
    at_expect_error(
        ctx, at_table_find(ctx, &column, &t, "label", "data.label"), AT_E_ARG,
        "x.csv: data.label is label, but the file has no header and 2 columns; give a number from 1, or set "
        "data.header yes");
    char title[AT_COLUMN_TITLE];
    at_table_title(title, &t, 1);
    assert_string_equal(title, "column 2");
    at_table_deinit(&t);
    at_test_done(ctx);
}

AT_TEST(test_table__endings_tell_tables)
{
    static const char *const yes[] = {"a.csv", "b/c.TSV", "d.txt", ".tab", "e.f.json", "g.jsonl", "h.ndjson"};
    static const char *const no[] = {"csv", "a.csv/b", "a.csv.gz", "LICENSE", "x.md", ""};
    for (int i = 0; i < AT_COUNT(yes); i++) assert_true(at_is_table_name(yes[i]));
    for (int i = 0; i < AT_COUNT(no); i++) assert_false(at_is_table_name(no[i]));
}
