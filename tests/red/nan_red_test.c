/* nan_red_test.c: a test that must fail, because a NaN compares with nothing. */
#include "tests/harness/report.h"
#include "tests/harness/test.h"
#include <math.h>

AT_TEST(test_red__a_nan_is_not_close)
{
    at_report r = {0};
    const at_real want[] = {1, 2}, got[] = {1, (at_real)NAN};
    at_report_close(&r, "values", got, want, 2, 1e9);
    at_expect_clean(&r);
}
