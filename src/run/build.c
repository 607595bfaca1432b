/* build.c: graphs and plans of a run, and carrying batches into them.
 *
 * A pipe is one graph (training or evaluation) with its plan. Its inputs are the data set's columns by name,
 * each on the extent "samples" (ragged ones on "rows"), the task's constants, and "sample_id". */
#include "engine/fuse.h"
#include "engine/prepared.h"
#include "run/run.h"
#include <stdio.h>

/* ---- Inputs ---- */

static void add_input(at_pipe *p, const char *name, at_value *v)
{
    p->inputs.list[p->inputs.n].name = name;
    p->inputs.list[p->inputs.n++].value = v;
}

static at_value *column_input(at_pipe *p, const at_column *c)
{
    int64_t dim[AT_MAX_RANK] = {1};
    for (int i = 0; i < c->rank; i++) dim[i + 1] = c->dim[i];
    const at_type type = c->dtype == AT_I32 ? AT_INT : c->exact ? AT_ACC : AT_ACT;
    return at_input(p->g, c->name, type, c->ragged ? p->rows : p->samples, c->rank + 1, dim);
}

/* The most ragged rows that a sample of any split has: all of them go through the evaluation graph. */
static int64_t most_rows(const at_run *r, const at_dataset *d)
{
    int64_t most = at_max(1, d->max_rows);
    for (int s = 0; s < AT_SPLIT_COUNT; s++)
        if (r->job.split[s]) most = at_max(most, r->job.split[s]->max_rows);
    return most;
}

static void declare_inputs(at_run *r, at_pipe *p, const at_dataset *d)
{
    const int64_t parts = at_dataset_parts(d), n_offsets = p->batch * parts + 1;
    p->samples = at_graph_extent(p->g, "samples", p->batch);
    if (d->rows) {
        const int64_t longest = most_rows(r, d), all = p->batch * longest;
        p->max_rows = p->max_rows > 0 ? at_min(all, at_max(longest, p->max_rows)) : all;
        p->rows = at_graph_extent(p->g, "rows", p->max_rows);
    }
    for (int i = 0; i < d->n_columns; i++) add_input(p, d->columns[i].name, column_input(p, &d->columns[i]));
    p->sample_id = at_input(p->g, "sample_id", AT_INT, p->samples, 1, &parts);
    add_input(p, "sample_id", p->sample_id);
    if (d->rows) add_input(p, "offsets", at_input(p->g, "offsets", AT_INT, NULL, 1, &n_offsets));
    for (int i = 0; i < r->job.n_constants; i++) {
        const at_constant *c = &r->job.constants[i];
        add_input(p, c->name, at_input(p->g, c->name, AT_ACC, NULL, 1, &c->n));
    }
}

/* ---- Graphs ---- */

static void fuse(const at_run *r, at_pipe *p)
{
    at_value *const kept[] = {p->output, p->loss, p->count};
    if (strcmp(r->settings.general.kernels, "ref") != 0) at_graph_fuse(p->g, kept, p->loss ? 3 : 1);
}

at_status at__build_pipe(at_run *r, at_pipe *p, at_mode mode, const at_dataset *like, at_limit limit)
{
    *p = (at_pipe){.batch = limit.samples, .max_rows = limit.rows};
    AT_TRY(at_graph_create(&p->g, r->ctx, r->model->net.store, mode));
    declare_inputs(r, p, like);
    p->output = r->job.task->output ? r->job.task->output(&r->job, r->model, p->g, &p->inputs)
                                    : r->model->architecture->build(r->model, p->g, &p->inputs);
    if (mode == AT_TRAIN) {
        at_graph_site(p->g, "loss");
        r->job.task->objective(&r->job, p->g, p->output, &p->inputs, &p->loss, &p->count);
    } else {
        p->fetch[p->n_fetch++] = p->output;
    }
    AT_TRY(at_graph_finish(p->g));
    fuse(r, p);
    return at_graph_finish(p->g);
}

/* ---- How many samples at once ---- */

enum {
    NEAR_BYTES = 12 << 20,
    NEAR_BYTES_OF_ROWS = 3 << 20,
    LEAST_ROWS = 512, /* below, adding up weight gradients pass after pass would show */
};

typedef struct widths {  /* elements of the widest value that counts */
    int64_t sample, row; /* of those on the extent of samples, and of ragged rows */
    bool couples;        /* an op couples rows: the batch is its own */
} widths;

/* learning: values that have no gradient do not count, because they are cached. */
static widths widest_of(const at_pipe *p, bool learning)
{
    widths w = {.sample = 1, .row = 1};
    for (int i = 0; i < p->g->n_nodes; i++) {
        const at_node *n = p->g->nodes[i];
        w.couples |= n->op->couples_rows;
        if (learning && !n->out[0]->needs_grad) continue;
        for (int o = 0; o < n->op->n_out + n->op->n_saved; o++) {
            const at_meta *m = &n->out[o]->meta;
            const int64_t all = at_meta_max_rows(m) * at_meta_cols(m);
            if (m->extent && m->extent == p->rows)
                w.row = at_max(w.row, all / p->max_rows);
            else if (m->extent)
                w.sample = at_max(w.sample, all / p->batch);
        }
    }
    return w;
}

/* The most samples, up to `most` in halves, and the most ragged rows whose largest value still lies in a
 * processor's last cache when the next node reads it: on MobileNetV2 0.35, 4 instead of 16 samples took a
 * tenth less time and a third of the memory (163 against 454 MB). Ragged rows have no minimum to amortise but
 * the weights: passes of 512 tokens took MiniLM's training as long as such of 2,048 (50 texts/s) and 650
 * instead of 837 MB. Constants and no property of the machine, so that bits are the same everywhere. */
static at_limit near_limit(const at_run *r, const at_pipe *p, int64_t most, bool learning)
{
    const int64_t size = (int64_t)at_dtype_size(r->act);
    const widths w = widest_of(p, learning);
    at_limit limit = {.samples = most};
    if (w.couples) return limit;
    while (limit.samples > 1 && limit.samples * w.sample * size > NEAR_BYTES)
        limit.samples = at_ceil_div(limit.samples, 2);
    if (p->rows) limit.rows = at_max(LEAST_ROWS, NEAR_BYTES_OF_ROWS / (w.row * size));
    return limit;
}

at_status at__build_eval(at_run *r, const at_dataset *like, int64_t most)
{
    AT_TRY(at__build_pipe(r, &r->eval, AT_EVAL, like, (at_limit){most, 0}));
    const at_limit limit = near_limit(r, &r->eval, most, false);
    if (limit.samples == most && !limit.rows) return AT_OK;
    at__close_pipe(&r->eval);
    return at__build_pipe(r, &r->eval, AT_EVAL, like, limit);
}

/* Build both graphs for whole batches to see what suits them. */
static at_status look_for_limit(at_run *r, at_limit *out)
{
    const at_dataset *d = r->job.split[AT_SPLIT_TRAIN];
    const at_limit whole = {r->batch_size, 0};
    at_status s = at__build_pipe(r, &r->train, AT_TRAIN, d, whole);
    if (s == AT_OK) s = at__build_pipe(r, &r->eval, AT_EVAL, d, whole);
    if (s == AT_OK) s = at__find_cut(r, &r->train);
    if (s == AT_OK) s = at__find_cut(r, &r->eval);
    if (s == AT_OK) *out = near_limit(r, &r->train, r->batch_size, at__caches_features(r));
    at__close_pipe(&r->train);
    at__close_pipe(&r->eval);
    return s;
}

at_status at__choose_micro_batch(at_run *r)
{
    const at_train_settings *t = &r->settings.train;
    at_arena *a = &r->recipe->arena;
    r->micro_rows = at_max(t->max_tokens, 0);
    if (t->micro_batch > 0) return AT_OK;
    at_limit limit;
    AT_TRY(look_for_limit(r, &limit));
    r->micro_batch = limit.samples;
    if (!r->micro_rows) r->micro_rows = limit.rows;
    if (r->micro_rows)
        AT_TRY(at_recipe_decide(r->recipe, "train.max_tokens", at_tree_whole(a, r->micro_rows)));
    return at_recipe_decide(r->recipe, "train.micro_batch", at_tree_whole(a, r->micro_batch));
}

int64_t at__cut_passes(const at_pipe *p, const at_dataset *d, const int32_t *order, int64_t n, int32_t *sizes)
{
    int64_t passes = 0, rows = 0;
    int32_t samples = 0;
    for (int64_t i = 0; i < n; i++) {
        const int64_t more = d->rows ? d->rows(d, order[i]) : 0;
        if (samples == p->batch || (samples > 0 && p->max_rows > 0 && rows + more > p->max_rows)) {
            sizes[passes++] = samples;
            samples = 0;
            rows = 0;
        }
        samples++;
        rows += more;
    }
    if (samples > 0) sizes[passes++] = samples;
    return passes;
}

void at__close_pipe(at_pipe *p)
{
    at_plan_destroy(p->plan);
    at_graph_destroy(p->g);
    *p = (at_pipe){0};
}

void at__close_pipes(at_run *r)
{
    at__close_pipe(&r->train);
    at__close_pipe(&r->eval);
    at_prepared_drop(r->model->net.store);
}

at_plan_options at__plan_options(const at_run *r, const at_pipe *p)
{
    return (at_plan_options){.kernels = r->settings.general.kernels,
                             .deterministic = r->settings.general.deterministic,
                             .act = r->act,
                             .fetches = p->fetch,
                             .n_fetches = p->n_fetch,
                             .feeds = p->cut,
                             .n_feeds = r->features[AT_SPLIT_TRAIN] ? p->n_cut : 0,
                             .fetch_only = p->g->mode != AT_TRAIN};
}

at_status at__plan_pipe(at_run *r, at_pipe *p)
{
    const at_plan_options o = at__plan_options(r, p);
    AT_TRY(at_plan_create(&p->plan, p->g, &o));
    for (int i = 0; i < r->job.n_constants; i++) {
        const at_constant *c = &r->job.constants[i];
        at_plan_write(p->plan, at_inputs_get(p->g, &p->inputs, c->name), c->data, 1);
    }
    return at_plan_sync(p->plan);
}

/* Learning rate and decay of each tensor, from the network's records. */
static void set_ranges(at_run *r)
{
    at_store *s = r->model->net.store;
    for (int i = 0; i < s->n_ranges; i++)
        for (int k = 0; k < r->model->net.n_params; k++) {
            const at_param *p = r->model->net.params[k];
            if (p->state != s->ranges[i].state) continue;
            s->ranges[i].rate = p->rate;
            s->ranges[i].decay = p->decays ? r->settings.train.weight_decay : 0.0;
        }
}

/* What is to learn but cannot: refused, unless the model says that it may be left out. */
static at_status drop_unreachable(at_run *r)
{
    for (int k = 0; k < r->model->net.n_params; k++) {
        at_param *p = r->model->net.params[k];
        if (!p->trainable || !p->optional || at_graph_reaches(r->train.g, p->state)) continue;
        p->trainable = false;
        p->state->role = AT_FROZEN;
        at__note(r, "%s is frozen: no gradient reaches it", p->state->name);
    }
    return AT_OK;
}

at_status at__build_learning(at_run *r)
{
    at_pipe *p = &r->train;
    AT_TRY(at__build_pipe(r, p, AT_TRAIN, r->job.split[AT_SPLIT_TRAIN],
                          (at_limit){r->micro_batch, r->micro_rows}));
    at_gradients(p->g, &p->loss, &(at_value *){NULL}, 1);
    fuse(r, p);
    at_step_sum(p->g, p->loss);
    at_step_sum(p->g, p->count);
    return at_graph_finish(p->g);
}

at_status at__append_commit(at_run *r)
{
    at_pipe *p = &r->train;
    if (!r->optimizer->build) return AT_OK;
    AT_TRY(at_build_commit(&r->commit, p->g, p->loss, p->count, r->settings.train.clip, r->optimizer,
                           r->optimizer_options));
    p->fetch[p->n_fetch++] = r->commit.norm;
    p->fetch[p->n_fetch++] = r->commit.ok;
    return AT_OK;
}

void at__let_go_of_weights(const at_run *r)
{
    const at_file *file = &r->model->weights->file;
    at_file_let_go(file, file->data, file->size);
}

at_status at__build_training(at_run *r)
{
    AT_TRY(at__build_learning(r));
    AT_TRY(drop_unreachable(r));
    AT_TRY(at_store_layout(r->model->net.store, r->train.g));
    /* What learns lies in the masters now; the frozen rest has not been touched yet. */
    at__let_go_of_weights(r);
    set_ranges(r);
    AT_TRY(at__append_commit(r));
    AT_TRY(at__build_eval(r, r->job.split[AT_SPLIT_TRAIN], r->batch_size));
    AT_TRY(at__find_cut(r, &r->train));
    AT_TRY(at__find_cut(r, &r->eval));
    AT_TRY(at__cache_features(r));
    AT_TRY(at__plan_pipe(r, &r->eval));
    AT_TRY(at__fit_memory(r));
    return at__plan_pipe(r, &r->train);
}

/* ---- Batches ---- */

/* The value that a column of this name fills: an input, or a place of the cut ("features.0"). */
static at_value *target_of(const at_pipe *p, const char *name)
{
    for (int i = 0; i < p->inputs.n; i++)
        if (strcmp(p->inputs.list[i].name, name) == 0) return p->inputs.list[i].value;
    for (int i = 0; i < p->n_cut; i++) {
        char of_cut[32];
        snprintf(of_cut, sizeof of_cut, "features.%d", i);
        if (strcmp(of_cut, name) == 0) return p->cut[i];
    }
    return NULL;
}

at_status at__feed(at_run *r, at_pipe *p, const at_dataset *d, const at_batch *b)
{
    for (int i = 0; i < d->n_columns; i++) {
        at_value *v = target_of(p, d->columns[i].name);
        AT_ASSERT(r->ctx, v);
        at_plan_write(p->plan, v, b->data[i], d->columns[i].ragged ? b->rows : b->n);
    }
    at_plan_write(p->plan, p->sample_id, b->sequence_id, b->n);
    if (b->offsets) at_plan_write(p->plan, at_inputs_get(p->g, &p->inputs, "offsets"), b->offsets, b->n + 1);
    return AT_OK;
}

/* ---- Samples of a data set, in order ---- */

int32_t at__sweep_sample(const at_sweep *s, int64_t i)
{
    return (int32_t)(i * s->d->n / s->n);
}

static at_status forward_batches(at_run *r, at_pipe *p, at_plan *plan, const at_sweep *s, at_loader *l,
                                 at_value *const *values, int n_values, float *const *out)
{
    int64_t done = 0, rows = 0;
    at_plan *own = p->plan;
    while (done < s->n) {
        at_batch b;
        AT_REQUIRE(r->ctx, r->in_steps || !at_stop_requested(r->ctx), AT_E_INTERRUPTED, "interrupted");
        AT_TRY(at_loader_next(l, &b));
        p->plan = plan;
        const at_status fed = at__feed(r, p, s->d, &b);
        p->plan = own;
        AT_TRY(fed);
        const int64_t extents[] = {b.n, b.rows};
        at_plan_run(plan, &(at_pass){.seed = (uint64_t)r->settings.general.seed, .extents = extents});
        for (int i = 0; i < n_values; i++) {
            const at_meta *m = &values[i]->meta;
            const bool ragged = p->rows && m->extent == p->rows;
            const int64_t each = at_meta_max_rows(m) * at_meta_cols(m) / (ragged ? p->max_rows : p->batch);
            at_plan_fetch(plan, values[i], out[i] + (ragged ? rows : done) * each);
        }
        AT_TRY(at_plan_sync(plan));
        done += b.n;
        rows += b.rows;
    }
    return AT_OK;
}

at_status at__forward(at_run *r, at_pipe *p, at_plan *plan, const at_sweep *s, at_value *const *values,
                      int n_values, float *const *out)
{
    int32_t *order = at_alloc_array(r->ctx, 2 * s->n, sizeof *order), *sizes = order ? order + s->n : NULL;
    if (!order) return AT_E_NOMEM;
    for (int64_t i = 0; i < s->n; i++) order[i] = at__sweep_sample(s, i);
    const int64_t n_batches = at__cut_passes(p, s->d, order, s->n, sizes);
    at_loader *l;
    at_status status = at_loader_create(&l, r->ctx, s->d, p->batch, r->ctx->threads);
    if (status == AT_OK) {
        at_loader_start(l, order, sizes, n_batches, &(at_fill){.again = s->again});
        status = forward_batches(r, p, plan, s, l, values, n_values, out);
    }
    at_loader_destroy(l);
    at_free(r->ctx, order);
    return status;
}
