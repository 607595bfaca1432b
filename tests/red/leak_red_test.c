/* leak_red_test.c: a test that must fail, because memory is left behind. */
#include "tests/harness/test.h"

AT_TEST(test_red__memory_is_left_behind)
{
    at_ctx *ctx = at_test_ctx();
    void *lost = at_alloc(ctx, 16);
    at_test_done(ctx);
    at_free(ctx, lost);
}
