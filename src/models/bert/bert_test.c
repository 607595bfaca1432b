/* bert_test.c: the network against goldens: a tiny random network with logits, loss, every gradient and 20
 * steps of two optimisers; the real MiniLM; a pooler that a checkpoint lacks; what its configs may not say.
 */
#include "engine/plan.h"
#include "formats/file.h"
#include "models/model.h"
#include "ops/segment_pool/segment_pool.h"
#include "tests/harness/modelcheck.h"
#include "tests/harness/scene.h"
#include "text/tokenizer.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define HF     AT_SOURCE_DIR "/src/models/bert/golden_hf"
#define TOKENS AT_SOURCE_DIR "/src/models/bert/golden_tokens" /* a head for every token */

AT_TEST(test_bert__logits_equal_transformers)
{
    at_ctx *ctx = at_test_ctx();
    at_check_output(ctx, &(at_model_case){.folder = HF, .tensor = "eval.logits"});
    at_check_output(ctx, &(at_model_case){.folder = HF, .tensor = "eval.logits", .plain = true});
    at_check_output(ctx, &(at_model_case){.folder = HF, .tensor = "eval.logits", .kernels = "ref"});
    at_test_done(ctx);
}

AT_TEST(test_bert__settings_are_those_of_the_config)
{
    static const char *const variants[] = {"tanh", "relu", "eps", "heads"};
    at_ctx *ctx = at_test_ctx();
    for (int i = 0; i < AT_COUNT(variants); i++) at_check_variant(ctx, HF, variants[i]);
    at_test_done(ctx);
}

AT_TEST(test_bert__gradients_and_20_adamw_steps_equal_pytorch)
{
    at_ctx *ctx = at_test_ctx();
    at_check_trace(ctx, HF, "cpu", &at_trace_adamw, false);
    at_test_done(ctx);
}

AT_TEST(test_bert__20_sgd_steps_equal_pytorch)
{
    at_ctx *ctx = at_test_ctx();
    at_check_trace(ctx, HF, "cpu", &at_trace_sgd, false);
    at_check_trace(ctx, HF, "cpu", &at_trace_sgd, true);
    at_test_done(ctx);
}

/* Transformers' losses of problem_type "regression" and "multi_label_classification". */
AT_TEST(test_bert__20_steps_of_other_objectives_equal_transformers)
{
    at_ctx *ctx = at_test_ctx();
    at_check_trace(ctx, AT_SOURCE_DIR "/src/models/bert/golden_regression", "cpu", &at_trace_adamw, false);
    at_check_trace(ctx, AT_SOURCE_DIR "/src/models/bert/golden_multi_label", "cpu", &at_trace_adamw, false);
    at_test_done(ctx);
}

AT_TEST(test_bert__packed_sequences_are_as_alone)
{
    at_ctx *ctx = at_test_ctx();
    at_check_packing(ctx, HF);
    at_test_done(ctx);
}

AT_TEST(test_bert__packing_changes_no_draw_of_dropout)
{
    at_ctx *ctx = at_test_ctx();
    char folder[1024];
    at_variant_folder(folder, HF, "eps");
    at_edit_text(folder, "config.json", "\"hidden_dropout_prob\": 0.0", "\"hidden_dropout_prob\": 0.3");
    at_edit_text(folder, "config.json", "\"attention_probs_dropout_prob\": 0.0",
                 "\"attention_probs_dropout_prob\": 0.3");
    at_check_packing(ctx, folder);
    at_test_done(ctx);
}

AT_TEST(test_bert__trains_on_the_far_device)
{
    at_ctx *ctx = at_test_ctx();
    at_check_trace(ctx, HF, "far", &at_trace_sgd, false);
    at_test_done(ctx);
}

AT_TEST(test_bert__is_saved_in_the_layout_it_came_from)
{
    at_ctx *ctx = at_test_ctx();
    at_check_saving(ctx, HF);
    at_test_done(ctx);
}

/* ---- A head for every token ---- */

AT_TEST(test_bert__logits_of_tokens_equal_transformers)
{
    at_ctx *ctx = at_test_ctx();
    at_check_output(ctx, &(at_model_case){.folder = TOKENS, .tensor = "eval.logits"});
    at_check_output(ctx, &(at_model_case){.folder = TOKENS, .tensor = "eval.logits", .kernels = "ref"});
    at_test_done(ctx);
}

AT_TEST(test_bert__20_adamw_steps_on_tokens_equal_pytorch)
{
    at_ctx *ctx = at_test_ctx();
    at_check_trace(ctx, TOKENS, "cpu", &at_trace_adamw, false);
    at_check_trace(ctx, TOKENS, "far", &at_trace_sgd, false);
    at_test_done(ctx);
}

AT_TEST(test_bert__packed_tokens_are_as_alone)
{
    at_ctx *ctx = at_test_ctx();
    at_check_packing(ctx, TOKENS);
    at_test_done(ctx);
}

AT_TEST(test_bert__a_head_for_tokens_is_saved_as_one)
{
    at_ctx *ctx = at_test_ctx();
    at_check_saving(ctx, TOKENS);
    at_check_head_kinds(ctx, TOKENS, HF);
    at_test_done(ctx);
}

/* ---- The real MiniLM: ids, the first row, and the mean of all rows scaled to length 1 ---- */

enum { SHOWN = 8, MOST_TOKENS = 128 };

typedef struct minilm {
    at_ctx *ctx;
    at_device *device;
    at_model *model;
    at_tokenizer *tokenizer;
    at_encoding encoding;
    at_graph *g;
    at_plan *plan;
    at_inputs in;
    at_value *first, *mean;
} minilm;

static at_value *add_input(minilm *t, const char *name, const at_extent *extent, int64_t n)
{
    at_value *v = at_input(t->g, name, AT_INT, extent, 1, &n);
    t->in.list[t->in.n].name = name;
    return t->in.list[t->in.n++].value = v;
}

static void open_minilm(minilm *t, const char *folder)
{
    at_expect_ok(t->ctx, at_device_open(&t->device, t->ctx, "cpu"));
    at_expect_ok(t->ctx, at_model_open(&t->model, t->ctx, t->device, folder));
    at_expect_ok(t->ctx, at_tokenizer_open(&t->tokenizer, t->ctx, folder));
    at_expect_ok(t->ctx, at_graph_create(&t->g, t->ctx, t->model->net.store, AT_EVAL));
    const at_extent *samples = at_graph_extent(t->g, "samples", 1),
                    *rows = at_graph_extent(t->g, "rows", MOST_TOKENS);
    at_value *offsets = add_input(t, "offsets", NULL, 2), *sample_id = add_input(t, "sample_id", samples, 1);
    add_input(t, "input_ids", rows, 1);
    add_input(t, "token_type_ids", rows, 1);
    add_input(t, "position_ids", rows, 1);
    add_input(t, "row_id", rows, 1);
    at_value *x = t->model->architecture->encode(t->model, t->g, &t->in);
    t->first = at_segment_first(t->g, x, offsets, sample_id);
    t->mean = at_segment_mean(t->g, x, offsets, sample_id);
    at_expect_ok(t->ctx, at_graph_finish(t->g));
    at_value *const fetches[] = {t->first, t->mean};
    at_expect_ok(t->ctx,
                 at_plan_create(&t->plan, t->g, &(at_plan_options){.fetches = fetches, .n_fetches = 2}));
}

static void close_minilm(minilm *t)
{
    at_plan_destroy(t->plan);
    at_graph_destroy(t->g);
    at_encoding_deinit(t->ctx, &t->encoding);
    at_tokenizer_close(t->ctx, t->tokenizer);
    at_model_close(t->model);
    at_device_close(t->device);
}

static void run_minilm(minilm *t, at_real *first, at_real *mean)
{
    const int32_t n = (int32_t)t->encoding.n, bounds[] = {0, n}, zero = 0;
    const int64_t extents[] = {1, n};
    int32_t counted[MOST_TOKENS];
    for (int i = 0; i < n; i++) counted[i] = i;
    const int32_t *const data[] = {bounds, &zero, t->encoding.ids, t->encoding.type_ids, counted, counted};
    const int64_t count[] = {2, 1, n, n, n, n};
    for (int i = 0; i < t->in.n; i++) at_plan_write(t->plan, t->in.list[i].value, data[i], count[i]);
    at_plan_run(t->plan, &(at_pass){.extents = extents});
    at_plan_fetch(t->plan, t->first, first);
    at_plan_fetch(t->plan, t->mean, mean);
    at_expect_ok(t->ctx, at_plan_sync(t->plan));
}

static void expect_numbers(const at_tree *want, const at_real *got, double factor, const char *what)
{
    assert_int_equal(want->n, SHOWN);
    int i = 0;
    for (const at_tree *x = want->first; x; x = x->next, i++)
        if (!(fabs(x->number - factor * (double)got[i]) < 1e-4))
            fail_msg("%s[%d] is %g, must be %g", what, i, factor * (double)got[i], x->number);
}

static void check_text(minilm *t, const at_tree *want)
{
    enum { HIDDEN = 384 };
    const char *text = at_tree_get(want, "text")->text;
    const at_tree *ids = at_tree_get(want, "ids");
    at_real first[HIDDEN], mean[HIDDEN];
    double squares = 0;
    at_expect_ok(t->ctx, at_tokenizer_encode(t->ctx, t->tokenizer, &t->encoding, text, strlen(text), NULL, 0,
                                             MOST_TOKENS, true));
    assert_int_equal(t->encoding.n, ids->n);
    int i = 0;
    for (const at_tree *id = ids->first; id; id = id->next) assert_int_equal(t->encoding.ids[i++], id->whole);
    run_minilm(t, first, mean);
    for (int k = 0; k < HIDDEN; k++) squares += (double)mean[k] * (double)mean[k];
    expect_numbers(at_tree_get(want, "cls_8"), first, 1, "cls");
    expect_numbers(at_tree_get(want, "embedding_8"), mean, 1 / sqrt(squares), "embedding");
}

AT_TEST(test_bert__minilm_embeds_as_it_should)
{
    const char *folder = getenv("ATTUNE_MINILM");
    char path[1024];
    if (!folder || !*folder) AT_SKIP("ATTUNE_MINILM is not set");
    if (!at_test_data(path, "models/minilm-l6-v2-expected/expected.json")) AT_SKIP("ATTUNE_DATA is not set");
    minilm t = {.ctx = at_test_ctx()};
    at_arena a;
    at_tree *expected;
    at_arena_init(&a, t.ctx);
    at_expect_ok(t.ctx, at_tree_read(&a, &expected, path));
    open_minilm(&t, folder);
    const at_tree *texts = at_tree_get(expected, "texts");
    assert_int_equal(texts->n, 8);
    for (const at_tree *text = texts->first; text; text = text->next) check_text(&t, text);
    close_minilm(&t);
    at_arena_deinit(&a);
    at_test_done(t.ctx);
}

AT_TEST(test_bert__has_a_fresh_pooler_where_the_checkpoint_has_none)
{
    at_ctx *ctx = at_test_ctx();
    at_check_fresh_head(ctx, HF, "bert.pooler.", 0.02);
    at_test_done(ctx);
}

AT_TEST(test_bert__refuses_what_it_does_not_know)
{
    at_ctx *ctx = at_test_ctx();
    at_check_refused_config(ctx, "{\"model_type\": \"bert\", \"hidden_act\": \"swish\"}", AT_E_UNSUPPORTED,
                            "hidden_act \"swish\"; known are gelu, gelu_new, gelu_pytorch_tanh and relu");
    at_check_refused_config(ctx, "{\"model_type\": \"bert\", \"num_attention_heads\": 7}", AT_E_FORMAT,
                            "hidden_size 768 is no multiple of num_attention_heads 7");
    at_check_refused_config(
        ctx, "{\"model_type\": \"bert\", \"position_embedding_type\": \"relative_key\"}", AT_E_UNSUPPORTED,
        "position_embedding_type is \"relative_key\"; this network is known with \"absolute\" only");
    at_check_refused_config(ctx, "{\"model_type\": \"bert\", \"num_hidden_layers\": 129}", AT_E_FORMAT,
                            "num_hidden_layers is 129, must be 1 to 128");
    at_test_done(ctx);
}
