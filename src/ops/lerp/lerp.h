/* lerp.h: builder of lerp. Layer: ops. */
#ifndef AT_LERP_H
#define AT_LERP_H

#include "engine/graph.h"

typedef struct at_lerp_param {
    double m;
} at_lerp_param;

extern const at_op at_op_lerp;

/* y = (1 - m) a + m b, same shape, acc, 0 <= m <= 1. No gradient. */
at_value *at_lerp(at_graph *g, at_value *a, at_value *b, double m);

#endif
