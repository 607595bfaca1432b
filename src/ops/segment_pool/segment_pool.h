/* segment_pool.h: builders of segment_pool: one row for each sample's rows. Layer: ops. */
#ifndef AT_SEGMENT_POOL_H
#define AT_SEGMENT_POOL_H

#include "engine/graph.h"

typedef enum at_segment_mode { AT_SEGMENT_FIRST, AT_SEGMENT_MEAN } at_segment_mode;

typedef struct at_segment_pool_param {
    int64_t mode; /* at_segment_mode */
} at_segment_pool_param;

extern const at_op at_op_segment_pool, at_op_segment_pool_dx;

/* The first row of each sample, or the mean of its rows: x [R,C] act on the extent of ragged rows, offsets
 * INT [Smax+1] with offsets[s] the first row of sample s and offsets[S] = R, like [S,..] on the extent of
 * samples, which is not read; y [S,C] act. A sample without rows has zeros. */
at_value *at_segment_first(at_graph *g, at_value *x, at_value *offsets, at_value *like);
at_value *at_segment_mean(at_graph *g, at_value *x, at_value *offsets, at_value *like);

#endif
