/* scale.h: builder of the multiplication by a number. Layer: ops. */
#ifndef AT_SCALE_H
#define AT_SCALE_H

#include "engine/graph.h"

typedef struct at_scale_param {
    double factor;
} at_scale_param;

extern const at_op at_op_scale;

/* y = factor x, any shape, act; x itself when the factor is 1. */
at_value *at_scale(at_graph *g, at_value *x, double factor);

#endif
