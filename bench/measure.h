/* measure.h: what benchmarks do with seconds. */
#ifndef AT_BENCH_MEASURE_H
#define AT_BENCH_MEASURE_H

#include <stdlib.h>

static inline int bench_compare(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* Sorts x; the mean of the middle two when n is even; 0 of nothing. */
static inline double bench_median(double *x, int n)
{
    if (n == 0) return 0;
    qsort(x, (size_t)n, sizeof *x, bench_compare);
    return n % 2 ? x[n / 2] : 0.5 * (x[n / 2 - 1] + x[n / 2]);
}

#endif
