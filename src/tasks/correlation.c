/* correlation.c: Pearson's and Spearman's coefficients, as scipy.stats.pearsonr and spearmanr give them. */
#include "tasks/correlation.h"
#include <math.h>
#include <stdlib.h>

double at_pearson(const double *x, const double *y, int64_t n)
{
    double mx = 0, my = 0, xx = 0, yy = 0, xy = 0;
    for (int64_t i = 0; i < n; i++) {
        mx += x[i] / (double)n;
        my += y[i] / (double)n;
    }
    for (int64_t i = 0; i < n; i++) {
        xx += (x[i] - mx) * (x[i] - mx);
        yy += (y[i] - my) * (y[i] - my);
        xy += (x[i] - mx) * (y[i] - my);
    }
    return xx == 0 || yy == 0 ? 0.0 : xy / sqrt(xx * yy);
}

typedef struct place {
    double value;
    int64_t of;
} place;

static int by_value(const void *a, const void *b)
{
    const place *x = a, *y = b;
    return x->value != y->value ? (x->value > y->value) - (x->value < y->value)
                                : (x->of > y->of) - (x->of < y->of);
}

/* Ranks from 0; places: room for n. */
static void rank(double *out, const double *x, int64_t n, place *places)
{
    for (int64_t i = 0; i < n; i++) places[i] = (place){x[i], i};
    qsort(places, (size_t)n, sizeof *places, by_value);
    for (int64_t i = 0, end; i < n; i = end) {
        for (end = i + 1; end < n && places[end].value == places[i].value;) end++;
        for (int64_t k = i; k < end; k++) out[places[k].of] = 0.5 * (double)(i + end - 1);
    }
}

at_status at_spearman(at_ctx *ctx, double *out, const double *x, const double *y, int64_t n)
{
    double *ranks = at_alloc_array(ctx, 2 * n, sizeof *ranks);
    place *places = ranks ? at_alloc_array(ctx, n, sizeof *places) : NULL;
    bool number = true;
    for (int64_t i = 0; i < n; i++) number &= !isnan(x[i]) && !isnan(y[i]);
    if (places) {
        rank(ranks, x, n, places);
        rank(ranks + n, y, n, places);
        *out = number ? at_pearson(ranks, ranks + n, n) : (double)NAN;
    }
    at_free(ctx, places);
    at_free(ctx, ranks);
    return places ? AT_OK : AT_E_NOMEM;
}
