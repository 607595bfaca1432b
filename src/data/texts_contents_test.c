/* texts_contents_test.c: which texts are equal, shares of them, their statistics; real files. */
#include "tests/harness/texts.h"
#include <stdlib.h>

/* ---- Equal texts ---- */

AT_TEST(test_texts_contents__texts_with_different_labels_are_told)
{
    begin("texts-conflicts");
    put("x.csv", "label,text\nham,one\nham,two  Words\nspam,three\nspam, TWO words \nham,One\nham,two "
                 "words\nspam,three\n"
                 "ham,three\nham,twowords\n");
    at_texts t = read_as("x.csv", (at_texts_options){.label = "1", .text = "2"}, NULL);
    assert_string_equal(notes,
                        "x.csv: 2 texts, in 6 rows, with different labels, such as that of line 3 (ham) and "
                        "line 5 (spam)\n");
    const at_text_conflicts c = at_texts_conflicts(&t);
    assert_int_equal(c.texts, 2);
    assert_int_equal(c.samples, 6);
    assert_int_equal(c.first, 1);
    assert_int_equal(c.opposite, 3);
    at_texts_deinit(&t);
    put("x.csv",
        "premise,hypothesis,label\nab,c,0\na,bc,1\nAB,C,0\n"); /* no two pairs are equal but for case */
    t = read_file("x.csv");
    assert_int_equal(at_texts_conflicts(&t).texts, 0);
    at_texts_deinit(&t);
    put("x.csv", "text,label\na,\"x,y\"\na,\"y,x\"\n"); /* the same set */
    t = read_as("x.csv", (at_texts_options){.target = AT_TEXTS_SET}, NULL);
    assert_int_equal(at_texts_conflicts(&t).texts, 0);
    at_texts_deinit(&t);
    put("x.csv", "text,label\na,\"x,y\"\na,x\n");
    t = read_as("x.csv", (at_texts_options){.target = AT_TEXTS_SET}, NULL);
    assert_int_equal(at_texts_conflicts(&t).texts, 1);
    at_texts_deinit(&t);
    put("x.csv", "text,label\na,1\na,1.0\nb,2\nb,3\n");
    t = read_as("x.csv", (at_texts_options){.target = AT_TEXTS_NUMBER}, NULL);
    assert_int_equal(at_texts_conflicts(&t).texts, 1);
    at_texts_deinit(&t);
    at_test_done(ctx);
}

/* Whatever the order of the hashes, the example is the first in the file. */
AT_TEST(test_texts_contents__the_first_of_many_conflicts_is_told)
{
    begin("texts-many-conflicts");
    at_text file;
    at_text_init(&file, ctx);
    at_text_add(&file, "text,label\n");
    for (int i = 0; i < 40; i++) at_text_printf(&file, "text %d,%d\n", i % 20, i / 20);
    put("x.csv", file.data);
    at_text_deinit(&file);
    at_texts t = read_file("x.csv");
    const at_text_conflicts c = at_texts_conflicts(&t);
    assert_int_equal(c.texts, 20);
    assert_int_equal(c.first, 0);
    assert_int_equal(c.opposite, 20);
    at_texts_deinit(&t);
    at_test_done(ctx);
}

/* Longer than the buffer through which a text is hashed, and different only where `place` is. */
static int64_t distinct_long_texts(int place)
{
    at_text file;
    at_arena arena;
    at_text_stats s;
    at_text_init(&file, ctx);
    for (int i = 0; i < 4; i++) {
        char text[1200];
        memset(text, 'x', sizeof text);
        text[sizeof text - 1] = '\0';
        text[place] = i < 3 ? (char)('a' + i) : 'A';
        at_text_printf(&file, "%d\t%s\n", i % 2, text);
    }
    put("x.tsv", file.data);
    at_text_deinit(&file);
    at_texts t = read_file("x.tsv");
    at_arena_init(&arena, ctx);
    at_expect_ok(ctx, at_texts_stats(&arena, &s, &t));
    at_arena_deinit(&arena);
    at_texts_deinit(&t);
    return s.distinct;
}

AT_TEST(test_texts_contents__long_texts_are_compared_to_the_end)
{
    begin("texts-long");
    static const int places[] = {0, 511, 512, 1023, 1024, 1198};
    for (int i = 0; i < AT_COUNT(places); i++) assert_int_equal(distinct_long_texts(places[i]), 3);
    at_test_done(ctx);
}

static void note_pair(void *data, int64_t a, int64_t b)
{
    char pair[64];
    snprintf(pair, sizeof pair, "%d=%d ", (int)a, (int)b);
    strcat(data, pair);
}

AT_TEST(test_texts_contents__duplicates_are_reported_in_pairs)
{
    begin("texts-duplicates");
    char pairs[256] = "";
    put("train.csv", "label,text\n0,one\n1,two\n0,ONE \n1,three\n");
    put("test.csv", "label,text\n0,four\n1,one\n1,Three\n");
    at_texts a = read_file("train.csv"), b = read_as("test.csv", (at_texts_options){0}, &a);
    assert_int_equal(at_texts_duplicates(&a, &b, NULL, NULL), 3);
    assert_int_equal(at_texts_duplicates(&a, &b, note_pair, pairs), 3);
    assert_non_null(strstr(pairs, "0=1 2=1 "));
    assert_non_null(strstr(pairs, "3=2 "));
    at_texts_deinit(&a);
    at_texts_deinit(&b);
    at_test_done(ctx);
}

/* ---- Shares ---- */

AT_TEST(test_texts_contents__a_share_is_stratified_and_keeps_copies_together)
{
    begin("texts-share");
    at_text file;
    at_text_init(&file, ctx);
    at_text_add(&file, "text,label\n");
    for (int i = 0; i < 40; i++) at_text_printf(&file, "text %d,%s\n", i < 30 ? i : i / 2, i % 4 ? "a" : "b");
    put("x.csv", file.data);
    at_text_deinit(&file);
    at_texts t = read_file("x.csv");
    bool in_share[40], again[40], rest[40];
    int differ = 0;
    for (uint64_t seed = 0; seed < 20; seed++) {
        int n[2] = {0}, more = 0;
        at_expect_ok(ctx, at_contents_split(ctx, in_share, &t.contents, 0.2, seed, NULL));
        at_expect_ok(ctx, at_contents_split(ctx, again, &t.contents, 0.2, seed, NULL));
        assert_memory_equal(in_share, again, sizeof again);
        at_expect_ok(ctx, at_contents_split(ctx, rest, &t.contents, 0.2, seed, in_share));
        for (int i = 0; i < 40; i++) {
            n[t.samples[i].label] += in_share[i];
            more += rest[i];
            assert_false(in_share[i] && rest[i]);
            if (i >= 30) assert_int_equal(in_share[i], in_share[i / 2]);
        }
        assert_in_range(n[0], 4, 6);
        assert_in_range(n[1], 1, 2);
        assert_in_range(more, 5, 8);
        at_expect_ok(ctx, at_contents_split(ctx, again, &t.contents, 0.2, seed + 1, NULL));
        differ += memcmp(in_share, again, sizeof again) != 0;
    }
    assert_true(differ > 15);
    at_texts_deinit(&t);
    at_test_done(ctx);
}

AT_TEST(test_texts_contents__shares_that_cannot_be_are_refused)
{
    begin("texts-no-share");
    put("x.csv", "text,label\na,0\nb,0\nc,1\n");
    at_texts t = read_file("x.csv");
    bool in_share[4];
    at_expect_error(
        ctx, at_contents_split(ctx, in_share, &t.contents, 0.5, 0, NULL), AT_E_FORMAT,
        "x.csv: class 1 has one text, which cannot be split; add texts, or give a file of its own for "
        "validation");
    at_texts_deinit(&t);
    put("x.csv", "text,label\na,0\nb,0\nc,1\nC,1\n");
    t = read_file("x.csv");
    at_expect_error(
        ctx, at_contents_split(ctx, in_share, &t.contents, 0.5, 0, NULL), AT_E_FORMAT,
        "x.csv: class 1 cannot be split: its 2 texts have too few different contents; add texts, or give a "
        "file of its own for validation");
    at_expect_error(ctx, at_contents_split(ctx, in_share, &t.contents, 1, 0, NULL), AT_E_RANGE,
                    "a share of 1 cannot");
    at_texts_deinit(&t);
    put("x.csv", "text,label\na,0.5\nb,1.5\nc,2\nd,1\n");
    t = read_as("x.csv", (at_texts_options){.target = AT_TEXTS_NUMBER}, NULL);
    at_expect_ok(ctx, at_contents_split(ctx, in_share, &t.contents, 0.5, 0, NULL));
    assert_int_equal(in_share[0] + in_share[1] + in_share[2] + in_share[3], 2);
    at_texts_deinit(&t);
    at_test_done(ctx);
}

/* ---- Statistics ---- */

AT_TEST(test_texts_contents__statistics_count_words)
{
    begin("texts-stats");
    put("x.csv", "text,label\n one two ,a\none TWO,b\n\"a\nb c d\",a\n");
    at_texts t = read_file("x.csv");
    at_arena arena;
    at_text_stats s;
    at_arena_init(&arena, ctx);
    at_expect_ok(ctx, at_texts_stats(&arena, &s, &t));
    assert_int_equal(s.texts, 3);
    assert_int_equal(s.distinct, 2);
    assert_int_equal(s.words, 8);
    assert_int_equal(s.bytes, 23);
    assert_int_equal(s.longest, 4);
    assert_int_equal(s.lengths[2], 2);
    assert_int_equal(s.lengths[3], 1);
    assert_int_equal(s.class_texts[0], 2);
    assert_int_equal(s.class_words[0], 6);
    assert_int_equal(s.class_words[1], 2);
    at_texts_deinit(&t);
    put("x.csv", "premise,hypothesis,label\na b,c,\"x,y\"\nd,e,y\n");
    t = read_as("x.csv", (at_texts_options){.target = AT_TEXTS_SET}, NULL);
    at_expect_ok(ctx, at_texts_stats(&arena, &s, &t));
    assert_int_equal(s.words, 5);
    assert_int_equal(s.class_words[0], 3);
    assert_int_equal(s.class_words[1], 5);
    at_texts_deinit(&t);
    at_arena_deinit(&arena);
    at_test_done(ctx);
}

/* ---- Real files: numbers of rows and classes are those of their SOURCE.md; the others were counted apart,
 * in Python ---- */

static at_texts read_real(const char *path, at_texts_options o, const at_texts *like)
{
    at_texts t;
    at_expect_ok(ctx, at_texts_read(ctx, &t, path, &o, like));
    return t;
}

static void expect_stats(const at_texts *t, int64_t distinct, int64_t words, int64_t longest, int64_t bytes)
{
    at_arena arena;
    at_text_stats s;
    at_arena_init(&arena, ctx);
    at_expect_ok(ctx, at_texts_stats(&arena, &s, t));
    assert_int_equal(s.distinct, distinct);
    assert_int_equal(s.words, words);
    assert_int_equal(s.longest, longest);
    assert_int_equal(s.bytes, bytes);
    at_arena_deinit(&arena);
}

static void expect_counts(const at_texts *t, int n, const int *counts)
{
    assert_int_equal(t->n_classes, n);
    for (int64_t i = 0; i < t->n; i++) assert_in_range(t->samples[i].label, 0, n - 1);
    for (int c = 0; c < n; c++) {
        int count = 0;
        for (int64_t i = 0; i < t->n; i++) count += t->samples[i].label == c;
        assert_int_equal(count, counts[c]);
    }
}

AT_TEST(test_texts_contents__reads_sms_messages)
{
    char path[1024];
    if (!at_test_data(path, "data/text-sms-spam/SMSSpamCollection")) AT_SKIP("ATTUNE_DATA is not set");
    ctx = at_test_ctx();
    at_texts t = read_real(path, (at_texts_options){0}, NULL);
    static const char *const classes[] = {"ham", "spam"};
    static const int counts[] = {4827, 747};
    assert_int_equal(t.n, 5574);
    expect_classes(&t, 2, classes);
    expect_counts(&t, 2, counts);
    expect_stats(&t, 5159, 86908, 171, 449290);
    assert_int_equal(at_texts_line(&t, 0), 2);
    bool *in_share = malloc((size_t)t.n);
    int64_t n = 0;
    at_expect_ok(ctx, at_contents_split(ctx, in_share, &t.contents, 0.1, 0, NULL));
    for (int64_t i = 0; i < t.n; i++) n += in_share[i];
    assert_int_equal(n, 483 + 75);
    free(in_share);
    at_texts_deinit(&t);
    at_test_done(ctx);
}

AT_TEST(test_texts_contents__reads_trec_questions)
{
    char path[1024];
    if (!at_test_data(path, "data/text-trec")) AT_SKIP("ATTUNE_DATA is not set");
    ctx = at_test_ctx();
    at_arena arena;
    at_text_splits s;
    at_arena_init(&arena, ctx);
    at_expect_ok(ctx, at_texts_find_splits(&arena, &s, path));
    at_texts_options o = {.table.encoding = "latin-1"};
    at_texts train = read_real(s.train, o, NULL), test = read_real(s.test, o, &train);
    static const int train_counts[] = {1162, 1250, 86, 1223, 835, 896},
                     test_counts[] = {138, 94, 9, 65, 81, 113};
    assert_int_equal(train.n, 5452);
    assert_int_equal(test.n, 500);
    expect_counts(&train, 6, train_counts);
    expect_counts(&test, 6, test_counts);
    expect_stats(&test, 500, 3758, 17, 17979);
    assert_int_equal(at_texts_duplicates(&train, &test, NULL, NULL), 11);
    at_texts_deinit(&test);
    at_texts_deinit(&train);
    o.table.delimiter = "first-space";
    train = read_real(at_path_join(&arena, path, "fine/TREC.train"), o, NULL);
    assert_int_equal(train.n_classes, 50);
    expect_stats(&train, 5380, 55635, 37, 276047);
    const at_text_conflicts c = at_texts_conflicts(&train);
    assert_int_equal(c.texts, 1);
    assert_int_equal(c.samples, 2);
    assert_int_equal(at_texts_line(&train, c.first), 900);
    assert_int_equal(at_texts_line(&train, c.opposite), 5242);
    at_texts_deinit(&train);
    at_arena_deinit(&arena);
    at_test_done(ctx);
}

AT_TEST(test_texts_contents__reads_movie_reviews)
{
    char path[1024];
    if (!at_test_data(path, "data/text-mr-polarity/rt-polarity.all")) AT_SKIP("ATTUNE_DATA is not set");
    ctx = at_test_ctx();
    static const int counts[] = {5331, 5331};
    at_texts t;
    at_expect_error(ctx, at_texts_read(ctx, &t, path, &(at_texts_options){0}, NULL), AT_E_FORMAT,
                    "is not UTF-8; it may be Latin-1: set data.encoding latin-1");
    t = read_real(path, (at_texts_options){.table.encoding = "latin-1"}, NULL);
    assert_int_equal(t.n, 10662);
    expect_counts(&t, 2, counts);
    expect_stats(&t, 10662, 224041, 59, 1228049);
    at_texts_deinit(&t);
    at_test_done(ctx);
}
