/* demo_page.c: report.html of a demonstration: which way to train is how good, how they learn, what the best
 * gets wrong. */
#include "formats/file.h"
#include "run/demo.h"
#include <stdio.h>

/* What went wrong, of one run's model on the test photos. */
static at_status add_mistakes(at_demonstration *d, const at_demo_run *e, at_text *html)
{
    at_run *r;
    at_recipe *recipe = NULL;
    float *outputs = NULL;
    at_scores scores;
    char *photos = at_arena_printf(&d->arena, "%s/photos", d->folder);
    AT_NEW(d->ctx, r, 1);
    at_status s = photos ? at_recipe_create(&recipe, d->ctx) : AT_E_NOMEM;
    if (s == AT_OK) s = at_recipe_set(recipe, "model", e->output);
    if (s == AT_OK) s = at_recipe_set(recipe, "data.test", photos);
    if (s == AT_OK) s = at__run_open(r, d->ctx, recipe, NULL, NULL);
    if (s == AT_OK) s = at__open_to_score(r);
    if (s == AT_OK) s = at__evaluate_split(r, AT_SPLIT_TEST, false, &scores, &outputs);
    if (s == AT_OK) s = r->job.task->report(&r->job, AT_SPLIT_TEST, outputs, html);
    at_free(d->ctx, outputs);
    if (recipe) at__run_close(r, s);
    at_free(d->ctx, r);
    at_recipe_destroy(recipe);
    return s;
}

static void add_facts(const at_demonstration *d, const at_demo_run *best, const at_demo_run *scratch,
                      at_text *html)
{
    char share[3][AT_FIGURE], best_note[96], gain_note[96], count[AT_FIGURE];
    const double gain = 100 * (at__demo_accuracy(best) - at__demo_accuracy(scratch));
    snprintf(share[0], AT_FIGURE, "%.1f %%", 100 * at__demo_accuracy(best));
    snprintf(share[1], AT_FIGURE, "%.1f %%", 100 * at__demo_accuracy(scratch));
    snprintf(share[2], AT_FIGURE, "%+.1f points", gain);
    snprintf(best_note, sizeof best_note, "of the test photos right: %s", best->name);
    snprintf(gain_note, sizeof gain_note, "%s against %s", best->name, scratch->name);
    const at_page_fact facts[] = {
        {"best fine-tuned network", share[0], best_note},
        {"the same from scratch", share[1], "random weights at the start"},
        {"what pre-training gives", share[2], gain_note},
        {"test photos", at__exact(count, d->runs[0].n_test), "that no network learned from"},
    };
    at__page_facts(html, facts, AT_COUNT(facts));
}

/* What the numbers say, and what they do not. */
static void add_reading(const at_demo_run *best, const at_demo_run *scratch, at_text *html)
{
    double best_low, best_high, scratch_low, scratch_high;
    at_wilson(at__demo_accuracy(best), best->n_test, &best_low, &best_high);
    at_wilson(at__demo_accuracy(scratch), scratch->n_test, &scratch_low, &scratch_high);
    at_text_printf(
        html,
        "<p>The interval says how far chance may have moved an accuracy that was measured on only %lld "
        "photos. The intervals of ",
        (long long)best->n_test);
    at_text_html(html, best->name);
    at_text_add(html,
                best_low > scratch_high
                    ? " and scratch do not overlap: the gain is hardly chance. "
                    : " and scratch overlap: more test photos would be needed to be sure of the gain. ");
    at_text_add(html, "Rows that are only a few points apart may well be equal.</p>\n");
}

static at_status add_table(const at_demonstration *d, const at_demo_run *best, const at_demo_run *scratch,
                           at_text *html)
{
    at_report_row rows[AT_DEMO_RUNS];
    for (int i = 0; i < d->n; i++) {
        const at_demo_run *e = &d->runs[i];
        rows[i] = (at_report_row){.name = e->name,
                                  .note = e->help,
                                  .link = e->link,
                                  .scores = &e->scores,
                                  .n = e->n_test,
                                  .seconds = e->seconds,
                                  .trainable = e->trainable,
                                  .best = e == best};
    }
    at__page_section(html, "How well each way does",
                     "The same network, the same photos, the same test: only what learns, "
                     "and from which weights it starts, differs.");
    at__page_comparison(html, "Test accuracy, time for the whole run, and parameters that learned", rows,
                        d->n);
    if (best && scratch) add_reading(best, scratch, html);
    at__page_section_end(html);
    return AT_OK;
}

static at_status add_curves(at_demonstration *d, at_text *html)
{
    at_report_curve curves[AT_DEMO_RUNS];
    bool drawn;
    for (int i = 0; i < d->n; i++) {
        curves[i] = (at_report_curve){d->runs[i].name,
                                      at_arena_printf(&d->arena, "%s/metrics.jsonl", d->runs[i].output)};
        if (!curves[i].path) return AT_E_NOMEM;
    }
    const at_report_chart chart = {"Loss of the training batches", "nats a photo; lower is better", "loss",
                                   NULL, false};
    at__page_section(html, "How they learn",
                     "Each epoch is one pass over the training photos. Pre-trained networks learn in a "
                     "few passes what a random one needs many for; and a low loss on the photos "
                     "learned from is no promise for others: compare the table. A method that solves "
                     "for its optimum takes no steps and has no curve.");
    AT_TRY(at__page_chart(d->ctx, html, &chart, curves, d->n, &drawn));
    if (!drawn) at_text_add(html, "<p class=\"soft\">No run logged its steps.</p>\n");
    at__page_section_end(html);
    return AT_OK;
}

static at_status make_page(at_demonstration *d, at_text *html)
{
    const at_demo_run *best = at__demo_best(d), *scratch = at__demo_named(d, "scratch");
    char lead[256], title[96];
    snprintf(lead, sizeof lead,
             "One pre-trained network and %lld photos to learn from. %d ways to train it, each tested on "
             "%lld other photos.",
             (long long)d->n_train, d->n, (long long)d->runs[0].n_test);
    at__page_begin(html, "Fine-tuning against training from scratch", lead);
    if (best && scratch) add_facts(d, best, scratch, html);
    AT_TRY(add_table(d, best, scratch, html));
    AT_TRY(add_curves(d, html));
    if (best) {
        snprintf(title, sizeof title, "Where the best one (%s) goes wrong", best->name);
        at__page_section(html, title, NULL);
        AT_TRY(add_mistakes(d, best, html));
        at__page_section_end(html);
    }
    at__page_end(html);
    return at_text_status(html);
}

at_status at__demo_write_page(at_demonstration *d)
{
    at_text html;
    char *path = at_arena_printf(&d->arena, "%s/report.html", d->output);
    if (!path) return AT_E_NOMEM;
    at_text_init(&html, d->ctx);
    at_status s = make_page(d, &html);
    if (s == AT_OK) s = at_file_write(d->ctx, path, html.data, html.size);
    at_text_deinit(&html);
    return s;
}
