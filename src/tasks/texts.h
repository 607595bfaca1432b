/* texts.h: what tasks on tables of texts share: their data.* keys, and opening the splits as tokens. Layer:
 * tasks. */
#ifndef AT_TASK_TEXTS_H
#define AT_TASK_TEXTS_H

#include "data/tokens.h"
#include "tasks/shares.h"

typedef struct at_text_settings { /* keys data.* beside those of all tasks; NULL = inferred */
    const char *label, *text, *text_pair, *label_separator, *negative, *delimiter, *quote, *header, *encoding;
    const char *score_range;
    int64_t max_length;
    const at_tree *slices;
} at_text_settings;

extern const at_options at_options_texts;

enum { AT_MOST_SLICES = 16 };

typedef struct at_text_data {
    at_tokenizer *tokenizer;
    at_texts train, valid, test; /* valid, test: where they have files of their own */
    at_texts files;              /* predictions */
    bool pairs;                  /* texts are sequences of their own, to be compared */
    int64_t max_length;          /* tokens of a sequence where data.max_length is absent; 0 = what the network
                                    takes */
    struct {
        const at_texts *texts;
        int32_t *index; /* samples of texts; NULL = there is no such split */
    } split[AT_SPLIT_COUNT];
    const char *slices[AT_MOST_SLICES]; /* columns by which the report divides scores */
    int n_slices;
} at_text_data;

/* The tokenizer of the job's model, which must not have more tokens than that. */
at_status at_job_open_tokenizer(at_job *j, at_tokenizer **out) AT_MUST_USE;

/* The most tokens of a sample: data.max_length (-1 = not given), else the usual length (0 = there is none),
 * else what the model takes, which neither may exceed. */
at_status at_job_max_length(const at_job *j, int64_t given, int64_t usual, int64_t *out) AT_MUST_USE;

/* Member of at_task: is this path a table of texts? */
bool at_text_data_recognise(at_ctx *ctx, const char *path);

/* Open j's data: read tables, split, tokenise; j->split is set. Not for heads that are there already. */
at_status at_text_data_open(at_job *j, at_text_data *k, at_texts_target target,
                            at_make_split_fn make_share) AT_MUST_USE;

/* What make_share of a task does with its at_text_data. */
at_status at_text_data_make_share(at_job *j, at_text_data *k, at_split split, int32_t *index,
                                  int64_t n) AT_MUST_USE;

/* Data to score the model's own head on: data.test alone. */
at_status at_text_data_open_test(at_job *j, at_text_data *k, at_texts_target target) AT_MUST_USE;

/* Member of at_task behind the own struct: files as given, without labels. */
at_status at_text_data_open_files(at_job *j, at_text_data *k, at_dataset **out, const char *const *paths,
                                  int n) AT_MUST_USE;

void at_text_data_close(at_job *j, at_text_data *k);

/* Member of at_task: classes, sets of classes or numbers, by what the labels look like (at_texts_kind). */
at_status at_text_choose_task(at_ctx *ctx, const at_job_setup *s, const at_task **out) AT_MUST_USE;

/* Does config.json say so (problem_type)? */
bool at_config_problem_is(const at_tree *config, const char *problem);

/* at_show_fn: a sample's text, or its beginning. */
at_status at_show_text(const at_job *j, const at_dataset *d, int64_t sample, at_text *html) AT_MUST_USE;

/* The option data.slices: a column or a list of columns, which every table of a split must have. */
at_status at_text_slices_read(at_job *j, at_text_data *k) AT_MUST_USE;

/* Sections of the report: for each of the columns, the main score of the samples of each of its values. */
at_status at_report_slices(const at_job *j, const at_text_data *k, at_split split, const float *outputs,
                           at_score_part_fn score, at_text *html) AT_MUST_USE;

/* A section of the report on a table of texts: texts and words of each class, lengths. */
at_status at_report_texts(const at_job *j, const at_texts *t, at_text *html) AT_MUST_USE;

#endif
