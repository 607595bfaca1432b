/* batchnorm.h: builder of batchnorm (training mode; by stored statistics it is bn_fold and channel_affine).
 * Layer: ops. */
#ifndef AT_BATCHNORM_H
#define AT_BATCHNORM_H

#include "engine/graph.h"

typedef struct at_batchnorm_param {
    double eps;
} at_batchnorm_param;

typedef struct at_batchnorm_values {
    at_value *y;          /* as x */
    at_value *mean, *var; /* [C] acc, var unbiased: what running statistics move towards */
} at_batchnorm_values;

extern const at_op at_op_batchnorm, at_op_batchnorm_dx;

/* Normalise by the statistics of all rows of the step: x [..,C] act on an extent, gamma, beta [C] acc. */
at_batchnorm_values at_batchnorm(at_graph *g, at_value *x, at_value *gamma, at_value *beta, double eps);

#endif
