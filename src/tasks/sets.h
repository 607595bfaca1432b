/* sets.h: what tasks share that give each sample any number of classes: options, objective, scores,
 * predictions, report. Layer: tasks. The own struct of such a task begins with an at_set_target. */
#ifndef AT_SETS_H
#define AT_SETS_H

#include "tasks/threshold.h"

typedef struct at_set_settings {
    const char *class_weights;
    const at_tree *threshold;
} at_set_settings;

extern const at_option at_set_options[]; /* of an option table for at_set_settings */

typedef struct at_set_target {
    uint8_t *truth[AT_SPLIT_COUNT]; /* [n, classes] of each split's samples: 1 = has the class */
    at_real *weights;               /* of the positives; NULL = ones */
    double *threshold;              /* [classes] probability from which on a sample has the class */
} at_set_target;

/* Once the labels are known: thresholds of a half, or the model's own where its head is used; the weights of
 * the positives as the options say (the constant "class_weights"). */
at_status at_set_prepare(at_job *j) AT_MUST_USE;

/* Members of at_task. The objective is binary cross-entropy with the input "labels". */
void at_set_objective(const at_job *j, at_graph *g, at_value *output, const at_inputs *in, at_value **loss,
                      at_value **count);
at_status at_set_decide(at_job *j, at_split split, const float *outputs) AT_MUST_USE;
at_status at_set_commonest(const at_job *j, float *output);
at_status at_set_score(const at_job *j, at_split split, const float *outputs, at_scores *out);
at_status at_set_score_part(const at_job *j, at_split split, const float *outputs, const int32_t *part,
                            int64_t n, at_scores *out);
void at_set_describe(const at_job *j, const float *output, at_text *json, at_text *text);

/* Each class's precision and recall as HTML, and the samples of the greatest loss. */
at_status at_report_sets(const at_job *j, at_split split, const float *outputs, at_show_fn show,
                         at_text *html) AT_MUST_USE;

#endif
