/* numbers_test.c: scores of numbers against scikit-learn and SciPy, and what a report says of them. */
#include "tasks/numbers.h"
#include "tests/harness/html.h"
#include "tests/harness/test.h"
#include "tests/harness/torture.h"
#include <math.h>

static const at_unit plain = {.shift = 0, .scale = 1};

static double score(const at_scores *s, const char *name)
{
    for (int i = 0; i < s->n; i++)
        if (strcmp(s->list[i].name, name) == 0) return s->list[i].value;
    fail_msg("no score %s", name);
    return 0;
}

static void expect_near(double got, double want)
{
    if (!(fabs(got - want) < 1e-12)) fail_msg("%.15f, expected %.15f", got, want);
}

static const float said[] = {1.5f, 2, 1.75f, 3, -1, 0.5f, 5, 8, 5, 2.5f};
static const double truth[] = {1, 2, 2, 3.5, -4, 0, 7, 7, 7, 2.25};

/* pearsonr, spearmanr (with ties on both sides), mean_squared_error, mean_absolute_error, r2_score of SciPy
 * and scikit-learn 1.9.1. */
AT_TEST(test_numbers__scores_are_those_of_scikit_learn)
{
    at_ctx *ctx = at_test_ctx();
    at_scores s;
    at_expect_ok(ctx, at_score_numbers(ctx, &s, "rmse", 10, said, plain, truth));
    assert_int_equal(s.n, 6);
    assert_string_equal(s.list[0].name, "rmse");
    expect_near(score(&s, "pearson"), 0.9346996211310222);
    expect_near(score(&s, "spearman"), 0.9877295966495897);
    expect_near(score(&s, "mse"), 1.8875);
    expect_near(score(&s, "rmse"), 1.3738631664034087);
    expect_near(score(&s, "mae"), 1.0);
    expect_near(score(&s, "r2"), 0.8319327731092437);
    for (int i = 0; i < s.n; i++) {
        const bool error = strchr("m", s.list[i].name[0]) || strcmp(s.list[i].name, "rmse") == 0;
        assert_int_equal(s.list[i].higher_is_better, !error);
    }
    at_test_done(ctx);
}

/* Outputs mean shift + scale x output. */
AT_TEST(test_numbers__are_scored_in_the_unit_of_the_labels)
{
    double far[10];
    for (int i = 0; i < 10; i++) far[i] = 2000 + 10 * truth[i];
    at_ctx *ctx = at_test_ctx();
    at_scores s;
    at_expect_ok(ctx, at_score_numbers(ctx, &s, NULL, 10, said, (at_unit){.shift = 2000, .scale = 10}, far));
    expect_near(score(&s, "mae"), 10.0);
    expect_near(score(&s, "r2"), 0.8319327731092437);
    at_test_done(ctx);
}

AT_TEST(test_numbers__of_what_does_not_vary_no_correlation_is_defined)
{
    static const float same[] = {2, 2, 2}, broken[] = {1, (float)NAN, 2};
    static const double equal[] = {5, 5, 5};
    at_ctx *ctx = at_test_ctx();
    at_scores s;
    at_expect_ok(ctx, at_score_numbers(ctx, &s, NULL, 3, same, plain, truth));
    assert_true(isnan(score(&s, "pearson")) && isnan(score(&s, "spearman")));
    assert_false(isnan(score(&s, "r2")));
    at_expect_ok(ctx, at_score_numbers(ctx, &s, NULL, 3, said, plain, equal));
    assert_true(isnan(score(&s, "pearson")) && isnan(score(&s, "spearman")) && isnan(score(&s, "r2")));
    at_expect_ok(ctx, at_score_numbers(ctx, &s, NULL, 3, broken, plain, truth));
    assert_true(isnan(score(&s, "spearman")) && isnan(score(&s, "mse")));
    at_test_done(ctx);
}

static at_status show(const at_job *j, const at_dataset *d, int64_t sample, at_text *html)
{
    (void)j, (void)d;
    at_text_printf(html, "<q>text %lld</q>", (long long)sample);
    return AT_OK;
}

AT_TEST(test_numbers__a_report_names_the_farthest_off)
{
    at_ctx *ctx = at_test_ctx();
    const at_job j = {.ctx = ctx, .unit = plain};
    const at_dataset d = {.n = 10};
    at_text html;
    at_text_init(&html, ctx);
    at_expect_ok(ctx, at_report_numbers(&j, &d, said, truth, show, &html));
    at_expect_html(html.data);
    static const char *const parts[] = {"off by 1 on average",
                                        "2.775, would be off by 2.68",
                                        "class=\"dots\" d=\"M417 ",
                                        "<q>text 4</q></td><td>-1</td><td>-4</td><td>+3</td>",
                                        "<q>text 6</q></td><td>5</td><td>7</td><td>-2</td>",
                                        "<q>text 8</q>",
                                        "<q>text 7</q>",
                                        NULL};
    const char *at = html.data;
    for (int i = 0; parts[i]; i++) { /* in this order */
        at = strstr(at, parts[i]);
        if (!at) fail_msg("lacks, or has too early: %s in %s", parts[i], html.data);
    }
    at_text_deinit(&html);
    at_test_done(ctx);
}

AT_TEST(test_numbers__commonest_is_the_mean_in_the_unit_that_is_learnt)
{
    at_number_target target = {.truth = {[AT_SPLIT_TRAIN] = (double[]){10, 20, 60}}};
    at_dataset d = {.n = 3};
    const at_job j = {.self = &target, .unit = {.shift = 20, .scale = 5}, .split = {[AT_SPLIT_TRAIN] = &d}};
    float answer;
    at_ctx *ctx = at_test_ctx();
    at_expect_ok(ctx, at_number_commonest(&j, &answer));
    assert_true(fabsf(answer - 2) <= 1e-6F);
    at_test_done(ctx);
}

/* scipy 1.17: spearmanr, pearsonr. */
static const double some_x[] = {1, 2, 2, 4, 5, 3.5}, some_y[] = {2, 1, 4, 3, 7, 3};

static at_status correlate(at_ctx *ctx, void *out)
{
    return at_rank_correlation(ctx, out, some_x, some_y, 6);
}

AT_TEST(test_numbers__correlations_of_ranks)
{
    at_ctx *ctx = at_test_ctx();
    const double constant[] = {3, 3, 3}, broken[] = {1, (double)NAN, 2};
    double rho;
    at_expect_ok(ctx, correlate(ctx, &rho));
    assert_true(fabs(rho - 0.6470588235294118) <= 1e-12);
    assert_true(fabs(at_correlation(some_x, some_y, 6) - 0.7221437777117052) <= 1e-12);
    at_expect_ok(ctx, at_rank_correlation(ctx, &rho, constant, some_x, 3));
    assert_true(isnan(rho));
    at_expect_ok(ctx, at_rank_correlation(ctx, &rho, broken, some_x, 3));
    assert_true(isnan(rho));
    at_torture(ctx, correlate, &rho);
    at_test_done(ctx);
}
