/* cosine_loss.h: builder of cosine_loss: pairs of rows whose cosine is to be a number. Layer: ops. */
#ifndef AT_COSINE_LOSS_H
#define AT_COSINE_LOSS_H

#include "engine/graph.h"

extern const at_op at_op_cosine_loss;

typedef struct at_pair_loss {
    at_value *sum, *count; /* [1] acc */
} at_pair_loss;

/* Shorter rows count as so long. */
#define AT_COSINE_LEAST 1e-8

/* Sum of (cos(x[2s], x[2s + 1]) - score[s])^2, and how many: x [2S,C] act, score [S] acc, on one extent. */
at_pair_loss at_cosine_loss(at_graph *g, at_value *score, at_value *x);

#endif
