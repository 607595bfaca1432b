/* loader.c: batches filled ahead of their use by decoding threads (pthreads that never touch the compute
 * pool).
 *
 * A ring of slots: each holds one batch being filled or waiting to be taken. A thread claims (slot, sample)
 * pairs in order of position; the taker waits until all samples of the oldest slot are done. Reading path:
 * work, at_loader_next. */
#include "base/rng.h"
#include "data/dataset.h"
#include <pthread.h>

enum { AHEAD = 3 }; /* slots: one being used, the others being filled */

typedef struct slot {
    int64_t batch; /* number in the sequence; -1 = free */
    int64_t n, claimed, done;
    int32_t *sample_id, *sequence_id, *offsets;
    void *data[AT_MAX_COLUMNS];
    at_status status; /* of the first failing sample by position */
    int64_t failed_at;
    char message[1024];
} slot;

struct at_loader {
    at_ctx *ctx;
    const at_dataset *d;
    int64_t batch;
    int parts;
    pthread_mutex_t lock;
    pthread_cond_t filled, wanted;
    pthread_t *threads;
    int n_threads;
    bool stop;
    slot slots[AHEAD];
    const int32_t *order, *sizes;
    int64_t n_batches, next_batch, taken; /* taken: the batch that the caller holds; -1 = none yet */
    int64_t position;                     /* of the next batch's first sample in order */
    int64_t busy;                         /* samples being filled */
    at_fill how;
};

int64_t at_column_count(const at_column *c)
{
    int64_t n = 1;
    for (int i = 0; i < c->rank; i++) n *= c->dim[i];
    return n;
}

static size_t row_bytes(const at_column *c)
{
    return (size_t)at_column_count(c) * at_dtype_size(c->dtype);
}

void at_shuffle(int32_t *order, int64_t n, uint64_t seed, uint64_t epoch)
{
    const at_rng_key key = at_rng_make(seed, at_hash_name("order"), epoch);
    for (int64_t i = 0; i < n; i++) order[i] = (int32_t)i;
    for (int64_t i = n - 1; i > 0; i--) {
        const int64_t j = (int64_t)at_rng_below(key, 0, 0, (uint64_t)i, (uint64_t)i + 1);
        const int32_t t = order[i];
        order[i] = order[j];
        order[j] = t;
    }
}

/* ---- Filling; l->lock is held but inside fill ---- */

/* Number the sequences of the slot's samples, and say where their rows begin. */
static void lay_out(const at_loader *l, slot *s)
{
    const at_dataset *d = l->d;
    int32_t *end = s->offsets;
    *end = 0;
    for (int64_t i = 0; i < s->n; i++)
        for (int p = 0; p < l->parts; p++, end++) {
            const int32_t sample = s->sample_id[i];
            const int64_t rows = !d->rows       ? 0
                                 : l->parts > 1 ? d->part_rows(d, sample, p)
                                                : d->rows(d, sample);
            s->sequence_id[i * l->parts + p] = sample * l->parts + p;
            end[1] = end[0] + (int32_t)rows;
        }
}

/* Give free slots the next batches of the sequence. */
static void open_slots(at_loader *l)
{
    for (;;) {
        slot *s = &l->slots[l->next_batch % AHEAD];
        if (l->next_batch >= l->n_batches || s->batch >= 0) return;
        s->batch = l->next_batch++;
        s->n = l->sizes[s->batch];
        s->claimed = s->done = 0;
        s->status = AT_OK;
        s->failed_at = INT64_MAX;
        memcpy(s->sample_id, l->order + l->position, (size_t)s->n * sizeof *s->sample_id);
        l->position += s->n;
        lay_out(l, s);
    }
}

/* The oldest slot with a sample nobody has claimed. */
static slot *claim(at_loader *l, int64_t *sample)
{
    slot *oldest = NULL;
    for (int i = 0; i < AHEAD; i++) {
        slot *s = &l->slots[i];
        if (s->batch >= 0 && s->claimed < s->n && (!oldest || s->batch < oldest->batch)) oldest = s;
    }
    if (oldest) *sample = oldest->claimed++;
    return oldest;
}

static at_status fill(at_loader *l, at_ctx *ctx, slot *s, int64_t i)
{
    void *out[AT_MAX_COLUMNS];
    for (int c = 0; c < l->d->n_columns; c++) {
        const at_column *column = &l->d->columns[c];
        out[c] =
            (char *)s->data[c] + (size_t)(column->ragged ? s->offsets[i * l->parts] : i) * row_bytes(column);
    }
    return l->d->fill(ctx, l->d, s->sample_id[i], &l->how, out);
}

static void *work(void *arg)
{
    at_loader *l = arg;
    at_ctx ctx;
    at_ctx_fork(&ctx, l->ctx);
    pthread_mutex_lock(&l->lock);
    while (!l->stop) {
        int64_t i;
        slot *s = claim(l, &i);
        if (!s) {
            pthread_cond_wait(&l->wanted, &l->lock);
            continue;
        }
        l->busy++;
        pthread_mutex_unlock(&l->lock);
        const at_status status = fill(l, &ctx, s, i);
        pthread_mutex_lock(&l->lock);
        l->busy--;
        if (status != AT_OK && i < s->failed_at) {
            s->failed_at = i;
            s->status = status;
            memcpy(s->message, ctx.message, sizeof s->message);
        }
        at_clear_error(&ctx);
        s->done++;
        pthread_cond_broadcast(&l->filled);
    }
    pthread_mutex_unlock(&l->lock);
    return NULL;
}

/* ---- Life ---- */

static at_status make_slots(at_loader *l)
{
    for (int i = 0; i < AHEAD; i++) {
        slot *s = &l->slots[i];
        s->batch = -1;
        AT_NEW(l->ctx, s->sample_id, l->batch);
        AT_NEW(l->ctx, s->sequence_id, l->batch * l->parts);
        AT_NEW(l->ctx, s->offsets, l->batch * l->parts + 1);
        for (int c = 0; c < l->d->n_columns; c++) {
            const at_column *column = &l->d->columns[c];
            const int64_t rows = column->ragged ? l->batch * l->d->max_rows : l->batch;
            if (!(s->data[c] = at_alloc_array(l->ctx, rows, row_bytes(column)))) return AT_E_NOMEM;
        }
    }
    return AT_OK;
}

static at_status start_threads(at_loader *l, int threads)
{
    AT_NEW(l->ctx, l->threads, threads);
    for (int i = 0; i < threads; i++) {
        const int failed = pthread_create(&l->threads[i], NULL, work, l);
        if (failed) return at_fail_errno(l->ctx, failed, "cannot start a decoding thread");
        l->n_threads++;
    }
    return AT_OK;
}

at_status at_loader_create(at_loader **out, at_ctx *ctx, const at_dataset *d, int64_t batch, int threads)
{
    *out = NULL;
    at_loader *l;
    AT_NEW(ctx, l, 1);
    l->ctx = ctx;
    l->d = d;
    l->parts = at_dataset_parts(d);
    l->batch = batch;
    l->taken = -1;
    pthread_mutex_init(&l->lock, NULL);
    pthread_cond_init(&l->filled, NULL);
    pthread_cond_init(&l->wanted, NULL);
    at_status s = make_slots(l);
    if (s == AT_OK) s = start_threads(l, threads);
    if (s != AT_OK) {
        at_loader_destroy(l);
        return s;
    }
    *out = l;
    return AT_OK;
}

void at_loader_destroy(at_loader *l)
{
    if (!l) return;
    pthread_mutex_lock(&l->lock);
    l->stop = true;
    pthread_cond_broadcast(&l->wanted);
    pthread_mutex_unlock(&l->lock);
    for (int i = 0; i < l->n_threads; i++) pthread_join(l->threads[i], NULL);
    for (int i = 0; i < AHEAD; i++) {
        at_free(l->ctx, l->slots[i].sample_id);
        at_free(l->ctx, l->slots[i].sequence_id);
        at_free(l->ctx, l->slots[i].offsets);
        for (int c = 0; c < AT_MAX_COLUMNS; c++) at_free(l->ctx, l->slots[i].data[c]);
    }
    at_free(l->ctx, l->threads);
    pthread_cond_destroy(&l->filled);
    pthread_cond_destroy(&l->wanted);
    pthread_mutex_destroy(&l->lock);
    at_free(l->ctx, l);
}

void at_loader_start(at_loader *l, const int32_t *order, const int32_t *sizes, int64_t n_batches,
                     const at_fill *how)
{
    pthread_mutex_lock(&l->lock);
    for (int i = 0; i < AHEAD; i++)
        l->slots[i].claimed = l->slots[i].n = 0; /* nothing more of the old sequence */
    while (l->busy > 0) pthread_cond_wait(&l->filled, &l->lock);
    for (int i = 0; i < AHEAD; i++) l->slots[i].batch = -1;
    l->order = order;
    l->sizes = sizes;
    l->n_batches = n_batches;
    l->next_batch = l->position = 0;
    l->taken = -1;
    l->how = *how;
    open_slots(l);
    pthread_cond_broadcast(&l->wanted);
    pthread_mutex_unlock(&l->lock);
}

at_status at_loader_next(at_loader *l, at_batch *out)
{
    pthread_mutex_lock(&l->lock);
    if (l->taken >= 0) { /* the caller is done with the last one */
        l->slots[l->taken % AHEAD].batch = -1;
        open_slots(l);
        pthread_cond_broadcast(&l->wanted);
    }
    slot *s = &l->slots[(l->taken + 1) % AHEAD];
    const bool exists = s->batch == l->taken + 1;
    while (exists && s->done < s->n) pthread_cond_wait(&l->filled, &l->lock);
    if (exists) l->taken++;
    pthread_mutex_unlock(&l->lock);
    AT_REQUIRE(l->ctx, exists, AT_E_STATE, "the sequence has no further batch");
    if (s->status != AT_OK) return at_fail(l->ctx, s->status, "%s", s->message);
    *out = (at_batch){.n = s->n,
                      .sample_id = s->sample_id,
                      .sequence_id = s->sequence_id,
                      .offsets = l->d->rows ? s->offsets : NULL,
                      .rows = s->offsets[s->n * l->parts]};
    for (int c = 0; c < l->d->n_columns; c++) out->data[c] = s->data[c];
    return AT_OK;
}
