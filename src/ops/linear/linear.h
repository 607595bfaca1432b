/* linear.h: builders of the linear map. Layer: ops. */
#ifndef AT_LINEAR_H
#define AT_LINEAR_H

#include "engine/graph.h"

extern const at_op at_op_linear, at_op_linear_dx, at_op_linear_dw;

/* y = x W^T + b: x [..., in] act, w [out, in] acc, b [out] acc or NULL; y [..., out] act. */
at_value *at_linear(at_graph *g, at_value *x, at_value *w, at_value *b);

#endif
