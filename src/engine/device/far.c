/* far.c: a test device that behaves like an accelerator without being one: memory of its own that nothing
 * outside a running item can touch, and a queue thread that works in order after random delays. Code that
 * dereferences device memory on the host, reuses a buffer before it was copied, or reads a scalar before
 * sync, breaks here.
 *
 * Items are made and freed by the thread that queues; the queue thread only runs them. */
#include "base/alloc.h"
#include "engine/device.h"
#include <pthread.h>
#include <sys/mman.h>
#include <time.h>

typedef struct item {
    struct item *next;
    at_run_fn run; /* NULL: a copy */
    at_call call;
    void *to;
    const void *from; /* uploads: the staged bytes behind this struct */
    size_t to_pitch, from_pitch, width;
    int64_t rows;
    char staged[];
} item;

typedef struct region {
    struct region *next;
    at_block block;
} region;

typedef struct far {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    item *first, *last, *turn; /* all since the last sync; turn: the next to run */
    region *regions;
    uint64_t queued, finished; /* items, ever */
    bool stop;
    uint32_t noise;
    at_status failed;
} far;

static void protect(far *f, int how)
{
    for (region *r = f->regions; r; r = r->next) mprotect(r->block.data, r->block.bytes, how);
}

static void copy_rows(const item *w)
{
    for (int64_t r = 0; r < w->rows; r++)
        memcpy((char *)w->to + (size_t)r * w->to_pitch, (const char *)w->from + (size_t)r * w->from_pitch,
               w->width);
}

static void dawdle(far *f)
{
    f->noise = f->noise * 1664525u + 1013904223u;
    if (f->noise >> 30) return; /* one item in four waits up to 100 us */
    const struct timespec pause = {0, (long)(f->noise >> 8 & 0xffff) * 100000 / 0xffff};
    nanosleep(&pause, NULL);
}

static void *work(void *arg)
{
    far *f = arg;
    pthread_mutex_lock(&f->lock);
    for (;;) {
        while (!f->turn && !f->stop) pthread_cond_wait(&f->changed, &f->lock);
        if (!f->turn) break;
        item *w = f->turn;
        protect(f, PROT_READ | PROT_WRITE); /* under the lock: regions do not change meanwhile */
        pthread_mutex_unlock(&f->lock);
        dawdle(f);
        const at_status s = w->run ? w->run(&w->call) : (copy_rows(w), AT_OK);
        pthread_mutex_lock(&f->lock);
        if (f->failed == AT_OK) f->failed = s;
        f->finished++;
        f->turn = w->next;
        if (!f->turn) protect(f, PROT_NONE);
        pthread_cond_broadcast(&f->changed);
    }
    pthread_mutex_unlock(&f->lock);
    return NULL;
}

static at_status far_open(at_device *d)
{
    far *f;
    AT_NEW(d->ctx, f, 1);
    d->self = f;
    f->noise = 1;
    pthread_mutex_init(&f->lock, NULL);
    pthread_cond_init(&f->changed, NULL);
    if (pthread_create(&f->thread, NULL, work, f) != 0) {
        at_free(d->ctx, f);
        return at_fail(d->ctx, AT_E_DEVICE, "far: no thread could be started");
    }
    return AT_OK;
}

static void free_items(at_device *d)
{
    far *f = d->self;
    while (f->first) {
        item *next = f->first->next;
        at_free(d->ctx, f->first);
        f->first = next;
    }
    f->last = NULL;
}

static void far_close(at_device *d)
{
    far *f = d->self;
    pthread_mutex_lock(&f->lock);
    f->stop = true;
    pthread_cond_broadcast(&f->changed);
    pthread_mutex_unlock(&f->lock);
    pthread_join(f->thread, NULL);
    free_items(d);
    pthread_cond_destroy(&f->changed);
    pthread_mutex_destroy(&f->lock);
    at_free(d->ctx, f);
}

static void wait_idle(far *f)
{
    while (f->turn) pthread_cond_wait(&f->changed, &f->lock);
}

static at_status far_alloc(at_device *d, at_buffer *out, size_t bytes)
{
    far *f = d->self;
    *out = (at_buffer){0};
    if (bytes == 0) return AT_OK;
    region *r;
    AT_NEW(d->ctx, r, 1);
    if (at_block_map(d->ctx, &r->block, bytes) != AT_OK) {
        at_free(d->ctx, r);
        return AT_E_NOMEM;
    }
    pthread_mutex_lock(&f->lock);
    wait_idle(f);
    r->next = f->regions;
    f->regions = r;
    mprotect(r->block.data, bytes, PROT_NONE);
    pthread_mutex_unlock(&f->lock);
    *out = (at_buffer){r->block.data, bytes};
    return AT_OK;
}

static void far_release(at_device *d, at_buffer *b)
{
    far *f = d->self;
    if (!b->data) return;
    pthread_mutex_lock(&f->lock);
    wait_idle(f);
    for (region **p = &f->regions; *p; p = &(*p)->next)
        if ((*p)->block.data == b->data) {
            region *r = *p;
            *p = r->next;
            at_block_unmap(d->ctx, &r->block);
            at_free(d->ctx, r);
            break;
        }
    pthread_mutex_unlock(&f->lock);
    *b = (at_buffer){0};
}

static void enqueue(at_device *d, const item *proto, const void *stage, size_t stage_bytes)
{
    far *f = d->self;
    item *w = at_alloc(d->ctx, sizeof *w + stage_bytes);
    if (!w) {
        d->failed = AT_E_NOMEM;
        return;
    }
    memcpy(w, proto, sizeof *w);
    w->next = NULL;
    if (stage_bytes) {
        memcpy(w->staged, stage, stage_bytes);
        w->from = w->staged;
    }
    pthread_mutex_lock(&f->lock);
    if (f->last)
        f->last->next = w;
    else
        f->first = w;
    f->last = w;
    f->queued++;
    if (!f->turn) f->turn = w;
    pthread_cond_broadcast(&f->changed);
    pthread_mutex_unlock(&f->lock);
}

static void far_upload(at_device *d, void *to, size_t to_pitch, const void *from, size_t from_pitch,
                       size_t width, int64_t rows)
{
    if (rows == 0 || width == 0) return;
    const item w = {.to = to, .to_pitch = to_pitch, .from_pitch = from_pitch, .width = width, .rows = rows};
    enqueue(d, &w, from, from_pitch * (size_t)(rows - 1) + width);
}

static void far_download(at_device *d, void *to, size_t to_pitch, const void *from, size_t from_pitch,
                         size_t width, int64_t rows)
{
    if (rows == 0 || width == 0) return;
    const item w = {
        .to = to, .from = from, .to_pitch = to_pitch, .from_pitch = from_pitch, .width = width, .rows = rows};
    enqueue(d, &w, NULL, 0);
}

static at_status far_import(at_device *d, at_buffer *out, const void *host, size_t bytes)
{
    AT_TRY(far_alloc(d, out, bytes));
    far_upload(d, out->data, bytes, host, bytes, bytes, 1);
    return AT_OK;
}

static void far_launch(at_device *d, at_run_fn run, const at_call *call)
{
    const item w = {.run = run, .call = *call};
    enqueue(d, &w, NULL, 0);
}

static uint64_t far_mark(at_device *d)
{
    return ((far *)d->self)->queued; /* only this thread adds */
}

static at_status far_wait(at_device *d, uint64_t mark)
{
    far *f = d->self;
    pthread_mutex_lock(&f->lock);
    while (f->finished < mark) pthread_cond_wait(&f->changed, &f->lock);
    at_status s = f->failed;
    const bool idle = f->turn == NULL;
    f->failed = AT_OK;
    pthread_mutex_unlock(&f->lock);
    if (idle) free_items(d);
    if (d->failed != AT_OK) s = d->failed;
    d->failed = AT_OK;
    AT_REQUIRE(d->ctx, s == AT_OK, s, "a kernel failed on the far device: %s", at_status_name(s));
    return AT_OK;
}

static at_status far_sync(at_device *d)
{
    return far_wait(d, far_mark(d));
}

const at_device_kind at_device_kind_far = {.name = "far",
                                           .open = far_open,
                                           .close = far_close,
                                           .alloc = far_alloc,
                                           .release = far_release,
                                           .import = far_import,
                                           .upload = far_upload,
                                           .download = far_download,
                                           .launch = far_launch,
                                           .sync = far_sync,
                                           .mark = far_mark,
                                           .wait = far_wait};
