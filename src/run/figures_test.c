/* figures_test.c: numbers as people read them. */
#include "run/figures.h"
#include "tests/harness/test.h"

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
