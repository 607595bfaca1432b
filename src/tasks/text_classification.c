/* text_classification: one label a text, or a pair of texts. Data are tables (data/texts.h); the objective is
 * cross-entropy; scores are the registered metrics. */
#include "tasks/classes.h"
#include "tasks/texts.h"

const at_options at_options_text_classification = {"text-classification", at_class_options,
                                                   sizeof(at_class_settings)};

typedef struct job { /* at_job.self */
    at_class_target target;
    at_text_data data;
} job;

static at_status take_labels(at_job *j)
{
    job *k = j->self;
    for (int split = 0; split < AT_SPLIT_COUNT; split++) {
        const int64_t n = j->split[split] ? j->split[split]->n : 0;
        int32_t *label = k->target.label[split] = at_arena_alloc(&j->arena, (size_t)n * sizeof *label);
        if (!label) return AT_E_NOMEM;
        for (int64_t i = 0; i < n; i++)
            label[i] = k->data.split[split].texts->samples[k->data.split[split].index[i]].label;
    }
    return AT_OK;
}

/* Grades may be meant as numbers. */
static void note_numbers(at_job *j)
{
    for (int c = 0; c < j->n_labels; c++) {
        const char *s = j->labels[c] + (j->labels[c][0] == '-');
        if (!*s || s[strspn(s, "0123456789")] != '\0') return;
    }
    if (j->setup.inferred && j->n_labels > 2)
        at_job_note(
            j,
            "the labels are %d whole numbers and taken as classes (task: text-regression takes them as "
            "numbers)",
            j->n_labels);
}

static at_status make_share(at_job *j, at_split split, int32_t *index, int64_t n)
{
    return at_text_data_make_share(j, &((job *)j->self)->data, split, index, n);
}

static at_status open_data(at_job *j)
{
    job *k = j->self;
    if (j->setup.uses_head) {
        AT_TRY(at_text_data_open_test(j, &k->data, AT_TEXTS_CLASS));
        AT_TRY(take_labels(j));
        return at_class_prepare(j);
    }
    AT_TRY(at_text_data_open(j, &k->data, AT_TEXTS_CLASS, make_share));
    AT_TRY(take_labels(j));
    j->n_labels = j->n_outputs = k->data.train.n_classes;
    j->labels = k->data.train.classes;
    note_numbers(j);
    AT_TRY(at_class_prepare(j));
    return at_class_weigh(j);
}

static void close_data(at_job *j)
{
    at_text_data_close(j, &((job *)j->self)->data);
}

/* As long as texts are usually cut when encoders are measured. */
static at_status open_noise(at_job *j)
{
    enum { TEXTS = 100000, TOKENS = 128, CLASSES = 2 };
    at_noise *noise = j->setup.noise;
    const at_model *m = j->model;
    if (noise->outputs < 0) noise->outputs = m->head.in_file ? m->n_labels : CLASSES;
    if (noise->size < 0) noise->size = at_min(TOKENS, m->text.positions);
    AT_REQUIRE(j->ctx, noise->size <= m->text.positions, AT_E_RANGE,
               "%s is %lld, but %s takes at most %lld tokens", at_job_where(j, "bench.size"),
               (long long)noise->size, m->folder, (long long)m->text.positions);
    j->n_outputs = (int)noise->outputs;
    return at_tokens_noise(&j->split[AT_SPLIT_TRAIN], j->ctx, TEXTS, noise->size, m->text.vocabulary,
                           noise->outputs);
}

static at_status open_files(at_job *j, at_dataset **out, const char *const *paths, int n)
{
    return at_text_data_open_files(j, &((job *)j->self)->data, out, paths, n);
}

static at_status report(const at_job *j, at_split split, const float *outputs, at_text *html)
{
    const job *k = j->self;
    AT_TRY(at_report_classes(j, j->split[split], outputs, k->target.label[split], k->target.threshold,
                             at_show_text, html));
    AT_TRY(at_report_slices(j, &k->data, split, outputs, at_class_score_part, html));
    return at_report_texts(j, &k->data.train, html);
}

const at_task at_task_text_classification = {
    .name = "text-classification",
    .doc = "one label a text or a pair of texts",
    .family = "text",
    .options = &at_options_text_classification,
    .data_options = &at_options_texts,
    .main_metric = "accuracy",
    .sample = "text",
    .size = sizeof(job),
    .expects = "a table of labels and texts (.csv, .tsv, .json, .jsonl), or a "
               "folder of such tables (train, valid, test)",
    .recognise = at_text_data_recognise,
    .choose = at_text_choose_task,
    .open = open_data,
    .open_noise = open_noise,
    .close = close_data,
    .open_files = open_files,
    .objective = at_class_objective,
    .commonest = at_class_commonest,
    .decide = at_class_decide,
    .score = at_class_score,
    .describe = at_class_describe,
    .report = report};
