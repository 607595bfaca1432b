/* demo.c: several recipes on one model and one data folder, compared: what fine-tuning gains over training
 * from scratch. The page that shows it is made in demo_page.c. */
#include "run/demo.h"
#include "formats/file.h"
#include "formats/system.h"
#include <stdio.h>

/* ---- Recipes: "1-probe.yaml" is called probe ---- */

static at_status find_recipes(at_demonstration *d)
{
    const char **names, *folder = at_arena_printf(&d->arena, "%s/recipes", d->folder);
    int64_t n;
    if (!folder) return AT_E_NOMEM;
    AT_TRY(at_folder_list(&d->arena, &names, &n, folder));
    for (int64_t i = 0; i < n && d->n < AT_DEMO_RUNS; i++) {
        const size_t length = strlen(names[i]);
        if (length < 6 || strcmp(names[i] + length - 5, ".yaml") != 0) continue;
        const char *dash = strchr(names[i], '-'), *start = dash ? dash + 1 : names[i];
        at_demo_run *e = &d->runs[d->n++];
        e->path = at_arena_printf(&d->arena, "%s/%s", folder, names[i]);
        e->name = at_arena_printf(&d->arena, "%.*s", (int)(strlen(start) - 5), start);
        e->link = at_arena_printf(&d->arena, "%s/report.html", e->name ? e->name : "");
        if (!e->path || !e->name || !e->link ||
            !(e->output = at_arena_printf(&d->arena, "%s/%s", d->output, e->name)))
            return AT_E_NOMEM;
    }
    AT_REQUIRE(d->ctx, d->n > 0, AT_E_ARG, "%s: holds no recipe (N-NAME.yaml)", folder);
    return AT_OK;
}

static at_status make_recipe(at_demonstration *d, const at_demo_run *e, at_recipe **out)
{
    char *model = at_arena_printf(&d->arena, "%s/model", d->folder),
         *photos = at_arena_printf(&d->arena, "%s/photos", d->folder);
    if (!model || !photos) return AT_E_NOMEM;
    AT_TRY(at_recipe_create(out, d->ctx));
    at_status s = at_recipe_load(*out, e->path);
    if (s == AT_OK) s = at_recipe_set(*out, "model", model);
    if (s == AT_OK) s = at_recipe_set(*out, "data.train", photos);
    if (s == AT_OK) s = at_recipe_take(*out, d->recipe, AT_FROM_FLAG, NULL);
    if (s == AT_OK) s = at_recipe_set(*out, "output", e->output);
    return s;
}

/* ---- Running ---- */

/* Pass events on, and keep what the table needs. */
static void listen(void *data, const at_event *event)
{
    at_demonstration *d = data;
    if (event->kind == AT_EVENT_PLAN) d->n_train = event->samples;
    if (event->kind == AT_EVENT_DONE) {
        at_demo_run *e = d->current;
        e->scores.n = event->n_scores;
        memcpy(e->scores.list, event->scores, (size_t)event->n_scores * sizeof *event->scores);
        e->trainable = event->trainable_parameters;
        e->n_test = event->samples;
    }
    if (d->on_event) d->on_event(d->data, event);
}

/* "last:5: the last N layer groups ...": what the recipe's method says of itself. */
static at_status find_help(at_demonstration *d, at_demo_run *e, at_recipe *recipe)
{
    at_general general;
    char name[64];
    at_tree *t;
    AT_TRY(at_recipe_read(recipe, &at_options_general, &general));
    if (!general.method || general.method->kind != AT_STRING) return AT_OK;
    snprintf(name, sizeof name, "%.*s", (int)strcspn(general.method->text, ":"), general.method->text);
    const at_method *m = at_registry_find(d->ctx, "method", name);
    if (!m) return AT_OK; /* the run will say so */
    AT_TRY(at_yaml_parse(&d->arena, &t, m->text, strlen(m->text), m->name));
    const at_tree *help = at_tree_get(t, "help");
    const bool told = strcmp(general.method->text, e->name) == 0; /* by the recipe's own name */
    if (help && !(e->help = at_arena_printf(&d->arena, "%s%s%s", told ? "" : general.method->text,
                                            told ? "" : ": ", help->text)))
        return AT_E_NOMEM;
    return AT_OK;
}

static at_status emit(const at_demonstration *d, at_event_kind kind, const at_text *text, const at_text *json)
{
    AT_TRY(at_text_status(text));
    AT_TRY(at_text_status(json));
    if (d->on_event) d->on_event(d->data, &(at_event){.kind = kind, .text = text->data, .json = json->data});
    return AT_OK;
}

/* "probe (1 of 4)" before its plan. */
static at_status announce(const at_demonstration *d, const at_demo_run *e)
{
    at_text text, json;
    const int index = (int)(e - d->runs) + 1;
    at_text_init(&text, d->ctx);
    at_text_init(&json, d->ctx);
    at_text_printf(&text, "%s---- %s (%d of %d)", index > 1 ? "\n" : "", e->name, index, d->n);
    at_text_add(&json, "{\"event\":\"recipe\",\"name\":");
    at_text_json(&json, e->name);
    at_text_printf(&json, ",\"index\":%d,\"of\":%d}", index, d->n);
    const at_status s = emit(d, AT_EVENT_PLAN, &text, &json);
    at_text_deinit(&text);
    at_text_deinit(&json);
    return s;
}

static at_status run_one(at_demonstration *d, at_demo_run *e)
{
    at_recipe *recipe = NULL;
    const double begin = at_clock();
    d->current = e;
    at_status s = announce(d, e);
    if (s == AT_OK) s = make_recipe(d, e, &recipe);
    if (s == AT_OK) s = find_help(d, e, recipe);
    if (s == AT_OK) s = at_train(d->ctx, recipe, listen, d);
    e->seconds = at_clock() - begin;
    at_recipe_destroy(recipe);
    return s;
}

/* ---- Comparing ---- */

double at__demo_accuracy(const at_demo_run *e)
{
    const at_score_value *s = at__score_named(&e->scores, "accuracy");
    return s ? s->value : 0.0;
}

const at_demo_run *at__demo_best(const at_demonstration *d)
{
    const at_demo_run *best = NULL;
    for (int i = 0; i < d->n; i++)
        if (strcmp(d->runs[i].name, "scratch") != 0 &&
            (!best || at__demo_accuracy(&d->runs[i]) > at__demo_accuracy(best)))
            best = &d->runs[i];
    return best;
}

const at_demo_run *at__demo_named(const at_demonstration *d, const char *name)
{
    for (int i = 0; i < d->n; i++)
        if (strcmp(d->runs[i].name, name) == 0) return &d->runs[i];
    return NULL;
}

/* ---- The table ---- */

static int name_width(const at_demonstration *d)
{
    int width = 8;
    for (int i = 0; i < d->n; i++) width = (int)at_max(width, (int64_t)strlen(d->runs[i].name));
    return width;
}

static void table_text(const at_demonstration *d, at_text *t)
{
    const int width = name_width(d);
    const at_demo_run *best = at__demo_best(d), *scratch = at__demo_named(d, "scratch");
    char seconds[AT_FIGURE], trained[AT_FIGURE];
    at_text_printf(t, "\n%-*s  accuracy   95 %% interval          time   trained parameters\n", width,
                   "method");
    for (int i = 0; i < d->n; i++) {
        const at_demo_run *e = &d->runs[i];
        double low, high;
        at_wilson(at__demo_accuracy(e), e->n_test, &low, &high);
        at_text_printf(t, "%-*s  %6.1f %%   %5.1f to %5.1f %%  %12s   %18s\n", width, e->name,
                       100 * at__demo_accuracy(e), 100 * low, 100 * high, at__seconds(seconds, e->seconds),
                       at__exact(trained, e->trainable));
    }
    if (best && scratch)
        at_text_printf(t,
                       "\n%s recognises %.1f %% of %lld test photos, the same network trained from scratch "
                       "%.1f %%: %+.1f "
                       "points\n",
                       best->name, 100 * at__demo_accuracy(best), (long long)best->n_test,
                       100 * at__demo_accuracy(scratch),
                       100 * (at__demo_accuracy(best) - at__demo_accuracy(scratch)));
    at_text_printf(t, "report: %s/report.html (open it in a browser)", d->output);
}

static void table_json(const at_demonstration *d, at_text *t)
{
    char *report = at_arena_printf((at_arena *)&d->arena, "%s/report.html", d->output);
    at_text_add(t, "{\"event\":\"demo\",\"report\":");
    at_text_json(t, report ? report : "");
    at_text_add(t, ",\"runs\":[");
    for (int i = 0; i < d->n; i++) {
        const at_demo_run *e = &d->runs[i];
        double low, high;
        at_wilson(at__demo_accuracy(e), e->n_test, &low, &high);
        at_text_add(t, i ? ",{\"name\":" : "{\"name\":");
        at_text_json(t, e->name);
        at_text_add(t, ",\"accuracy\":");
        at_text_number(t, at__demo_accuracy(e));
        at_text_printf(t, ",\"low\":%.6f,\"high\":%.6f,\"seconds\":%.3f,\"trainable_parameters\":%lld}", low,
                       high, e->seconds, (long long)e->trainable);
    }
    at_text_add(t, "]}");
}

static at_status emit_table(at_demonstration *d)
{
    at_text text, json;
    at_text_init(&text, d->ctx);
    at_text_init(&json, d->ctx);
    table_text(d, &text);
    table_json(d, &json);
    const at_status s = emit(d, AT_EVENT_DONE, &text, &json);
    at_text_deinit(&text);
    at_text_deinit(&json);
    return s;
}

static at_status verdict(at_demonstration *d)
{
    const at_demo_run *best = at__demo_best(d), *scratch = at__demo_named(d, "scratch");
    if (!best || !scratch) return AT_OK;
    AT_REQUIRE(d->ctx, at__demo_accuracy(best) > at__demo_accuracy(scratch) + 0.10, AT_E_STATE,
               "the demonstration failed: %s reaches %.1f %%, training from scratch %.1f %%; "
               "fine-tuning should gain more than 10 points",
               best->name, 100 * at__demo_accuracy(best), 100 * at__demo_accuracy(scratch));
    return AT_OK;
}

/* Remove what an earlier demonstration left, and only that. */
static at_status clear_output(at_demonstration *d)
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

static at_status run_all(at_demonstration *d)
{
    at_general general;
    AT_TRY(at_recipe_read(d->recipe, &at_options_general, &general));
    d->output = general.output ? general.output : "runs/demo";
    AT_TRY(find_recipes(d));
    AT_TRY(clear_output(d));
    AT_TRY(at_folder_make(d->ctx, d->output));
    for (int i = 0; i < d->n; i++) AT_TRY(run_one(d, &d->runs[i]));
    AT_TRY(at__demo_write_page(d));
    AT_TRY(emit_table(d));
    return verdict(d);
}

at_status at_demo(at_ctx *ctx, at_recipe *recipe, const char *folder, at_event_fn on_event, void *data)
{
    at_demonstration *d;
    AT_NEW(ctx, d, 1);
    *d = (at_demonstration){
        .ctx = ctx, .recipe = recipe, .on_event = on_event, .data = data, .folder = folder};
    at_arena_init(&d->arena, ctx);
    const at_status s = run_all(d);
    at_arena_deinit(&d->arena);
    at_free(ctx, d);
    return s;
}
