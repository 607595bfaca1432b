/* classes.h: what tasks share that give each sample one of several classes: options, objective, scores.
 * Layer: tasks. The own struct of such a task begins with an at_class_target. */
#ifndef AT_CLASSES_H
#define AT_CLASSES_H

#include "tasks/threshold.h"

typedef struct at_class_settings {
    double label_smoothing;
    const char *class_weights;
    const at_tree *threshold;
} at_class_settings;

extern const at_option at_class_options[]; /* of an option table for at_class_settings */

typedef struct at_class_target {
    int32_t *label[AT_SPLIT_COUNT]; /* of each split's samples */
    at_real *weights;               /* of the classes; NULL = none */
    double threshold;               /* of two classes (at_class_of); 0 = none */
} at_class_target;

/* Weigh the classes by the training split's labels, if the options ask for it: the constant "class_weights".
 */
at_status at_class_weigh(at_job *j) AT_MUST_USE;

/* Once the labels are known: the model's own threshold where its head is used; else whether the options'
 * threshold can be chosen. */
at_status at_class_prepare(at_job *j) AT_MUST_USE;

/* Members of at_task. The objective is cross-entropy with the input "labels". */
void at_class_objective(const at_job *j, at_graph *g, at_value *output, const at_inputs *in, at_value **loss,
                        at_value **count);
at_status at_class_commonest(const at_job *j, float *output);
at_status at_class_decide(at_job *j, at_split split, const float *outputs) AT_MUST_USE;
at_status at_class_score(const at_job *j, at_split split, const float *outputs, at_scores *out);
at_status at_class_score_part(const at_job *j, at_split split, const float *outputs, const int32_t *part,
                              int64_t n, at_scores *out);
void at_class_describe(const at_job *j, const float *output, at_text *json, at_text *text);

#endif
