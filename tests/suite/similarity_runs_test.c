/* similarity_runs_test.c: embeddings and whole runs on pairs of texts against sentence-transformers
 * (src/tasks/golden_similarity.py): rows of a tiny BERT under several poolings, losses of 20 steps; what a
 * run hands over is read again; files that `embed` writes; mistakes, as the program tells them. */
#include "formats/safetensors.h"
#include "run/recipe.h"
#include "tests/harness/mistake.h"
#include "tests/harness/program.h"
#include "tests/harness/scene.h"
#include "tests/harness/test.h"
#include "tests/harness/torture.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define BERT   AT_SOURCE_DIR "/src/models/bert/golden_hf"
#define GOLDEN AT_SOURCE_DIR "/src/tasks/golden_similarity.json"

static const char *text_of(const at_tree *map, const char *key)
{
    return at_tree_get(map, key)->text;
}

/* ---- Scenes: bert/, and tables of the golden's pairs ---- */

static void write_table(const char *folder, const char *name, const at_tree *pairs, const char *header,
                        bool negative, bool score)
{
    char rows[8192];
    size_t n = (size_t)snprintf(rows, sizeof rows, "%s\n", header);
    for (const at_tree *p = pairs->first; p; p = p->next) {
        n += (size_t)snprintf(rows + n, sizeof rows - n, "%s\t%s", text_of(p, "text"), text_of(p, "pair"));
        if (negative) n += (size_t)snprintf(rows + n, sizeof rows - n, "\t%s", text_of(p, "negative"));
        if (score) n += (size_t)snprintf(rows + n, sizeof rows - n, "\t%g", at_tree_get(p, "score")->number);
        n += (size_t)snprintf(rows + n, sizeof rows - n, "\n");
    }
    at_put_text(folder, name, rows);
}

static void make_scene(const char *folder)
{
    at_arena a;
    at_tree *golden;
    at_ctx *ctx = at_test_ctx();
    at_arena_init(&a, ctx);
    at_expect_ok(ctx, at_tree_read(&a, &golden, GOLDEN));
    const at_tree *pairs = at_tree_get(golden, "pairs");
    at_copy_bert(folder, "bert");
    write_table(folder, "scored.tsv", pairs, "sentence1\tsentence2\tscore", false, true);
    write_table(folder, "pairs.tsv", pairs, "anchor\tpositive", false, false);
    write_table(folder, "triples.tsv", pairs, "anchor\tpositive\tnegative", true, false);
    at_arena_deinit(&a);
    at_test_done(ctx);
}

/* What sentence-transformers writes beside the network; newer: its sixth version's keys. */
static void add_modules(const char *folder, const char *pooling, bool normalise, bool newer)
{
    static const char *const older[][2] = {{"mean", "mean_tokens"},
                                           {"cls", "cls_token"},
                                           {"max", "max_tokens"},
                                           {"weightedmean", "weightedmean_tokens"}};
    const char *key = pooling; /* mean_sqrt_len_tokens, lasttoken */
    char text[512];
    for (int i = 0; i < AT_COUNT(older); i++)
        if (strcmp(pooling, older[i][0]) == 0) key = older[i][1];
    snprintf(text, sizeof text,
             "[{\"idx\": 0, \"name\": \"0\", \"path\": \"\", \"type\": "
             "\"sentence_transformers.models.Transformer\"},\n"
             " {\"idx\": 1, \"name\": \"1\", \"path\": \"1_Pooling\", \"type\": "
             "\"sentence_transformers.models.Pooling\"}%s]\n",
             normalise ? ",\n {\"idx\": 2, \"name\": \"2\", \"path\": \"2_Normalize\", \"type\": "
                         "\"sentence_transformers.models.Normalize\"}"
                       : "");
    at_in_folder(folder, "mkdir -p bert/1_Pooling");
    at_put_text(folder, "bert/modules.json", text);
    snprintf(text, sizeof text,
             newer
                 ? "{\"embedding_dimension\": 18, \"pooling_mode\": \"%s\"}"
                 : "{\"word_embedding_dimension\": 18, \"pooling_mode_\": false, \"pooling_mode_%s\": true}",
             newer ? pooling : key);
    at_put_text(folder, "bert/1_Pooling/config.json", text);
}

/* ---- Against sentence-transformers ---- */

#define STEPS                                                                                                \
    "--task sentence-similarity --train.batch_size 12 --train.steps 20 --train.log_every 1 "                 \
    "--train.learning_rate 1e-3 --train.weight_decay 0 --train.clip 0 --train.warmup 0 "                     \
    "--train.schedule constant --data.valid none --precision f32 --json "

static void expect_losses(const at_tree *lines, const at_tree *want)
{
    int i = 0;
    for (const at_tree *x = want->first; x; x = x->next, i++) {
        const double loss = at_tree_get(at_event_named(lines, "step", i), "loss")->number;
        if (!(fabs(loss - x->number) <= 2e-5 * fmax(1, x->number)))
            fail_msg("step %d: loss %.9g, must be %.9g", i + 1, loss, x->number);
    }
    assert_int_equal(i, 20);
}

static void expect_embeddings(at_arena *a, const char *folder, const at_tree *want)
{
    char path[1100];
    char *text;
    size_t size;
    at_attune_expect(0, folder,
                     "embed bert pairs.tsv --data.text anchor --precision f32 --output rows.jsonl");
    snprintf(path, sizeof path, "%s/rows.jsonl", folder);
    at_expect_ok(a->ctx, at_file_read(a->ctx, &text, &size, path, 1 << 20));
    const at_tree *line = at_json_lines(a, text)->first;
    at_free(a->ctx, text);
    for (const at_tree *row = want->first; row; row = row->next, line = line->next) {
        const at_tree *got = at_tree_get(line, "embedding")->first;
        for (const at_tree *x = row->first; x; x = x->next, got = got->next)
            if (!(fabs(x->number - got->number) <= 5e-6))
                fail_msg("%.9g, must be %.9g", got->number, x->number);
        assert_null(got);
    }
    assert_null(line);
}

static void check_run(at_arena *a, const at_tree *run, int number)
{
    const char *table = strcmp(text_of(run, "loss"), "cosine") == 0 ? "scored.tsv"
                        : at_tree_get(run, "columns")->n == 2       ? "pairs.tsv"
                                                                    : "triples.tsv";
    char folder[1024], name[64];
    at_output o;
    snprintf(name, sizeof name, "similarity-golden-%d", number);
    at_test_folder(folder, name);
    make_scene(folder);
    for (int newer = 0; newer < 2; newer++) {
        if (number > 0) /* the first has none: the mean, as it is */
            add_modules(folder, text_of(run, "pooling"), at_tree_get(run, "normalise")->flag, newer);
        at_in_folder(folder, "rm -f rows.jsonl");
        expect_embeddings(a, folder, at_tree_get(run, "embeddings"));
    }
    at_attune(&o, folder, "train bert %s " STEPS "--output run", table);
    if (o.code) fail_msg("%s", o.err);
    expect_losses(at_json_lines(a, o.out), at_tree_get(run, "losses"));
    at_output_free(&o);
}

AT_TEST(test_similarity_runs__embeddings_and_20_losses_equal_sentence_transformers)
{
    at_arena a;
    at_tree *golden;
    at_ctx *ctx = at_test_ctx();
    at_arena_init(&a, ctx);
    at_expect_ok(ctx, at_tree_read(&a, &golden, GOLDEN));
    int number = 0;
    for (const at_tree *run = at_tree_get(golden, "runs")->first; run; run = run->next)
        check_run(&a, run, number++);
    assert_int_equal(number, 7);
    at_arena_deinit(&a);
    at_test_done(ctx);
}

/* What a run hands over has none of the layers of the head that the folder had. */
static void expect_bare(at_ctx *ctx, const char *folder, const char *model)
{
    static const char *const of_heads[] = {"classifier", "head."};
    at_safetensors *f;
    char path[1200];
    at_put_text(folder, "two.tsv", "text\ttext_pair\na b\tc d\ne f\tg h\ni j\tk l\nm n\to p\n");
    at_attune_expect(
        0, folder,
        "train %s two.tsv --task sentence-similarity --train.steps 1 --data.valid none --output run-%s",
        model, model);
    snprintf(path, sizeof path, "%s/run-%s/model/model.safetensors", folder, model);
    at_expect_ok(ctx, at_safetensors_open(&f, ctx, path));
    assert_true(f->n > 10);
    for (int64_t i = 0; i < f->n; i++)
        for (int k = 0; k < AT_COUNT(of_heads); k++)
            if (strstr(f->tensors[i].name, of_heads[k])) fail_msg("%s has %s", model, f->tensors[i].name);
    at_safetensors_close(ctx, f);
}

/* The mean of the tokens' rows, as Transformers gives them. */
AT_TEST(test_similarity_runs__other_networks_embed)
{
    char folder[1024], path[1100], commands[2048];
    at_arena a;
    at_tree *golden;
    at_ctx *ctx = at_test_ctx();
    at_arena_init(&a, ctx);
    at_expect_ok(ctx, at_tree_read(&a, &golden, GOLDEN));
    at_test_folder(folder, "similarity-others");
    snprintf(commands, sizeof commands, "text\n%s\n", text_of(golden, "text"));
    at_put_text(folder, "one.tsv", commands);
    for (const at_tree *want = at_tree_get(golden, "others")->first; want; want = want->next) {
        snprintf(commands, sizeof commands,
                 "mkdir %s && cp '" AT_SOURCE_DIR "/src/models/%s/golden_hf/config.json' '" AT_SOURCE_DIR
                 "/src/models/%s/golden_hf/model.safetensors' '" BERT "/vocab.txt' %s",
                 want->key, want->key, want->key, want->key);
        at_in_folder(folder, commands);
        at_attune_expect(0, folder, "embed %s one.tsv --precision f32 --output %s.jsonl", want->key,
                         want->key);
        snprintf(path, sizeof path, "%s/%s.jsonl", folder, want->key);
        char *text;
        size_t size;
        at_expect_ok(ctx, at_file_read(ctx, &text, &size, path, 1 << 20));
        const at_tree *got = at_tree_get(at_json_lines(&a, text)->first, "embedding")->first;
        at_free(ctx, text);
        for (const at_tree *x = want->first; x; x = x->next, got = got->next)
            if (!(fabs(x->number - got->number) <= 5e-6))
                fail_msg("%s: %.9g, must be %.9g", want->key, got->number, x->number);
        expect_bare(ctx, folder, want->key);
    }
    at_arena_deinit(&a);
    at_test_done(ctx);
}

/* The first eight numbers of all-MiniLM-L6-v2, which reads its own folder. */
AT_TEST(test_similarity_runs__minilm_embeds_as_it_should)
{
    const char *model = getenv("ATTUNE_MINILM");
    char expected[1024], folder[1024], rows[1100], table[8192];
    if (!model || !*model) AT_SKIP("ATTUNE_MINILM is not set");
    if (!at_test_data(expected, "models/minilm-l6-v2-expected/expected.json"))
        AT_SKIP("ATTUNE_DATA is not set");
    at_arena a;
    at_tree *tree;
    at_ctx *ctx = at_test_ctx();
    char *lines;
    size_t size;
    at_arena_init(&a, ctx);
    at_expect_ok(ctx, at_tree_read(&a, &tree, expected));
    const at_tree *texts = at_tree_get(tree, "texts");
    at_test_folder(folder, "similarity-minilm");
    size_t n = 0;
    for (const at_tree *t = texts->first; t; t = t->next) {
        at_text json;
        at_text_init(&json, ctx);
        at_text_json(&json, text_of(t, "text"));
        n += (size_t)snprintf(table + n, sizeof table - n, "{\"text\": %s}\n", json.data);
        at_text_deinit(&json);
    }
    at_put_text(folder, "texts.jsonl", table);
    at_attune_expect(
        0, folder, "embed '%s' texts.jsonl --precision f32 --data.max_length 128 --output rows.jsonl", model);
    snprintf(rows, sizeof rows, "%s/rows.jsonl", folder);
    at_expect_ok(ctx, at_file_read(ctx, &lines, &size, rows, 1 << 20));
    const at_tree *line = at_json_lines(&a, lines)->first;
    at_free(ctx, lines);
    for (const at_tree *t = texts->first; t; t = t->next, line = line->next) {
        const at_tree *got = at_tree_get(line, "embedding")->first;
        for (const at_tree *x = at_tree_get(t, "embedding_8")->first; x; x = x->next, got = got->next)
            if (!(fabs(x->number - got->number) < 1e-4)) fail_msg("%g, must be %g", got->number, x->number);
    }
    at_arena_deinit(&a);
    at_test_done(ctx);
}

/* ---- Runs ---- */

#define LEARN                                                                                                \
    "train bert scored.tsv --task sentence-similarity --train.epochs 150 --train.learning_rate 1e-2 "        \
    "--data.valid scored.tsv --precision f32 --json "

AT_TEST(test_similarity_runs__pairs_are_learnt_and_predicted)
{
    char folder[1024];
    at_output o;
    at_arena a;
    at_arena_init(&a, at_test_ctx());
    at_test_folder(folder, "similarity-learns");
    make_scene(folder);
    at_attune(&o, folder, LEARN "--output run");
    if (o.code) fail_msg("%s", o.err);
    const at_tree *done = at_event_named(at_json_lines(&a, o.out), "done", 0);
    const double rho = at_tree_at(done, "valid.spearman")->number;
    if (!(rho > 0.95)) fail_msg("spearman %g", rho);
    at_output_free(&o);
    at_put_text(folder, "new.csv",
                "sentence1,sentence2\n\"a b.\",\"a b.\"\na h b h h.,e good d films g good.\n");
    at_attune(&o, folder, "predict run new.csv --json");
    if (o.code) fail_msg("%s", o.err);
    const at_tree *lines = at_json_lines(&a, o.out), *first = at_event_named(lines, "prediction", 0),
                  *second = at_event_named(lines, "prediction", 1);
    assert_string_equal(text_of(first, "text"), "a b.");
    assert_true(fabs(at_tree_get(first, "similarity")->number - 1) < 1e-6); /* equal texts */
    const double learnt = at_tree_get(second, "similarity")->number;        /* its score is 3.75 of 5 */
    if (!(fabs(learnt - 0.75) < 0.1)) fail_msg("similarity %g, learnt was 0.75", learnt);
    at_output_free(&o);
    at_attune(&o, folder, "eval run scored.tsv --json");
    if (o.code) fail_msg("%s", o.err);
    const at_tree *eval = at_event_named(at_json_lines(&a, o.out), "evaluation", 0);
    assert_true(fabs(at_tree_at(eval, "scores.spearman")->number - rho) < 1e-9);
    at_output_free(&o);
    at_ctx *ctx = a.ctx;
    at_arena_deinit(&a);
    at_test_done(ctx);
}

AT_TEST(test_similarity_runs__texts_find_their_partners)
{
    char folder[1024];
    at_output o;
    at_arena a;
    at_arena_init(&a, at_test_ctx());
    at_test_folder(folder, "similarity-ranks");
    make_scene(folder);
    at_attune(
        &o, folder,
        "train bert triples.tsv --task sentence-similarity --train.epochs 100 --train.learning_rate 1e-2 "
        "--train.batch_size 12 --data.valid triples.tsv --output run --json");
    if (o.code) fail_msg("%s", o.err);
    const at_tree *lines = at_json_lines(&a, o.out), *done = at_event_named(lines, "done", 0);
    const double before = at_tree_at(at_event_named(lines, "evaluation", 0), "scores.accuracy_at_1")->number,
                 after = at_tree_at(done, "valid.accuracy_at_1")->number,
                 rank = at_tree_at(done, "valid.mrr_at_10")->number;
    if (!(after > 0.9 && rank >= after && before < after)) fail_msg("%g to %g, mrr %g", before, after, rank);
    at_output_free(&o);
    at_ctx *ctx = a.ctx;
    at_arena_deinit(&a);
    at_test_done(ctx);
}

AT_TEST(test_similarity_runs__same_bits_for_any_number_of_threads)
{
    char folder[1024], one[1100], three[1100];
    at_test_folder(folder, "similarity-threads");
    make_scene(folder);
    at_edit_text(folder, "bert/config.json", "\"hidden_dropout_prob\": 0.0", "\"hidden_dropout_prob\": 0.1");
    at_attune_expect(0, folder, LEARN "--train.max_tokens 40 --threads 1 --output one");
    at_attune_expect(0, folder, LEARN "--train.max_tokens 40 --threads 3 --output three");
    snprintf(one, sizeof one, "%s/one", folder);
    snprintf(three, sizeof three, "%s/three", folder);
    at_expect_same_file(one, three, "model/model.safetensors");
    at_expect_same_file(one, three, "metrics.jsonl");
}

/* Squared distances are a sum over pairs: only rounding differs between passes of one pair and of all. */
AT_TEST(test_similarity_runs__passes_of_few_tokens_learn_the_same)
{
    char folder[1024], few[1100], many[1100];
    at_test_folder(folder, "similarity-passes");
    make_scene(folder);
    at_attune_expect(0, folder, LEARN "--train.steps 3 --train.max_tokens 9 --output few");
    at_attune_expect(0, folder, LEARN "--train.steps 3 --output many");
    snprintf(few, sizeof few, "%s/few/model/model.safetensors", folder);
    snprintf(many, sizeof many, "%s/many/model/model.safetensors", folder);
    const char *name = "encoder.layer.0.intermediate.dense.weight";
    const double distance = at_tensor_distance(few, many, name);
    if (!(distance < 1e-4)) fail_msg("they differ by %g", distance);
}

/* The adapted network is merged, proved and handed over without a head. */
AT_TEST(test_similarity_runs__adapters_are_merged)
{
    char folder[1024];
    at_test_folder(folder, "similarity-lora");
    make_scene(folder);
    at_attune_expect(0, folder, LEARN "--method lora --output run");
    at_attune_expect(0, folder, "predict run scored.tsv");
}

/* ---- Files ---- */

static float number_of(const char *data, int64_t i)
{
    float x;
    memcpy(&x, data + (size_t)i * sizeof x, sizeof x);
    return x;
}

AT_TEST(test_similarity_runs__all_files_hold_the_same_rows)
{
    enum { ROWS = 12, WIDTH = 18, HEADER = 128 };
    char folder[1024], path[1100];
    char *npy;
    size_t size;
    at_safetensors *f;
    at_ctx *ctx = at_test_ctx();
    at_test_folder(folder, "similarity-files");
    make_scene(folder);
    at_attune_expect(0, folder, "embed bert pairs.tsv --output rows.safetensors");
    at_attune_expect(0, folder, "embed bert pairs.tsv --output rows.npy");
    snprintf(path, sizeof path, "%s/rows.npy", folder);
    at_expect_ok(ctx, at_file_read(ctx, &npy, &size, path, 1 << 20));
    snprintf(path, sizeof path, "%s/rows.safetensors", folder);
    at_expect_ok(ctx, at_safetensors_open(&f, ctx, path));
    const at_tensor *t = at_safetensors_find(f, "embeddings");
    assert_non_null(t);
    assert_int_equal(t->dim[0], ROWS);
    assert_int_equal(t->dim[1], WIDTH);
    assert_int_equal(size, HEADER + ROWS * WIDTH * sizeof(float));
    for (int64_t i = 0; i < (int64_t)ROWS * WIDTH; i++)
        if (number_of(npy + HEADER, i) != number_of(t->data, i))
            fail_msg("number %lld differs", (long long)i);
    at_safetensors_close(ctx, f);
    at_free(ctx, npy);
    at_test_done(ctx);
}

AT_TEST(test_similarity_runs__photos_have_rows_too)
{
    char folder[1024], path[1100];
    at_safetensors *f;
    at_ctx *ctx = at_test_ctx();
    at_make_scene(folder, "similarity-photos", 2);
    at_attune_expect(0, folder, "embed model photos --output rows.safetensors");
    snprintf(path, sizeof path, "%s/rows.safetensors", folder);
    at_expect_ok(ctx, at_safetensors_open(&f, ctx, path));
    assert_int_equal(at_safetensors_find(f, "embeddings")->dim[0], 6);
    at_safetensors_close(ctx, f);
    at_test_done(ctx);
}

/* ---- Without memory ---- */

typedef struct starved {
    at_ctx *own; /* of the test: not the one that starves */
    char model[1100], table[1100], output[1100];
    bool embeds;
} starved;

static at_status set_all(at_recipe *r, const starved *s)
{
    const char *const keys[][2] = {
        {"model", s->model},        {"output", s->output},  {"cache", "none"},
        {"data.train", s->table},   {"data.valid", "none"}, {"task", "sentence-similarity"},
        {"train.batch_size", "12"}, {"train.steps", "1"},   {"precision", "f32"}};
    for (int i = 0; i < (s->embeds ? 3 : AT_COUNT(keys)); i++)
        AT_TRY(at_recipe_set(r, keys[i][0], keys[i][1]));
    return AT_OK;
}

static at_status attempt(at_ctx *ctx, void *arg)
{
    const starved *s = arg;
    const char *const paths[] = {s->table};
    at_recipe *r;
    if (s->embeds)
        remove(s->output);
    else
        at_expect_ok(s->own, at_folder_remove(s->own, s->output));
    AT_TRY(at_recipe_create(&r, ctx));
    at_status status = set_all(r, s);
    if (status == AT_OK)
        status = s->embeds ? at_embed(ctx, r, paths, 1, NULL, NULL) : at_train(ctx, r, NULL, NULL);
    at_recipe_destroy(r);
    return status;
}

AT_TEST(test_similarity_runs__allocations_fail)
{
    enum { STRIDE = 37 };
    char folder[1024];
    at_test_folder(folder, "similarity-memory");
    make_scene(folder);
    for (int embeds = 0; embeds < 2; embeds++) {
        at_ctx *ctx = at_test_ctx();
        starved s = {.own = at_test_ctx(), .embeds = embeds};
        snprintf(s.model, sizeof s.model, "%s/bert", folder);
        snprintf(s.table, sizeof s.table, "%s/triples.tsv", folder);
        snprintf(s.output, sizeof s.output, "%s/%s", folder, embeds ? "rows.npy" : "run");
        at_torture_some(ctx, attempt, &s, 1 + STRIDE / 2, STRIDE);
        at_test_done(s.own);
        at_test_done(ctx);
    }
}

/* ---- Mistakes ---- */

#define TRAIN "train bert scored.tsv --task sentence-similarity --output run"

static void no_number(const char *folder)
{
    make_scene(folder);
    at_put_text(folder, "scored.tsv", "sentence1\tsentence2\tscore\na\tb\t1\nc\td\thigh\n");
}

static void one_text(const char *folder)
{
    make_scene(folder);
    at_put_text(folder, "scored.tsv", "sentence1\tscore\na\t1\nb\t2\n");
}

static void empty_negative(const char *folder)
{
    make_scene(folder);
    at_put_text(folder, "triples.tsv", "anchor\tpositive\tnegative\na\tb\tc\nd\te\t\n");
}

static void beyond(const char *folder)
{
    make_scene(folder);
    at_put_text(folder, "scored.tsv", "sentence1\tsentence2\tscore\na\tb\t1\nc\td\t7\n");
}

static void output_exists(const char *folder)
{
    make_scene(folder);
    at_put_text(folder, "rows.npy", "");
}

static void first_pooling(const char *folder)
{
    make_scene(folder);
    add_modules(folder, "first", false, true);
}

static void two_poolings(const char *folder)
{
    make_scene(folder);
    add_modules(folder, "mean", false, false);
    at_edit_text(folder, "bert/1_Pooling/config.json", "pooling_mode_\": false",
                 "pooling_mode_cls_token\": true");
}

static void list_of_poolings(const char *folder)
{
    make_scene(folder);
    add_modules(folder, "max", false, true);
    at_edit_text(folder, "bert/1_Pooling/config.json", "\"max\"", "[\"max\", \"lasttoken\"]");
}

static void dense(const char *folder)
{
    make_scene(folder);
    add_modules(folder, "mean", true, false);
    at_edit_text(folder, "bert/modules.json", "models.Normalize", "models.Dense");
}

static void distilbert(const char *folder)
{
    make_scene(folder);
    at_in_folder(folder,
                 "mkdir mobile && cp '" AT_SOURCE_DIR "'/src/models/mobilenet_v2/golden_hf/*.* mobile");
}

static const at_mistake mistakes[] = {
    {"similarity-number", no_number, TRAIN, 1, "scored.tsv:3: label high is no finite number"},
    {"similarity-one", one_text, TRAIN, 1,
     "scored.tsv: a row must hold two texts to compare, but beside the score it holds one; set data.text and "
     "data.text_pair"},
    {"similarity-pair", make_scene, TRAIN " --data.text_pair sentence3", 2,
     "scored.tsv: data.text_pair is sentence3, but no column is called so; the nearest is \"sentence1\""},
    {"similarity-none", make_scene, TRAIN " --data.text_pair none", 2,
     "--data.text_pair: data.text_pair is none, but texts are to be compared: name the column of the second "
     "ones"},
    {"similarity-negative", empty_negative, "train bert triples.tsv --task sentence-similarity --output run",
     1, "triples.tsv:3: the negative is empty; fill it in or remove the row, or set data.corrupt skip"},
    {"similarity-scoreless", make_scene,
     "train bert pairs.tsv --task sentence-similarity --sentence-similarity.loss cosine --output run", 2,
     "--sentence-similarity.loss: sentence-similarity.loss is cosine, but pairs.tsv has no column of scores; "
     "set "
     "data.label"},
    {"similarity-range", beyond, TRAIN, 2,
     "scored.tsv: scores run from 1 to 7, which is beyond 0..5; set data.score_range"},
    {"similarity-range-infinite", make_scene, TRAIN " --data.score_range 0..inf", 2,
     "--data.score_range: data.score_range is \"0..inf\", must be the least and the largest score, such as "
     "0..5"},
    {"similarity-range-text", make_scene, TRAIN " --data.score_range five", 2,
     "--data.score_range: data.score_range is \"five\", must be the least and the largest score, such as "
     "0..5"},
    {"similarity-head", make_scene, TRAIN " --method head", 2,
     "method head leaves nothing to learn: task sentence-similarity has no output layer; take full, last:N "
     "or "
     "lora"},
    {"similarity-photos", distilbert, "train mobile scored.tsv --task sentence-similarity --output run", 1,
     "task sentence-similarity is for text networks; mobile is a mobilenet_v2 (image network)"},
    {"similarity-pooling", first_pooling, TRAIN, 1,
     "bert/1_Pooling/config.json: pooling first is not known; known are mean, cls, max, "
     "mean_sqrt_len_tokens, weightedmean, lasttoken"},
    {"similarity-poolings", two_poolings, TRAIN, 1,
     "bert/1_Pooling/config.json: poolings cls and mean side by side are not supported; keep one of them"},
    {"similarity-list", list_of_poolings, TRAIN, 1,
     "bert/1_Pooling/config.json: poolings max and lasttoken side by side are not supported; keep one of "
     "them"},
    {"similarity-module", dense, TRAIN, 1,
     "bert/modules.json: module sentence_transformers.models.Dense is not known; known are Transformer, "
     "Pooling "
     "and Normalize"},
    {"embed-exists", output_exists, "embed bert pairs.tsv --output rows.npy", 2,
     "rows.npy exists; choose another --output"},
    {"embed-nowhere", make_scene, "embed bert pairs.tsv --output nowhere/rows.npy", 1,
     "nowhere/rows.npy: there is no folder nowhere/; make it, or choose another --output"},
    {"embed-output", make_scene, "embed bert pairs.tsv", 2,
     "no file to write is given: --output FILE.safetensors, FILE.npy or FILE.jsonl"},
    {"embed-ending", make_scene, "embed bert pairs.tsv --output rows.txt", 2,
     "rows.txt: its ending must be .safetensors, .npy or .jsonl"},
    {"embed-files", make_scene, "embed bert pairs.tsv scored.tsv --output rows.npy", 2,
     "2 files are given; texts are predicted from one table at a time"},
};

AT_TEST(test_similarity_runs__mistakes_are_told)
{
    at_expect_mistakes("similarity_runs", mistakes, AT_COUNT(mistakes), false);
}
