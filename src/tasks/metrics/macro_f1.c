/* macro_f1: unweighted mean of 2 tp / (2 tp + fp + fn) over the classes that occur or are predicted
 * (scikit-learn's f1_score(average="macro"); of sets with zero_division=nan). */
#include "tasks/task.h"

static double of_classes(const at_classified *c)
{
    double sum = 0.0;
    int classes = 0;
    for (int i = 0; i < c->n_classes; i++) {
        int64_t truly = 0, predicted = 0;
        for (int j = 0; j < c->n_classes; j++) {
            truly += c->confusion[i * c->n_classes + j];
            predicted += c->confusion[j * c->n_classes + i];
        }
        if (truly + predicted == 0) continue;
        sum += 2.0 * (double)c->confusion[i * c->n_classes + i] / (double)(truly + predicted);
        classes++;
    }
    return classes ? sum / classes : 0.0;
}

static double of_sets(const at_class_sets *c)
{
    double sum = 0.0;
    int classes = 0;
    for (int k = 0; k < c->n_classes; k++) {
        const at_set_counts n = at_count_class(c, k);
        if (n.truly + n.said == 0) continue;
        sum += 2.0 * (double)n.right / (double)(n.truly + n.said);
        classes++;
    }
    return classes ? sum / classes : 0.0;
}

const at_metric at_metric_macro_f1 = {.name = "macro_f1",
                                      .doc = "mean F1 of the classes: recall and precision in one number",
                                      .higher_is_better = true,
                                      .of_classes = of_classes,
                                      .of_sets = of_sets};
