/* elementwise_simd.h: the loop of kernels that compute each element of a result from the same element of their
 * operands. For *_simd.c files. Layer: engine. */
#ifndef AT_ELEMENTWISE_SIMD_H
#define AT_ELEMENTWISE_SIMD_H

#include "base/simd.h"
#include "engine/rows.h"

enum { AT_ELEMENTWISE_MAX = 2 }; /* operands */

/* The result from one vector of each operand. */
typedef vf (*at_elementwise_fn)(const vf *x);

/* The body of a span function: n_x operands, then the output, which is out[0]. */
AT_FORCE_INLINE void at_elementwise_span(const at_call *c, void *const *at, int64_t n, const int n_x,
                                         at_elementwise_fn f)
{
    at_element *y = at[n_x];
    const bool accumulate = c->accumulate & 1;
    for (int64_t i = 0; i < n; i += VL) {
        const int64_t lanes = at_min(VL, n - i);
        vf x[AT_ELEMENTWISE_MAX];
        for (int j = 0; j < n_x; j++) x[j] = va_load_n((const at_element *)at[j] + i, lanes);
        vf v = f(x);
        if (accumulate) v += va_load_n(y + i, lanes);
        va_store_n(y + i, v, lanes);
    }
}

#endif
