/* chart.c: curves of a report, drawn as SVG from metrics.jsonl. The drawing stretches to the page's width;
 * its texts are HTML beside it, so that they stay readable on narrow screens. */
#include "formats/file.h"
#include "formats/tree.h"
#include "run/report.h"
#include <math.h>

enum { MAX_CURVES = 16, STYLES = 6, MAX_LOG_BYTES = 64 << 20, MOST_POINTS = 400, WIDTH = 1000, HEIGHT = 400 };

typedef struct points {
    double *x, *y;
    int64_t n;
} points;

typedef struct chart { /* at_report_chart, its data and its axes */
    const at_report_chart *about;
    const at_report_curve *curves;
    points raw[MAX_CURVES], mean[MAX_CURVES]; /* mean: of each epoch; none where that is no smoother */
    int n;
    double x_max, y_max, x_step, y_step;
} chart;

/* ---- Reading ---- */

static void take_line(points *p, const at_tree *line, const char *key, const char *split)
{
    const at_tree *epoch = at_tree_get(line, "epoch"), *y = at_tree_get(line, key),
                  *of = at_tree_get(line, "split");
    if (!epoch || !y || (y->kind != AT_NUMBER && y->kind != AT_WHOLE)) return;
    if (split ? !of || strcmp(of->text, split) != 0 : of != NULL) return;
    p->x[p->n] = epoch->number;
    p->y[p->n++] = y->number;
}

static at_status take_text(at_arena *a, points *p, char *text, size_t size, const at_report_chart *c,
                           const char *path)
{
    int64_t lines = 0;
    for (size_t i = 0; i < size; i++) lines += text[i] == '\n';
    p->x = at_arena_alloc(a, (size_t)lines * sizeof *p->x);
    p->y = at_arena_alloc(a, (size_t)lines * sizeof *p->y);
    if (!p->x || !p->y) return AT_E_NOMEM;
    for (char *line = text, *end; (end = strchr(line, '\n')); line = end + 1) {
        at_arena own; /* a long log would fill the common one */
        at_tree *t;
        at_arena_init(&own, a->ctx);
        const at_status s = at_json_parse(&own, &t, line, (size_t)(end - line), path);
        if (s == AT_OK) take_line(p, t, c->key, c->split);
        at_arena_deinit(&own);
        AT_TRY(s);
    }
    return AT_OK;
}

static at_status read_points(at_arena *a, points *p, const at_report_chart *c, const char *path)
{
    char *text;
    size_t size;
    AT_TRY(at_file_read(a->ctx, &text, &size, path, MAX_LOG_BYTES));
    const at_status s = take_text(a, p, text, size, c, path);
    at_free(a->ctx, text);
    return s;
}

/* ---- Thinning ---- */

/* Which group of neighbours a point belongs to: of an epoch, or of a share of all points. */
typedef int64_t (*group_fn)(const points *p, int64_t i);

static int64_t epoch_of(const points *p, int64_t i)
{
    return (int64_t)ceil(p->x[i] - 1e-9);
}

static int64_t share_of(const points *p, int64_t i)
{
    return i * MOST_POINTS / p->n;
}

/* out: the mean of each group, at its last x. out may be p itself. */
static void average(const points *p, points *out, group_fn group)
{
    int64_t n = 0;
    for (int64_t i = 0, k; i < p->n; i = k) {
        double sum = 0;
        for (k = i; k < p->n && group(p, k) == group(p, i); k++) sum += p->y[k];
        out->x[n] = p->x[k - 1];
        out->y[n++] = sum / (double)(k - i);
    }
    out->n = n;
}

static at_status smooth(at_arena *a, chart *c, int i)
{
    points *raw = &c->raw[i], *mean = &c->mean[i];
    mean->x = at_arena_alloc(a, (size_t)raw->n * sizeof *mean->x);
    mean->y = at_arena_alloc(a, (size_t)raw->n * sizeof *mean->y);
    if (!mean->x || !mean->y) return AT_E_NOMEM;
    average(raw, mean, epoch_of);
    if (mean->n < 2 || 2 * mean->n > raw->n) mean->n = 0;
    if (mean->n > MOST_POINTS) average(mean, mean, share_of);
    if (raw->n > MOST_POINTS) average(raw, raw, share_of);
    return AT_OK;
}

/* ---- Axes ---- */

/* A round step that gives 4 to 10 lines over the range. */
static double grid_step(double range)
{
    const double step = pow(10, floor(log10(range)));
    const double lines = range / step;
    return lines < 2 ? step / 5 : lines < 4 ? step / 2 : step;
}

/* False when there is nothing to draw. */
static bool choose_axes(chart *c)
{
    for (int i = 0; i < c->n; i++)
        for (int64_t k = 0; k < c->raw[i].n; k++) {
            c->x_max = fmax(c->x_max, c->raw[i].x[k]);
            c->y_max = fmax(c->y_max, c->raw[i].y[k]);
        }
    if (!(c->x_max > 0) || !(c->y_max > 0)) return false;
    if (c->about->share) c->y_max = 1;
    c->x_step = fmax(c->x_max < 2 ? 0 : 1, grid_step(c->x_max));
    c->y_step = grid_step(c->y_max);
    c->y_max = c->y_step * ceil(c->y_max / c->y_step - 1e-9);
    return true;
}

/* ---- Drawing ---- */

static void draw_grid(at_text *html, const chart *c)
{
    at_text_add(html, "<path class=\"grid\" d=\"");
    for (int k = 0; k * c->y_step <= c->y_max * 1.0001; k++)
        at_text_printf(html, "M0 %.1fH%d", HEIGHT * (1 - k * c->y_step / c->y_max), WIDTH);
    at_text_add(html, "\"/>");
}

static void draw_labels(at_text *html, const chart *c)
{
    for (int k = 0; k * c->y_step <= c->y_max * 1.0001; k++) {
        const double y = k * c->y_step;
        at_text_printf(html, "<span class=\"y\" style=\"bottom:%.1f%%\">", 100 * y / c->y_max);
        at_text_printf(html, c->about->share ? "%g %%</span>" : "%g</span>", c->about->share ? 100 * y : y);
    }
    for (int k = 0; k * c->x_step <= c->x_max * 1.0001; k++)
        at_text_printf(html, "<span class=\"x\" style=\"left:%.1f%%\">%g</span>",
                       100 * k * c->x_step / c->x_max, k * c->x_step);
}

static void draw_line(at_text *html, const chart *c, const points *p, int style, const char *more)
{
    at_text_printf(html, "<polyline class=\"s%d%s\" points=\"", style % STYLES, more);
    for (int64_t i = 0; i < p->n; i++)
        at_text_printf(html, "%s%.1f,%.1f", i ? " " : "", WIDTH * p->x[i] / c->x_max,
                       HEIGHT * (1 - fmax(0, fmin(p->y[i], c->y_max)) / c->y_max));
    at_text_add(html, "\"/>");
}

static void draw_curves(at_text *html, const chart *c)
{
    at_text_printf(html, "<svg viewBox=\"0 0 %d %d\" preserveAspectRatio=\"none\" aria-hidden=\"true\">",
                   WIDTH, HEIGHT);
    draw_grid(html, c);
    for (int i = 0; i < c->n; i++) {
        const bool has_mean = c->mean[i].n > 0;
        if (c->raw[i].n) draw_line(html, c, &c->raw[i], i, has_mean ? " raw" : "");
        if (has_mean) draw_line(html, c, &c->mean[i], i, "");
    }
    at_text_add(html, "</svg>");
}

static void add_value(at_text *html, const chart *c, double y)
{
    if (c->about->share)
        at_text_printf(html, "%.1f %%", 100 * y);
    else
        at_text_printf(html, "%.3g", y);
}

/* "full, 1.2 at first, 0.016 at last". */
static void describe(at_text *html, const chart *c, int i, const char *after)
{
    const points *p = c->mean[i].n ? &c->mean[i] : &c->raw[i];
    at_text_html(html, c->curves[i].name);
    at_text_add(html, after);
    add_value(html, c, p->y[0]);
    at_text_add(html, " at first, ");
    add_value(html, c, p->y[p->n - 1]);
    at_text_add(html, " at last");
}

static void draw_key(at_text *html, const chart *c)
{
    at_text_add(html, "<ul class=\"key\">");
    for (int i = 0; i < c->n; i++) {
        if (!c->raw[i].n) continue;
        at_text_printf(html,
                       "<li><svg viewBox=\"0 0 32 10\" aria-hidden=\"true\"><polyline class=\"s%d\" "
                       "points=\"0,5 32,5\"/>"
                       "</svg>",
                       i % STYLES);
        describe(html, c, i, " <small>");
        at_text_add(html, "</small></li>");
    }
    at_text_add(html, "</ul>");
}

static void draw_chart(at_text *html, const chart *c)
{
    at_text_add(html, "<figure class=\"chart card\"><figcaption>");
    at_text_html(html, c->about->title);
    at_text_add(html, "<small>");
    at_text_html(html, c->about->note);
    at_text_add(html, "</small></figcaption>\n<div class=\"plot\" role=\"img\" aria-label=\"");
    at_text_html(html, c->about->title);
    at_text_add(html, " by epoch");
    for (int i = 0; i < c->n; i++)
        if (c->raw[i].n) {
            at_text_add(html, "; ");
            describe(html, c, i, ": ");
        }
    at_text_add(html, "\">");
    draw_curves(html, c);
    draw_labels(html, c);
    at_text_add(html, "</div><p class=\"axis\">epoch</p>");
    draw_key(html, c);
    at_text_add(html, "</figure>\n");
}

at_status at__page_chart(at_ctx *ctx, at_text *html, const at_report_chart *about,
                         const at_report_curve *curves, int n, bool *drawn)
{
    chart c = {.about = about, .curves = curves, .n = n < MAX_CURVES ? n : MAX_CURVES};
    at_arena a;
    at_arena_init(&a, ctx);
    at_status s = AT_OK;
    for (int i = 0; i < c.n && s == AT_OK; i++) {
        s = read_points(&a, &c.raw[i], about, curves[i].path);
        if (s == AT_OK && c.raw[i].n) s = smooth(&a, &c, i);
    }
    const bool any = s == AT_OK && choose_axes(&c);
    if (any) draw_chart(html, &c);
    if (drawn) *drawn = any;
    at_arena_deinit(&a);
    return s;
}
