/* ladder.c: is more training worth it? The commonest answer first, then methods from the cheapest to the
 * dearest, each a run of its own with its forecast before it, and a table of what each rung gains. Rungs are
 * compared on the validation split, so that the test split stays unseen by the choice. Reading path:
 * at__ladder, look, climb, table_text. */
#include "formats/file.h"
#include "formats/system.h"
#include "run/report.h"
#include "run/run.h"
#include <stdio.h>

enum { MOST_RUNGS = 16 };
static const char *const USUAL = "probe,head,last,full";

typedef struct rung {
    const char *method, *output; /* output NULL: the commonest answer, which needs no run */
    at_scores valid, test;
    double seconds;
    int64_t trainable;
    bool done;
} rung;

typedef struct ladder {
    at_ctx *ctx;
    at_recipe *recipe;
    at_event_fn on_event;
    void *data;
    at_arena arena;
    const char *model, *source, *output, *metric;
    int64_t n_valid, n_test;
    bool continues;
    rung rungs[MOST_RUNGS];
    int n;
    const char *forecast, *forecast_json; /* of the rung at hand */
} ladder;

static at_status emit(const ladder *l, at_event_kind kind, const at_text *text, const at_text *json)
{
    AT_TRY(at_text_status(text));
    AT_TRY(at_text_status(json));
    if (l->on_event) l->on_event(l->data, &(at_event){.kind = kind, .text = text->data, .json = json->data});
    return AT_OK;
}

/* ---- What there is to do ---- */

static at_status add_rung(ladder *l, const char *method, int length)
{
    AT_REQUIRE(l->ctx, l->n < MOST_RUNGS, AT_E_ARG, "a ladder has at most %d methods", MOST_RUNGS - 1);
    rung *g = &l->rungs[l->n++];
    g->method = at_arena_printf(&l->arena, "%.*s", length, method);
    return g->method ? AT_OK : AT_E_NOMEM;
}

/* Before hours of other rungs have passed. */
static at_status check_method(const ladder *l, const char *method)
{
    char name[64];
    snprintf(name, sizeof name, "%.*s", (int)strcspn(method, ":"), method);
    if (at_registry_find(l->ctx, "method", name)) return AT_OK;
    const char *nearest = at_registry_nearest(l->ctx, "method", name);
    return at_fail(l->ctx, AT_E_ARG,
                   "%s: no method is called \"%s\"%s%s%s; a ladder is a list like probe,last:3,full",
                   at_recipe_where(l->recipe, "ladder"), name, nearest ? "; did you mean \"" : "",
                   nearest ? nearest : "", nearest ? "\"?" : "");
}

static at_status find_rungs(ladder *l, const char *list)
{
    const char *at = strcmp(list, "usual") == 0 ? USUAL : list;
    AT_TRY(add_rung(l, "commonest", 9));
    for (;; at++) {
        const int length = (int)strcspn(at, ",");
        AT_TRY(add_rung(l, at, length));
        AT_TRY(check_method(l, l->rungs[l->n - 1].method));
        at += length;
        if (!*at) return AT_OK;
    }
}

/* Where every rung's run goes: "last:3" to OUTPUT/last-3. */
static at_status name_outputs(ladder *l)
{
    for (int i = 1; i < l->n; i++) {
        char *path = at_arena_printf(&l->arena, "%s/%s", l->output, l->rungs[i].method);
        if (!path) return AT_E_NOMEM;
        for (char *c = path + strlen(l->output); *c; c++)
            if (*c == ':') *c = '-';
        l->rungs[i].output = path;
    }
    return AT_OK;
}

/* Settings as given, with a method and a folder. A ladder that is continued has rungs of all kinds: finished,
 * begun, not begun. */
static at_status make_recipe(const ladder *l, at_recipe **out, const char *method, const char *output)
{
    AT_TRY(at_recipe_create(out, l->ctx));
    at_status s = at_recipe_take(*out, l->recipe, AT_FROM_FILE, "ladder");
    if (s == AT_OK && l->continues) s = at_recipe_set(*out, "resume", "auto");
    if (s == AT_OK && method) s = at_recipe_set(*out, "method", method);
    if (s == AT_OK && output) s = at_recipe_set(*out, "output", output);
    return s;
}

/* ---- The commonest answer ---- */

/* Scores of one answer to every sample. */
static at_status score_constant(at_run *r, at_split split, const float *answer, at_scores *out, int64_t *n)
{
    if (!r->job.split[split]) return AT_OK;
    const int64_t width = r->job.n_outputs;
    float *outputs;
    *n = r->job.split[split]->n;
    AT_NEW(r->ctx, outputs, *n * width);
    for (int64_t i = 0; i < *n * width; i++) outputs[i] = answer[i % width];
    const at_status s = r->job.task->score(&r->job, split, outputs, out);
    at_free(r->ctx, outputs);
    return s;
}

static at_status score_commonest(ladder *l, at_run *r)
{
    rung *g = &l->rungs[0];
    float *answer;
    AT_NEW(r->ctx, answer, r->job.n_outputs);
    at_status s = r->job.task->commonest(&r->job, answer);
    if (s == AT_OK) s = score_constant(r, AT_SPLIT_VALID, answer, &g->valid, &l->n_valid);
    if (s == AT_OK) s = score_constant(r, AT_SPLIT_TEST, answer, &g->test, &l->n_test);
    g->done = s == AT_OK;
    at_free(r->ctx, answer);
    return s;
}

/* The data are read once to know the splits and the metric. */
static at_status look(at_run *r, void *arg)
{
    ladder *l = arg;
    AT_TRY(at__look(r));
    const at_task *task = r->job.task;
    AT_REQUIRE(r->ctx, task->commonest, AT_E_UNSUPPORTED,
               "task %s has no ladder: it knows no commonest answer", task->name);
    AT_REQUIRE(
        r->ctx, r->job.split[AT_SPLIT_VALID] || r->job.split[AT_SPLIT_TEST], AT_E_ARG,
        "a ladder compares methods on a validation or a test split, and there is none: see data.valid");
    l->metric = r->job.main_metric;
    l->output = at_arena_printf(&l->arena, "%s", r->folder);
    l->model = at_arena_printf(&l->arena, "%s", r->settings.general.model);
    l->source = at_arena_printf(&l->arena, "%s", r->settings.data.train);
    if (!l->output || !l->model || !l->source) return AT_E_NOMEM;
    return score_commonest(l, r);
}

static at_status look_at_data(ladder *l)
{
    at_recipe *recipe = NULL;
    at_general general;
    AT_TRY(at_recipe_read(l->recipe, &at_options_general, &general));
    AT_REQUIRE(l->ctx, !at_recipe_is_set(l->recipe, "method"), AT_E_ARG,
               "%s: a ladder chooses the methods itself; list them instead: --ladder=probe,full",
               at_recipe_where(l->recipe, "method"));
    l->continues = strcmp(general.resume, "no") != 0;
    AT_TRY(find_rungs(l, general.ladder));
    at_status s = make_recipe(l, &recipe, l->rungs[l->n - 1].method, NULL);
    if (s == AT_OK) s = at__with_run(l->ctx, recipe, NULL, NULL, look, l);
    at_recipe_destroy(recipe);
    return s == AT_OK ? name_outputs(l) : s;
}

/* ---- Climbing ---- */

/* Of the two events of at_estimate the second is the forecast. */
static void take_forecast(void *data, const at_event *e)
{
    ladder *l = data;
    if (e->kind != AT_EVENT_PLAN) return;
    l->forecast = at_arena_printf(&l->arena, "%s", e->text ? e->text : "");
    l->forecast_json = at_arena_printf(&l->arena, "%s", e->json ? e->json : "null");
}

static at_status announce(ladder *l, int index)
{
    at_text text, json;
    at_text_init(&text, l->ctx);
    at_text_init(&json, l->ctx);
    const rung *g = &l->rungs[index];
    at_text_printf(&text, "\n---- %s (%d of %d)\n%s", g->method, index, l->n - 1, l->forecast);
    at_text_add(&json, "{\"event\":\"rung\",\"method\":");
    at_text_json(&json, g->method);
    at_text_printf(&json, ",\"index\":%d,\"of\":%d,\"forecast\":%s}", index, l->n - 1, l->forecast_json);
    const at_status s = emit(l, AT_EVENT_PLAN, &text, &json);
    at_text_deinit(&text);
    at_text_deinit(&json);
    return s;
}

/* Scores of a split as result.json has them; which there are, and which way is better, the commonest answer's
 * tell. */
static void read_scores(at_scores *out, const at_scores *like, const at_tree *from)
{
    for (int i = 0; i < like->n; i++) {
        const at_tree *x = from ? at_tree_get(from, like->list[i].name) : NULL;
        if (!x || (x->kind != AT_NUMBER && x->kind != AT_WHOLE)) continue;
        out->list[out->n] = like->list[i];
        out->list[out->n++].value = x->number;
    }
}

static at_status read_result(ladder *l, rung *g)
{
    at_tree *t;
    char *path = at_arena_printf(&l->arena, "%s/result.json", g->output);
    if (!path) return AT_E_NOMEM;
    AT_TRY(at_tree_read(&l->arena, &t, path));
    const at_tree *trained = at_tree_get(t, "trainable_parameters");
    read_scores(&g->valid, &l->rungs[0].valid, at_tree_get(t, "valid"));
    read_scores(&g->test, &l->rungs[0].test, at_tree_get(t, "test"));
    g->trainable = trained ? trained->whole : 0;
    g->done = true;
    return AT_OK;
}

static at_status climb(ladder *l, int index)
{
    rung *g = &l->rungs[index];
    at_recipe *forecast = NULL, *recipe = NULL;
    at_status s = make_recipe(l, &forecast, g->method, g->output);
    if (s == AT_OK) s = make_recipe(l, &recipe, g->method, g->output);
    at_forget_peak_memory();
    if (s == AT_OK) s = at_estimate(l->ctx, forecast, take_forecast, l);
    if (s == AT_OK) s = l->forecast && l->forecast_json ? announce(l, index) : AT_E_NOMEM;
    const double begin = at_clock();
    if (s == AT_OK) s = at_train(l->ctx, recipe, l->on_event, l->data);
    g->seconds = at_clock() - begin;
    if (s == AT_OK) s = read_result(l, g);
    at_recipe_destroy(forecast);
    at_recipe_destroy(recipe);
    return s;
}

/* ---- The table ---- */

/* Where rungs are compared. */
static const at_scores *compared(const ladder *l, const rung *g)
{
    return l->n_valid ? &g->valid : &g->test;
}

static const at_score_value *main_score(const ladder *l, const rung *g)
{
    return g->done ? at__score_named(compared(l, g), l->metric) : NULL;
}

/* The best of rungs [0, n); of equal ones the cheapest, which comes first. */
static const rung *best_of(const ladder *l, int n)
{
    const rung *best = NULL;
    for (int i = 0; i < n; i++) {
        const at_score_value *x = main_score(l, &l->rungs[i]), *y = best ? main_score(l, best) : NULL;
        if (x && (!y || (x->higher_is_better ? x->value > y->value : x->value < y->value)))
            best = &l->rungs[i];
    }
    return best;
}

/* What the rung adds to the best below it: above 0 it is better. */
static double gain_of(const ladder *l, int index)
{
    const rung *below = best_of(l, index);
    const at_score_value *x = main_score(l, &l->rungs[index]), *y = below ? main_score(l, below) : NULL;
    return x && y ? (x->higher_is_better ? 1 : -1) * (x->value - y->value) : 0.0;
}

static void row_text(const ladder *l, int index, int width, at_text *t)
{
    const rung *g = &l->rungs[index];
    const at_score_value *x = main_score(l, g), *test = at__score_named(&g->test, l->metric);
    char score[AT_FIGURE] = "-", on_test[AT_FIGURE] = "", gain[AT_FIGURE] = "", seconds[AT_FIGURE] = "",
         trained[AT_FIGURE] = "";
    if (x) at__score_text(score, x);
    if (test) at__score_text(on_test, test);
    if (x && index > 0) {
        const bool percent = strchr(score, '%') != NULL;
        snprintf(gain, sizeof gain, percent ? "%+.1f points" : "%+.4g",
                 gain_of(l, index) * (percent ? 100 : 1));
    }
    if (g->output) at__seconds(seconds, g->seconds), at__exact(trained, g->trainable);
    at_text_printf(t, "%-*s  %10s  %12s  %10s  %12s  %18s%s\n", width, g->method, score, gain,
                   l->n_valid ? on_test : "", seconds, trained, g == best_of(l, l->n) ? "  best" : "");
}

static void table_text(const ladder *l, at_text *t)
{
    char words[AT_FIGURE];
    const rung *best = best_of(l, l->n);
    int width = 9;
    for (int i = 0; i < l->n; i++) width = (int)at_max(width, (int64_t)strlen(l->rungs[i].method));
    at_text_printf(t, "\n%s of %lld %s samples; gain: over the best row above\n",
                   at__metric_words(words, l->metric), (long long)(l->n_valid ? l->n_valid : l->n_test),
                   l->n_valid ? "validation" : "test");
    at_text_printf(t, "%-*s  %10s  %12s  %10s  %12s  %18s\n", width, "method", l->n_valid ? "valid" : "test",
                   "gain", l->n_valid && l->n_test ? "test" : "", "time", "trained parameters");
    for (int i = 0; i < l->n; i++)
        if (l->rungs[i].done) row_text(l, i, width, t);
    if (best && best->output) at_text_printf(t, "best: %s\n", best->output);
    at_text_printf(t, "report: %s/report.html", l->output);
}

static void scores_json(at_text *t, const char *key, const at_scores *s)
{
    at_text_printf(t, ",\"%s\":{", key);
    for (int i = 0; i < s->n; i++) {
        at_text_printf(t, "%s\"%s\":", i ? "," : "", s->list[i].name);
        at_text_number(t, s->list[i].value);
    }
    at_text_add(t, "}");
}

static void table_json(const ladder *l, at_text *t)
{
    const rung *best = best_of(l, l->n);
    at_text_printf(t, "{\"event\":\"ladder\",\"metric\":\"%s\",\"best\":", l->metric);
    if (best)
        at_text_json(t, best->method);
    else
        at_text_add(t, "null");
    at_text_add(t, ",\"output\":");
    at_text_json(t, l->output);
    at_text_add(t, ",\"rungs\":[");
    for (int i = 0, n = 0; i < l->n; i++) {
        const rung *g = &l->rungs[i];
        if (!g->done) continue;
        at_text_add(t, n++ ? ",{\"method\":" : "{\"method\":");
        at_text_json(t, g->method);
        scores_json(t, "valid", &g->valid);
        scores_json(t, "test", &g->test);
        at_text_add(t, ",\"gain\":");
        at_text_number(t, gain_of(l, i));
        at_text_printf(t, ",\"seconds\":%.3f,\"trainable_parameters\":%lld}", g->seconds,
                       (long long)g->trainable);
    }
    at_text_add(t, "]}");
}

static at_status emit_table(const ladder *l)
{
    at_text text, json;
    at_text_init(&text, l->ctx);
    at_text_init(&json, l->ctx);
    table_text(l, &text);
    table_json(l, &json);
    const at_status s = emit(l, AT_EVENT_DONE, &text, &json);
    at_text_deinit(&text);
    at_text_deinit(&json);
    return s;
}

/* ---- report.html ---- */

static at_status add_curves(ladder *l, at_text *html)
{
    at_report_curve curves[MOST_RUNGS];
    int n = 0;
    for (int i = 1; i < l->n; i++) {
        const rung *g = &l->rungs[i];
        if (!g->done) continue;
        curves[n] = (at_report_curve){g->method, at_arena_printf(&l->arena, "%s/metrics.jsonl", g->output)};
        if (!curves[n++].path) return AT_E_NOMEM;
    }
    const at_report_chart chart = {"Loss of the training batches", "lower is better", "loss", NULL, false};
    at__page_section(html, "How they learn", "A method that solves for its optimum has no curve.");
    AT_TRY(at__page_chart(l->ctx, html, &chart, curves, n, NULL));
    at__page_section_end(html);
    return AT_OK;
}

static at_status make_page(ladder *l, at_text *html)
{
    at_report_row rows[MOST_RUNGS];
    int n = 0;
    char *lead =
        at_arena_printf(&l->arena,
                        "%s on %s: from the commonest answer of the training data to the method that "
                        "changes most, compared on the %s split.",
                        l->model, l->source, l->n_valid ? "validation" : "test");
    if (!lead) return AT_E_NOMEM;
    for (int i = 0; i < l->n; i++) {
        const rung *g = &l->rungs[i];
        if (!g->done) continue;
        const char *link =
            g->output ? at_arena_printf(&l->arena, "%s/report.html", g->output + strlen(l->output) + 1)
                      : NULL;
        rows[n++] = (at_report_row){.name = g->method,
                                    .link = link,
                                    .scores = compared(l, g),
                                    .n = l->n_valid ? l->n_valid : l->n_test,
                                    .seconds = g->seconds,
                                    .trainable = g->trainable,
                                    .best = g == best_of(l, l->n)};
    }
    at__page_begin(html, "What each method gains", lead);
    at__page_section(html, "Rungs", "Rows whose intervals overlap may well be equal: take the cheaper one.");
    at__page_comparison(html, "Scores, time for the whole run, and parameters that learned", rows, n);
    at__page_section_end(html);
    AT_TRY(add_curves(l, html));
    at__page_end(html);
    return at_text_status(html);
}

static at_status write_page(ladder *l)
{
    at_text html;
    char *path = at_arena_printf(&l->arena, "%s/report.html", l->output);
    if (!path) return AT_E_NOMEM;
    at_text_init(&html, l->ctx);
    at_status s = make_page(l, &html);
    if (s == AT_OK) s = at_file_write(l->ctx, path, html.data, html.size);
    at_text_deinit(&html);
    return s;
}

/* ---- All of it ---- */

/* What is done when it is interrupted is shown, and counts. */
static at_status run_all(ladder *l)
{
    AT_TRY(look_at_data(l));
    AT_TRY(at_folder_make(l->ctx, l->output));
    at_status s = AT_OK;
    for (int i = 1; i < l->n && s == AT_OK; i++) s = climb(l, i);
    if (s != AT_OK && s != AT_E_INTERRUPTED) return s;
    AT_TRY(write_page(l));
    AT_TRY(emit_table(l));
    return s;
}

at_status at__ladder(at_ctx *ctx, at_recipe *recipe, at_event_fn on_event, void *data)
{
    ladder *l;
    AT_NEW(ctx, l, 1);
    *l = (ladder){.ctx = ctx, .recipe = recipe, .on_event = on_event, .data = data};
    at_arena_init(&l->arena, ctx);
    const at_status s = run_all(l);
    at_arena_deinit(&l->arena);
    at_free(ctx, l);
    return s;
}
