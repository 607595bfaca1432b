/* folder.c: the run folder: whether it may be used, its logs, and what is handed over at the end. */
#include "formats/append.h"
#include "formats/tfevents.h"
#include "run/run.h"
#include <stdio.h>
#include <time.h>

struct at_log_files {
    at_append_file *metrics, *log;
    at_tfevents *events;
};

static char *in_folder(at_run *r, const char *name)
{
    return at_arena_printf(&r->arena, "%s/%s", r->folder, name);
}

/* ---- Which folder ---- */

/* Last part of a path, without slashes at its end. */
static const char *base_name(at_run *r, const char *path)
{
    char *copy = at_arena_strdup(&r->arena, path);
    if (!copy) return "";
    for (size_t n = strlen(copy); n > 1 && copy[n - 1] == '/'; n--) copy[n - 1] = '\0';
    const char *slash = strrchr(copy, '/');
    return slash && slash[1] ? slash + 1 : copy;
}

static at_status name_folder(at_run *r)
{
    r->folder = r->settings.general.output;
    const char *model = base_name(r, r->settings.general.model), *data = base_name(r, r->settings.data.train);
    for (int n = 1; !r->folder && n < 100000; n++) {
        char *path = at_arena_printf(&r->arena, "runs/%s-%s-%d", model, data, n);
        if (!path) return AT_E_NOMEM;
        if (!at_path_exists(path)) r->folder = path;
    }
    AT_REQUIRE(r->ctx, r->folder, AT_E_ARG, "runs/ is full: give --output");
    return AT_OK;
}

static at_status compare_recipes(at_run *r)
{
    at_tree *old;
    char *path = in_folder(r, "recipe.yaml");
    if (!path) return AT_E_NOMEM;
    AT_TRY(at_tree_read(&r->arena, &old, path));
    const char *key = at_recipe_difference(r->recipe, old, r->recipe_tree);
    AT_REQUIRE(
        r->ctx, !key, AT_E_ARG,
        "%s: the key %s differs from the run that is to be resumed; give the same value, or another --output",
        path, key);
    return AT_OK;
}

/* Decide the folder, and whether this run continues one (r->resumed) or has nothing to do (r->finished).
 * Writes nothing, and comes first, so that a folder that cannot be used is told before the data are read. */
at_status at__choose_folder(at_run *r)
{
    const char *resume = r->settings.general.resume;
    AT_REQUIRE(r->ctx, r->settings.data.train, AT_E_ARG,
               "no data are given: name their folder after the model, or by the key data.train");
    AT_TRY(name_folder(r));
    char *result = in_folder(r, "result.json");
    if (!result) return AT_E_NOMEM;
    const bool exists = at_path_exists(r->folder), again = strcmp(resume, "no") != 0;
    AT_REQUIRE(r->ctx, again || !exists, AT_E_ARG,
               "%s exists; choose another --output, or continue it with --resume", r->folder);
    bool checkpoint = false;
    if (exists) AT_TRY(at__has_checkpoint(r, r->folder, &checkpoint));
    r->finished = again && at_path_exists(result);
    r->resumed = again && (checkpoint || r->finished);
    AT_REQUIRE(r->ctx, r->resumed || strcmp(resume, "yes") != 0, AT_E_STATE, AT_NO_CHECKPOINT, r->folder);
    return AT_OK;
}

/* The recipe is complete: it must be that of the run to be continued. */
at_status at__check_recipe(at_run *r)
{
    at_tree *tree;
    AT_TRY(at_recipe_tree(r->recipe, &tree));
    r->recipe_tree = tree;
    return r->resumed ? compare_recipes(r) : AT_OK;
}

at_status at__make_folder(at_run *r)
{
    char *recipe = in_folder(r, "recipe.yaml");
    if (!recipe) return AT_E_NOMEM;
    AT_TRY(at_folder_make(r->ctx, r->folder));
    if (r->resumed) return AT_OK;
    at_text yaml;
    at_text_init(&yaml, r->ctx);
    at_yaml_write(&yaml, r->recipe_tree);
    at_status s = at_text_status(&yaml);
    if (s == AT_OK) s = at_file_write(r->ctx, recipe, yaml.data, yaml.size);
    at_text_deinit(&yaml);
    return s;
}

/* ---- Logs ---- */

at_status at__open_logs(at_run *r)
{
    char *metrics = in_folder(r, "metrics.jsonl"), *events = in_folder(r, "events.out.tfevents.1.attune");
    char *log = in_folder(r, "log.txt");
    if (!metrics || !events || !log) return AT_E_NOMEM;
    AT_NEW(r->ctx, r->logs, 1);
    AT_TRY(at_append_open(&r->logs->log, r->ctx, log, AT_AT_END));
    AT_TRY(at_append_open(&r->logs->metrics, r->ctx, metrics, r->progress.metrics_bytes));
    return at_tfevents_open(&r->logs->events, r->ctx, events, r->progress.events_bytes, (double)time(NULL));
}

static at_status put_line(at_run *r, at_text *line)
{
    at_text_add(line, "\n");
    at_status s = at_text_status(line);
    if (s == AT_OK) s = at_append_put(r->logs->metrics, line->data, line->size);
    at_text_deinit(line);
    return s;
}

static at_status put_scalar(at_run *r, const char *tag, int64_t step, double x)
{
    return at_tfevents_scalar(r->logs->events, tag, step, x, (double)time(NULL));
}

at_status at__log_step(at_run *r, int64_t step, double loss, double norm, double rate)
{
    at_text line;
    at_text_init(&line, r->ctx);
    at_text_printf(&line, "{\"step\":%lld,\"epoch\":", (long long)step);
    at_text_number(&line, at__epoch_of(r, step));
    at_text_add(&line, ",\"loss\":");
    at_text_number(&line, loss);
    at_text_add(&line, ",\"grad_norm\":");
    at_text_number(&line, norm);
    at_text_add(&line, ",\"learning_rate\":");
    at_text_number(&line, rate);
    at_text_add(&line, "}");
    AT_TRY(put_line(r, &line));
    AT_TRY(put_scalar(r, "train/loss", step, loss));
    AT_TRY(put_scalar(r, "train/grad_norm", step, norm));
    return put_scalar(r, "train/learning_rate", step, rate);
}

at_status at__log_scores(at_run *r, at_split split, int64_t step, const at_scores *s)
{
    at_text line;
    at_text_init(&line, r->ctx);
    at_text_printf(&line, "{\"step\":%lld,\"epoch\":", (long long)step);
    at_text_number(&line, at__epoch_of(r, step));
    at_text_printf(&line, ",\"split\":\"%s\"", at_split_name(split));
    for (int i = 0; i < s->n; i++) {
        at_text_printf(&line, ",\"%s\":", s->list[i].name);
        at_text_number(&line, s->list[i].value);
    }
    at_text_add(&line, "}");
    AT_TRY(put_line(r, &line));
    for (int i = 0; i < s->n; i++) {
        char tag[96];
        snprintf(tag, sizeof tag, "%s/%s", at_split_name(split), s->list[i].name);
        AT_TRY(put_scalar(r, tag, step, s->list[i].value));
    }
    return AT_OK;
}

/* Each line with its time (UTC, ISO 8601). */
void at__log_text(at_run *r, const char *text)
{
    const at_status before =
        at_last_status(r->ctx); /* a failure that is being told stays the one that is told */
    if (!r->logs || !r->logs->log) return;
    char stamp[32];
    struct tm utc;
    const time_t now = time(NULL);
    strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &utc));
    at_text lines;
    at_text_init(&lines, r->ctx);
    for (const char *end; *text; text = *end ? end + 1 : end) {
        end = strchrnul(text, '\n');
        at_text_printf(&lines, "%s %.*s\n", stamp, (int)(end - text), text);
    }
    at_status s = at_text_status(&lines);
    if (s == AT_OK) s = at_append_put(r->logs->log, lines.data, lines.size);
    if (s != AT_OK && before == AT_OK) at_clear_error(r->ctx);
    at_text_deinit(&lines);
}

at_status at__flush_logs(at_run *r)
{
    AT_TRY(at_append_sync(r->logs->metrics, &r->progress.metrics_bytes));
    return at_tfevents_flush(r->logs->events, &r->progress.events_bytes);
}

void at__close_logs(at_run *r)
{
    if (!r->logs) return;
    at_append_close(r->logs->metrics);
    at_append_close(r->logs->log);
    at_tfevents_close(r->logs->events);
    at_free(r->ctx, r->logs);
    r->logs = NULL;
}

/* ---- Handing over ---- */

/* Passes of the first n steps: what num_batches_tracked grows by. */
static int64_t passes_of(const at_run *r, int64_t n)
{
    int64_t passes = 0;
    for (int64_t a = 0; a < n; a++) {
        const int64_t samples = at_min(r->batch_size, r->n_train - a % r->steps_per_epoch * r->batch_size);
        passes += at_ceil_div(samples, r->micro_batch);
    }
    return passes;
}

static void count_batches(at_run *r)
{
    const int64_t steps = r->progress.best.exists ? r->progress.best.step : r->progress.attempt;
    const int64_t passes = passes_of(r, steps);
    for (int i = 0; i < r->model->net.n_params; i++) {
        at_param *p = r->model->net.params[i];
        const at_norm_mode mode = p->site->norm.mode;
        if (p->part == AT_NORM_BATCHES && (mode == AT_NORM_TRAIN || mode == AT_NORM_STATS))
            p->whole += passes;
    }
}

/* What learned in a unit of its own puts out numbers in the labels' unit from now on. */
static at_status fold_unit(at_run *r)
{
    const at_unit u = r->job.unit;
    if (u.shift == 0 && u.scale == 1) return AT_OK;
    return at_model_scale_head(r->model, u.shift, u.scale);
}

/* The model goes to a folder beside its place, which it then takes. */
at_status at__hand_over(at_run *r)
{
    char *to = in_folder(r, "model"), *beside = in_folder(r, ".model.tmp");
    if (!to || !beside) return AT_E_NOMEM;
    const at_limit limit = {r->eval.batch, r->eval.max_rows};
    at__close_pipes(r); /* their memory serves the weights, whose pages come in to be written */
    count_batches(r);
    AT_TRY(at_folder_remove(r->ctx, beside));
    AT_TRY(at_folder_make(r->ctx, beside));
    AT_TRY(fold_unit(r));
    AT_TRY(at_model_save(r->model, beside));
    if (r->job.task->save) AT_TRY(r->job.task->save(&r->job, beside));
    AT_TRY(at__prove_merge(r, beside, limit));
    AT_TRY(at_folder_remove(r->ctx, to));
    AT_TRY(at_folder_rename(r->ctx, beside, to));
    return at__hand_over_adapters(r);
}
