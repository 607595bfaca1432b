/* similarity_scores.h: how good the embeddings of pairs of texts are. Layer: tasks. */
#ifndef AT_SIMILARITY_SCORES_H
#define AT_SIMILARITY_SCORES_H

#include "tasks/task.h"

/* Embeddings of n samples: [n, parts, width], text and second text first. */
typedef struct at_embedded {
    const float *data;
    int64_t n, width;
    int parts;
} at_embedded;

/* Cosine of the first two texts of sample i. */
double at_embedded_cosine(const at_embedded *e, int64_t i);

/* spearman and pearson of the cosines with scores [n]. */
at_status at_score_cosines(at_ctx *ctx, at_scores *out, const at_embedded *e,
                           const double *score) AT_MUST_USE;

/* Each text looks for its second text among those of all samples: accuracy_at_1 and mrr_at_10. Second texts
 * as near as its own (equal ones) do not stand before it. */
at_status at_score_ranks(at_ctx *ctx, at_scores *out, const at_embedded *e) AT_MUST_USE;

#endif
