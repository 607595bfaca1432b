/* dropout.h: builder of dropout. Layer: ops. */
#ifndef AT_DROPOUT_H
#define AT_DROPOUT_H

#include "engine/graph.h"

typedef struct at_dropout_param {
    double p;
} at_dropout_param;

typedef struct at_dropout_dx_param {
    double p;
    int64_t occurrence; /* of the forward node, among the stochastic nodes of its site */
} at_dropout_dx_param;

extern const at_op at_op_dropout, at_op_dropout_dx;

/* y = x keep / (1 - p), 0 <= p < 1: x [..,C] act, sample_id [S] int on the extent of x, whose rows divide
 * evenly among the S samples. Returns x itself when p is 0 or the graph does not train; sample_id may then be
 * NULL. */
at_value *at_dropout(at_graph *g, at_value *x, at_value *sample_id, double p);

#endif
