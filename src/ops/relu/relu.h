/* relu.h: builder of relu. Layer: ops. */
#ifndef AT_RELU_H
#define AT_RELU_H

#include "engine/graph.h"

extern const at_op at_op_relu, at_op_relu_dx;

/* y = max(x, 0), any shape, act. */
at_value *at_relu(at_graph *g, at_value *x);

#endif
