/* csv_test.c: delimited text: against Python's csv module, forms and headers, and every message. */
#include "base/text.h"
#include "formats/file.h"
#include "formats/table.h"
#include "formats/tree.h"
#include "tests/harness/test.h"
#include "tests/harness/torture.h"
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

static at_ctx *ctx;
static char path[1200];

/* A file in a fresh folder; its path is in `path`. */
static void put_bytes(const char *name, const char *bytes, size_t n)
{
    char folder[1024];
    at_test_folder(folder, "csv");
    snprintf(path, sizeof path, "%s/%s", folder, name);
    at_expect_ok(ctx, at_file_write(ctx, path, bytes, n));
}

static void put(const char *name, const char *text)
{
    put_bytes(name, text, strlen(text));
}

static at_table read_file(const char *name, const char *text, at_table_options o)
{
    at_table t;
    put(name, text);
    at_expect_ok(ctx, at_table_read(ctx, &t, path, &o));
    return t;
}

static void expect_cell(const at_table *t, int64_t row, int column, const char *want)
{
    const at_cell *c = at_table_cell(t, row, column);
    assert_string_equal(c->text, want);
    assert_int_equal(c->n, strlen(want));
}

/* The message is the path and then `message`, to the last letter. */
static void expect_bytes_refused(const char *name, const char *bytes, size_t n, at_table_options o,
                                 at_status status, const char *message)
{
    char whole[1600];
    at_table t = {.n_rows = 1};
    put_bytes(name, bytes, n);
    snprintf(whole, sizeof whole, "%s%s", *message == ':' ? path : "", message);
    assert_int_equal(at_table_read(ctx, &t, path, &o), status);
    assert_string_equal(at_last_error(ctx), whole);
    assert_int_equal(t.n_rows, 0);
    at_clear_error(ctx);
}

static void expect_refused(const char *name, const char *text, at_table_options o, const char *message)
{
    expect_bytes_refused(name, text, strlen(text), o, AT_E_FORMAT, message);
}

/* ---- Python's csv module ---- */

static void check_golden(const at_tree *golden)
{
    const at_tree *rows = at_tree_get(golden, "rows");
    const at_table_options o = {.delimiter = at_tree_get(golden, "delimiter")->text, .header = "no"};
    const char *name = at_tree_get(golden, "name")->text;
    at_table t;
    put("golden", at_tree_get(golden, "text")->text);
    const at_status status = at_table_read(ctx, &t, path, &o);
    if (status != (rows->kind == AT_NULL ? AT_E_FORMAT : AT_OK))
        fail_msg("%s: %s %s", name, at_status_name(status), at_last_error(ctx));
    at_clear_error(ctx);
    if (status != AT_OK) return;
    assert_int_equal(t.n_rows, rows->n);
    int64_t i = 0;
    for (const at_tree *row = rows->first; row; row = row->next, i++) {
        int column = 0;
        if (row->n != t.n_columns) fail_msg("%s: %d columns", name, t.n_columns);
        for (const at_tree *cell = row->first; cell; cell = cell->next)
            expect_cell(&t, i, column++, cell->text);
    }
    at_table_deinit(&t);
}

AT_TEST(test_csv__agrees_with_python)
{
    ctx = at_test_ctx();
    at_arena a;
    at_tree *golden;
    at_arena_init(&a, ctx);
    at_expect_ok(ctx, at_tree_read(&a, &golden, AT_SOURCE_DIR "/src/formats/csv_golden.json"));
    assert_true(golden->n > 200);
    for (const at_tree *g = golden->first; g; g = g->next) check_golden(g);
    at_arena_deinit(&a);
    at_test_done(ctx);
}

/* ---- Lines ---- */

AT_TEST(test_csv__rows_know_their_lines)
{
    ctx = at_test_ctx();
    at_table t =
        read_file("x.csv", "\xef\xbb\xbflabel,text\n\nham,\"one\n\ntwo\"\r\nspam,\"\"\"a\r\nb\"\nham,c",
                  (at_table_options){0});
    static const int64_t lines[] = {3, 6, 8};
    assert_int_equal(t.n_rows, 3);
    for (int i = 0; i < 3; i++) assert_int_equal(t.line[i], lines[i]);
    assert_string_equal(t.names[0], "label"); /* without the byte-order mark */
    assert_string_equal(t.names[1], "text");
    expect_cell(&t, 0, 1, "one\n\ntwo");
    expect_cell(&t, 1, 1, "\"a\r\nb");
    expect_cell(&t, 2, 1, "c");
    at_table_deinit(&t);
    t = read_file("x.csv", "a,b\rc\n", (at_table_options){0}); /* CR alone is text */
    expect_cell(&t, 0, 1, "b\rc");
    at_table_deinit(&t);
    at_test_done(ctx);
}

/* ---- What a file suggests ---- */

static void expect_delimiter(const char *name, const char *text, const char *want, int columns)
{
    at_table t = read_file(name, text, (at_table_options){0});
    assert_string_equal(t.delimiter, want);
    assert_int_equal(t.n_columns, columns);
    at_table_deinit(&t);
}

AT_TEST(test_csv__the_delimiter_is_told_by_ending_or_first_lines)
{
    ctx = at_test_ctx();
    expect_delimiter("x.csv", "a;b\n", ",", 1);
    expect_delimiter("x.TSV", "a,b\tc\n", "tab", 2);
    expect_delimiter("x.txt", "a,b\n", "tab", 1);
    expect_delimiter("x.tab", "a\tb\n", "tab", 2);
    expect_delimiter("x.dat", "ham\tone, two\nspam\tthree\n", "tab", 2);
    expect_delimiter("x.dat", "ham,\"one\ttwo\n\"\nspam,three\n", ",", 2);
    expect_delimiter("x.dat", "ham;one, two\nspam;three\n", ";", 2);
    expect_delimiter("x", "ham|one, two|3\nspam|three|4\n", "|", 3);
    expect_delimiter("x.all", "0 one two\n1 three, four\n0 five\n1 \n", "first-space", 2);
    expect_bytes_refused(
        "x.all", "one two\nthree four\nfive six\n", 28, (at_table_options){0}, AT_E_FORMAT,
        ": the first lines do not show how cells are delimited; set data.delimiter: \",\" \";\" \"|\" "
        "tab or first-space");
    at_test_done(ctx);
}

/* More than is looked at: a quoted cell reaches beyond. */
AT_TEST(test_csv__first_lines_may_end_inside_a_cell)
{
    ctx = at_test_ctx();
    at_text long_file;
    at_text_init(&long_file, ctx);
    at_text_add(&long_file, "a,\"b\nb\"\nc,\"");
    for (int i = 0; i < 20000; i++) at_text_add(&long_file, "line\n");
    at_text_add(&long_file, "\"\n");
    expect_delimiter("x.dat", long_file.data, ",", 2);
    at_text_deinit(&long_file);
    at_test_done(ctx);
}

static void expect_header(const char *header, const char *text, int64_t rows, const char *first_name)
{
    at_table t = read_file("x.csv", text, (at_table_options){.header = header});
    assert_int_equal(t.n_rows, rows);
    if (first_name)
        assert_string_equal(t.names[0], first_name);
    else
        assert_null(t.names);
    at_table_deinit(&t);
}

AT_TEST(test_csv__a_header_is_known_by_its_names)
{
    ctx = at_test_ctx();
    expect_header(NULL, "Label,SMS\nham,a\n", 1, "Label");
    expect_header("auto", " text , idx\nham,a\n", 1, " text ");
    expect_header(NULL, ",,text,label\n0,,a,ham\n", 1, "");
    expect_header(NULL, ",text\n0,a\n", 1, "");
    expect_header(NULL, "airline,sentiment,text\nham,a,b\n", 1,
                  "airline"); /* a label and a text among others */
    expect_header(NULL, "title,other\nham,a\n", 2, NULL);
    expect_header(NULL, "question,What is it?\nham,a\n", 2, NULL); /* a class may be called so */
    expect_header(NULL, ",\n,\n", 2, NULL);
    expect_header("no", "label,text\nham,a\n", 2, NULL);
    expect_header("yes", "ham,a\nspam,b\n", 1, "ham");
    at_test_done(ctx);
}

AT_TEST(test_csv__quotes_and_delimiters_as_told)
{
    ctx = at_test_ctx();
    at_table t = read_file("x.csv", "\"a\",b\n", (at_table_options){.quote = "none"});
    expect_cell(&t, 0, 0, "\"a\"");
    at_table_deinit(&t);
    t = read_file("x.tsv", "\"a\tb\"\tc\n", (at_table_options){.quote = "\""});
    expect_cell(&t, 0, 0, "a\tb");
    at_table_deinit(&t);
    t = read_file("x.csv", "0 a b  c \n1 \"d\r\n\n", (at_table_options){.delimiter = "first-space"});
    expect_cell(&t, 0, 0, "0");
    expect_cell(&t, 0, 1, "a b  c ");
    expect_cell(&t, 1, 1, "\"d");
    at_table_deinit(&t);
    t = read_file("x.csv", "a\tb\n", (at_table_options){.delimiter = "\t"});
    expect_cell(&t, 0, 1, "b");
    at_table_deinit(&t);
    at_test_done(ctx);
}

AT_TEST(test_csv__latin1_becomes_utf8)
{
    ctx = at_test_ctx();
    at_table t = read_file("x.csv", "caf\xe9,\x85\xff\nb,c\n", (at_table_options){.encoding = "latin-1"});
    expect_cell(&t, 0, 0, "caf\xc3\xa9");
    expect_cell(&t, 0, 1, "\xc2\x85\xc3\xbf");
    at_table_deinit(&t);
    at_test_done(ctx);
}

/* ---- Mistakes ---- */

AT_TEST(test_csv__broken_rows_are_told)
{
    ctx = at_test_ctx();
    const at_table_options none = {0};
    expect_refused(
        "x.csv", "a,b\nc,\"d\ne,f\n", none,
        ":2: the cell that begins with a quote here has no closing quote; write a quote inside a cell "
        "twice, or set data.quote none");
    expect_refused(
        "x.csv", "a,\"\n\",\"b\n\nc\" d\n", none,
        ":4: text follows the closing quote of the cell that begins in line 2; write a quote inside a cell "
        "twice, or set data.quote none");
    expect_refused(
        "x.csv", "\na,b\n\"c\n\",d\ne,f,g\n", none,
        ":5: 3 cells, but line 2 has 2 (data.delimiter ,); put a cell that holds the delimiter in double "
        "quotes");
    expect_refused(
        "x.tsv", "a\tb\nc\n", none,
        ":2: 1 cell, but line 1 has 2 (data.delimiter tab, data.quote none); take the delimiter out of the "
        "cell");
    expect_refused("x.csv", "a b\nc\n", (at_table_options){.delimiter = "first-space"},
                   ":2: no space: with data.delimiter first-space a line is a label, a space and a text");
    expect_refused("x.csv", "c\n", (at_table_options){.delimiter = "first-space"},
                   ":1: no space: with data.delimiter first-space a line is a label, a space and a text");
    expect_refused("x.csv", "text,label,text\na,b,c\n", none,
                   ":1: columns 1 and 3 are both called \"text\"; rename one of them");
    at_test_done(ctx);
}

AT_TEST(test_csv__bytes_that_are_no_text_are_told)
{
    ctx = at_test_ctx();
    const at_table_options none = {0};
    expect_bytes_refused("x.csv", "a,b\nc,\0\n", 8, none, AT_E_FORMAT,
                         ":2: a NUL byte; is this a text file? Remove it, or save the table as UTF-8");
    expect_refused("x.csv", "a,b\nc,d\ne,\x92t\n", none,
                   ":3: byte 0x92 is not UTF-8; it may be Latin-1: set data.encoding latin-1");
    expect_refused("x.csv", "a,b\nc,\xc3", none,
                   ":2: byte 0xc3 is not UTF-8; it may be Latin-1: set data.encoding latin-1");
    for (int i = 0; i < 20; i++) { /* wherever it stands among eight bytes */
        char text[32] = "abcdefghijklmnopqrstuvwxyz";
        text[i] = '\xe9';
        expect_refused("x.csv", text, none,
                       ":1: byte 0xe9 is not UTF-8; it may be Latin-1: set data.encoding latin-1");
    }
    expect_bytes_refused("x.csv",
                         "\xff\xfe"
                         "a\0,\0",
                         6, none, AT_E_FORMAT, ": is UTF-16; save it as UTF-8");
    expect_refused("x.csv", "a,b\rc,d\r", none,
                   ": its lines end in CR alone; save it with line ends of LF or CRLF");
    at_test_done(ctx);
}

AT_TEST(test_csv__files_without_rows_are_told)
{
    ctx = at_test_ctx();
    const at_table_options none = {0};
    expect_refused("x.csv", "", none, ": is empty; a table with at least one row is needed");
    expect_refused("x.csv", "\xef\xbb\xbf", none, ": has no rows, only empty lines");
    expect_refused("x.csv", "\n\r\n", none, ": has no rows, only empty lines");
    expect_refused("x.csv", "label,text\n\n", none, ": has no rows, only a header");
    at_test_done(ctx);
}

AT_TEST(test_csv__options_that_cannot_be_are_told)
{
    ctx = at_test_ctx();
    expect_bytes_refused("x.csv", "a", 1, (at_table_options){.delimiter = "::"}, AT_E_ARG,
                         "data.delimiter is \"::\", must be \",\" \";\" \"|\" tab or first-space");
    expect_bytes_refused("x.csv", "a", 1, (at_table_options){.quote = "'"}, AT_E_ARG,
                         "data.quote is \"'\", must be one of: \", none");
    expect_bytes_refused("x.csv", "a", 1, (at_table_options){.header = "1"}, AT_E_ARG,
                         "data.header is \"1\", must be one of: auto, yes, no");
    expect_bytes_refused("x.csv", "a", 1, (at_table_options){.encoding = "cp1252"}, AT_E_ARG,
                         "data.encoding is \"cp1252\", must be one of: utf-8, latin-1");
    at_test_done(ctx);
}

AT_TEST(test_csv__too_many_columns_are_told)
{
    ctx = at_test_ctx();
    char commas[AT_TABLE_COLUMNS + 2] = "";
    memset(commas, ',', AT_TABLE_COLUMNS);
    expect_bytes_refused("x.csv", commas, AT_TABLE_COLUMNS, (at_table_options){0}, AT_E_RANGE,
                         ":1: 4097 cells, at most 4096 are read");
    at_table t = read_file("x.csv", commas + 1, (at_table_options){0});
    assert_int_equal(t.n_columns, AT_TABLE_COLUMNS);
    at_table_deinit(&t);
    at_test_done(ctx);
}

/* A line of a gigabyte is refused before memory is taken for it. */
AT_TEST(test_csv__an_endless_line_costs_no_memory)
{
    ctx = at_test_ctx();
    put("x.csv", "a,b\n");
    char message[1300];
    snprintf(message, sizeof message, "%s:2: a line of more than 64 MiB; is this a table of texts?", path);
    assert_int_equal(truncate(path, 1 << 30), 0);
    const int64_t calls = ctx->alloc.calls;
    at_table t;
    assert_int_equal(at_table_read(ctx, &t, path, NULL), AT_E_FORMAT);
    assert_string_equal(at_last_error(ctx), message);
    assert_int_equal(ctx->alloc.calls - calls, 2); /* two copies of the path */
    at_clear_error(ctx);
    at_test_done(ctx);
}

AT_TEST(test_csv__a_line_of_64_mib_is_read)
{
    ctx = at_test_ctx();
    put("x.csv", "a,b\n");
    const int fd = open(path, O_WRONLY | O_APPEND);
    static char block[1 << 20];
    memset(block, 'x', sizeof block);
    block[0] = ',';
    for (int i = 0; i < AT_TABLE_LINE >> 20; i++) {
        assert_int_equal(write(fd, block, sizeof block), sizeof block);
        block[0] = 'x';
    }
    assert_int_equal(write(fd, "\nc,d\n", 5), 5);
    close(fd);
    at_table t;
    at_expect_ok(ctx, at_table_read(ctx, &t, path, NULL));
    assert_int_equal(at_table_cell(&t, 1, 1)->n, AT_TABLE_LINE - 1);
    assert_int_equal(t.n_rows, 3);
    at_table_deinit(&t);
    at_test_done(ctx);
}

/* ---- Memory ---- */

static at_status attempt(at_ctx *c, void *arg)
{
    at_table t;
    const at_status status = at_table_read(c, &t, path, arg);
    at_table_deinit(&t);
    return status;
}

AT_TEST(test_csv__survives_lack_of_memory)
{
    ctx = at_test_ctx();
    put("x.dat", "label,text\n\"a\nb\",c\n,\n");
    at_torture(ctx, attempt, NULL);
    at_torture(ctx, attempt, &(at_table_options){.encoding = "latin-1"});
    at_test_done(ctx);
}
