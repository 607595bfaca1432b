/* token_classification.h: what the files behind the task token-classification share. Layer: tasks, private to
 * it. */
#ifndef AT_TOKEN_CLASSIFICATION_H
#define AT_TOKEN_CLASSIFICATION_H

#include "data/tokens.h"
#include "tasks/tags.h"
#include "tasks/task.h"

typedef struct at_tagging { /* at_job.self */
    at_tokenizer *tokenizer;
    at_tagged train, valid, test; /* valid, test: where they have files of their own */
    at_tagged files;              /* predictions */
    const at_tagged *split[AT_SPLIT_COUNT];
    at_tags tags;
    int32_t *inside; /* tags of the tokens behind a word's first; NULL = they have no label */
} at_tagging;

/* What the network says of one sentence's words. */
typedef struct at_said {
    int32_t *tag;        /* -1: the word was cut off, and there is no tag O */
    double *probability; /* of that tag */
} at_said;

at_status at_said_init(at_ctx *ctx, at_said *s, int64_t most_words) AT_MUST_USE;
void at_said_deinit(at_ctx *ctx, at_said *s);

/* Words without a prediction are outside. logits: of the sample's rows. Returns how many words there are. */
int64_t at_said_read(const at_job *j, at_said *s, const at_tagged *of, const at_dataset *d, int64_t sample,
                     const float *logits);

/* The most words of a sentence of d. */
int64_t at_tagged_longest(const at_tagged *of, const at_dataset *d);

/* Report: entities by type, and the sentences with most mistakes. */
at_status at_report_tags(const at_job *j, at_split split, const float *logits, at_text *html) AT_MUST_USE;

#endif
