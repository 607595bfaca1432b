/* prepare.c: the first two stages: look (read and check everything) and adapt (apply the edits). No work is
 * done and nothing is written here. */
#include "adapt/edit.h"
#include "formats/system.h"
#include "run/run.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static at_status read_settings(at_run *r)
{
    at_settings *s = &r->settings;
    AT_TRY(at_recipe_read(r->recipe, &at_options_general, &s->general));
    AT_TRY(at_recipe_read(r->recipe, &at_options_data, &s->data));
    AT_TRY(at_recipe_read(r->recipe, &at_options_train, &s->train));
    AT_TRY(at_recipe_read(r->recipe, &at_options_early_stop, &s->early_stop));
    AT_TRY(at_recipe_read(r->recipe, &at_options_checkpoint, &s->checkpoint));
    s->data.augment = s->general.augment;
    return AT_OK;
}

/* ---- Memory ---- */

/* "8G", "512M", "50%". */
static at_status read_memory_limit(at_run *r)
{
    const char *text = r->settings.general.memory;
    const double machine = (double)at_machine_memory();
    r->memory_limit = (size_t)(0.9 * machine);
    if (!text) return AT_OK;
    char *end;
    const double x = strtod(text, &end);
    double unit = 1.0;
    if (*end == '%')
        unit = machine / 100.0;
    else if (*end == 'K' || *end == 'k')
        unit = 1024.0;
    else if (*end == 'M')
        unit = 1024.0 * 1024.0;
    else if (*end == 'G')
        unit = 1024.0 * 1024.0 * 1024.0;
    const bool whole_text = *end == '\0' || (unit > 1.0 && end[1] == '\0');
    AT_REQUIRE(r->ctx, end != text && whole_text && x > 0 && x * unit < 9e18, AT_E_ARG,
               "%s is \"%s\", must be bytes with K, M or G, or a share of the machine (\"50%%\")",
               at_recipe_where(r->recipe, "memory"), text);
    r->memory_limit = (size_t)(x * unit);
    return AT_OK;
}

/* ---- Kernels ---- */

static at_status check_kernels(at_run *r)
{
    const char *policy = r->settings.general.kernels;
    AT_REQUIRE(
        r->ctx, at_kernels_exist(r->ctx, policy), AT_E_ARG,
        "%s is \"%s\", must be auto, ref, strict or a variant of kernels (base, avx2, avx512 ...), alone "
        "or after auto+",
        at_recipe_where(r->recipe, "kernels"), policy);
    return AT_OK;
}

/* ---- Model: a folder, or the result of an earlier run ---- */

static at_status open_model(at_run *r, at_head_kind kind)
{
    const char *path = r->settings.general.model;
    AT_REQUIRE(r->ctx, path, AT_E_ARG,
               "no model is given: name its folder after the command, or by the key model");
    AT_REQUIRE(r->ctx, at_path_is_folder(path), AT_E_IO, "%s: no such model folder; check the path", path);
    char *inner = at_arena_printf(&r->arena, "%s/model", path),
         *config = at_arena_printf(&r->arena, "%s/model/config.json", path);
    if (!inner || !config) return AT_E_NOMEM;
    return at_model_open_for(&r->model, r->ctx, r->device, at_path_exists(config) ? inner : path, kind);
}

/* The checkpoint's head may be of another kind than the task's. */
static at_status open_model_for(at_run *r, const at_task *task)
{
    if (task->headless || r->model->head.per_token == task->per_token) return AT_OK;
    at_model_close(r->model);
    r->model = NULL;
    return open_model(r, task->per_token ? AT_HEAD_TOKEN : AT_HEAD_SAMPLE);
}

/* ---- Method ---- */

static at_status apply_method(at_run *r)
{
    const at_tree *method = r->settings.general.method;
    r->method_edits = method;
    r->method_name = "edits";
    if (method->kind == AT_LIST) return AT_OK;
    AT_REQUIRE(r->ctx, method->kind == AT_STRING, AT_E_ARG,
               "%s is %s, must be a method's name or a list of edits", at_recipe_where(r->recipe, "method"),
               at_tree_kind_name(method->kind));
    r->method_name = method->text;
    AT_TRY(at_recipe_apply_method(r->recipe, method->text, r->model->architecture->family, &r->method_edits));
    return read_settings(r);
}

/* ---- Options of the chosen descriptors ---- */

static at_status read_table(at_run *r, const at_options *table, void **out)
{
    *out = NULL;
    if (!table) return AT_OK;
    if (!(*out = at_arena_alloc(&r->arena, table->size))) return AT_E_NOMEM;
    return at_recipe_read(r->recipe, table, *out);
}

at_dtype at__native_precision(const at_ctx *ctx)
{
    return ctx->isa >= AT_ISA_AVX512BF16 ? AT_BF16 : AT_F32;
}

/* A solver's line search compares losses that differ by less than bf16 resolves: it gets float. exact: so do
 * the outputs. */
static at_status choose_precision(at_run *r, bool exact)
{
    const char *wish = r->settings.general.precision;
    const bool native = at__native_precision(r->ctx) == AT_BF16, solves = r->optimizer && r->optimizer->solve;
    const bool bf16 = strcmp(wish, "bf16") == 0 || (strcmp(wish, "auto") == 0 && native && !solves && !exact);
    AT_REQUIRE(r->ctx, !(bf16 && solves), AT_E_ARG, "%s is \"bf16\", but optimizer %s needs f32",
               at_recipe_where(r->recipe, "precision"), r->optimizer->name);
    r->act = bf16 ? AT_BF16 : AT_F32;
    return at_recipe_decide(r->recipe, "precision", at_tree_string(&r->recipe->arena, bf16 ? "bf16" : "f32"));
}

static at_status choose(at_run *r)
{
    r->optimizer = at_registry_find(r->ctx, "optimizer", r->settings.train.optimizer);
    r->schedule = at_registry_find(r->ctx, "schedule", r->settings.train.schedule);
    AT_TRY(choose_precision(r, false));
    return read_table(r, r->optimizer->options, &r->optimizer_options);
}

static const char *where(void *recipe, const char *key)
{
    return at_recipe_where(recipe, key);
}

/* The task that claims the network; else the family's that claims none; both for its kind of head. */
static const at_task *task_of_network(at_ctx *ctx, const at_model *m)
{
    int cursor = 0;
    const at_task *t, *other = NULL;
    while ((t = at_registry_next(ctx, "task", &cursor))) {
        const bool fits = t->headless || t->per_token == m->head.per_token;
        if (strcmp(t->family, m->architecture->family) != 0 || !fits) continue;
        if (t->owns && t->owns(m)) return t;
        if (!t->owns && !other) other = t;
    }
    return other;
}

/* Where no data tell it: the task that is named, else the one of the network. */
static at_status task_of_model(at_run *r, const at_task **out)
{
    const char *name = r->settings.general.task;
    *out = name ? at_registry_find(r->ctx, "task", name) : task_of_network(r->ctx, r->model);
    AT_REQUIRE(r->ctx, *out, AT_E_UNSUPPORTED, "%s: there is no task for %s networks", r->model->folder,
               r->model->architecture->family);
    return AT_OK;
}

static at_status find_task(at_run *r, at_job_setup *s)
{
    const char *name = r->settings.general.task;
    if (r->noise) return task_of_model(r, &s->task);
    AT_TRY(at_task_find(r->ctx, &s->task, name, r->model->architecture->family, s->data.train));
    s->inferred = !name;
    if (name || !s->task->choose) return AT_OK;
    AT_TRY(read_table(r, s->task->data_options, &s->data_options));
    return s->task->choose(r->ctx, s, &s->task);
}

/* ---- Keys of other tasks ---- */

/* A key of the data, or of a task's own section. */
static bool is_of_tasks(const at_ctx *ctx, const char *key)
{
    char section[64];
    snprintf(section, sizeof section, "%.*s", (int)strcspn(key, "."), key);
    return strcmp(section, "data") == 0 || at_registry_find(ctx, "task", section);
}

/* Of another task's key: the own section's key of the same name; NULL = there is none. Other spellings are
 * those of the first task that has them. */
static const at_option *own_key(const at_task *task, const char *key)
{
    const char *name = strchr(key, '.');
    if (!name || !task->options || strncmp(key, "data.", 5) == 0) return NULL;
    for (const at_option *o = task->options->list; o->key; o++)
        if (strcmp(o->key, name + 1) == 0) return o;
    return NULL;
}

/* A flag that the task does not use is a mistake; a file may be meant for several tasks. */
static at_status refuse_unused(at_run *r, const at_setting *s, const at_task *task)
{
    const at_option *own = own_key(task, s->key);
    if (s->source != AT_FROM_FLAG) return AT_OK;
    if (own)
        return at_fail(r->ctx, AT_E_ARG, "%s: task %s does not use %s; its own is %s.%s", s->origin,
                       task->name, s->key, task->options->name, own->key);
    return at_fail(r->ctx, AT_E_ARG,
                   "%s: task %s does not use %s; leave it out, or name another task (--task)", s->origin,
                   task->name, s->key);
}

static at_status refuse_unread(at_run *r, const at_task *task)
{
    const at_setting *s = NULL;
    while ((s = at_recipe_next_unread(r->recipe, s)))
        if (is_of_tasks(r->ctx, s->key)) AT_TRY(refuse_unused(r, s, task));
    return at_last_status(r->ctx);
}

static void note_unused(at_run *r, const at_setting *s)
{
    at_job_note(&r->job, "%s: task %s does not use %s", s->origin, r->job.task->name, s->key);
}

static at_status note_unread(at_run *r)
{
    const at_setting *s = NULL;
    while ((s = at_recipe_next_unread(r->recipe, s)))
        if (is_of_tasks(r->ctx, s->key)) note_unused(r, s);
    return at_last_status(r->ctx);
}

/* Whether a task augments its samples is known when it has opened them. */
static at_status check_augment(at_run *r)
{
    const at_setting *s = at_recipe_setting(r->recipe, "augment");
    if (!s || s->value->kind != AT_LIST || s->value->n == 0 || r->job.augments || r->noise) return AT_OK;
    AT_TRY(refuse_unused(r, s, r->job.task));
    if (s->source == AT_FROM_FILE) note_unused(r, s);
    return AT_OK;
}

static at_status open_job(at_run *r)
{
    at_job_setup s = {.model = r->model,
                      .data = r->settings.data,
                      .seed = (uint64_t)r->settings.general.seed,
                      .memory = r->memory_limit / 4,
                      .cache = at__cache_folder(r),
                      .where = where,
                      .where_from = r->recipe,
                      .noise = r->noise};
    AT_TRY(find_task(r, &s));
    AT_TRY(open_model_for(r, s.task));
    s.model = r->model;
    AT_TRY(read_table(r, s.task->options, &r->task_options));
    AT_TRY(read_table(r, s.task->data_options, &r->data_options));
    s.options = r->task_options;
    s.data_options = r->data_options;
    AT_TRY(refuse_unread(r, s.task));
    AT_TRY(at_job_open(&r->job, r->ctx, &s));
    AT_TRY(note_unread(r));
    AT_TRY(check_augment(r));
    return at_recipe_decide(r->recipe, "task", at_tree_string(&r->recipe->arena, s.task->name));
}

/* ---- Numbers that follow from the data ---- */

static at_status decide_whole(at_run *r, const char *key, int64_t *value, int64_t fallback)
{
    if (*value < 0) *value = fallback;
    return at_recipe_decide(r->recipe, key, at_tree_whole(&r->recipe->arena, *value));
}

/* "6%" of the steps, or a number of steps. */
static at_status read_warmup(at_run *r)
{
    const char *text = r->settings.train.warmup;
    char *end;
    const double x = strtod(text, &end);
    const bool share = strcmp(end, "%") == 0;
    AT_REQUIRE(r->ctx, end != text && (share || *end == '\0') && x >= 0 && (!share || x <= 100) && x < 1e15,
               AT_E_ARG, "%s is \"%s\", must be a share (\"6%%\") or a number of steps",
               at_recipe_where(r->recipe, "train.warmup"), text);
    r->warmup_steps =
        share || x < 1 ? (int64_t)(x / (share ? 100.0 : 1.0) * (double)r->total_steps) : (int64_t)x;
    return AT_OK;
}

static at_status count_steps(at_run *r)
{
    at_train_settings *t = &r->settings.train;
    r->n_train = r->job.split[AT_SPLIT_TRAIN]->n;
    AT_TRY(decide_whole(r, "train.batch_size", &t->batch_size, r->n_train < 1000 ? 16 : 32));
    AT_REQUIRE(r->ctx, t->micro_batch <= t->batch_size, AT_E_RANGE,
               "%s is %lld, must not exceed train.batch_size (%lld)",
               at_recipe_where(r->recipe, "train.micro_batch"), (long long)t->micro_batch,
               (long long)t->batch_size);
    r->batch_size = at_min(t->batch_size, r->n_train);
    r->micro_batch = t->micro_batch > 0 ? at_min(t->micro_batch, r->batch_size) : r->batch_size;
    r->steps_per_epoch = at_ceil_div(r->n_train, r->batch_size);
    r->total_steps = t->steps > 0 ? t->steps : t->epochs * r->steps_per_epoch;
    r->checkpoint_every =
        r->settings.checkpoint.every > 0 ? r->settings.checkpoint.every : r->steps_per_epoch;
    r->log_every = t->log_every > 0 ? t->log_every : at_max(1, r->steps_per_epoch / 10);
    if (isnan(t->head_learning_rate)) t->head_learning_rate = t->learning_rate;
    AT_TRY(at_recipe_decide(r->recipe, "train.head_learning_rate",
                            at_tree_number(&r->recipe->arena, t->head_learning_rate)));
    return read_warmup(r);
}

static at_status choose_metric(at_run *r)
{
    const char *name = r->settings.early_stop.metric;
    if (!r->job.split[AT_SPLIT_VALID] || (name && strcmp(name, "none") == 0)) return AT_OK;
    if (!name) name = r->job.main_metric;
    const at_metric *m = at_registry_find(r->ctx, "metric", name);
    if (!m && strcmp(name, r->job.main_metric) != 0) {
        const char *nearest = at_registry_nearest(r->ctx, "metric", name);
        return at_fail(r->ctx, AT_E_ARG, "%s: no metric is called \"%s\"%s%s%s",
                       at_recipe_where(r->recipe, "train.early_stop.metric"), name,
                       nearest ? "; did you mean \"" : "", nearest ? nearest : "", nearest ? "\"?" : "");
    }
    const at_metric *main = at_registry_find(r->ctx, "metric", r->job.main_metric);
    AT_REQUIRE(r->ctx, !m || !main || at_metric_fits(m, main), AT_E_ARG,
               "%s: %s is no score of task %s, whose main one is %s",
               at_recipe_where(r->recipe, "train.early_stop.metric"), name, r->job.task->name,
               r->job.main_metric);
    r->metric = name;
    return AT_OK;
}

/* ---- Using a trained model ---- */

at_status at__look_at_model(at_run *r)
{
    AT_TRY(read_settings(r));
    if (r->settings.general.threads > 0) AT_TRY(at_ctx_set_threads(r->ctx, (int)r->settings.general.threads));
    AT_TRY(read_memory_limit(r));
    AT_TRY(check_kernels(r));
    AT_TRY(at_device_open(&r->device, r->ctx, "cpu"));
    return open_model(r, AT_HEAD_AS_SAVED);
}

static at_status open_job_to_use(at_run *r, const at_task *task)
{
    const at_settings *s = &r->settings;
    AT_TRY(read_table(r, task->options, &r->task_options));
    AT_TRY(read_table(r, task->data_options, &r->data_options));
    AT_TRY(refuse_unread(r, task));
    r->micro_batch = s->train.micro_batch > 0 ? s->train.micro_batch : 32;
    AT_TRY(at_job_open(&r->job, r->ctx,
                       &(at_job_setup){.task = task,
                                       .model = r->model,
                                       .data = s->data,
                                       .options = r->task_options,
                                       .data_options = r->data_options,
                                       .cache = at__cache_folder(r),
                                       .where = where,
                                       .where_from = r->recipe,
                                       .uses_head = true}));
    return note_unread(r);
}

at_status at__look_to_use(at_run *r)
{
    const at_task *task;
    AT_TRY(at__look_at_model(r));
    AT_TRY(task_of_model(r, &task));
    if (!task->headless) AT_TRY(at_model_keep_head(r->model));
    AT_TRY(choose_precision(r, task->exact));
    return open_job_to_use(r, task);
}

/* Without a head, a task of the family that reads files is as good as any. */
at_status at__look_to_embed(at_run *r)
{
    int cursor = 0;
    const at_task *t, *task = NULL;
    AT_TRY(at__look_at_model(r));
    AT_TRY(choose_precision(r, false));
    while ((t = at_registry_next(r->ctx, "task", &cursor)))
        if (strcmp(t->family, r->model->architecture->family) == 0 && t->open_files && (!task || t->headless))
            task = t;
    AT_REQUIRE(r->ctx, task, AT_E_UNSUPPORTED, "%s: there is no task for %s networks", r->model->folder,
               r->model->architecture->family);
    if (task->headless) AT_TRY(at_recipe_set(r->recipe, "data.text_pair", "none")); /* each text by itself */
    return open_job_to_use(r, task);
}

at_status at__look(at_run *r)
{
    AT_TRY(at__look_at_model(r));
    if (!r->noise) AT_TRY(at__choose_folder(r));
    AT_TRY(apply_method(r));
    AT_TRY(choose(r));
    AT_TRY(open_job(r));
    AT_TRY(count_steps(r));
    return choose_metric(r);
}

/* ---- Adapt ---- */

static at_status apply_head(at_edit_site *e, const at_tree *lists[2])
{
    const at_edit *head = at_registry_find(e->model->ctx, "edit", "head");
    at_tree automatic = {.kind = AT_STRING, .text = "auto"};
    const at_tree *how = &automatic;
    for (int i = 0; i < 2; i++)
        for (const at_tree *t = lists[i] && lists[i]->kind == AT_LIST ? lists[i]->first : NULL; t;
             t = t->next)
            if (at_tree_get(t, "head")) how = at_tree_get(t, "head");
    return head->apply(e, how);
}

static void set_rates(at_run *r)
{
    const at_train_settings *t = &r->settings.train;
    at_net *net = &r->model->net;
    for (int i = 0; i < net->n_params; i++) {
        at_param *p = net->params[i];
        p->rate *= p->site->is_head ? t->head_learning_rate : t->learning_rate;
    }
}

static at_status read_recipe(void *recipe, const at_options *table, void *out)
{
    return at_recipe_read(recipe, table, out);
}

/* Without a head, nothing learns that stands behind what the task takes from the network. */
static at_status leave_head(at_run *r)
{
    bool learns = false;
    for (int i = 0; i < r->model->net.n_params; i++) {
        at_param *p = r->model->net.params[i];
        if (p->site->is_head || p->site->is_pooler) p->trainable = false;
        learns |= p->trainable;
    }
    AT_REQUIRE(r->ctx, learns, AT_E_ARG,
               "method %s leaves nothing to learn: task %s has no output layer; take full, last:N or lora",
               r->method_name, r->job.task->name);
    return AT_OK;
}

at_status at__adapt(at_run *r)
{
    at_edit_site e = {.model = r->model,
                      .train_samples = r->n_train,
                      .seed = (uint64_t)r->settings.general.seed,
                      .n_labels = r->job.n_outputs,
                      .labels = r->job.labels,
                      .read = read_recipe,
                      .recipe = r->recipe};
    const at_tree *lists[2] = {r->method_edits, r->settings.general.edits};
    e.where = at_recipe_where(r->recipe, "edits");
    if (!r->job.task->headless) AT_TRY(apply_head(&e, lists));
    for (int i = 0; i < 2; i++) {
        e.where = i ? at_recipe_where(r->recipe, "edits") : at_recipe_where(r->recipe, "method");
        AT_TRY(at_edits_apply(&e, lists[i]));
    }
    if (r->job.task->headless) AT_TRY(leave_head(r));
    set_rates(r);
    r->model->problem_type = r->job.task->problem_type;
    r->model->thresholds = NULL; /* of an earlier training */
    r->model->n_thresholds = 0;
    if (!r->model->head.is_new || r->model->head.site->intercepts) /* numbers come in the labels' unit */
        r->job.unit = (at_unit){.shift = 0, .scale = 1};
    if (!isnan(r->settings.general.dropout)) r->model->head.dropout = r->settings.general.dropout;
    at_net_assign_roles(&r->model->net);
    return AT_OK;
}
