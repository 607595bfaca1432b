/* multi_label_text_classification: any number of classes a text, or a pair of texts. Data are tables
 * (data/texts.h) whose label cells are sets; the objective is binary cross-entropy of each class, which
 * Transformers calls problem_type "multi_label_classification"; scores are the registered metrics of sets. */
#include "tasks/sets.h"
#include "tasks/texts.h"

const at_options at_options_multi_label_text_classification = {"multi-label-text-classification",
                                                               at_set_options, sizeof(at_set_settings)};

typedef struct job { /* at_job.self */
    at_set_target target;
    at_text_data data;
} job;

static void put_set(const at_texts *t, int64_t sample, uint8_t *out)
{
    for (int64_t k = t->set_start[sample]; k < t->set_start[sample + 1]; k++) out[t->set[k]] = 1;
}

static at_status take_sets(at_job *j)
{
    job *k = j->self;
    for (int split = 0; split < AT_SPLIT_COUNT; split++) {
        const int64_t n = j->split[split] ? j->split[split]->n : 0;
        uint8_t *truth = k->target.truth[split] = at_arena_alloc(&j->arena, (size_t)(n * j->n_labels));
        if (!truth) return AT_E_NOMEM;
        for (int64_t i = 0; i < n; i++)
            put_set(k->data.split[split].texts, k->data.split[split].index[i], truth + i * j->n_labels);
    }
    return at_set_prepare(j);
}

static at_status make_share(at_job *j, at_split split, int32_t *index, int64_t n)
{
    return at_text_data_make_share(j, &((job *)j->self)->data, split, index, n);
}

static at_status open_data(at_job *j)
{
    job *k = j->self;
    if (j->setup.uses_head) {
        AT_TRY(at_text_data_open_test(j, &k->data, AT_TEXTS_SET));
        return take_sets(j);
    }
    AT_TRY(at_text_data_open(j, &k->data, AT_TEXTS_SET, make_share));
    j->n_labels = j->n_outputs = k->data.train.n_classes;
    j->labels = k->data.train.classes;
    return take_sets(j);
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
    return at_config_problem_is(m->config, "multi_label_classification");
}

static at_status report(const at_job *j, at_split split, const float *outputs, at_text *html)
{
    const job *k = j->self;
    AT_TRY(at_report_sets(j, split, outputs, at_show_text, html));
    AT_TRY(at_report_slices(j, &k->data, split, outputs, at_set_score_part, html));
    return at_report_texts(j, &k->data.train, html);
}

const at_task at_task_multi_label_text_classification = {
    .name = "multi-label-text-classification",
    .doc = "any number of labels a text or a pair of texts",
    .family = "text",
    .options = &at_options_multi_label_text_classification,
    .data_options = &at_options_texts,
    .main_metric = "micro_f1",
    .problem_type = "multi_label_classification",
    .loss = "nats a class of a sample",
    .sample = "text",
    .size = sizeof(job),
    .expects = "a table of sets of labels and texts (.csv, .tsv, .json, .jsonl), or a folder of such tables "
               "(train, valid, test)",
    .owns = owns,
    .open = open_data,
    .close = close_data,
    .open_files = open_files,
    .objective = at_set_objective,
    .commonest = at_set_commonest,
    .decide = at_set_decide,
    .score = at_set_score,
    .describe = at_set_describe,
    .report = report};
