/* tagged_test.c: tagged sentences of every form, their tokens and labels, every mistake, failing memory. */
#include "data/tokens.h"
#include "tests/harness/scene.h"
#include "tests/harness/test.h"
#include "tests/harness/torture.h"
#include <stdio.h>

static at_tagged parse(at_ctx *ctx, const char *path, const char *text, at_tagged_options o,
                       const at_tagged *like)
{
    at_tagged t;
    at_expect_ok(ctx, at_tagged_parse(ctx, &t, text, strlen(text), path, &o, like));
    return t;
}

/* All sentences: "word/TAG word/TAG | word/TAG". */
static void expect_words(at_tagged *t, const char *want)
{
    at_text got;
    at_text_init(&got, t->arena.ctx);
    for (int64_t i = 0; i < t->n; i++)
        for (int64_t k = t->start[i]; k < t->start[i + 1]; k++)
            at_text_printf(&got, "%s%.*s/%s",
                           k == 0             ? ""
                           : k == t->start[i] ? " | "
                                              : " ",
                           (int)t->words[k].n, t->words[k].text, t->tag[k] < 0 ? "" : t->classes[t->tag[k]]);
    assert_string_equal(got.data, want);
    at_text_deinit(&got);
    at_tagged_deinit(t);
}

/* ---- Forms ---- */

AT_TEST(test_tagged__conll_is_words_and_tags)
{
    at_ctx *ctx = at_test_ctx();
    at_tagged t = parse(ctx, "a.conll",
                        "\xef\xbb\xbf-DOCSTART- -X- -X- O\n\n"
                        "EU NNP B-NP B-ORG\r\nrejects  VBZ B-VP O\n  \n\n"
                        "-DOCSTART- -X-\nPeter NNP B-NP B-PER\n-DOCSTART-\nBonn NNP B-NP B-LOC",
                        (at_tagged_options){0}, NULL);
    assert_int_equal(t.n, 3);
    assert_int_equal(t.n_classes, 4);
    assert_string_equal(t.classes[0], "B-LOC");
    assert_string_equal(t.classes[3], "O");
    assert_string_equal(t.text[0].text, "EU rejects");
    assert_int_equal(t.place[1], 3);
    assert_int_equal(t.line[2], 8);
    expect_words(&t, "EU/B-ORG rejects/O | Peter/B-PER | Bonn/B-LOC");
    at_test_done(ctx);
}

AT_TEST(test_tagged__tabs_keep_blanks_and_hashes_are_words)
{
    at_ctx *ctx = at_test_ctx();
    at_tagged t = parse(ctx, "a.txt", "New York\tB\n# \tO\n#\tO\n\t \n", (at_tagged_options){0}, NULL);
    expect_words(&t, "New York/B #/O #/O");
    at_test_done(ctx);
}

AT_TEST(test_tagged__columns_are_chosen_by_number)
{
    at_ctx *ctx = at_test_ctx();
    at_tagged t = parse(ctx, "a.conll", "1 x DET O\n2 y NOUN O\n",
                        (at_tagged_options){.text = "2", .label = "3"}, NULL);
    expect_words(&t, "x/DET y/NOUN");
    at_test_done(ctx);
}

AT_TEST(test_tagged__universal_dependencies)
{
    at_ctx *ctx = at_test_ctx();
    at_tagged t = parse(ctx, "a.conllu",
                        "# text = vamonos\n1-2\tvamonos\t_\t_\n1\tvamos\tir\tVERB\n2\tnos\tyo\tPRON\n"
                        "2.1\tx\tx\tX\n\n# 2\n1\tsi\tsi\tINTJ\n",
                        (at_tagged_options){0}, NULL);
    expect_words(&t, "vamos/VERB nos/PRON | si/INTJ");
    at_test_done(ctx);
}

AT_TEST(test_tagged__json_lines)
{
    at_ctx *ctx = at_test_ctx();
    at_tagged t =
        parse(ctx, "a.jsonl",
              "{\"id\": 7, \"tokens\": [\"New York\", \"\\u00e9\"], \"ner_tags\": [\"B-LOC\", \"O\"]}\n\n"
              "{\"tokens\": [], \"ner_tags\": []}\n{\"tokens\": [\"x\"], \"ner_tags\": [\"O\"]}",
              (at_tagged_options){0}, NULL);
    expect_words(&t, "New York/B-LOC \xc3\xa9/O | x/O");
    t = parse(ctx, "a.jsonl", "{\"w\": [\"a\", \"b\"], \"t\": [2, 0]}",
              (at_tagged_options){.text = "w", .label = "t", .tags = "O, B-X,I-X"}, NULL);
    expect_words(&t, "a/I-X b/O");
    at_test_done(ctx);
}

AT_TEST(test_tagged__predictions_need_no_tags)
{
    static const char *const classes[] = {"O", "B-X"};
    const at_tagged_options o = {.predicts = true, .classes = classes, .n_classes = 2};
    at_ctx *ctx = at_test_ctx();
    at_tagged t = parse(ctx, "a.txt", "  two  words \n\nand\tO more\n", o, NULL);
    assert_string_equal(t.text[0].text, "two  words");
    assert_int_equal(t.place[1], 5);
    assert_string_equal(t.words[1].text, "words");
    assert_string_equal(t.text[1].text, "and\tO more");
    expect_words(&t, "two/ words/ | and/ O/ more/");
    t = parse(ctx, "a.txt", "\nlooks O\ntagged ?\n", o, NULL); /* as its first row ends with a class */
    expect_words(&t, "looks/ tagged/");
    t = parse(ctx, "a.conll", "one\ncolumn\n\nalone\n", o, NULL);
    expect_words(&t, "one/ column/ | alone/");
    t = parse(ctx, "a.jsonl", "{\"tokens\": [\"x\", \"y\"]}", o, NULL);
    expect_words(&t, "x/ y/");
    at_test_done(ctx);
}

AT_TEST(test_tagged__tags_of_training_are_the_tags)
{
    at_ctx *ctx = at_test_ctx();
    at_tagged train = parse(ctx, "t.bio", "a O\nb B-X\nc B-Y\n", (at_tagged_options){0}, NULL);
    at_tagged valid = parse(ctx, "v.bio", "d B-X\n", (at_tagged_options){0}, &train);
    assert_int_equal(valid.n_classes, 3);
    assert_int_equal(valid.tag[0], 0);
    expect_words(&valid, "d/B-X");
    at_tagged_deinit(&train);
    at_test_done(ctx);
}

/* ---- Recognising ---- */

AT_TEST(test_tagged__names)
{
    char folder[1024], path[1100];
    at_ctx *ctx = at_test_ctx();
    assert_true(at_is_tagged(ctx, "x/a.conll") && at_is_tagged(ctx, "a.IOB2") &&
                at_is_tagged(ctx, "a.b.conllu"));
    assert_false(at_is_tagged(ctx, "a.txt") || at_is_tagged(ctx, "conll") || at_is_tagged(ctx, "a.conll/b"));
    at_test_folder(folder, "tagged-names");
    assert_false(at_is_tagged(ctx, folder));
    at_put_text(folder, "train.txt", "a O\nb B-X\n");
    at_put_text(folder, "valid.txt", "x,y\n");
    assert_true(at_is_tagged(ctx, folder));
    snprintf(path, sizeof path, "%s/train.txt", folder);
    assert_true(at_is_tagged(ctx, path));
    snprintf(path, sizeof path, "%s/valid.txt", folder);
    assert_false(at_is_tagged(ctx, path));
    at_put_text(folder, "train.txt", "a\tup\nb\tdown\n");
    assert_false(at_is_tagged(ctx, folder));
    at_put_text(folder, "train.bio", "");
    assert_true(at_is_tagged(ctx, folder));
    at_test_done(ctx);
}

typedef struct look {
    const char *path, *text;
    bool tagged;
} look;

#define WORDS "\"tokens\": [\"a\", \"b\"]"

static const look looks[] = {
    {"a.txt", "EU B-ORG\nsays O\n\nno O\n", true},
    {"a.txt",
     "\xef\xbb\xbf"
     "EU B-ORG\r\nsays O",
     true},
    {"a.txt", "-DOCSTART- -X- O O\n\nEU NNP I-NP I-ORG\nsays VBZ I-VP O\n", true},
    {"a.tsv", "EU\tS-ORG\nsays\tO\n", true},
    {"a.txt", "", false},
    {"a.txt", "\n", false},
    {"a.txt", "EU O\nsays O\n", false},            /* no entity: a column of O */
    {"a.txt", "EU NNP\nsays VBZ\n", false},        /* classes could be called so */
    {"a.txt", "good film B-SIDE\nbad O\n", false}, /* columns that differ */
    {"a.txt", "good B-SIDE\nbad O\nfilm A-B\n", false},
    {"a.tsv", "text\tlabel\nEU\tB-ORG\nsays\tO\n", false},
    {"a.csv", "EU,B-ORG\nsays,O\n", false},
    {"a.jsonl", "{" WORDS ", \"ner_tags\": [\"O\", \"B-X\"]}\n\n{\"tokens\": [], \"ner_tags\": []}", true},
    {"a.jsonl", "{\"id\": \"7\", " WORDS ", \"pos_tags\": [3, 4], \"ner_tags\": [0, 1]}\n", true},
    {"a.ndjson", "{\"words\": [\"a\"], \"labels\": [\"NNP\"]}\n", true},
    {"a.jsonl", "{" WORDS ", \"tags\": [\"x\"]}\n", false}, /* of another length */
    {"a.jsonl", "{" WORDS ", \"tags\": [1, 2]}\n{\"tokens\": [\"a\"], \"tags\": [1, 2]}\n", false},
    {"a.jsonl", "{\"text\": \"a b\", " WORDS ", \"tags\": [1, 2]}\n", false},
    {"a.jsonl", "{" WORDS ", \"tags\": [1, 2], \"label\": \"up\"}\n", false},
    {"a.jsonl", "{\"tokens\": [1, 2], \"tags\": [1, 2]}\n", false},
    {"a.jsonl", "{" WORDS ", \"tags\": \"ab\"}\n", false},
    {"a.jsonl", "{" WORDS "}\n", false},
    {"a.jsonl", "{" WORDS ", \"tags\": [1, 2]}\nno JSON\n", false},
    {"a.jsonl", "[1]\n", false},
    {"a.jsonl", "", false},
};

AT_TEST(test_tagged__contents_tell)
{
    at_ctx *ctx = at_test_ctx();
    for (int i = 0; i < AT_COUNT(looks); i++) {
        const look *l = &looks[i];
        if (at_looks_tagged(ctx, l->text, strlen(l->text), l->path) != l->tagged)
            fail_msg("%s is%s taken for tagged words:\n%s", l->path, l->tagged ? " not" : "", l->text);
    }
    assert_int_equal(at_last_status(ctx), AT_OK);
    at_test_done(ctx);
}

/* Only the beginning is looked at, and no line that is cut there. */
AT_TEST(test_tagged__the_beginning_tells)
{
    at_ctx *ctx = at_test_ctx();
    at_text t;
    at_text_init(&t, ctx);
    while (t.size < 100000) at_text_add(&t, "EU B-ORG\nsays O\n\n");
    at_text_add(&t, "no tags here, but another number of columns\n");
    assert_true(at_looks_tagged(ctx, t.data, t.size, "a.txt"));
    assert_false(at_looks_tagged(ctx, t.data + 17 * 3500, t.size - 17 * 3500, "a.txt"));
    at_text_deinit(&t);
    at_test_done(ctx);
}

/* ---- Equal sentences ---- */

AT_TEST(test_tagged__equal_sentences_stay_on_one_side)
{
    at_ctx *ctx = at_test_ctx();
    at_text file;
    at_text_init(&file, ctx);
    for (int i = 0; i < 40; i++) at_text_printf(&file, "%s O\nw%d B-X\n\n", i % 2 ? "The" : "the", i / 2);
    at_tagged t = parse(ctx, "a.conll", file.data, (at_tagged_options){0}, NULL);
    bool in_share[40];
    int share = 0;
    at_expect_ok(ctx, at_contents_split(ctx, in_share, &t.contents, 0.25, 1, NULL));
    for (int i = 0; i < 40; i += 2) {
        assert_true(in_share[i] == in_share[i + 1]);
        share += 2 * in_share[i];
    }
    assert_int_equal(share, 10);
    at_tagged_deinit(&t);
    at_text_deinit(&file);
    at_test_done(ctx);
}

/* ---- Tokens ---- */

static void expect_labels(const at_dataset *d, const int32_t *want, int n)
{
    void *out[AT_MAX_COLUMNS] = {0};
    int32_t labels[16];
    at_ctx *ctx = at_test_ctx();
    assert_int_equal(d->rows(d, 0), n);
    assert_true(d->columns[4].ragged);
    out[4] = labels;
    at_expect_ok(ctx, d->fill(ctx, d, 0, &(at_fill){0}, out));
    for (int i = 0; i < n; i++) assert_int_equal(labels[i], want[i]);
    at_test_done(ctx);
}

/* film ##s | good ##s ##e; B-X = 0, I-X = 1, O = 2 */
AT_TEST(test_tagged__a_words_first_token_has_its_label)
{
    static const int32_t first[] = {-100, 0, -100, 2, -100, -100, -100}, all[] = {-100, 0, 1, 2, 2, 2, -100},
                         words[] = {-1, 0, 0, 1, 1, 1, -1}, cut[] = {-100, 0, -100, -100},
                         inside[] = {1, 1, 2};
    static const int32_t sentence = 1;
    at_ctx *ctx = at_test_ctx();
    at_tokenizer *tokenizer;
    at_dataset *d;
    at_token_stats stats;
    at_expect_ok(ctx, at_tokenizer_open(&tokenizer, ctx, AT_SOURCE_DIR "/src/models/bert/golden_hf"));
    at_tagged t = parse(ctx, "a.conll", "a I-X\n\nfilms B-X\ngoodse O\n", (at_tagged_options){0}, NULL);
    at_token_options o = {.tokenizer = tokenizer, .max_length = 13, .labels = true};
    at_expect_ok(ctx, at_tagged_tokens_create(&d, ctx, &t, &sentence, 1, &o, &stats));
    expect_labels(d, first, AT_COUNT(first));
    assert_memory_equal(at_tagged_tokens_words(d, 0), words, sizeof words);
    assert_int_equal(at_tagged_tokens_sentence(d, 0), 1);
    assert_string_equal(d->name(d, 0), "films goodse");
    assert_int_equal(stats.cut, 0);
    d->close(ctx, d);
    o.tag_inside = inside;
    at_expect_ok(ctx, at_tagged_tokens_create(&d, ctx, &t, &sentence, 1, &o, &stats));
    expect_labels(d, all, AT_COUNT(all));
    d->close(ctx, d);
    o = (at_token_options){.tokenizer = tokenizer, .max_length = 4, .labels = true};
    at_expect_ok(ctx, at_tagged_tokens_create(&d, ctx, &t, &sentence, 1, &o, &stats));
    expect_labels(d, cut, AT_COUNT(cut));
    assert_int_equal(stats.cut, 1);
    d->close(ctx, d);
    at_tagged_deinit(&t);
    at_tokenizer_close(ctx, tokenizer);
    at_test_done(ctx);
}

/* ---- Mistakes ---- */

typedef struct mistake {
    const char *path, *text;
    at_tagged_options o;
    at_status status;
    const char *part;
} mistake;

static const mistake mistakes[] = {
    {"a.conll", "", {0}, AT_E_FORMAT, "a.conll: there is no sentence in it"},
    {"a.conll", "\n\n-DOCSTART- -X- O\n", {0}, AT_E_FORMAT, "a.conll: there is no sentence in it"},
    {"a.conll",
     "\nword\n",
     {0},
     AT_E_FORMAT,
     "a.conll:2: one column only; expected a word and its tag, separated by a tab or blanks"},
    {"a.conll",
     "a O\nb O\nc\n",
     {0},
     AT_E_FORMAT,
     "a.conll:3: 1 column, but line 1 has 2; a word and its tag are missing or too much here"},
    {"a.conll", "a O\nb B-X X\n", {0}, AT_E_FORMAT, "a.conll:2: 3 columns, but line 1 has 2"},
    {"a.conll",
     "a\tO\n\tB\n",
     {0},
     AT_E_FORMAT,
     "a.conll:2: the word is empty; fill it in or remove the line"},
    {"a.conll",
     "a\tO\nb\t\n",
     {0},
     AT_E_FORMAT,
     "a.conll:2: the tag is empty; a word outside of every entity has the tag O"},
    {"a.conll",
     "a O\nb\xff B-X\n",
     {0},
     AT_E_FORMAT,
     "a.conll:2: invalid UTF-8 at byte 2 of the line; save the file as UTF-8"},
    {"a.conll",
     "a O\nb O\n",
     {0},
     AT_E_FORMAT,
     "a.conll: has one tag only, O; there is nothing to tell apart"},
    {"a.conll",
     "a O\n",
     {.text = "word"},
     AT_E_ARG,
     "a.conll: data.text is word, must be the number of a column, from 1 on"},
    {"a.conll",
     "a O\n",
     {.label = "3"},
     AT_E_FORMAT,
     "a.conll:1: 2 columns; expected 3 to 64 (data.text, data.label)"},
    {"a.jsonl",
     "{\"tokens\": [\"a\"], \"ner_tags\": [0]}",
     {0},
     AT_E_FORMAT,
     "a.jsonl:1: the tags are numbers; name them, in the order of their numbers, by data.tags "
     "(\"O,B-PER,I-PER\"), "
     "or write the tags' names into the file"},
    {"a.jsonl",
     "{\"tokens\": [\"a\"], \"ner_tags\": [2]}",
     {.tags = "O,B-X"},
     AT_E_FORMAT,
     "a.jsonl:1: tag 2 is not among those of data.tags (O,B-X)"},
    {"a.jsonl",
     "{\"tokens\": [\"a\"], \"ner_tags\": [-1]}",
     {.tags = "O,B-X"},
     AT_E_FORMAT,
     "a.jsonl:1: tag -1 is not among those of data.tags (O,B-X)"},
    {"a.jsonl",
     "\n{\"tokens\": [\"a\", \"b\"], \"ner_tags\": [\"O\"]}",
     {0},
     AT_E_FORMAT,
     "a.jsonl:2: 2 words, but 1 tags; each word has one"},
    {"a.jsonl",
     "{\"text\": \"a\"}",
     {0},
     AT_E_FORMAT,
     "a.jsonl:1: there is no list of words \"tokens\"; set data.text"},
    {"a.jsonl",
     "{\"tokens\": [\"a\"]}",
     {0},
     AT_E_FORMAT,
     "a.jsonl:1: there is no list of tags \"ner_tags\"; set data.label"},
    {"a.jsonl",
     "{\"tokens\": \"a b\", \"tags\": [\"O\"]}",
     {0},
     AT_E_FORMAT,
     "a.jsonl:1: \"tokens\" is text, must be a list"},
    {"a.jsonl",
     "{\"tokens\": [3], \"tags\": [\"O\"]}",
     {0},
     AT_E_FORMAT,
     "a.jsonl:1: a word is a whole number, must be a text"},
    {"a.jsonl", "[1]", {0}, AT_E_FORMAT, "a.jsonl:1: a line must be a map, it is a list"},
    {"a.jsonl",
     "{}\n{\"tokens\" 1}",
     {.predicts = true, .text = "x"},
     AT_E_FORMAT,
     "a.jsonl:1: there is no list of words \"x\""},
    {"a.jsonl", "\n{\"tokens\" 1}", {0}, AT_E_FORMAT, "a.jsonl:2:"},
};

AT_TEST(test_tagged__mistakes_are_told)
{
    at_ctx *ctx = at_test_ctx();
    for (int i = 0; i < AT_COUNT(mistakes); i++) {
        const mistake *m = &mistakes[i];
        at_tagged t;
        at_expect_error(ctx, at_tagged_parse(ctx, &t, m->text, strlen(m->text), m->path, &m->o, NULL),
                        m->status, m->part);
        assert_true(t.n == 0 && !t.words);
    }
    at_tagged t;
    at_expect_error(ctx,
                    at_tagged_parse(ctx, &t, "a O\nb\0c B-X\n", 12, "a.conll", &(at_tagged_options){0}, NULL),
                    AT_E_FORMAT, "a.conll:2: a NUL byte; is this a text file? Remove it");
    at_expect_error(ctx, at_tagged_read(ctx, &t, "/no/such.conll", &(at_tagged_options){0}, NULL), AT_E_IO,
                    "/no/such.conll");
    at_test_done(ctx);
}

AT_TEST(test_tagged__a_tag_that_training_lacks_is_told)
{
    at_ctx *ctx = at_test_ctx();
    at_tagged train = parse(ctx, "t.bio", "a O\nb B-X\n", (at_tagged_options){0}, NULL), t;
    at_expect_error(
        ctx, at_tagged_parse(ctx, &t, "a O\nb B-Y\n", 10, "v.bio", &(at_tagged_options){0}, &train),
        AT_E_FORMAT,
        "v.bio:2: tag B-Y is not among the 2 of training (B-X, O); correct it or remove the sentence");
    at_tagged_deinit(&train);
    at_test_done(ctx);
}

/* ---- Failing memory ---- */

typedef struct whole {
    const char *path, *train, *files;
    at_tokenizer *tokenizer;
} whole;

static at_status attempt(at_ctx *ctx, void *arg)
{
    const whole *w = arg;
    at_tagged train, files = {0};
    at_dataset *d = NULL;
    static const int32_t index[] = {0, 1, 2};
    const at_token_options o = {.tokenizer = w->tokenizer, .max_length = 9, .labels = true};
    at_status s =
        at_tagged_parse(ctx, &train, w->train, strlen(w->train), w->path, &(at_tagged_options){0}, NULL);
    if (s == AT_OK)
        s = at_tagged_parse(ctx, &files, w->files, strlen(w->files), "f.txt",
                            &(at_tagged_options){.predicts = true}, NULL);
    if (s == AT_OK) s = at_tagged_tokens_create(&d, ctx, &train, index, AT_COUNT(index), &o, NULL);
    if (d) d->close(ctx, d);
    at_tagged_deinit(&files);
    at_tagged_deinit(&train);
    return s;
}

AT_TEST(test_tagged__survives_failing_allocations)
{
    at_ctx *ctx = at_test_ctx();
    at_text conll, json;
    whole w = {.path = "a.conll", .files = "plain text\nof two lines\n"};
    at_text_init(&conll, ctx);
    at_text_init(&json, ctx);
    for (int i = 0; i < 100; i++) {
        at_text_printf(&conll, "a O\nfilms B-%d\ngood O\n\n", i % 90);
        at_text_printf(&json, "{\"tokens\": [\"a\", \"films\"], \"tags\": [\"O\", \"B-%d\"]}\n", i % 3);
    }
    at_expect_ok(ctx, at_tokenizer_open(&w.tokenizer, ctx, AT_SOURCE_DIR "/src/models/bert/golden_hf"));
    w.train = conll.data;
    at_torture(ctx, attempt, &w);
    w.path = "a.jsonl";
    w.train = json.data;
    at_torture(ctx, attempt, &w);
    at_tokenizer_close(ctx, w.tokenizer);
    at_text_deinit(&conll);
    at_text_deinit(&json);
    at_test_done(ctx);
}
