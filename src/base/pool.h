/* pool.h: the one thread pool of a context. Layer: base.
 * Only the thread that runs steps may call at_parallel_for, never from inside a task. */
#ifndef AT_POOL_H
#define AT_POOL_H

#include "base/base.h"

enum { AT_MAX_THREADS = 4096 };

typedef struct at_pool at_pool;

/* threads: all that work, the caller included. The others are started at the first use. */
at_status at_pool_create(at_pool **out, at_ctx *ctx, int threads) AT_MUST_USE;
void at_pool_destroy(at_ctx *ctx, at_pool *pool);
int at_pool_threads(const at_pool *pool);

/* Call task(arg, i, thread) for every 0 <= i < n, each once; thread is the index of the executing one, 0 <=
 * thread < at_pool_threads. Indices are claimed one at a time, so results must not depend on who computes
 * them. Returns when all are done. Allocates nothing. */
typedef void (*at_task_fn)(void *arg, int64_t i, int thread);
void at_parallel_for(at_pool *pool, int64_t n, at_task_fn task, void *arg);

#endif
