/* resume_slow_test.c: kills at many instants. */
#include "tests/harness/survive.h"
#include "tests/harness/test.h"

AT_TEST(test_resume_slow__a_run_killed_at_20_instants_goes_on)
{
    at_expect_survives("resume-slow", 20);
}
