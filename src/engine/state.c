/* state.c: states and their store: binding to mapped files, setting, reading, and the flat layout of what
 * learns. */
#include "engine/state.h"
#include "engine/prepared.h"
#include <stdlib.h>

const at_storage *at_storage_of(const at_ctx *ctx, at_dtype dtype)
{
    int cursor = 0;
    const at_storage *s;
    while ((s = at_registry_next(ctx, "storage", &cursor)))
        if (s->n_buffers == 1 && s->dtype[0] == dtype) return s;
    return NULL;
}

/* ---- Life ---- */

at_status at_store_create(at_store **out, at_ctx *ctx, at_device *device)
{
    *out = NULL;
    at_store *s;
    AT_NEW(ctx, s, 1);
    s->ctx = ctx;
    s->device = device;
    s->prepared_budget = SIZE_MAX;
    at_arena_init(&s->arena, ctx);
    *out = s;
    return AT_OK;
}

void at_store_destroy(at_store *s)
{
    if (!s) return;
    at_prepared_drop(s);
    for (int i = 0; i < s->n_states; i++) {
        at_state *t = s->states[i];
        for (int b = 0; b < AT_MAX_BUFFERS && !t->flat; b++) /* members of a flat range own nothing */
            s->device->kind->release(s->device, &t->buffer[b]);
        at_free(s->ctx, t->owned);
    }
    at_free(s->ctx, s->states);
    at_free(s->ctx, s->ranges);
    at_arena_deinit(&s->arena);
    at_free(s->ctx, s);
}

at_status at_store_add(at_state **out, at_store *s, const char *name, at_role role, int rank,
                       const int64_t *dim)
{
    *out = NULL;
    int64_t count;
    AT_REQUIRE(s->ctx, rank >= 0 && rank <= AT_MAX_RANK && at_shape_count(&count, rank, dim), AT_E_SHAPE,
               "state %s: the element count does not fit 64 bits", name);
    AT_REQUIRE(s->ctx, !at_store_find(s, name), AT_E_STATE, "state %s is declared twice", name);
    if (s->n_states == s->cap_states) {
        const int wider = s->cap_states ? 2 * s->cap_states : 64;
        at_state **grown =
            at_realloc(s->ctx, s->states, (size_t)s->n_states * sizeof *grown, (size_t)wider * sizeof *grown);
        if (!grown) return AT_E_NOMEM;
        s->states = grown;
        s->cap_states = wider;
    }
    at_state *t = at_arena_alloc(&s->arena, sizeof *t);
    if (!t || !(t->name = at_arena_strdup(&s->arena, name))) return AT_E_NOMEM;
    t->shape.rank = rank;
    for (int i = 0; i < rank; i++) t->shape.dim[i] = dim[i];
    t->count = count;
    t->rows = rank > 1 ? dim[0] : 1;
    t->cols = rank == 0 ? 1 : t->rows > 0 ? count / t->rows : 0;
    t->role = role;
    t->offset = -1;
    s->states[s->n_states++] = t;
    *out = t;
    return AT_OK;
}

at_state *at_store_find(const at_store *s, const char *name)
{
    for (int i = 0; i < s->n_states; i++)
        if (strcmp(s->states[i]->name, name) == 0) return s->states[i];
    return NULL;
}

/* ---- Values ---- */

at_status at_state_bind(at_store *s, at_state *t, const at_storage *storage, const void *const *host)
{
    AT_REQUIRE(s->ctx, !t->storage, AT_E_STATE, "state %s has a value already", t->name);
    t->storage = storage;
    for (int b = 0; b < storage->n_buffers; b++) t->host[b] = host[b];
    t->version++;
    return AT_OK;
}

static const at_storage *real_storage(const at_store *s)
{
    return at_storage_of(s->ctx, AT_REAL);
}

/* Elements [first, first + n) of a range that is parallel to the masters are no longer zero. */
static void name_rows(const at_store *s, const at_state *flat, int64_t first, int64_t n)
{
    if (flat->role != AT_FLAT || flat == s->master || flat->count != s->master->count) return;
    for (int i = 0; i < s->n_ranges; i++) {
        const at_range *r = &s->ranges[i];
        const int64_t lo = at_max(first, r->lo), hi = at_min(first + n, r->hi);
        if (!r->state->named || lo >= hi) continue;
        const int64_t row = (lo - r->lo) / r->state->cols, end = at_ceil_div(hi - r->lo, r->state->cols);
        memset(r->state->named + row, 1, (size_t)(end - row));
    }
}

at_status at_state_set(at_store *s, at_state *t, const at_real *values)
{
    at_device *d = s->device;
    const size_t bytes = (size_t)t->count * sizeof(at_real);
    t->version++;
    if (t->buffer[0].data && t->storage == real_storage(s) && !t->host[0]) { /* on the device, and ours */
        d->kind->upload(d, t->buffer[0].data, bytes, values, bytes, bytes, 1);
        name_rows(s, t, 0, t->count);
        return AT_OK;
    }
    AT_REQUIRE(s->ctx, !t->buffer[0].data, AT_E_STATE, "state %s is mapped and in use: it cannot be set",
               t->name);
    void *copy = at_alloc(s->ctx, bytes);
    if (!copy) return AT_E_NOMEM;
    memcpy(copy, values, bytes);
    at_free(s->ctx, t->owned);
    t->owned = copy;
    t->storage = real_storage(s);
    memset(t->host, 0, sizeof t->host);
    t->host[0] = copy;
    return AT_OK;
}

static at_status storage_bytes(at_store *s, const at_state *t, int64_t bytes[AT_MAX_BUFFERS])
{
    AT_REQUIRE(s->ctx, t->storage, AT_E_STATE, "state %s has no value", t->name);
    AT_REQUIRE(s->ctx, t->storage->bytes(bytes, t->rows, t->cols), AT_E_SHAPE, "state %s is too large",
               t->name);
    return AT_OK;
}

/* A state that ops overwrite: memory of the device's own, filled with the value that was set. */
static at_status place_own(at_store *s, at_state *t, size_t bytes)
{
    at_device *d = s->device;
    AT_TRY(d->kind->alloc(d, &t->buffer[0], bytes));
    t->loaded[0] = t->buffer[0].data;
    d->kind->upload(d, t->buffer[0].data, bytes, t->host[0], bytes, bytes, 1);
    t->host[0] = NULL;
    at_free(s->ctx, t->owned);
    t->owned = NULL;
    return AT_OK;
}

at_status at_state_place(at_store *s, at_state *t)
{
    if (t->buffer[0].data || t->count == 0) return AT_OK;
    int64_t bytes[AT_MAX_BUFFERS];
    const bool zeros = t->role == AT_CACHE && !t->storage;
    if (zeros) t->storage = real_storage(s);
    AT_TRY(storage_bytes(s, t, bytes));
    if (t->role == AT_FLAT) return place_own(s, t, (size_t)bytes[0]);
    for (int b = 0; b < t->storage->n_buffers; b++) {
        if (zeros)
            AT_TRY(s->device->kind->alloc(s->device, &t->buffer[b], (size_t)bytes[b]));
        else
            AT_TRY(s->device->kind->import(s->device, &t->buffer[b], t->host[b], (size_t)bytes[b]));
        t->loaded[b] = t->buffer[b].data;
    }
    return AT_OK;
}

at_status at_state_get(at_store *s, const at_state *t, at_real *out)
{
    at_device *d = s->device;
    if (t->count == 0) return AT_OK;
    int64_t bytes[AT_MAX_BUFFERS];
    AT_TRY(storage_bytes(s, t, bytes));
    if (t->host[0]) { /* never changed on the device: read where it came from */
        for (int64_t r = 0; r < t->rows; r++)
            t->storage->load(out + r * t->cols, t->host, t->cols, r, 0, t->cols);
        return AT_OK;
    }
    AT_ASSERT(s->ctx, t->storage == real_storage(s) && t->buffer[0].data);
    d->kind->download(d, out, (size_t)bytes[0], t->buffer[0].data, (size_t)bytes[0], (size_t)bytes[0], 1);
    return d->kind->sync(d);
}

at_status at_state_get_part(at_store *s, const at_state *t, int64_t first, int64_t n, at_real *out)
{
    at_device *d = s->device;
    AT_ASSERT(s->ctx, t->storage == real_storage(s) && t->buffer[0].data && first + n <= t->count);
    const size_t bytes = (size_t)n * sizeof *out;
    d->kind->download(d, out, bytes, (const at_real *)t->buffer[0].data + first, bytes, bytes, 1);
    return d->kind->sync(d);
}

void at_state_set_part(at_store *s, const at_state *t, int64_t first, int64_t n, const at_real *values)
{
    enum { SOME = 1024 }; /* numbers that are compared together: a page of floats */
    at_device *d = s->device;
    for (int64_t i = 0; i < n; i += SOME) {
        const size_t bytes = (size_t)at_min(SOME, n - i) * sizeof *values;
        at_real *to = (at_real *)t->buffer[0].data + first + i;
        if (d->kind->is_host && memcmp(to, values + i, bytes) == 0) continue;
        d->kind->upload(d, to, bytes, values + i, bytes, bytes, 1);
        name_rows(s, t, first + i, at_min(SOME, n - i));
    }
}

/* ---- Flat layout ---- */

enum { FLAT_ALIGN = 16 }; /* elements: every tensor of a range starts on a cache line */

static at_status add_flat(at_state **out, at_store *s, const char *name, int64_t n)
{
    AT_TRY(at_store_add(out, s, name, AT_FLAT, 1, &n));
    at_state *t = *out;
    t->storage = real_storage(s);
    AT_TRY(s->device->kind->alloc(s->device, &t->buffer[0], (size_t)n * sizeof(at_real)));
    t->loaded[0] = t->buffer[0].data;
    return AT_OK;
}

/* A value on its way to dense at_real, some rows at a time: a task is a piece, where the CPU reaches `to`. */
typedef struct reading {
    const at_state *state;
    at_real *to;
    int64_t some; /* rows of a piece */
} reading;

static int64_t load_piece(const reading *w, int64_t first, at_real *to)
{
    const at_state *t = w->state;
    const int64_t n = at_min(w->some, t->rows - first);
    for (int64_t r = 0; r < n; r++)
        t->storage->load(to + r * t->cols, t->host, t->cols, first + r, 0, t->cols);
    return n;
}

static void load_task(void *arg, int64_t piece, int thread)
{
    (void)thread;
    const reading *w = arg;
    load_piece(w, piece * w->some, w->to + piece * w->some * w->state->cols);
}

/* The value as dense at_real at `to` on the device. */
static at_status upload_rows(at_store *s, const at_state *t, at_real *to)
{
    enum { PIECE = 64 << 10 }; /* numbers */
    at_device *d = s->device;
    reading w = {t, to, at_min(at_max(t->rows, 1), at_max(1, PIECE / at_max(t->cols, 1)))};
    if (d->kind->is_host) {
        at_parallel_for(s->ctx->pool, at_ceil_div(t->rows, w.some), load_task, &w);
        return AT_OK;
    }
    at_real *values = at_alloc_array(s->ctx, w.some * t->cols, sizeof *values);
    if (!values) return AT_E_NOMEM;
    for (int64_t first = 0; first < t->rows; first += w.some) {
        const size_t bytes = (size_t)(load_piece(&w, first, values) * t->cols) * sizeof *values;
        d->kind->upload(d, to + first * t->cols, bytes, values, bytes, bytes, 1);
    }
    at_free(s->ctx, values);
    return AT_OK;
}

/* The same of a value that only the device has. */
static at_status upload_whole(at_store *s, const at_state *t, at_real *to)
{
    at_device *d = s->device;
    const size_t bytes = (size_t)t->count * sizeof(at_real);
    at_real *values = at_alloc_array(s->ctx, t->count, sizeof *values);
    if (!values) return AT_E_NOMEM;
    const at_status status = at_state_get(s, t, values);
    if (status == AT_OK) d->kind->upload(d, to, bytes, values, bytes, bytes, 1);
    at_free(s->ctx, values);
    return status;
}

/* Move a state into its place in a flat range: convert to at_real, upload, let go of what it was read from.
 */
static at_status move_in(at_store *s, at_state *t, at_state *flat)
{
    at_device *d = s->device;
    at_real *to = (at_real *)flat->buffer[0].data + t->offset;
    AT_TRY(t->host[0] ? upload_rows(s, t, to) : upload_whole(s, t, to));
    for (int b = 0; b < AT_MAX_BUFFERS; b++) d->kind->release(d, &t->buffer[b]);
    t->buffer[0] = (at_buffer){to, (size_t)t->count * sizeof *to};
    t->loaded[0] = to;
    t->storage = real_storage(s);
    memset(t->host, 0, sizeof t->host);
    at_free(s->ctx, t->owned);
    t->owned = NULL;
    t->flat = flat;
    t->version++;
    return AT_OK;
}

typedef struct completion { /* a trainable state and the node that completes its gradient */
    at_state *state;
    int node;
} completion;

static int by_completion(const void *a, const void *b)
{
    const completion *x = a, *y = b;
    return x->node != y->node ? (x->node < y->node ? -1 : 1) : strcmp(x->state->name, y->state->name);
}

/* Do only ops contribute whose results are zero in most rows? */
static bool is_sparse(const at_value *gradient)
{
    for (; gradient; gradient = gradient->onto) {
        const at_node *n = gradient->node;
        int out = 0;
        while (out < n->op->n_out && n->out[out] != gradient) out++;
        if (!(n->op->sparse_out >> out & 1)) return false;
    }
    return true;
}

static at_status watch_rows(at_store *s, at_state *t)
{
    if (!t->sparse || !s->device->kind->is_host) return AT_OK;
    t->named = at_arena_alloc(&s->arena, (size_t)t->rows);
    if (!t->named) return AT_E_NOMEM;
    memset(t->named, 0, (size_t)t->rows);
    return AT_OK;
}

static int64_t place_next(at_state *t, int64_t *n)
{
    t->offset = *n;
    *n = at_round_up(*n + t->count, FLAT_ALIGN);
    return t->offset;
}

/* The part of `flat` that belongs to a sparse state stays zero for the most part. */
static void expect_zeros(at_store *s, const at_state *flat, const at_state *t)
{
    if (t->sparse && s->device->kind->expect_zeros)
        s->device->kind->expect_zeros((at_real *)flat->buffer[0].data + t->offset,
                                      (size_t)t->count * sizeof(at_real));
}

static at_status layout_trainable(at_store *s, const at_graph *g)
{
    completion *done;
    AT_NEW(s->ctx, done, s->n_states);
    int n_done = 0;
    for (int i = 0; i < g->n_values; i++) {
        at_value *v = g->values[i];
        if (!v->state || v->node || v->state->role != AT_TRAINABLE || !v->grad) continue;
        v->state->sparse = is_sparse(v->grad);
        done[n_done++] = (completion){v->state, v->grad->node->id};
    }
    qsort(done, (size_t)n_done, sizeof *done, by_completion);
    int64_t n = 0;
    for (int i = 0; i < n_done; i++) place_next(done[i].state, &n);
    at_status status = AT_OK;
    for (int i = 0; i < s->n_states && status == AT_OK; i++)
        if (s->states[i]->role == AT_TRAINABLE && s->states[i]->offset < 0)
            status = at_fail(
                s->ctx, AT_E_ARG,
                "%s is to be trained but no gradient reaches it; freeze it or train what lies above it",
                s->states[i]->name);
    if (status == AT_OK && n_done) {
        s->ranges = at_alloc_array(s->ctx, n_done, sizeof *s->ranges);
        status = s->ranges ? add_flat(&s->master, s, "flat.master", n) : AT_E_NOMEM;
        if (status == AT_OK) status = add_flat(&s->gradient, s, "flat.gradient", n);
    }
    for (int i = 0; i < n_done && status == AT_OK; i++) {
        at_state *t = done[i].state;
        status = move_in(s, t, s->master);
        if (status == AT_OK) status = watch_rows(s, t);
        t->gradient = (at_buffer){(at_real *)s->gradient->buffer[0].data + t->offset,
                                  (size_t)t->count * sizeof(at_real)};
        expect_zeros(s, s->gradient, t);
        s->ranges[s->n_ranges++] =
            (at_range){.lo = t->offset, .hi = t->offset + t->count, .rate = 1.0, .state = t};
    }
    at_free(s->ctx, done);
    return status;
}

static at_status layout_running(at_store *s, const at_graph *g)
{
    int64_t n = 0;
    for (int i = 0; i < g->n_values; i++)
        if (g->values[i]->target == AT_TARGET_PENDING) place_next(g->values[i]->target_state, &n);
    if (n == 0) return AT_OK;
    AT_TRY(add_flat(&s->running, s, "flat.running", n));
    AT_TRY(add_flat(&s->pending, s, "flat.pending", n));
    for (int i = 0; i < g->n_values; i++) {
        if (g->values[i]->target != AT_TARGET_PENDING) continue;
        at_state *t = g->values[i]->target_state;
        AT_TRY(move_in(s, t, s->running));
        t->pending = (at_buffer){(at_real *)s->pending->buffer[0].data + t->offset,
                                 (size_t)t->count * sizeof(at_real)};
    }
    return AT_OK;
}

at_status at_store_layout(at_store *s, const at_graph *g)
{
    AT_REQUIRE(s->ctx, !s->master && !s->running, AT_E_STATE, "the store is laid out already");
    AT_TRY(layout_trainable(s, g));
    return layout_running(s, g);
}

at_status at_store_slot(at_state **out, at_store *s, const char *name)
{
    *out = NULL;
    AT_REQUIRE(s->ctx, s->master, AT_E_STATE, "nothing is trainable: no slot for %s", name);
    AT_TRY(add_flat(out, s, name, s->master->count));
    for (int64_t i = 0; i < s->n_ranges; i++) expect_zeros(s, *out, s->ranges[i].state);
    return AT_OK;
}

void at_store_take_row(at_store *s, const at_state *t, int64_t row)
{
    if (!t->named || row < 0 || row >= t->rows) return;
    t->named[row] = 1;
    for (int i = 0; i < s->n_states; i++) {
        const at_state *flat = s->states[i];
        if (flat->role != AT_FLAT || flat == s->master || flat->count != s->master->count) continue;
        volatile at_real *x = (at_real *)flat->buffer[0].data + t->offset + row * t->cols;
        for (int64_t k = 0; k < t->cols; k++) x[k] = x[k]; /* as it is, and written */
    }
}

void at_store_touch(at_store *s)
{
    for (int i = 0; i < s->n_states; i++)
        if (s->states[i]->flat || s->states[i]->role == AT_FLAT) s->states[i]->version++;
}
