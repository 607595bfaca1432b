/* ranking.c: areas under curves over all thresholds. Ties are taken together, so that no order among equal
 * scores matters. */
#include "tasks/ranking.h"
#include <math.h>
#include <stdlib.h>

static int highest_first(const void *a, const void *b)
{
    const at_ranked *x = a, *y = b;
    return (x->score < y->score) - (x->score > y->score);
}

/* False where nothing is defined. */
static bool sort(at_ranked *list, int64_t n, int64_t *positives)
{
    *positives = 0;
    for (int64_t i = 0; i < n; i++) {
        if (isnan(list[i].score)) return false;
        *positives += list[i].positive;
    }
    if (*positives == 0 || *positives == n) return false;
    qsort(list, (size_t)n, sizeof *list, highest_first);
    return true;
}

/* Samples from i on with the same score, and how many of them are positive. */
static int64_t tied(const at_ranked *list, int64_t n, int64_t i, int64_t *positive)
{
    int64_t k = i;
    *positive = 0;
    for (; k < n && list[k].score == list[i].score; k++) *positive += list[k].positive;
    return k - i;
}

double at_roc_auc(at_ranked *list, int64_t n)
{
    int64_t positives, above = 0, here;
    double area = 0.0;
    if (!sort(list, n, &positives)) return (double)NAN;
    for (int64_t i = 0, m; i < n; i += m) {
        m = tied(list, n, i, &here);
        area += (double)(m - here) * ((double)above + 0.5 * (double)here);
        above += here;
    }
    return area / ((double)positives * (double)(n - positives));
}

double at_average_precision(at_ranked *list, int64_t n)
{
    int64_t positives, found = 0, here;
    double sum = 0.0;
    if (!sort(list, n, &positives)) return (double)NAN;
    for (int64_t i = 0, m; i < n; i += m) {
        m = tied(list, n, i, &here);
        found += here;
        sum += (double)here * (double)found / (double)(i + m);
    }
    return sum / (double)positives;
}

static double rank_class(const at_classified *c, int k, at_ranking_fn of)
{
    int64_t n = 0;
    for (int64_t i = 0; i < c->n; i++)
        if (c->label[i] >= 0)
            c->scratch[n++] = (at_ranked){at_log_probability(c->logits + i * c->n_classes, c->n_classes, k),
                                          c->label[i] == k};
    return of(c->scratch, n);
}

double at_rank_classes(const at_classified *c, at_ranking_fn of)
{
    double sum = 0.0;
    int counted = 0;
    if (c->n_classes == 2) return rank_class(c, 1, of);
    for (int k = 0; k < c->n_classes; k++) {
        int64_t truly = 0, all = 0;
        for (int i = 0; i < c->n_classes * c->n_classes; i++) {
            all += c->confusion[i];
            if (i / c->n_classes == k) truly += c->confusion[i];
        }
        if (truly == 0 || truly == all) continue;
        sum += rank_class(c, k, of); /* a NaN stays */
        counted++;
    }
    return counted ? sum / counted : (double)NAN;
}

double at_rank_sets(const at_class_sets *c, at_ranking_fn of)
{
    double sum = 0.0;
    int counted = 0;
    for (int k = 0; k < c->n_classes; k++) {
        const int64_t truly = at_count_class(c, k).truly;
        if (truly == 0 || truly == c->n) continue;
        for (int64_t i = 0; i < c->n; i++)
            c->scratch[i] =
                (at_ranked){(double)c->logits[i * c->n_classes + k], c->truth[i * c->n_classes + k]};
        sum += of(c->scratch, c->n); /* a NaN stays */
        counted++;
    }
    return counted ? sum / counted : (double)NAN;
}
