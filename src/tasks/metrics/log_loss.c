/* log_loss: mean over counted samples of -log p(true class), nats. */
#include "tasks/task.h"

static double value(const at_classified *c)
{
    double sum = 0.0;
    int64_t n = 0;
    for (int64_t i = 0; i < c->n; i++) {
        if (c->label[i] < 0) continue;
        sum -= at_log_probability(c->logits + i * c->n_classes, c->n_classes, c->label[i]);
        n++;
    }
    return n ? sum / (double)n : 0.0;
}

const at_metric at_metric_log_loss = {
    .name = "log_loss",
    .doc = "mean -log p of the true class (nats): 0 is best, confident mistakes cost most",
    .higher_is_better = false,
    .value = value};
