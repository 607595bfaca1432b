/* report.h: pieces of the self-contained HTML page that a run leaves. Layer: run, private to it. */
#ifndef AT_REPORT_PAGE_H
#define AT_REPORT_PAGE_H

#include "base/text.h"
#include "tasks/task.h"

void at__page_begin(at_text *html, const char *title, const char *subtitle);
void at__page_end(at_text *html);

/* One line of a comparison. */
typedef struct at_report_row {
    const char *name, *note; /* note: a second, smaller line */
    const at_scores *scores;
    int64_t n; /* samples that were scored */
    double seconds;
    int64_t trainable;
    bool best;
} at_report_row;

/* Scores with intervals, seconds, trained parameters. */
void at__page_table(at_text *html, const at_report_row *rows, int n);

/* Curves over epochs out of metrics.jsonl files: `key` of the lines that have it (split: only lines of this
 * split; NULL = training steps). A file without such lines gives no curve; no chart is drawn without curves.
 */
typedef struct at_report_curve {
    const char *name, *path;
} at_report_curve;
at_status at__page_curves(at_ctx *ctx, at_text *html, const char *title, const char *key, const char *split,
                          const at_report_curve *curves, int n) AT_MUST_USE;

/* 95 % interval of a share: k of n (Wilson 1927). */
void at__wilson(double share, int64_t n, double *low, double *high);

#endif
