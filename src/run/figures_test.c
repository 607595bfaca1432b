/* figures_test.c: numbers as people read them, and the interval of a share. */
#include "run/figures.h"
#include "tests/harness/test.h"
#include <math.h>

AT_TEST(test_figures__wilson_of_published_examples)
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
        at__wilson((double)cases[i].right / cases[i].n, cases[i].n, &low, &high);
        if (!(fabs(low - cases[i].low) <= 5e-5) || !(fabs(high - cases[i].high) <= 5e-5))
            fail_msg("%d of %d: %.5f to %.5f", cases[i].right, cases[i].n, low, high);
    }
}

AT_TEST(test_figures__wilson_stays_between_0_and_1)
{
    double low, high, other_low, other_high;
    at__wilson(1.0, 7, &low, &high);
    at__wilson(0.0, 7, &other_low, &other_high);
    assert_true(high > 1 - 1e-12 && high <= 1 && other_low < 1e-12 && other_low >= 0);
    assert_true(fabs(low - (1 - other_high)) < 1e-12);
    at__wilson(0.5, 0, &low, &high);
    assert_true(low == 0.0 && high == 1.0);
}

AT_TEST(test_figures__counts_have_separators_or_three_digits)
{
    static const struct {
        int64_t n;
        const char *exact, *rough;
    } cases[] = {{0, "0", "0"},
                 {999, "999", "999"},
                 {3843, "3,843", "3,843"},
                 {9999, "9,999", "9,999"},
                 {10000, "10,000", "10.0 thousand"},
                 {99949, "99,949", "99.9 thousand"},
                 {99950, "99,950", "100 thousand"},
                 {399971, "399,971", "400 thousand"},
                 {999499, "999,499", "999 thousand"},
                 {999500, "999,500", "1.00 million"},
                 {2257984, "2,257,984", "2.26 million"},
                 {7000000000, "7,000,000,000", "7.00 billion"},
                 {-1234, "-1,234", "-1,234"},
                 {INT64_MAX, "9,223,372,036,854,775,807", "9223372 trillion"}};
    char out[AT_FIGURE];
    for (int i = 0; i < AT_COUNT(cases); i++) {
        assert_string_equal(at__exact(out, cases[i].n), cases[i].exact);
        assert_string_equal(at__rough(out, cases[i].n), cases[i].rough);
    }
}

AT_TEST(test_figures__times_have_the_digits_that_matter)
{
    static const struct {
        double s;
        const char *text;
    } cases[] = {{0, "0.00 s"},       {0.654, "0.65 s"},     {0.999, "1.0 s"},    {4.24, "4.2 s"},
                 {9.96, "10 s"},      {42.4, "42 s"},        {119.4, "119 s"},    {119.6, "2 min 0 s"},
                 {200, "3 min 20 s"}, {7199.7, "2 h 0 min"}, {7500, "2 h 5 min"}, {-1, "0.00 s"}};
    char out[AT_FIGURE];
    for (int i = 0; i < AT_COUNT(cases); i++)
        assert_string_equal(at__seconds(out, cases[i].s), cases[i].text);
}

AT_TEST(test_figures__median)
{
    double odd[] = {3, 1, 2}, even[] = {8, 1, 4, 2};
    assert_true(at__median(odd, 3) == 2);
    assert_true(at__median(even, 4) == 3);
    assert_true(even[0] == 1 && even[3] == 8); /* sorted */
    assert_true(at__median(even, 1) == 1);
    assert_true(at__median(even, 0) == 0);
}
