/* threshold_test.c: thresholds against a look at every candidate, ties, and what decides nothing. */
#include "tasks/threshold.h"
#include "tests/harness/test.h"
#include <math.h>

static const at_threshold_rule f1 = {.kind = AT_THRESHOLD_F1},
                               cost = {.kind = AT_THRESHOLD_COST, .false_positive = 1, .false_negative = 5};

static void expect_near(double got, double want)
{
    if (!(fabs(got - want) < 1e-12)) fail_msg("%.15f, expected %.15f", got, want);
}

/* Of the first list at a half 2 of 2 are right and 1 is missed: 4/5, and no other threshold has more. */
AT_TEST(test_threshold__largest_f1_between_two_probabilities)
{
    at_ranked good[] = {{.3, false}, {.9, true}, {.6, true}, {.4, false}, {.1, false}, {.2, true}},
              low[] = {{.45, true}, {.9, true}, {.4, true}, {.3, false}, {.1, false}, {.2, false}};
    double before, after;
    expect_near(at_threshold_choose(&f1, good, 6, &before, &after), 0.5);
    expect_near(after, 0.8);
    expect_near(at_threshold_choose(&f1, low, 6, &before, &after), 0.35);
    expect_near(after, 1);
    expect_near(before, 0.5);
}

/* A miss costs five false alarms: everything from .15 on is called positive. */
AT_TEST(test_threshold__least_cost)
{
    at_ranked list[] = {{.3, false}, {.9, true}, {.6, true}, {.4, false}, {.1, false}, {.2, true}};
    double before, after;
    expect_near(at_threshold_choose(&cost, list, 6, &before, &after), 0.15);
    expect_near(before, 5.0 / 6);
    expect_near(after, 2.0 / 6);
}

/* Equal probabilities fall on one side together; all may be positive, or none. */
AT_TEST(test_threshold__ties_and_ends)
{
    at_ranked tied[] = {{.4, true}, {.4, false}, {.4, true}}, low[] = {{.3, false}, {.2, true}, {.1, false}};
    const at_threshold_rule strict = {.kind = AT_THRESHOLD_COST, .false_positive = 9, .false_negative = 1};
    double before, after;
    expect_near(at_threshold_choose(&f1, tied, 3, &before, &after), 0.2);
    expect_near(after, 0.8);
    expect_near(at_threshold_choose(&strict, low, 3, &before, &after), 0.5); /* as good as it can be */
    expect_near(after, before);
}

AT_TEST(test_threshold__nothing_to_choose_by)
{
    at_ranked one[] = {{.4, true}, {.6, true}}, broken[] = {{.4, true}, {(double)NAN, false}};
    double before, after;
    assert_true(isnan(at_threshold_choose(&f1, one, 2, &before, &after)));
    assert_true(isnan(at_threshold_choose(&f1, broken, 2, &before, &after)));
}
