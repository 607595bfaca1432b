/* text_runs_test.c: whole runs on a table of texts with a tiny BERT: it learns, hands over what predicts, and
 * has the same bits for any number of threads; and mistakes in tables and checkpoints, as the program tells
 * them. */
#include "tests/harness/mistake.h"
#include "tests/harness/program.h"
#include "tests/harness/scene.h"
#include "tests/harness/test.h"
#include <stdio.h>
#include <stdlib.h>

#define GOLDEN AT_SOURCE_DIR "/src/models/bert/golden_hf"

/* bert/ with dropout, and films.tsv. */
static void make_texts(const char *folder)
{
    at_copy_bert(folder, "bert");
    at_edit_text(folder, "bert/config.json", "\"hidden_dropout_prob\": 0.0", "\"hidden_dropout_prob\": 0.1");
    at_edit_text(folder, "bert/config.json", "\"attention_probs_dropout_prob\": 0.0",
                 "\"attention_probs_dropout_prob\": 0.1");
    at_make_films(folder);
}

#define LEARN                                                                                                \
    "train bert films.tsv --train.epochs 30 --train.learning_rate 1e-2 --train.head_learning_rate 1e-2 "     \
    "--precision f32 --json "

static void expect_in_report(const char *folder, const char *part)
{
    char line[2048];
    snprintf(line, sizeof line, "grep -qF '%s' '%s/run/report.html'", part, folder);
    if (system(line) != 0) fail_msg("the report lacks \"%s\"", part);
}

AT_TEST(test_text_runs__a_table_is_learnt_and_predicted)
{
    char folder[1024];
    at_output o;
    at_arena a;
    at_arena_init(&a, at_test_ctx());
    at_test_folder(folder, "text-learns");
    make_texts(folder);
    at_attune(&o, folder, LEARN "--output run");
    if (o.code) fail_msg("%s", o.err);
    const at_tree *done = at_event_named(at_json_lines(&a, o.out), "done", 0);
    const double accuracy = at_tree_at(done, "valid.accuracy")->number;
    if (accuracy < 0.99) fail_msg("valid accuracy %g", accuracy);
    at_output_free(&o);
    expect_in_report(folder, "films.tsv: 60 texts, ");
    expect_in_report(folder, "<tr><th scope=\"row\">up</th><td>30<div");
    at_put_text(folder, "new.csv", "text\n\"x, good films\"\ny bad film\n");
    at_attune(&o, folder, "predict run new.csv --json");
    if (o.code) fail_msg("%s", o.err);
    const at_tree *lines = at_json_lines(&a, o.out);
    const at_tree *first = at_event_named(lines, "prediction", 0),
                  *second = at_event_named(lines, "prediction", 1);
    assert_string_equal(at_tree_get(first, "text")->text, "x, good films");
    assert_string_equal(at_tree_get(first, "label")->text, "up");
    assert_string_equal(at_tree_get(second, "label")->text, "down");
    at_output_free(&o);
    at_attune(&o, folder, "eval run films.tsv --json");
    if (o.code) fail_msg("%s", o.err);
    assert_non_null(at_event_named(at_json_lines(&a, o.out), "evaluation", 0));
    at_output_free(&o);
    at_ctx *ctx = a.ctx;
    at_arena_deinit(&a);
    at_test_done(ctx);
}

/* With dropout, passes of few tokens, and accumulation. */
AT_TEST(test_text_runs__same_bits_for_any_number_of_threads)
{
    char folder[1024], one[1100], three[1100];
    at_test_folder(folder, "text-threads");
    make_texts(folder);
    at_attune_expect(0, folder, LEARN "--train.max_tokens 40 --threads 1 --output one");
    at_attune_expect(0, folder, LEARN "--train.max_tokens 40 --threads 3 --output three");
    snprintf(one, sizeof one, "%s/one", folder);
    snprintf(three, sizeof three, "%s/three", folder);
    at_expect_same_file(one, three, "model/model.safetensors");
    at_expect_same_file(one, three, "metrics.jsonl");
}

/* Only rounding differs between passes of few and of many tokens. */
AT_TEST(test_text_runs__passes_of_few_tokens_learn_the_same)
{
    char folder[1024], few[1100], many[1100];
    at_test_folder(folder, "text-passes");
    make_texts(folder);
    at_attune_expect(0, folder, LEARN "--train.steps 3 --train.max_tokens 9 --output few");
    at_attune_expect(0, folder, LEARN "--train.steps 3 --output many");
    snprintf(few, sizeof few, "%s/few/model/model.safetensors", folder);
    snprintf(many, sizeof many, "%s/many/model/model.safetensors", folder);
    const char *name = "bert.encoder.layer.0.intermediate.dense.weight";
    assert_true(at_tensor_distance(few, many, name) < 1e-4);
    assert_true(at_tensor_distance(few, GOLDEN "/model.safetensors", name) > 1e-3);
}

/* 2,000 texts of 700 bytes: enough for tokens to be kept. Where they cannot be, the run says so and goes on.
 */
AT_TEST(test_text_runs__kept_tokens_change_nothing)
{
    static const char *const caches[] = {"none", "kept", "kept", "many.tsv/kept"};
    char folder[1024], path[2][1100];
    at_test_folder(folder, "text-kept");
    make_texts(folder);
    at_in_folder(folder,
                 "awk 'BEGIN { print \"label\\ttext\"; for (i = 0; i < 2000; i++) { t = sprintf(\"%c %c\", "
                 "97 + i % 26, 97 + i / 26 % 26); for (k = 0; k < 140; k++) t = t ((i * 7 + k) % 5 ? "
                 "\" good\" : \" film\"); print (i % 2 ? \"up\" : \"down\") \"\\t\" t } }' > many.tsv");
    for (int i = 0; i < AT_COUNT(caches); i++) {
        at_attune_expect(
            0, folder, "train bert many.tsv --train.steps 3 --data.max_length 12 --cache %s --output run-%d",
            caches[i], i);
        snprintf(path[i > 0], sizeof path[0], "%s/run-%d", folder, i);
        if (i > 0) at_expect_same_file(path[0], path[1], "model/model.safetensors");
    }
    at_in_folder(folder,
                 "[ $(ls kept | grep -c ^tokens-) = 1 ] && grep -q 'tokens are not kept' run-3/log.txt && "
                 "! grep -q 'not kept' run-2/log.txt");
}

/* ---- Mistakes ---- */

#define TRAIN "train bert films.tsv --output run"

static void one_class(const char *folder)
{
    make_texts(folder);
    at_put_text(folder, "films.tsv", "label\ttext\nup\tgood\nup\tgood film\nup\tfilm\n");
}

static void empty_text(const char *folder)
{
    make_texts(folder);
    at_put_text(folder, "films.tsv", "label\ttext\nup\tgood\ndown\t\nup\tfilm\n");
}

static void open_quote(const char *folder)
{
    make_texts(folder);
    at_put_text(folder, "films.csv", "label,text\nup,good\ndown,\"bad film\nup,film\n");
}

static void nul_byte(const char *folder)
{
    make_texts(folder);
    at_in_folder(folder, "printf 'label\\ttext\\nup\\tgo\\000od\\ndown\\tbad\\n' >films.tsv");
}

static void strange_label(const char *folder)
{
    make_texts(folder);
    at_put_text(folder, "valid.tsv", "label\ttext\nup\tgood\nsideways\tbad\n");
}

static void long_vocabulary(const char *folder)
{
    make_texts(folder);
    at_in_folder(folder, "echo surplus >>bert/vocab.txt");
}

static void no_tokenizer(const char *folder)
{
    make_texts(folder);
    at_in_folder(folder, "rm bert/vocab.txt");
}

static const at_mistake mistakes[] = {
    {"text-column", make_texts, TRAIN " --data.text txt", 2,
     "films.tsv: data.text is txt, but no column is called so; the nearest is \"text\""},
    {"text-one-class", one_class, TRAIN, 1,
     "films.tsv: has one class only, up; a classifier needs at least 2; is column 1 the label? (data.label)"},
    {"text-empty", empty_text, TRAIN, 1,
     "films.tsv:3: the text is empty; fill it in or remove the row, or set data.corrupt skip"},
    {"text-quote", open_quote, "train bert films.csv --output run", 1,
     "films.csv:3: the cell that begins with a quote here has no closing quote; write a quote inside a cell "
     "twice, or set data.quote none"},
    {"text-nul", nul_byte, TRAIN, 1,
     "films.tsv:2: a NUL byte; is this a text file? Remove it, or save the table as UTF-8"},
    {"text-label", strange_label, TRAIN " --data.valid valid.tsv", 1,
     "valid.tsv:3: label sideways is not among the 2 of training (down, up); correct it or remove the row"},
    {"text-vocabulary", long_vocabulary, TRAIN, 1,
     "bert: the tokenizer has 38 tokens, the network (config.json, vocab_size) only 37; they belong to "
     "different checkpoints"},
    {"text-no-tokenizer", no_tokenizer, TRAIN, 1,
     "bert: there is no tokenizer; one of these files is needed: tokenizer.model, spiece.model, "
     "tokenizer.json, vocab.json, vocab.txt"},
    {"text-shares", make_texts, TRAIN " --data.test 95%", 2,
     "data.valid and --data.test: data.test take 115 % of the texts together, which leaves none to learn "
     "from"},
    {"text-length", make_texts, TRAIN " --data.max_length 14", 2,
     "--data.max_length: data.max_length is 14, but bert takes at most 13 tokens"},
};

AT_TEST(test_text_runs__mistakes_are_told)
{
    at_expect_mistakes("text_runs", mistakes, AT_COUNT(mistakes), false);
}
