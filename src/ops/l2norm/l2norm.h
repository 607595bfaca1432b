/* l2norm.h: builder of l2norm: rows of length 1. Layer: ops. */
#ifndef AT_L2NORM_H
#define AT_L2NORM_H

#include "engine/graph.h"

extern const at_op at_op_l2norm, at_op_l2norm_dx;

/* Shorter rows are divided by this. */
#define AT_L2NORM_LEAST 1e-12

/* y = x / max(|x|, 1e-12), each row by its own length: x [..,C] act on an extent; y alike. */
at_value *at_l2norm(at_graph *g, at_value *x);

#endif
