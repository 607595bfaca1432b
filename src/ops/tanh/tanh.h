/* tanh.h: builder of tanh. Layer: ops. */
#ifndef AT_TANH_H
#define AT_TANH_H

#include "engine/graph.h"

extern const at_op at_op_tanh, at_op_tanh_dx;

/* y = tanh x, any shape, act. */
at_value *at_tanh(at_graph *g, at_value *x);

#endif
