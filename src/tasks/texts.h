/* texts.h: what tasks on tables of texts share: their data.* keys, and opening the splits as tokens. Layer:
 * tasks. */
#ifndef AT_TASK_TEXTS_H
#define AT_TASK_TEXTS_H

#include "data/tokens.h"
#include "tasks/shares.h"

typedef struct at_text_settings { /* keys data.* beside those of all tasks; NULL = inferred */
    const char *label, *text, *text_pair, *negative, *delimiter, *quote, *header, *encoding;
    const char *score_range;
    int64_t max_length;
} at_text_settings;

extern const at_options at_options_texts;

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
} at_text_data;

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

/* A section of the report on a table of texts: texts and words of each class, lengths. */
at_status at_report_texts(const at_job *j, const at_texts *t, at_text *html) AT_MUST_USE;

#endif
