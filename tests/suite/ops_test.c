/* ops_test.c: the automatic suite over every op of the registry. */
#include "tests/harness/opcheck.h"
#include "tests/harness/test.h"

typedef void (*check_fn)(at_ctx *ctx, const at_op *op, const at_op_case *k, at_report *r);

static void for_every_case(check_fn check)
{
    at_ctx *ctx = at_test_ctx();
    at_report r = {0};
    int cursor = 0;
    const at_op *op;
    while ((op = at_registry_next(ctx, "op", &cursor)))
        for (const at_op_case *k = op->cases; k && k->name; k++)
            if (op->ref) check(ctx, op, k, &r);
    at_expect_clean(&r);
    at_test_done(ctx);
}

AT_TEST(test_ops__kernels_equal_the_reference)
{
    for_every_case(at_check_kernels);
}

AT_TEST(test_ops__refuse_what_does_not_fit)
{
    at_ctx *ctx = at_test_ctx();
    at_report r = {0};
    int cursor = 0;
    const at_op *op;
    while ((op = at_registry_next(ctx, "op", &cursor))) at_check_refusals(ctx, op, &r);
    at_expect_clean(&r);
    at_test_done(ctx);
}

/* Nothing registers without cases, a reference and a gradient or the reason why there is none. */
AT_TEST(test_ops__are_complete)
{
    at_ctx *ctx = at_test_ctx();
    at_report r = {0};
    int cursor = 0;
    const at_op *op;
    while ((op = at_registry_next(ctx, "op", &cursor))) {
        at_report_at(&r, "%s", op->name);
        at_report_check(&r, op->doc && *op->doc, "no doc line");
        at_report_check(&r, op->view != (op->ref != NULL), "a reference is missing, or a view has one");
        at_report_check(&r, (op->grad != NULL) != (op->no_grad_reason != NULL),
                        "a gradient, or a reason for none");
        at_report_check(&r, op->cases != NULL || op->updates, "no cases");
    }
    at_expect_clean(&r);
    at_test_done(ctx);
}
