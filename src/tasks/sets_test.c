/* sets_test.c: scores of sets of classes against scikit-learn 1.9.1, and what a report says of them. */
#include "tasks/sets.h"
#include "tests/harness/html.h"
#include "tests/harness/test.h"
#include <math.h>

enum { N = 7, K = 4 };

static const float logits[N][K] = {{2, -1, .5f, -3},    {0, 1, -.5f, -2}, {-1, 2, 2, -2.5f},  {1, 1, -1, -3},
                                   {-2, -.5f, .5f, -1}, {2, .25f, 0, -4}, {-1, -1, -1, -1.5f}};
static const uint8_t truth[N][K] = {{1, 0, 1, 0}, {0, 1, 0, 0}, {0, 1, 0, 0}, {0, 0, 0, 0},
                                    {0, 1, 1, 0}, {1, 0, 1, 0}, {1, 0, 0, 0}};
static const double half[K] = {.5, .5, .5, .5}, moved[K] = {.5, .4, .65, .5};

static double score(const at_scores *s, const char *name)
{
    for (int i = 0; i < s->n; i++)
        if (strcmp(s->list[i].name, name) == 0) return s->list[i].value;
    fail_msg("no score %s", name);
    return 0;
}

static void expect_near(double got, double want)
{
    if (!(fabs(got - want) < 1e-9)) fail_msg("%.15f, expected %.15f", got, want);
}

static void expect_near_float(float got, double want)
{
    if (!(fabs((double)got - want) < 1e-6)) fail_msg("%.9f, expected %.9f", (double)got, want);
}

static at_scores score_with(at_ctx *ctx, const double *threshold)
{
    at_scores s;
    at_expect_ok(
        ctx,
        at_score_sets(
            ctx, &s, "micro_f1",
            &(at_class_sets){
                .n = N, .n_classes = K, .logits = logits[0], .truth = truth[0], .threshold = threshold}));
    return s;
}

/* f1_score (micro; macro with zero_division=nan: the last class neither occurs nor is predicted),
 * accuracy_score, roc_auc_score and average_precision_score (means over the classes that occur), and the mean
 * of the binary cross-entropy. Logits of 0 are predicted. */
AT_TEST(test_sets__scores_are_those_of_scikit_learn)
{
    at_ctx *ctx = at_test_ctx();
    const at_scores s = score_with(ctx, half);
    assert_int_equal(s.n, 6);
    assert_string_equal(s.list[0].name, "micro_f1");
    expect_near(score(&s, "micro_f1"), 2.0 / 3);
    expect_near(score(&s, "macro_f1"), 2.0 / 3);
    expect_near(score(&s, "exact_match"), 1.0 / 7);
    expect_near(score(&s, "roc_auc"), 0.7777777777777777);
    expect_near(score(&s, "average_precision"), 0.7611111111111111);
    expect_near(score(&s, "log_loss"), 0.49636979651785057);
    at_test_done(ctx);
}

AT_TEST(test_sets__thresholds_move_decisions_alone)
{
    at_ctx *ctx = at_test_ctx();
    const at_scores s = score_with(ctx, moved);
    expect_near(score(&s, "micro_f1"), 4.0 / 9);
    expect_near(score(&s, "exact_match"), 0);
    expect_near(score(&s, "roc_auc"), 0.7777777777777777);
    at_test_done(ctx);
}

AT_TEST(test_sets__where_nothing_occurs_nothing_is_ranked)
{
    static const uint8_t none[N][K];
    at_ctx *ctx = at_test_ctx();
    at_scores s;
    const double never[K] = {1, 1, 1, 1};
    at_expect_ok(ctx,
                 at_score_sets(
                     ctx, &s, NULL,
                     &(at_class_sets){
                         .n = N, .n_classes = K, .logits = logits[0], .truth = none[0], .threshold = never}));
    assert_true(isnan(score(&s, "roc_auc")) && isnan(score(&s, "average_precision")));
    assert_true(isnan(score(&s, "micro_f1")));
    expect_near(score(&s, "exact_match"), 1);
    at_test_done(ctx);
}

AT_TEST(test_sets__commonest_are_the_shares_of_the_classes)
{
    at_ctx *ctx = at_test_ctx();
    static const uint8_t seen[4][3] = {{1, 0, 1}, {1, 0, 0}, {1, 0, 0}, {1, 0, 0}};
    at_set_target target = {.truth = {[AT_SPLIT_TRAIN] = (uint8_t *)seen[0]}};
    at_dataset d = {.n = 4};
    const at_job j = {.ctx = ctx, .self = &target, .n_outputs = 3, .split = {[AT_SPLIT_TRAIN] = &d}};
    float answer[3];
    at_expect_ok(ctx, at_set_commonest(&j, answer));
    expect_near_float(answer[0], log(7.0));
    expect_near_float(answer[1], -log(7.0));
    expect_near_float(answer[2], -log(3.0));
    at_test_done(ctx);
}

AT_TEST(test_sets__a_report_counts_classes_and_orders_mistakes)
{
    static const char *const labels[] = {"red", "<green>", "blue", "never"};
    at_ctx *ctx = at_test_ctx();
    at_set_target target = {.truth = {[AT_SPLIT_TEST] = (uint8_t *)truth[0]}, .threshold = (double *)half};
    at_dataset d = {.n = N};
    const at_job j = {
        .ctx = ctx, .self = &target, .n_labels = K, .labels = labels, .split = {[AT_SPLIT_TEST] = &d}};
    at_text html;
    at_text_init(&html, ctx);
    at_expect_ok(ctx, at_report_sets(&j, AT_SPLIT_TEST, logits[0], NULL, &html));
    at_expect_html(html.data);
    static const char *const parts[] = {
        "red</th><td>3</td><td>4</td><td>50 %</td><td>67 %</td><td>57 %</td><td>0.500</td>",
        "&lt;green&gt;</th><td>3</td><td>4</td><td>50 %</td><td>67 %</td>",
        "blue</th><td>3</td><td>4</td><td>75 %</td><td>100 %</td>",
        "never</th><td>0</td><td>0</td><td>-</td><td>-</td><td>-</td>",
        "6 of 7 samples have a class too many or too few",
        "sample 4</td><td>red, &lt;green&gt;</td><td>-</td>", /* the greatest losses come first */
        "sample 3</td><td>&lt;green&gt;, blue</td><td>&lt;green&gt;</td>",
        "sample 7</td><td>-</td><td>red</td>",
        NULL};
    const char *at = html.data;
    for (int i = 0; parts[i]; i++) { /* in this order */
        at = strstr(at, parts[i]);
        if (!at) fail_msg("lacks, or has too early: %s in %s", parts[i], html.data);
    }
    at_text_deinit(&html);
    at_test_done(ctx);
}
