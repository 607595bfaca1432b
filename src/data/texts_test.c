/* texts_test.c: columns and labels of tables of texts, and every mistake in them. Equal texts, shares and
 * statistics: texts_contents_test.c; files of splits: texts_find_test.c. */
#include "tests/harness/texts.h"
#include "tests/harness/torture.h"

/* ---- Columns ---- */

static void check_columns(const char *text, int label, int column, int pair, const char *note)
{
    put("x.csv", text);
    at_texts t = read_file("x.csv");
    expect_columns(&t, label, column, pair, note);
    at_texts_deinit(&t);
}

AT_TEST(test_texts__columns_are_told_by_their_names)
{
    begin("texts-names");
    check_columns("text,label\na,0\nb,1\n", 1, 0, -1,
                  "x.csv: label: column 2 \"label\", text: column 1 \"text\"\n");
    check_columns("idx,Review,Class\n0,a,0\n0,b,1\n", 2, 1, -1,
                  "x.csv: label: column 3 \"Class\", text: column 2 \"Review\"\n");
    check_columns("hypothesis,premise,label\na long text,b,0\nb,c,1\n", 2, 1, 0,
                  "x.csv: label: column 3 \"label\", text: column 2 \"premise\", second text: column 1 "
                  "\"hypothesis\"\n");
    check_columns("label,title,body\n0,a,long one\n1,b,long two\n", 0, 2, -1,
                  "x.csv: label: column 1 \"label\", text: column 3 \"body\"\n");
    at_test_done(ctx);
}

AT_TEST(test_texts__columns_without_names_are_told_by_what_they_hold)
{
    begin("texts-content");
    check_columns("ham,one two\nspam,three\nham,four\n", 0, 1, -1,
                  "x.csv: label: column 1, text: column 2\n");
    check_columns("1,x,one two three,b,same\n2,y,four,a,same\n3,z,five,b,same\n", 3, 2, -1,
                  "x.csv: label: column 4, text: column 3\n");
    at_test_done(ctx);
}

AT_TEST(test_texts__columns_are_as_told)
{
    begin("texts-told");
    put("x.csv", "title,text,label,tone\na,b,0,good\nc,d,1,bad\n");
    at_texts t =
        read_as("x.csv", (at_texts_options){.label = "tone", .text = "1", .text_pair = "text"}, NULL);
    expect_columns(&t, 3, 0, 1, "");
    at_texts_deinit(&t);
    put("x.csv", "premise,hypothesis,label\na,b,0\nc,d,1\n");
    t = read_as("x.csv", (at_texts_options){.text_pair = "none"}, NULL);
    expect_columns(&t, 2, 0, -1, "x.csv: label: column 3 \"label\", text: column 1 \"premise\"\n");
    at_texts_deinit(&t);
    at_test_done(ctx);
}

AT_TEST(test_texts__columns_that_cannot_be_are_told)
{
    begin("texts-no-columns");
    put("x.csv", "text,label\na,0\nb,1\n");
    expect_refused("x.csv", (at_texts_options){.text = "txt"}, NULL, AT_E_ARG,
                   ": data.text is txt, but no column is called so; the nearest is \"text\"");
    expect_refused("x.csv", (at_texts_options){.text = "1", .label = "text"}, NULL, AT_E_ARG,
                   ": data.label and data.text are the same column, 1");
    expect_refused("x.csv", (at_texts_options){.text = "1", .label = "2", .text_pair = "1"}, NULL, AT_E_ARG,
                   ": data.text and data.text_pair are the same column, 1");
    expect_refused("x.csv", (at_texts_options){.text = "1", .label = "2", .text_pair = "2"}, NULL, AT_E_ARG,
                   ": data.label and data.text_pair are the same column, 2");
    put("x.csv", "a;0\nb;1\n");
    expect_refused("x.csv", (at_texts_options){0}, NULL, AT_E_FORMAT,
                   ": has one column, a label and a text are needed; is data.delimiter right? It is ,");
    put("x.csv", "text,other,third\na,b,c\na,b,c\n");
    expect_refused("x.csv", (at_texts_options){.table.header = "yes"}, NULL, AT_E_ARG,
                   ": its columns do not show which one is the label; set data.label");
    at_test_done(ctx);
}

/* ---- Labels ---- */

AT_TEST(test_texts__classes_are_sorted)
{
    begin("texts-classes");
    static const char *const names[] = {"10", "9", "a b"}, *const numbers[] = {"-1", "9", "10"};
    static const int labels[] = {1, 0, 2, 1};
    put("x.csv", "text,label\na,9\nb, 10\nc,a b\nd,9\t\n");
    at_texts t = read_file("x.csv");
    expect_classes(&t, 3, names); /* bytewise */
    assert_int_equal(t.n, 4);
    for (int i = 0; i < 4; i++) assert_int_equal(t.samples[i].label, labels[i]);
    assert_string_equal(at_texts_text(&t, 2)->text, "c");
    assert_null(at_texts_pair(&t, 2));
    assert_int_equal(at_texts_line(&t, 2), 4);
    at_texts_deinit(&t);
    put("x.csv", "text,label\na,9\nb,10\nc,-1\n");
    t = read_file("x.csv");
    expect_classes(&t, 3, numbers); /* by value */
    assert_int_equal(t.samples[1].label, 2);
    at_texts_deinit(&t);
    at_test_done(ctx);
}

/* Many classes whose names begin alike. */
AT_TEST(test_texts__classes_are_told_apart)
{
    begin("texts-many-classes");
    at_text file;
    at_text_init(&file, ctx);
    for (int i = 0; i < 6000; i++) at_text_printf(&file, "%d\ttext %d\n", i / 2 + 1, i);
    put("x.tsv", file.data);
    at_text_deinit(&file);
    at_texts t = read_file("x.tsv");
    assert_int_equal(t.n_classes, 3000);
    for (int i = 0; i < 6000; i++) assert_int_equal(t.samples[i].label, i / 2);
    at_texts_deinit(&t);
    at_test_done(ctx);
}

AT_TEST(test_texts__other_splits_follow_the_training_set)
{
    begin("texts-like");
    put("train.csv", "label,text\nb,x\na,y\nc,z\n");
    put("test.csv", "text,id,label\nlong long long,1,c\nq,2,b\n");
    put("plain.tsv", "a\tx\n");
    at_texts train = read_file("train.csv"), test = read_as("test.csv", (at_texts_options){0}, &train);
    expect_columns(&test, 2, 0, -1, "");
    expect_classes(&test, 3, (const char *const *)train.classes);
    assert_int_equal(test.samples[0].label, 2);
    assert_int_equal(test.samples[1].label, 1);
    at_texts_deinit(&test);
    test = read_as("plain.tsv", (at_texts_options){0}, &train); /* no names: by number */
    expect_columns(&test, 0, 1, -1, "");
    at_texts_deinit(&test);
    put("test.csv", "text,label\nx,b\ny, d\n");
    expect_refused("test.csv", (at_texts_options){0}, &train, AT_E_FORMAT,
                   ":3: label d is not among the 3 of training (a, b, c); correct it or remove the row");
    put("test.csv", "txt,label\nx,b\n");
    expect_refused("test.csv", (at_texts_options){.table.header = "yes"}, &train, AT_E_ARG,
                   ": data.text is text, but no column is called so; the nearest is \"txt\"");
    put("test.tsv", "x\n");
    expect_refused("test.tsv", (at_texts_options){0}, &train, AT_E_FORMAT,
                   ": has one column, a label and a text are needed; is data.delimiter right? It is tab");
    at_texts_deinit(&train);
    put("train.csv", "id,text,label\n1,x,a\n2,y,b\n");
    train = read_file("train.csv");
    put("test.tsv", "x\ta\n");
    char message[1300];
    snprintf(message, sizeof message, ": has 2 columns, but data.label is column 3 in %s",
             below("train.csv"));
    expect_refused("test.tsv", (at_texts_options){0}, &train, AT_E_FORMAT, message);
    at_texts_deinit(&train);
    at_test_done(ctx);
}

AT_TEST(test_texts__a_trained_head_gives_the_classes)
{
    begin("texts-head");
    static const char *const classes[] = {"z", "a", "never"};
    const at_texts_options o = {.classes = classes, .n_classes = 3};
    put("x.csv", "text,label\nq,a\nr,a\n");
    at_texts t = read_as("x.csv", o, NULL);
    expect_classes(&t, 3, classes);
    assert_int_equal(t.samples[0].label, 1);
    at_texts_deinit(&t);
    put("x.csv", "text,label\nq,a\nr,b\n");
    expect_refused("x.csv", o, NULL, AT_E_FORMAT,
                   ":3: label b is not among the 3 of training (z, a, never); correct it or remove the row");
    at_test_done(ctx);
}

AT_TEST(test_texts__one_class_is_told)
{
    begin("texts-one-class");
    put("x.csv", "text,label\na,ham\nb,ham\n");
    expect_refused(
        "x.csv", (at_texts_options){0}, NULL, AT_E_FORMAT,
        ": has one class only, ham; a classifier needs at least 2; is column 2 the label? (data.label)");
    at_test_done(ctx);
}

AT_TEST(test_texts__empty_cells_are_told_or_skipped)
{
    begin("texts-empty");
    put("x.csv", "text,label\na,0\n  ,1\nb,\" \"\nc,1\n");
    expect_refused("x.csv", (at_texts_options){0}, NULL, AT_E_FORMAT,
                   ":3: the text is empty; fill it in or remove the row, or set data.corrupt skip");
    at_texts t = read_as("x.csv", (at_texts_options){.skip_corrupt = true, .label = "2", .text = "1"}, NULL);
    assert_string_equal(notes, "skipped: x.csv:3: the text is empty\nskipped: x.csv:4: the label is empty\n"
                               "2 of 4 rows of x.csv have an empty text or label and are left out\n");
    assert_int_equal(t.n, 2);
    assert_int_equal(t.skipped, 2);
    assert_int_equal(at_texts_line(&t, 1), 5);
    at_texts_deinit(&t);
    put("x.csv", "text,label\na,\n");
    expect_refused("x.csv", (at_texts_options){0}, NULL, AT_E_FORMAT,
                   ":2: the label is empty; fill it in or remove the row, or set data.corrupt skip");
    expect_refused("x.csv", (at_texts_options){.skip_corrupt = true}, NULL, AT_E_FORMAT,
                   ": every row has an empty text or label");
    put("x.csv", "premise,hypothesis,label\na,,1\n");
    expect_refused("x.csv", (at_texts_options){0}, NULL, AT_E_FORMAT,
                   ":2: the second text is empty; fill it in or remove the row, or set data.corrupt skip");
    at_test_done(ctx);
}

AT_TEST(test_texts__sets_of_classes)
{
    begin("texts-sets");
    const at_texts_options o = {.target = AT_TEXTS_SET, .label_separator = "; "};
    static const char *const classes[] = {"a", "b", "c,d"};
    static const float rows[][3] = {{1, 1, 0}, {0, 1, 0}, {0, 0, 0}, {0, 1, 1}, {1, 1, 0}};
    static const int rarest[] = {0, 1, 3, 2, 0};
    put("x.tsv", "text\tlabel\nq\tb; a; b\nr\tb\ns\t \nt\tc,d; b\nu\ta; b\n");
    at_texts t = read_as("x.tsv", o, NULL);
    expect_classes(&t, 3, classes);
    for (int i = 0; i < 5; i++) {
        float row[3];
        at_texts_set_row(&t, i, row);
        assert_memory_equal(row, rows[i], sizeof row);
        assert_int_equal(t.samples[i].label, rarest[i]);
    }
    bool in_share[5];
    at_expect_ok(ctx, at_contents_split(ctx, in_share, &t.contents, 0.5, 0,
                                        NULL)); /* what cannot be split is no error */
    assert_int_equal(in_share[0] + in_share[4], 1);
    assert_false(in_share[1] || in_share[2] || in_share[3]);
    put("test.tsv", "text\tlabel\nq\tb; e\n");
    expect_refused("test.tsv", o, &t, AT_E_FORMAT,
                   ":2: label e is not among the 3 of training (a, b, c,d); correct it or remove the row");
    at_texts_deinit(&t);
    put("x.tsv", "text\tlabel\nq\t\n");
    expect_refused("x.tsv", o, NULL, AT_E_FORMAT, ": no row has a label");
    put("x.tsv", "text\tlabel\nq\ta; b\nr\ta; ; b\n");
    expect_refused(
        "x.tsv", o, NULL, AT_E_FORMAT,
        ":3: a label between two \"; \" is empty; remove a separator, or set data.label_separator");
    put("x.tsv", "text\tlabel\nq\tb; a; \n");
    expect_refused(
        "x.tsv", o, NULL, AT_E_FORMAT,
        ":2: a label between two \"; \" is empty; remove a separator, or set data.label_separator");
    expect_refused("x.tsv", (at_texts_options){.target = AT_TEXTS_SET, .label_separator = ""}, NULL, AT_E_ARG,
                   "data.label_separator is empty, must be a text such as \";\"");
    put("x.csv", "text,label\nq,\"a, b\"\nr,b\n");
    t = read_as("x.csv", (at_texts_options){.target = AT_TEXTS_SET}, NULL); /* a comma when nothing is told */
    assert_int_equal(t.n_classes, 2);
    at_texts_deinit(&t);
    at_test_done(ctx);
}

/* What is between commas in a list of JSON, or looks like a number, is a label like any other. */
AT_TEST(test_texts__lists_are_sets)
{
    begin("texts-lists");
    static const char *const classes[] = {"7", "a", "b, c"};
    static const float rows[][3] = {{0, 1, 1}, {0, 0, 0}, {1, 1, 0}, {0, 0, 0}};
    static const int rarest[] = {2, 3, 0, 3};
    const at_texts_options o = {.target = AT_TEXTS_SET, .label_separator = ","};
    put("x.jsonl", "{\"words\": \"q\", \"labels\": [\"b, c\", \" a \", \"a\"], \"id\": 1}\n"
                   "{\"words\": \"r\", \"labels\": [], \"id\": 2}\n"
                   "{\"words\": \"s\", \"labels\": [7, \"a\"], \"id\": 2}\n{\"words\": \"t\", \"id\": 1}\n");
    at_texts_target kind;
    at_expect_ok(ctx, at_texts_kind(ctx, &kind, below("x.jsonl"), &(at_texts_options){0}));
    assert_int_equal(kind, AT_TEXTS_SET);
    at_texts t = read_as("x.jsonl", o, NULL);
    expect_columns(&t, 1, 0, -1, "x.jsonl: label: column 2 \"labels\", text: column 1 \"words\"\n");
    expect_classes(&t, 3, classes);
    for (int i = 0; i < 4; i++) {
        float row[3];
        at_texts_set_row(&t, i, row);
        assert_memory_equal(row, rows[i], sizeof row);
        assert_int_equal(t.samples[i].label, rarest[i]);
    }
    put("test.csv", "words,labels\nu,\"a,7\"\n"); /* another form, the same classes */
    at_texts test =
        read_as("test.csv", (at_texts_options){.target = AT_TEXTS_SET, .table.header = "yes"}, &t);
    assert_int_equal(test.set_start[1], 2);
    at_texts_deinit(&test);
    put("test.jsonl", "{\"words\": \"q\", \"labels\": [\"a\", \"d\"]}\n");
    expect_refused("test.jsonl", o, &t, AT_E_FORMAT,
                   ":1: label d is not among the 3 of training (7, a, b, c); correct it or remove the row");
    at_texts_deinit(&t);
    at_test_done(ctx);
}

/* Lists are the label by name, or where no other column can be one, or where sets are asked for. */
AT_TEST(test_texts__lists_may_be_no_label)
{
    static const struct lists {
        const char *row;        /* of JSON; numbers of the row in place of # */
        int repeat;             /* # starts anew after so many rows */
        const char *told;       /* data.label */
        at_texts_target target; /* other than classes: asked for */
        const char *label;
        at_texts_target kind;
    } all[] = {
        {"{\"text\": \"t #\", \"topic\": \"p#\", \"tokens\": [\"t\"]}", 2, NULL, AT_TEXTS_CLASS, "topic",
         AT_TEXTS_CLASS},
        {"{\"tokens\": [\"t\"], \"text\": \"t #\", \"topic\": \"p#\"}", 2, NULL, AT_TEXTS_CLASS, "topic",
         AT_TEXTS_CLASS},
        {"{\"text\": \"t #\", \"topic\": \"p#\", \"tokens\": [\"t\"]}", 2, "tokens", AT_TEXTS_CLASS, "tokens",
         AT_TEXTS_SET},
        {"{\"text\": \"t #\", \"topic\": \"p#\", \"tokens\": [\"t\"]}", 2, NULL, AT_TEXTS_SET, "tokens",
         AT_TEXTS_CLASS},
        {"{\"text\": \"t #\", \"topic\": \"p#\", \"labels\": [\"t\"]}", 2, NULL, AT_TEXTS_CLASS, "labels",
         AT_TEXTS_SET},
        {"{\"text\": \"t #\", \"topic\": \"p#\", \"class\": [\"t\"]}", 2, NULL, AT_TEXTS_CLASS, "class",
         AT_TEXTS_SET},
        {"{\"id\": #, \"text\": \"t #\", \"genres\": [\"t\"]}", 99, NULL, AT_TEXTS_CLASS, "genres",
         AT_TEXTS_SET},
        {"{\"text\": \"t #\", \"lang\": \"en\", \"genres\": [\"t\"]}", 2, NULL, AT_TEXTS_CLASS, "genres",
         AT_TEXTS_SET},
        {"{\"text\": \"t #\", \"genres\": [\"t\"]}", 2, NULL, AT_TEXTS_CLASS, "genres", AT_TEXTS_SET},
    };
    begin("texts-other-lists");
    for (int i = 0; i < AT_COUNT(all); i++) {
        char rows[4096] = "";
        size_t n = 0;
        for (int row = 0; row < 10; row++) {
            for (const char *c = all[i].row; *c; c++)
                n += (size_t)(*c == '#' ? snprintf(rows + n, sizeof rows - n, "%d", row % all[i].repeat)
                                        : snprintf(rows + n, sizeof rows - n, "%c", *c));
            n += (size_t)snprintf(rows + n, sizeof rows - n, "\n");
        }
        put("x.jsonl", rows);
        at_texts_options o = {.label = all[i].told, .target = all[i].target};
        at_texts_target kind;
        at_expect_ok(ctx, at_texts_kind(ctx, &kind, below("x.jsonl"), &o));
        if (kind != all[i].kind) fail_msg("%s: of kind %d", all[i].row, kind);
        if (o.target == AT_TEXTS_CLASS) o.target = kind;
        at_texts t = read_as("x.jsonl", o, NULL);
        assert_string_equal(t.table.names[t.label_column], all[i].label);
        at_texts_deinit(&t);
    }
    at_test_done(ctx);
}

AT_TEST(test_texts__lists_are_sets_alone)
{
    begin("texts-no-lists");
    const at_texts_options o = {.target = AT_TEXTS_SET};
    put("x.jsonl", "{\"text\": \"q\", \"labels\": [\"a\"]}\n{\"text\": \"r\", \"labels\": [\"b\", \" \"]}\n");
    expect_refused("x.jsonl", o, NULL, AT_E_FORMAT, ":2: a label of the list is empty; remove it");
    expect_refused("x.jsonl", (at_texts_options){0}, NULL, AT_E_FORMAT,
                   ": column 2, the label, holds lists, which are sets of labels; take task "
                   "multi-label-text-classification, or another column (data.label)");
    expect_refused("x.jsonl", (at_texts_options){.text = "labels", .label = "text"}, NULL, AT_E_FORMAT,
                   ": column 2 \"labels\" holds lists, and no texts; set data.text");
    put("x.jsonl", "{\"a\": \"q\", \"b\": [\"a\"], \"c\": [1]}\n{\"a\": \"r\", \"b\": [], \"c\": []}\n");
    expect_refused("x.jsonl", o, NULL, AT_E_ARG,
                   ": its columns do not show which one is the label; set data.label");
    put("x.jsonl", "{\"a\": [\"a\"], \"b\": [1]}\n");
    expect_refused("x.jsonl", o, NULL, AT_E_FORMAT,
                   ": has no column beside the label; a text is needed (data.delimiter, data.text)");
    at_test_done(ctx);
}

/* Labels: a number from 0 on between two texts. */
static at_texts_target kind_of(const char *before, const char *after, int n, const char *separator)
{
    char rows[4096] = "text,label\n";
    size_t m = strlen(rows);
    for (int i = 0; i < n; i++)
        m += (size_t)snprintf(rows + m, sizeof rows - m, "t%d,%s%d%s\n", i, before, i, after);
    put("kind.csv", rows);
    char path[1200];
    at_texts_target kind;
    snprintf(path, sizeof path, "%s/kind.csv", folder);
    at_expect_ok(ctx, at_texts_kind(ctx, &kind, path, &(at_texts_options){.label_separator = separator}));
    return kind;
}

/* Whole numbers are classes where there are few, or where they count up from 0 or 1. */
AT_TEST(test_texts__what_labels_look_like)
{
    begin("texts-kind");
    assert_int_equal(kind_of("a", "", 5, NULL), AT_TEXTS_CLASS);
    assert_int_equal(kind_of("3", "", 9, NULL), AT_TEXTS_CLASS);
    assert_int_equal(kind_of("3", "", 21, NULL), AT_TEXTS_NUMBER); /* 30 to 39, 310 ... */
    assert_int_equal(kind_of("", "", 77, NULL), AT_TEXTS_CLASS);
    assert_int_equal(kind_of("", ".5", 2, NULL), AT_TEXTS_NUMBER);
    assert_int_equal(kind_of("", ".0", 5, NULL), AT_TEXTS_CLASS);
    assert_int_equal(kind_of("-", "e1", 30, NULL), AT_TEXTS_NUMBER);
    assert_int_equal(kind_of("", ".5", 2, ";"), AT_TEXTS_SET);
    put("kind.csv", "text,label\na,1.5\nb,2.5\nc,many\n");
    char path[1200];
    at_texts_target kind;
    snprintf(path, sizeof path, "%s/kind.csv", folder);
    at_expect_ok(ctx, at_texts_kind(ctx, &kind, path, &(at_texts_options){0}));
    assert_int_equal(kind, AT_TEXTS_CLASS);
    at_test_done(ctx);
}

AT_TEST(test_texts__numbers)
{
    begin("texts-numbers");
    const at_texts_options o = {.target = AT_TEXTS_NUMBER};
    put("x.tsv", "text\tlabel\nq\t 1.5\nr\t-2e3\n");
    at_texts t = read_as("x.tsv", o, NULL);
    assert_true(t.samples[0].number == 1.5 && t.samples[1].number == -2000);
    assert_int_equal(t.n_classes, 0);
    at_texts_deinit(&t);
    put("x.tsv", "text\tlabel\nq\t1.5\nr\t2 m\n");
    expect_refused("x.tsv", o, NULL, AT_E_FORMAT, ":3: label 2 m is no finite number");
    put("x.tsv", "text\tlabel\nq\tinf\n");
    expect_refused("x.tsv", o, NULL, AT_E_FORMAT, ":2: label inf is no finite number");
    at_test_done(ctx);
}

AT_TEST(test_texts__predictions_need_no_label)
{
    begin("texts-none");
    const at_texts_options o = {.target = AT_TEXTS_NONE};
    put("x.txt", "one text\n\nanother, \"text\"\n");
    at_texts t = read_as("x.txt", o, NULL);
    expect_columns(&t, -1, 0, -1, "x.txt: text: column 1\n");
    assert_int_equal(t.n, 2);
    at_texts_deinit(&t);
    put("x.csv", "label,text\n,one\nham,two\n");
    t = read_as("x.csv", o, NULL);
    assert_int_equal(t.text_column, 1);
    assert_int_equal(t.n, 2);
    at_texts_deinit(&t);
    at_test_done(ctx);
}

AT_TEST(test_texts__other_columns_are_at_hand)
{
    begin("texts-slices");
    put("x.jsonl", "{\"text\": \"a\", \"label\": 0, \"region\": \"north\"}\n{\"text\": \"\", \"label\": 0}\n"
                   "{\"text\": \"b\", \"label\": 1, \"region\": \"south\"}\n");
    at_texts t = read_as("x.jsonl", (at_texts_options){.skip_corrupt = true}, NULL);
    int region;
    at_expect_ok(ctx, at_texts_find_column(ctx, &region, &t, "region", "report.slices"));
    assert_string_equal(at_texts_cell(&t, 0, region)->text, "north");
    assert_string_equal(at_texts_cell(&t, 1, region)->text, "south");
    at_expect_error(
        ctx, at_texts_find_column(ctx, &region, &t, "regoin", "report.slices"), AT_E_ARG,
        "x.jsonl: report.slices is regoin, but no column is called so; the nearest is \"region\"");
    at_texts_deinit(&t);
    at_test_done(ctx);
}

/* ---- Pairs ---- */

static void expect_pairs(const char *table, at_texts_target target, int label, int text, int pair,
                         int negative)
{
    put("pairs.tsv", table);
    at_texts t = read_as("pairs.tsv", (at_texts_options){.target = AT_TEXTS_NUMBER, .pairs = true}, NULL);
    const int found[] = {(int)t.target, t.label_column, t.text_column, t.pair_column, t.negative_column},
              want[] = {(int)target, label, text, pair, negative};
    for (int i = 0; i < AT_COUNT(want); i++)
        if (found[i] != want[i]) fail_msg("%s: number %d is %d, must be %d", table, i, found[i], want[i]);
    at_texts_deinit(&t);
}

AT_TEST(test_texts__columns_of_pairs)
{
    begin("texts-pairs");
    expect_pairs("score\tsentence2\tsentence1\n1\ta\tb\n", AT_TEXTS_NUMBER, 0, 2, 1, -1);
    expect_pairs("anchor\tpositive\tnegative\na\tb\tc\n", AT_TEXTS_NONE, -1, 0, 1, 2);
    expect_pairs("query\tanswer\na\tb\n", AT_TEXTS_NONE, -1, 0, 1, -1);
    expect_pairs("a\tb\t3.5\nc\td\t1\n", AT_TEXTS_NUMBER, 2, 0, 1, -1);
    expect_pairs("a\tb\tc\nd\te\tf\n", AT_TEXTS_NONE, -1, 0, 1, 2);
    at_test_done(ctx);
}

/* ---- Memory ---- */

typedef struct whole {
    at_texts_options o;
    const char *train, *test;
} whole;

static at_status attempt(at_ctx *c, void *arg)
{
    const whole *w = arg;
    at_texts train, test = {.arena = {.ctx = c}, .table.arena.ctx = c};
    at_text_stats stats;
    bool in_share[400];
    at_status status = at_texts_read(c, &train, w->train, &w->o, NULL);
    if (status == AT_OK) status = at_texts_read(c, &test, w->test, &w->o, &train);
    if (status == AT_OK) status = at_contents_split(c, in_share, &train.contents, 0.5, 0, NULL);
    if (status == AT_OK) status = at_texts_stats(&train.arena, &stats, &train);
    at_texts_deinit(&test);
    at_texts_deinit(&train);
    return status;
}

AT_TEST(test_texts__survives_lack_of_memory)
{
    begin("texts-memory");
    at_text file;
    at_text_init(&file, ctx);
    for (int i = 0; i < 200; i++)
        at_text_printf(&file, "%d,text %d,label%d\n", i, i, i / 2); /* a table that grows */
    put("train.csv", file.data);
    put("test.csv", "1,a,label1\n2,b,label2\n");
    at_text_deinit(&file);
    whole w = {.train = below("train.csv"), .test = below("test.csv")};
    at_torture(ctx, attempt, &w);
    w.o = (at_texts_options){.target = AT_TEXTS_SET, .label = "3"};
    at_torture(ctx, attempt, &w);
    put("test.csv", "1,a,other\n2,b,label2\n");
    at_expect_error(ctx, attempt(ctx, &w), AT_E_FORMAT,
                    "test.csv:1: label other is not among the 100 of training (");
    at_test_done(ctx);
}

AT_TEST(test_texts__lists_survive_lack_of_memory)
{
    begin("texts-lists-memory");
    put("x.jsonl", "{\"text\": \"a\", \"labels\": [\"x\", 1]}\n{\"text\": \"b\", \"labels\": []}\n"
                   "{\"text\": \"c\", \"labels\": [\"x\"]}\n");
    whole w = {.o.target = AT_TEXTS_SET, .train = below("x.jsonl"), .test = below("x.jsonl")};
    at_torture(ctx, attempt, &w);
    at_test_done(ctx);
}
