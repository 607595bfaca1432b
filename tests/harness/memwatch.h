/* memwatch.h: counts calls that obtain memory (malloc and its relatives, mmap), made by chosen threads while
 * a watch is on. The test programs bring their own malloc and mmap for it, so that calls from anywhere in the
 * process count: the C library and codecs included. */
#ifndef AT_MEMWATCH_H
#define AT_MEMWATCH_H

#include "base/pool.h"

/* The calling thread and every thread of the pool are watched from now on. */
void at_memwatch_threads(at_pool *pool);

void at_memwatch_begin(void);

/* Calls seen since at_memwatch_begin. */
int64_t at_memwatch_end(void);

/* How many threads are watched: the caller's and the pool's. */
int at_memwatch_count(void);

#endif
