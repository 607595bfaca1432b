/* ranking.h: how well scores put positives before negatives, for metrics. Layer: tasks. */
#ifndef AT_RANKING_H
#define AT_RANKING_H

#include "tasks/task.h"

struct at_ranked {
    double score;
    bool positive;
};

/* Both sort the list. NaN where there are no positives, no negatives, or a score is NaN.
 *   ROC-AUC: the share of pairs (positive, negative) in which the positive has the higher score; equal ones
 *     count a half (Mann and Whitney's U; Hanley and McNeil 1982).
 *   Average precision: sum over the different scores, from high to low, of the gain of recall times the
 *     precision there: no interpolation (scikit-learn's average_precision_score). */
double at_roc_auc(at_ranked *list, int64_t n);
double at_average_precision(at_ranked *list, int64_t n);

typedef double (*at_ranking_fn)(at_ranked *list, int64_t n);

/* Of two classes that of the second; of more the mean over those that occur with both values, each against
 * the rest, by its probability. */
double at_rank_classes(const at_classified *c, at_ranking_fn of);

/* Mean over the classes that some samples have and some have not. */
double at_rank_sets(const at_class_sets *c, at_ranking_fn of);

#endif
