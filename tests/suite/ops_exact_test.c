/* ops_exact_test.c: gradient checks of every op; they mean something in the double-precision library only. */
#include "tests/harness/opcheck.h"
#include "tests/harness/test.h"

AT_TEST(test_ops_exact__gradients_equal_finite_differences)
{
    if (sizeof(at_real) != sizeof(double)) return; /* counted in the double-precision program */
    at_ctx *ctx = at_test_ctx();
    at_report r = {0};
    int cursor = 0;
    const at_op *op;
    while ((op = at_registry_next(ctx, "op", &cursor)))
        for (const at_op_case *k = op->cases; k && k->name; k++) at_check_gradient(ctx, op, k, &r);
    at_expect_clean(&r);
    at_test_done(ctx);
}
