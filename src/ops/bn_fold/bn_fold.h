/* bn_fold.h: builder of bn_fold. Layer: ops. */
#ifndef AT_BN_FOLD_H
#define AT_BN_FOLD_H

#include "engine/graph.h"

typedef struct at_bn_fold_param {
    double eps;
} at_bn_fold_param;

typedef struct at_scale_shift {
    at_value *scale, *shift;
} at_scale_shift;

extern const at_op at_op_bn_fold, at_op_bn_fold_dx;

/* Batch normalisation by stored statistics as scale and shift, for at_channel_affine: all [C] acc. */
at_scale_shift at_bn_fold(at_graph *g, at_value *gamma, at_value *beta, at_value *mean, at_value *var,
                          double eps);

#endif
