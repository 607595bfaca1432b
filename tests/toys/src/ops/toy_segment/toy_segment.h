/* toy_segment.h: builder of toy_segment. */
#ifndef AT_TOY_SEGMENT_H
#define AT_TOY_SEGMENT_H

#include "engine/graph.h"

extern const at_op at_op_toy_segment;

/* Mean of each sample's rows: x [R,C] on the extent of ragged rows, offsets INT [Smax+1], like INT [S,...]
 * gives the extent of samples. A sample without rows has mean 0. */
at_value *at_toy_segment(at_graph *g, at_value *x, at_value *offsets, at_value *like);

#endif
