/* pearson: linear correlation of predicted and true numbers (scipy.stats.pearsonr). Not
 * defined where one of the two does not vary. */
#include "tasks/task.h"

static double of_numbers(const at_numbers *c)
{
    return at_correlation(c->said, c->truth, c->n);
}

const at_metric at_metric_pearson = {.name = "pearson",
                                     .doc = "linear correlation of prediction and truth",
                                     .higher_is_better = true,
                                     .plain = true,
                                     .of_numbers = of_numbers};
