/* edit_test.c: what edits do to a network's records: who learns, how fast, and how normalisations behave. */
#include "adapt/edit.h"
#include "engine/device.h"
#include "tests/harness/test.h"
#include <math.h>

#define MODEL AT_SOURCE_DIR "/src/models/mobilenet_v2/golden_hf"

static const char *const labels[] = {"cat", "dog"};

typedef struct scene {
    at_ctx *ctx;
    at_device *device;
    at_model *model;
    at_arena arena;
    at_edit_site site;
} scene;

static void open(scene *s)
{
    s->ctx = at_test_ctx();
    at_arena_init(&s->arena, s->ctx);
    at_expect_ok(s->ctx, at_device_open(&s->device, s->ctx, "cpu"));
    at_expect_ok(s->ctx, at_model_open(&s->model, s->ctx, s->device, MODEL));
    at_expect_ok(s->ctx, at_model_new_head(s->model, 2, labels, 0));
    s->site = (at_edit_site){
        .model = s->model, .train_samples = 100, .n_labels = 2, .labels = labels, .where = "edits"};
}

static void close(scene *s)
{
    at_model_close(s->model);
    at_device_close(s->device);
    at_arena_deinit(&s->arena);
    at_test_done(s->ctx);
}

static at_status apply(scene *s, const char *yaml)
{
    at_tree *list;
    at_expect_ok(s->ctx, at_yaml_parse(&s->arena, &list, yaml, strlen(yaml), "edits"));
    return at_edits_apply(&s->site, list);
}

/* The groups in which every parameter but statistics learns, in order, and none of the others. */
static const char *learning_groups(scene *s)
{
    at_text t;
    const at_net *net = &s->model->net;
    at_text_init(&t, s->ctx);
    for (int g = 0; g < net->n_groups; g++) {
        int learn = 0, all = 0;
        for (int i = 0; i < net->n_params; i++) {
            const at_param *p = net->params[i];
            const bool statistic =
                p->part == AT_NORM_MEAN || p->part == AT_NORM_VARIANCE || p->part == AT_NORM_BATCHES;
            if (p->site->group != g) continue;
            if (statistic) assert_false(p->trainable);
            learn += p->trainable;
            all += !statistic;
        }
        if (learn)
            at_text_printf(&t, "%s%s%s", t.size ? " " : "", net->groups[g], learn < all ? "(part)" : "");
    }
    char *text = at_arena_strdup(&s->arena, t.data ? t.data : "");
    at_text_deinit(&t);
    return text;
}

static void expect_learning(const char *yaml, const char *groups)
{
    scene s;
    open(&s);
    at_expect_ok(s.ctx, apply(&s, yaml));
    assert_string_equal(learning_groups(&s), groups);
    close(&s);
}

AT_TEST(test_edit__who_learns)
{
    expect_learning("[]", "");
    expect_learning("[{train: head}]", "head");
    expect_learning("[{train: \"last:0\"}]", "head");
    expect_learning("[{train: \"last:1\"}]", "conv_1x1 head");
    expect_learning("[{train: \"last:3\"}]", "layer.14 layer.15 conv_1x1 head");
    expect_learning("[{train: all}, {freeze: \"layer.*\"}]", "stem conv_1x1 head");
    expect_learning("[{train: [head, \"layer.2\"]}]", "layer.2 head");
    expect_learning("[{train: \"layer.[34]\"}]", "layer.3 layer.4");
    expect_learning("[{train: \"layer.5.expand_1x1.convolution\"}]", "layer.5(part)");
    expect_learning("[{train: \"layer.6.conv_3x3.normalization.*\"}]", "layer.6(part)");
    expect_learning("[{train: all}, {freeze: all}, {train: head}]", "head"); /* in order */
}

static void expect_refused(const char *yaml, at_status status, const char *message)
{
    scene s;
    open(&s);
    const at_status got = apply(&s, yaml);
    assert_int_equal(got, status);
    assert_string_equal(at_last_error(s.ctx), message);
    at_clear_error(s.ctx);
    close(&s);
}

AT_TEST(test_edit__what_is_refused)
{
    expect_refused("{train: head}", AT_E_ARG, "edits is a map, must be a list of edits");
    expect_refused("[head]", AT_E_ARG, "edits: each edit is a map of one key, as in {train: head}");
    expect_refused("[{train: head, freeze: stem}]", AT_E_ARG,
                   "edits: each edit is a map of one key, as in {train: head}");
    expect_refused("[{trian: head}]", AT_E_ARG,
                   "edits: no edit is called \"trian\"; did you mean \"train\"?");
    expect_refused("[{train: 3}]", AT_E_ARG,
                   "edits: layers are named by a text or a list of texts (head, all, last:N or a glob)");
    expect_refused("[{train: [head, 3]}]", AT_E_ARG, "edits: a layer's name must be a text");
    expect_refused("[{train: \"last:19\"}]", AT_E_RANGE,
                   "edits: last:19 must be a number of layer groups, 0 to 18 (attune inspect lists them)");
    expect_refused("[{lr: 3}]", AT_E_ARG, "edits: lr is a map of layers to factors");
    expect_refused("[{lr: {head: -1}}]", AT_E_RANGE,
                   "edits: the factor of \"head\" must be a number from 0 to 1e6");
    expect_refused("[{norm: {sites: \"*\", mode: off}}]", AT_E_ARG,
                   "edits: the mode of a norm must be eval, affine, stats or train");
    expect_refused("[{norm: {sites: \"*\", modes: eval}}]", AT_E_ARG,
                   "edits: norm has no key \"modes\"; it takes sites, mode and below_samples");
}

/* The number of adapted sites, and the rank of the first. */
static void expect_adapted(const char *yaml, int sites, int64_t rank)
{
    scene s;
    int n = 0;
    int64_t r = 0;
    open(&s);
    at_expect_ok(s.ctx, apply(&s, yaml));
    for (int i = s.model->net.n_params - 1; i >= 0; i--) {
        const at_param *p = s.model->net.params[i];
        if (p->part != AT_ADAPTER || !strstr(p->state->name, "lora_A")) continue;
        n++;
        r = p->state->rows;
    }
    assert_int_equal(n, sites);
    assert_int_equal(r, rank);
    close(&s);
}

/* Selected in every way that edits know; the edit's keys over the defaults; other tools' names for them. */
AT_TEST(test_edit__adapters_take_options)
{
    expect_adapted("[{lora: \"layer.3\"}]", 2, 8); /* not the depthwise one, nor norms */
    expect_adapted("[{lora: {sites: \"layer.3\", r: 2}}]", 2, 2);
    expect_adapted(
        "[{lora: {target_modules: [\"layer.3.expand_1x1.convolution\"], lora_r: 3, lora_alpha: 1}}]", 1, 3);
    expect_adapted("[{lora: {sites: expand_1x1.convolution, r: 1}}]", 16, 1); /* the last parts of a name */
    expect_adapted("[{train: head}, {lora: {sites: [head, \"layer.3\"], r: 1}}]", 2, 1);
    expect_adapted("[{lora: {sites: [head, \"layer.3\"], r: 1}}]", 3, 1);
    expect_refused(
        "[{lora: {sites: \"layer.3\", rank: 2}}]", AT_E_ARG,
        "edits: lora: there is no key \"rank\"; there are sites, r, alpha, dropout, use_rslora, from");
    expect_refused("[{lora: {sites: \"layer.3\", r: 2.5}}]", AT_E_ARG,
                   "edits: lora.r is a number \"2.5\", must be a whole number");
}

static const at_param *param(const scene *s, const char *name)
{
    for (int i = 0; i < s->model->net.n_params; i++)
        if (strcmp(s->model->net.params[i]->state->name, name) == 0) return s->model->net.params[i];
    fail_msg("no parameter %s", name);
    return NULL;
}

AT_TEST(test_edit__rates)
{
    scene s;
    open(&s);
    at_expect_ok(s.ctx, apply(&s, "[{lr: {\"layer.*\": 0.5, \"layer.3\": 0.1}}]"));
    assert_true(param(&s, "layer.2.conv_3x3.convolution.weight")->rate == 0.5);
    assert_true(param(&s, "layer.3.conv_3x3.convolution.weight")->rate == 0.1);
    assert_true(param(&s, "classifier.weight")->rate == 1);
    close(&s);
}

static at_norm_mode mode_of(const scene *s, const char *name)
{
    return param(s, name)->site->norm.mode;
}

AT_TEST(test_edit__norms)
{
    scene s;
    open(&s);
    at_expect_ok(
        s.ctx,
        apply(&s, "[{norm: {sites: \"layer.1*\", mode: train}}, {norm: {sites: \"layer.12\", mode: stats}}, "
                  "{norm: {sites: \"*\", mode: eval, below_samples: 100}}]"));
    assert_int_equal(mode_of(&s, "layer.12.conv_3x3.normalization.weight"), AT_NORM_STATS);
    assert_int_equal(mode_of(&s, "layer.1.conv_3x3.normalization.weight"), AT_NORM_TRAIN);
    at_expect_ok(s.ctx, apply(&s, "[{norm: {sites: \"*\", mode: affine, below_samples: 101}}]"));
    assert_int_equal(mode_of(&s, "layer.12.conv_3x3.normalization.weight"), AT_NORM_AFFINE);
    close(&s);
}

AT_TEST(test_edit__reinit_draws_anew)
{
    scene s;
    open(&s);
    const at_param *p = param(&s, "layer.2.reduce_1x1.convolution.weight");
    const at_param *variance = param(&s, "layer.2.reduce_1x1.normalization.running_var");
    at_real before[4096], after[4096], again[4096];
    assert_true(p->state->count <= 4096);
    at_expect_ok(s.ctx, at_state_get(s.model->net.store, p->state, before));
    at_expect_ok(s.ctx, apply(&s, "[{reinit: \"layer.2\"}]"));
    at_expect_ok(s.ctx, at_state_get(s.model->net.store, p->state, after));
    double sum = 0, square = 0;
    for (int64_t i = 0; i < p->state->count; i++) {
        assert_true(before[i] != after[i]);
        sum += (double)after[i];
        square += (double)after[i] * (double)after[i];
    }
    const double n = (double)p->state->count, wanted = sqrt(2.0 / (double)p->state->shape.dim[0]);
    assert_true(fabs(sqrt(square / n) - wanted) < 4 * wanted / sqrt(2 * n)); /* 4 standard errors */
    assert_true(fabs(sum / n) < 4 * wanted / sqrt(n));
    s.site.seed = 1;
    at_expect_ok(s.ctx, apply(&s, "[{reinit: \"layer.2\"}]"));
    at_expect_ok(s.ctx, at_state_get(s.model->net.store, p->state, again));
    assert_true(memcmp(after, again, (size_t)p->state->count * sizeof *after) != 0);
    at_expect_ok(s.ctx, at_state_get(s.model->net.store, variance->state, after));
    for (int64_t i = 0; i < variance->state->count; i++) assert_true(after[i] == 1);
    close(&s);
}
