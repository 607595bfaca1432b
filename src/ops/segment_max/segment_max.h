/* segment_max.h: builder of segment_max: the largest of each sample's rows, column by column. Layer: ops. */
#ifndef AT_SEGMENT_MAX_H
#define AT_SEGMENT_MAX_H

#include "engine/graph.h"

extern const at_op at_op_segment_max, at_op_segment_max_dx;

/* x [R,C] act on the extent of ragged rows, offsets INT [Smax+1] with offsets[s] the first row of sample s
 * and offsets[S] = R, like [S,..] on the extent of samples, which is not read; y [S,C] act. A sample without
 * rows has zeros. */
at_value *at_segment_max(at_graph *g, at_value *x, at_value *offsets, at_value *like);

#endif
