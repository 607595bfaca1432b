/* pool.c: parallel_for over threads of our own.
 *
 * Why not OpenMP: its regions end when every thread of the team has come by. On a machine that is also busy
 * with something else, a thread that the system has put aside holds up all others for milliseconds, at each
 * of the hundreds of regions of a step. Here a region ends when its tiles are done; who comes late finds
 * nothing to do.
 *
 * `remaining` is the only gate: a tile is claimed by lowering it, and the job's fields stay as they are until
 * every claimed tile is done, so they are read after the claim. Idle threads look for work a while, then
 * sleep. */
#include "base/pool.h"
#include "base/alloc.h"
#include <pthread.h>
#include <sched.h>

enum { LOOKS = 4000 }; /* before sleeping: some 50 us, more than the pause between two kernels of a step */

typedef struct worker {
    at_pool *pool;
    pthread_t thread;
    int index;
} worker;

struct at_pool {
    int threads, started;
    worker *workers;
    /* The job */
    at_task_fn task;
    void *arg;
    int64_t n;
    char apart_1[AT_ALIGN]; /* counters that all threads write lie on cache lines of their own */
    int64_t remaining;
    char apart_2[AT_ALIGN];
    int64_t done;
    char apart_3[AT_ALIGN];
    /* Sleeping */
    pthread_mutex_t lock;
    pthread_cond_t work, finished;
    int sleepers;
    bool stop, caller_sleeps;
};

static inline void relax(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#else
    sched_yield();
#endif
}

int at_pool_threads(const at_pool *pool)
{
    return pool->threads;
}

/* Claim a tile: its number counted from the end, or 0 when there is none. */
static int64_t claim(at_pool *p)
{
    int64_t r = __atomic_load_n(&p->remaining, __ATOMIC_RELAXED);
    while (r > 0 &&
           !__atomic_compare_exchange_n(&p->remaining, &r, r - 1, true, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
        ;
    return r > 0 ? r : 0;
}

/* Run tiles until none is left; tells how many. */
static int64_t run_tiles(at_pool *p, int index)
{
    int64_t r, ran = 0;
    while ((r = claim(p)) > 0) {
        p->task(p->arg, p->n - r, index);
        ran++;
        __atomic_add_fetch(&p->done, 1, __ATOMIC_SEQ_CST);
    }
    return ran;
}

static void sleep_until_work(at_pool *p)
{
    pthread_mutex_lock(&p->lock);
    __atomic_add_fetch(&p->sleepers, 1,
                       __ATOMIC_SEQ_CST); /* then look again: the caller looks the other way round */
    while (!p->stop && __atomic_load_n(&p->remaining, __ATOMIC_SEQ_CST) <= 0)
        pthread_cond_wait(&p->work, &p->lock);
    __atomic_sub_fetch(&p->sleepers, 1, __ATOMIC_SEQ_CST);
    pthread_mutex_unlock(&p->lock);
}

static void *work(void *arg)
{
    worker *w = arg;
    at_pool *p = w->pool;
    int looks = 0;
    while (!__atomic_load_n(&p->stop, __ATOMIC_RELAXED)) {
        if (run_tiles(p, w->index)) {
            looks = 0;
            if (__atomic_load_n(&p->caller_sleeps, __ATOMIC_SEQ_CST)) {
                pthread_mutex_lock(&p->lock);
                pthread_cond_signal(&p->finished);
                pthread_mutex_unlock(&p->lock);
            }
        } else if (++looks < LOOKS) {
            relax();
        } else {
            sleep_until_work(p);
            looks = 0;
        }
    }
    return NULL;
}

/* ---- Life ---- */

at_status at_pool_create(at_pool **out, at_ctx *ctx, int threads)
{
    *out = NULL;
    at_pool *p = at_alloc(ctx, sizeof *p);
    if (!p) return AT_E_NOMEM;
    p->threads = threads;
    p->started = 1; /* the caller */
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->work, NULL);
    pthread_cond_init(&p->finished, NULL);
    if (!(p->workers = at_alloc_array(ctx, threads, sizeof *p->workers))) {
        at_pool_destroy(ctx, p);
        return AT_E_NOMEM;
    }
    *out = p;
    return AT_OK;
}

void at_pool_destroy(at_ctx *ctx, at_pool *p)
{
    if (!p) return;
    pthread_mutex_lock(&p->lock);
    __atomic_store_n(&p->stop, true, __ATOMIC_RELAXED);
    pthread_cond_broadcast(&p->work);
    pthread_mutex_unlock(&p->lock);
    for (int i = 1; i < p->started; i++) pthread_join(p->workers[i].thread, NULL);
    pthread_cond_destroy(&p->finished);
    pthread_cond_destroy(&p->work);
    pthread_mutex_destroy(&p->lock);
    at_free(ctx, p->workers);
    at_free(ctx, p);
}

/* A thread that cannot be started is done without: the others do its tiles. */
static void start(at_pool *p)
{
    for (; p->started < p->threads; p->started++) {
        worker *w = &p->workers[p->started];
        *w = (worker){.pool = p, .index = p->started};
        if (pthread_create(&w->thread, NULL, work, w) != 0) p->threads = p->started;
    }
}

/* ---- Running ---- */

static void wake_sleepers(at_pool *p)
{
    pthread_mutex_lock(&p->lock);
    pthread_cond_broadcast(&p->work);
    pthread_mutex_unlock(&p->lock);
}

/* The tiles that others have claimed: mostly about to end. */
static void wait_for_others(at_pool *p, int64_t n)
{
    for (int looks = 0; __atomic_load_n(&p->done, __ATOMIC_ACQUIRE) < n; looks++) {
        if (looks < LOOKS) {
            relax();
            continue;
        }
        pthread_mutex_lock(&p->lock);
        __atomic_store_n(&p->caller_sleeps, true, __ATOMIC_SEQ_CST);
        while (__atomic_load_n(&p->done, __ATOMIC_SEQ_CST) < n) pthread_cond_wait(&p->finished, &p->lock);
        __atomic_store_n(&p->caller_sleeps, false, __ATOMIC_SEQ_CST);
        pthread_mutex_unlock(&p->lock);
    }
}

void at_parallel_for(at_pool *p, int64_t n, at_task_fn task, void *arg)
{
    if (p->threads == 1 || n <= 1) {
        for (int64_t i = 0; i < n; i++) task(arg, i, 0);
        return;
    }
    if (p->started < p->threads) start(p);
    p->task = task;
    p->arg = arg;
    p->n = n;
    __atomic_store_n(&p->done, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&p->remaining, n, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&p->sleepers, __ATOMIC_SEQ_CST)) wake_sleepers(p);
    run_tiles(p, 0);
    wait_for_others(p, n);
}
