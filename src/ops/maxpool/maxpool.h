/* maxpool.h: builder of maxpool. Layer: ops. */
#ifndef AT_MAXPOOL_H
#define AT_MAXPOOL_H

#include "engine/graph.h"

typedef struct at_maxpool_param {
    int64_t kernel, stride, pad; /* the same along both axes */
    int64_t height, width;       /* gradient: of x; unused elsewhere */
} at_maxpool_param;

extern const at_op at_op_maxpool, at_op_maxpool_dx;

/* x [S,H,W,C] act; y [S,H',W',C] act, H' = (H + 2 pad - kernel) / stride + 1, W' likewise. */
at_value *at_maxpool(at_graph *g, at_value *x, int64_t kernel, int64_t stride, int64_t pad);

/* Taps, or outputs, [first, last) along one axis. */
typedef struct at_pool_range {
    int64_t first, last;
} at_pool_range;

/* The taps of output o that lie inside [0, size); at least one does, as 2 pad <= kernel. */
static inline at_pool_range at_maxpool_taps(const at_maxpool_param *p, int64_t o, int64_t size)
{
    const int64_t start = o * p->stride - p->pad;
    return (at_pool_range){at_max(0, -start), at_min(p->kernel, size - start)};
}

/* The outputs, of `size`, whose windows hold position i; tap i + pad - o stride of output o is there. */
static inline at_pool_range at_maxpool_outputs(const at_maxpool_param *p, int64_t i, int64_t size)
{
    const int64_t reach = i + p->pad - p->kernel; /* the window before the first ends here */
    return (at_pool_range){reach < 0 ? 0 : reach / p->stride + 1, at_min(size, (i + p->pad) / p->stride + 1)};
}

#endif
