/* layernorm.h: builder of layernorm. Layer: ops. */
#ifndef AT_LAYERNORM_H
#define AT_LAYERNORM_H

#include "engine/graph.h"

typedef struct at_layernorm_param {
    double eps;
} at_layernorm_param;

extern const at_op at_op_layernorm, at_op_layernorm_dx;

/* y = (x - mean) / sqrt(var + eps) weight + bias, by the statistics of each row: x [..,C] act on an extent,
 * weight and bias [C] acc or NULL, each for itself. */
at_value *at_layernorm(at_graph *g, at_value *x, at_value *weight, at_value *bias, double eps);

#endif
