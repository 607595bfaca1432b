/* sets_report.c: what a report shows of sets of classes: precision and recall of each class, and the samples
 * of the greatest loss. Plain HTML; its classes are those of the report's style sheet. */
#include "tasks/sets.h"
#include <math.h>
#include <stdlib.h>

enum { SHOWN_WORST = 12 };

typedef struct mistake {
    int64_t sample;
    double loss; /* mean over the classes */
} mistake;

typedef struct outcome {
    const at_job *j;
    const at_dataset *d;
    at_class_sets c;
} outcome;

/* ---- Classes ---- */

static void rate(at_text *html, int64_t part, int64_t all)
{
    if (all)
        at_text_printf(html, "<td>%.0f %%</td>", 100.0 * (double)part / (double)all);
    else
        at_text_add(html, "<td>-</td>");
}

static void classes(const outcome *o, at_text *html)
{
    at_text_add(html,
                "<p>Recall: how many of the samples with a class were recognised. Precision: how often the "
                "network was right when it named a class. A class is named from its threshold on.</p>\n<div "
                "class=\"card scroll\"><table><thead><tr><th scope=\"col\">class</th><th "
                "scope=\"col\">samples</th><th scope=\"col\">named</th><th scope=\"col\">precision</th><th "
                "scope=\"col\">recall</th><th scope=\"col\">F1</th><th scope=\"col\">threshold</th></tr>"
                "</thead>\n<tbody>");
    for (int k = 0; k < o->c.n_classes; k++) {
        const at_set_counts n = at_count_class(&o->c, k);
        at_text_add(html, "<tr><th scope=\"row\">");
        at_text_html(html, o->j->labels[k]);
        at_text_printf(html, "</th><td>%lld</td><td>%lld</td>", (long long)n.truly, (long long)n.said);
        rate(html, n.right, n.said);
        rate(html, n.right, n.truly);
        rate(html, 2 * n.right, n.truly + n.said);
        at_text_printf(html, "<td>%.3f</td></tr>\n", o->c.threshold[k]);
    }
    at_text_add(html, "</tbody></table></div>\n");
}

/* ---- Worst samples ---- */

static int greatest_first(const void *a, const void *b)
{
    const mistake *x = a, *y = b;
    if (x->loss != y->loss) return x->loss > y->loss ? -1 : 1;
    return (x->sample > y->sample) - (x->sample < y->sample);
}

static double loss_of(const at_class_sets *c, int64_t sample)
{
    double sum = 0.0;
    for (int64_t i = sample * c->n_classes; i < (sample + 1) * c->n_classes; i++)
        sum -= log(fmax(at_sigmoid((double)(c->truth[i] ? c->logits[i] : -c->logits[i])), 1e-300));
    return sum / c->n_classes;
}

static void names(const outcome *o, const uint8_t *row, at_text *html)
{
    int n = 0;
    at_text_add(html, "<td>");
    for (int k = 0; k < o->c.n_classes; k++) {
        if (!row[k]) continue;
        at_text_add(html, n++ ? ", " : "");
        at_text_html(html, o->j->labels[k]);
    }
    at_text_add(html, n ? "</td>" : "-</td>");
}

static at_status worst(const outcome *o, const mistake *list, int64_t n, at_show_fn show, at_text *html)
{
    if (n == 0) return AT_OK;
    at_text_printf(html, "<p>%lld of %lld samples have a class too many or too few.</p>\n", (long long)n,
                   (long long)o->c.n);
    at_text_add(html, "<h3>Worst mistakes</h3>\n<p>Those of the greatest loss. Look for wrong labels "
                      "here.</p>\n<div class=\"card scroll\"><table class=\"texts\"><thead><tr><th "
                      "scope=\"col\">sample</th><th scope=\"col\">said</th><th scope=\"col\">is</th></tr>"
                      "</thead>\n<tbody>");
    for (int64_t i = 0; i < n && i < SHOWN_WORST; i++) {
        const int64_t sample = list[i].sample, first = sample * o->c.n_classes;
        at_text_add(html, "<tr><td>");
        if (show)
            AT_TRY(show(o->j, o->d, sample, html));
        else
            at_text_printf(html, "sample %lld", (long long)sample + 1);
        at_text_add(html, "</td>");
        names(o, o->c.predicted + first, html);
        names(o, o->c.truth + first, html);
        at_text_add(html, "</tr>\n");
    }
    at_text_add(html, "</tbody></table></div>\n");
    return AT_OK;
}

static at_status write_all(outcome *o, uint8_t *predicted, mistake *list, at_show_fn show, at_text *html)
{
    const size_t K = (size_t)o->c.n_classes;
    int64_t wrong = 0;
    at_predict_sets(&o->c, predicted);
    for (int64_t i = 0; i < o->c.n; i++)
        if (memcmp(o->c.truth + i * o->c.n_classes, predicted + i * o->c.n_classes, K) != 0)
            list[wrong++] = (mistake){i, loss_of(&o->c, i)};
    qsort(list, (size_t)wrong, sizeof *list, greatest_first);
    classes(o, html);
    return worst(o, list, wrong, show, html);
}

at_status at_report_sets(const at_job *j, at_split split, const float *outputs, at_show_fn show,
                         at_text *html)
{
    const at_set_target *t = j->self;
    outcome o = {.j = j,
                 .d = j->split[split],
                 .c = {.n = j->split[split]->n,
                       .n_classes = j->n_labels,
                       .logits = outputs,
                       .truth = t->truth[split],
                       .threshold = t->threshold}};
    uint8_t *predicted = at_alloc_array(j->ctx, o.c.n * o.c.n_classes, sizeof *predicted);
    mistake *list = at_alloc_array(j->ctx, o.c.n, sizeof *list);
    const at_status s = predicted && list ? write_all(&o, predicted, list, show, html) : AT_E_NOMEM;
    at_free(j->ctx, predicted);
    at_free(j->ctx, list);
    return s;
}
