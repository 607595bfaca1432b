/* contrastive_loss.h: builder of contrastive_loss: each anchor is to find its own positive among those of the
 * pass. Layer: ops. */
#ifndef AT_CONTRASTIVE_LOSS_H
#define AT_CONTRASTIVE_LOSS_H

#include "ops/cosine_loss/cosine_loss.h"

extern const at_op at_op_contrastive_loss;

typedef struct at_contrastive_param {
    double scale; /* of cosines: 1 / temperature */
} at_contrastive_param;

/* Shorter rows are divided by this. */
#define AT_CONTRASTIVE_LEAST 1e-12

/* hash INT [S,P]: of the texts; x [P S,C] act, the rows of a sample's anchor, positive and negatives, on one
 * extent. */
at_pair_loss at_contrastive_loss(at_graph *g, at_value *hash, at_value *x, double scale);

/* Does row j stand against sample s? For its kernels. */
bool at__contrastive_counts(const at_call *c, int64_t s, int64_t j);

#endif
