/* report.c: report.html of one run: scores, curves, what went wrong, the recipe. */
#include "run/report.h"
#include "formats/system.h"
#include "run/run.h"
#include <stdio.h>

static int64_t trained_parameters(const at_run *r)
{
    int64_t n = 0;
    const at_store *s = r->model->net.store;
    for (int i = 0; i < s->n_ranges; i++) n += s->ranges[i].hi - s->ranges[i].lo;
    return n;
}

static void add_scores(at_run *r, at_text *html, const at_scores *valid, const at_scores *test)
{
    at_report_row rows[2];
    int n = 0;
    const at_report_row common = {.seconds = at_clock() - r->started, .trainable = trained_parameters(r)};
    if (test) {
        rows[n] = common;
        rows[n].name = "test";
        rows[n].scores = test;
        rows[n++].n = r->job.split[AT_SPLIT_TEST]->n;
    }
    if (valid) {
        rows[n] = common;
        rows[n].name = "validation";
        rows[n].note = r->metric ? "chose when to stop: not an independent figure" : NULL;
        rows[n].scores = valid;
        rows[n++].n = r->job.split[AT_SPLIT_VALID]->n;
    }
    if (n) at_text_add(html, "<h2>Scores</h2>");
    at__page_table(html, rows, n);
}

static void add_recipe(at_run *r, at_text *html)
{
    at_text yaml;
    at_text_init(&yaml, r->ctx);
    at_yaml_write(&yaml, r->recipe_tree);
    at_text_add(html, "<h2>Recipe</h2><section><pre>");
    at_text_html(html, yaml.data ? yaml.data : "");
    at_text_add(html, "</pre></section>");
    at_text_deinit(&yaml);
}

static at_status add_curves(at_run *r, at_text *html)
{
    const char *path = at_arena_printf(&r->arena, "%s/metrics.jsonl", r->folder);
    if (!path) return AT_E_NOMEM;
    const at_report_curve train = {"training loss", path}, valid = {r->metric ? r->metric : "accuracy", path};
    at_text_add(html, "<h2>Curves</h2>");
    AT_TRY(
        at__page_curves(r->ctx, html, "Loss of training batches (nats a sample)", "loss", NULL, &train, 1));
    return at__page_curves(r->ctx, html, "Validation", valid.name, "valid", &valid, 1);
}

static at_status make_page(at_run *r, at_text *html, const float *outputs, at_split split,
                           const at_scores *valid, const at_scores *test)
{
    char title[256], subtitle[512];
    snprintf(title, sizeof title, "%s, %s", r->job.task->name, r->method_name);
    snprintf(subtitle, sizeof subtitle, "%s on %s: %lld training samples, %lld steps",
             r->settings.general.model, r->settings.data.train, (long long)r->n_train,
             (long long)r->progress.attempt);
    at__page_begin(html, title, subtitle);
    add_scores(r, html, valid, test);
    if (outputs && r->job.task->report) {
        at_text_printf(html, "<h2>What went wrong (%s)</h2><section>", at_split_name(split));
        AT_TRY(r->job.task->report(&r->job, split, outputs, html));
        at_text_add(html, "</section>");
    }
    AT_TRY(add_curves(r, html));
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
    at_status s = make_page(r, &html, outputs, split, valid, test);
    if (s == AT_OK) s = at_file_write(r->ctx, path, html.data, html.size);
    at_text_deinit(&html);
    return s;
}
