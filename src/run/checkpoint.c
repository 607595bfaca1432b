/* checkpoint.c: everything that a run needs to go on with the same bits, in one file written atomically:
 * checkpoints/step-N/state.safetensors with the trainable and running states, the optimiser's slots and
 * counter, and as metadata the progress. checkpoints/best holds the best weights only. The frozen base is
 * named by its content's hash.
 */
#include "run/run.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* Files are read so many bytes at a time, which then may leave memory. */
static const size_t PIECE = 1 << 20;

/* ---- Tensors of a checkpoint ---- */

typedef struct place { /* of a tensor's values, which are read when they are written */
    const at_state *flat;
    int64_t first;
} place;

typedef struct bundle {
    at_run *r;
    at_tensor *tensors;
    place *places;
    int64_t n;
} bundle;

static at_status read_tensor(void *from, int64_t index, int64_t first, int64_t n, void *out)
{
    const bundle *b = from;
    const place *p = &b->places[index];
    return at_state_get_part(b->r->model->net.store, p->flat, p->first + first, n, out);
}

static at_status add_tensor(bundle *b, const char *group, const at_state *t, const at_state *flat,
                            int64_t first)
{
    at_tensor *out = &b->tensors[b->n];
    b->places[b->n++] = (place){flat, first};
    out->name = at_arena_printf(&b->r->arena, "%s/%s", group, t->name);
    out->dtype = AT_REAL;
    out->rank = t->shape.rank;
    for (int i = 0; i < t->shape.rank; i++) out->dim[i] = t->shape.dim[i];
    return out->name ? AT_OK : AT_E_NOMEM;
}

/* A flat range parallel to the masters, tensor by tensor. */
static at_status add_ranges(bundle *b, const char *group, const at_state *flat)
{
    const at_store *s = b->r->model->net.store;
    for (int i = 0; i < s->n_ranges; i++)
        AT_TRY(add_tensor(b, group, s->ranges[i].state, flat, s->ranges[i].lo));
    return AT_OK;
}

static at_status add_running(bundle *b)
{
    const at_store *s = b->r->model->net.store;
    for (int i = 0; s->running && i < s->n_states; i++)
        if (s->states[i]->flat == s->running)
            AT_TRY(add_tensor(b, "running", s->states[i], s->running, s->states[i]->offset));
    return AT_OK;
}

static at_status add_optimizer(bundle *b)
{
    const at_run *r = b->r;
    for (int i = 0; i < r->commit.n_slots; i++)
        AT_TRY(add_ranges(b, r->commit.slots[i]->name, r->commit.slots[i]));
    return r->commit.step ? add_tensor(b, "state", r->commit.step, r->commit.step, 0) : AT_OK;
}

static at_status make_bundle(bundle *b, at_run *r, bool weights_only)
{
    const at_store *s = r->model->net.store;
    const int64_t most = (int64_t)s->n_ranges * (2 + AT_MAX_SLOTS) + s->n_states + 1;
    *b = (bundle){.r = r};
    AT_NEW(r->ctx, b->tensors, most);
    AT_NEW(r->ctx, b->places, most);
    AT_TRY(add_ranges(b, "parameter", s->master));
    AT_TRY(add_running(b));
    return weights_only ? AT_OK : add_optimizer(b);
}

static void drop_bundle(bundle *b)
{
    at_free(b->r->ctx, b->tensors);
    at_free(b->r->ctx, b->places);
}

/* ---- Progress, as JSON ---- */

static void put_number(at_run *r, at_tree *map, const char *key, double x)
{
    at_tree_add(&r->arena, map, key, at_tree_number(&r->arena, x));
}

static at_tree *progress_tree(at_run *r)
{
    const at_progress *p = &r->progress;
    at_tree *t = at_tree_new(&r->arena, AT_MAP);
    put_number(r, t, "attempt", (double)p->attempt);
    put_number(r, t, "best_exists", p->best.exists);
    put_number(r, t, "best_value", p->best.value);
    put_number(r, t, "best_step", (double)p->best.step);
    put_number(r, t, "waited", (double)p->best.waited);
    put_number(r, t, "stopped", p->stopped);
    put_number(r, t, "bad_steps", (double)p->bad_steps);
    put_number(r, t, "bad_in_a_row", (double)p->bad_in_a_row);
    put_number(r, t, "epoch_loss", p->epoch_loss);
    put_number(r, t, "epoch_count", p->epoch_count);
    put_number(r, t, "metrics_bytes", (double)p->metrics_bytes);
    put_number(r, t, "events_bytes", (double)p->events_bytes);
    return t;
}

static double number(const at_tree *t, const char *key)
{
    const at_tree *x = at_tree_get(t, key);
    return x && (x->kind == AT_NUMBER || x->kind == AT_WHOLE) ? x->number : 0.0;
}

static void read_progress(at_progress *p, const at_tree *t)
{
    p->attempt = (int64_t)number(t, "attempt");
    p->best = (at_best){.value = number(t, "best_value"),
                        .step = (int64_t)number(t, "best_step"),
                        .waited = (int64_t)number(t, "waited"),
                        .exists = number(t, "best_exists") != 0};
    p->stopped = number(t, "stopped") != 0;
    p->bad_steps = (int64_t)number(t, "bad_steps");
    p->bad_in_a_row = (int64_t)number(t, "bad_in_a_row");
    p->epoch_loss = number(t, "epoch_loss");
    p->epoch_count = number(t, "epoch_count");
    p->metrics_bytes = (int64_t)number(t, "metrics_bytes");
    p->events_bytes = (int64_t)number(t, "events_bytes");
}

/* SHA-256 of the mapped model file, computed once a run. */
static const char *base_hash(at_run *r)
{
    if (r->base_hash[0]) return r->base_hash;
    const at_file *file = &r->model->weights->file;
    at_digest d;
    uint8_t bytes[AT_DIGEST_BYTES];
    at_digest_init(&d);
    for (size_t first = 0; first < file->size; first += PIECE) {
        const size_t n = file->size - first < PIECE ? file->size - first : PIECE;
        at_digest_add(&d, file->data + first, n);
        at_file_let_go(file, file->data + first, n);
    }
    at_digest_end(&d, bytes);
    at_digest_hex(r->base_hash, bytes);
    return r->base_hash;
}

/* SHA-256 of the training samples and how they are prepared: a cursor into other data would mean nothing. */
static const char *data_hash(at_run *r)
{
    const at_dataset *d = r->job.split[AT_SPLIT_TRAIN];
    if (r->data_hash[0] || !d->digest) return r->data_hash;
    at_digest h;
    uint8_t bytes[AT_DIGEST_BYTES];
    at_digest_init(&h);
    d->digest(d, &h);
    at_digest_end(&h, bytes);
    at_digest_hex(r->data_hash, bytes);
    return r->data_hash;
}

static at_tree *metadata_of(at_run *r)
{
    at_text json;
    at_text_init(&json, r->ctx);
    at_tree *t = progress_tree(r), *map = at_tree_new(&r->arena, AT_MAP);
    if (t) at_json_write(&json, t, 0);
    at_tree_add(&r->arena, map, "progress", at_tree_string(&r->arena, json.data ? json.data : "{}"));
    at_tree_add(&r->arena, map, "base", at_tree_string(&r->arena, base_hash(r)));
    at_tree_add(&r->arena, map, "data", at_tree_string(&r->arena, data_hash(r)));
    at_text_deinit(&json);
    return at_last_status(r->ctx) == AT_OK ? map : NULL;
}

/* ---- Saving ---- */

static at_status save(at_run *r, const char *folder, bool weights_only)
{
    bundle b;
    char *path = at_arena_printf(&r->arena, "%s/state.safetensors", folder);
    at_tree *metadata = path ? metadata_of(r) : NULL;
    if (!metadata) return AT_E_NOMEM;
    AT_TRY(at_folder_make(r->ctx, folder));
    at_status s = make_bundle(&b, r, weights_only);
    const at_tensor_source source = {.read = read_tensor, .from = &b};
    if (s == AT_OK) s = at_safetensors_write_from(r->ctx, path, b.tensors, b.n, metadata, &source);
    drop_bundle(&b);
    return s;
}

/* Number N of a folder name "step-N"; -1 when it is another. */
static int64_t step_of(const char *name)
{
    char *end;
    if (strncmp(name, "step-", 5) != 0) return -1;
    const int64_t n = strtoll(name + 5, &end, 10);
    return end != name + 5 && *end == '\0' ? n : -1;
}

/* Remove older checkpoints; the new one is complete. */
static at_status remove_older(at_run *r, const char *parent, int64_t newest)
{
    const char **names;
    int64_t n;
    AT_TRY(at_folder_list(&r->arena, &names, &n, parent));
    for (int64_t i = 0; i < n; i++) {
        const int64_t step = step_of(names[i]);
        if (step < 0 || step >= newest) continue;
        char *path = at_arena_printf(&r->arena, "%s/%s", parent, names[i]);
        if (!path) return AT_E_NOMEM;
        AT_TRY(at_folder_remove(r->ctx, path));
    }
    return AT_OK;
}

at_status at__save_checkpoint(at_run *r)
{
    AT_TRY(at__flush_logs(r));
    char *parent = at_arena_printf(&r->arena, "%s/checkpoints", r->folder);
    char *folder =
        at_arena_printf(&r->arena, "%s/checkpoints/step-%08lld", r->folder, (long long)r->progress.attempt);
    if (!parent || !folder) return AT_E_NOMEM;
    AT_TRY(save(r, folder, false));
    AT_TRY(remove_older(r, parent, r->progress.attempt));
    const char *text = at_arena_printf(&r->arena, "checkpoint: %s", folder);
    at_event e = {
        .kind = AT_EVENT_CHECKPOINT, .text = text, .step = r->progress.attempt, .steps = r->total_steps};
    at_text json;
    at_text_init(&json, r->ctx);
    at_text_printf(&json,
                   "{\"event\":\"checkpoint\",\"step\":%lld,\"path\":", (long long)r->progress.attempt);
    at_text_json(&json, folder);
    at_text_add(&json, "}");
    at__emit(r, &e, &json);
    return AT_OK;
}

at_status at__save_best(at_run *r)
{
    char *folder = at_arena_printf(&r->arena, "%s/checkpoints/best", r->folder);
    return folder ? save(r, folder, true) : AT_E_NOMEM;
}

/* ---- Loading ---- */

static at_status find_last(at_run *r, const char *folder, char **out)
{
    *out = NULL;
    int64_t best = -1;
    char *parent = at_arena_printf(&r->arena, "%s/checkpoints", folder);
    if (!parent) return AT_E_NOMEM;
    if (!at_path_is_folder(parent)) return AT_OK;
    const char **names;
    int64_t n;
    AT_TRY(at_folder_list(&r->arena, &names, &n, parent));
    for (int64_t i = 0; i < n; i++) {
        char *path = at_arena_printf(&r->arena, "%s/%s/state.safetensors", parent, names[i]);
        if (!path) return AT_E_NOMEM;
        if (step_of(names[i]) <= best || !at_path_exists(path)) continue;
        best = step_of(names[i]);
        *out = path;
    }
    return AT_OK;
}

at_status at__has_checkpoint(at_run *r, const char *folder, bool *out)
{
    char *path;
    AT_TRY(find_last(r, folder, &path));
    *out = path != NULL;
    return AT_OK;
}

static at_status set_state(at_run *r, const at_safetensors *f, const char *group, at_state *t,
                           at_state *target, int64_t lo)
{
    char name[512], want[AT_SHAPE_TEXT];
    snprintf(name, sizeof name, "%s/%s", group, t->name);
    const at_tensor *x = at_safetensors_find(f, name);
    AT_REQUIRE(r->ctx, x && x->dtype == AT_REAL && x->count == t->count, AT_E_FORMAT,
               "%s: tensor \"%s\" is missing or has not the shape %s: the checkpoint is of another recipe",
               f->file.path, name, at_shape_text(want, t->shape.rank, t->shape.dim));
    const int64_t some = (int64_t)(PIECE / sizeof(at_real));
    const at_real *from = x->data;
    for (int64_t first = 0; first < x->count; first += some) {
        const int64_t n = at_min(some, x->count - first);
        at_state_set_part(r->model->net.store, target, lo + first, n, from + first);
        at_file_let_go(&f->file, from + first, (size_t)n * sizeof *from);
    }
    return AT_OK;
}

static at_status set_ranges(at_run *r, const at_safetensors *f, const char *group, at_state *flat)
{
    const at_store *s = r->model->net.store;
    for (int i = 0; i < s->n_ranges; i++)
        AT_TRY(set_state(r, f, group, (at_state *)(uintptr_t)s->ranges[i].state, flat, s->ranges[i].lo));
    return AT_OK;
}

static at_status set_all(at_run *r, const at_safetensors *f, bool weights_only)
{
    at_store *s = r->model->net.store;
    AT_TRY(set_ranges(r, f, "parameter", s->master));
    for (int i = 0; i < s->n_states; i++)
        if (s->running && s->states[i]->flat == s->running)
            AT_TRY(set_state(r, f, "running", s->states[i], s->running, s->states[i]->offset));
    for (int i = 0; i < r->commit.n_slots && !weights_only; i++)
        AT_TRY(set_ranges(r, f, r->commit.slots[i]->name, r->commit.slots[i]));
    if (!weights_only && r->commit.step) AT_TRY(set_state(r, f, "state", r->commit.step, r->commit.step, 0));
    AT_TRY(r->device->kind->sync(r->device));
    at_store_touch(s);
    return AT_OK;
}

static at_status load(at_run *r, const char *path, bool weights_only)
{
    at_safetensors *f;
    AT_TRY(at_safetensors_open(&f, r->ctx, path));
    const at_tree *base = at_tree_get(f->metadata, "base"), *text = at_tree_get(f->metadata, "progress");
    const at_tree *data = at_tree_get(f->metadata, "data");
    at_tree *progress = NULL;
    at_status s = AT_OK;
    if (!base || !text || strcmp(base->text, base_hash(r)) != 0)
        s = at_fail(r->ctx, AT_E_STATE, "%s: belongs to another base model than %s", path, r->model->folder);
    if (s == AT_OK && (!data || strcmp(data->text, data_hash(r)) != 0))
        s = at_fail(r->ctx, AT_E_STATE,
                    "%s: was written while training on other data than %s has now; give another --output",
                    path, r->settings.data.train);
    if (s == AT_OK) s = at_json_parse(&r->arena, &progress, text->text, strlen(text->text), path);
    if (s == AT_OK) s = set_all(r, f, weights_only);
    if (s == AT_OK && !weights_only) read_progress(&r->progress, progress);
    at_safetensors_close(r->ctx, f);
    return s;
}

at_status at__load_checkpoint(at_run *r)
{
    char *path;
    AT_TRY(find_last(r, r->folder, &path));
    AT_REQUIRE(r->ctx, path, AT_E_STATE, AT_NO_CHECKPOINT, r->folder);
    return load(r, path, false);
}

at_status at__restore_best(at_run *r)
{
    if (!r->progress.best.exists) return AT_OK;
    char *path = at_arena_printf(&r->arena, "%s/checkpoints/best/state.safetensors", r->folder);
    return path ? load(r, path, true) : AT_E_NOMEM;
}
