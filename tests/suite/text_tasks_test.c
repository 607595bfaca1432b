/* text_tasks_test.c: whole runs of tasks on texts beside one label a text, with a tiny BERT: numbers, sets of
 * classes, thresholds; and mistakes in their tables and options, as the program tells them. */
#include "formats/file.h"
#include "run/recipe.h"
#include "tests/harness/mistake.h"
#include "tests/harness/program.h"
#include "tests/harness/scene.h"
#include "tests/harness/test.h"
#include "tests/harness/torture.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* years.tsv, 60 films: about 1980, and ten years more for each of up to three "good". */
static void make_years(const char *folder)
{
    char rows[8192] = "label\ttext\n";
    size_t n = strlen(rows);
    at_copy_bert(folder, "bert");
    for (int i = 0; i < 60; i++) {
        const int good = i % 4;
        n += (size_t)snprintf(rows + n, sizeof rows - n, "%d.%d\t%c %s%s%s film %c.\n", 1980 + 10 * good,
                              i % 10, 'a' + i % 26, good > 0 ? "good " : "", good > 1 ? "good " : "",
                              good > 2 ? "good" : "bad", 'a' + i % 11);
    }
    at_put_text(folder, "years.tsv", rows);
}

/* words.tsv, 64 texts whose labels are those of the words good, bad and film that they have. */
static void make_sets(const char *folder)
{
    char rows[8192] = "label\ttext\n";
    size_t n = strlen(rows);
    at_copy_bert(folder, "bert");
    for (int i = 0; i < 64; i++) {
        const char *good = i & 1 ? "good" : "", *bad = i & 2 ? "bad" : "", *film = i & 4 ? "film" : "";
        n += (size_t)snprintf(rows + n, sizeof rows - n, "%s%s%s%s%s\t%c %s %s %s %c.\n", good,
                              i & 1 && i & 6 ? "|" : "", bad, (i & 4) && (i & 2) ? "|" : "", film,
                              'a' + i % 26, good, bad, film, 'a' + i % 11);
    }
    at_put_text(folder, "words.tsv", rows);
}

/* films.tsv, 60 films whose second word decides. */
static void make_films(const char *folder)
{
    char rows[8192] = "label\ttext\n";
    size_t n = strlen(rows);
    at_copy_bert(folder, "bert");
    for (int i = 0; i < 60; i++)
        n += (size_t)snprintf(rows + n, sizeof rows - n, "%s\t%c %s film%s %c.\n", i % 2 ? "up" : "down",
                              'a' + i % 26, i % 2 ? "good" : "bad", i % 3 ? "s are" : "", 'a' + i % 11);
    at_put_text(folder, "films.tsv", rows);
}

#define LEARN " --train.learning_rate 1e-2 --train.head_learning_rate 1e-2 --json --output run "

static void expect_in_file(const char *folder, const char *file, const char *part)
{
    char line[2048];
    snprintf(line, sizeof line, "grep -qF '%s' '%s/run/%s'", part, folder, file);
    if (system(line) != 0) fail_msg("%s lacks \"%s\"", file, part);
}

typedef struct ran { /* a command's events */
    at_arena arena;
    at_output output;
    at_tree *lines;
} ran;

static void begin(ran *r, const char *folder, const char *line)
{
    at_arena_init(&r->arena, at_test_ctx());
    at_attune(&r->output, folder, "%s", line);
    if (r->output.code) fail_msg("%s: %s", line, r->output.err);
    r->lines = at_json_lines(&r->arena, r->output.out);
}

static void end(ran *r)
{
    at_output_free(&r->output);
    at_ctx *ctx = r->arena.ctx;
    at_arena_deinit(&r->arena);
    at_test_done(ctx);
}

static double number(const at_tree *event, const char *path)
{
    const at_tree *t = at_tree_at(event, path);
    if (!t) fail_msg("no %s", path);
    return t->number;
}

static bool has_note(const ran *r, const char *part)
{
    for (int i = 0;; i++) {
        const at_tree *note = at_event_named(r->lines, "note", i);
        if (!note) return false;
        if (strstr(at_tree_get(note, "text")->text, part)) return true;
    }
}

/* ---- Numbers ---- */

/* The unit of the labels is in the head that is handed over: years come out, and another run goes on from it.
 */
AT_TEST(test_text_tasks__numbers_are_learnt_and_predicted)
{
    char folder[1024];
    ran r;
    at_test_folder(folder, "tasks-numbers");
    make_years(folder);
    begin(&r, folder, "train bert years.tsv --train.epochs 40" LEARN);
    assert_true(has_note(&r, "the labels are numbers: task text-regression"));
    const at_tree *done = at_event_named(r.lines, "done", 0);
    assert_string_equal(at_tree_get(done, "valid")->first->key, "rmse");
    if (!(number(done, "valid.r2") > 0.95)) fail_msg("r2 %g", number(done, "valid.r2"));
    end(&r);
    expect_in_file(folder, "model/config.json", "\"problem_type\": \"regression\"");
    expect_in_file(folder, "report.html", "Predicted against true");
    expect_in_file(folder, "report.html", "years.tsv: 60 texts, ");
    at_put_text(folder, "new.csv", "text\nx good good good film a.\ny bad film\n");
    begin(&r, folder, "predict run new.csv --json");
    const double late = number(at_event_named(r.lines, "prediction", 0), "value"),
                 early = number(at_event_named(r.lines, "prediction", 1), "value");
    if (!(fabs(late - 2010) < 6 && fabs(early - 1980) < 6)) fail_msg("%g and %g", late, early);
    end(&r);
    begin(&r, folder, "eval run years.tsv --json");
    assert_true(number(at_event_named(r.lines, "evaluation", 0), "scores.r2") > 0.95);
    end(&r);
    at_attune_expect(0, folder, "train run years.tsv --train.epochs 1 --output again");
}

/* In bf16 a year is a multiple of 8; targets and what learns them are not rounded so. */
AT_TEST(test_text_tasks__numbers_far_from_0_learn_in_bf16)
{
    char folder[1024];
    ran r;
    at_test_folder(folder, "tasks-numbers-bf16");
    make_years(folder);
    begin(&r, folder, "train bert years.tsv --train.epochs 40 --precision bf16" LEARN);
    const double rmse = number(at_event_named(r.lines, "done", 0), "valid.rmse");
    if (!(rmse < 2)) fail_msg("rmse %g", rmse);
    end(&r);
}

/* Of one year and the same words nothing can be ranked: no weights are chosen, and the run says so. */
AT_TEST(test_text_tasks__a_score_that_is_not_defined_chooses_nothing)
{
    char folder[1024];
    ran r;
    at_test_folder(folder, "tasks-not-defined");
    make_years(folder);
    at_put_text(folder, "valid.tsv", "label\ttext\n1980.5\tgood\n1980.5\tbad\n");
    begin(&r, folder,
          "train bert years.tsv --data.valid valid.tsv --train.epochs 2 --train.early_stop.metric pearson "
          "--json --output run");
    assert_true(has_note(&r, "validation pearson is not defined"));
    const at_tree *done = at_event_named(r.lines, "done", 0);
    assert_int_equal(at_tree_at(done, "valid.pearson")->kind, AT_NULL);
    assert_null(at_tree_get(done, "best_step"));
    end(&r);
    expect_in_file(folder, "report.html", ">not defined</td>");
}

/* ---- Sets ---- */

AT_TEST(test_text_tasks__sets_are_learnt_and_predicted)
{
    char folder[1024];
    ran r;
    at_test_folder(folder, "tasks-sets");
    make_sets(folder);
    begin(&r, folder,
          "train bert words.tsv --data.label_separator '|' --multi-label-text-classification.threshold f1 "
          "--multi-label-text-classification.class_weights balanced --train.epochs 30" LEARN);
    const at_tree *done = at_event_named(r.lines, "done", 0);
    assert_string_equal(at_tree_get(done, "valid")->first->key, "micro_f1");
    if (!(number(done, "valid.micro_f1") > 0.95)) fail_msg("micro F1 %g", number(done, "valid.micro_f1"));
    assert_true(has_note(&r, "film: predicted from a probability of "));
    end(&r);
    expect_in_file(folder, "model/config.json", "\"problem_type\": \"multi_label_classification\"");
    expect_in_file(folder, "model/config.json", "\"attune_thresholds\": [");
    expect_in_file(folder, "report.html", "<tr><th scope=\"row\">film</th>");
    at_put_text(folder, "new.csv", "text\nx good film a.\ny b.\n");
    begin(&r, folder, "predict run new.csv --json");
    const at_tree *first = at_tree_get(at_event_named(r.lines, "prediction", 0), "labels"),
                  *second = at_tree_get(at_event_named(r.lines, "prediction", 1), "labels");
    assert_int_equal(first->n, 2);
    assert_string_equal(first->first->text, "film");
    assert_string_equal(first->last->text, "good");
    assert_int_equal(second->n, 0);
    end(&r);
    begin(&r, folder, "eval run words.tsv --data.label_separator '|' --json");
    assert_true(number(at_event_named(r.lines, "evaluation", 0), "scores.exact_match") > 0.9);
    end(&r);
}

/* Of JSON, lists are the sets: words.jsonl is what words.tsv is, and the task need not be named. */
AT_TEST(test_text_tasks__lists_of_json_are_sets)
{
    char folder[1024], sets[1100], lists[1100];
    ran r;
    at_test_folder(folder, "tasks-lists");
    make_sets(folder);
    at_in_folder(folder, "sed -n '2,$p' words.tsv | sed -e 's/|/\", \"/g' -e 's/\\t/\"], \"text\": \"/' "
                         "-e 's/^/{\"labels\": [\"/' -e 's/$/\"}/' -e 's/\\[\"\"\\]/[]/' > words.jsonl");
    begin(&r, folder, "train bert words.jsonl --train.epochs 2" LEARN);
    assert_true(has_note(&r, "label: column 1 \"labels\", text: column 2 \"text\""));
    assert_string_equal(at_tree_get(at_event_named(r.lines, "done", 0), "valid")->first->key, "micro_f1");
    end(&r);
    expect_in_file(folder, "model/config.json", "\"problem_type\": \"multi_label_classification\"");
    at_attune_expect(0, folder,
                     "train bert words.tsv --data.label_separator '|' --train.epochs 2 "
                     "--train.learning_rate 1e-2 --train.head_learning_rate 1e-2 --output tsv");
    snprintf(lists, sizeof lists, "%s/run", folder);
    snprintf(sets, sizeof sets, "%s/tsv", folder);
    at_expect_same_file(lists, sets, "model/model.safetensors");
    at_attune_expect(0, folder, "eval run words.jsonl");
}

/* A recipe may be meant for several tasks: what this one does not use is told, and the rest done. A flag of
 * its default, and the recipe that a run has written, which names every key, are no cause to tell anything.
 */
AT_TEST(test_text_tasks__keys_of_other_tasks_in_a_file_are_noted)
{
    static const char *const keys[] = {"data.tags", "augment", "image-classification.label_smoothing"};
    char folder[1024];
    ran r;
    at_test_folder(folder, "tasks-unused");
    make_films(folder);
    at_put_text(
        folder, "all.yaml",
        "augment: [ { flip: both } ]\ndata: { tags: \"O,B-X\", delimiter: \"\\t\", train: films.tsv }\n"
        "image-classification: { label_smoothing: 0.1, class_weights: none }\nmodel: bert\n");
    begin(&r, folder, "train --recipe all.yaml --train.steps 1" LEARN);
    for (int i = 0; i < AT_COUNT(keys); i++) {
        char note[128];
        snprintf(note, sizeof note, ": task text-classification does not use %s", keys[i]);
        assert_true(has_note(&r, note));
    }
    assert_false(has_note(&r, "does not use data.delimiter") || has_note(&r, "class_weights"));
    end(&r);
    begin(&r, folder,
          "train bert films.tsv --train.steps 1 --image-classification.class_weights none "
          "--output plain --json");
    assert_false(has_note(&r, "does not use"));
    end(&r);
    begin(&r, folder, "train --recipe plain/recipe.yaml --output again --json");
    assert_false(has_note(&r, "does not use"));
    end(&r);
}

/* ---- Thresholds ---- */

/* After one epoch nothing is sure; where a miss costs a thousand false alarms, all films are up. */
AT_TEST(test_text_tasks__a_threshold_is_chosen_kept_and_used)
{
    char folder[1024];
    ran r;
    at_test_folder(folder, "tasks-threshold");
    make_films(folder);
    begin(
        &r, folder,
        "train bert films.tsv --train.epochs 1 --text-classification.threshold "
        "'{cost: {false_positive: 1, false_negative: 1000}}' --train.learning_rate 1e-5 --json --output run");
    assert_true(has_note(&r, "up: predicted from a probability of "));
    assert_true(number(at_event_named(r.lines, "done", 0), "valid.accuracy") < 0.75);
    end(&r);
    expect_in_file(folder, "model/config.json", "\"attune_thresholds\": [");
    expect_in_file(folder, "report.html", "up is predicted from a probability of ");
    at_put_text(folder, "new.csv", "text\nx good film a.\ny bad film b.\n");
    begin(&r, folder, "predict run new.csv --json");
    for (int i = 0; i < 2; i++)
        assert_string_equal(at_tree_get(at_event_named(r.lines, "prediction", i), "label")->text, "up");
    end(&r);
    begin(&r, folder, "eval run films.tsv --json");
    assert_true(number(at_event_named(r.lines, "evaluation", 0), "scores.accuracy") < 0.75);
    end(&r);
    /* another training forgets it */
    at_attune_expect(0, folder, "train run films.tsv --train.epochs 1 --output plain");
    at_in_folder(folder, "! grep -q attune_thresholds plain/model/config.json");
}

/* The same of every class of a set: bad is said of a text whose probability is below a half. */
AT_TEST(test_text_tasks__each_class_of_a_set_has_its_threshold)
{
    char folder[1024];
    ran r;
    at_test_folder(folder, "tasks-thresholds");
    make_sets(folder);
    at_attune_expect(
        0, folder,
        "train bert words.tsv --data.label_separator '|' --train.epochs 1 --train.learning_rate 1e-5 "
        "--multi-label-text-classification.threshold "
        "'{cost: {false_positive: 1, false_negative: 1000}}' --output run");
    at_put_text(folder, "new.csv", "text\nx good film a.\n");
    begin(&r, folder, "predict run new.csv --json");
    const at_tree *said = at_event_named(r.lines, "prediction", 0);
    assert_string_equal(at_tree_get(said, "labels")->first->text, "bad");
    assert_true(number(said, "probabilities.bad") < 0.5);
    end(&r);
}

/* ---- Slices ---- */

/* Films of the radio have the wrong label, so that a network which has learnt the others has none of them. */
AT_TEST(test_text_tasks__a_report_has_slices)
{
    char folder[1024], rows[8192] = "label\ttext\tsource\n";
    size_t n = strlen(rows);
    at_test_folder(folder, "tasks-slices");
    at_copy_bert(folder, "bert");
    for (int i = 0; i < 60; i++)
        n += (size_t)snprintf(rows + n, sizeof rows - n, "%s\t%c %s film %c.\t%s\n", i % 2 ? "up" : "down",
                              'a' + i % 26, i % 2 ? "good" : "bad", 'a' + i % 11, i % 3 ? "web" : "<press>");
    at_put_text(folder, "films.tsv", rows);
    at_put_text(
        folder, "test.tsv",
        "label\ttext\tsource\nup\tx good film a.\tweb\ndown\ty bad film b.\tweb\nup\tz bad film a.\tradio\n");
    at_attune_expect(
        0, folder, "train bert films.tsv --data.test test.tsv --data.slices source --train.epochs 30" LEARN);
    expect_in_file(folder, "report.html", "<h3>By source</h3>");
    expect_in_file(
        folder, "report.html",
        "<tr><th scope=\"row\">web</th><td>2</td><td><b>100.0 %</b> <small>34.2 to 100.0 %</small>");
    expect_in_file(folder, "report.html",
                   "<tr><th scope=\"row\">radio</th><td>1</td><td><b>0.0 %</b> <small>0.0 to 79.3 %</small>");
    at_attune_expect(0, folder, "train bert films.tsv --data.slices '[3]' --train.epochs 1 --output two");
    at_in_folder(
        folder,
        "grep -qF '<h3>By source</h3>' two/report.html && grep -qF '&lt;press&gt;</th>' two/report.html");
}

/* ---- Memory ---- */

typedef struct starving { /* a training of a few steps while allocations fail */
    at_ctx *own;          /* of the test: not the one that starves */
    char model[1100], data[1100], output[1100];
    const char *const (*keys)[2]; /* and their values; ends with NULL */
} starving;

static at_status set_all(at_recipe *r, const starving *s)
{
    AT_TRY(at_recipe_set(r, "model", s->model));
    AT_TRY(at_recipe_set(r, "data.train", s->data));
    AT_TRY(at_recipe_set(r, "output", s->output));
    AT_TRY(at_recipe_set(r, "cache", "none"));
    AT_TRY(at_recipe_set(r, "train.steps", "2"));
    for (int i = 0; s->keys[i][0]; i++) AT_TRY(at_recipe_set(r, s->keys[i][0], s->keys[i][1]));
    return AT_OK;
}

static at_status attempt(at_ctx *ctx, void *arg)
{
    const starving *s = arg;
    at_recipe *r;
    at_expect_ok(s->own, at_folder_remove(s->own, s->output));
    AT_TRY(at_recipe_create(&r, ctx));
    at_status status = set_all(r, s);
    if (status == AT_OK) status = at_train(ctx, r, NULL, NULL);
    at_recipe_destroy(r);
    return status;
}

static void starve(const char *folder, const char *table, const char *const (*keys)[2])
{
    at_ctx *ctx = at_test_ctx();
    starving s = {.own = at_test_ctx(), .keys = keys};
    snprintf(s.model, sizeof s.model, "%s/bert", folder);
    snprintf(s.data, sizeof s.data, "%s/%s", folder, table);
    snprintf(s.output, sizeof s.output, "%s/run", folder);
    at_torture_some(ctx, attempt, &s, 11, 23);
    at_test_done(s.own);
    at_test_done(ctx);
}

AT_TEST(test_text_tasks__trainings_survive_lack_of_memory)
{
    static const char *const numbers[][2] = {{"data.slices", "text"}, {NULL, NULL}};
    static const char *const sets[][2] = {{"data.label_separator", "|"},
                                          {"data.slices", "[label, text]"},
                                          {"multi-label-text-classification.threshold", "f1"},
                                          {"multi-label-text-classification.class_weights", "balanced"},
                                          {NULL, NULL}};
    static const char *const classes[][2] = {
        {"data.slices", "label"}, {"text-classification.threshold", "f1"}, {NULL, NULL}};
    char folder[1024];
    at_test_folder(folder, "tasks-memory-numbers");
    make_years(folder);
    starve(folder, "years.tsv", numbers);
    at_test_folder(folder, "tasks-memory-sets");
    make_sets(folder);
    starve(folder, "words.tsv", sets);
    at_test_folder(folder, "tasks-memory-classes");
    make_films(folder);
    starve(folder, "films.tsv", classes);
}

/* ---- Mistakes ---- */

#define TRAIN "train bert films.tsv --output run"

static void no_number(const char *folder)
{
    at_copy_bert(folder, "bert");
    at_put_text(folder, "films.tsv", "label\ttext\n1.5\tgood\nmany\tbad\n2\tfilm\n");
}

static void equal_numbers(const char *folder)
{
    at_copy_bert(folder, "bert");
    at_put_text(folder, "films.tsv", "label\ttext\n2.5\tgood\n2.5\tbad\n2.5\tfilm\n");
}

static void empty_name(const char *folder)
{
    at_copy_bert(folder, "bert");
    at_put_text(folder, "films.tsv", "label\ttext\na,b\tgood\na,,b\tbad\nb\tfilm\n");
}

static void strange_set(const char *folder)
{
    at_copy_bert(folder, "bert");
    at_put_text(folder, "films.tsv", "label\ttext\na;b\tgood\na\tbad\nb\tfilm\n");
    at_put_text(folder, "valid.tsv", "label\ttext\na;b\tgood\na;c\tbad\n");
}

static void lists(const char *folder)
{
    at_copy_bert(folder, "bert");
    at_put_text(
        folder, "films.jsonl",
        "{\"text\": \"good\", \"labels\": [\"a\"]}\n{\"text\": \"bad\", \"labels\": [\"b\", \"a\"]}\n");
}

static void lists_of_lists(const char *folder)
{
    at_copy_bert(folder, "bert");
    at_put_text(
        folder, "films.jsonl",
        "{\"text\": \"good\", \"labels\": [\"a\"]}\n{\"text\": \"bad\", \"labels\": [[\"b\", \"a\"]]}\n");
}

static void three_classes(const char *folder)
{
    at_copy_bert(folder, "bert");
    at_put_text(folder, "films.tsv", "label\ttext\na\tgood\nb\tbad\nc\tfilm\na\tx\nb\ty\nc\tz\n");
}

static void two_thresholds(const char *folder)
{
    make_films(folder);
    at_in_folder(folder, "cp -r bert two");
    at_put_text(folder, "films.tsv", "label\ttext\nant\tgood\nbee\tbad\n");
    at_edit_text(folder, "two/config.json", "\"vocab_size\": 37",
                 "\"vocab_size\": 37, \"attune_thresholds\": [0.1, 0.2]");
}

static void bad_threshold(const char *folder)
{
    make_films(folder);
    at_edit_text(folder, "bert/config.json", "\"vocab_size\": 37",
                 "\"vocab_size\": 37, \"attune_thresholds\": [1.5]");
}

static const at_mistake mistakes[] = {
    {"tasks-number", no_number, TRAIN " --task text-regression", 1,
     "films.tsv:3: label many is no finite number"},
    {"tasks-equal", equal_numbers, TRAIN " --task text-regression", 1,
     "films.tsv: every number to learn from is 2.5; is this column the label? (data.label)"},
    {"tasks-outputs", make_films, "eval bert films.tsv --task text-regression", 2,
     "bert has 5 outputs; a network that gives numbers has one: is task text-regression right?"},
    {"tasks-empty-name", empty_name, TRAIN " --task multi-label-text-classification", 1,
     "films.tsv:3: a label between two \",\" is empty; remove a separator, or set data.label_separator"},
    {"tasks-strange-set", strange_set, TRAIN " --data.label_separator ';' --data.valid valid.tsv", 1,
     "valid.tsv:3: label c is not among the 2 of training (a, b); correct it or remove the row"},
    {"tasks-lists", lists, "train bert films.jsonl --output run --task text-classification", 1,
     "films.jsonl: column 2, the label, holds lists, which are sets of labels; take task "
     "multi-label-text-classification, or another column (data.label)"},
    {"tasks-nested", lists_of_lists, "train bert films.jsonl --output run", 1,
     "films.jsonl:2: item 1 of \"labels\" is a list, must be text, a number, true or false"},
    {"tasks-three", three_classes, TRAIN " --text-classification.threshold f1", 2,
     "--text-classification.threshold: text-classification.threshold is for two classes; the data have 3"},
    {"tasks-word", make_films, TRAIN " --text-classification.threshold f2", 2,
     "--text-classification.threshold: text-classification.threshold must be none, f1, or {cost: "
     "{false_positive: 1, false_negative: 5}}"},
    {"tasks-cost", make_films, TRAIN " --text-classification.threshold '{cost: {false_positive: 1}}'", 2,
     "--text-classification.threshold: text-classification.threshold: cost must give a number for "
     "false_negative, as in {cost: {false_positive: 1, false_negative: 5}}"},
    {"tasks-negative", make_films,
     TRAIN " --text-classification.threshold '{cost: {false_positive: 0, false_negative: 1}}'", 2,
     "--text-classification.threshold: text-classification.threshold: the cost of a false_positive is 0, "
     "must "
     "be above 0"},
    {"tasks-no-valid", make_films, TRAIN " --text-classification.threshold f1 --data.valid none", 2,
     "--text-classification.threshold: text-classification.threshold: a threshold is chosen on validation "
     "samples, and there are none (data.valid)"},
    {"tasks-metric", make_films, TRAIN " --train.early_stop.metric pearson", 2,
     "--train.early_stop.metric: train.early_stop.metric: pearson is no score of task text-classification, "
     "whose main one is accuracy"},
    {"tasks-slice", make_films, TRAIN " --data.slices '[label, sauce]'", 2,
     "films.tsv: data.slices is sauce, but no column is called so; the nearest is \"label\""},
    {"tasks-slices", make_films, TRAIN " --data.slices '{a: b}'", 2,
     "--data.slices: data.slices must be a column, or a list of up to 16"},
    {"tasks-augment", make_films, TRAIN " --augment '[{flip: both}]'", 2,
     "--augment: task text-classification does not use augment; leave it out, or name another task (--task)"},
    {"tasks-alias", make_films, TRAIN " --label_smoothing_factor 0.1", 2,
     "--label_smoothing_factor: task text-classification does not use image-classification.label_smoothing; "
     "its own is text-classification.label_smoothing"},
    {"tasks-two-thresholds", two_thresholds, "eval two films.tsv", 1,
     "two/config.json: attune_thresholds are 2 numbers, must be 1"},
    {"tasks-bad-threshold", bad_threshold, "eval bert films.tsv", 1,
     "bert/config.json: attune_thresholds must be numbers above 0, at most 1"},
};

AT_TEST(test_text_tasks__mistakes_are_told)
{
    at_expect_mistakes("text_tasks", mistakes, AT_COUNT(mistakes), false);
}
