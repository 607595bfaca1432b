/* similarity_scores.c: correlations of cosines with scores; ranks of each text's partner among all. */
#include "tasks/similarity_scores.h"
#include "base/pool.h"
#include <math.h>

static const float *row(const at_embedded *e, int64_t i, int part)
{
    return e->data + (i * e->parts + part) * e->width;
}

/* In lanes, which the compiler makes vectors of. */
static double dot(const float *a, const float *b, int64_t n)
{
    enum { LANES = 16 };
    float lane[LANES] = {0};
    double sum = 0.0;
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (int k = 0; k < LANES; k++) lane[k] += a[i + k] * b[i + k];
    for (int k = 0; k < LANES; k++) sum += (double)lane[k];
    for (; i < n; i++) sum += (double)a[i] * (double)b[i];
    return sum;
}

double at_embedded_cosine(const at_embedded *e, int64_t i)
{
    const float *a = row(e, i, 0), *b = row(e, i, 1);
    const double length = sqrt(dot(a, a, e->width) * dot(b, b, e->width));
    return dot(a, b, e->width) / fmax(length, 1e-16);
}

static void add_score(at_scores *out, at_score_value x)
{
    x.higher_is_better = true;
    out->list[out->n++] = x;
}

at_status at_score_cosines(at_ctx *ctx, at_scores *out, const at_embedded *e, const double *score)
{
    double *cosine, rho;
    *out = (at_scores){0};
    AT_NEW(ctx, cosine, e->n);
    for (int64_t i = 0; i < e->n; i++) cosine[i] = at_embedded_cosine(e, i);
    const at_status s = at_rank_correlation(ctx, &rho, cosine, score, e->n);
    if (s == AT_OK) {
        add_score(out, (at_score_value){.name = "spearman", .value = rho, .plain = true});
        const double r = at_correlation(cosine, score, e->n);
        add_score(out, (at_score_value){.name = "pearson", .value = r, .plain = true});
    }
    at_free(ctx, cosine);
    return s;
}

/* ---- Ranks ---- */

typedef struct search {
    const at_embedded *e;
    float *unit;   /* [n, width] of second texts */
    int64_t *rank; /* [n] from 0 */
} search;

static void normalise(void *arg, int64_t i, int thread)
{
    (void)thread;
    const search *s = arg;
    const float *b = row(s->e, i, 1);
    const double length = fmax(sqrt(dot(b, b, s->e->width)), 1e-12);
    for (int64_t k = 0; k < s->e->width; k++) s->unit[i * s->e->width + k] = (float)((double)b[k] / length);
}

static void look_for(void *arg, int64_t i, int thread)
{
    (void)thread;
    const search *s = arg;
    const int64_t width = s->e->width;
    const float *a = row(s->e, i, 0);
    const double own = dot(a, s->unit + i * width, width);
    int64_t before = 0;
    for (int64_t j = 0; j < s->e->n; j++)
        before += j != i && !(dot(a, s->unit + j * width, width) <= own); /* a NaN finds nothing */
    s->rank[i] = before;
}

static void add_ranks(at_scores *out, const search *s)
{
    enum { SEEN = 10 };
    double first = 0, reciprocal = 0;
    const double n = (double)s->e->n;
    for (int64_t i = 0; i < s->e->n; i++) {
        first += s->rank[i] == 0;
        if (s->rank[i] < SEEN) reciprocal += 1.0 / (double)(s->rank[i] + 1);
    }
    add_score(out, (at_score_value){.name = "mrr_at_10", .value = reciprocal / n});
    add_score(out, (at_score_value){.name = "accuracy_at_1", .value = first / n, .proportion = true});
}

at_status at_score_ranks(at_ctx *ctx, at_scores *out, const at_embedded *e)
{
    search s = {.e = e};
    *out = (at_scores){0};
    s.unit = at_alloc_array(ctx, e->n * e->width, sizeof *s.unit);
    s.rank = s.unit ? at_alloc_array(ctx, e->n, sizeof *s.rank) : NULL;
    if (s.rank) {
        at_parallel_for(ctx->pool, e->n, normalise, &s);
        at_parallel_for(ctx->pool, e->n, look_for, &s);
        add_ranks(out, &s);
    }
    at_free(ctx, s.unit);
    at_free(ctx, s.rank);
    return s.rank ? AT_OK : AT_E_NOMEM;
}
