/* numbers.h: what tasks share that give each sample a number: the unit that is learnt in, objective, scores,
 * predictions, report. Layer: tasks. The own struct of such a task begins with an at_number_target.
 *
 * What learns are standardised targets, (y - mean) / deviation of the training split, so that prices learn as
 * well as grades do; the unit is folded into the head before the model is handed over. */
#ifndef AT_NUMBERS_H
#define AT_NUMBERS_H

#include "tasks/task.h"

typedef struct at_number_target {
    double *truth[AT_SPLIT_COUNT]; /* of each split's samples */
} at_number_target;

/* Set j->unit to the training split's mean and deviation. source: the table, for the error.
 * @return FORMAT: all targets are equal. */
at_status at_number_standardise(at_job *j, const char *source) AT_MUST_USE;

/* Members of at_task. The objective is the squared error to the input "labels". */
void at_number_objective(const at_job *j, at_graph *g, at_value *output, const at_inputs *in, at_value **loss,
                         at_value **count);
at_status at_number_commonest(const at_job *j, float *output);
at_status at_number_score(const at_job *j, at_split split, const float *outputs, at_scores *out);
at_status at_number_score_part(const at_job *j, at_split split, const float *outputs, const int32_t *part,
                               int64_t n, at_scores *out);
void at_number_describe(const at_job *j, const float *output, at_text *json, at_text *text);

/* Predicted against true numbers as HTML, and the samples that are farthest off. */
at_status at_report_numbers(const at_job *j, const at_dataset *d, const float *outputs, const double *truth,
                            at_show_fn show, at_text *html) AT_MUST_USE;

#endif
