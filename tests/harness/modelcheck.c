/* modelcheck.c: a model with a graph, fed with golden inputs: outputs, gradients, steps; and saved again. */
#include "tests/harness/modelcheck.h"
#include "engine/fuse.h"
#include "engine/plan.h"
#include "models/model.h"
#include "ops/mse/mse.h"
#include "ops/optim/adamw.h"
#include "ops/optim/sgd.h"
#include "ops/sigmoid_xent/sigmoid_xent.h"
#include "tests/harness/report.h"
#include "tests/harness/tolerance.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { N_STEPS = 20, MAX_FEEDS = 8, MOST_ROWS = 64 };

typedef struct feed { /* an input and what it gets */
    at_value *value;
    void *data;
    int64_t rows;
} feed;

typedef struct rig {
    at_ctx *ctx;
    at_device *device;
    at_model *model;
    at_safetensors *golden;
    at_graph *g;
    at_plan *plan;
    at_inputs in;
    at_value *output, *fetch[4];
    at_loss loss;
    at_commit commit;
    int64_t n, extents[2]; /* samples; samples and, of texts, rows */
    int64_t counted;       /* what a mean loss divides by */
    feed feeds[MAX_FEEDS];
    int n_feeds;
    bool plain; /* no fusions */
} rig;

static at_real *reals(at_ctx *ctx, const at_tensor *t)
{
    if (!t) fail_msg("the golden lacks a tensor");
    at_real *out = malloc((size_t)(t->count + 1) * sizeof *out);
    at_storage_of(ctx, t->dtype)->load(out, &t->data, t->count, 0, 0, t->count);
    return out;
}

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

static void open_rig(rig *t, const char *folder, const char *golden, const char *device)
{
    at_expect_ok(t->ctx, at_device_open(&t->device, t->ctx, device));
    at_expect_ok(t->ctx, at_model_open(&t->model, t->ctx, t->device, folder));
    at_expect_ok(t->ctx, at_safetensors_open(&t->golden, t->ctx, golden));
}

static void close_rig(rig *t)
{
    at_plan_destroy(t->plan);
    at_graph_destroy(t->g);
    at_safetensors_close(t->ctx, t->golden);
    at_model_close(t->model);
    at_device_close(t->device);
    for (int i = 0; i < t->n_feeds; i++) free(t->feeds[i].data);
}

/* ---- Inputs ---- */

static at_value *add_feed(rig *t, const char *name, at_value *value, void *data, int64_t rows)
{
    t->in.list[t->in.n].name = name;
    t->in.list[t->in.n++].value = value;
    t->feeds[t->n_feeds++] = (feed){value, data, rows};
    return value;
}

/* The first n whole numbers of a golden tensor; NULL: 0, 1 ... */
static int32_t *wholes(const at_tensor *t, int64_t n)
{
    int32_t *out = malloc((size_t)(n + 1) * sizeof *out);
    for (int64_t i = 0; i < n; i++) out[i] = (int32_t)(t ? ((const int64_t *)t->data)[i] : i);
    return out;
}

static void add_photos(rig *t, const at_extent *samples, const at_tensor *pixels)
{
    const int64_t image[] = {1, pixels->dim[2], pixels->dim[3], pixels->dim[1]};
    at_value *v = at_input(t->g, "pixel_values", AT_ACT, samples, 4, image);
    add_feed(t, "pixel_values", v, channels_last(t->ctx, pixels), t->n);
}

static int32_t *positions(const int32_t *offsets, int64_t n)
{
    int32_t *out = malloc((size_t)offsets[n] * sizeof *out);
    for (int64_t s = 0; s < n; s++)
        for (int32_t r = offsets[s]; r < offsets[s + 1]; r++) out[r] = r - offsets[s];
    return out;
}

/* Whole numbers are classes, of samples or of tokens; [S] real numbers targets, [S,K] sets of classes. NULL =
 * nobody reads them. */
static void add_labels(rig *t, const at_extent *extent, const at_tensor *labels)
{
    const bool whole = !labels || labels->dtype == AT_I64;
    const int rank = labels ? labels->rank : 1;
    const int64_t n = labels ? labels->dim[0] : t->n, dim[] = {1, rank > 1 ? labels->dim[1] : 1};
    at_value *v = at_input(t->g, "labels", whole ? AT_INT : AT_ACC, extent, rank, dim);
    void *values = whole ? (void *)wholes(labels, n) : (void *)reals(t->ctx, labels);
    add_feed(t, "labels", v, values, n);
    if (!whole) t->counted = labels->count;
    for (int64_t i = 0; whole && i < n; i++) t->counted += ((int32_t *)values)[i] != AT_NO_LABEL;
}

/* Sequences laid end to end, with room for more. */
static void add_texts(rig *t, const at_safetensors *from)
{
    const int64_t one[] = {1}, bounds[] = {t->n + 1};
    const at_tensor *ids = at_safetensors_find(from, "input_ids");
    const int64_t R = t->extents[1] = ids->dim[0];
    const at_extent *rows = at_graph_extent(t->g, "rows", MOST_ROWS);
    int32_t *offsets = wholes(at_safetensors_find(from, "offsets"), t->n + 1);
    assert_true(R <= MOST_ROWS);
    if (t->model->head.per_token) add_labels(t, rows, at_safetensors_find(from, "labels"));
    add_feed(t, "input_ids", at_input(t->g, "input_ids", AT_INT, rows, 1, one), wholes(ids, R), R);
    add_feed(t, "token_type_ids", at_input(t->g, "token_type_ids", AT_INT, rows, 1, one),
             wholes(at_safetensors_find(from, "token_type_ids"), R), R);
    add_feed(t, "position_ids", at_input(t->g, "position_ids", AT_INT, rows, 1, one),
             positions(offsets, t->n), R);
    add_feed(t, "row_id", at_input(t->g, "row_id", AT_INT, rows, 1, one), wholes(NULL, R), R);
    add_feed(t, "offsets", at_input(t->g, "offsets", AT_INT, NULL, 1, bounds), offsets, t->n + 1);
}

static at_loss loss_of(rig *t)
{
    at_value *labels = at_inputs_get(t->g, &t->in, "labels");
    if (labels->meta.type == AT_INT) return at_softmax_xent(t->g, t->output, labels, NULL, 0);
    if (labels->meta.rank == 1) return at_mse(t->g, t->output, labels, 0, 1);
    return at_sigmoid_xent(t->g, t->output, labels, NULL);
}

/* Inputs of the file, and the network's output. */
static void build_rig(rig *t, at_mode mode, const at_safetensors *from)
{
    const at_tensor *pixels = at_safetensors_find(from, "pixel_values"),
                    *offsets = at_safetensors_find(from, "offsets");
    const int64_t one[] = {1};
    t->n = t->extents[0] = pixels ? pixels->dim[0] : offsets->dim[0] - 1;
    at_expect_ok(t->ctx, at_graph_create(&t->g, t->ctx, t->model->net.store, mode));
    const at_extent *samples = at_graph_extent(t->g, "samples", t->n);
    add_feed(t, "sample_id", at_input(t->g, "sample_id", AT_INT, samples, 1, one), wholes(NULL, t->n), t->n);
    if (!t->model->head.per_token) add_labels(t, samples, at_safetensors_find(from, "labels"));
    if (pixels)
        add_photos(t, samples, pixels);
    else
        add_texts(t, from);
    t->output = t->model->architecture->build(t->model, t->g, &t->in);
    if (!t->plain) at_graph_fuse(t->g, &t->output, 1);
}

static void write_feeds(rig *t)
{
    for (int i = 0; i < t->n_feeds; i++)
        at_plan_write(t->plan, t->feeds[i].value, t->feeds[i].data, t->feeds[i].rows);
}

static void compare_output(rig *t, const at_tensor *want, const char *what, double tol)
{
    at_real *got = malloc((size_t)want->count * sizeof *got), *expected = reals(t->ctx, want);
    write_feeds(t);
    at_plan_run(t->plan, &(at_pass){.extents = t->extents});
    at_plan_fetch(t->plan, t->output, got);
    at_expect_ok(t->ctx, at_plan_sync(t->plan));
    at_report r = {0};
    at_report_at(&r, "%s", what);
    at_report_close(&r, "output", got, expected, want->count, tol);
    at_expect_clean(&r);
    free(got), free(expected);
}

/* ---- Evaluation ---- */

void at_check_output(at_ctx *ctx, const at_model_case *c)
{
    char beside[1200];
    snprintf(beside, sizeof beside, "%s/golden.safetensors", c->folder);
    rig t = {.ctx = ctx, .plain = c->plain};
    const char *golden = c->golden ? c->golden : beside;
    at_safetensors *inputs;
    open_rig(&t, c->folder, golden, c->device ? c->device : "cpu");
    at_expect_ok(ctx, at_safetensors_open(&inputs, ctx, c->inputs ? c->inputs : golden));
    if (!c->headless) at_expect_ok(ctx, at_model_keep_head(t.model));
    build_rig(&t, AT_EVAL, inputs);
    at_expect_ok(
        ctx, at_plan_create(&t.plan, t.g,
                            &(at_plan_options){.kernels = c->kernels, .fetches = &t.output, .n_fetches = 1}));
    compare_output(&t, at_safetensors_find(t.golden, c->tensor), c->tensor,
                   c->tol > 0 ? c->tol : AT_TOL_GOLDEN);
    at_safetensors_close(ctx, inputs);
    close_rig(&t);
}

/* A fresh folder that no other golden folder's test, nor the same test in the other precision, has. */
static const char *scratch(char out[1024], const char *golden, const char *name)
{
    char path[1024];
    const size_t skip =
        strncmp(golden, AT_SOURCE_DIR, strlen(AT_SOURCE_DIR)) == 0 ? strlen(AT_SOURCE_DIR) : 0;
    snprintf(path, sizeof path, "model-f%d/%s/%s", (int)sizeof(at_real) * 8, golden + skip, name);
    return at_test_folder(out, path);
}

const char *at_variant_folder(char out[1024], const char *golden, const char *variant)
{
    char command[4096];
    scratch(out, golden, variant);
    snprintf(command, sizeof command, "cp '%s'/*.safetensors '%s' && cp '%s/config.%s.json' '%s/config.json'",
             golden, out, golden, variant, out);
    if (system(command) != 0) fail_msg("%s", command);
    return out;
}

void at_check_variant(at_ctx *ctx, const char *folder, const char *variant)
{
    char copy[1024], golden[1100], tensor[64];
    snprintf(golden, sizeof golden, "%s/golden.safetensors", folder);
    snprintf(tensor, sizeof tensor, "eval.%s.logits", variant);
    at_check_output(ctx, &(at_model_case){.folder = at_variant_folder(copy, folder, variant),
                                          .golden = golden,
                                          .tensor = tensor});
}

void at_check_refused_config(at_ctx *ctx, const char *json, at_status status, const char *part)
{
    char name[32], folder[1024], path[1100];
    at_device *device;
    at_model *m;
    snprintf(name, sizeof name, "refused-%d", (int)getpid()); /* suites of other models run beside this one */
    scratch(folder, "/config", name);
    snprintf(path, sizeof path, "%s/config.json", folder);
    at_expect_ok(ctx, at_file_write(ctx, path, json, strlen(json)));
    at_expect_ok(ctx, at_device_open(&device, ctx, "cpu"));
    at_expect_error(ctx, at_model_open(&m, ctx, device, folder), status, part);
    at_device_close(device);
}

/* ---- Training: everything learns, batch statistics ---- */

static void build_training(rig *t, const at_trace *trace)
{
    at_expect_ok(t->ctx, at_model_keep_head(t->model));
    for (int i = 0; i < t->model->net.n_params; i++) {
        at_param *p = t->model->net.params[i];
        p->trainable =
            p->part == AT_WEIGHT || p->part == AT_BIAS || p->part == AT_NORM_GAMMA || p->part == AT_NORM_BETA;
    }
    at_net_assign_roles(&t->model->net);
    build_rig(t, AT_TRAIN, t->golden);
    t->loss = loss_of(t);
    at_gradients(t->g, &t->loss.sum, &(at_value *){NULL}, 1);
    if (!t->plain) at_graph_fuse(t->g, (at_value *const[]){t->output, t->loss.sum, t->loss.weight}, 3);
    at_step_sum(t->g, t->loss.sum);
    at_step_sum(t->g, t->loss.weight);
    at_expect_ok(t->ctx, at_graph_finish(t->g));
    at_store *s = t->model->net.store;
    at_expect_ok(t->ctx, at_store_layout(s, t->g));
    for (int i = 0; i < s->n_ranges; i++)
        s->ranges[i].decay = s->ranges[i].state->shape.rank > 1 ? trace->decay : 0;
    at_expect_ok(t->ctx, at_build_commit(&t->commit, t->g, t->loss.sum, t->loss.weight, trace->clip,
                                         trace->optimizer, trace->options));
    t->fetch[0] = t->output;
    t->fetch[1] = t->commit.norm;
    t->fetch[2] = t->commit.ok;
    at_expect_ok(t->ctx, at_plan_create(&t->plan, t->g,
                                        &(at_plan_options){
                                            .kernels = trace->kernels, .fetches = t->fetch, .n_fetches = 3}));
}

/* The golden tensor "prefix.NAME" for a parameter; NULL = the golden does not have it. */
static const at_tensor *golden_of(const rig *t, const char *prefix, const at_param *p)
{
    char name[300];
    snprintf(name, sizeof name, "%s.%s%s", prefix, t->model->prefix, p->file_name);
    const at_tensor *x = at_safetensors_find(t->golden, name);
    snprintf(name, sizeof name, "%s.%s", prefix, p->file_name);
    return x ? x : at_safetensors_find(t->golden, name);
}

/* Gradients of sums, divided by the count as the commit does. */
static void compare_gradients(rig *t, at_report *r)
{
    at_store *s = t->model->net.store;
    at_real *flat = malloc((size_t)s->gradient->count * sizeof *flat);
    at_expect_ok(t->ctx, at_state_get(s, s->gradient, flat));
    double largest =
        0; /* a shift before a batch norm has no gradient at all: differences count against the others */
    for (int64_t i = 0; i < s->gradient->count; i++)
        largest = fmax(largest, fabs((double)flat[i]) / (double)t->counted);
    for (int i = 0; i < t->model->net.n_params; i++) {
        const at_param *p = t->model->net.params[i];
        if (!p->trainable) continue;
        at_real *want = reals(t->ctx, golden_of(t, "grad", p)), *got = flat + p->state->offset;
        for (int64_t k = 0; k < p->state->count; k++) got[k] /= (at_real)t->counted;
        at_report_close_to(r, p->state->name, got, want, p->state->count, AT_TOL_GOLDEN_GRADIENT,
                           1e-3 * largest);
        free(want);
    }
    free(flat);
}

static void run_step(rig *t, double rate, at_real *loss, at_real *norm)
{
    const at_real r = (at_real)rate;
    const at_pass pass = {.extents = t->extents};
    at_real ok;
    write_feeds(t);
    at_plan_run(t->plan, &pass);
    at_plan_write(t->plan, t->commit.rate, &r, 1);
    at_plan_commit(t->plan, &pass);
    at_plan_fetch(t->plan, t->loss.sum, loss);
    at_plan_fetch(t->plan, t->commit.norm, norm);
    at_plan_fetch(t->plan, t->commit.ok, &ok);
    at_expect_ok(t->ctx, at_plan_sync(t->plan));
    assert_true(ok > 0);
    *loss /= (at_real)t->counted;
}

/* Outputs and loss of the pass that ran last. */
static void compare_first_pass(rig *t, at_real loss, at_report *r)
{
    const at_tensor *logits = at_safetensors_find(t->golden, "train.logits");
    at_real *got = malloc((size_t)logits->count * sizeof *got), *want = reals(t->ctx, logits);
    at_plan_fetch(t->plan, t->output, got);
    at_expect_ok(t->ctx, at_plan_sync(t->plan));
    at_report_close(r, "logits", got, want, logits->count, AT_TOL_GOLDEN);
    free(got), free(want);
    want = reals(t->ctx, at_safetensors_find(t->golden, "train.loss"));
    at_report_close(r, "loss", &loss, want, 1, AT_TOL_GOLDEN);
    free(want);
}

/* Vectors, statistics among them, must all be in the golden; of kernels some are. */
static void compare_states(rig *t, const char *name, at_report *r)
{
    int compared = 0;
    for (int i = 0; i < t->model->net.n_params; i++) {
        const at_param *p = t->model->net.params[i];
        const at_tensor *golden = golden_of(t, name, p);
        if (p->part == AT_NORM_BATCHES) continue;
        at_report_check(r, golden || p->state->shape.rank > 1, "the golden lacks %s", p->file_name);
        if (!golden) continue;
        at_real *got = malloc((size_t)p->state->count * sizeof *got), *want = reals(t->ctx, golden);
        at_expect_ok(t->ctx, at_state_get(t->model->net.store, p->state, got));
        at_report_close_l2(r, p->state->name, got, want, p->state->count, AT_TOL_TRACE_WEIGHT);
        free(got), free(want);
        compared += p->state->shape.rank > 1;
    }
    at_report_check(r, compared >= 4, "only %d kernels of the trace were compared", compared);
}

/* The golden tensor "TRACE.what" against the numbers of 20 steps. */
static void compare_steps(rig *t, const at_trace *trace, const char *what, const at_real steps[N_STEPS],
                          double tol, at_report *r)
{
    char name[64];
    snprintf(name, sizeof name, "%s.%s", trace->name, what);
    at_real *want = reals(t->ctx, at_safetensors_find(t->golden, name));
    at_report_close(r, what, steps, want, N_STEPS, tol);
    free(want);
}

const at_trace at_trace_adamw = {.name = "adamw",
                                 .optimizer = &at_optimizer_adamw,
                                 .options = &(const at_adamw_options){0.9, 0.999, 1e-5},
                                 .rate = 1e-3,
                                 .decay = 0.01};

const at_trace at_trace_sgd = {.name = "sgd",
                               .optimizer = &at_optimizer_sgd,
                               .options = &(const at_sgd_options){0.9, true},
                               .rate = 1e-2,
                               .clip = 1.0,
                               .decay = 1e-3};

void at_check_trace(at_ctx *ctx, const char *folder, const char *device, const at_trace *trace, bool plain)
{
    char path[1200];
    rig t = {.ctx = ctx, .plain = plain};
    at_report r = {0};
    at_real losses[N_STEPS], norms[N_STEPS];
    snprintf(path, sizeof path, "%s/golden.safetensors", folder);
    open_rig(&t, folder, path, device);
    build_training(&t, trace);
    at_report_at(&r, "%s, first step", folder);
    for (int i = 0; i < N_STEPS; i++) {
        run_step(&t, trace->rate, &losses[i], &norms[i]);
        if (i > 0) continue;
        compare_first_pass(&t, losses[0], &r);
        compare_gradients(&t, &r);
    }
    at_report_at(&r, "%s, %s on %s", folder, trace->name, device);
    compare_steps(&t, trace, "loss", losses, AT_TOL_TRACE_LOSS, &r);
    compare_steps(&t, trace, "grad_norm", norms, AT_TOL_TRACE_WEIGHT, &r);
    compare_states(&t, trace->name, &r);
    at_expect_clean(&r);
    close_rig(&t);
}

/* ---- Sequences packed or one by one ---- */

static const int32_t *data_of(const rig *t, const char *name)
{
    for (int i = 0; i < t->n_feeds; i++)
        if (strcmp(t->in.list[i].name, name) == 0) return t->feeds[i].data;
    fail_msg("there is no input %s", name);
    return NULL;
}

/* Sequence s alone, as pass number `micro` of the step. */
static void run_alone(rig *t, int64_t s, int micro)
{
    const int32_t *offsets = data_of(t, "offsets"), n = offsets[s + 1] - offsets[s];
    const int32_t own[MOST_ROWS + 1] = {0, n}; /* offsets have no extent: all of them are written */
    const int64_t extents[] = {1, n};
    for (int i = 0; i < t->n_feeds; i++) {
        const feed *f = &t->feeds[i];
        const int32_t *data = f->data;
        if ((const int32_t *)f->data == offsets)
            at_plan_write(t->plan, f->value, own, f->rows);
        else if (f->rows == t->n)
            at_plan_write(t->plan, f->value, data + s, 1);
        else
            at_plan_write(t->plan, f->value, data + offsets[s], n);
    }
    at_plan_run(t->plan, &(at_pass){.extents = extents, .micro = micro});
}

static at_real *copy_gradient(rig *t)
{
    at_store *s = t->model->net.store;
    at_real *flat = malloc((size_t)s->gradient->count * sizeof *flat);
    at_expect_ok(t->ctx, at_plan_sync(t->plan));
    at_expect_ok(t->ctx, at_state_get(s, s->gradient, flat));
    return flat;
}

/* Where a sequence's outputs begin: a row each, or one of each of its rows. */
static int64_t output_row(const rig *t, int64_t s)
{
    return t->model->head.per_token ? data_of(t, "offsets")[s] : s;
}

void at_check_packing(at_ctx *ctx, const char *folder)
{
    char path[1200];
    rig t = {.ctx = ctx};
    at_report r = {0};
    snprintf(path, sizeof path, "%s/golden.safetensors", folder);
    open_rig(&t, folder, path, "cpu");
    build_training(&t, &at_trace_sgd);
    const int64_t width = at_meta_cols(&t.output->meta);
    at_real *packed = malloc((size_t)(output_row(&t, t.n) * width) * sizeof *packed), alone[64], loss, sum;
    write_feeds(&t);
    at_plan_run(t.plan, &(at_pass){.extents = t.extents});
    at_plan_fetch(t.plan, t.output, packed);
    at_plan_fetch(t.plan, t.loss.sum, &loss);
    at_real *together = copy_gradient(&t);
    for (int64_t s = 0; s < t.n; s++) {
        const int64_t first = output_row(&t, s), n = (output_row(&t, s + 1) - first) * width;
        assert_true(n <= AT_COUNT(alone));
        run_alone(&t, s, (int)s);
        at_plan_fetch(t.plan, t.output, alone);
        at_expect_ok(ctx, at_plan_sync(t.plan));
        at_report_check(&r, memcmp(alone, packed + first * width, (size_t)n * sizeof *alone) == 0,
                        "sequence %lld has other bits alone", (long long)s);
    }
    at_plan_fetch(t.plan, t.loss.sum, &sum);
    at_real *one_by_one = copy_gradient(&t);
    at_report_close(&r, "loss", &sum, &loss, 1, AT_TOL_GOLDEN);
    at_report_close(&r, "gradient", one_by_one, together, t.model->net.store->gradient->count,
                    AT_TOL_GOLDEN_GRADIENT);
    at_expect_clean(&r);
    free(packed), free(together), free(one_by_one);
    close_rig(&t);
}

/* ---- Saving ---- */

/* The model, with fresh labels or its own, saved to a folder below the build folder. */
static void save_model(at_ctx *ctx, const char *folder, const char *to, int n_labels,
                       const char *const *labels)
{
    at_device *device;
    at_model *m;
    at_expect_ok(ctx, at_device_open(&device, ctx, "cpu"));
    at_expect_ok(ctx, at_model_open(&m, ctx, device, folder));
    if (n_labels)
        at_expect_ok(ctx, at_model_new_head(m, n_labels, labels, 1));
    else
        at_expect_ok(ctx, at_model_keep_head(m));
    at_expect_ok(ctx, at_model_save(m, to));
    at_model_close(m);
    at_device_close(device);
}

static bool same_tensor(const at_tensor *a, const at_tensor *b)
{
    if (!a || a->rank != b->rank || a->dtype != b->dtype || a->bytes != b->bytes) return false;
    for (int i = 0; i < a->rank; i++)
        if (a->dim[i] != b->dim[i]) return false;
    return memcmp(a->data, b->data, a->bytes) == 0;
}

/* Tensors that differ, of those in the first; at least one must be there. */
static int count_changed(at_ctx *ctx, const char *folder, const char *saved)
{
    char path[1200];
    at_safetensors *before, *after;
    int changed = 0;
    snprintf(path, sizeof path, "%s/model.safetensors", folder);
    at_expect_ok(ctx, at_safetensors_open(&before, ctx, path));
    snprintf(path, sizeof path, "%s/model.safetensors", saved);
    at_expect_ok(ctx, at_safetensors_open(&after, ctx, path));
    assert_true(before->n > 0);
    assert_int_equal(before->n, after->n);
    for (int64_t i = 0; i < before->n; i++)
        changed += !same_tensor(at_safetensors_find(after, before->tensors[i].name), &before->tensors[i]);
    at_safetensors_close(ctx, before);
    at_safetensors_close(ctx, after);
    return changed;
}

/* Every number of classes that the config states, for timm reads the innermost. */
static void expect_classes(const at_tree *config, int n)
{
    static const char *const places[] = {"num_classes", "model_args.num_classes",
                                         "pretrained_cfg.num_classes"};
    for (int i = 0; i < AT_COUNT(places); i++) {
        const at_tree *t = at_tree_at(config, places[i]);
        if (t) assert_int_equal(t->whole, n);
    }
}

void at_check_saving(at_ctx *ctx, const char *folder)
{
    static const char *const labels[] = {"one", "two"};
    char saved[1024];
    at_device *device;
    at_model *m;
    save_model(ctx, folder, scratch(saved, folder, "saved"), 0, NULL);
    assert_int_equal(count_changed(ctx, folder, saved), 0);
    save_model(ctx, folder, scratch(saved, folder, "saved"), AT_COUNT(labels), labels);
    assert_int_equal(count_changed(ctx, folder, saved), 2); /* the head's weight and bias */
    at_expect_ok(ctx, at_device_open(&device, ctx, "cpu"));
    at_expect_ok(ctx, at_model_open(&m, ctx, device, saved));
    assert_true(at_model_has_labels(m, AT_COUNT(labels), labels));
    expect_classes(m->config, AT_COUNT(labels));
    at_expect_ok(ctx, at_model_keep_head(m));
    at_model_close(m);
    at_device_close(device);
}

/* ---- Heads of the other kind ---- */

static void check_other_kind(at_ctx *ctx, at_device *device, const char *folder, at_head_kind kind)
{
    static const char *const labels[] = {"zero", "one", "two", "three", "four"};
    const bool per_token = kind == AT_HEAD_TOKEN;
    char saved[1024];
    at_model *m;
    at_expect_ok(ctx, at_model_open(&m, ctx, device, folder));
    assert_true(m->head.per_token != per_token && m->head.in_file);
    at_model_close(m);
    at_expect_ok(ctx, at_model_open_for(&m, ctx, device, folder, kind));
    assert_true(m->head.per_token == per_token && !m->head.in_file);
    assert_false(at_model_has_labels(m, m->n_labels, m->labels));
    at_expect_ok(ctx, at_model_new_head(m, AT_COUNT(labels), labels, 1));
    at_expect_ok(ctx, at_model_save(m, scratch(saved, folder, "other")));
    at_model_close(m);
    at_expect_ok(ctx, at_model_open(&m, ctx, device, saved));
    assert_true(m->head.per_token == per_token);
    at_expect_ok(ctx, at_model_keep_head(m));
    at_model_close(m);
}

void at_check_head_kinds(at_ctx *ctx, const char *of_tokens, const char *of_samples)
{
    at_device *device;
    at_expect_ok(ctx, at_device_open(&device, ctx, "cpu"));
    check_other_kind(ctx, device, of_tokens, AT_HEAD_SAMPLE);
    check_other_kind(ctx, device, of_samples, AT_HEAD_TOKEN);
    at_device_close(device);
}

/* ---- Heads that a checkpoint lacks ---- */

static bool begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

/* A copy of the folder without the tensors that begin with one of the two; NULL = nothing begins with it. */
static const char *strip(at_ctx *ctx, char out[1024], const char *folder, const char *part, const char *head)
{
    char path[1200], command[4096];
    at_safetensors *f;
    snprintf(path, sizeof path, "%s/model.safetensors", folder);
    at_expect_ok(ctx, at_safetensors_open(&f, ctx, path));
    at_tensor *kept = malloc((size_t)(f->n + 1) * sizeof *kept);
    int64_t n = 0;
    for (int64_t i = 0; i < f->n; i++)
        if (!begins(f->tensors[i].name, part) && !(head && begins(f->tensors[i].name, head)))
            kept[n++] = f->tensors[i];
    assert_true(n > 0 && n < f->n);
    scratch(out, folder, "stripped");
    snprintf(command, sizeof command, "cp '%s/config.json' '%s'", folder, out);
    if (system(command) != 0) fail_msg("%s", command);
    snprintf(path, sizeof path, "%s/model.safetensors", out);
    at_expect_ok(ctx, at_safetensors_write(ctx, path, kept, n, NULL));
    free(kept);
    at_safetensors_close(ctx, f);
    return out;
}

/* Matrices are N(0, std), to 4 standard errors; biases 0, gammas 1. */
static void expect_fresh(at_model *m, const at_param *p, double std)
{
    const int64_t n = p->state->count;
    at_real *x = malloc((size_t)n * sizeof *x);
    double square = 0;
    at_expect_ok(m->ctx, at_state_get(m->net.store, p->state, x));
    for (int64_t i = 0; i < n; i++) {
        square += (double)x[i] * (double)x[i];
        if (p->part != AT_WEIGHT) assert_true(x[i] == (p->part == AT_NORM_GAMMA ? 1 : 0));
    }
    if (p->part == AT_WEIGHT)
        assert_true(fabs(sqrt(square / (double)n) - std) < 4 * std / sqrt(2 * (double)n));
    free(x);
}

static void expect_fresh_head(at_model *m, double std)
{
    int before_last = 0;
    for (int i = 0; i < m->net.n_params; i++) {
        const at_param *p = m->net.params[i];
        const bool last_group = p->site->group == m->net.n_groups - 1;
        assert_int_equal(p->site->is_head, last_group);
        assert_false(p->missing);
        if (!last_group || p->site == m->head.site) continue;
        expect_fresh(m, p, std);
        before_last++;
    }
    assert_true(before_last >= 2);
    assert_string_equal(m->net.groups[m->net.n_groups - 1], "head");
}

/* What was saved has the names of the golden's tensors, and opens with its head. */
static void expect_complete(at_ctx *ctx, at_device *device, const char *folder, const char *saved)
{
    at_model *whole, *m;
    at_expect_ok(ctx, at_model_open(&whole, ctx, device, folder));
    at_expect_ok(ctx, at_model_open(&m, ctx, device, saved));
    assert_int_equal(m->weights->n, whole->weights->n);
    for (int64_t i = 0; i < m->weights->n; i++)
        assert_non_null(at_safetensors_find(whole->weights, m->weights->tensors[i].name));
    at_expect_ok(ctx, at_model_keep_head(m));
    at_model_close(m);
    at_model_close(whole);
}

void at_check_fresh_head(at_ctx *ctx, const char *folder, const char *part, double std)
{
    static const char *const labels[] = {"one", "two"};
    char stripped[1024], saved[1024];
    at_device *device;
    at_model *m;
    at_expect_ok(ctx, at_device_open(&device, ctx, "cpu"));
    at_expect_ok(ctx, at_model_open(&m, ctx, device, strip(ctx, stripped, folder, part, NULL)));
    at_expect_error(ctx, at_model_keep_head(m), AT_E_FORMAT, "is missing");
    at_model_close(m);
    at_expect_ok(ctx, at_model_open(&m, ctx, device, strip(ctx, stripped, folder, part, "classifier.")));
    at_expect_error(ctx, at_model_keep_head(m), AT_E_ARG, "has no output layer");
    at_expect_ok(ctx, at_model_new_head(m, AT_COUNT(labels), labels, 1));
    expect_fresh_head(m, std);
    at_expect_ok(ctx, at_model_save(m, scratch(saved, folder, "saved")));
    at_model_close(m);
    expect_complete(ctx, device, folder, saved);
    at_device_close(device);
}
