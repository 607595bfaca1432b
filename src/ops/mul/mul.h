/* mul.h: builder of mul. Layer: ops. */
#ifndef AT_MUL_H
#define AT_MUL_H

#include "engine/graph.h"

extern const at_op at_op_mul;

/* y = a b, element by element: one shape, act. */
at_value *at_mul(at_graph *g, at_value *a, at_value *b);

#endif
