/* mse.h: builder of mse. Layer: ops. */
#ifndef AT_MSE_H
#define AT_MSE_H

#include "ops/softmax_xent/softmax_xent.h"

typedef struct at_mse_param {
    double shift, scale; /* of the targets: what is compared is (y - shift) / scale */
} at_mse_param;

extern const at_op at_op_mse;

/* Squared errors: x [S,1] act on an extent, targets y [S] acc on the same extent; scale > 0. The sum, and the
 * number of rows. */
at_loss at_mse(at_graph *g, at_value *x, at_value *y, double shift, double scale);

#endif
