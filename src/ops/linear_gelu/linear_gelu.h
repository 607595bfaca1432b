/* linear_gelu.h: linear maps and gelu in one: what fusions make, so it has no builders. Layer: ops. */
#ifndef AT_LINEAR_GELU_H
#define AT_LINEAR_GELU_H

#include "engine/graph.h"

extern const at_op at_op_linear_gelu, at_op_linear_dx_gelu;

#endif
