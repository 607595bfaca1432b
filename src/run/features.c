/* features.c: what is frozen and not random is computed once. The cut is the last set of values that depend
 * on the samples but on nothing trainable or random; the training graph is then fed with them instead of
 * computing them. They are kept on disk under a key of everything that they depend on: sub-graph, parameters,
 * kernels, weights, samples. Reading path: at__find_cut, at__cache_features. */
#include "base/env.h"
#include "formats/cache.h"
#include "run/run.h"
#include <stdio.h>

/* ---- The cut ---- */

typedef struct marks { /* by value id */
    bool *fixed;       /* the same whenever its sample comes */
    bool *of_sample;   /* depends on the sample */
    bool *read;        /* by a node that is not fixed */
} marks;

static bool is_fixed_node(const at_node *n, const marks *m)
{
    if (n->phase != AT_PASS || n->op->stochastic || n->op->updates) return false;
    for (int i = 0; i < n->n_in; i++)
        if (n->in[i] && !m->fixed[n->in[i]->id]) return false;
    for (int o = 0; o < n->op->n_out + n->op->n_saved; o++)
        if (n->out[o]->target != AT_TARGET_NONE || n->out[o]->onto) return false;
    return true;
}

static void mark(const at_run *r, const at_pipe *p, marks *m)
{
    const at_graph *g = p->g;
    for (int i = 0; i < g->n_values; i++) {
        const at_value *v = g->values[i];
        if (v->node) continue;
        m->of_sample[i] = !v->state && v->meta.extent;
        m->fixed[i] = v->state ? v->state->role == AT_FROZEN : !(m->of_sample[i] && r->job.augments);
    }
    for (int i = 0; i < g->n_nodes; i++) {
        const at_node *n = g->nodes[i];
        const bool fixed = is_fixed_node(n, m);
        bool of_sample = false;
        for (int j = 0; j < n->n_in; j++) {
            if (!n->in[j]) continue;
            of_sample |= m->of_sample[n->in[j]->id];
            if (!fixed) m->read[n->in[j]->id] = true;
        }
        for (int o = 0; o < n->op->n_out + n->op->n_saved; o++) {
            m->fixed[n->out[o]->id] = fixed;
            m->of_sample[n->out[o]->id] = of_sample;
        }
    }
}

/* One row a sample, real numbers: what a file of features can hold. */
static bool can_be_kept(const at_pipe *p, const at_value *v)
{
    return v->meta.extent == p->samples && v->meta.dim[0] == p->samples->max && v->meta.type == AT_ACT;
}

at_status at__find_cut(at_run *r, at_pipe *p)
{
    const int n = p->g->n_values;
    bool *memory;
    AT_NEW(r->ctx, memory, 3 * (int64_t)n);
    marks m = {memory, memory + n, memory + 2 * n};
    mark(r, p, &m);
    p->n_cut = 0;
    bool possible = true;
    for (int i = 0; i < n; i++) {
        at_value *v = p->g->values[i];
        if (!v->node || !m.fixed[i] || !m.of_sample[i] || !m.read[i]) continue;
        if (p->n_cut == AT_MAX_COLUMNS - 2 || !can_be_kept(p, v))
            possible = false;
        else
            p->cut[p->n_cut++] = v;
    }
    if (!possible) p->n_cut = 0;
    at_free(r->ctx, memory);
    return AT_OK;
}

/* ---- The key ---- */

static void add_value(at_digest *d, const at_value *v)
{
    const int64_t meta[] = {v->meta.type,   v->meta.rank,   v->meta.dim[1],
                            v->meta.dim[2], v->meta.dim[3], v->meta.dim[4]};
    at_digest_add(d, meta, sizeof meta);
    if (v->name) at_digest_add_text(d, v->name);
}

static at_status add_state(at_run *r, at_digest *d, const at_state *s)
{
    int64_t bytes[AT_MAX_BUFFERS];
    if (!s->host[0]) return at_fail(r->ctx, AT_E_INTERNAL, "%s is below the cut but not frozen", s->name);
    if (!s->storage->bytes(bytes, s->rows, s->cols)) return AT_E_SHAPE;
    at_digest_add_text(d, s->storage->name);
    for (int b = 0; b < s->storage->n_buffers; b++) at_digest_add(d, s->host[b], (size_t)bytes[b]);
    return AT_OK;
}

/* Everything that the planned nodes compute with, in order. Inputs are numbered by their first use. */
static at_status digest_plan(at_run *r, const at_plan *plan, at_digest *d)
{
    at_plan_line line;
    int cursor = 0;
    at_digest_add_text(d, AT_VERSION);
    at_digest_add_text(d, at_dtype_name(r->act));
    while (at_plan_next(plan, &cursor, &line)) {
        const at_node *n = line.node;
        at_digest_add_text(d, n->op->name);
        at_digest_add_text(d, line.kernel ? line.kernel->name : "ref");
        if (n->op->param_size) at_digest_add(d, n->param, n->op->param_size);
        for (int i = 0; i < n->n_in; i++) {
            const at_value *v = n->in[i];
            if (!v) continue;
            const int64_t from[] = {i, v->node ? n->id - v->node->id : -1, v->index};
            at_digest_add(d, from, sizeof from);
            add_value(d, v);
            if (v->state && !v->node) AT_TRY(add_state(r, d, v->state));
        }
    }
    return AT_OK;
}

/* ---- The data set ---- */

typedef struct features {
    at_dataset base;
    const at_dataset *source;
    int n_cut;
    int from_source[AT_MAX_COLUMNS]; /* columns behind the features: which of the source's */
    int64_t count[AT_MAX_COLUMNS];   /* floats a sample */
    const float *rows[AT_MAX_COLUMNS];
    at_safetensors *file; /* where the rows are mapped from, or */
    float *memory[AT_MAX_COLUMNS];
} features;

static at_status fill(at_ctx *ctx, const at_dataset *d, int64_t sample, const at_fill *how, void *const *out)
{
    const features *f = (const features *)d;
    void *source_out[AT_MAX_COLUMNS] = {0};
    for (int i = 0; i < f->n_cut; i++)
        memcpy(out[i], f->rows[i] + sample * f->count[i], (size_t)f->count[i] * sizeof(float));
    for (int i = f->n_cut; i < d->n_columns; i++) source_out[f->from_source[i]] = out[i];
    return d->n_columns > f->n_cut ? f->source->fill(ctx, f->source, sample, how, source_out) : AT_OK;
}

static const char *name(const at_dataset *d, int64_t sample)
{
    const features *f = (const features *)d;
    return f->source->name ? f->source->name(f->source, sample) : "";
}

static int64_t rows_of(const at_dataset *d, int64_t sample)
{
    const at_dataset *source = ((const features *)d)->source;
    return source->rows(source, sample);
}

static int64_t part_rows_of(const at_dataset *d, int64_t sample, int part)
{
    const at_dataset *source = ((const features *)d)->source;
    return source->part_rows(source, sample, part);
}

static void close(at_ctx *ctx, at_dataset *d)
{
    features *f = (features *)d;
    at_safetensors_close(ctx, f->file);
    for (int i = 0; i < AT_MAX_COLUMNS; i++) at_free(ctx, f->memory[i]);
    at_free(ctx, f);
}

/* Is this input still read when the cut is fed? */
static bool is_needed(const at_run *r, const at_pipe *p, const at_value *input)
{
    bool *memory = at_alloc_array(r->ctx, 3 * (int64_t)p->g->n_values, 1);
    if (!memory) return true;
    marks m = {memory, memory + p->g->n_values, memory + 2 * p->g->n_values};
    mark(r, p, &m);
    const bool read = m.read[input->id];
    at_free(r->ctx, memory);
    return read;
}

static features *new_features(at_run *r, const at_dataset *source)
{
    features *f = at_alloc(r->ctx, sizeof *f);
    if (!f) return NULL;
    const at_pipe *p = &r->eval;
    f->base = (at_dataset){.n = source->n, .fill = fill, .name = source->name ? name : NULL, .close = close};
    f->source = source;
    f->n_cut = p->n_cut;
    for (int i = 0; i < p->n_cut; i++) {
        const at_meta *m = &p->cut[i]->meta;
        at_column *c = &f->base.columns[f->base.n_columns++];
        *c = (at_column){
            .name = at_arena_printf(&r->arena, "features.%d", i), .dtype = AT_F32, .rank = m->rank - 1};
        for (int k = 0; k < c->rank; k++) c->dim[k] = m->dim[k + 1];
        f->count[i] = at_column_count(c);
    }
    for (int i = 0; i < source->n_columns; i++) { /* labels and the like */
        at_value *input = at_inputs_get(r->train.g, &r->train.inputs, source->columns[i].name);
        if (!is_needed(r, &r->train, input)) continue;
        if (source->columns[i].ragged) {
            f->base.rows = rows_of;
            f->base.parts = source->parts;
            f->base.part_rows = part_rows_of;
            f->base.max_rows = source->max_rows;
        }
        f->from_source[f->base.n_columns] = i;
        f->base.columns[f->base.n_columns++] = source->columns[i];
    }
    return f;
}

/* ---- Computing, keeping, finding ---- */

static at_status compute(at_run *r, features *f, at_plan *plan)
{
    for (int i = 0; i < f->n_cut; i++) {
        AT_NEW(r->ctx, f->memory[i], f->base.n * f->count[i]);
        f->rows[i] = f->memory[i];
    }
    const at_sweep all = {.d = f->source, .n = f->source->n};
    return at__forward(r, &r->eval, plan, &all, r->eval.cut, f->n_cut, f->memory);
}

const char *at__cache_folder(at_run *r)
{
    const char *named = r->settings.general.cache;
    if (named && strcmp(named, "none") == 0) return NULL;
    return named ? named : at_env_cache_folder(&r->arena);
}

static at_status write_file(at_run *r, const features *f, const char *path)
{
    at_tensor tensors[AT_MAX_COLUMNS] = {0};
    char lost[AT_CACHE_LOST];
    for (int i = 0; i < f->n_cut; i++)
        tensors[i] = (at_tensor){.name = f->base.columns[i].name,
                                 .dtype = AT_F32,
                                 .rank = 2,
                                 .dim = {f->base.n, f->count[i]},
                                 .data = f->rows[i]};
    AT_TRY(at_cache_keep(r->ctx, lost, path, tensors, f->n_cut));
    if (*lost) at__note(r, "features are not kept: %s", lost);
    return AT_OK;
}

/* Map the rows of an earlier run; false when the file is not there or not what it should be. */
static bool find_file(at_run *r, features *f, const char *path)
{
    f->file = at_cache_open(r->ctx, path);
    bool fits = f->file != NULL;
    for (int i = 0; i < f->n_cut && fits; i++) {
        const at_tensor *t = at_safetensors_find(f->file, f->base.columns[i].name);
        fits = t && t->dtype == AT_F32 && t->rank == 2 && t->dim[0] == f->base.n && t->dim[1] == f->count[i];
        if (fits) f->rows[i] = t->data;
    }
    if (fits) return true;
    at_safetensors_close(r->ctx, f->file);
    f->file = NULL;
    return false;
}

static at_status open_split(at_run *r, at_split split, at_plan *plan, const char *folder)
{
    const at_dataset *source = r->job.split[split];
    features *f = new_features(r, source);
    if (!f) return AT_E_NOMEM;
    r->features[split] = &f->base;
    const char *path = NULL;
    if (folder && source->digest) {
        at_digest d;
        at_digest_init(&d);
        AT_TRY(digest_plan(r, plan, &d));
        source->digest(source, &d);
        if (!(path = at_cache_path(&r->arena, folder, "features", &d))) return AT_E_NOMEM;
        if (find_file(r, f, path)) return AT_OK;
    }
    AT_TRY(compute(r, f, plan));
    return path ? write_file(r, f, path) : AT_OK;
}

static size_t bytes_of_all(const at_run *r)
{
    size_t bytes = 0;
    for (int i = 0; i < r->eval.n_cut; i++) {
        const at_meta *m = &r->eval.cut[i]->meta;
        const size_t row = (size_t)(at_meta_max_rows(m) * at_meta_cols(m) / r->eval.batch) * sizeof(float);
        for (int s = 0; s < AT_SPLIT_COUNT; s++)
            if (r->job.split[s]) bytes += row * (size_t)r->job.split[s]->n;
    }
    return bytes;
}

static bool same_cut(const at_pipe *a, const at_pipe *b)
{
    if (a->n_cut != b->n_cut) return false;
    for (int i = 0; i < a->n_cut; i++) {
        if (a->cut[i]->meta.rank != b->cut[i]->meta.rank ||
            strcmp(a->cut[i]->node->site, b->cut[i]->node->site) != 0)
            return false;
        if (memcmp(a->cut[i]->meta.dim + 1, b->cut[i]->meta.dim + 1, sizeof(int64_t) * (AT_MAX_RANK - 1)) !=
            0)
            return false;
    }
    return true;
}

bool at__caches_features(const at_run *r)
{
    const char *how = r->settings.train.cache_features;
    if (strcmp(how, "no") == 0 || r->eval.n_cut == 0 || !same_cut(&r->train, &r->eval)) return false;
    return strcmp(how, "yes") == 0 || bytes_of_all(r) <= r->memory_limit / 4;
}

at_status at__cache_features(at_run *r)
{
    const bool wanted = at__caches_features(r);
    AT_REQUIRE(r->ctx, wanted || strcmp(r->settings.train.cache_features, "yes") != 0, AT_E_ARG,
               "%s: nothing can be cached: every layer learns, or the samples are augmented",
               at_recipe_where(r->recipe, "train.cache_features"));
    if (!wanted) return AT_OK;
    const char *folder = at__cache_folder(r);
    if (r->settings.general.cache && folder) AT_TRY(at_folder_make(r->ctx, folder)); /* named: it must do */
    at_plan *plan;
    at_plan_options o = at__plan_options(r, &r->eval);
    o.fetches = r->eval.cut;
    o.n_fetches = r->eval.n_cut;
    o.n_feeds = 0;
    AT_TRY(at_plan_create(&plan, r->eval.g, &o));
    at_status s = AT_OK;
    for (int split = 0; split < AT_SPLIT_COUNT && s == AT_OK; split++)
        if (r->job.split[split]) s = open_split(r, (at_split)split, plan, folder);
    at_plan_destroy(plan);
    return s;
}
