/* exact_match: share of samples whose set of classes is predicted exactly (scikit-learn's accuracy_score of
 * sets: subset accuracy). */
#include "tasks/task.h"

static double of_sets(const at_class_sets *c)
{
    int64_t right = 0;
    const size_t K = (size_t)c->n_classes;
    for (int64_t i = 0; i < c->n; i++)
        right += memcmp(c->truth + i * c->n_classes, c->predicted + i * c->n_classes, K) == 0;
    return c->n ? (double)right / (double)c->n : 0.0;
}

const at_metric at_metric_exact_match = {.name = "exact_match",
                                         .doc = "share of samples with all classes right and none too many",
                                         .higher_is_better = true,
                                         .proportion = true,
                                         .of_sets = of_sets};
