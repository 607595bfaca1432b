/* numbers_report.c: what a report shows of numbers: how far off they are, predicted against true ones, and
 * the samples that are farthest off. Plain HTML; its classes are those of the report's style sheet. */
#include "tasks/numbers.h"
#include <math.h>
#include <stdlib.h>

enum { SHOWN_WORST = 12, MOST_DOTS = 2000, SIDE = 1000 };

typedef struct residual {
    int64_t sample;
    double said, truth;
} residual;

typedef struct outcome {
    const at_job *j;
    const at_dataset *d;
    residual *all; /* [n] in the order of the data, then farthest off first */
    int64_t n;
} outcome;

static double distance(const residual *r)
{
    return fabs(r->said - r->truth);
}

/* Farthest off first, NaN before all; equal ones in the order of the data. */
static int farthest_first(const void *a, const void *b)
{
    const residual *x = a, *y = b;
    const double p = distance(x), q = distance(y);
    if (isnan(p) != isnan(q)) return isnan(p) ? -1 : 1;
    if (p != q && !isnan(p)) return p > q ? -1 : 1;
    return (x->sample > y->sample) - (x->sample < y->sample);
}

/* What the network is to be compared with at the least: always saying the mean. */
static void summary(const outcome *o, at_text *html)
{
    double mean = 0.0, off = 0.0, plain = 0.0;
    for (int64_t i = 0; i < o->n; i++) mean += o->all[i].truth / (double)o->n;
    for (int64_t i = 0; i < o->n; i++) {
        off += distance(&o->all[i]) / (double)o->n;
        plain += fabs(o->all[i].truth - mean) / (double)o->n;
    }
    at_text_printf(html,
                   "<p>Predictions are off by %.4g on average. To compare: always saying the mean of these "
                   "labels, %.4g, would be off by %.4g.</p>\n",
                   off, mean, plain);
}

/* ---- Predicted against true ---- */

static void range_of(const outcome *o, double *low, double *high)
{
    *low = INFINITY;
    *high = -INFINITY;
    for (int64_t i = 0; i < o->n; i++) {
        const double values[] = {o->all[i].said, o->all[i].truth};
        for (int k = 0; k < 2; k++) {
            *low = fmin(*low, values[k]);
            *high = fmax(*high, values[k]);
        }
    }
    if (!(*high > *low)) *high = *low + 1;
}

static void axis_words(at_text *html, double low, double high)
{
    for (int i = 0; i <= 4; i++) {
        const double at = low + (high - low) * i / 4.0;
        at_text_printf(html, "<span class=\"y\" style=\"bottom:%d%%\">%.4g</span>", 25 * i, at);
        at_text_printf(html, "<span class=\"x\" style=\"left:%d%%\">%.4g</span>", 25 * i, at);
    }
}

/* Dots are lines of no length with round ends: they stay round however the drawing is stretched. */
static void scatter(const outcome *o, at_text *html)
{
    double low, high;
    range_of(o, &low, &high);
    if (!isfinite(low) || !isfinite(high)) return;
    const double unit = SIDE / (high - low);
    const int64_t every = at_ceil_div(o->n, MOST_DOTS);
    at_text_add(html, "<figure class=\"chart card\"><figcaption>Predicted against true<small>on the line is "
                      "right, above it too much</small></figcaption><div class=\"plot\">");
    at_text_printf(html, "<svg viewBox=\"0 0 %d %d\" preserveAspectRatio=\"none\" aria-hidden=\"true\">",
                   SIDE, SIDE);
    at_text_printf(html, "<path class=\"grid\" d=\"M0 %dL%d 0\"/><path class=\"dots\" d=\"", SIDE, SIDE);
    for (int64_t i = 0; i < o->n; i += every) {
        if (!isfinite(distance(&o->all[i]))) continue;
        at_text_printf(html, "M%.0f %.0fh0", (o->all[i].truth - low) * unit,
                       SIDE - (o->all[i].said - low) * unit);
    }
    at_text_add(html, "\"/></svg>");
    axis_words(html, low, high);
    at_text_add(html, "</div><p class=\"axis\">true number</p></figure>\n");
}

/* ---- Farthest off ---- */

static at_status worst(const outcome *o, at_show_fn show, at_text *html)
{
    qsort(o->all, (size_t)o->n, sizeof *o->all, farthest_first);
    at_text_add(html, "<h3>Farthest off</h3>\n<p>Look for wrong labels here, and for what these have in "
                      "common.</p>\n<div class=\"card scroll\"><table class=\"texts\"><thead><tr><th "
                      "scope=\"col\">sample</th><th scope=\"col\">predicted</th><th scope=\"col\">true</th>"
                      "<th scope=\"col\">difference</th></tr></thead>\n<tbody>");
    for (int64_t i = 0; i < o->n && i < SHOWN_WORST; i++) {
        const residual *r = &o->all[i];
        at_text_add(html, "<tr><td>");
        if (show)
            AT_TRY(show(o->j, o->d, r->sample, html));
        else
            at_text_printf(html, "sample %lld", (long long)r->sample);
        at_text_printf(html, "</td><td>%.4g</td><td>%.4g</td><td>%+.4g</td></tr>\n", r->said, r->truth,
                       r->said - r->truth);
    }
    at_text_add(html, "</tbody></table></div>\n");
    return AT_OK;
}

at_status at_report_numbers(const at_job *j, const at_dataset *d, const float *outputs, const double *truth,
                            at_show_fn show, at_text *html)
{
    outcome o = {.j = j, .d = d, .n = d->n};
    AT_NEW(j->ctx, o.all, d->n);
    for (int64_t i = 0; i < d->n; i++) o.all[i] = (residual){i, at_in_unit(j->unit, outputs[i]), truth[i]};
    summary(&o, html);
    scatter(&o, html);
    const at_status s = worst(&o, show, html);
    at_free(j->ctx, o.all);
    return s;
}
