/* roc_auc: area under the ROC curve (scikit-learn's roc_auc_score, of more than two classes with
 * multi_class="ovr", average="macro", over the classes that occur with both values). */
#include "tasks/ranking.h"

static double of_classes(const at_classified *c)
{
    return at_rank_classes(c, at_roc_auc);
}

static double of_sets(const at_class_sets *c)
{
    return at_rank_sets(c, at_roc_auc);
}

const at_metric at_metric_roc_auc = {.name = "roc_auc",
                                     .doc = "how often a positive ranks above a negative: the second "
                                            "class's, or the mean of each against the rest",
                                     .higher_is_better = true,
                                     .plain = true,
                                     .of_classes = of_classes,
                                     .of_sets = of_sets};
