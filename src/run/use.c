/* use.c: the verbs that use a trained model: score it on data, predict files. */
#include "run/run.h"

static at_status build_eval(at_run *r, const at_dataset *d)
{
    AT_TRY(at__build_eval(r, d, at_min(r->micro_batch, at_max(d->n, 1))));
    return at__plan_pipe(r, &r->eval);
}

void at__emit_notes(at_run *r)
{
    for (const at_tree *t = r->job.notes->first; t; t = t->next) at__note(r, "%s", t->text);
}

/* ---- Evaluate ---- */

at_status at__open_to_score(at_run *r)
{
    AT_TRY(at__look_to_use(r));
    r->steps_per_epoch = 1;
    return build_eval(r, r->job.split[AT_SPLIT_TEST]);
}

static at_status evaluate(at_run *r)
{
    at_data_options d;
    AT_TRY(at_recipe_read(r->recipe, &at_options_data, &d));
    AT_REQUIRE(r->ctx, d.test || d.train, AT_E_ARG,
               "no data are given: name their folder after the model, or by the key data.test");
    if (!d.test) AT_TRY(at_recipe_set(r->recipe, "data.test", d.train));
    AT_TRY(at__open_to_score(r));
    at__emit_notes(r);
    at_scores scores;
    AT_TRY(at__evaluate_split(r, AT_SPLIT_TEST, false, &scores, NULL));
    at__emit_scores(r, AT_EVENT_EVALUATION, AT_SPLIT_TEST, &scores);
    return AT_OK;
}

/* ---- Predict ---- */

static at_status emit_prediction(at_run *r, const at_dataset *d, int64_t i, const float *output)
{
    const char *name = d->name ? d->name(d, i) : "";
    at_text text, json;
    at_text_init(&text, r->ctx);
    at_text_init(&json, r->ctx);
    at_text_printf(&json, "{\"event\":\"prediction\",\"%s\":", r->job.task->sample);
    at_text_json(&json, name);
    at_text_add(&json, ",");
    const at_task *t = r->job.task;
    at_status s = AT_OK;
    if (t->describe_rows)
        s = t->describe_rows(&r->job, d, i, output, &json, &text);
    else
        t->describe(&r->job, output, &json, &text);
    at_text_add(&json, "}");
    at_text_printf(&text, "  %s", name);
    at_event e = {.kind = AT_EVENT_PREDICTION, .text = text.data};
    if (s != AT_OK) at_text_deinit(&json);
    if (s == AT_OK) at__emit(r, &e, &json);
    at_text_deinit(&text);
    return s;
}

static at_status predict_all(at_run *r, const at_dataset *d)
{
    float *y;
    AT_TRY(build_eval(r, d));
    AT_NEW(r->ctx, y, at_job_output_rows(&r->job, d, d->n) * r->job.n_outputs);
    const at_sweep all = {.d = d, .n = d->n};
    at_status s = at__forward(r, &r->eval, r->eval.plan, &all, &r->eval.output, 1, &y);
    const float *output = y;
    for (int64_t i = 0; i < d->n && s == AT_OK; i++) {
        s = emit_prediction(r, d, i, output);
        output += (r->job.task->per_token ? d->rows(d, i) : 1) * r->job.n_outputs;
    }
    at_free(r->ctx, y);
    return s;
}

static at_status predict(at_run *r, const char *const *paths, int n_paths)
{
    at_dataset *d;
    AT_TRY(at__look_to_use(r));
    AT_REQUIRE(r->ctx, r->job.task->open_files, AT_E_UNSUPPORTED, "task %s predicts no files",
               r->job.task->name);
    AT_TRY(r->job.task->open_files(&r->job, &d, paths, n_paths));
    at__emit_notes(r);
    const at_status s = predict_all(r, d);
    d->close(r->ctx, d);
    return s;
}

/* ---- Verbs ---- */

typedef struct request {
    const char *const *paths; /* NULL: evaluate */
    int n_paths;
} request;

static at_status use(at_run *r, void *arg)
{
    const request *q = arg;
    return q->paths ? predict(r, q->paths, q->n_paths) : evaluate(r);
}

at_status at_evaluate(at_ctx *ctx, at_recipe *recipe, at_event_fn on_event, void *data)
{
    return at__with_run(ctx, recipe, on_event, data, use, &(request){0});
}

at_status at_predict(at_ctx *ctx, at_recipe *recipe, const char *const *paths, int n_paths,
                     at_event_fn on_event, void *data)
{
    static const char *const none[] = {NULL};
    return at__with_run(ctx, recipe, on_event, data, use, &(request){paths ? paths : none, n_paths});
}
