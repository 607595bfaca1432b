/* r2: coefficient of determination, 1 - sum (y - x)^2 / sum (y - mean y)^2 (scikit-learn's r2_score). Not
 * defined where all true numbers are equal. */
#include "tasks/task.h"
#include <math.h>

static double of_numbers(const at_numbers *c)
{
    double mean = 0.0, off = 0.0, all = 0.0;
    for (int64_t i = 0; i < c->n; i++) mean += c->truth[i] / (double)c->n;
    for (int64_t i = 0; i < c->n; i++) {
        off += (c->said[i] - c->truth[i]) * (c->said[i] - c->truth[i]);
        all += (c->truth[i] - mean) * (c->truth[i] - mean);
    }
    return all > 0 ? 1.0 - off / all : (double)NAN;
}

const at_metric at_metric_r2 = {
    .name = "r2",
    .doc = "share of the variance that is explained: 1 is perfect, 0 as good as the mean of these labels",
    .higher_is_better = true,
    .plain = true,
    .of_numbers = of_numbers};
