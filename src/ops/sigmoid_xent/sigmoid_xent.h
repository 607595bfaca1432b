/* sigmoid_xent.h: builder of sigmoid_xent. Layer: ops. */
#ifndef AT_SIGMOID_XENT_H
#define AT_SIGMOID_XENT_H

#include "ops/softmax_xent/softmax_xent.h"

extern const at_op at_op_sigmoid_xent;

/* Binary cross-entropy of sigmoid(logits): logits [S,K] act on an extent, targets [S,K] acc in [0, 1] on the
 * same extent, positive_weight [K] acc or NULL. The sum, and S K. */
at_loss at_sigmoid_xent(at_graph *g, at_value *logits, at_value *targets, at_value *positive_weight);

#endif
