/* page.c: the frame of a report and its tables. Nothing is loaded: the style sheet is written into the page.
 */
#include "run/report.h"
#include <math.h>
#include <stdio.h>

extern const char at_asset_report_css[];

void at__page_begin(at_text *html, const char *title, const char *lead)
{
    at_text_add(html,
                "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" "
                "content=\"width=device-width,initial-scale=1\"><link rel=\"icon\" href=\"data:,\"><title>");
    at_text_html(html, title);
    at_text_add(html, "</title><style>\n");
    at_text_add(html, at_asset_report_css);
    at_text_add(html, "</style></head>\n<body><main><header><p class=\"kicker\">attune report</p><h1>");
    at_text_html(html, title);
    at_text_add(html, "</h1><p class=\"lead\">");
    at_text_html(html, lead);
    at_text_add(html, "</p></header>\n");
}

void at__page_end(at_text *html)
{
    at_text_add(html, "<footer>Written by attune " AT_VERSION
                      ". This page is complete: it loads nothing and runs no "
                      "script.</footer></main></body></html>\n");
}

void at__page_section(at_text *html, const char *title, const char *shows)
{
    at_text_add(html, "<section><h2>");
    at_text_html(html, title);
    at_text_add(html, "</h2>\n");
    if (!shows) return;
    at_text_add(html, "<p>");
    at_text_html(html, shows);
    at_text_add(html, "</p>\n");
}

void at__page_section_end(at_text *html)
{
    at_text_add(html, "</section>\n");
}

void at__page_facts(at_text *html, const at_page_fact *facts, int n)
{
    at_text_add(html, "<dl class=\"facts\">");
    for (int i = 0; i < n; i++) {
        at_text_add(html, "<div><dt>");
        at_text_html(html, facts[i].label);
        at_text_add(html, "</dt><dd>");
        at_text_html(html, facts[i].value);
        if (facts[i].note) {
            at_text_add(html, "<small>");
            at_text_html(html, facts[i].note);
            at_text_add(html, "</small>");
        }
        at_text_add(html, "</dd></div>");
    }
    at_text_add(html, "</dl>\n");
}

/* ---- Scores ---- */

const char *at__score_text(char out[AT_FIGURE], const at_score_value *s)
{
    const bool share = s->higher_is_better && !s->plain && s->value >= 0 && s->value <= 1;
    if (isnan(s->value))
        snprintf(out, AT_FIGURE, "not defined");
    else if (s->plain)
        snprintf(out, AT_FIGURE, fabs(s->value) < 1000 ? "%.4g" : "%.6g", s->value);
    else
        snprintf(out, AT_FIGURE, share ? "%.1f %%" : "%.3f", share ? 100 * s->value : s->value);
    return out;
}

const at_score_value *at__score_named(const at_scores *s, const char *name)
{
    for (int i = 0; i < s->n; i++)
        if (strcmp(s->list[i].name, name) == 0) return &s->list[i];
    return NULL;
}

/* A share with its interval, as text and as a bar from 0 to 100 %. */
static void share_cell(at_text *html, const char *label, const at_score_value *s, int64_t n)
{
    double low, high;
    at_wilson(s->value, n, &low, &high);
    at_text_add(html, "<td class=\"score\" data-label=\"");
    at_text_html(html, label);
    at_text_printf(
        html, "\"><b>%.1f %%</b> <small>%.1f to %.1f %%</small><div class=\"range\" aria-hidden=\"true\">",
        100 * s->value, 100 * low, 100 * high);
    at_text_printf(html, "<i style=\"left:%.1f%%;width:%.1f%%\"></i><b style=\"left:%.1f%%\"></b></div></td>",
                   100 * low, 100 * (high - low), 100 * s->value);
}

static void name_cell(at_text *html, const at_report_row *row)
{
    at_text_add(html, "<tr><th scope=\"row\">");
    if (row->link) {
        at_text_add(html, "<a href=\"");
        at_text_html(html, row->link);
        at_text_add(html, "\">");
    }
    at_text_html(html, row->name);
    at_text_add(html, row->link ? "</a>" : "");
    at_text_add(html, row->best ? "<span class=\"badge\">best</span>" : "");
    if (row->note) {
        at_text_add(html, "<small>");
        at_text_html(html, row->note);
        at_text_add(html, "</small>");
    }
    at_text_add(html, "</th>");
}

static void comparison_head(at_text *html, const char *caption, const at_scores *scores)
{
    char words[AT_FIGURE];
    at_text_add(html, "<div class=\"card\"><table class=\"stack\"><caption>");
    at_text_html(html, caption);
    at_text_add(html, "</caption><thead><tr><th scope=\"col\">method</th>");
    for (int i = 0; i < scores->n; i++) {
        if (!scores->list[i].proportion) continue;
        at_text_add(html, "<th scope=\"col\" class=\"score\">");
        at_text_html(html, at__metric_words(words, scores->list[i].name));
        at_text_add(html, ", 95 % interval</th>");
    }
    at_text_add(html,
                "<th scope=\"col\">time</th><th scope=\"col\">trained parameters</th></tr></thead>\n<tbody>");
}

void at__page_comparison(at_text *html, const char *caption, const at_report_row *rows, int n)
{
    char text[AT_FIGURE];
    if (n == 0) return;
    comparison_head(html, caption, rows[0].scores);
    for (int i = 0; i < n; i++) {
        const at_scores *s = rows[i].scores;
        name_cell(html, &rows[i]);
        for (int k = 0; k < s->n; k++)
            if (s->list[k].proportion)
                share_cell(html, at__metric_words(text, s->list[k].name), &s->list[k], rows[i].n);
        at_text_printf(html, "<td data-label=\"time\">%s</td>", at__seconds(text, rows[i].seconds));
        at_text_printf(html, "<td data-label=\"trained parameters\">%s</td></tr>\n",
                       at__rough(text, rows[i].trainable));
    }
    at_text_add(html, "</tbody></table></div>\n");
}

static const char *metric_doc(const at_ctx *ctx, const char *name)
{
    int cursor = 0;
    const at_metric *m;
    while ((m = at_registry_next(ctx, "metric", &cursor)))
        if (strcmp(m->name, name) == 0) return m->doc;
    return NULL;
}

static void score_cell(at_text *html, const at_report_column *c, const char *metric)
{
    char text[AT_FIGURE];
    const at_score_value *s = at__score_named(c->scores, metric);
    if (s && s->proportion) {
        share_cell(html, c->name, s, c->n);
        return;
    }
    at_text_add(html, "<td data-label=\"");
    at_text_html(html, c->name);
    at_text_printf(html, "\">%s</td>", s ? at__score_text(text, s) : "-");
}

void at__page_scores(at_ctx *ctx, at_text *html, const char *caption, const at_report_column *columns, int n)
{
    char words[AT_FIGURE];
    if (n == 0) return;
    at_text_add(html, "<div class=\"card\"><table class=\"stack\"><caption>");
    at_text_html(html, caption);
    at_text_add(html, "</caption><thead><tr><th scope=\"col\">score</th>");
    for (int i = 0; i < n; i++) {
        at_text_add(html, "<th scope=\"col\">");
        at_text_html(html, columns[i].name);
        at_text_add(html, "</th>");
    }
    at_text_add(html, "</tr></thead>\n<tbody>");
    for (int k = 0; k < columns[0].scores->n; k++) {
        const at_score_value *s = &columns[0].scores->list[k];
        const at_report_row row = {.name = at__metric_words(words, s->name),
                                   .note = metric_doc(ctx, s->name)};
        name_cell(html, &row);
        for (int i = 0; i < n; i++) score_cell(html, &columns[i], s->name);
        at_text_add(html, "</tr>\n");
    }
    at_text_add(html, "</tbody></table></div>\n");
}
