/* lora_test.c: LoRA as PEFT has it: folders that PEFT has written give its logits and its 20 AdamW steps;
 * what is written is read back; merging; neutrality; what a folder may not say. Goldens: golden.py. */
#include "adapters/lora.h"
#include "adapters/peft.h"
#include "engine/fuse.h"
#include "engine/plan.h"
#include "formats/options.h"
#include "models/model.h"
#include "ops/optim/adamw.h"
#include "ops/relu/relu.h"
#include "ops/softmax_xent/softmax_xent.h"
#include "tests/harness/report.h"
#include "tests/harness/test.h"
#include "tests/harness/tolerance.h"
#include "tests/harness/torture.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define HERE      AT_SOURCE_DIR "/src/adapters/golden/"
#define MOBILENET AT_SOURCE_DIR "/src/models/mobilenet_v2/golden_timm"
#define RESNET    AT_SOURCE_DIR "/src/models/resnet/golden_hf"

enum { STEPS = 20, MOST = 64, CLASSES = 5 };
static const double rate = 5e-3, decay = 0.01;
static const at_adamw_options adamw = {0.9, 0.999, 1e-5};

typedef struct rig {
    at_ctx *ctx;
    at_device *device;
    at_model *model; /* or */
    at_net own;      /* the two-layer network */
    at_net *net;
    at_graph *g;
    at_plan *plan;
    at_value *x, *labels, *sample_id, *output, *fetch[3];
    at_loss loss;
    at_commit commit;
    at_safetensors *golden; /* of LoRA */
    int64_t n;
    at_real *input;
    int32_t label[MOST], id[MOST];
} rig;

/* ---- Networks ---- */

static at_real *reals(at_ctx *ctx, const at_tensor *t)
{
    if (!t) fail_msg("the golden lacks a tensor");
    at_real *out = malloc((size_t)(t->count + 1) * sizeof *out);
    at_storage_of(ctx, t->dtype)->load(out, &t->data, t->count, 0, 0, t->count);
    return out;
}

static const at_tensor *golden(const rig *t, const char *network, const char *what)
{
    char name[AT_PEFT_NAME + 64];
    snprintf(name, sizeof name, "%s.%s", network, what);
    const at_tensor *x = at_safetensors_find(t->golden, name);
    if (!x) fail_msg("the golden lacks %s", name);
    return x;
}

static void begin(rig *t, at_ctx *ctx)
{
    *t = (rig){.ctx = ctx};
    at_expect_ok(ctx, at_device_open(&t->device, ctx, "cpu"));
    at_expect_ok(ctx, at_safetensors_open(&t->golden, ctx, HERE "golden.safetensors"));
}

static void open_model(rig *t, at_ctx *ctx, const char *folder)
{
    begin(t, ctx);
    at_expect_ok(ctx, at_model_open(&t->model, ctx, t->device, folder));
    at_expect_ok(ctx, at_model_keep_head(t->model));
    t->net = &t->model->net;
}

/* Linear, relu, linear, as nn.Sequential names them. */
static void open_two_layer(rig *t, at_ctx *ctx)
{
    at_site *site;
    begin(t, ctx);
    t->net = &t->own;
    at_expect_ok(ctx, at_net_init(t->net, ctx, t->device));
    at_expect_ok(ctx, at_net_group(t->net, "all"));
    at_expect_ok(ctx, at_net_linear(&site, t->net, "hidden", "0", 7, 33, true));
    at_expect_ok(ctx, at_net_linear(&site, t->net, "output", "2", 33, CLASSES, true));
    for (int i = 0; i < t->net->n_params; i++) {
        const at_param *p = t->net->params[i];
        char name[64];
        snprintf(name, sizeof name, "base.%s", p->file_name);
        at_real *values = reals(ctx, golden(t, "two_layer", name));
        at_expect_ok(ctx, at_state_set(t->net->store, p->state, values));
        free(values);
    }
}

static void close_rig(rig *t)
{
    at_plan_destroy(t->plan);
    at_graph_destroy(t->g);
    at_safetensors_close(t->ctx, t->golden);
    if (t->model)
        at_model_close(t->model);
    else
        at_net_deinit(&t->own);
    at_device_close(t->device);
    free(t->input);
}

/* Hang LoRA with these options on all sites that it takes. */
static at_status hang_with(rig *t, const at_lora_options *o, uint64_t seed)
{
    at_adapter_setup setup = {
        .options = o, .seed = seed, .where = "edits", .prefix = t->model ? at_model_prefix(t->model) : NULL};
    at_site **sites;
    int n = 0;
    AT_NEW(t->ctx, sites, t->net->n_sites);
    for (int i = 0; i < t->net->n_sites; i++)
        if (at_adapter_lora.takes(t->net->sites[i])) sites[n++] = t->net->sites[i];
    const at_status s = at_adapter_hang(&at_adapter_lora, t->net, sites, n, &setup);
    at_free(t->ctx, sites);
    return s;
}

static at_status hang_from(rig *t, const char *folder)
{
    return hang_with(t, &(at_lora_options){.from = folder}, 0);
}

/* ---- Graphs ---- */

/* [N,C,H,W] -> [N,H,W,C] */
static at_real *channels_last(at_ctx *ctx, const at_tensor *t)
{
    const int64_t N = t->dim[0], C = t->dim[1], P = t->dim[2] * t->dim[3];
    at_real *planar = reals(ctx, t), *out = malloc((size_t)t->count * sizeof *out);
    for (int64_t n = 0; n < N; n++)
        for (int64_t c = 0; c < C; c++)
            for (int64_t p = 0; p < P; p++) out[(n * P + p) * C + c] = planar[(n * C + c) * P + p];
    free(planar);
    return out;
}

static void begin_graph(rig *t, at_mode mode, int rank, const int64_t *dim)
{
    const int64_t one[] = {1};
    at_net_assign_roles(t->net);
    at_expect_ok(t->ctx, at_graph_create(&t->g, t->ctx, t->net->store, mode));
    const at_extent *samples = at_graph_extent(t->g, "samples", t->n);
    t->x = at_input(t->g, "pixel_values", AT_ACT, samples, rank, dim);
    t->sample_id = at_input(t->g, "sample_id", AT_INT, samples, 1, one);
    t->labels = at_input(t->g, "labels", AT_INT, samples, 1, one);
    for (int i = 0; i < t->n; i++) t->id[i] = i;
}

static void build_model(rig *t, at_mode mode)
{
    char path[1200];
    at_safetensors *f;
    snprintf(path, sizeof path, "%s/golden.safetensors", t->model->folder);
    at_expect_ok(t->ctx, at_safetensors_open(&f, t->ctx, path));
    const at_tensor *pixels = at_safetensors_find(f, "pixel_values"),
                    *labels = at_safetensors_find(f, "labels");
    t->n = pixels->dim[0];
    t->input = channels_last(t->ctx, pixels);
    for (int i = 0; i < t->n; i++) t->label[i] = (int32_t)((const int64_t *)labels->data)[i];
    begin_graph(t, mode, 4, (const int64_t[]){1, pixels->dim[2], pixels->dim[3], pixels->dim[1]});
    at_safetensors_close(t->ctx, f);
    const at_inputs in = {.list = {{"pixel_values", t->x}, {"sample_id", t->sample_id}}, .n = 2};
    t->output = t->model->architecture->build(t->model, t->g, &in);
    at_graph_fuse(t->g, &t->output, 1);
}

static void build_two_layer(rig *t, at_mode mode)
{
    const at_tensor *x = golden(t, "two_layer", "x");
    t->n = x->dim[0];
    t->input = reals(t->ctx, x);
    memcpy(t->label, golden(t, "two_layer", "labels")->data, (size_t)t->n * sizeof *t->label);
    begin_graph(t, mode, 2, (const int64_t[]){1, x->dim[1]});
    at_value *h = at_relu(t->g, at_site_linear(t->g, at_net_find(t->net, "hidden"), t->x));
    t->output = at_site_linear(t->g, at_net_find(t->net, "output"), h);
}

static void feed(rig *t)
{
    at_plan_write(t->plan, t->x, t->input, t->n);
    at_plan_write(t->plan, t->sample_id, t->id, t->n);
    at_plan_write(t->plan, t->labels, t->label, t->n);
}

/* Logits of a forward pass [n, CLASSES]. */
static void forward(rig *t, const char *kernels, at_real out[MOST * CLASSES])
{
    at_expect_ok(t->ctx, at_graph_finish(t->g));
    at_expect_ok(t->ctx, at_plan_create(
                             &t->plan, t->g,
                             &(at_plan_options){.kernels = kernels, .fetches = &t->output, .n_fetches = 1}));
    feed(t);
    at_plan_run(t->plan, &(at_pass){.seed = 3, .extents = &t->n});
    at_plan_fetch(t->plan, t->output, out);
    at_expect_ok(t->ctx, at_plan_sync(t->plan));
}

/* ---- Logits ---- */

static void compare_logits(at_ctx *ctx, const char *network, const char *model, const char *kernels,
                           at_report *r)
{
    rig t;
    at_real got[MOST * CLASSES];
    char folder[1100];
    open_model(&t, ctx, model);
    snprintf(folder, sizeof folder, HERE "%s", network);
    at_expect_ok(ctx, hang_from(&t, folder));
    build_model(&t, AT_EVAL);
    forward(&t, kernels, got);
    const at_tensor *logits = golden(&t, network, "logits");
    at_real *want = reals(ctx, logits);
    at_report_at(r, "%s, kernels %s", network, kernels);
    at_report_close(r, "logits", got, want, logits->count, AT_TOL_GOLDEN);
    free(want);
    close_rig(&t);
}

AT_TEST(test_lora__folders_of_peft_give_its_logits)
{
    static const char *const kernels[] = {"auto", "ref", "base"};
    at_ctx *ctx = at_test_ctx();
    at_report r = {0};
    for (int k = 0; k < AT_COUNT(kernels); k++) {
        compare_logits(ctx, "mobilenet", MOBILENET, kernels[k], &r);
        compare_logits(ctx, "resnet", RESNET, kernels[k], &r);
    }
    at_expect_clean(&r);
    at_test_done(ctx);
}

/* ---- 20 steps ---- */

static void finish_training(rig *t)
{
    at_store *s = t->net->store;
    t->loss = at_softmax_xent(t->g, t->output, t->labels, NULL, 0);
    at_gradients(t->g, &t->loss.sum, &(at_value *){NULL}, 1);
    at_step_sum(t->g, t->loss.sum);
    at_step_sum(t->g, t->loss.weight);
    at_expect_ok(t->ctx, at_graph_finish(t->g));
    at_expect_ok(t->ctx, at_store_layout(s, t->g));
    for (int i = 0; i < s->n_ranges; i++) s->ranges[i].decay = s->ranges[i].state->shape.rank > 1 ? decay : 0;
    at_expect_ok(t->ctx, at_build_commit(&t->commit, t->g, t->loss.sum, t->loss.weight, 0,
                                         &at_optimizer_adamw, &adamw));
    t->fetch[0] = t->commit.norm;
    t->fetch[1] = t->commit.ok;
    at_expect_ok(t->ctx,
                 at_plan_create(&t->plan, t->g, &(at_plan_options){.fetches = t->fetch, .n_fetches = 2}));
}

static void run_step(rig *t, at_real *loss, at_real *norm)
{
    const at_real r = (at_real)rate;
    const at_pass pass = {.extents = &t->n};
    at_real ok;
    feed(t);
    at_plan_run(t->plan, &pass);
    at_plan_write(t->plan, t->commit.rate, &r, 1);
    at_plan_commit(t->plan, &pass);
    at_plan_fetch(t->plan, t->loss.sum, loss);
    at_plan_fetch(t->plan, t->commit.norm, norm);
    at_plan_fetch(t->plan, t->commit.ok, &ok);
    at_expect_ok(t->ctx, at_plan_sync(t->plan));
    assert_true(ok > 0);
    *loss /= (at_real)t->n;
}

/* "end.base_model.model.MODULE.lora_A.weight" for a state of an adapter, or of a module that is saved. */
static const at_tensor *golden_end(const rig *t, const char *network, const at_param *p)
{
    char name[AT_PEFT_NAME], what[AT_PEFT_NAME + 8];
    const char *prefix = t->model ? at_model_prefix(t->model) : NULL;
    if (p->part == AT_ADAPTER)
        at_peft_name(name, p->site, prefix, p->state->name + strlen(p->site->name) + 1);
    else
        at_peft_param_name(name, p, prefix);
    snprintf(what, sizeof what, "end.%s", name);
    return golden(t, network, what);
}

static void compare_end(rig *t, const char *network, at_report *r)
{
    for (int i = 0; i < t->net->n_params; i++) {
        const at_param *p = t->net->params[i];
        if (!p->trainable) continue;
        at_real *got = malloc((size_t)p->state->count * sizeof *got),
                *want = reals(t->ctx, golden_end(t, network, p));
        at_expect_ok(t->ctx, at_state_get(t->net->store, p->state, got));
        at_report_close_l2(r, p->state->name, got, want, p->state->count, AT_TOL_TRACE_WEIGHT);
        free(got), free(want);
    }
}

/* gradients of the last step that are zero throughout */
static int count_still(rig *t, const char *part)
{
    int still = 0;
    const at_store *s = t->net->store;
    at_real *flat = malloc((size_t)s->gradient->count * sizeof *flat);
    at_expect_ok(t->ctx, at_state_get(t->net->store, s->gradient, flat));
    for (int i = 0; i < s->n_ranges; i++) {
        bool zero = true;
        for (int64_t k = s->ranges[i].lo; k < s->ranges[i].hi; k++) zero &= flat[k] == 0;
        still += zero && strstr(s->ranges[i].state->name, part);
    }
    free(flat);
    return still;
}

static void compare_trace(rig *t, const char *network, at_report *r)
{
    at_real losses[STEPS], norms[STEPS];
    finish_training(t);
    for (int i = 0; i < STEPS; i++) {
        run_step(t, &losses[i], &norms[i]);
        const bool starts = i == 0 && strcmp(network, "two_layer") == 0; /* with B = 0 */
        assert_int_equal(count_still(t, "lora_A"), starts ? 2 : 0);
        assert_int_equal(count_still(t, "lora_B"), 0);
    }
    at_report_at(r, "%s", network);
    at_real *loss = reals(t->ctx, golden(t, network, "loss")),
            *norm = reals(t->ctx, golden(t, network, "grad_norm"));
    at_report_close(r, "loss", losses, loss, STEPS, AT_TOL_TRACE_LOSS);
    at_report_close(r, "grad_norm", norms, norm, STEPS, AT_TOL_TRACE_WEIGHT);
    compare_end(t, network, r);
    free(loss), free(norm);
}

/* No gradient and no memory for the frozen weights: they stay in their file. */
static void expect_base_in_file(const rig *t)
{
    for (int i = 0; i < t->net->n_params; i++) {
        const at_param *p = t->net->params[i];
        if (p->trainable || p->part == AT_NORM_BATCHES) continue;
        assert_true(p->state->host[0] && !p->state->owned && !p->state->gradient.data);
    }
}

AT_TEST(test_lora__20_adamw_steps_equal_peft)
{
    at_ctx *ctx = at_test_ctx();
    at_report r = {0};
    rig t;
    open_two_layer(&t, ctx);
    at_expect_ok(ctx, hang_from(&t, HERE "two_layer"));
    build_two_layer(&t, AT_TRAIN);
    compare_trace(&t, "two_layer", &r);
    close_rig(&t);
    open_model(&t, ctx, MOBILENET);
    at_expect_ok(ctx, hang_from(&t, HERE "mobilenet"));
    t.model->head.site->part[AT_WEIGHT]->trainable = true;
    t.model->head.site->part[AT_BIAS]->trainable = true;
    build_model(&t, AT_TRAIN);
    compare_trace(&t, "mobilenet", &r);
    expect_base_in_file(&t);
    close_rig(&t);
    at_expect_clean(&r);
    at_test_done(ctx);
}

/* ---- Neutral at first ---- */

static at_lora_options defaults(at_ctx *ctx, int64_t r)
{
    at_arena a;
    at_lora_options o;
    at_arena_init(&a, ctx);
    at_expect_ok(ctx, at_options_default(&a, &at_options_lora, &o));
    at_arena_deinit(&a);
    o.sites = NULL;
    o.r = r;
    return o;
}

AT_TEST(test_lora__fresh_adapters_change_no_bit_and_no_draw)
{
    static const at_mode modes[] = {AT_EVAL, AT_TRAIN};
    at_ctx *ctx = at_test_ctx();
    at_report r = {0};
    at_real logits[2][MOST * CLASSES];
    for (int m = 0; m < 2; m++) {
        for (int i = 0; i < 2; i++) {
            rig t;
            at_lora_options o = defaults(ctx, 4);
            o.dropout = 0.3;
            open_model(&t, ctx, MOBILENET);
            t.model->head.dropout = 0.5; /* draws that must stay */
            if (i) at_expect_ok(ctx, hang_with(&t, &o, 7));
            build_model(&t, modes[m]);
            assert_int_equal(at_store_find(t.net->store, "classifier.lora_A.weight") != NULL, i);
            forward(&t, "auto", logits[i]);
            close_rig(&t);
        }
        at_report_at(&r, "mode %d", (int)modes[m]);
        at_report_same(&r, "logits", logits[1], logits[0], 3 * CLASSES * sizeof(at_real));
    }
    at_expect_clean(&r);
    at_test_done(ctx);
}

/* A as PEFT draws it: uniform up to 1/sqrt(in), by seed and site; B = 0. */
AT_TEST(test_lora__a_is_uniform_and_b_is_zero)
{
    at_ctx *ctx = at_test_ctx();
    at_real a[3][4 * 33], b[CLASSES * 4];
    for (int i = 0; i < 3; i++) { /* seeds 1, 1, 2 */
        rig t;
        const at_lora_options o = defaults(ctx, 4);
        open_two_layer(&t, ctx);
        at_expect_ok(ctx, hang_with(&t, &o, i < 2 ? 1 : 2));
        at_store *s = t.net->store;
        at_expect_ok(ctx, at_state_get(s, at_store_find(s, "output.lora_A.weight"), a[i]));
        at_expect_ok(ctx, at_state_get(s, at_store_find(s, "output.lora_B.weight"), b));
        for (int k = 0; k < CLASSES * 4; k++) assert_true(b[k] == 0);
        close_rig(&t);
    }
    double sum = 0, square = 0;
    const double n = 4 * 33, bound = 1 / sqrt(33);
    for (int k = 0; k < 4 * 33; k++) {
        assert_true(fabs((double)a[0][k]) <= bound * (1 + 1e-6));
        sum += (double)a[0][k];
        square += (double)a[0][k] * (double)a[0][k];
    }
    assert_true(fabs(sum / n) < 4 * bound / sqrt(3 * n)); /* 4 standard errors */
    assert_true(fabs(square / n - bound * bound / 3) < 4 * bound * bound * sqrt(4.0 / 45 / n));
    assert_memory_equal(a[0], a[1], sizeof a[0]);
    assert_true(memcmp(a[0], a[2], sizeof a[0]) != 0);
    at_test_done(ctx);
}

/* ---- Merging and folders of our own ---- */

/* W = [[1,0,2],[0,1,-1]], A = [[.1,-.2,.3]], B = [[.5],[-1]], s = 2: worked out by hand. */
AT_TEST(test_lora__merges_what_the_formula_says)
{
    static const at_real w0[] = {1, 0, 2, 0, 1, -1}, a[] = {(at_real)0.1, (at_real)-0.2, (at_real)0.3},
                         b[] = {(at_real)0.5, -1};
    static const double want[] = {1.1, -0.2, 2.3, -0.2, 1.4, -1.6};
    at_ctx *ctx = at_test_ctx();
    at_device *device;
    at_net net;
    at_site *site;
    at_real w[6];
    at_lora_options o = defaults(ctx, 1);
    o.alpha = 2;
    at_adapter_setup setup = {.options = &o, .where = "edits"};
    at_expect_ok(ctx, at_device_open(&device, ctx, "cpu"));
    at_expect_ok(ctx, at_net_init(&net, ctx, device));
    at_expect_ok(ctx, at_net_group(&net, "all"));
    at_expect_ok(ctx, at_net_linear(&site, &net, "f", "f", 3, 2, true));
    at_expect_ok(ctx, at_adapter_hang(&at_adapter_lora, &net, (at_site *[1]){site}, 1, &setup));
    at_expect_ok(ctx, at_state_set(net.store, at_store_find(net.store, "f.lora_A.weight"), a));
    at_expect_ok(ctx, at_state_set(net.store, at_store_find(net.store, "f.lora_B.weight"), b));
    memcpy(w, w0, sizeof w);
    const at_intercept *i = site->intercepts;
    at_expect_ok(ctx, i->merge(&net, site, AT_BIAS, w, i->self));
    assert_memory_equal(w, w0, sizeof w);
    at_expect_ok(ctx, i->merge(&net, site, AT_WEIGHT, w, i->self));
    for (int k = 0; k < 6; k++) assert_true(fabs((double)w[k] - want[k]) < 4e-7);
    at_net_deinit(&net);
    at_device_close(device);
    at_test_done(ctx);
}

static void scratch(char out[1024], const char *name)
{
    char path[256];
    snprintf(path, sizeof path, "lora-f%d/%s", (int)sizeof(at_real) * 8, name);
    at_test_folder(out, path);
}

static void check_merge(at_ctx *ctx, const char *network, const char *model, at_report *r)
{
    rig t;
    char folder[1100], saved[1024];
    at_real adapted[MOST * CLASSES], merged[MOST * CLASSES];
    open_model(&t, ctx, model);
    snprintf(folder, sizeof folder, HERE "%s", network);
    at_expect_ok(ctx, hang_from(&t, folder));
    scratch(saved, "merged");
    at_expect_ok(ctx, at_model_save(t.model, saved));
    snprintf(folder, sizeof folder, "cp '%s/golden.safetensors' '%s'", model, saved);
    assert_int_equal(system(folder), 0);
    build_model(&t, AT_EVAL);
    forward(&t, "auto", adapted);
    const int64_t n = t.n * CLASSES;
    close_rig(&t);
    open_model(&t, ctx, saved);
    build_model(&t, AT_EVAL);
    forward(&t, "auto", merged);
    close_rig(&t);
    at_report_at(r, "%s", network);
    at_report_close(r, "merged", merged, adapted, n, sizeof(at_real) == sizeof(double) ? 1e-12 : 1e-5);
}

AT_TEST(test_lora__a_merged_network_computes_the_same)
{
    at_ctx *ctx = at_test_ctx();
    at_report r = {0};
    check_merge(ctx, "mobilenet", MOBILENET, &r);
    check_merge(ctx, "resnet", RESNET, &r);
    at_expect_clean(&r);
    at_test_done(ctx);
}

/* Every tensor of one folder is in the other, with the same bits (of floats: the double library widens). */
static void compare_folders(at_ctx *ctx, const char *a, const char *b, at_report *r)
{
    at_peft *f[2];
    at_expect_ok(ctx, at_peft_open(&f[0], ctx, a, "LORA"));
    at_expect_ok(ctx, at_peft_open(&f[1], ctx, b, "LORA"));
    at_report_check(r, f[0]->tensors->n == f[1]->tensors->n, "%s has %lld tensors, %s %lld", a,
                    (long long)f[0]->tensors->n, b, (long long)f[1]->tensors->n);
    for (int64_t i = 0; i < f[0]->tensors->n; i++) {
        const at_tensor *t = &f[0]->tensors->tensors[i];
        at_real *x = malloc((size_t)t->count * sizeof *x), *y = malloc((size_t)t->count * sizeof *y);
        at_expect_ok(ctx, at_peft_get(f[0], t->name, t->rank, t->dim, x));
        at_expect_ok(ctx, at_peft_get(f[1], t->name, t->rank, t->dim, y));
        at_report_same(r, t->name, y, x, (size_t)t->count * sizeof *x);
        free(x), free(y);
    }
    static const char *const keys[] = {"r", "use_rslora", "modules_to_save"};
    for (int i = 0; i < AT_COUNT(keys); i++)
        at_report_check(r,
                        at_tree_equal(at_tree_get(f[0]->config, keys[i]), at_tree_get(f[1]->config, keys[i])),
                        "%s differs between %s and %s", keys[i], a, b);
    at_peft_close(f[0]);
    at_peft_close(f[1]);
}

static void check_round_trip(at_ctx *ctx, const char *network, const char *model, at_report *r)
{
    rig t;
    char folder[1100], written[1024];
    at_real got[MOST * CLASSES];
    snprintf(folder, sizeof folder, HERE "%s", network);
    scratch(written, "written");
    open_model(&t, ctx, model);
    at_expect_ok(ctx, hang_from(&t, folder));
    const at_adapter_folder f = {.path = written, .prefix = at_model_prefix(t.model), .base = model};
    at_expect_ok(ctx, at_adapter_lora.write(t.net, &f));
    close_rig(&t);
    at_report_at(r, "%s written", network);
    compare_folders(ctx, folder, written, r);
    open_model(&t, ctx, model); /* scales are in no tensor */
    at_expect_ok(ctx, hang_from(&t, written));
    build_model(&t, AT_EVAL);
    forward(&t, "auto", got);
    at_real *want = reals(ctx, golden(&t, network, "logits"));
    at_report_close(r, "logits", got, want, t.n * CLASSES, AT_TOL_GOLDEN);
    free(want);
    close_rig(&t);
}

AT_TEST(test_lora__what_is_read_is_written)
{
    at_ctx *ctx = at_test_ctx();
    at_report r = {0};
    check_round_trip(ctx, "mobilenet", MOBILENET, &r);
    check_round_trip(ctx, "resnet", RESNET, &r);
    at_expect_clean(&r);
    at_test_done(ctx);
}

/* A rank above a layer's is cut to it, with the same scale. */
AT_TEST(test_lora__narrow_layers_get_their_own_rank)
{
    at_ctx *ctx = at_test_ctx();
    rig t;
    at_lora_options o = defaults(ctx, 6);
    o.alpha = 9;
    open_two_layer(&t, ctx);
    at_expect_ok(ctx, hang_with(&t, &o, 0));
    assert_int_equal(at_store_find(t.net->store, "hidden.lora_B.weight")->cols, 6);
    assert_int_equal(at_store_find(t.net->store, "output.lora_B.weight")->cols, 5);
    char written[1024];
    scratch(written, "narrow");
    const at_adapter_folder f = {.path = written, .base = "base"};
    at_expect_ok(ctx, at_adapter_lora.write(t.net, &f));
    at_peft *p;
    double rank = 0, alpha = 0;
    at_expect_ok(ctx, at_peft_open(&p, ctx, written, "LORA"));
    at_expect_ok(ctx, at_peft_pattern(p, "rank_pattern", "2", &rank));
    at_expect_ok(ctx, at_peft_pattern(p, "alpha_pattern", "2", &alpha));
    assert_true(rank == 5 && alpha == 7.5);
    at_expect_ok(ctx, at_peft_pattern(p, "rank_pattern", "0", &rank));
    assert_true(rank == 5);
    at_peft_close(p);
    close_rig(&t);
    at_test_done(ctx);
}

/* ---- What is refused ---- */

static void expect_rank_refused(at_ctx *ctx, int64_t r)
{
    rig t;
    const at_lora_options o = defaults(ctx, r);
    open_two_layer(&t, ctx);
    at_expect_error(ctx, hang_with(&t, &o, 0), AT_E_RANGE,
                    "edits: lora.r is 8, larger than the layers: hidden, the largest of those selected, has "
                    "rank 7");
    close_rig(&t);
}

AT_TEST(test_lora__a_rank_above_all_layers_is_refused)
{
    at_ctx *ctx = at_test_ctx();
    expect_rank_refused(ctx, 8);
    at_test_done(ctx);
}

/* A copy of the golden folder of the two-layer network in which `from` of the config is replaced. */
static void make_folder(char out[1024], const char *from, const char *to)
{
    char command[4096];
    scratch(out, "edited");
    snprintf(command, sizeof command,
             "cp '" HERE "two_layer/adapter_model.safetensors' '%s' && sed 's|%s|%s|' '" HERE
             "two_layer/adapter_config.json' > '%s/adapter_config.json'",
             out, from, to, out);
    assert_int_equal(system(command), 0);
}

AT_TEST(test_lora__what_a_config_may_not_say)
{
    static const struct {
        const char *from, *to;
        at_status status;
        const char *message;
    } cases[] = {
        {"\"LORA\"", "\"IA3\"", AT_E_UNSUPPORTED,
         "adapter_config.json: peft_type is \"IA3\"; what can be read here is \"LORA\""},
        {"\"peft_type\"", "\"type\"", AT_E_FORMAT, "adapter_config.json: peft_type is missing"},
        {"\"bias\": \"none\"", "\"bias\": \"lora_only\"", AT_E_UNSUPPORTED,
         "adapter_config.json: bias is lora_only, which is not supported here"},
        {"\"use_dora\": false", "\"use_dora\": true", AT_E_UNSUPPORTED,
         "adapter_config.json: use_dora is true, which is not supported here"},
        {"\"init_lora_weights\": true", "\"init_lora_weights\": \"pissa_niter_4\"", AT_E_UNSUPPORTED,
         "init_lora_weights is \"pissa_niter_4\": it changes the network's own weights"},
        {"\"r\": 4", "\"r\": 0", AT_E_RANGE, "adapter_config.json: r is 0, must be 1 to 65536"},
        {"\"r\": 4", "\"r\": \"4\"", AT_E_ARG,
         "adapter_config.json: r is text \"4\", must be a whole number"},
        {"\"r\": 4", "\"r\": 5", AT_E_SHAPE,
         "adapter_model.safetensors: tensor \"base_model.model.0.lora_A.weight\" has shape [4,7], this "
         "network "
         "needs [5,7]: the adapter belongs to another"},
        {"\"rank_pattern\": {}", "\"rank_pattern\": {\"[02]\": 4}", AT_E_UNSUPPORTED,
         "adapter_config.json: the key \"[02]\" of rank_pattern is a regular expression; only names of "
         "modules "
         "are supported"},
        {"\"rank_pattern\": {}", "\"rank_pattern\": {\"0\": 2.5}", AT_E_FORMAT,
         "the rank_pattern of 0 is 2.5, must be a whole number from 1 to 65536"},
        {"\"alpha_pattern\": {}", "\"alpha_pattern\": {\"0\": \"x\"}", AT_E_FORMAT,
         "adapter_config.json: alpha_pattern of \"0\" must be a number"},
    };
    at_ctx *ctx = at_test_ctx();
    char folder[1024];
    for (int i = 0; i < AT_COUNT(cases); i++) {
        rig t;
        make_folder(folder, cases[i].from, cases[i].to);
        open_two_layer(&t, ctx);
        at_expect_error(ctx, hang_from(&t, folder), cases[i].status, cases[i].message);
        close_rig(&t);
    }
    at_test_done(ctx);
}

/* Unknown keys are ignored, and names in patterns may be escaped or anchored. */
AT_TEST(test_lora__what_a_config_may_say)
{
    static const char *const changes[][2] = {
        {"\"r\": 4", "\"r\": 4, \"of_a_later_peft\": [1]"},
        {"\"alpha_pattern\": {}", "\"alpha_pattern\": {\"^0\": 8, \"y.2\": 3}"},
        {"\"lora_alpha\": 8,", "\"lora_alpha\": 8.0,"},
    };
    at_ctx *ctx = at_test_ctx();
    char folder[1024];
    for (int i = 0; i < AT_COUNT(changes); i++) {
        rig t;
        make_folder(folder, changes[i][0], changes[i][1]);
        open_two_layer(&t, ctx);
        at_expect_ok(ctx, hang_from(&t, folder));
        close_rig(&t);
    }
    at_test_done(ctx);
}

AT_TEST(test_lora__folders_that_do_not_fit)
{
    at_ctx *ctx = at_test_ctx();
    rig t;
    char folder[1024], command[3000];
    open_model(&t, ctx, MOBILENET);
    at_expect_error(ctx, hang_from(&t, HERE "resnet"), AT_E_FORMAT,
                    "belongs to nothing in this network: the adapter is another's");
    at_expect_error(ctx, hang_from(&t, "/nowhere"), AT_E_IO, "/nowhere/adapter_config.json: cannot open");
    close_rig(&t);
    make_folder(folder, "x", "x");
    snprintf(command, sizeof command, "rm '%s/adapter_model.safetensors'", folder);
    assert_int_equal(system(command), 0);
    open_two_layer(&t, ctx);
    at_expect_error(ctx, hang_from(&t, folder), AT_E_IO, "adapter_model.safetensors: cannot open");
    snprintf(command, sizeof command, "cp '" MOBILENET "/model.safetensors' '%s/adapter_model.safetensors'",
             folder);
    assert_int_equal(system(command), 0);
    at_expect_error(ctx, hang_from(&t, folder), AT_E_FORMAT, "belongs to nothing in this network");
    close_rig(&t);
    at_test_done(ctx);
}

/* ---- No memory ---- */

static at_status attempt(at_ctx *ctx, void *unused)
{
    (void)unused;
    at_device *device;
    at_model *m = NULL;
    char folder[1024];
    AT_TRY(at_device_open(&device, ctx, "cpu"));
    at_status s = at_model_open(&m, ctx, device, RESNET);
    if (s == AT_OK) s = at_model_keep_head(m);
    if (s == AT_OK) {
        rig t = {.ctx = ctx, .model = m, .net = &m->net};
        scratch(folder, "torture");
        s = hang_from(&t, HERE "resnet");
        const at_adapter_folder f = {.path = folder, .prefix = at_model_prefix(m), .base = "base"};
        if (s == AT_OK) s = at_adapter_lora.write(&m->net, &f);
        if (s == AT_OK) s = at_model_save(m, folder);
    }
    at_model_close(m);
    at_device_close(device);
    return s;
}

AT_TEST(test_lora__survives_the_failure_of_any_allocation)
{
    at_ctx *ctx = at_test_ctx();
    at_torture(ctx, attempt, NULL);
    at_test_done(ctx);
}
