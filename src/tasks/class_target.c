/* class_target.c: one of several classes a sample: options, weights, objective, scores, predictions. */
#include "ops/softmax_xent/softmax_xent.h"
#include "tasks/classes.h"
#include <math.h>

const at_option at_class_options[] = {
    {"label_smoothing", AT_OPTION_REAL, AT_OPTION(at_class_settings, label_smoothing), "0", 0, 0.99,
     .aliases = "label_smoothing_factor smoothing",
     .help = "share of the target spread evenly over the classes"},
    {"class_weights", AT_OPTION_CHOICE, AT_OPTION(at_class_settings, class_weights), "none",
     .choices = "none|balanced", .help = "balanced: a class weighs n / (classes x its samples)"},
    {0},
};

at_status at_class_weigh(at_job *j)
{
    at_class_target *k = j->self;
    const at_class_settings *o = j->options;
    if (strcmp(o->class_weights, "balanced") != 0) return AT_OK;
    const int64_t n = j->split[AT_SPLIT_TRAIN]->n;
    k->weights = at_arena_alloc(&j->arena, (size_t)j->n_labels * sizeof *k->weights);
    int64_t *count = at_arena_alloc(&j->arena, (size_t)j->n_labels * sizeof *count);
    if (!k->weights || !count) return AT_E_NOMEM;
    for (int64_t i = 0; i < n; i++) count[k->label[AT_SPLIT_TRAIN][i]]++;
    for (int c = 0; c < j->n_labels; c++)
        k->weights[c] = (at_real)(count[c] ? (double)n / ((double)j->n_labels * (double)count[c]) : 0.0);
    j->constants[j->n_constants++] = (at_constant){"class_weights", k->weights, j->n_labels};
    return AT_OK;
}

/* Log shares of the classes; one that has no sample counts as half a one. */
at_status at_class_commonest(const at_job *j, float *output)
{
    const at_class_target *k = j->self;
    const int64_t n = j->split[AT_SPLIT_TRAIN]->n;
    for (int c = 0; c < j->n_outputs; c++) output[c] = 0;
    for (int64_t i = 0; i < n; i++) output[k->label[AT_SPLIT_TRAIN][i]]++;
    for (int c = 0; c < j->n_outputs; c++) output[c] = logf(fmaxf(output[c], 0.5F) / (float)n);
    return AT_OK;
}

void at_class_objective(const at_job *j, at_graph *g, at_value *output, const at_inputs *in, at_value **loss,
                        at_value **count)
{
    const at_class_target *k = j->self;
    const at_class_settings *o = j->options;
    at_value *weights = k->weights ? at_inputs_get(g, in, "class_weights") : NULL;
    const at_loss l = at_softmax_xent(g, output, at_inputs_get(g, in, "labels"), weights, o->label_smoothing);
    *loss = l.sum;
    *count = l.weight;
}

at_status at_class_score(const at_job *j, at_split split, const float *outputs, at_scores *out)
{
    const at_class_target *k = j->self;
    return at_score_classes(j->ctx, out, j->split[split]->n, j->n_outputs, outputs, k->label[split]);
}

void at_class_describe(const at_job *j, const float *output, at_text *json, at_text *text)
{
    int best = 0;
    for (int i = 1; i < j->n_labels; i++)
        if (output[i] > output[best]) best = i;
    at_text_add(json, "\"label\":");
    at_text_json(json, j->labels[best]);
    at_text_add(json, ",\"probabilities\":{");
    for (int i = 0; i < j->n_labels; i++) {
        at_text_add(json, i ? "," : "");
        at_text_json(json, j->labels[i]);
        at_text_add(json, ":");
        at_text_number(json, exp(at_log_probability(output, j->n_labels, i)));
    }
    at_text_add(json, "}");
    int width = 0; /* so that the lines of many files stand below each other */
    for (int i = 0; i < j->n_labels; i++) width = (int)at_max(width, (int64_t)strlen(j->labels[i]));
    at_text_printf(text, "%-*s %5.1f %%", width, j->labels[best],
                   100 * exp(at_log_probability(output, j->n_labels, best)));
}
