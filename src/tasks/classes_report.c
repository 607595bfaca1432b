/* classes_report.c: what a report shows of a classification: confusion matrix, recall of the classes, and the
 * samples that are wrong with the greatest confidence. Plain HTML; the page's style sheet is the report's. */
#include "tasks/task.h"
#include <math.h>
#include <stdlib.h>

enum { SHOWN_MISTAKES = 12, MATRIX_CLASSES = 40 };

typedef struct mistake {
    int64_t sample;
    int predicted;
    double confidence; /* probability of the predicted class */
} mistake;

/* Most confident first; equal ones in the order of the data. */
static int by_confidence(const void *a, const void *b)
{
    const mistake *x = a, *y = b;
    if (x->confidence != y->confidence) return x->confidence > y->confidence ? -1 : 1;
    return (x->sample > y->sample) - (x->sample < y->sample);
}

static int largest(const float *row, int n)
{
    int best = 0;
    for (int i = 1; i < n; i++)
        if (row[i] > row[best]) best = i;
    return best;
}

static void matrix(const at_job *j, const int64_t *confusion, at_text *html)
{
    const int n = j->n_labels;
    at_text_add(html, "<table class=\"matrix\"><thead><tr><th>true \\ predicted</th>");
    for (int i = 0; i < n; i++) {
        at_text_add(html, "<th><span>");
        at_text_html(html, j->labels[i]);
        at_text_add(html, "</span></th>");
    }
    at_text_add(html, "<th>recall</th></tr></thead><tbody>");
    for (int i = 0; i < n; i++) {
        int64_t all = 0;
        for (int k = 0; k < n; k++) all += confusion[i * n + k];
        at_text_add(html, "<tr><th>");
        at_text_html(html, j->labels[i]);
        at_text_add(html, "</th>");
        for (int k = 0; k < n; k++) {
            const double share = all ? (double)confusion[i * n + k] / (double)all : 0.0;
            at_text_printf(html, "<td class=\"%s\" style=\"--share:%.3f\">%lld</td>",
                           i == k ? "right" : "wrong", share, (long long)confusion[i * n + k]);
        }
        if (all)
            at_text_printf(html, "<td>%.1f %%</td></tr>", 100.0 * (double)confusion[i * n + i] / (double)all);
        else
            at_text_add(html, "<td>-</td></tr>");
    }
    at_text_add(html, "</tbody></table>");
}

static at_status show_mistake(const at_job *j, const at_dataset *d, const mistake *m, int truth,
                              at_show_fn show, at_text *html)
{
    at_text_add(html, "<figure>");
    if (show) AT_TRY(show(j, d, m->sample, html));
    at_text_add(html, "<figcaption><b>");
    at_text_html(html, j->labels[m->predicted]);
    at_text_printf(html, "</b> %.0f %%<br>is <b>", 100.0 * m->confidence);
    at_text_html(html, j->labels[truth]);
    at_text_add(html, "</b><br><small>");
    at_text_html(html, d->name ? d->name(d, m->sample) : "");
    at_text_add(html, "</small></figcaption></figure>");
    return AT_OK;
}

/* confusion [n_labels^2] and mistakes [n] are filled. */
static int64_t look(const at_job *j, int64_t n, const float *logits, const int32_t *label, int64_t *confusion,
                    mistake *mistakes)
{
    int64_t wrong = 0;
    for (int64_t i = 0; i < n; i++) {
        const float *row = logits + i * j->n_labels;
        const int predicted = largest(row, j->n_labels);
        if (label[i] < 0) continue;
        confusion[label[i] * j->n_labels + predicted]++;
        if (predicted != label[i])
            mistakes[wrong++] = (mistake){i, predicted, exp(at_log_probability(row, j->n_labels, predicted))};
    }
    qsort(mistakes, (size_t)wrong, sizeof *mistakes, by_confidence);
    return wrong;
}

at_status at_report_classes(const at_job *j, const at_dataset *d, const float *logits, const int32_t *label,
                            at_show_fn show, at_text *html)
{
    int64_t *confusion = at_alloc_array(j->ctx, (int64_t)j->n_labels * j->n_labels, sizeof *confusion);
    mistake *mistakes = at_alloc_array(j->ctx, d->n, sizeof *mistakes);
    at_status s = confusion && mistakes ? AT_OK : AT_E_NOMEM;
    if (s == AT_OK) {
        const int64_t wrong = look(j, d->n, logits, label, confusion, mistakes);
        if (j->n_labels <= MATRIX_CLASSES) matrix(j, confusion, html);
        at_text_printf(html, "<h3>Worst mistakes</h3><p>%lld of %lld are wrong%s</p><div class=\"mistakes\">",
                       (long long)wrong, (long long)d->n, wrong ? "; the most confident first" : "");
        for (int64_t i = 0; i < wrong && i < SHOWN_MISTAKES && s == AT_OK; i++)
            s = show_mistake(j, d, &mistakes[i], label[mistakes[i].sample], show, html);
        at_text_add(html, "</div>");
    }
    at_free(j->ctx, confusion);
    at_free(j->ctx, mistakes);
    return s;
}
