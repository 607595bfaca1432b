/* no_memory_slow_test.c: every allocation of the verbs fails in turn. */
#include "tests/harness/test.h"
#include "tests/suite/starve.h"

AT_TEST(test_no_memory_slow__every_allocation_fails)
{
    at_expect_starved("no-memory-slow", 1);
}
