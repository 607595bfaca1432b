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
    {"threshold", AT_OPTION_TREE, AT_OPTION(at_class_settings, threshold), "none",
     .help = "of the second of two classes, chosen on the validation samples: f1, or {cost: {false_positive: "
             "1, false_negative: 5}}; none: the likelier class"},
    {0},
};

/* ---- Threshold ---- */

at_status at_class_prepare(at_job *j)
{
    at_class_target *k = j->self;
    at_threshold_rule rule;
    if (j->setup.uses_head) {
        const double *given = NULL;
        AT_TRY(at_threshold_given(j, &given, 1));
        if (given && j->n_labels == 2) k->threshold = *given;
        return AT_OK;
    }
    AT_TRY(at_threshold_read(j, &rule, ((const at_class_settings *)j->options)->threshold));
    AT_REQUIRE(j->ctx, rule.kind == AT_THRESHOLD_NONE || j->n_labels == 2, AT_E_ARG,
               "%s is for two classes; the data have %d", at_threshold_key(j), j->n_labels);
    return AT_OK;
}

at_status at_class_decide(at_job *j, at_split split, const float *outputs)
{
    at_class_target *k = j->self;
    at_threshold_rule rule;
    at_ranked *list;
    double before, after;
    int64_t n = 0;
    AT_TRY(at_threshold_read(j, &rule, ((const at_class_settings *)j->options)->threshold));
    if (rule.kind == AT_THRESHOLD_NONE) return AT_OK;
    AT_NEW(j->ctx, list, j->split[split]->n);
    for (int64_t i = 0; i < j->split[split]->n; i++)
        if (k->label[split][i] >= 0)
            list[n++] = (at_ranked){exp(at_log_probability(outputs + 2 * i, 2, 1)), k->label[split][i] == 1};
    const double x = at_threshold_choose(&rule, list, n, &before, &after);
    at_free(j->ctx, list);
    at_threshold_note(j, &rule, j->labels[1], x, before, after);
    if (isnan(x)) return AT_OK;
    k->threshold = x;
    return at_threshold_keep(j, &k->threshold, 1);
}

/* ---- Weights, objective ---- */

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

static at_status score(const at_job *j, const float *outputs, const int32_t *label, int64_t n, at_scores *out)
{
    const at_classified c = {.n = n,
                             .n_classes = j->n_outputs,
                             .logits = outputs,
                             .label = label,
                             .threshold = ((const at_class_target *)j->self)->threshold};
    return at_score_classes(j->ctx, out, j->task->main_metric, &c);
}

at_status at_class_score(const at_job *j, at_split split, const float *outputs, at_scores *out)
{
    return score(j, outputs, ((const at_class_target *)j->self)->label[split], j->split[split]->n, out);
}

at_status at_class_score_part(const at_job *j, at_split split, const float *outputs, const int32_t *part,
                              int64_t n, at_scores *out)
{
    const int32_t *label = ((const at_class_target *)j->self)->label[split];
    int32_t *own = at_alloc_array(j->ctx, n, sizeof *own);
    for (int64_t i = 0; own && i < n; i++) own[i] = label[part[i]];
    const at_status s = own ? score(j, outputs, own, n, out) : AT_E_NOMEM;
    at_free(j->ctx, own);
    return s;
}

void at_class_describe(const at_job *j, const float *output, at_text *json, at_text *text)
{
    const int best = at_class_of(output, j->n_labels, ((const at_class_target *)j->self)->threshold);
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
