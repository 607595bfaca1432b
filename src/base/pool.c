/* pool.c: parallel_for over OpenMP, the runtime that vendor libraries share with us. The only file that knows
 * it. */
#include "base/pool.h"
#include <sched.h>
#ifdef _OPENMP
#include <omp.h>
#endif

int at_pool_default_threads(void)
{
    cpu_set_t set;
    int n = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
    return n > AT_MAX_THREADS ? AT_MAX_THREADS : n;
}

void at_parallel_for(int threads, int64_t n, at_task_fn task, void *arg)
{
#ifdef _OPENMP
    if (threads > 1 && n > 1) {
        int64_t next = 0;
        const int team = (int)at_min(threads, n);
#pragma omp parallel num_threads(team)
        {
            const int self = omp_get_thread_num();
            int64_t i;
            while ((i = __atomic_fetch_add(&next, 1, __ATOMIC_RELAXED)) < n) task(arg, i, self);
        }
        return;
    }
#endif
    for (int64_t i = 0; i < n; i++) task(arg, i, 0);
}
