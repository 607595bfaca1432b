/* relu6.h: builder of relu6. Layer: ops. */
#ifndef AT_RELU6_H
#define AT_RELU6_H

#include "engine/graph.h"

extern const at_op at_op_relu6, at_op_relu6_dx;

/* y = min(max(x, 0), 6), any shape, act. */
at_value *at_relu6(at_graph *g, at_value *x);

#endif
