/* number_target.c: a number a sample: unit, objective, scores, predictions. */
#include "ops/mse/mse.h"
#include "tasks/numbers.h"
#include <math.h>

at_status at_number_standardise(at_job *j, const char *source)
{
    const at_number_target *k = j->self;
    const double *y = k->truth[AT_SPLIT_TRAIN];
    const int64_t n = j->split[AT_SPLIT_TRAIN]->n;
    double mean = 0.0, square = 0.0;
    for (int64_t i = 0; i < n; i++) mean += y[i] / (double)n;
    for (int64_t i = 0; i < n; i++) square += (y[i] - mean) * (y[i] - mean) / (double)n;
    bool differ = false;
    for (int64_t i = 1; i < n; i++) differ |= y[i] != y[0];
    AT_REQUIRE(j->ctx, differ && square > 0, AT_E_FORMAT,
               "%s: every number to learn from is %g; is this column the label? (data.label)", source, y[0]);
    j->unit = (at_unit){.shift = mean, .scale = sqrt(square)};
    return AT_OK;
}

void at_number_objective(const at_job *j, at_graph *g, at_value *output, const at_inputs *in, at_value **loss,
                         at_value **count)
{
    const at_loss l = at_mse(g, output, at_inputs_get(g, in, "labels"), j->unit.shift, j->unit.scale);
    *loss = l.sum;
    *count = l.weight;
}

/* The mean, which is 0 in the unit that is learnt in. */
at_status at_number_commonest(const at_job *j, float *output)
{
    const at_number_target *k = j->self;
    const int64_t n = j->split[AT_SPLIT_TRAIN]->n;
    double mean = 0.0;
    for (int64_t i = 0; i < n; i++) mean += k->truth[AT_SPLIT_TRAIN][i] / (double)n;
    output[0] = (float)((mean - j->unit.shift) / j->unit.scale);
    return AT_OK;
}

at_status at_number_score(const at_job *j, at_split split, const float *outputs, at_scores *out)
{
    const at_number_target *k = j->self;
    return at_score_numbers(j->ctx, out, j->task->main_metric, j->split[split]->n, outputs, j->unit,
                            k->truth[split]);
}

at_status at_number_score_part(const at_job *j, at_split split, const float *outputs, const int32_t *part,
                               int64_t n, at_scores *out)
{
    const double *truth = ((const at_number_target *)j->self)->truth[split];
    double *own = at_alloc_array(j->ctx, n, sizeof *own);
    for (int64_t i = 0; own && i < n; i++) own[i] = truth[part[i]];
    const at_status s =
        own ? at_score_numbers(j->ctx, out, j->task->main_metric, n, outputs, j->unit, own) : AT_E_NOMEM;
    at_free(j->ctx, own);
    return s;
}

void at_number_describe(const at_job *j, const float *output, at_text *json, at_text *text)
{
    const double x = at_in_unit(j->unit, output[0]);
    at_text_add(json, "\"value\":");
    at_text_number(json, x);
    at_text_printf(text, "%10.6g", x);
}
