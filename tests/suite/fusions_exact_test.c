/* fusions_exact_test.c: every fusion of the registry equals what it stands for: outputs, saved values and
 * gradients. */
#include "engine/fuse.h"
#include "tests/harness/opcheck.h"
#include "tests/harness/rig.h"
#include "tests/harness/test.h"
#include "tests/harness/tolerance.h"
#include <stdlib.h>

#ifdef AT_REAL_IS_DOUBLE
#define TOLERANCE AT_TOL_EXACT
#else
#define TOLERANCE AT_TOL_KERNEL
#endif

typedef struct results {
    at_real *list[AT_MAX_IN + AT_MAX_OUT];
    int64_t count[AT_MAX_IN + AT_MAX_OUT];
    int n, n_forward;
} results;

static void run(at_ctx *ctx, const at_fusion *f, const at_op_case *k, uint32_t wanted, bool fuse,
                results *out)
{
    at_rig t;
    *out = (results){0};
    const at_rig_options o = {.wanted = wanted, .seeded = 1, .saved = true, .then = f->then, .fuse = fuse};
    at_expect_ok(ctx, at_rig_build(&t, ctx, f->first, k, &o));
    out->n = t.n_fetch;
    out->n_forward = t.n_forward;
    for (int i = 0; i < t.n_fetch; i++) {
        const at_meta *m = &t.fetch[i]->meta;
        out->count[i] = at_meta_max_rows(m) * at_meta_cols(m);
        out->list[i] = calloc((size_t)out->count[i] + 1, sizeof(at_real));
    }
    at_expect_ok(ctx, at_rig_run(&t, out->list));
    at_rig_destroy(&t);
}

static void drop(results *r)
{
    for (int i = 0; i < r->n; i++) free(r->list[i]);
}

static void compare(at_ctx *ctx, const at_fusion *f, const at_op_case *k, uint32_t wanted, at_report *r)
{
    results two, one;
    run(ctx, f, k, wanted, false, &two);
    run(ctx, f, k, wanted, true, &one);
    at_report_at(r, "%s, case %s, gradients %x", f->name, k->name, wanted);
    at_report_check(r, one.n_forward == two.n_forward - 1, "%d nodes became %d", two.n_forward,
                    one.n_forward);
    at_report_check(r, one.n == two.n && one.n > 0, "%d results against %d", one.n, two.n);
    for (int i = 0; i < one.n && i < two.n; i++)
        at_report_close(r, "result", one.list[i], two.list[i], two.count[i], TOLERANCE);
    drop(&two);
    drop(&one);
}

AT_TEST(test_fusions__equal_what_they_stand_for)
{
    at_ctx *ctx = at_test_ctx();
    at_report r = {0};
    const at_fusion *f;
    int cursor = 0, n = 0;
    while ((f = at_registry_next(ctx, "fusion", &cursor))) {
        at_report_at(&r, "%s", f->name);
        at_report_check(&r,
                        f->fused->n_in == f->first->n_in && f->fused->n_out == f->first->n_out &&
                            f->fused->n_saved == f->first->n_saved && f->then->n_out == 1 &&
                            f->then->n_saved == 0,
                        "the fused op has other inputs or outputs");
        for (const at_op_case *k = f->first->cases; k->name; k++) {
            const uint32_t all = at_rig_real_inputs(f->first, k);
            compare(ctx, f, k, 0, &r);
            compare(ctx, f, k, all, &r);
            compare(ctx, f, k, 1, &r);
        }
        n++;
    }
    assert_true(n > 0);
    at_expect_clean(&r);
    at_test_done(ctx);
}

/* A value with a second reader, or one that the host reads, stays. */
AT_TEST(test_fusions__leave_values_that_others_read)
{
    at_ctx *ctx = at_test_ctx();
    int cursor = 0;
    const at_fusion *f = at_registry_next(ctx, "fusion", &cursor);
    for (int kept = 0; kept < 2; kept++) {
        at_rig t;
        const at_rig_options o = {.then = f->then};
        at_expect_ok(ctx, at_rig_build(&t, ctx, f->first, &f->first->cases[0], &o));
        at_value *between = t.g->nodes[0]->out[0];
        if (!kept) (void)at_op1(t.g, f->then, NULL, between);
        const int before = t.g->n_nodes;
        at_graph_fuse(t.g, &between, kept);
        at_expect_ok(ctx, at_graph_finish(t.g));
        assert_int_equal(t.g->n_nodes, before);
        at_rig_destroy(&t);
    }
    at_test_done(ctx);
}
