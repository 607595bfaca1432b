/* toy_second: share of counted samples whose true class has the largest or the second largest logit. */
#include "tasks/task.h"

static double of_classes(const at_classified *c)
{
    int64_t right = 0, all = 0;
    for (int64_t i = 0; i < c->n; i++) {
        int above = 0;
        if (c->label[i] < 0) continue;
        const float *logits = c->logits + i * c->n_classes;
        for (int k = 0; k < c->n_classes; k++) above += logits[k] > logits[c->label[i]];
        right += above < 2;
        all++;
    }
    return all ? (double)right / (double)all : 0.0;
}

const at_metric at_metric_toy_second = {.name = "toy-second",
                                        .doc = "share whose class is among the two likeliest",
                                        .higher_is_better = true,
                                        .of_classes = of_classes};
