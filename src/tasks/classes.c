/* classes.c: from logits to what metrics see. */
#include "tasks/ranking.h"
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

int at_class_of(const float *logits, int n, double threshold)
{
    int best = 0;
    if (threshold > 0 && n == 2) return exp(at_log_probability(logits, n, 1)) >= threshold;
    for (int i = 1; i < n; i++)
        if (logits[i] > logits[best]) best = i;
    return best;
}

static void classify(at_classified *c, int32_t *predicted, int64_t *confusion)
{
    for (int64_t i = 0; i < c->n; i++) {
        predicted[i] = at_class_of(c->logits + i * c->n_classes, c->n_classes, c->threshold);
        if (c->label[i] >= 0) confusion[c->label[i] * c->n_classes + predicted[i]]++;
    }
    c->predicted = predicted;
    c->confusion = confusion;
}

static bool value(const at_metric *m, const void *of, double *out)
{
    if (m->of_classes) *out = m->of_classes(of);
    return m->of_classes != NULL;
}

at_status at_score_classes(at_ctx *ctx, at_scores *out, const char *first, const at_classified *of)
{
    at_classified c = *of;
    int32_t *predicted = at_alloc_array(ctx, c.n, sizeof *predicted);
    int64_t *confusion = at_alloc_array(ctx, (int64_t)c.n_classes * c.n_classes, sizeof *confusion);
    c.scratch = at_alloc_array(ctx, c.n, sizeof *c.scratch);
    const bool room = predicted && confusion && c.scratch;
    if (room) {
        classify(&c, predicted, confusion);
        at_score(ctx, out, first, value, &c);
    }
    at_free(ctx, predicted);
    at_free(ctx, confusion);
    at_free(ctx, c.scratch);
    return room ? AT_OK : AT_E_NOMEM;
}
