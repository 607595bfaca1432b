/* classes_report.c: what a report shows of a classification: confusion matrix with recall and precision, the
 * most frequent mix-ups, and the samples that are wrong with the greatest confidence. Plain HTML; its classes
 * are those of the report's style sheet. */
#include "tasks/task.h"
#include <math.h>
#include <stdlib.h>

enum { SHOWN_MISTAKES = 12, SHOWN_MIX_UPS = 5, MATRIX_CLASSES = 40, UPRIGHT_CLASSES = 8 };

typedef struct mistake {
    int64_t sample;
    int truth, predicted;
    double confidence, of_truth; /* probabilities of the predicted and of the true class */
} mistake;

/* What a model made of a data set. */
typedef struct outcome {
    const at_job *j;
    const at_dataset *d;
    double threshold;      /* at_class_of */
    int n;                 /* classes */
    int64_t *confusion;    /* [n, n]: rows are true classes */
    int64_t *truly, *said; /* [n]: samples of a class, predictions of a class */
    mistake *mistakes;     /* most confident first */
    int64_t wrong, counted;
} outcome;

/* ---- Looking ---- */

/* Most confident first; equal ones in the order of the data. */
static int by_confidence(const void *a, const void *b)
{
    const mistake *x = a, *y = b;
    if (x->confidence != y->confidence) return x->confidence > y->confidence ? -1 : 1;
    return (x->sample > y->sample) - (x->sample < y->sample);
}

static void look(outcome *o, const float *logits, const int32_t *label)
{
    const int n = o->n;
    for (int64_t i = 0; i < o->d->n; i++) {
        const float *row = logits + i * n;
        const int said = at_class_of(row, n, o->threshold), truth = label[i];
        if (truth < 0) continue;
        o->counted++;
        o->confusion[truth * n + said]++;
        o->truly[truth]++;
        o->said[said]++;
        if (said != truth)
            o->mistakes[o->wrong++] = (mistake){i, truth, said, exp(at_log_probability(row, n, said)),
                                                exp(at_log_probability(row, n, truth))};
    }
    qsort(o->mistakes, (size_t)o->wrong, sizeof *o->mistakes, by_confidence);
}

/* ---- Words ---- */

/* A class as people read it: underscores are spaces. */
static void class_name(const outcome *o, int label, at_text *html)
{
    at_text words;
    at_text_init(&words, o->j->ctx);
    at_text_add(&words, o->j->labels[label]);
    for (char *p = words.data; p && *p; p++)
        if (*p == '_') *p = ' ';
    at_text_html(html, words.data ? words.data : "");
    at_text_deinit(&words);
}

static void add_rate(at_text *html, int64_t part, int64_t all)
{
    if (all)
        at_text_printf(html, "<td class=\"rate\">%.0f %%</td>", 100.0 * (double)part / (double)all);
    else
        at_text_add(html, "<td class=\"rate\">-</td>");
}

/* What the network is to be compared with at the least: a guess that knows nothing but the counts. */
static void summary(const outcome *o, at_text *html)
{
    int common = 0;
    for (int i = 1; i < o->n; i++)
        if (o->truly[i] > o->truly[common]) common = i;
    const double all = (double)at_max(o->counted, 1);
    at_text_printf(html, "<p>%lld of %lld are right (%.1f %%), %lld wrong. To compare: always guessing ",
                   (long long)(o->counted - o->wrong), (long long)o->counted,
                   100.0 * (double)(o->counted - o->wrong) / all, (long long)o->wrong);
    class_name(o, common, html);
    at_text_printf(html, " would be right in %.1f %%.</p>\n", 100.0 * (double)o->truly[common] / all);
    if (!(o->threshold > 0)) return;
    at_text_add(html, "<p>");
    class_name(o, 1, html);
    at_text_printf(
        html,
        " is predicted from a probability of %.4g on, which was chosen on the validation samples.</p>\n",
        o->threshold);
}

/* ---- Confusion matrix ---- */

static void matrix_row(const outcome *o, int truth, at_text *html)
{
    at_text_add(html, "<tr><th scope=\"row\">");
    class_name(o, truth, html);
    at_text_add(html, "</th>");
    for (int k = 0; k < o->n; k++) {
        const int64_t count = o->confusion[truth * o->n + k];
        const double share = count ? (double)count / (double)o->truly[truth] : 0.0;
        at_text_printf(html, "<td class=\"%s\" style=\"--share:%.2f\">%lld</td>",
                       !count       ? "none"
                       : k == truth ? "right"
                                    : "wrong",
                       share, (long long)count);
    }
    add_rate(html, o->confusion[truth * o->n + truth], o->truly[truth]);
    at_text_add(html, "</tr>\n");
}

static void matrix(const outcome *o, at_text *html)
{
    at_text_add(
        html,
        "<p>Each row is a true class, each column what the network said; the diagonal is right. Recall: how "
        "many of a class were recognised. Precision: how often the network was right when it named a "
        "class.</p>\n<div class=\"card scroll\" role=\"region\" aria-label=\"Confusion matrix\" "
        "tabindex=\"0\">");
    at_text_printf(html, "<table class=\"matrix%s\"><caption>Confusion matrix: number of samples</caption>",
                   o->n > UPRIGHT_CLASSES ? " many" : "");
    at_text_add(html, "<thead><tr><th scope=\"col\">true \\ predicted</th>");
    for (int i = 0; i < o->n; i++) {
        at_text_add(html, "<th scope=\"col\" class=\"class\">");
        class_name(o, i, html);
        at_text_add(html, "</th>");
    }
    at_text_add(html, "<th scope=\"col\">recall</th></tr></thead>\n<tbody>");
    for (int i = 0; i < o->n; i++) matrix_row(o, i, html);
    at_text_add(html, "</tbody><tfoot><tr><th scope=\"row\">precision</th>");
    for (int i = 0; i < o->n; i++) add_rate(html, o->confusion[i * o->n + i], o->said[i]);
    at_text_add(html, "<td></td></tr></tfoot></table></div>\n");
}

/* ---- Mix-ups ---- */

/* The most frequent pair (true, predicted) that is less frequent than `count`, or as frequent and later than
 * `after`.
 */
static int64_t next_mix_up(const outcome *o, int64_t count, int64_t after)
{
    const int64_t cells = (int64_t)o->n * o->n;
    int64_t best = -1;
    for (int64_t i = 0; i < cells; i++) {
        const int64_t c = o->confusion[i];
        if (i / o->n == i % o->n || c == 0 || c > count || (c == count && i <= after)) continue;
        if (best < 0 || c > o->confusion[best]) best = i;
    }
    return best;
}

static void mix_ups(const outcome *o, at_text *html)
{
    int64_t i = next_mix_up(o, INT64_MAX, -1);
    if (o->n < 3 || i < 0) return;
    at_text_add(html, "<h3>Most frequent mix-ups</h3>\n<ul>");
    for (int k = 0; k < SHOWN_MIX_UPS && i >= 0; k++, i = next_mix_up(o, o->confusion[i], i)) {
        at_text_add(html, "<li><b>");
        class_name(o, (int)(i / o->n), html);
        at_text_add(html, "</b> taken for <b>");
        class_name(o, (int)(i % o->n), html);
        at_text_printf(html, "</b>: %lld of %lld</li>", (long long)o->confusion[i],
                       (long long)o->truly[i / o->n]);
    }
    at_text_add(html, "</ul>\n");
}

/* ---- Worst mistakes ---- */

/* "healthy/011.jpg": a path's last two parts. */
static const char *short_name(const char *path)
{
    const char *start = path + strlen(path);
    for (int parts = 0; start > path; start--)
        if (start[-1] == '/' && ++parts == 2) break;
    return start;
}

static at_status show_mistake(const outcome *o, const mistake *m, at_show_fn show, at_text *html)
{
    at_text_add(html, "<figure>");
    if (show) AT_TRY(show(o->j, o->d, m->sample, html));
    at_text_add(html, "<figcaption><span>said <b>");
    class_name(o, m->predicted, html);
    at_text_printf(html, "</b>&nbsp;%.0f&nbsp;%%</span><span>is <b>", 100.0 * m->confidence);
    class_name(o, m->truth, html);
    at_text_printf(html, "</b>&nbsp;%.0f&nbsp;%%</span><small>", 100.0 * m->of_truth);
    if (show && o->j->task && strcmp(o->j->task->sample, "text") == 0)
        at_text_printf(html, "sample %lld", (long long)m->sample + 1); /* the text itself is shown */
    else if (o->d->name)
        at_text_html(html, short_name(o->d->name(o->d, m->sample)));
    else
        at_text_printf(html, "sample %lld", (long long)m->sample);
    at_text_add(html, "</small></figcaption></figure>\n");
    return AT_OK;
}

static at_status worst(const outcome *o, at_show_fn show, at_text *html)
{
    if (o->wrong == 0) return AT_OK;
    at_text_add(html, "<h3>Worst mistakes</h3>\n<p>");
    if (o->wrong > SHOWN_MISTAKES)
        at_text_printf(html, "The %d of %lld", SHOWN_MISTAKES, (long long)o->wrong);
    else
        at_text_add(html, "The");
    at_text_add(
        html,
        " mistakes of which the network was most sure; percentages are the probabilities that it gave to the "
        "two classes. Look for wrong labels here, and for what the classes have in common.</p>\n"
        "<div class=\"mistakes\">\n");
    for (int64_t i = 0; i < o->wrong && i < SHOWN_MISTAKES; i++)
        AT_TRY(show_mistake(o, &o->mistakes[i], show, html));
    at_text_add(html, "</div>\n");
    return AT_OK;
}

at_status at_report_classes(const at_job *j, const at_dataset *d, const float *logits, const int32_t *label,
                            double threshold, at_show_fn show, at_text *html)
{
    const int n = j->n_labels;
    outcome o = {.j = j, .d = d, .threshold = threshold, .n = n};
    o.confusion = at_alloc_array(j->ctx, (int64_t)n * (n + 2), sizeof *o.confusion);
    o.mistakes = at_alloc_array(j->ctx, d->n, sizeof *o.mistakes);
    at_status s = o.confusion && o.mistakes ? AT_OK : AT_E_NOMEM;
    if (s == AT_OK) {
        o.truly = o.confusion + (int64_t)n * n;
        o.said = o.truly + n;
        look(&o, logits, label);
        summary(&o, html);
        if (n <= MATRIX_CLASSES) matrix(&o, html);
        mix_ups(&o, html);
        s = worst(&o, show, html);
    }
    at_free(j->ctx, o.confusion);
    at_free(j->ctx, o.mistakes);
    return s;
}
