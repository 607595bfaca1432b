/* threshold.c: the option, the search over all thresholds that decide differently, and where the result is
 * kept. */
#include "tasks/threshold.h"
#include <math.h>
#include <stdlib.h>

/* ---- The option ---- */

const char *at_threshold_key(at_job *j)
{
    char *key = at_arena_printf(&j->arena, "%s.threshold", j->task->name);
    return at_job_where(j, key ? key : "threshold");
}

static at_status read_cost(at_job *j, const at_tree *cost, const char *key, double *out)
{
    const at_tree *t = at_tree_get(cost, key);
    AT_REQUIRE(j->ctx, t && (t->kind == AT_WHOLE || t->kind == AT_NUMBER), AT_E_ARG,
               "%s: cost must give a number for %s, as in {cost: {false_positive: 1, false_negative: 5}}",
               at_threshold_key(j), key);
    *out = t->number;
    AT_REQUIRE(j->ctx, isfinite(*out) && *out > 0, AT_E_RANGE, "%s: the cost of a %s is %g, must be above 0",
               at_threshold_key(j), key, *out);
    return AT_OK;
}

at_status at_threshold_read(at_job *j, at_threshold_rule *out, const at_tree *option)
{
    *out = (at_threshold_rule){.kind = AT_THRESHOLD_NONE};
    const char *word = option && option->kind == AT_STRING ? option->text : "";
    const at_tree *cost = option && option->kind == AT_MAP ? at_tree_get(option, "cost") : NULL;
    if (!option || strcmp(word, "none") == 0) return AT_OK;
    out->kind = cost ? AT_THRESHOLD_COST : AT_THRESHOLD_F1;
    AT_REQUIRE(j->ctx, strcmp(word, "f1") == 0 || (cost && cost->kind == AT_MAP && option->n == 1), AT_E_ARG,
               "%s must be none, f1, or {cost: {false_positive: 1, false_negative: 5}}", at_threshold_key(j));
    if (cost) AT_TRY(read_cost(j, cost, "false_positive", &out->false_positive));
    if (cost) AT_TRY(read_cost(j, cost, "false_negative", &out->false_negative));
    AT_REQUIRE(j->ctx, j->split[AT_SPLIT_VALID], AT_E_ARG,
               "%s: a threshold is chosen on validation samples, and there are none (data.valid)",
               at_threshold_key(j));
    return AT_OK;
}

/* ---- The search ---- */

static int highest_first(const void *a, const void *b)
{
    const at_ranked *x = a, *y = b;
    return (x->score < y->score) - (x->score > y->score);
}

/* How good it is that the first `said` of the list, `right` of them rightly, are called positive: F1, or what
 * the mistakes cost a sample, negated. */
static double worth(const at_threshold_rule *r, int64_t n, int64_t positives, int64_t said, int64_t right)
{
    if (r->kind == AT_THRESHOLD_F1) return 2.0 * (double)right / (double)(said + positives);
    return -(r->false_positive * (double)(said - right) + r->false_negative * (double)(positives - right)) /
           (double)n;
}

typedef struct choice {
    double threshold, worth;
} choice;

static void consider(choice *best, double threshold, double worth)
{
    const bool nearer = fabs(threshold - 0.5) < fabs(best->threshold - 0.5);
    if (worth > best->worth || (worth == best->worth && nearer)) *best = (choice){threshold, worth};
}

double at_threshold_choose(const at_threshold_rule *rule, at_ranked *list, int64_t n, double *before,
                           double *after)
{
    int64_t positives = 0, right = 0, said = 0;
    for (int64_t i = 0; i < n; i++) {
        if (isnan(list[i].score)) return (double)NAN;
        positives += list[i].positive;
        said += list[i].score >= 0.5;
        right += list[i].positive && list[i].score >= 0.5;
    }
    if (positives == 0 || positives == n) return (double)NAN;
    const double sign = rule->kind == AT_THRESHOLD_COST ? -1 : 1;
    choice best = {0.5, worth(rule, n, positives, said, right)};
    *before = sign * best.worth;
    qsort(list, (size_t)n, sizeof *list, highest_first);
    double above = 1.0;
    right = 0;
    for (int64_t i = 0; i < n; above = list[i - 1].score) {
        consider(&best, 0.5 * (above + list[i].score), worth(rule, n, positives, i, right));
        const double score = list[i].score;
        for (; i < n && list[i].score == score; i++) right += list[i].positive;
    }
    consider(&best, 0.5 * above, worth(rule, n, positives, n, right));
    *after = sign * best.worth;
    return best.threshold;
}

/* ---- Where it is kept ---- */

void at_threshold_note(at_job *j, const at_threshold_rule *rule, const char *class_name, double threshold,
                       double before, double after)
{
    const char *what = rule->kind == AT_THRESHOLD_F1 ? "F1" : "cost a sample";
    if (isnan(threshold))
        at_job_note(j, "%s: its threshold stays 0.5, because the validation samples do not tell one",
                    class_name);
    else
        at_job_note(
            j, "%s: predicted from a probability of %.4g on; %s of the validation samples %.4g, at 0.5 %.4g",
            class_name, threshold, what, after, before);
}

at_status at_threshold_keep(at_job *j, const double *thresholds, int n)
{
    at_model *m = j->model;
    double *copy = at_arena_alloc(&m->arena, (size_t)n * sizeof *copy);
    if (!copy) return AT_E_NOMEM;
    memcpy(copy, thresholds, (size_t)n * sizeof *copy);
    m->thresholds = copy;
    m->n_thresholds = n;
    return AT_OK;
}

at_status at_threshold_given(const at_job *j, const double **out, int n)
{
    const at_model *m = j->model;
    *out = m->thresholds;
    AT_REQUIRE(j->ctx, !m->thresholds || m->n_thresholds == n, AT_E_FORMAT,
               "%s/config.json: attune_thresholds are %d numbers, must be %d", m->folder, m->n_thresholds, n);
    return AT_OK;
}
