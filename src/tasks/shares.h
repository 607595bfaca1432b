/* shares.h: where a task's splits come from, whatever the samples are: files of their own, or shares of what
 * there is to learn from. Layer: tasks. */
#ifndef AT_SHARES_H
#define AT_SHARES_H

#include "data/contents.h"
#include "tasks/task.h"

typedef struct at_sources {
    const char *valid, *test;       /* paths; NULL = there is none */
    double valid_share, test_share; /* of the training samples; 0 = none */
} at_sources;

/* What data.valid and data.test say ("20%" and "0.2" are shares), else what was found beside the training
 * data, else, for valid, a share: 20 % below 1,000 samples, else 10 %. noun: "photos".
 * @return RANGE: shares that leave nothing to learn from. */
at_status at_job_sources(const at_job *j, at_sources *out, const char *found_valid, const char *found_test,
                         int64_t n_train, const char *noun) AT_MUST_USE;

/* Make one split of these training samples; index lives as long as the job. */
typedef at_status (*at_make_split_fn)(at_job *j, at_split split, int32_t *index, int64_t n);

/* The splits that are shares, and what is left as the training split. contents: of all training samples. */
at_status at_job_make_shares(at_job *j, const at_contents *contents, const at_sources *s,
                             at_make_split_fn make) AT_MUST_USE;

/* Note how many samples of a split with a file of its own are in the training split, too. noun: "texts" */
void at_job_note_equal(at_job *j, const at_contents *train, const at_contents *of, at_split split,
                       const char *noun);

/* 0, 1 ... n - 1, of the job's arena. */
int32_t *at_job_all_samples(at_job *j, int64_t n);

#endif
