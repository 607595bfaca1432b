/* rmse: square root of the mean squared error. */
#include "tasks/task.h"
#include <math.h>

static double of_numbers(const at_numbers *c)
{
    double sum = 0.0;
    for (int64_t i = 0; i < c->n; i++) {
        const double d = c->said[i] - c->truth[i];
        sum += d * d;
    }
    return c->n ? sqrt(sum / (double)c->n) : (double)NAN;
}

const at_metric at_metric_rmse = {.name = "rmse",
                                  .doc = "root of the mean squared difference, in the unit of the labels",
                                  .higher_is_better = false,
                                  .plain = true,
                                  .of_numbers = of_numbers};
