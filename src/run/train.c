/* train.c: a run from recipe to run folder, in five stages: look, adapt, train, judge, hand over. */
#include "formats/system.h"
#include "run/run.h"

at_dataset *at__split(const at_run *r, at_split split)
{
    return r->features[split] ? r->features[split] : r->job.split[split];
}

double at__epoch_of(const at_run *r, int64_t attempt)
{
    return (double)attempt / (double)r->steps_per_epoch;
}

at_status at__run_open(at_run *r, at_ctx *ctx, at_recipe *recipe, at_event_fn on_event, void *data)
{
    *r = (at_run){.ctx = ctx,
                  .recipe = recipe,
                  .on_event = on_event,
                  .event_data = data,
                  .started = ctx->has_run ? at_clock() : at_process_start()};
    ctx->has_run = true;
    at_arena_init(&r->arena, ctx);
    at_recipe_begin(recipe);
    return AT_OK;
}

void at__run_close(at_run *r, at_status end)
{
    if (end == AT_E_INTERRUPTED)
        __atomic_store_n(&r->ctx->stop, 0, __ATOMIC_RELAXED); /* heard: the next verb may run */
    at__close_logs(r);
    for (int s = 0; s < AT_SPLIT_COUNT; s++)
        if (r->features[s]) r->features[s]->close(r->ctx, r->features[s]);
    at__close_pipe(&r->train);
    at__close_pipe(&r->eval);
    at_job_close(&r->job);
    at_model_close(r->model);
    at_device_close(r->device);
    at_arena_deinit(&r->arena);
}

/* Look, adapt, build: everything that can be refused is refused here, before anything is written. */
static at_status get_ready(at_run *r)
{
    AT_TRY(at__look(r));
    AT_TRY(at__adapt(r));
    AT_TRY(at__choose_micro_batch(r));
    AT_TRY(at__check_recipe(r));
    if (r->finished) return AT_OK;
    AT_TRY(at__build_training(r));
    if (r->optimizer->solve) AT_TRY(at__check_solver(r));
    AT_TRY(at__make_folder(r));
    if (r->resumed) AT_TRY(at__load_checkpoint(r));
    AT_TRY(at__open_logs(r));
    return at__emit_plan(r);
}

/* Choose by the validation split how samples are decided, and tell. */
static at_status decide(at_run *r, const float *outputs, at_scores *s)
{
    const at_task *task = r->job.task;
    const at_tree *before = r->job.notes->last;
    if (!task->decide) return AT_OK;
    AT_TRY(task->decide(&r->job, AT_SPLIT_VALID, outputs));
    const at_tree *t = before ? before->next : r->job.notes->first;
    for (; t; t = t->next) at__note(r, "%s", t->text);
    return task->score(&r->job, AT_SPLIT_VALID, outputs, s);
}

/* outputs: of the last split that was judged; freed by the caller. */
static at_status judge_split(at_run *r, at_split split, at_scores *s, float **outputs)
{
    if (!r->job.split[split]) return AT_OK;
    at_free(r->ctx, *outputs);
    *outputs = NULL;
    AT_TRY(at__evaluate_split(r, split, false, s, outputs));
    if (split == AT_SPLIT_VALID) AT_TRY(decide(r, *outputs, s));
    return at__log_scores(r, split, r->progress.attempt, s);
}

static at_status write_result(at_run *r, const at_scores *valid, const at_scores *test)
{
    at_text line;
    char *path = at_arena_printf(&r->arena, "%s/result.json", r->folder);
    if (!path) return AT_E_NOMEM;
    at_text_init(&line, r->ctx);
    at_status s = at__emit_done(r, valid, test, &line);
    at_text_add(&line, "\n");
    if (s == AT_OK) s = at_text_status(&line);
    if (s == AT_OK) s = at_file_write(r->ctx, path, line.data, line.size);
    at_text_deinit(&line);
    return s;
}

static at_status judge_and_hand_over(at_run *r)
{
    at_scores valid = {0}, test = {0};
    float *outputs = NULL;
    const bool has_valid = r->job.split[AT_SPLIT_VALID] != NULL,
               has_test = r->job.split[AT_SPLIT_TEST] != NULL;
    at_status s = at__restore_best(r);
    if (s == AT_OK) s = judge_split(r, AT_SPLIT_VALID, &valid, &outputs);
    if (s == AT_OK) s = judge_split(r, AT_SPLIT_TEST, &test, &outputs);
    if (s == AT_OK) s = at__flush_logs(r);
    if (s == AT_OK) s = at__hand_over(r);
    if (s == AT_OK)
        s = at__write_report(r, outputs, has_test ? AT_SPLIT_TEST : AT_SPLIT_VALID, has_valid ? &valid : NULL,
                             has_test ? &test : NULL);
    at_free(r->ctx, outputs);
    return s == AT_OK ? write_result(r, has_valid ? &valid : NULL, has_test ? &test : NULL) : s;
}

at_status at__with_run(at_ctx *ctx, at_recipe *recipe, at_event_fn on_event, void *data,
                       at_status (*verb)(at_run *r, void *arg), void *arg)
{
    at_run *r;
    AT_NEW(ctx, r, 1);
    at_status s = at__run_open(r, ctx, recipe, on_event, data);
    if (s == AT_OK) s = verb(r, arg);
    at__run_close(r, s);
    at_free(ctx, r);
    return s;
}

static at_status train(at_run *r)
{
    AT_TRY(get_ready(r));
    if (r->finished) {
        at__note(r, "%s is finished: nothing to do", r->folder);
        return AT_OK;
    }
    AT_TRY(r->optimizer->solve ? at__solve(r) : at__loop(r));
    return judge_and_hand_over(r);
}

static at_status train_and_log(at_run *r, void *unused)
{
    (void)unused;
    const at_status s = train(r);
    if (s != AT_OK) at__log_text(r, at_last_error(r->ctx));
    return s;
}

at_status at_train(at_ctx *ctx, at_recipe *recipe, at_event_fn on_event, void *data)
{
    if (at_recipe_is_set(recipe, "ladder")) return at__ladder(ctx, recipe, on_event, data);
    return at__with_run(ctx, recipe, on_event, data, train_and_log, NULL);
}
