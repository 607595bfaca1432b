/* scores_test.c: the interval of a share. */
#include "tasks/task.h"
#include "tests/harness/test.h"
#include <math.h>

AT_TEST(test_scores__wilson_of_published_examples)
{
    /* Newcombe, Statistics in Medicine 17 (1998), table I, method 3: four decimals. */
    static const struct {
        int right, n;
        double low, high;
    } cases[] = {{81, 263, 0.2553, 0.3662},
                 {15, 148, 0.0624, 0.1605},
                 {0, 20, 0.0000, 0.1611},
                 {1, 29, 0.0061, 0.1718}};
    for (int i = 0; i < AT_COUNT(cases); i++) {
        double low, high;
        at_wilson((double)cases[i].right / cases[i].n, cases[i].n, &low, &high);
        if (!(fabs(low - cases[i].low) <= 5e-5) || !(fabs(high - cases[i].high) <= 5e-5))
            fail_msg("%d of %d: %.5f to %.5f", cases[i].right, cases[i].n, low, high);
    }
}

AT_TEST(test_scores__wilson_stays_between_0_and_1)
{
    double low, high, other_low, other_high;
    at_wilson(1.0, 7, &low, &high);
    at_wilson(0.0, 7, &other_low, &other_high);
    assert_true(high > 1 - 1e-12 && high <= 1 && other_low < 1e-12 && other_low >= 0);
    assert_true(fabs(low - (1 - other_high)) < 1e-12);
    at_wilson(0.5, 0, &low, &high);
    assert_true(low == 0.0 && high == 1.0);
}
