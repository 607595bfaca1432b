/* toy_squared.h: builder of toy_squared. */
#ifndef AT_TOY_SQUARED_H
#define AT_TOY_SQUARED_H

#include "engine/graph.h"

extern const at_op at_op_toy_squared;

typedef struct at_squared {
    at_value *sum, *count; /* [1] each: sums over the rows, not divided */
} at_squared;

/* sum of (y - target)^2 and the number of rows: y, target [S,1] act. */
at_squared at_toy_squared(at_graph *g, at_value *y, at_value *target);

#endif
