/* elementwise_simd.h: the loop of kernels that compute each element of a result from the same element of
 * their operands. For *_simd.c files. Layer: engine. */
#ifndef AT_ELEMENTWISE_SIMD_H
#define AT_ELEMENTWISE_SIMD_H

#include "base/simd.h"
#include "engine/rows.h"

enum { AT_ELEMENTWISE_MAX = 2 }; /* operands */

/* The result from one vector of each operand. */
typedef vf (*at_elementwise_fn)(const vf *x);

AT_FORCE_INLINE void at__elementwise_vector(void *const *at, int64_t i, int64_t lanes, bool accumulate,
                                            const int n_x, at_elementwise_fn f)
{
    vf x[AT_ELEMENTWISE_MAX];
    for (int j = 0; j < n_x; j++) x[j] = va_load_n((const at_element *)at[j] + i, lanes);
    vf v = vf_rounded(f(x)); /* whole vectors and the rest are compiled apart: both give the same bits */
    at_element *y = (at_element *)at[n_x] + i;
    if (accumulate) v += va_load_n(y, lanes);
    va_store_n(y, v, lanes);
}

/* n elements of n_x operands, then the output. */
AT_FORCE_INLINE void at_elementwise_run(void *const *at, int64_t n, bool accumulate, const int n_x,
                                        at_elementwise_fn f)
{
    int64_t i = 0;
    for (; i + VL <= n; i += VL) at__elementwise_vector(at, i, VL, accumulate, n_x, f);
    if (i < n) at__elementwise_vector(at, i, n - i, accumulate, n_x, f);
}

/* A kernel's run function of that loop. */
#define AT_ELEMENTWISE(run, n_x, f)                                                                          \
    static void run##_span(const at_call *c, void *const *at, int64_t n)                                     \
    {                                                                                                        \
        at_elementwise_run(at, n, c->accumulate & 1, n_x, f);                                                \
    }                                                                                                        \
    static at_status run(const at_call *c)                                                                   \
    {                                                                                                        \
        at_for_spans(c, n_x, 1, run##_span);                                                                 \
        return AT_OK;                                                                                        \
    }

#endif
