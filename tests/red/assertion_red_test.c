/* assertion_red_test.c: a test that must fail; the build expects its program to end with a failure. */
#include "tests/harness/test.h"

AT_TEST(test_red__an_assertion_fails)
{
    assert_int_equal(1, 2);
}
