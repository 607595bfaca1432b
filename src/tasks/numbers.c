/* numbers.c: from outputs and true numbers to what metrics see. */
#include "tasks/numbers.h"
#include <math.h>
#include <stdlib.h>

double at_correlation(const double *x, const double *y, int64_t n)
{
    double mx = 0.0, my = 0.0, xx = 0.0, yy = 0.0, xy = 0.0;
    for (int64_t i = 0; i < n; i++) {
        mx += x[i] / (double)n;
        my += y[i] / (double)n;
    }
    for (int64_t i = 0; i < n; i++) {
        xx += (x[i] - mx) * (x[i] - mx);
        yy += (y[i] - my) * (y[i] - my);
        xy += (x[i] - mx) * (y[i] - my);
    }
    return xx > 0 && yy > 0 ? xy / sqrt(xx) / sqrt(yy) : (double)NAN;
}

/* ---- Ranks ---- */

typedef struct placed {
    double x;
    int64_t i;
} placed;

static int smallest_first(const void *a, const void *b)
{
    const placed *p = a, *q = b;
    return (p->x > q->x) - (p->x < q->x);
}

/* Equal numbers share the mean of their ranks. A NaN makes all ranks NaN. */
static void rank(double *out, const double *x, int64_t n, placed *list)
{
    bool broken = false;
    for (int64_t i = 0; i < n; i++) {
        list[i] = (placed){x[i], i};
        broken |= isnan(x[i]);
    }
    if (!broken) qsort(list, (size_t)n, sizeof *list, smallest_first);
    for (int64_t i = 0, k; i < n; i = k) {
        for (k = i + 1; k < n && list[k].x == list[i].x;) k++;
        for (int64_t m = i; m < k; m++)
            out[list[m].i] = broken ? (double)NAN : 0.5 * (double)(i + k - 1) + 1.0;
    }
}

at_status at_rank_correlation(at_ctx *ctx, double *out, const double *x, const double *y, int64_t n)
{
    double *ranks = at_alloc_array(ctx, 2 * n, sizeof *ranks);
    placed *list = at_alloc_array(ctx, n, sizeof *list);
    const bool room = ranks && list;
    if (room) {
        rank(ranks, x, n, list);
        rank(ranks + n, y, n, list);
        *out = at_correlation(ranks, ranks + n, n);
    }
    at_free(ctx, ranks);
    at_free(ctx, list);
    return room ? AT_OK : AT_E_NOMEM;
}

/* ---- Scores ---- */

static bool value(const at_metric *m, const void *of, double *out)
{
    if (m->of_numbers) *out = m->of_numbers(of);
    return m->of_numbers != NULL;
}

at_status at_score_numbers(at_ctx *ctx, at_scores *out, const char *first, int64_t n, const float *outputs,
                           at_unit unit, const double *truth)
{
    double *numbers = at_alloc_array(ctx, 3 * n, sizeof *numbers);
    placed *list = at_alloc_array(ctx, n, sizeof *list);
    const bool room = numbers && list;
    if (room) {
        double *said = numbers, *said_rank = numbers + n, *true_rank = numbers + 2 * n;
        for (int64_t i = 0; i < n; i++) said[i] = at_in_unit(unit, outputs[i]);
        rank(said_rank, said, n, list);
        rank(true_rank, truth, n, list);
        const at_numbers of = {
            .n = n, .said = said, .truth = truth, .said_rank = said_rank, .true_rank = true_rank};
        at_score(ctx, out, first, value, &of);
    }
    at_free(ctx, numbers);
    at_free(ctx, list);
    return room ? AT_OK : AT_E_NOMEM;
}
