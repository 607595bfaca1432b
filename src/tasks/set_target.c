/* set_target.c: any number of classes a sample: options, weights, objective, thresholds, scores, predictions.
 */
#include "ops/sigmoid_xent/sigmoid_xent.h"
#include "tasks/sets.h"
#include <math.h>

const at_option at_set_options[] = {
    {"class_weights", AT_OPTION_CHOICE, AT_OPTION(at_set_settings, class_weights), "none",
     .choices = "none|balanced",
     .help = "balanced: a class that a sample has weighs as many times as there are samples without it for "
             "one with it"},
    {"threshold", AT_OPTION_TREE, AT_OPTION(at_set_settings, threshold), "none",
     .help = "of each class, chosen on the validation samples: f1, or {cost: {false_positive: 1, "
             "false_negative: 5}}; none: a half"},
    {0},
};

static int64_t count_class(const at_job *j, at_split split, int k)
{
    const uint8_t *truth = ((const at_set_target *)j->self)->truth[split];
    int64_t n = 0;
    for (int64_t i = 0; i < j->split[split]->n; i++) n += truth[i * j->n_labels + k];
    return n;
}

static at_status weigh(at_job *j)
{
    at_set_target *t = j->self;
    const int64_t n = j->split[AT_SPLIT_TRAIN]->n;
    t->weights = at_arena_alloc(&j->arena, (size_t)j->n_labels * sizeof *t->weights);
    if (!t->weights) return AT_E_NOMEM;
    for (int k = 0; k < j->n_labels; k++) {
        const int64_t with = count_class(j, AT_SPLIT_TRAIN, k);
        t->weights[k] = (at_real)(with > 0 && with < n ? (double)(n - with) / (double)with : 1.0);
    }
    j->constants[j->n_constants++] = (at_constant){"class_weights", t->weights, j->n_labels};
    return AT_OK;
}

at_status at_set_prepare(at_job *j)
{
    at_set_target *t = j->self;
    const at_set_settings *o = j->options;
    const double *given = NULL;
    at_threshold_rule rule;
    t->threshold = at_arena_alloc(&j->arena, (size_t)j->n_labels * sizeof *t->threshold);
    if (!t->threshold) return AT_E_NOMEM;
    if (j->setup.uses_head) AT_TRY(at_threshold_given(j, &given, j->n_labels));
    for (int k = 0; k < j->n_labels; k++) t->threshold[k] = given ? given[k] : 0.5;
    if (j->setup.uses_head) return AT_OK;
    AT_TRY(at_threshold_read(j, &rule, o->threshold));
    return strcmp(o->class_weights, "balanced") == 0 ? weigh(j) : AT_OK;
}

void at_set_objective(const at_job *j, at_graph *g, at_value *output, const at_inputs *in, at_value **loss,
                      at_value **count)
{
    const at_set_target *t = j->self;
    at_value *weights = t->weights ? at_inputs_get(g, in, "class_weights") : NULL;
    const at_loss l = at_sigmoid_xent(g, output, at_inputs_get(g, in, "labels"), weights);
    *loss = l.sum;
    *count = l.weight;
}

/* ---- Thresholds ---- */

static void choose(at_job *j, at_split split, const float *outputs, const at_threshold_rule *rule,
                   at_ranked *list, int k)
{
    at_set_target *t = j->self;
    const int64_t n = j->split[split]->n;
    double before, after;
    for (int64_t i = 0; i < n; i++)
        list[i] = (at_ranked){at_sigmoid((double)outputs[i * j->n_labels + k]),
                              t->truth[split][i * j->n_labels + k] != 0};
    const double x = at_threshold_choose(rule, list, n, &before, &after);
    at_threshold_note(j, rule, j->labels[k], x, before, after);
    if (x == x) t->threshold[k] = x;
}

at_status at_set_decide(at_job *j, at_split split, const float *outputs)
{
    const at_set_target *t = j->self;
    at_threshold_rule rule;
    at_ranked *list;
    AT_TRY(at_threshold_read(j, &rule, ((const at_set_settings *)j->options)->threshold));
    if (rule.kind == AT_THRESHOLD_NONE) return AT_OK;
    AT_NEW(j->ctx, list, j->split[split]->n);
    for (int k = 0; k < j->n_labels; k++) choose(j, split, outputs, &rule, list, k);
    at_free(j->ctx, list);
    return at_threshold_keep(j, t->threshold, j->n_labels);
}

/* ---- Scores and predictions ---- */

static at_status score(const at_job *j, const float *outputs, const uint8_t *truth, int64_t n, at_scores *out)
{
    const at_class_sets c = {.n = n,
                             .n_classes = j->n_outputs,
                             .logits = outputs,
                             .truth = truth,
                             .threshold = ((const at_set_target *)j->self)->threshold};
    return at_score_sets(j->ctx, out, j->task->main_metric, &c);
}

/* Log odds of each class's share; one that none or all samples have counts as if half a one differed. */
at_status at_set_commonest(const at_job *j, float *output)
{
    const uint8_t *truth = ((const at_set_target *)j->self)->truth[AT_SPLIT_TRAIN];
    const int64_t n = j->split[AT_SPLIT_TRAIN]->n, K = j->n_outputs;
    for (int64_t c = 0; c < K; c++) {
        double with = 0.0;
        for (int64_t i = 0; i < n; i++) with += truth[i * K + c];
        with = fmin(fmax(with, 0.5), (double)n - 0.5);
        output[c] = (float)log(with / ((double)n - with));
    }
    return AT_OK;
}

at_status at_set_score(const at_job *j, at_split split, const float *outputs, at_scores *out)
{
    return score(j, outputs, ((const at_set_target *)j->self)->truth[split], j->split[split]->n, out);
}

at_status at_set_score_part(const at_job *j, at_split split, const float *outputs, const int32_t *part,
                            int64_t n, at_scores *out)
{
    const uint8_t *truth = ((const at_set_target *)j->self)->truth[split];
    const int64_t K = j->n_outputs;
    uint8_t *own = at_alloc_array(j->ctx, n * K, sizeof *own);
    for (int64_t i = 0; own && i < n; i++) memcpy(own + i * K, truth + part[i] * K, (size_t)K);
    const at_status s = own ? score(j, outputs, own, n, out) : AT_E_NOMEM;
    at_free(j->ctx, own);
    return s;
}

void at_set_describe(const at_job *j, const float *output, at_text *json, at_text *text)
{
    const at_set_target *t = j->self;
    int said = 0;
    at_text_add(json, "\"labels\":[");
    for (int k = 0; k < j->n_labels; k++) {
        const double p = at_sigmoid((double)output[k]);
        if (!(p >= t->threshold[k])) continue;
        at_text_add(json, said ? "," : "");
        at_text_json(json, j->labels[k]);
        at_text_printf(text, "%s%s %.1f %%", said++ ? ", " : "", j->labels[k], 100 * p);
    }
    if (!said) at_text_add(text, "(none)");
    at_text_add(json, "],\"probabilities\":{");
    for (int k = 0; k < j->n_labels; k++) {
        at_text_add(json, k ? "," : "");
        at_text_json(json, j->labels[k]);
        at_text_add(json, ":");
        at_text_number(json, at_sigmoid((double)output[k]));
    }
    at_text_add(json, "}");
}
