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
    at_expect_ok(ctx, at_score_classes(ctx, &s, 8, 3, logits[0], label));
    assert_int_equal(s.n, 4);
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
    at_expect_ok(ctx, at_score_classes(ctx, &s, 4, 3, logits[0], label));
    expect_near(score(&s, "balanced_accuracy"), 1);
    expect_near(score(&s, "macro_f1"), 1);
    put_row(logits[3], 0.1, 0.1, 0.8);
    at_expect_ok(ctx, at_score_classes(ctx, &s, 4, 3, logits[0], label));
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
    at_expect_ok(ctx, at_score_classes(ctx, &s, 2, 3, logits[0], label));
    expect_near(score(&s, "accuracy"), 1);
    expect_near(score(&s, "log_loss"), log(3) / 2);
    logits[1][2] = (float)NAN;
    at_expect_ok(ctx, at_score_classes(ctx, &s, 2, 3, logits[0], label));
    assert_true(isnan(score(&s, "log_loss")));
    at_test_done(ctx);
}

AT_TEST(test_classes__which_way_is_better)
{
    static const int32_t label[] = {0};
    const float logits[3] = {1, 0, 0};
    at_ctx *ctx = at_test_ctx();
    at_scores s;
    at_expect_ok(ctx, at_score_classes(ctx, &s, 1, 3, logits, label));
    for (int i = 0; i < s.n; i++)
        assert_int_equal(s.list[i].higher_is_better, strcmp(s.list[i].name, "log_loss") != 0);
    at_test_done(ctx);
}
