/* job.c: finding a task and opening it on data. */
#include "formats/file.h"
#include "tasks/task.h"
#include <stdio.h>

const char *at_split_name(at_split split)
{
    static const char *const names[AT_SPLIT_COUNT] = {"train", "valid", "test"};
    return names[split];
}

at_status at_task_find(at_ctx *ctx, const at_task **out, const char *name, const char *family,
                       const char *path)
{
    int cursor = 0;
    *out = NULL;
    if (name) {
        *out = at_registry_find(ctx, "task", name);
        AT_REQUIRE(ctx, *out, AT_E_ARG, "no task is called \"%s\"", name);
        return AT_OK;
    }
    AT_REQUIRE(ctx, at_path_exists(path), AT_E_IO, "%s: no such folder or file of data; check the path",
               path);
    const at_task *t;
    const char *expects = NULL;
    while ((t = at_registry_next(ctx, "task", &cursor))) {
        if (!t->recognise || strcmp(t->family, family) != 0) continue;
        if (t->recognise(ctx, path)) {
            *out = t;
            return AT_OK;
        }
        if (!expects) expects = t->expects;
    }
    AT_REQUIRE(ctx, expects, AT_E_UNSUPPORTED, "there is no task for %s networks", family);
    return at_fail(ctx, AT_E_ARG, "%s: cannot tell what kind of data this is; expected %s, or give --task",
                   path, expects);
}

at_status at_job_open(at_job *j, at_ctx *ctx, const at_job_setup *setup)
{
    const at_task *task = setup->task;
    const at_model *model = setup->model;
    *j = (at_job){.ctx = ctx,
                  .setup = *setup,
                  .task = task,
                  .model = setup->model,
                  .main_metric = task->main_metric,
                  .options = setup->options,
                  .data_options = setup->data_options,
                  .unit = {.shift = 0, .scale = 1}};
    at_arena_init(&j->arena, ctx);
    AT_REQUIRE(ctx, strcmp(task->family, model->architecture->family) == 0, AT_E_UNSUPPORTED,
               "task %s is for %s networks; %s is a %s (%s network)", task->name, task->family, model->folder,
               model->architecture->name, model->architecture->family);
    AT_REQUIRE(ctx, task->headless || task->per_token == model->head.per_token, AT_E_ARG,
               "task %s needs an output layer for %s; that of %s is for %s", task->name,
               task->per_token ? "every token" : "whole samples", model->folder,
               task->per_token ? "whole samples" : "every token");
    if (setup->uses_head) {
        j->n_labels = j->n_outputs = model->n_labels;
        j->labels = model->labels;
    }
    j->notes = at_tree_new(&j->arena, AT_LIST);
    if (!j->notes || !(j->self = at_arena_alloc(&j->arena, task->size))) return AT_E_NOMEM;
    if (!setup->noise) return task->open(j);
    AT_REQUIRE(ctx, task->open_noise, AT_E_UNSUPPORTED, "task %s has no data of noise to measure with",
               task->name);
    return task->open_noise(j);
}

void at_job_close(at_job *j)
{
    if (!j->ctx) return;
    for (int s = 0; s < AT_SPLIT_COUNT; s++)
        if (j->split[s]) j->split[s]->close(j->ctx, j->split[s]);
    if (j->self && j->task->close) j->task->close(j);
    at_arena_deinit(&j->arena);
    *j = (at_job){0};
}

int64_t at_job_output_rows(const at_job *j, const at_dataset *d, int64_t n)
{
    int64_t rows = 0;
    if (!j->task->per_token) return n;
    for (int64_t i = 0; i < n; i++) rows += d->rows(d, i);
    return rows;
}

const char *at_job_where(const at_job *j, const char *key)
{
    return j->setup.where ? j->setup.where(j->setup.where_from, key) : key;
}

void at_job_note(at_job *j, const char *fmt, ...)
{
    char text[512];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    at_tree_add(&j->arena, j->notes, NULL, at_tree_string(&j->arena, text));
}
