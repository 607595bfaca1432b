/* empty_red_test.c: a test that must fail, because it checks nothing. */
#include "tests/harness/report.h"
#include "tests/harness/test.h"

AT_TEST(test_red__nothing_was_checked)
{
    at_report r = {0};
    at_expect_clean(&r);
}
