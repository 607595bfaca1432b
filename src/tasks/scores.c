/* scores.c: all metrics that fit what is scored, and how sure a share is. */
#include "tasks/task.h"
#include <math.h>

bool at_metric_fits(const at_metric *m, const at_metric *other)
{
    return (m->of_classes && other->of_classes) || (m->of_sets && other->of_sets) ||
           (m->of_numbers && other->of_numbers);
}

static void put_first(at_scores *s, const char *name)
{
    for (int i = 1; i < s->n; i++) {
        if (strcmp(s->list[i].name, name) != 0) continue;
        const at_score_value found = s->list[i];
        memmove(&s->list[1], &s->list[0], (size_t)i * sizeof *s->list);
        s->list[0] = found;
    }
}

void at_score(const at_ctx *ctx, at_scores *out, const char *first, at_metric_value_fn value, const void *of)
{
    int cursor = 0;
    const at_metric *m;
    double x;
    out->n = 0;
    while ((m = at_registry_next(ctx, "metric", &cursor)) && out->n < AT_MAX_SCORES)
        if (value(m, of, &x))
            out->list[out->n++] = (at_score_value){m->name, x, m->higher_is_better, m->proportion, m->plain};
    if (first) put_first(out, first);
}

void at_wilson(double share, int64_t n, double *low, double *high)
{
    *low = 0;
    *high = 1;
    if (n <= 0) return;
    const double z = 1.959963984540054, m = (double)n, centre = share + z * z / (2 * m);
    const double half = z * sqrt(share * (1 - share) / m + z * z / (4 * m * m)), whole = 1 + z * z / m;
    *low = fmax(0, (centre - half) / whole);
    *high = fmin(1, (centre + half) / whole);
}
