/* sets.c: from logits and sets of classes to what metrics see. */
#include "tasks/sets.h"
#include <math.h>

double at_sigmoid(double x)
{
    const double e = exp(-fabs(x));
    return (x < 0 ? e : 1.0) / (1.0 + e);
}

void at_predict_sets(at_class_sets *c, uint8_t *predicted)
{
    for (int64_t i = 0; i < c->n * c->n_classes; i++)
        predicted[i] = at_sigmoid((double)c->logits[i]) >= c->threshold[i % c->n_classes];
    c->predicted = predicted;
}

static bool value(const at_metric *m, const void *of, double *out)
{
    if (m->of_sets) *out = m->of_sets(of);
    return m->of_sets != NULL;
}

at_status at_score_sets(at_ctx *ctx, at_scores *out, const char *first, const at_class_sets *of)
{
    at_class_sets c = *of;
    uint8_t *predicted = at_alloc_array(ctx, c.n * c.n_classes, sizeof *predicted);
    c.scratch = at_alloc_array(ctx, c.n, sizeof *c.scratch);
    const bool room = predicted && c.scratch;
    if (room) {
        at_predict_sets(&c, predicted);
        at_score(ctx, out, first, value, &c);
    }
    at_free(ctx, predicted);
    at_free(ctx, c.scratch);
    return room ? AT_OK : AT_E_NOMEM;
}

at_set_counts at_count_class(const at_class_sets *c, int k)
{
    at_set_counts n = {0};
    for (int64_t i = k; i < c->n * c->n_classes; i += c->n_classes) {
        n.truly += c->truth[i];
        n.said += c->predicted[i];
        n.right += c->truth[i] & c->predicted[i];
    }
    return n;
}
