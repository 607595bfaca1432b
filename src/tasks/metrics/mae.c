/* mae: mean absolute error. */
#include "tasks/task.h"
#include <math.h>

static double of_numbers(const at_numbers *c)
{
    double sum = 0.0;
    for (int64_t i = 0; i < c->n; i++) {
        const double d = c->said[i] - c->truth[i];
        sum += fabs(d);
    }
    return c->n ? sum / (double)c->n : (double)NAN;
}

const at_metric at_metric_mae = {.name = "mae",
                                 .doc = "mean difference of prediction and truth, in the unit of the labels",
                                 .higher_is_better = false,
                                 .plain = true,
                                 .of_numbers = of_numbers};
