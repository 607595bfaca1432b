/* threshold.h: from which probability on a class is predicted, chosen on validation samples. Layer: tasks. */
#ifndef AT_THRESHOLD_H
#define AT_THRESHOLD_H

#include "tasks/ranking.h"

typedef struct at_threshold_rule {
    enum { AT_THRESHOLD_NONE, AT_THRESHOLD_F1, AT_THRESHOLD_COST } kind;
    double false_positive, false_negative; /* what each mistake costs */
} at_threshold_rule;

/* The option "threshold": none, f1, or {cost: {false_positive: 1, false_negative: 5}}; NULL = none. A rule
 * takes validation samples to choose on.
 * @return ARG, RANGE with the key. */
at_status at_threshold_read(at_job *j, at_threshold_rule *out, const at_tree *option) AT_MUST_USE;

/* The option's place, for messages. */
const char *at_threshold_key(at_job *j);

/* Of probabilities (the list is sorted) the threshold with the largest F1 of the positives, or the least
 * cost; of equally good ones the one nearest to a half. It lies between two probabilities. NaN: none is
 * better than another, because there are no positives or negatives, or a probability is NaN. *before, *after:
 * F1 or cost a sample at a half and at the threshold. */
double at_threshold_choose(const at_threshold_rule *rule, at_ranked *list, int64_t n, double *before,
                           double *after);

/* Tell what was chosen for a class. */
void at_threshold_note(at_job *j, const at_threshold_rule *rule, const char *class_name, double threshold,
                       double before, double after);

/* What was chosen goes to the model's config: n thresholds of its outputs. */
at_status at_threshold_keep(at_job *j, const double *thresholds, int n) AT_MUST_USE;

/* The thresholds that a trained model brings, as many as n; NULL where it brings none.
 * @return FORMAT: another number of them. */
at_status at_threshold_given(const at_job *j, const double **out, int n) AT_MUST_USE;

#endif
