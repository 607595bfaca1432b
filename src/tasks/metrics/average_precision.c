/* average_precision: area under the curve of precision over recall (scikit-learn's average_precision_score,
 * of more than two classes with average="macro", over the classes that occur with both values). */
#include "tasks/ranking.h"

static double of_classes(const at_classified *c)
{
    return at_rank_classes(c, at_average_precision);
}

static double of_sets(const at_class_sets *c)
{
    return at_rank_sets(c, at_average_precision);
}

const at_metric at_metric_average_precision = {
    .name = "average_precision",
    .doc = "area under precision over recall: the second class's, or the mean of each against the rest",
    .higher_is_better = true,
    .plain = true,
    .of_classes = of_classes,
    .of_sets = of_sets};
