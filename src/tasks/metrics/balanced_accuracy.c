/* balanced_accuracy: mean over the classes that occur of the share of their samples predicted right (recall).
 */
#include "tasks/task.h"

static double of_classes(const at_classified *c)
{
    double sum = 0.0;
    int classes = 0;
    for (int i = 0; i < c->n_classes; i++) {
        int64_t all = 0;
        for (int j = 0; j < c->n_classes; j++) all += c->confusion[i * c->n_classes + j];
        if (all == 0) continue;
        sum += (double)c->confusion[i * c->n_classes + i] / (double)all;
        classes++;
    }
    return classes ? sum / classes : 0.0;
}

const at_metric at_metric_balanced_accuracy = {.name = "balanced_accuracy",
                                               .doc =
                                                   "mean recall of the classes: each class counts the same",
                                               .higher_is_better = true,
                                               .of_classes = of_classes};
