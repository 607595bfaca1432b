/* classes.c: from logits to what metrics see. */
#include "tasks/task.h"
#include <math.h>

double at_log_probability(const float *logits, int n, int label)
{
    double top = (double)logits[0], sum = 0.0;
    for (int i = 1; i < n; i++)
        if (!((double)logits[i] <= top)) top = (double)logits[i]; /* NaN wins and stays */
    for (int i = 0; i < n; i++) sum += exp((double)logits[i] - top);
    return (double)logits[label] - top - log(sum);
}

static int32_t first_of_largest(const float *logits, int n)
{
    int best = 0;
    for (int i = 1; i < n; i++)
        if (logits[i] > logits[best]) best = i;
    return best;
}

static void classify(at_classified *c, int32_t *predicted, int64_t *confusion)
{
    for (int64_t i = 0; i < c->n; i++) {
        predicted[i] = first_of_largest(c->logits + i * c->n_classes, c->n_classes);
        if (c->label[i] >= 0) confusion[c->label[i] * c->n_classes + predicted[i]]++;
    }
    c->predicted = predicted;
    c->confusion = confusion;
}

at_status at_score_classes(at_ctx *ctx, at_scores *out, int64_t n, int n_classes, const float *logits,
                           const int32_t *label)
{
    at_classified c = {.n = n, .n_classes = n_classes, .logits = logits, .label = label};
    int32_t *predicted = at_alloc_array(ctx, n, sizeof *predicted);
    int64_t *confusion = at_alloc_array(ctx, (int64_t)n_classes * n_classes, sizeof *confusion);
    if (predicted && confusion) {
        classify(&c, predicted, confusion);
        int cursor = 0;
        const at_metric *m;
        out->n = 0;
        while ((m = at_registry_next(ctx, "metric", &cursor)) && out->n < AT_MAX_SCORES)
            out->list[out->n++] = (at_score_value){m->name, m->value(&c), m->higher_is_better, m->proportion};
    }
    at_free(ctx, predicted);
    at_free(ctx, confusion);
    return predicted && confusion ? AT_OK : AT_E_NOMEM;
}
