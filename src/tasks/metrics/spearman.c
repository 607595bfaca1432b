/* spearman: correlation of ranks, equal numbers sharing their mean rank (scipy.stats.spearmanr). Not
 * defined where one of the two does not vary. */
#include "tasks/task.h"

static double of_numbers(const at_numbers *c)
{
    return at_correlation(c->said_rank, c->true_rank, c->n);
}

const at_metric at_metric_spearman = {
    .name = "spearman",
    .doc = "correlation of the ranks of prediction and truth: only the order counts",
    .higher_is_better = true,
    .plain = true,
    .of_numbers = of_numbers};
