/* page.c: the pieces of a report: page, table, curves. Everything is inline; the page loads nothing. */
#include "formats/file.h"
#include "formats/tree.h"
#include "run/report.h"
#include <math.h>

static const char style[] =
    ":root{--ink:#1d2733;--soft:#5f6f80;--line:#dde4ea;--page:#fbfcfd;--card:#fff;--good:#1b7f5c;--bad:#"
    "b3402e;--bar:#2b6cb0}"
    "@media(prefers-color-scheme:dark){:root{--ink:#e4eaf0;--soft:#93a3b3;--line:#2d3843;--page:#12171c;--"
    "card:#1a2128;"
    "--good:#4cc39a;--bad:#ef7f6b;--bar:#6aa9e9}}"
    "*{box-sizing:border-box}body{margin:0;background:var(--page);color:var(--ink);font:15px/1.5 "
    "system-ui,sans-serif}"
    "main{max-width:66rem;margin:0 auto;padding:2.5rem 1.5rem "
    "4rem}h1{font-size:1.7rem;margin:0}h2{font-size:1.15rem;"
    "margin:2.4rem 0 .8rem}h3{font-size:1rem;margin:1.8rem 0 .4rem}p.sub{color:var(--soft);margin:.2rem 0 0}"
    "section,.card{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:1rem "
    "1.2rem;overflow-x:auto}"
    "table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}th,td{padding:.45rem "
    ".7rem;text-align:right;"
    "border-bottom:1px solid var(--line)}th:first-child,td:first-child{text-align:left}thead "
    "th{color:var(--soft);font-weight:500;"
    "font-size:.85rem}tbody tr:last-child>*{border-bottom:0}td small,figcaption "
    "small{color:var(--soft);display:block;"
    "font-weight:400}tr.best td{font-weight:650}tr.best td:first-child::after{content:' "
    "\\2605';color:var(--good)}"
    ".range{position:relative;height:8px;border-radius:4px;background:var(--line);min-width:9rem;margin-top:."
    "35rem}"
    ".range i{position:absolute;top:0;bottom:0;border-radius:4px;background:var(--bar);opacity:.45}.range "
    "b{position:absolute;"
    "top:-3px;bottom:-3px;width:3px;margin-left:-1px;border-radius:2px;background:var(--bar)}"
    "table.matrix{width:auto}table.matrix td{text-align:center;min-width:3.4rem}table.matrix "
    "td.right{background:"
    "color-mix(in srgb,var(--good) calc(var(--share)*70%),transparent)}table.matrix "
    "td.wrong{background:color-mix(in srgb,"
    "var(--bad) calc(var(--share)*90%),transparent)}table.matrix tbody th{font-weight:500;text-align:left}"
    ".mistakes{display:grid;grid-template-columns:repeat(auto-fill,minmax(150px,1fr));gap:1rem}figure{margin:"
    "0}"
    "figure "
    "img{width:100%;border-radius:8px;display:block}figcaption{font-size:.85rem;margin-top:.35rem;overflow-"
    "wrap:anywhere}"
    "svg{width:100%;height:auto;display:block}svg "
    "text{fill:var(--soft);font-size:11px}.key{display:flex;gap:1.2rem;flex-wrap:wrap;"
    "font-size:.85rem;color:var(--soft)}.key "
    "i{display:inline-block;width:1.1rem;height:3px;border-radius:2px;margin-right:.4rem;"
    "vertical-align:middle}footer{margin-top:3rem;color:var(--soft);font-size:.85rem}pre{margin:0;white-"
    "space:pre-wrap;font-size:.85rem}";

void at__page_begin(at_text *html, const char *title, const char *subtitle)
{
    at_text_add(html,
                "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" "
                "content=\"width=device-width,initial-scale=1\"><title>");
    at_text_html(html, title);
    at_text_printf(html, "</title><style>%s</style></head><body><main><h1>", style);
    at_text_html(html, title);
    at_text_add(html, "</h1><p class=\"sub\">");
    at_text_html(html, subtitle);
    at_text_add(html, "</p>\n");
}

void at__page_end(at_text *html)
{
    at_text_add(html, "<footer>attune " AT_VERSION "</footer></main></body></html>\n");
}

/* ---- Table ---- */

void at__wilson(double share, int64_t n, double *low, double *high)
{
    const double z = 1.959963984540054, m = (double)n, centre = share + z * z / (2 * m);
    const double half = z * sqrt(share * (1 - share) / m + z * z / (4 * m * m)), whole = 1 + z * z / m;
    *low = (centre - half) / whole;
    *high = (centre + half) / whole;
}

static void cell(at_text *html, const at_score_value *s, int64_t n)
{
    if (strcmp(s->name, "accuracy") != 0) {
        if (s->higher_is_better)
            at_text_printf(html, "<td>%.1f %%</td>", 100 * s->value);
        else
            at_text_printf(html, "<td>%.3f</td>", s->value);
        return;
    }
    double low, high;
    at__wilson(s->value, n, &low, &high);
    at_text_printf(html,
                   "<td>%.1f %% <small>%.1f to %.1f %%</small><div class=\"range\"><i "
                   "style=\"left:%.1f%%;width:%.1f%%\">"
                   "</i><b style=\"left:%.1f%%\"></b></div></td>",
                   100 * s->value, 100 * low, 100 * high, 100 * low, 100 * (high - low), 100 * s->value);
}

static void count_text(at_text *html, int64_t n)
{
    if (n >= 1000000)
        at_text_printf(html, "<td>%.2f M</td>", (double)n / 1e6);
    else
        at_text_printf(html, "<td>%.1f K</td>", (double)n / 1e3);
}

void at__page_table(at_text *html, const at_report_row *rows, int n)
{
    if (n == 0 || rows[0].scores->n == 0) return;
    at_text_add(html, "<section><table><thead><tr><th></th>");
    for (int i = 0; i < rows[0].scores->n; i++)
        at_text_printf(html, "<th>%s</th>", rows[0].scores->list[i].name);
    at_text_add(html, "<th>seconds</th><th>trained parameters</th></tr></thead><tbody>");
    for (int i = 0; i < n; i++) {
        at_text_add(html, rows[i].best ? "<tr class=\"best\"><td>" : "<tr><td>");
        at_text_html(html, rows[i].name);
        if (rows[i].note) at_text_add(html, "<small>");
        if (rows[i].note) at_text_html(html, rows[i].note);
        at_text_add(html, rows[i].note ? "</small></td>" : "</td>");
        for (int k = 0; k < rows[i].scores->n; k++) cell(html, &rows[i].scores->list[k], rows[i].n);
        at_text_printf(html, "<td>%.1f</td>", rows[i].seconds);
        count_text(html, rows[i].trainable);
        at_text_add(html, "</tr>");
    }
    at_text_add(html, "</tbody></table></section>\n");
}

/* ---- Curves ---- */

typedef struct points {
    double *x, *y;
    int64_t n;
} points;

enum { MAX_LOG_BYTES = 64 << 20, WIDTH = 900, HEIGHT = 280, LEFT = 52, RIGHT = 12, TOP = 12, BOTTOM = 34 };

static const char *const colours[] = {"#2b6cb0", "#c05621", "#2f855a", "#805ad5", "#b7791f", "#d53f8c"};

static void take_line(points *p, const at_tree *line, const char *key, const char *split)
{
    const at_tree *epoch = at_tree_get(line, "epoch"), *y = at_tree_get(line, key),
                  *of = at_tree_get(line, "split");
    if (!epoch || !y || (y->kind != AT_NUMBER && y->kind != AT_WHOLE)) return;
    if (split ? !of || strcmp(of->text, split) != 0 : of != NULL) return;
    p->x[p->n] = epoch->number;
    p->y[p->n++] = y->number;
}

static at_status read_points(at_arena *a, points *p, const char *path, const char *key, const char *split)
{
    char *text;
    size_t size;
    AT_TRY(at_file_read(a->ctx, &text, &size, path, MAX_LOG_BYTES));
    int64_t lines = 0;
    for (size_t i = 0; i < size; i++) lines += text[i] == '\n';
    p->x = at_arena_alloc(a, (size_t)lines * sizeof *p->x);
    p->y = at_arena_alloc(a, (size_t)lines * sizeof *p->y);
    at_status s = p->x && p->y ? AT_OK : AT_E_NOMEM;
    for (char *line = text, *end; s == AT_OK && (end = strchr(line, '\n')); line = end + 1) {
        at_tree *t;
        s = at_json_parse(a, &t, line, (size_t)(end - line), path);
        if (s == AT_OK) take_line(p, t, key, split);
    }
    at_free(a->ctx, text);
    return s;
}

/* A round step that gives 4 to 8 lines over the range. */
static double grid_step(double range)
{
    const double step = pow(10, floor(log10(range)));
    const double lines = range / step;
    return lines < 2 ? step / 5 : lines < 4 ? step / 2 : step;
}

static void draw_grid(at_text *html, double x_max, double y_max)
{
    const double w = WIDTH - LEFT - RIGHT, h = HEIGHT - TOP - BOTTOM, dy = grid_step(y_max),
                 dx = fmax(1, grid_step(x_max));
    for (double y = 0; y <= y_max * 1.0001; y += dy) {
        const double at = TOP + h * (1 - y / y_max);
        at_text_printf(html,
                       "<line x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\" stroke=\"var(--line)\"/><text "
                       "x=\"%d\" y=\"%.1f\" "
                       "text-anchor=\"end\">%g</text>",
                       LEFT, WIDTH - RIGHT, at, at, LEFT - 8, at + 4, y);
    }
    for (double x = 0; x <= x_max * 1.0001; x += dx)
        at_text_printf(html, "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%g</text>",
                       LEFT + w * x / x_max, HEIGHT - 14, x);
    at_text_printf(html, "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">epoch</text>", WIDTH - RIGHT,
                   HEIGHT - 1);
}

static void draw_curve(at_text *html, const points *p, double x_max, double y_max, const char *colour)
{
    const double w = WIDTH - LEFT - RIGHT, h = HEIGHT - TOP - BOTTOM;
    at_text_printf(
        html, "<polyline fill=\"none\" stroke=\"%s\" stroke-width=\"2\" stroke-linejoin=\"round\" points=\"",
        colour);
    for (int64_t i = 0; i < p->n; i++)
        at_text_printf(html, "%.1f,%.1f ", LEFT + w * p->x[i] / x_max,
                       TOP + h * (1 - fmin(p->y[i], y_max) / y_max));
    at_text_add(html, "\"/>");
}

static void draw_chart(at_text *html, const char *title, const at_report_curve *curves, const points *p,
                       int n, double x_max, double y_max)
{
    at_text_add(html, "<section><h3 style=\"margin-top:0\">");
    at_text_html(html, title);
    at_text_printf(html, "</h3><svg viewBox=\"0 0 %d %d\" role=\"img\">", WIDTH, HEIGHT);
    draw_grid(html, x_max, y_max);
    for (int i = 0; i < n; i++)
        if (p[i].n) draw_curve(html, &p[i], x_max, y_max, colours[i % AT_COUNT(colours)]);
    at_text_add(html, "</svg><div class=\"key\">");
    for (int i = 0; i < n; i++) {
        if (!p[i].n) continue;
        at_text_printf(html, "<span><i style=\"background:%s\"></i>", colours[i % AT_COUNT(colours)]);
        at_text_html(html, curves[i].name);
        at_text_add(html, "</span>");
    }
    at_text_add(html, "</div></section>\n");
}

at_status at__page_curves(at_ctx *ctx, at_text *html, const char *title, const char *key, const char *split,
                          const at_report_curve *curves, int n)
{
    enum { MAX_CURVES = 16 };
    points p[MAX_CURVES] = {0};
    double x_max = 0, y_max = 0;
    at_arena a;
    at_arena_init(&a, ctx);
    at_status s = AT_OK;
    if (n > MAX_CURVES) n = MAX_CURVES;
    for (int i = 0; i < n && s == AT_OK; i++) {
        s = read_points(&a, &p[i], curves[i].path, key, split);
        for (int64_t k = 0; k < p[i].n; k++) {
            x_max = fmax(x_max, p[i].x[k]);
            y_max = fmax(y_max, p[i].y[k]);
        }
    }
    if (s == AT_OK && x_max > 0 && y_max > 0) draw_chart(html, title, curves, p, n, x_max, y_max);
    at_arena_deinit(&a);
    return s;
}
