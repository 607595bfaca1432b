/* demo.c: several recipes on one model and one data folder, compared: what fine-tuning gains over training
 * from scratch. */
#include "formats/file.h"
#include "formats/system.h"
#include "run/report.h"
#include "run/run.h"
#include <stdio.h>

enum { MAX_RUNS = 16 };

typedef struct entry { /* one recipe and what came of it */
    const char *name, *path, *output, *help;
    at_scores scores;
    double seconds;
    int64_t trainable, n_test;
} entry;

typedef struct demo {
    at_ctx *ctx;
    at_recipe *recipe;
    at_event_fn on_event;
    void *data;
    at_arena arena;
    const char *folder, *output;
    entry runs[MAX_RUNS];
    int n;
    entry *current;
} demo;

/* ---- Recipes: "1-probe.yaml" is called probe ---- */

static at_status find_recipes(demo *d)
{
    const char **names, *folder = at_arena_printf(&d->arena, "%s/recipes", d->folder);
    int64_t n;
    if (!folder) return AT_E_NOMEM;
    AT_TRY(at_folder_list(&d->arena, &names, &n, folder));
    for (int64_t i = 0; i < n && d->n < MAX_RUNS; i++) {
        const size_t length = strlen(names[i]);
        if (length < 6 || strcmp(names[i] + length - 5, ".yaml") != 0) continue;
        const char *dash = strchr(names[i], '-'), *start = dash ? dash + 1 : names[i];
        entry *e = &d->runs[d->n++];
        e->path = at_arena_printf(&d->arena, "%s/%s", folder, names[i]);
        e->name = at_arena_printf(&d->arena, "%.*s", (int)(strlen(start) - 5), start);
        if (!e->path || !e->name || !(e->output = at_arena_printf(&d->arena, "%s/%s", d->output, e->name)))
            return AT_E_NOMEM;
    }
    AT_REQUIRE(d->ctx, d->n > 0, AT_E_ARG, "%s: holds no recipe (N-NAME.yaml)", folder);
    return AT_OK;
}

static at_status make_recipe(demo *d, const entry *e, at_recipe **out)
{
    char *model = at_arena_printf(&d->arena, "%s/model", d->folder),
         *photos = at_arena_printf(&d->arena, "%s/photos", d->folder);
    if (!model || !photos) return AT_E_NOMEM;
    AT_TRY(at_recipe_create(out, d->ctx));
    at_status s = at_recipe_load(*out, e->path);
    if (s == AT_OK) s = at_recipe_set(*out, "model", model);
    if (s == AT_OK) s = at_recipe_set(*out, "data.train", photos);
    if (s == AT_OK) s = at_recipe_take(*out, d->recipe);
    if (s == AT_OK) s = at_recipe_set(*out, "output", e->output);
    return s;
}

/* ---- Running ---- */

/* Pass events on, and keep what the table needs. */
static void listen(void *data, const at_event *event)
{
    demo *d = data;
    if (event->kind == AT_EVENT_DONE) {
        entry *e = d->current;
        e->scores.n = event->n_scores;
        memcpy(e->scores.list, event->scores, (size_t)event->n_scores * sizeof *event->scores);
        e->trainable = event->trainable_parameters;
        e->n_test = event->samples;
    }
    if (d->on_event) d->on_event(d->data, event);
}

static at_status run_one(demo *d, entry *e)
{
    at_recipe *recipe = NULL;
    const double begin = at_clock();
    d->current = e;
    at_status s = make_recipe(d, e, &recipe);
    if (s == AT_OK) s = at_train(d->ctx, recipe, listen, d);
    e->seconds = at_clock() - begin;
    at_recipe_destroy(recipe);
    return s;
}

/* ---- Comparing ---- */

static double accuracy_of(const entry *e)
{
    for (int i = 0; i < e->scores.n; i++)
        if (strcmp(e->scores.list[i].name, "accuracy") == 0) return e->scores.list[i].value;
    return 0.0;
}

static entry *best_tuned(demo *d)
{
    entry *best = NULL;
    for (int i = 0; i < d->n; i++)
        if (strcmp(d->runs[i].name, "scratch") != 0 &&
            (!best || accuracy_of(&d->runs[i]) > accuracy_of(best)))
            best = &d->runs[i];
    return best;
}

/* What went wrong, of one run's model on the test photos. */
static at_status add_mistakes(demo *d, const entry *e, at_text *html)
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
    if (s == AT_OK) s = at__evaluate_split(r, AT_SPLIT_TEST, &scores, &outputs);
    if (s == AT_OK) s = r->job.task->report(&r->job, AT_SPLIT_TEST, outputs, html);
    at_free(d->ctx, outputs);
    if (recipe) at__run_close(r, s);
    at_free(d->ctx, r);
    at_recipe_destroy(recipe);
    return s;
}

static at_status make_page(demo *d, at_text *html)
{
    at_report_row rows[MAX_RUNS];
    at_report_curve curves[MAX_RUNS];
    entry *best = best_tuned(d);
    for (int i = 0; i < d->n; i++) {
        const entry *e = &d->runs[i];
        rows[i] = (at_report_row){.name = e->name,
                                  .scores = &e->scores,
                                  .n = e->n_test,
                                  .seconds = e->seconds,
                                  .trainable = e->trainable,
                                  .best = e == best};
        curves[i] = (at_report_curve){e->name, at_arena_printf(&d->arena, "%s/metrics.jsonl", e->output)};
        if (!curves[i].path) return AT_E_NOMEM;
    }
    char subtitle[256];
    snprintf(subtitle, sizeof subtitle,
             "One pre-trained network, one small folder of photos, %d ways to train it; scored on %lld "
             "test photos that none of them saw",
             d->n, (long long)d->runs[0].n_test);
    at__page_begin(html, "Fine-tuning against training from scratch", subtitle);
    at_text_add(html, "<h2>Test scores</h2>");
    at__page_table(html, rows, d->n);
    at_text_add(
        html,
        "<p class=\"sub\">The bar is the 95 % interval of the accuracy (Wilson): with so few test photos, "
        "neighbouring rows may well be equal; the distance to scratch is not chance.</p><h2>Curves</h2>");
    AT_TRY(
        at__page_curves(d->ctx, html, "Loss of training batches (nats a photo)", "loss", NULL, curves, d->n));
    if (best) {
        at_text_printf(html, "<h2>What %s got wrong</h2><section>", best->name);
        AT_TRY(add_mistakes(d, best, html));
        at_text_add(html, "</section>");
    }
    at__page_end(html);
    return at_text_status(html);
}

static at_status write_page(demo *d)
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

static void emit_table(demo *d)
{
    at_text text, json;
    at_text_init(&text, d->ctx);
    at_text_init(&json, d->ctx);
    at_text_printf(&text, "\n%-10s %10s   %-18s %8s %12s\n", "", "accuracy", "95 % interval", "seconds",
                   "trained");
    at_text_printf(&json, "{\"event\":\"demo\",\"report\":\"%s/report.html\",\"runs\":[", d->output);
    for (int i = 0; i < d->n; i++) {
        const entry *e = &d->runs[i];
        double low, high;
        at__wilson(accuracy_of(e), at_max(e->n_test, 1), &low, &high);
        at_text_printf(&text, "%-10s %8.1f %%   %5.1f to %5.1f %%   %8.1f %12lld\n", e->name,
                       100 * accuracy_of(e), 100 * low, 100 * high, e->seconds, (long long)e->trainable);
        at_text_printf(&json,
                       "%s{\"name\":\"%s\",\"accuracy\":%.6f,\"low\":%.6f,\"high\":%.6f,\"seconds\":%.3f,"
                       "\"trainable_parameters\":%lld}",
                       i ? "," : "", e->name, accuracy_of(e), low, high, e->seconds, (long long)e->trainable);
    }
    at_text_printf(&text, "\nreport: %s/report.html", d->output);
    at_text_add(&json, "]}");
    const at_event event = {.kind = AT_EVENT_PLAN, .text = text.data, .json = json.data};
    if (d->on_event && at_text_status(&text) == AT_OK && at_text_status(&json) == AT_OK)
        d->on_event(d->data, &event);
    at_text_deinit(&text);
    at_text_deinit(&json);
}

static at_status verdict(demo *d)
{
    const entry *best = best_tuned(d), *scratch = NULL;
    for (int i = 0; i < d->n; i++)
        if (strcmp(d->runs[i].name, "scratch") == 0) scratch = &d->runs[i];
    if (!best || !scratch) return AT_OK;
    AT_REQUIRE(d->ctx, accuracy_of(best) > accuracy_of(scratch) + 0.10, AT_E_STATE,
               "the demonstration failed: %s reaches %.1f %%, training from scratch %.1f %%; fine-tuning "
               "should gain more than 10 points",
               best->name, 100 * accuracy_of(best), 100 * accuracy_of(scratch));
    return AT_OK;
}

/* Remove what an earlier demonstration left, and only that. */
static at_status clear_output(demo *d)
{
    const char **names;
    int64_t n;
    if (!at_path_exists(d->output)) return AT_OK;
    AT_TRY(at_folder_list(&d->arena, &names, &n, d->output));
    for (int64_t i = 0; i < n; i++) {
        bool known = strcmp(names[i], "report.html") == 0;
        for (int k = 0; k < d->n; k++) known = known || strcmp(names[i], d->runs[k].name) == 0;
        AT_REQUIRE(d->ctx, known, AT_E_ARG,
                   "%s holds %s, which no demonstration has made; choose another --output", d->output,
                   names[i]);
    }
    return at_folder_remove(d->ctx, d->output);
}

static at_status run_all(demo *d)
{
    at_general general;
    AT_TRY(at_recipe_read(d->recipe, &at_options_general, &general));
    d->output = general.output ? general.output : "runs/demo";
    AT_TRY(find_recipes(d));
    AT_TRY(clear_output(d));
    AT_TRY(at_folder_make(d->ctx, d->output));
    for (int i = 0; i < d->n; i++) AT_TRY(run_one(d, &d->runs[i]));
    AT_TRY(write_page(d));
    emit_table(d);
    return verdict(d);
}

at_status at_demo(at_ctx *ctx, at_recipe *recipe, const char *folder, at_event_fn on_event, void *data)
{
    demo *d;
    AT_NEW(ctx, d, 1);
    *d = (demo){.ctx = ctx, .recipe = recipe, .on_event = on_event, .data = data, .folder = folder};
    at_arena_init(&d->arena, ctx);
    const at_status s = run_all(d);
    at_arena_deinit(&d->arena);
    at_free(ctx, d);
    return s;
}
