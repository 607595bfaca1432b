/* accuracy: share of counted samples whose predicted class is the true one. */
#include "tasks/task.h"

static double of_classes(const at_classified *c)
{
    int64_t right = 0, all = 0;
    for (int i = 0; i < c->n_classes; i++)
        for (int j = 0; j < c->n_classes; j++) {
            all += c->confusion[i * c->n_classes + j];
            if (i == j) right += c->confusion[i * c->n_classes + j];
        }
    return all ? (double)right / (double)all : 0.0;
}

const at_metric at_metric_accuracy = {.name = "accuracy",
                                      .doc = "share predicted right",
                                      .higher_is_better = true,
                                      .proportion = true,
                                      .of_classes = of_classes};
