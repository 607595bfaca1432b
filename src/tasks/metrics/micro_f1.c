/* micro_f1: 2 tp / (2 tp + fp + fn) over all classes and samples together (scikit-learn's
 * f1_score(average="micro")). Not defined where nothing is true and nothing predicted. */
#include "tasks/task.h"
#include <math.h>

static double of_sets(const at_class_sets *c)
{
    at_set_counts all = {0};
    for (int k = 0; k < c->n_classes; k++) {
        const at_set_counts n = at_count_class(c, k);
        all.truly += n.truly;
        all.said += n.said;
        all.right += n.right;
    }
    return all.truly + all.said ? 2.0 * (double)all.right / (double)(all.truly + all.said) : (double)NAN;
}

const at_metric at_metric_micro_f1 = {.name = "micro_f1",
                                      .doc = "F1 over all classes together: each label counts the same",
                                      .higher_is_better = true,
                                      .of_sets = of_sets};
