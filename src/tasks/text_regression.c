/* text_regression: a number a text, or a pair of texts. Data are tables (data/texts.h); the objective is the
 * squared error, which Transformers calls problem_type "regression"; scores are the registered metrics of
 * numbers. */
#include "tasks/numbers.h"
#include "tasks/texts.h"

typedef struct job { /* at_job.self */
    at_number_target target;
    at_text_data data;
} job;

static at_status take_numbers(at_job *j)
{
    job *k = j->self;
    for (int split = 0; split < AT_SPLIT_COUNT; split++) {
        const int64_t n = j->split[split] ? j->split[split]->n : 0;
        double *y = k->target.truth[split] = at_arena_alloc(&j->arena, (size_t)n * sizeof *y);
        if (!y) return AT_E_NOMEM;
        for (int64_t i = 0; i < n; i++)
            y[i] = k->data.split[split].texts->samples[k->data.split[split].index[i]].number;
    }
    return AT_OK;
}

static at_status make_share(at_job *j, at_split split, int32_t *index, int64_t n)
{
    return at_text_data_make_share(j, &((job *)j->self)->data, split, index, n);
}

static at_status open_data(at_job *j)
{
    job *k = j->self;
    if (j->setup.uses_head) {
        AT_REQUIRE(j->ctx, j->n_outputs == 1, AT_E_ARG,
                   "%s has %d outputs; a network that gives numbers has one: is task %s right?",
                   j->model->folder, j->n_outputs, j->task->name);
        AT_TRY(at_text_data_open_test(j, &k->data, AT_TEXTS_NUMBER));
        return take_numbers(j);
    }
    if (j->setup.inferred)
        at_job_note(j, "the labels are numbers: task %s (task: text-classification takes them as classes)",
                    j->task->name);
    AT_TRY(at_text_data_open(j, &k->data, AT_TEXTS_NUMBER, make_share));
    AT_TRY(take_numbers(j));
    j->n_outputs = 1;
    return at_number_standardise(j, k->data.train.table.path);
}

static void close_data(at_job *j)
{
    at_text_data_close(j, &((job *)j->self)->data);
}

static at_status open_files(at_job *j, at_dataset **out, const char *const *paths, int n)
{
    return at_text_data_open_files(j, &((job *)j->self)->data, out, paths, n);
}

static bool owns(const at_model *m)
{
    return at_config_problem_is(m->config, "regression");
}

static at_status report(const at_job *j, at_split split, const float *outputs, at_text *html)
{
    const job *k = j->self;
    AT_TRY(at_report_numbers(j, j->split[split], outputs, k->target.truth[split], at_show_text, html));
    AT_TRY(at_report_slices(j, &k->data, split, outputs, at_number_score_part, html));
    return at_report_texts(j, &k->data.train, html);
}

const at_task at_task_text_regression = {
    .name = "text-regression",
    .doc = "a number a text or a pair of texts",
    .family = "text",
    .data_options = &at_options_texts,
    .main_metric = "rmse",
    .problem_type = "regression",
    .loss = "squared error in squares of the labels' standard deviation",
    .exact = true,
    .sample = "text",
    .size = sizeof(job),
    .expects = "a table of numbers and texts (.csv, .tsv, .json, .jsonl), or a folder of such tables (train, "
               "valid, test)",
    .owns = owns,
    .open = open_data,
    .close = close_data,
    .open_files = open_files,
    .objective = at_number_objective,
    .commonest = at_number_commonest,
    .score = at_number_score,
    .describe = at_number_describe,
    .report = report};
