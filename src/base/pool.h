/* pool.h: the one thread pool. Layer: base.
 * Only the thread that runs steps may call at_parallel_for, never from inside a task. */
#ifndef AT_POOL_H
#define AT_POOL_H

#include "base/base.h"

enum { AT_MAX_THREADS = 4096 };

/* Number of processors this process may use (affinity and cgroup quota respected by the operating system). */
int at_pool_default_threads(void);

/* Call task(arg, i, thread) for every 0 <= i < n, each once, on up to `threads` threads; thread is the index
 * of the executing one, 0 <= thread < threads. Indices are claimed one at a time, so results must not depend
 * on who computes them. Returns when all are done. */
typedef void (*at_task_fn)(void *arg, int64_t i, int thread);
void at_parallel_for(int threads, int64_t n, at_task_fn task, void *arg);

#endif
