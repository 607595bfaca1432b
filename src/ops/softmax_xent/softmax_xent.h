/* softmax_xent.h: builder of softmax_xent. Layer: ops. */
#ifndef AT_SOFTMAX_XENT_H
#define AT_SOFTMAX_XENT_H

#include "engine/graph.h"

enum { AT_NO_LABEL = -100 }; /* a row that is not counted */

typedef struct at_softmax_xent_param {
    double smoothing;
} at_softmax_xent_param;

/* Unnormalised: what a mean divides by travels beside the sum. Both [1] acc. */
typedef struct at_loss {
    at_value *sum, *weight;
} at_loss;

extern const at_op at_op_softmax_xent;

/* Cross-entropy of softmax(logits) with labels: logits [S,K] act on an extent, labels [S] int on the same
 * extent with 0 <= label < K or AT_NO_LABEL, class_weight [K] acc or NULL, 0 <= smoothing <= 1. */
at_loss at_softmax_xent(at_graph *g, at_value *logits, at_value *labels, at_value *class_weight,
                        double smoothing);

#endif
