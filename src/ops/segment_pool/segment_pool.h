/* segment_pool.h: builders of segment_pool: one row for each sample's rows. Layer: ops. */
#ifndef AT_SEGMENT_POOL_H
#define AT_SEGMENT_POOL_H

#include "engine/graph.h"
#include <math.h>

typedef enum at_segment_mode {
    AT_SEGMENT_FIRST,
    AT_SEGMENT_MEAN,
    AT_SEGMENT_LAST,
    AT_SEGMENT_MEAN_SQRT, /* the sum / sqrt of the number of rows */
    AT_SEGMENT_WEIGHTED,  /* the mean in which the i-th row counts i times */
    AT_SEGMENT_MODES
} at_segment_mode;

typedef struct at_segment_pool_param {
    int64_t mode; /* at_segment_mode */
} at_segment_pool_param;

extern const at_op at_op_segment_pool, at_op_segment_pool_dx;

/* One row for each sample: x [R,C] act on the extent of ragged rows, offsets INT [Smax+1] with offsets[s] the
 * first row of sample s and offsets[S] = R, like [S,..] on the extent of samples, which is not read; y [S,C]
 * act. A sample without rows has zeros. */
at_value *at_segment_pool(at_graph *g, at_segment_mode mode, at_value *x, at_value *offsets, at_value *like);
at_value *at_segment_first(at_graph *g, at_value *x, at_value *offsets, at_value *like);
at_value *at_segment_mean(at_graph *g, at_value *x, at_value *offsets, at_value *like);

/* ---- For its kernels ---- */

/* The rows of a sample; of them, [from, to) count, row r with at_segment_weight(r) * scale. */
typedef struct at_segment {
    int64_t first, n, from, to;
    double scale;
    bool weighted;
} at_segment;

static inline at_segment at_segment_of(const void *param, const int32_t *offsets, int64_t s)
{
    const int64_t mode = ((const at_segment_pool_param *)param)->mode, n = offsets[s + 1] - offsets[s];
    at_segment g = {
        .first = offsets[s], .n = n, .to = n, .scale = 1, .weighted = mode == AT_SEGMENT_WEIGHTED};
    if (n == 0) return g;
    if (mode == AT_SEGMENT_FIRST) g.to = 1;
    if (mode == AT_SEGMENT_LAST) g.from = n - 1;
    if (mode == AT_SEGMENT_MEAN) g.scale = 1 / (double)n;
    if (mode == AT_SEGMENT_MEAN_SQRT) g.scale = 1 / sqrt((double)n);
    if (mode == AT_SEGMENT_WEIGHTED) g.scale = 2 / ((double)n * (double)(n + 1));
    return g;
}

static inline double at_segment_weight(const at_segment *g, int64_t r)
{
    return g->weighted ? (double)(r + 1) : 1;
}

#endif
