/* log_loss: mean over counted samples of -log p(true class), nats. */
#include "tasks/task.h"
#include <math.h>

static double of_classes(const at_classified *c)
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

/* Of sets: mean over samples and classes of the binary cross-entropy of sigmoid(logit). */
static double of_sets(const at_class_sets *c)
{
    double sum = 0.0;
    const int64_t cells = c->n * c->n_classes;
    for (int64_t i = 0; i < cells; i++) {
        const double x = (double)(c->truth[i] ? -c->logits[i] : c->logits[i]);
        sum += (x > 0 ? x : 0.0) + log1p(exp(-fabs(x)));
    }
    return cells ? sum / (double)cells : 0.0;
}

const at_metric at_metric_log_loss = {
    .name = "log_loss",
    .doc = "mean -log p of the true class (nats): 0 is best, confident mistakes cost most",
    .higher_is_better = false,
    .of_classes = of_classes,
    .of_sets = of_sets};
