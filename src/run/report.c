/* report.c: report.html of one run: the numbers that matter, scores, where it goes wrong, curves, the recipe.
 */
#include "run/report.h"
#include "formats/system.h"
#include "run/run.h"
#include <stdio.h>

typedef struct results {           /* what a report is about */
    const at_scores *valid, *test; /* NULL = no such split */
    const float *outputs;          /* of the samples of `split` */
    at_split split;
} results;

/* ---- Heading ---- */

static void begin(const at_run *r, at_text *html)
{
    at_text title, lead;
    char steps[AT_FIGURE], samples[AT_FIGURE];
    at_text_init(&title, r->ctx);
    at_text_init(&lead, r->ctx);
    at_text_printf(&title, "Fine-tuning for %s", r->job.task->name);
    at_text_printf(&lead, "%s, trained on %s with the method %s: %s training samples, %s %s.",
                   r->settings.general.model, r->settings.data.train, r->method_name,
                   at__exact(samples, r->n_train), at__exact(steps, r->progress.attempt),
                   r->optimizer->solve ? "solver iterations" : "steps");
    at__page_begin(html, title.data ? title.data : "", lead.data ? lead.data : "");
    at_text_deinit(&title);
    at_text_deinit(&lead);
}

enum { NOTE = 96 };

static at_page_fact score_fact(const at_run *r, const results *x, char label[NOTE], char value[AT_FIGURE],
                               char note[NOTE])
{
    char words[AT_FIGURE];
    const at_scores *scores = x->test ? x->test : x->valid;
    const at_score_value *s = scores ? at__score_named(scores, r->job.main_metric) : NULL;
    at_page_fact f = {.label = label, .value = "-"};
    if (!s) return f;
    snprintf(label, NOTE, "%s %s", x->test ? "test" : "validation", at__metric_words(words, s->name));
    f.value = at__score_text(value, s);
    if (s->proportion) {
        double low, high;
        at_wilson(s->value, r->job.split[x->split]->n, &low, &high);
        snprintf(note, NOTE, "95 %% interval: %.1f to %.1f %%", 100 * low, 100 * high);
        f.note = note;
    }
    return f;
}

static void add_facts(const at_run *r, const results *x, at_text *html)
{
    char label[NOTE] = "score", value[AT_FIGURE], interval[NOTE], trained[AT_FIGURE], share[NOTE],
         all[AT_FIGURE];
    char seconds[AT_FIGURE], speed[NOTE], best[AT_FIGURE], kept[NOTE];
    const at_parameters p = at__count_parameters(r);
    at_page_fact facts[4] = {score_fact(r, x, label, value, interval)};
    int n = 1;
    snprintf(share, NOTE, "of %s (%.1f %%)", at__rough(all, p.trainable + p.frozen),
             100.0 * (double)p.trainable / (double)at_max(p.trainable + p.frozen, 1));
    facts[n++] = (at_page_fact){"trained parameters", at__rough(trained, p.trainable), share};
    snprintf(speed, NOTE, "from start to this report");
    facts[n++] = (at_page_fact){"time", at__seconds(seconds, at_clock() - r->started), speed};
    if (r->progress.best.exists) {
        snprintf(best, AT_FIGURE, "epoch %.0f", at__epoch_of(r, r->progress.best.step));
        snprintf(kept, NOTE, "of %.0f, by validation %s", at__epoch_of(r, r->progress.attempt), r->metric);
        facts[n++] = (at_page_fact){"weights kept", best, kept};
    }
    at__page_facts(html, facts, n);
}

/* ---- Sections ---- */

static void add_scores(const at_run *r, const results *x, at_text *html)
{
    at_report_column columns[2];
    int n = 0;
    if (x->test) columns[n++] = (at_report_column){"test", x->test, r->job.split[AT_SPLIT_TEST]->n};
    if (x->valid) columns[n++] = (at_report_column){"validation", x->valid, r->job.split[AT_SPLIT_VALID]->n};
    if (n == 0) return;
    const bool chosen = x->valid && r->metric;
    at__page_section(
        html, "Scores",
        chosen ? "Test samples were not looked at before the end. The validation samples chose which weights "
                 "are kept, so that their column is no independent figure."
               : "Measured once, after the last step, on samples that the network did not learn from.");
    char test[AT_FIGURE], valid[AT_FIGURE], caption[2 * AT_FIGURE + 64];
    snprintf(caption, sizeof caption, "Samples: %s%s%s%s%s",
             x->test ? at__exact(test, r->job.split[AT_SPLIT_TEST]->n) : "", x->test ? " test" : "",
             n == 2 ? ", " : "", x->valid ? at__exact(valid, r->job.split[AT_SPLIT_VALID]->n) : "",
             x->valid ? " validation" : "");
    at__page_scores(r->ctx, html, caption, columns, n);
    bool interval = false;
    for (int i = 0; i < columns[0].scores->n; i++) interval |= columns[0].scores->list[i].proportion;
    if (interval)
        at_text_add(
            html,
            "<p class=\"soft\">The bar spans the 95 % interval (Wilson): were the test repeated with other "
            "samples of the kind, 95 of 100 such intervals would hold the true share.</p>\n");
    at__page_section_end(html);
}

static at_status add_mistakes(const at_run *r, const results *x, at_text *html)
{
    if (!x->outputs || !r->job.task->report) return AT_OK;
    at__page_section(html,
                     x->split == AT_SPLIT_TEST ? "Where it goes wrong, on the test samples"
                                               : "Where it goes wrong, on the validation samples",
                     NULL);
    AT_TRY(r->job.task->report(&r->job, x->split, x->outputs, html));
    at__page_section_end(html);
    return AT_OK;
}

static at_status add_curves(at_run *r, const results *x, at_text *html)
{
    const char *path = at_arena_printf(&r->arena, "%s/metrics.jsonl", r->folder);
    char words[AT_FIGURE], title[NOTE];
    bool drawn = false, loss_drawn;
    if (!path) return AT_E_NOMEM;
    const char *metric = r->metric ? r->metric : r->job.main_metric;
    const at_score_value *score = x->valid ? at__score_named(x->valid, metric) : NULL;
    snprintf(title, sizeof title, "Validation %s", at__metric_words(words, metric));
    const at_report_curve loss_curve = {"training loss", path}, valid_curve = {title, path};
    char of_loss[NOTE];
    const char *unit = r->job.task->loss ? r->job.task->loss : "nats a sample";
    snprintf(of_loss, sizeof of_loss, "%s; lower is better", unit);
    const at_report_chart loss = {"Loss of the training batches", of_loss, "loss", NULL, false};
    const bool higher = score && score->higher_is_better;
    const at_metric *m = at_registry_find(r->ctx, "metric", metric);
    const bool share = higher && !(m && m->plain);
    const at_report_chart valid = {title, higher ? "higher is better" : "lower is better", metric, "valid",
                                   share};
    at__page_section(html, "Curves",
                     "Each epoch is one pass over the training samples. A loss that still falls at the end "
                     "asks for more epochs; a validation score that falls while the loss does, too, is "
                     "over-fitting.");
    AT_TRY(at__page_chart(r->ctx, html, &loss, &loss_curve, 1, &loss_drawn));
    if (r->job.split[AT_SPLIT_VALID]) AT_TRY(at__page_chart(r->ctx, html, &valid, &valid_curve, 1, &drawn));
    if (!loss_drawn && !drawn)
        at_text_add(
            html,
            "<p class=\"soft\">None: this method solves for the optimum instead of taking steps.</p>\n");
    at__page_section_end(html);
    return AT_OK;
}

static void add_recipe(const at_run *r, at_text *html)
{
    at_text yaml;
    at_text_init(&yaml, r->ctx);
    at_yaml_write(&yaml, r->recipe_tree);
    at__page_section(
        html, "Recipe",
        "Everything that was decided, by you or by default: with the same data it repeats this run.");
    at_text_add(html, "<details class=\"card\" open><summary>recipe.yaml</summary><pre>");
    at_text_html(html, yaml.data ? yaml.data : "");
    at_text_add(html, "</pre></details>\n");
    at__page_section_end(html);
    at_text_deinit(&yaml);
}

static at_status make_page(at_run *r, at_text *html, const results *x)
{
    begin(r, html);
    add_facts(r, x, html);
    add_scores(r, x, html);
    AT_TRY(add_mistakes(r, x, html));
    AT_TRY(add_curves(r, x, html));
    add_recipe(r, html);
    at__page_end(html);
    return at_text_status(html);
}

at_status at__write_report(at_run *r, const float *outputs, at_split split, const at_scores *valid,
                           const at_scores *test)
{
    at_text html;
    char *path = at_arena_printf(&r->arena, "%s/report.html", r->folder);
    if (!path) return AT_E_NOMEM;
    at_text_init(&html, r->ctx);
    at_status s =
        make_page(r, &html, &(results){.valid = valid, .test = test, .outputs = outputs, .split = split});
    if (s == AT_OK) s = at_file_write(r->ctx, path, html.data, html.size);
    at_text_deinit(&html);
    return s;
}
