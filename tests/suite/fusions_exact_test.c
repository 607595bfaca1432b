/* fusions_exact_test.c: every fusion of the registry equals what it stands for: outputs, saved values and
 * gradients. */
#include "engine/fuse.h"
#include "ops/gelu/gelu.h"
#include "ops/linear/linear.h"
#include "ops/linear_gelu/linear_gelu.h"
#include "ops/relu/relu.h"
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

/* False: of this case the rule makes another. */
static bool run(at_ctx *ctx, const at_fusion *f, const at_op_case *k, at_rig_options o, results *out)
{
    at_rig t;
    *out = (results){0};
    o.rule = f;
    o.seeded = 1;
    o.saved = true;
    at_expect_ok(ctx, at_rig_build(&t, ctx, f->first, k, &o));
    const at_node *node = t.g->nodes[0];
    const size_t size = o.fuse && node->op == f->fused ? f->fused->param_size : 0;
    if (size && memcmp(node->param, k->param, size) != 0) {
        at_rig_destroy(&t);
        return false;
    }
    out->n = t.n_fetch;
    out->n_forward = t.n_forward;
    for (int i = 0; i < t.n_fetch; i++) {
        const at_meta *m = &t.fetch[i]->meta;
        out->count[i] = at_meta_max_rows(m) * at_meta_cols(m);
        out->list[i] = calloc((size_t)out->count[i] + 1, sizeof(at_real));
    }
    at_expect_ok(ctx, at_rig_run(&t, out->list));
    at_rig_destroy(&t);
    return true;
}

static void drop(results *r)
{
    for (int i = 0; i < r->n; i++) free(r->list[i]);
}

static bool compare(at_ctx *ctx, const at_fusion *f, const at_op_case *k, uint32_t wanted, at_report *r)
{
    results two, one;
    if (!run(ctx, f, k, (at_rig_options){.wanted = wanted, .fuse = true}, &one)) return false;
    run(ctx, f, k, (at_rig_options){.wanted = wanted}, &two);
    at_report_at(r, "%s, case %s, gradients %x", f->name, k->name, wanted);
    at_report_check(r, one.n_forward == two.n_forward - 1, "%d nodes became %d", two.n_forward,
                    one.n_forward);
    at_report_check(r, one.n == two.n && one.n > 0, "%d results against %d", one.n, two.n);
    for (int i = 0; i < one.n && i < two.n; i++)
        at_report_close(r, "result", one.list[i], two.list[i], two.count[i], TOLERANCE);
    drop(&two);
    drop(&one);
    return true;
}

/* Fast kernels give the same bits, with float and with bf16 activations: what is between is rounded, too. */
static void compare_bits(at_ctx *ctx, const at_fusion *f, const at_op_case *k, at_dtype act, at_report *r)
{
    results two, one;
    if (!run(ctx, f, k, (at_rig_options){.fuse = true, .act = act}, &one)) return;
    run(ctx, f, k, (at_rig_options){.act = act}, &two);
    at_report_at(r, "%s, case %s, %s", f->name, k->name, act == AT_BF16 ? "bf16" : "float");
    for (int i = 0; i < one.n; i++)
        at_report_same(r, "result", one.list[i], two.list[i], (size_t)one.count[i] * sizeof(at_real));
    drop(&two);
    drop(&one);
}

AT_TEST(test_fusions__give_the_same_bits)
{
    at_ctx *ctx = at_test_ctx();
    at_report r = {0};
    const at_fusion *f;
    int cursor = 0;
    while ((f = at_registry_next(ctx, "fusion", &cursor)))
        for (const at_op_case *k = f->fused->cases; k->name; k++) {
            compare_bits(ctx, f, k, AT_F32, &r);
            compare_bits(ctx, f, k, AT_BF16, &r);
        }
    assert_true(cursor > 0);
    at_expect_clean(&r);
    at_test_done(ctx);
}

AT_TEST(test_fusions__equal_what_they_stand_for)
{
    at_ctx *ctx = at_test_ctx();
    at_report r = {0};
    const at_fusion *f;
    int cursor = 0, n = 0;
    while ((f = at_registry_next(ctx, "fusion", &cursor))) {
        at_report_at(&r, "%s", f->name);
        const int more_in = f->then->n_in - 1, more_saved = f->fused->n_saved - f->first->n_saved;
        at_report_check(&r,
                        f->fused->n_in == f->first->n_in + more_in && f->fused->n_out == f->first->n_out &&
                            f->then->n_out == 1 &&
                            (more_saved == f->then->n_saved || more_saved == f->then->n_saved + 1),
                        "the fused op has other inputs or outputs");
        int n_cases = 0;
        for (const at_op_case *k = f->fused->cases; k->name; k++) {
            if (!compare(ctx, f, k, 0, &r)) continue;
            n_cases++;
            if (!f->fused->grad) continue;
            compare(ctx, f, k, at_rig_real_inputs(f->fused, k), &r);
            compare(ctx, f, k, 1, &r);
        }
        at_report_at(&r, "%s", f->name);
        at_report_check(&r, n_cases > 1, "%d cases", n_cases);
        n++;
    }
    assert_true(n > 0);
    at_expect_clean(&r);
    at_test_done(ctx);
}

/* A value with a second reader stays, and one that the host reads, whose gradient somebody wants, or to which
 * something is added. */
AT_TEST(test_fusions__leave_values_that_others_read)
{
    at_ctx *ctx = at_test_ctx();
    int cursor = 0;
    const at_fusion *f = at_registry_next(ctx, "fusion", &cursor);
    while (f && (f->then->param_size || f->then->n_in > 1)) f = at_registry_next(ctx, "fusion", &cursor);
    assert_non_null(f);
    enum { READ, KEPT, WANTED, ADDED_TO, KINDS };
    for (int kind = 0; kind < KINDS; kind++) {
        at_rig t;
        const at_rig_options o = {.rule = f};
        at_expect_ok(ctx, at_rig_build(&t, ctx, f->first, &f->fused->cases[0], &o));
        at_value *between = t.g->nodes[0]->out[0];
        between->want_grad = kind == WANTED;
        if (kind == READ) (void)at_op1(t.g, f->then, NULL, between);
        if (kind == ADDED_TO) at_op1(t.g, &at_op_relu, NULL, t.in[0])->onto = between;
        const int before = t.g->n_nodes;
        at_graph_fuse(t.g, &between, kind == KEPT);
        at_expect_ok(ctx, at_graph_finish(t.g));
        assert_int_equal(t.g->n_nodes, before);
        at_rig_destroy(&t);
    }
    at_test_done(ctx);
}

/* A rule says which input of `then` it means; the fused node stands behind all that it reads. */
AT_TEST(test_fusions__mind_the_inputs)
{
    at_ctx *ctx = at_test_ctx();
    for (int kind = 0; kind < 3; kind++) {
        at_graph *g;
        at_expect_ok(ctx, at_graph_create(&g, ctx, NULL, AT_TRAIN));
        const at_extent *e = at_graph_extent(g, "samples", 2);
        const at_gelu_param erf = {AT_GELU_ERF};
        at_value *dy = at_input(g, "dy", AT_ACT, e, 2, (const int64_t[]){1, 3}),
                 *w = at_input(g, "w", AT_ACC, NULL, 2, (const int64_t[]){3, 4}),
                 *x = at_input(g, "x", AT_ACT, e, 2, (const int64_t[]){1, 4}),
                 *between = at_op1(g, &at_op_linear_dx, NULL, dy, w), *late = at_relu(g, x);
        at_value *const in[][2] = {{x, between}, {between, x}, {late, between}};
        at_value *y = at_apply(g, &at_op_gelu_dx, &erf, in[kind], 2)->out[0];
        at_graph_fuse(g, &y, 1);
        at_expect_ok(ctx, at_graph_finish(g));
        assert_int_equal(g->n_nodes, kind == 1 ? 3 : 2);
        assert_ptr_equal(y->node->op, kind == 1 ? &at_op_gelu_dx : &at_op_linear_dx_gelu);
        assert_true(kind == 1 || (y->node->in[2] == in[kind][0] && y->node->id == (kind == 2)));
        for (int i = 0; i < g->n_nodes; i++) assert_int_equal(g->nodes[i]->id, i);
        at_graph_destroy(g);
    }
    at_test_done(ctx);
}
