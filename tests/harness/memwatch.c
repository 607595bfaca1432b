/* memwatch.c: malloc and mmap of the test programs. They pass everything on to the C library, or, where the
 * address sanitizer has a malloc of its own, hang on to its hooks. */
#include "tests/harness/memwatch.h"
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static __thread bool watched __attribute__((tls_model("initial-exec")));
static int n_watched;
static bool on;
static int64_t seen;

static inline void note(void)
{
    if (watched && __atomic_load_n(&on, __ATOMIC_RELAXED)) __atomic_add_fetch(&seen, 1, __ATOMIC_RELAXED);
}

#ifdef __SANITIZE_ADDRESS__

int __sanitizer_install_malloc_and_free_hooks(void (*on_malloc)(const volatile void *, size_t),
                                              void (*on_free)(const volatile void *));

static void on_malloc(const volatile void *p, size_t size)
{
    (void)p, (void)size;
    note();
}

static void on_free(const volatile void *p)
{
    (void)p;
}

static void install(void)
{
    static bool installed;
    if (!installed) __sanitizer_install_malloc_and_free_hooks(on_malloc, on_free);
    installed = true;
}

#else

#pragma GCC visibility push(default) /* the C library and others must find them, too */

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *p, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);

void *malloc(size_t size)
{
    note();
    return __libc_malloc(size);
}

void *calloc(size_t n, size_t size)
{
    note();
    return __libc_calloc(n, size);
}

void *realloc(void *p, size_t size)
{
    note();
    return __libc_realloc(p, size);
}

void *memalign(size_t alignment, size_t size);
void *memalign(size_t alignment, size_t size)
{
    note();
    return __libc_memalign(alignment, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
    return memalign(alignment, size);
}

int posix_memalign(void **out, size_t alignment, size_t size)
{
    *out = memalign(alignment, size);
    return *out ? 0 : ENOMEM;
}

void *mmap(void *at, size_t bytes, int protection, int flags, int file, off_t offset)
{
    note();
    return (void *)syscall(SYS_mmap, at, bytes, protection, flags, file, offset);
}

#pragma GCC visibility pop

static void install(void)
{
}

#endif

/* One tile a thread: each waits until all have one, so that every thread of the pool marks itself. */
typedef struct meeting {
    int expected, arrived;
} meeting;

static void mark(void *arg, int64_t i, int thread)
{
    (void)i, (void)thread;
    meeting *m = arg;
    watched = true;
    __atomic_add_fetch(&n_watched, 1, __ATOMIC_SEQ_CST);
    __atomic_add_fetch(&m->arrived, 1, __ATOMIC_SEQ_CST);
    while (__atomic_load_n(&m->arrived, __ATOMIC_SEQ_CST) < m->expected) sched_yield();
}

static void nothing(void *arg, int64_t i, int thread)
{
    (void)arg, (void)i, (void)thread;
}

void at_memwatch_threads(at_pool *pool)
{
    install();
    at_parallel_for(pool, 2, nothing,
                    NULL); /* the first use starts the threads; those that cannot start are not waited for */
    n_watched = 0;
    meeting m = {.expected = at_pool_threads(pool)};
    at_parallel_for(pool, m.expected, mark, &m);
}

int at_memwatch_count(void)
{
    return n_watched;
}

void at_memwatch_begin(void)
{
    __atomic_store_n(&seen, 0, __ATOMIC_SEQ_CST);
    __atomic_store_n(&on, true, __ATOMIC_SEQ_CST);
}

int64_t at_memwatch_end(void)
{
    __atomic_store_n(&on, false, __ATOMIC_SEQ_CST);
    return __atomic_load_n(&seen, __ATOMIC_SEQ_CST);
}
