/* token_runs_test.c: whole runs on tagged sentences with a tiny BERT: entities and parts of speech are
 * learnt, scored, predicted and shown; runs go on with the same bits; adapters are merged; mistakes as the
 * program tells them; failing memory. */
#include "run/recipe.h"
#include "tests/harness/mistake.h"
#include "tests/harness/program.h"
#include "tests/harness/scene.h"
#include "tests/harness/test.h"
#include "tests/harness/torture.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

/* bert/ with dropout; films.conll and films.txt, 150 sentences whose words decide their tags: "good films" is
 * an entity of two words, "bads" of one; as parts of speech they are ADJ, NOUN and VERB. */
static void make_sentences(const char *folder)
{
    char conll[16384] = "-DOCSTART- -X- O\n\n", speech[16384] = "";
    size_t n = strlen(conll), m = 0;
    for (int i = 0; i < 150; i++) {
        const char *entity = i % 3 == 0   ? "good _ B-LIKED\nfilms _ I-LIKED\n"
                             : i % 3 == 1 ? "bads _ B-SPURNED\n"
                                          : "";
        const char *words = i % 3 == 0 ? "good\tADJ\nfilms\tNOUN\n" : i % 3 == 1 ? "bads\tVERB\n" : "";
        n += (size_t)snprintf(conll + n, sizeof conll - n, "%c _ O\n%s%c _ O\n\n", 'a' + i % 7, entity,
                              'h' + i % 11);
        m += (size_t)snprintf(speech + m, sizeof speech - m, "%c\tDET\n%s%c\tDET\n\n", 'a' + i % 7, words,
                              'h' + i % 11);
    }
    at_copy_bert(folder, "bert");
    at_edit_text(folder, "bert/config.json", "\"hidden_dropout_prob\": 0.0", "\"hidden_dropout_prob\": 0.1");
    at_put_text(folder, "films.conll", conll);
    at_put_text(folder, "films.txt", speech);
}

#define SETTINGS                                                                                             \
    " --train.epochs 40 --train.learning_rate 1e-2 --train.head_learning_rate 1e-2 "                         \
    "--train.early_stop.patience 40 --precision f32 --json "
#define LEARN "train bert films.conll" SETTINGS

static double number_at(const at_tree *t, const char *path)
{
    const at_tree *x = at_tree_at(t, path);
    if (!x) fail_msg("there is no %s", path);
    return x->number;
}

static const at_tree *run_and_find(at_arena *a, const char *folder, const char *line, const char *event)
{
    at_output o;
    at_attune(&o, folder, "%s", line);
    if (o.code) fail_msg("%s", o.err);
    const at_tree *found = at_event_named(at_json_lines(a, o.out), event, 0);
    at_output_free(&o);
    if (!found) fail_msg("no event %s", event);
    return found;
}

static void expect_in_report(const char *folder, const char *part)
{
    char line[2048];
    snprintf(line, sizeof line, "grep -qF '%s' '%s/run/report.html'", part, folder);
    if (system(line) != 0) fail_msg("the report lacks \"%s\"", part);
}

static void expect_entity(const at_tree *e, const char *type, const char *text, int start, int end)
{
    assert_non_null(e);
    assert_string_equal(at_tree_get(e, "type")->text, type);
    assert_string_equal(at_tree_get(e, "text")->text, text);
    assert_int_equal(at_tree_get(e, "start")->whole, start);
    assert_int_equal(at_tree_get(e, "end")->whole, end);
    const double p = number_at(e, "probability");
    assert_true(p > 1.0 / 5 && p <= 1);
}

AT_TEST(test_token_runs__entities_are_learnt_and_predicted)
{
    char folder[1024];
    at_arena a;
    at_arena_init(&a, at_test_ctx());
    at_test_folder(folder, "token-learns");
    make_sentences(folder);
    const at_tree *done = run_and_find(&a, folder, LEARN "--output run", "done");
    if (number_at(done, "valid.f1") < 0.99) fail_msg("valid F1 %g", number_at(done, "valid.f1"));
    expect_in_report(folder, "<th scope=\"row\">LIKED</th><td>100.0 %</td>");
    expect_in_report(folder, "validation f1");
    const at_tree *scores = run_and_find(&a, folder, "eval run films.conll --json", "evaluation");
    assert_true(number_at(scores, "scores.f1") > 0.99 && number_at(scores, "scores.accuracy") > 0.8);
    assert_true(number_at(scores, "scores.precision") > 0.99 && number_at(scores, "scores.recall") > 0.99);
    at_put_text(folder, "new.txt", "\xc3\xa9  good  films h\n\na j\n");
    const at_tree *p = run_and_find(&a, folder, "predict run new.txt --json", "prediction");
    assert_string_equal(at_tree_get(p, "text")->text, "\xc3\xa9  good  films h");
    assert_int_equal(at_tree_get(p, "entities")->n, 1);
    expect_entity(at_tree_get(p, "entities")->first, "LIKED", "good  films", 3, 14);
    assert_int_equal(at_tree_get(p, "tags")->n, 4);
    assert_string_equal(at_tree_get(p, "tags")->first->text, "O");
    p = run_and_find(&a, folder, "predict run films.conll --json", "prediction");
    expect_entity(at_tree_get(p, "entities")->first, "LIKED", "good films", 2, 12);
    at_output o;
    at_attune(&o, folder, "predict run new.txt");
    assert_string_equal(o.out, "LIKED good  films  \xc3\xa9  good  films h\nnone  a j\n");
    at_output_free(&o);
    at_ctx *ctx = a.ctx;
    at_arena_deinit(&a);
    at_test_done(ctx);
}

AT_TEST(test_token_runs__parts_of_speech_have_no_entities)
{
    char folder[1024];
    at_arena a;
    at_arena_init(&a, at_test_ctx());
    at_test_folder(folder, "token-speech");
    make_sentences(folder);
    const at_tree *done = run_and_find(
        &a, folder, "train bert films.txt --task token-classification" SETTINGS "--output run", "done");
    if (number_at(done, "valid.accuracy") < 0.99) fail_msg("accuracy %g", number_at(done, "valid.accuracy"));
    assert_null(at_tree_at(done, "valid.f1"));
    expect_in_report(folder, "validation accuracy");
    at_put_text(folder, "new.txt", "a good films h\n");
    const at_tree *p = run_and_find(&a, folder, "predict run new.txt --json", "prediction");
    assert_null(at_tree_get(p, "entities"));
    assert_string_equal(at_tree_get(p, "tags")->first->next->text, "ADJ");
    at_output o;
    at_attune(&o, folder, "predict run new.txt");
    assert_string_equal(o.out, "DET ADJ NOUN DET  a good films h\n");
    at_output_free(&o);
    at_ctx *ctx = a.ctx;
    at_arena_deinit(&a);
    at_test_done(ctx);
}

/* Entities in files whose endings say nothing, and numbers as tags. */
AT_TEST(test_token_runs__contents_tell_the_task)
{
    char folder[1024];
    at_arena a;
    at_arena_init(&a, at_test_ctx());
    at_test_folder(folder, "token-contents");
    make_sentences(folder);
    at_put_text(folder, "films.jsonl",
                "{\"tokens\": [\"a\", \"good\"], \"ner_tags\": [0, 1]}\n"
                "{\"tokens\": [\"b\"], \"ner_tags\": [0]}\n"
                "{\"tokens\": [\"bad\"], \"ner_tags\": [1]}\n");
    at_in_folder(folder,
                 "mkdir tsv && cp films.conll train.txt && sed 's/ /\\t/g' films.conll > tsv/train.tsv");
    static const char *const data[] = {"train.txt", "tsv",
                                       "films.jsonl --data.tags O,B-X --data.valid films.jsonl"};
    for (int i = 0; i < AT_COUNT(data); i++) {
        char line[256];
        snprintf(line, sizeof line, "train bert %s --train.steps 2 --json --output run%d", data[i], i);
        assert_non_null(at_tree_at(run_and_find(&a, folder, line, "done"), "valid.f1"));
    }
    at_ctx *ctx = a.ctx;
    at_arena_deinit(&a);
    at_test_done(ctx);
}

/* Every piece of a word learns with label_all_pieces; nothing else changes. */
AT_TEST(test_token_runs__all_pieces_may_learn)
{
    char folder[1024];
    at_arena a;
    at_arena_init(&a, at_test_ctx());
    at_test_folder(folder, "token-pieces");
    make_sentences(folder);
    const at_tree *first = run_and_find(&a, folder, LEARN "--output first --train.steps 1", "step");
    const at_tree *all = run_and_find(
        &a, folder, LEARN "--output all --train.steps 1 --token-classification.label_all_pieces true",
        "step");
    assert_true(number_at(first, "loss") > number_at(all, "loss") ||
                number_at(first, "loss") < number_at(all, "loss"));
    at_ctx *ctx = a.ctx;
    at_arena_deinit(&a);
    at_test_done(ctx);
}

/* With dropout, passes of few tokens, and accumulation: whatever the threads, and after being killed. */
AT_TEST(test_token_runs__same_bits_for_any_number_of_threads_and_after_a_kill)
{
    char folder[1024], one[1100], three[1100], killed[1100], line[4096];
    at_running p;
    at_test_folder(folder, "token-threads");
    make_sentences(folder);
    at_attune_expect(0, folder, LEARN "--train.max_tokens 40 --threads 1 --output one");
    at_attune_expect(0, folder, LEARN "--train.max_tokens 40 --threads 3 --output three");
    at_attune_start(&p, folder, LEARN "--train.max_tokens 40 --output killed");
    while (fgets(line, sizeof line, p.lines) && !strstr(line, "\"event\":\"evaluation\"")) continue;
    at_attune_kill(&p, SIGKILL);
    at_attune_expect(0, folder, LEARN "--train.max_tokens 40 --output killed --resume=auto");
    snprintf(one, sizeof one, "%s/one", folder);
    snprintf(three, sizeof three, "%s/three", folder);
    snprintf(killed, sizeof killed, "%s/killed", folder);
    at_expect_same_file(one, three, "model/model.safetensors");
    at_expect_same_file(one, three, "metrics.jsonl");
    at_expect_same_file(one, killed, "model/model.safetensors");
    at_expect_same_file(one, killed, "metrics.jsonl");
}

AT_TEST(test_token_runs__adapters_are_merged)
{
    char folder[1024];
    at_arena a;
    at_arena_init(&a, at_test_ctx());
    at_test_folder(folder, "token-lora");
    make_sentences(folder);
    const at_tree *merged = run_and_find(&a, folder, LEARN "--output run --method lora", "merged");
    assert_true(number_at(merged, "samples") > 0 && number_at(merged, "largest_output") > 0);
    run_and_find(&a, folder, "eval run films.conll --json", "evaluation");
    at_ctx *ctx = a.ctx;
    at_arena_deinit(&a);
    at_test_done(ctx);
}

/* 20 words in 30 tokens, of which 11 fit: 7 words with 4 of 10 entities; of the others 7 words are O in
 * truth. */
AT_TEST(test_token_runs__words_that_are_cut_off_count)
{
    char folder[1024], rows[1024] = "";
    at_arena a;
    at_output o;
    at_arena_init(&a, at_test_ctx());
    at_test_folder(folder, "token-cut");
    make_sentences(folder);
    run_and_find(&a, folder, LEARN "--output run", "done");
    for (int i = 0; i < 10; i++) strcat(rows, "bads O B-SPURNED\na _ O\n");
    at_put_text(folder, "long.conll", rows);
    at_attune(&o, folder, "eval run long.conll --json");
    if (o.code) fail_msg("%s", o.err);
    const at_tree *lines = at_json_lines(&a, o.out), *scores = at_event_named(lines, "evaluation", 0);
    at_output_free(&o);
    assert_string_equal(at_tree_get(at_event_named(lines, "note", 0), "text")->text,
                        "long.conll: 1 of 1 sentences are longer than 13 tokens and were cut: 13 words are "
                        "left without a prediction, which counts as O");
    assert_true(number_at(scores, "scores.recall") <= 0.4);
    assert_true(number_at(scores, "scores.accuracy") >= 0.35 && number_at(scores, "scores.accuracy") <= 0.7);
    at_ctx *ctx = a.ctx;
    at_arena_deinit(&a);
    at_test_done(ctx);
}

/* ---- Mistakes ---- */

#define TRAIN "train bert films.conll --output run"

static void short_row(const char *folder)
{
    make_sentences(folder);
    at_put_text(folder, "films.conll", "a _ O\ngood B-LIKED\n");
}

static void one_tag(const char *folder)
{
    make_sentences(folder);
    at_put_text(folder, "films.conll", "a O\nb O\n\na O\n");
}

static void strange_tag(const char *folder)
{
    make_sentences(folder);
    at_put_text(folder, "valid.conll", "a _ O\ngood _ B-LOVED\n");
}

static void numbers(const char *folder)
{
    make_sentences(folder);
    at_put_text(folder, "films.jsonl", "{\"tokens\": [\"a\", \"good\"], \"ner_tags\": [0, 1]}\n");
}

static void tagger(const char *folder)
{
    make_sentences(folder);
    at_attune_expect(0, folder, TRAIN " --train.steps 1");
    at_in_folder(folder, "mv run tagger");
}

static const at_mistake mistakes[] = {
    {"token-row", short_row, TRAIN, 1,
     "films.conll:2: 2 columns, but line 1 has 3; a word and its tag are missing or too much here"},
    {"token-one-tag", one_tag, TRAIN, 1,
     "films.conll: has one tag only, O; there is nothing to tell apart. Is that the column of the tags? "
     "(data.label)"},
    {"token-tag", strange_tag, TRAIN " --data.valid valid.conll", 1,
     "valid.conll:2: tag B-LOVED is not among the 4 of training (B-LIKED, B-SPURNED, I-LIKED, O); correct it "
     "or remove the sentence"},
    {"token-numbers", numbers, "train bert films.jsonl --task token-classification --output run", 1,
     "films.jsonl:1: the tags are numbers; name them, in the order of their numbers, by data.tags "
     "(\"O,B-PER,I-PER\"), or write the tags' names into the file"},
    {"token-length", make_sentences, TRAIN " --data.max_length 14", 2,
     "--data.max_length: data.max_length is 14, but bert takes at most 13 tokens"},
    {"token-task", tagger, "eval tagger films.conll --task text-classification", 2,
     "task text-classification needs an output layer for whole samples; that of tagger/model is for every "
     "token"},
};

AT_TEST(test_token_runs__mistakes_are_told)
{
    at_expect_mistakes("token_runs", mistakes, AT_COUNT(mistakes), false);
}

/* ---- Failing memory ---- */

typedef struct starved {
    at_ctx *own; /* of the test: not the one that starves */
    char model[1100], data[1100], output[1100], run[1100];
    const char *verb;
} starved;

static at_status run_verb(at_ctx *ctx, at_recipe *r, const starved *v)
{
    const char *const paths[] = {v->data};
    AT_TRY(at_recipe_set(r, "model", strcmp(v->verb, "train") == 0 ? v->model : v->run));
    if (strcmp(v->verb, "predict") == 0) return at_predict(ctx, r, paths, 1, NULL, NULL);
    if (strcmp(v->verb, "eval") == 0) {
        AT_TRY(at_recipe_set(r, "data.test", v->data));
        return at_evaluate(ctx, r, NULL, NULL);
    }
    AT_TRY(at_recipe_set(r, "output", v->output));
    AT_TRY(at_recipe_set(r, "data.train", v->data));
    AT_TRY(at_recipe_set(r, "train.steps", "2"));
    return at_train(ctx, r, NULL, NULL);
}

static at_status attempt(at_ctx *ctx, void *arg)
{
    const starved *v = arg;
    at_recipe *r;
    at_expect_ok(v->own, at_folder_remove(v->own, v->output));
    AT_TRY(at_recipe_create(&r, ctx));
    const at_status s = run_verb(ctx, r, v);
    at_recipe_destroy(r);
    return s;
}

AT_TEST(test_token_runs__failing_allocations_end_them_cleanly)
{
    static const char *const verbs[] = {"train", "eval", "predict"};
    enum { STRIDE = 211 };
    char folder[1024];
    at_ctx *ctx = at_test_ctx();
    starved v = {.own = at_test_ctx()};
    at_test_folder(folder, "token-memory");
    make_sentences(folder);
    at_attune_expect(0, folder, TRAIN " --train.steps 1");
    snprintf(v.model, sizeof v.model, "%s/bert", folder);
    snprintf(v.data, sizeof v.data, "%s/films.conll", folder);
    snprintf(v.output, sizeof v.output, "%s/starved", folder);
    snprintf(v.run, sizeof v.run, "%s/run", folder);
    for (int i = 0; i < AT_COUNT(verbs); i++) {
        v.verb = verbs[i];
        at_torture_some(ctx, attempt, &v, 1 + STRIDE / 2, STRIDE);
    }
    at_test_done(v.own);
    at_test_done(ctx);
}
