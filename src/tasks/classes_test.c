/* classes_test.c: scores of classifications against numbers worked out by hand. */
#include "tasks/task.h"
#include "tests/harness/test.h"
#include <math.h>

/* Rows: logits whose softmax is the given probabilities. */
static void put_row(float *row, double a, double b, double c)
{
    row[0] = (float)log(a);
    row[1] = (float)log(b);
    row[2] = (float)log(c);
}

static double score(const at_scores *s, const char *name)
{
    for (int i = 0; i < s->n; i++)
        if (strcmp(s->list[i].name, name) == 0) return s->list[i].value;
    fail_msg("no score %s", name);
    return 0;
}

static at_status score_rows(at_scores *s, at_ctx *ctx, int64_t n, int classes, const float *logits,
                            const int32_t *label)
{
    return at_score_classes(ctx, s, NULL,
                            &(at_classified){.n = n, .n_classes = classes, .logits = logits, .label = label});
}

static void expect_near(double got, double want)
{
    if (!(fabs(got - want) < 1e-6)) fail_msg("%.9f, expected %.9f", got, want);
}

/* True 0 0 0 0 1 1 2, predicted 0 0 1 2 1 0 2: confusion [2 1 1; 1 1 0; 0 0 1]. One sample is not counted.
 *   accuracy 4/7; recall 1/2, 1/2, 1; precision 2/3, 1/2, 1/2; F1 4/7, 1/2, 2/3. */
AT_TEST(test_classes__scores_are_those_of_the_definitions)
{
    static const int32_t label[] = {0, 0, 0, 0, 1, 1, 2, -100};
    float logits[8][3];
    put_row(logits[0], 0.6, 0.3, 0.1);
    put_row(logits[1], 0.5, 0.25, 0.25);
    put_row(logits[2], 0.2, 0.7, 0.1);
    put_row(logits[3], 0.25, 0.25, 0.5);
    put_row(logits[4], 0.1, 0.8, 0.1);
    put_row(logits[5], 0.5, 0.4, 0.1);
    put_row(logits[6], 0.2, 0.2, 0.6);
    put_row(logits[7], 0.2, 0.2, 0.6);
    at_ctx *ctx = at_test_ctx();
    at_scores s;
    at_expect_ok(ctx, score_rows(&s, ctx, 8, 3, logits[0], label));
    assert_int_equal(s.n, 7);
    expect_near(score(&s, "accuracy"), 4.0 / 7);
    expect_near(score(&s, "balanced_accuracy"), (0.5 + 0.5 + 1) / 3);
    expect_near(score(&s, "macro_f1"), (4.0 / 7 + 0.5 + 2.0 / 3) / 3);
    expect_near(score(&s, "log_loss"), -log(0.6 * 0.5 * 0.2 * 0.25 * 0.8 * 0.4 * 0.6) / 7);
    at_test_done(ctx);
}

/* A class that neither occurs nor is predicted counts for nothing; one that is predicted has an F1 of 0. */
AT_TEST(test_classes__absent_classes)
{
    static const int32_t label[] = {0, 0, 0, 0};
    float logits[4][3];
    for (int i = 0; i < 4; i++) put_row(logits[i], 0.8, 0.1, 0.1);
    at_ctx *ctx = at_test_ctx();
    at_scores s;
    at_expect_ok(ctx, score_rows(&s, ctx, 4, 3, logits[0], label));
    expect_near(score(&s, "balanced_accuracy"), 1);
    expect_near(score(&s, "macro_f1"), 1);
    put_row(logits[3], 0.1, 0.1, 0.8);
    at_expect_ok(ctx, score_rows(&s, ctx, 4, 3, logits[0], label));
    expect_near(score(&s, "balanced_accuracy"), 0.75);
    expect_near(score(&s, "macro_f1"), (6.0 / 7 + 0) / 2);
    at_test_done(ctx);
}

/* The first of equally large logits is predicted; large logits do not overflow; a NaN does not hide. */
AT_TEST(test_classes__ties_large_and_broken_logits)
{
    static const int32_t label[] = {0, 1};
    float logits[2][3] = {{2, 2, 2}, {-3e38f, 3e38f, 0}};
    at_ctx *ctx = at_test_ctx();
    at_scores s;
    at_expect_ok(ctx, score_rows(&s, ctx, 2, 3, logits[0], label));
    expect_near(score(&s, "accuracy"), 1);
    expect_near(score(&s, "log_loss"), log(3) / 2);
    logits[1][2] = (float)NAN;
    at_expect_ok(ctx, score_rows(&s, ctx, 2, 3, logits[0], label));
    assert_true(isnan(score(&s, "log_loss")));
    at_test_done(ctx);
}

AT_TEST(test_classes__which_way_is_better)
{
    static const int32_t label[] = {0};
    const float logits[3] = {1, 0, 0};
    at_ctx *ctx = at_test_ctx();
    at_scores s;
    at_expect_ok(ctx, score_rows(&s, ctx, 1, 3, logits, label));
    for (int i = 0; i < s.n; i++)
        assert_int_equal(s.list[i].higher_is_better, strcmp(s.list[i].name, "log_loss") != 0);
    at_test_done(ctx);
}

/* ---- Against scikit-learn 1.9.1 (numbers printed by it from these logits, in float64) ---- */

static const float ranked[12][3] = {{2, 0, 1},    {1.5f, 1, 0},  {0, 2, 0},     {0, 1, 1.25f},
                                    {1, 2, 0.5f}, {0, 0.25f, 2}, {1, 0, 0.75f}, {2, 1, 0},
                                    {0, 2, 0},    {0, 1, 3},     {1.5f, 1, 0},  {0, 2, 0.75f}};
static const int32_t ranked_label[12] = {0, 0, 1, 1, 1, 2, 2, 0, 0, 2, 1, 2};

/* matthews_corrcoef(y, argmax), roc_auc_score(y, softmax, multi_class="ovr", average="macro"),
 * average_precision_score(one-hot y, softmax, average="macro"); some rows tie. */
AT_TEST(test_classes__three_classes_are_ranked_as_scikit_learn_does)
{
    at_ctx *ctx = at_test_ctx();
    at_scores s;
    at_expect_ok(ctx, score_rows(&s, ctx, 12, 3, ranked[0], ranked_label));
    expect_near(score(&s, "matthews_correlation"), 0.37896836447993354);
    expect_near(score(&s, "roc_auc"), 0.84375);
    expect_near(score(&s, "average_precision"), 0.7318783068783069);
    at_test_done(ctx);
}

/* Class 1 against class 0 by the first two logits; the probabilities have ties of several samples. */
AT_TEST(test_classes__two_classes_are_ranked_by_the_second)
{
    float logits[12][2];
    int32_t label[12];
    for (int i = 0; i < 12; i++) {
        memcpy(logits[i], ranked[i], sizeof logits[i]);
        label[i] = ranked_label[i] == 1;
    }
    at_ctx *ctx = at_test_ctx();
    at_scores s;
    at_expect_ok(ctx, score_rows(&s, ctx, 12, 2, logits[0], label));
    expect_near(score(&s, "matthews_correlation"), 0.23904572186687872);
    expect_near(score(&s, "roc_auc"), 0.671875);
    expect_near(score(&s, "average_precision"), 0.4444444444444444);
    at_test_done(ctx);
}

/* Means over classes that occur with both values: here 0 and 1, not 2, whose samples are not counted. */
AT_TEST(test_classes__a_class_that_does_not_occur_is_not_ranked)
{
    int32_t label[12];
    for (int i = 0; i < 12; i++) label[i] = ranked_label[i] == 2 ? -100 : ranked_label[i];
    at_ctx *ctx = at_test_ctx();
    at_scores s;
    at_expect_ok(ctx, score_rows(&s, ctx, 12, 3, ranked[0], label));
    expect_near(score(&s, "roc_auc"), 0.75);
    expect_near(score(&s, "average_precision"), 0.7291666666666666);
    at_test_done(ctx);
}

AT_TEST(test_classes__of_one_class_alone_no_ranking_is_defined)
{
    static const char *const names[] = {"matthews_correlation", "roc_auc", "average_precision"};
    int32_t label[12] = {0};
    at_ctx *ctx = at_test_ctx();
    at_scores s;
    at_expect_ok(ctx, score_rows(&s, ctx, 12, 3, ranked[0], label));
    for (int i = 0; i < AT_COUNT(names); i++) assert_true(isnan(score(&s, names[i])));
    assert_false(isnan(score(&s, "accuracy")));
    label[0] = 1; /* matthews_corrcoef of one predicted class is 0 */
    at_expect_ok(ctx, score_rows(&s, ctx, 2, 3, ranked[0], label));
    expect_near(score(&s, "matthews_correlation"), 0);
    at_test_done(ctx);
}

AT_TEST(test_classes__a_nan_is_not_ranked)
{
    static const int32_t label[] = {0, 1, 1};
    const float logits[3][2] = {{0, 1}, {0, (float)NAN}, {1, 0}};
    at_ctx *ctx = at_test_ctx();
    at_scores s;
    at_expect_ok(ctx, score_rows(&s, ctx, 3, 2, logits[0], label));
    assert_true(isnan(score(&s, "roc_auc")));
    assert_true(isnan(score(&s, "average_precision")));
    at_test_done(ctx);
}

/* With a threshold the second of two classes is predicted from its probability on; the main score is first.
 */
AT_TEST(test_classes__a_threshold_decides_between_two)
{
    static const int32_t label[] = {0, 1, 1, 0};
    const float logits[4][2] = {{2, 0}, {1, 0}, {0, 1}, {0.5f, 0}}; /* p(1): .12 .27 .73 .38 */
    at_ctx *ctx = at_test_ctx();
    at_classified c = {.n = 4, .n_classes = 2, .logits = logits[0], .label = label};
    at_scores s;
    at_expect_ok(ctx, at_score_classes(ctx, &s, "macro_f1", &c));
    assert_string_equal(s.list[0].name, "macro_f1");
    expect_near(score(&s, "accuracy"), 0.75);
    c.threshold = 0.25;
    at_expect_ok(ctx, at_score_classes(ctx, &s, NULL, &c));
    expect_near(score(&s, "accuracy"), 0.75);
    c.threshold = 0.4;
    at_expect_ok(ctx, at_score_classes(ctx, &s, NULL, &c));
    expect_near(score(&s, "accuracy"), 0.75);
    c.threshold = 0.1;
    at_expect_ok(ctx, at_score_classes(ctx, &s, NULL, &c));
    expect_near(score(&s, "accuracy"), 0.5);
    expect_near(score(&s, "roc_auc"), 0.75); /* does not depend on it */
    at_test_done(ctx);
}
