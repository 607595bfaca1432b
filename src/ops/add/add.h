/* add.h: builder of add. Layer: ops. */
#ifndef AT_ADD_H
#define AT_ADD_H

#include "engine/graph.h"

extern const at_op at_op_add;

/* y = a + b: same shape, both act or both acc. */
at_value *at_add(at_graph *g, at_value *a, at_value *b);

#endif
