/* mse: mean squared error. */
#include "tasks/task.h"
#include <math.h>

static double of_numbers(const at_numbers *c)
{
    double sum = 0.0;
    for (int64_t i = 0; i < c->n; i++) {
        const double d = c->said[i] - c->truth[i];
        sum += d * d;
    }
    return c->n ? sum / (double)c->n : (double)NAN;
}

const at_metric at_metric_mse = {.name = "mse",
                                 .doc = "mean squared difference of prediction and truth",
                                 .higher_is_better = false,
                                 .plain = true,
                                 .of_numbers = of_numbers};
