/* report.h: pieces of the self-contained HTML page that a run leaves: plain HTML and SVG, no scripts, nothing
 * loaded. Layer: run, private to it. Its look is report.css. Every text argument is escaped here. */
#ifndef AT_REPORT_PAGE_H
#define AT_REPORT_PAGE_H

#include "base/text.h"
#include "run/figures.h"
#include "tasks/task.h"

/* ---- page.c ---- */

void at__page_begin(at_text *html, const char *title, const char *lead);
void at__page_end(at_text *html);

/* A section with its heading and, unless NULL, a sentence on what it shows. */
void at__page_section(at_text *html, const char *title, const char *shows);
void at__page_section_end(at_text *html);

/* The few numbers that matter most, side by side. note: a smaller line; NULL = none. */
typedef struct at_page_fact {
    const char *label, *value, *note;
} at_page_fact;
void at__page_facts(at_text *html, const at_page_fact *facts, int n);

/* One line of a comparison of runs. */
typedef struct at_report_row {
    const char *name, *note; /* note: a second, smaller line */
    const char *link;        /* of the name; NULL = none */
    const at_scores *scores;
    int64_t n; /* samples that were scored */
    double seconds;
    int64_t trainable;
    bool best;
} at_report_row;

/* Scores that are shares of samples with their intervals, seconds, trained parameters. */
void at__page_comparison(at_text *html, const char *caption, const at_report_row *rows, int n);

/* All scores of one model, a column for each split. */
typedef struct at_report_column {
    const char *name;
    const at_scores *scores;
    int64_t n;
} at_report_column;
void at__page_scores(at_ctx *ctx, at_text *html, const char *caption, const at_report_column *columns, int n);

/* "81.7 %" or "0.448". */
const char *at__score_text(char out[AT_FIGURE], const at_score_value *s);
/* The score with this name, or NULL. */
const at_score_value *at__score_named(const at_scores *s, const char *name);

/* ---- chart.c ---- */

typedef struct at_report_curve {
    const char *name, *path; /* path: a metrics.jsonl */
} at_report_curve;

typedef struct at_report_chart {
    const char *title, *note; /* note: unit, and which way is better */
    const char *key, *split;  /* of the lines to take; split NULL = training steps */
    bool share;               /* the axis is 0 to 100 % */
} at_report_chart;

/* Curves over epochs out of metrics.jsonl files. A file without such lines gives no curve, a chart without
 * curves is not drawn; *drawn (may be NULL) tells. */
at_status at__page_chart(at_ctx *ctx, at_text *html, const at_report_chart *chart,
                         const at_report_curve *curves, int n, bool *drawn) AT_MUST_USE;

#endif
