/* engine_plan_test.c: plans: which kernel runs and why, what is computed once, what is prepared, whose memory
 * may be taken over, and that nothing beyond a step's rows is read. */
#include "engine/prepared.h"
#include "ops/add/add.h"
#include "ops/linear/linear.h"
#include "ops/relu/relu.h"
#include "ops/toy_scale/toy_scale.h"
#include "tests/harness/bare.h"
#include "tests/harness/report.h"
#include "tests/harness/small.h"
#include "tests/toys/toys.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static double ramp(int64_t i)
{
    return 0.25 * (double)(i % 7) - 0.5;
}

static double minus_two(int64_t i)
{
    (void)i;
    return -2;
}

/* ---- Kernels ---- */

static bool never(const at_problem *p, char reason[AT_REASON])
{
    snprintf(reason, AT_REASON, "needs 8 columns, not %lld", (long long)p->in[0].dim[1]);
    return false;
}

static int high_for_many_rows(const at_problem *p)
{
    return p->in[0].extent->max >= 4 ? 1000 : 1;
}

static const at_kernel picky = {.name = "relu.picky", .op = &at_op_relu, .supports = never};

static const at_kernel *chosen(const at_bare *t, const at_op *op)
{
    int cursor = 0;
    at_plan_line line;
    while (at_plan_next(t->plan, &cursor, &line))
        if (line.node->op == op) return line.kernel;
    fail_msg("%s is not planned", op->name);
    return NULL;
}

static at_value *plan_relu(at_bare *t, at_ctx *ctx, const char *kernels)
{
    at_bare_open(t, ctx, "cpu", AT_EVAL, 6);
    at_graph_site(t->g, "act");
    at_value *y = at_relu(t->g, at_bare_rows(t, "x", AT_ACT, 5));
    at_bare_plan(t, &y, 1, kernels);
    return y;
}

AT_TEST(test_kernels__refusals_are_printable)
{
    at_ctx *ctx;
    at_bare t;
    char text[512];
    assert_int_equal(at_ctx_create(&ctx, &(at_ctx_options){.threads = 1, .isa = "base"}), AT_OK);
    at_expect_ok(ctx, at_ctx_add(ctx, "kernel", &picky));
    const at_value *y = plan_relu(&t, ctx, NULL);
    at_plan_explain(t.plan, y->node, text, sizeof text);
    assert_non_null(strstr(text, "relu.picky: refused, needs 8 columns, not 5\n"));
    assert_non_null(strstr(text, "relu.base: score 10\n"));
#ifdef __x86_64__
    assert_non_null(strstr(text, "relu.avx512: refused, needs avx512\n"));
#endif
    assert_string_equal(chosen(&t, &at_op_relu)->name, "relu.base");
    at_bare_close(&t);
    at_test_done(ctx);
}

/* "auto+V" puts V before better ones where it has a kernel, and takes the best where it has none. */
AT_TEST(test_kernels__a_variant_may_come_first)
{
    static const char *const policies[][2] = {{"auto+base", "relu.base"}, {"auto+picky", NULL}};
    at_ctx *ctx = at_test_ctx();
    at_bare t;
    at_expect_ok(ctx, at_ctx_add(ctx, "kernel", &picky)); /* refuses this node */
    plan_relu(&t, ctx, "auto");
    const at_kernel *best = chosen(&t, &at_op_relu);
    assert_string_not_equal(best ? best->name : "relu.ref", "relu.base");
    at_bare_close(&t);
    for (int i = 0; i < AT_COUNT(policies); i++) {
        plan_relu(&t, ctx, policies[i][0]);
        assert_string_equal(chosen(&t, &at_op_relu)->name, policies[i][1] ? policies[i][1] : best->name);
        at_bare_close(&t);
    }
    at_test_done(ctx);
}

AT_TEST(test_kernels__a_policy_names_a_variant_that_exists)
{
    static const char *const good[] = {"auto", "ref", "strict", "base", "auto+base", "auto+picky", "picky"};
    static const char *const bad[] = {"",    "auto+", "auto+strict", "auto+auto+base",
                                      "bas", "fast",  "base+auto"};
    at_ctx *ctx = at_test_ctx();
    at_expect_ok(ctx, at_ctx_add(ctx, "kernel", &picky));
    for (int i = 0; i < AT_COUNT(good); i++) assert_true(at_kernels_exist(ctx, good[i]));
    for (int i = 0; i < AT_COUNT(bad); i++) assert_false(at_kernels_exist(ctx, bad[i]));
    at_test_done(ctx);
}

AT_TEST(test_kernels__a_deterministic_plan_refuses_those_that_depend_on_threads)
{
    const at_kernel racy = {.name = "relu.racy",
                            .op = &at_op_relu,
                            .score = high_for_many_rows,
                            .thread_dependent = true,
                            .run = at_op_relu.ref};
    at_ctx *ctx = at_test_ctx();
    at_expect_ok(ctx, at_ctx_add(ctx, "kernel", &racy));
    for (int deterministic = 0; deterministic < 2; deterministic++) {
        at_bare t;
        char text[512];
        at_bare_open(&t, ctx, "cpu", AT_EVAL, 6);
        at_value *y = at_relu(t.g, at_bare_rows(&t, "x", AT_ACT, 5));
        at_expect_ok(ctx, at_graph_finish(t.g));
        at_expect_ok(ctx, at_plan_create(&t.plan, t.g,
                                         &(at_plan_options){
                                             .deterministic = deterministic, .fetches = &y, .n_fetches = 1}));
        assert_int_equal(chosen(&t, &at_op_relu) == &racy, !deterministic);
        at_plan_explain(t.plan, y->node, text, sizeof text);
        const char *refusal = "relu.racy: refused, its bits depend on the number of threads\n";
        assert_int_equal(strstr(text, refusal) != NULL, deterministic);
        at_bare_close(&t);
    }
    at_test_done(ctx);
}

/* The score sees maxima: fewer rows in a step change nothing. */
AT_TEST(test_kernels__the_highest_score_wins)
{
    at_ctx *ctx = at_test_ctx();
    const at_kernel loud = {
        .name = "relu.loud", .op = &at_op_relu, .score = high_for_many_rows, .run = at_op_relu.ref};
    at_expect_ok(ctx, at_ctx_add(ctx, "kernel", &loud));
    at_bare t;
    plan_relu(&t, ctx, "auto");
    assert_ptr_equal(chosen(&t, &at_op_relu), &loud);
    at_bare_run(&t, 1, 0);
    at_expect_ok(ctx, at_plan_sync(t.plan));
    assert_ptr_equal(chosen(&t, &at_op_relu), &loud);
    at_bare_close(&t);
    at_test_done(ctx);
}

AT_TEST(test_kernels__policies)
{
    at_ctx *ctx = at_test_ctx();
    at_bare t;
    plan_relu(&t, ctx, "ref");
    assert_null(chosen(&t, &at_op_relu));
    at_bare_close(&t);
    plan_relu(&t, ctx, "base");
    assert_string_equal(chosen(&t, &at_op_relu)->name, "relu.base");
    at_bare_close(&t);
    plan_relu(&t, ctx, "strict");
    assert_non_null(chosen(&t, &at_op_relu));
    at_bare_close(&t);
    at_bare_open(&t, ctx, "cpu", AT_EVAL, 6);
    at_state *s = at_bare_state(&t, "s", AT_FROZEN, 1, (const int64_t[]){1}, ramp);
    at_graph_site(t.g, "gain");
    at_value *y = at_toy_scale(t.g, at_bare_rows(&t, "x", AT_ACT, 5), at_read(t.g, s));
    at_expect_error(
        ctx,
        at_plan_create(&t.plan, t.g, &(at_plan_options){.kernels = "strict", .fetches = &y, .n_fetches = 1}),
        AT_E_UNSUPPORTED,
        "plan: gain (toy_scale): only the reference can run this, and kernels=strict refuses it");
    at_bare_close(&t);
    at_test_done(ctx);
}

/* A whole training must be possible under strict: every op of it has a kernel. */
AT_TEST(test_kernels__a_training_has_no_op_without_one)
{
    at_ctx *ctx = at_test_ctx();
    at_small t;
    at_expect_ok(ctx, at_small_open(&t, ctx, &(at_small_options){.kernels = "strict"}));
    at_small_close(&t);
    at_test_done(ctx);
}

AT_TEST(test_kernels__none_is_an_error_with_the_reasons)
{
    at_ctx *ctx = at_test_ctx();
    at_op op = at_op_relu;
    op.ref = NULL;
    at_kernel only = picky;
    only.op = &op;
    at_expect_ok(ctx, at_ctx_add(ctx, "kernel", &only));
    at_bare t;
    at_bare_open(&t, ctx, "cpu", AT_EVAL, 6);
    at_graph_site(t.g, "act");
    at_value *y = at_op1(t.g, &op, NULL, at_bare_rows(&t, "x", AT_ACT, 5));
    at_expect_error(ctx, at_plan_create(&t.plan, t.g, &(at_plan_options){.fetches = &y, .n_fetches = 1}),
                    AT_E_UNSUPPORTED,
                    "act (relu): no kernel fits: relu.picky: refused, needs 8 columns, not 5");
    at_bare_close(&t);
    at_test_done(ctx);
}

/* ---- Static nodes ---- */

static int n_doubled; /* runs of `doubled` */

static at_status same_infer(at_ctx *ctx, const void *p, const at_meta *in, at_meta *out, at_meta *saved)
{
    (void)ctx, (void)p, (void)saved;
    out[0] = in[0];
    return AT_OK;
}

static at_status doubled_ref(const at_call *c)
{
    n_doubled++;
    for (int64_t m = 0; m < c->out[0].rows; m++)
        for (int64_t i = 0; i < c->out[0].cols; i++)
            at_put(c, 0, &at_out_row(c, 0, m)[i], 2 * (double)at_row(c, 0, m)[i]);
    return AT_OK;
}

static const at_op doubled = {.name = "doubled",
                              .doc = "twice, counted",
                              .n_in = 1,
                              .n_out = 1,
                              .acc_in = 1,
                              .infer = same_infer,
                              .no_grad_reason = "a test",
                              .ref = doubled_ref};

AT_TEST(test_plan__evaluates_static_nodes_once_a_version)
{
    at_ctx *ctx = at_test_ctx();
    at_bare t;
    at_real y[1];
    at_bare_open(&t, ctx, "cpu", AT_TRAIN, 6);
    at_state *frozen = at_bare_state(&t, "frozen", AT_FROZEN, 1, (const int64_t[]){1}, minus_two);
    at_state *learns = at_bare_state(&t, "learns", AT_TRAINABLE, 1, (const int64_t[]){1}, minus_two);
    at_value *x = at_bare_rows(&t, "x", AT_ACT, 1), *dy = at_bare_rows(&t, "dy", AT_ACT, 1);
    at_value *once =
        at_toy_scale(t.g, x, at_op1(t.g, &doubled, NULL, at_op1(t.g, &doubled, NULL, at_read(t.g, frozen))));
    at_value *scaled = at_toy_scale(t.g, once, at_read(t.g, learns));
    at_value *often = at_toy_scale(t.g, x, at_op1(t.g, &doubled, NULL, at_read(t.g, learns)));
    at_gradients(t.g, &scaled, &dy, 1);
    at_expect_ok(ctx, at_store_layout(t.store, t.g));
    at_value *fetch[] = {scaled, often};
    at_bare_plan(&t, fetch, 2, NULL);
    at_plan_write(t.plan, x, (const at_real[]){3}, 1);
    n_doubled = 0;
    for (int i = 0; i < 3; i++) at_bare_run(&t, 1, i);
    at_bare_fetch(&t, scaled, y);
    assert_true((double)*y == 3 * -8 * -2);
    at_bare_fetch(&t, often, y);
    assert_true((double)*y == 3 * -4);
    assert_int_equal(n_doubled, 3); /* three nodes, once each */
    at_expect_ok(ctx, at_state_set(t.store, learns, (const at_real[]){5}));
    for (int i = 0; i < 3; i++) at_bare_run(&t, 1, i);
    at_bare_fetch(&t, often, y);
    assert_true((double)*y == 3 * 10);
    assert_int_equal(n_doubled, 4); /* the one whose state changed */
    at_store_touch(t.store);        /* as every commit does */
    at_bare_run(&t, 1, 0);
    at_expect_ok(ctx, at_plan_sync(t.plan));
    assert_int_equal(n_doubled, 5);
    at_bare_close(&t);
    at_test_done(ctx);
}

/* ---- Prepared operands ---- */

/* first row of a state, from a prepared copy of it */
static at_status peek_infer(at_ctx *ctx, const void *p, const at_meta *in, at_meta *out, at_meta *saved)
{
    (void)ctx, (void)p, (void)saved;
    out[0] = in[1];
    return AT_OK;
}

static at_status peek_prepare(const at_call *c)
{
    memcpy(c->prepared[0], c->in[0].data, (size_t)c->in[0].cols * sizeof(at_real));
    return AT_OK;
}

static void peek_need(const at_problem *p, at_need *out)
{
    out->n_prepared = 1;
    out->prepared[0].from = 1;
    out->prepared[0].bytes = (size_t)p->in[0].dim[1] * sizeof(at_real);
    out->prepared[0].prepare = peek_prepare;
}

static at_status peek_ref(const at_call *c)
{
    memcpy(at_out_row(c, 0, 0), c->prepared[0], (size_t)c->out[0].cols * sizeof(at_real));
    return AT_OK;
}

static const at_op peek = {.name = "peek",
                           .doc = "first row of a state",
                           .n_in = 2,
                           .n_out = 1,
                           .any_in = 3,
                           .infer = peek_infer,
                           .no_grad_reason = "a test",
                           .ref = peek_ref,
                           .ref_need = peek_need};

/* A cache changes without a version: what is prepared from it is prepared at each use. */
AT_TEST(test_plan__prepares_caches_anew_at_each_use)
{
    at_ctx *ctx = at_test_ctx();
    at_bare t;
    at_state *cache;
    at_bare_open(&t, ctx, "cpu", AT_DECODE, 1);
    at_expect_ok(ctx, at_store_add(&cache, t.store, "cache", AT_CACHE, 2, (const int64_t[]){4, 2}));
    at_value *x = at_bare_rows(&t, "x", AT_ACT, 2),
             *at = at_input(t.g, "at", AT_INT, NULL, 1, (const int64_t[]){1});
    at_value *before = at_op1(t.g, &peek, NULL, at_read(t.g, cache), x);
    at_value *after = at_op1(t.g, &peek, NULL, at_append(t.g, cache, x, at), x);
    at_value *fetch[] = {before, after};
    at_bare_plan(&t, fetch, 2, NULL);
    for (int i = 0; i < 3; i++) {
        const at_real row[] = {(at_real)(10 + i), (at_real)(20 + i)};
        at_real got[2];
        at_plan_write(t.plan, x, row, 1);
        at_plan_write(t.plan, at, (const int32_t[]){0}, 1);
        at_bare_run(&t, 1, 0);
        at_bare_fetch(&t, before, got);
        assert_true((double)got[0] == (i ? 9 + i : 0));
        at_bare_fetch(&t, after, got);
        assert_true((double)got[0] == 10 + i && (double)got[1] == 20 + i);
    }
    at_bare_close(&t);
    at_test_done(ctx);
}

AT_TEST(test_plan__shares_prepared_operands_within_the_budget)
{
    at_ctx *ctx = at_test_ctx();
    for (int budget = 0; budget < 2; budget++) {
        at_bare t;
        at_bare_open(&t, ctx, "cpu", AT_EVAL, 4);
        if (!budget) t.store->prepared_budget = 0;
        at_state *w = at_bare_state(&t, "w", AT_FROZEN, 2, (const int64_t[]){5, 5}, ramp);
        at_value *x = at_bare_rows(&t, "x", AT_ACT, 5);
        at_value *y = at_linear(t.g, at_linear(t.g, x, at_read(t.g, w), NULL), at_read(t.g, w), NULL);
        at_bare_plan(&t, &y, 1, "base");
        const size_t one = t.store->prepared_bytes;
        assert_int_equal(one > 0, budget);
        at_plan *second;
        at_expect_ok(ctx,
                     at_plan_create(&second, t.g,
                                    &(at_plan_options){.kernels = "base", .fetches = &y, .n_fetches = 1}));
        assert_int_equal(t.store->prepared_bytes, one); /* both nodes and both plans use one packed copy */
        at_plan_destroy(second);
        at_bare_close(&t);
    }
    at_test_done(ctx);
}

static at_status prepare_nothing(const at_call *c)
{
    (void)c;
    return AT_OK;
}

/* One function may give an operand in two forms of equal size, which must not be taken for one another. */
AT_TEST(test_plan__tells_prepared_forms_apart)
{
    at_ctx *ctx = at_test_ctx();
    at_bare t;
    at_bare_open(&t, ctx, "cpu", AT_EVAL, 4);
    const at_state *const from[AT_MAX_IN] = {
        [1] = at_bare_state(&t, "w", AT_FROZEN, 2, (const int64_t[]){5, 5}, ramp)};
    at_prepared *one, *again, *other;
    at_expect_ok(ctx, at_prepared_get(&one, t.store, prepare_nothing, NULL, 0, 7, from, 64));
    at_expect_ok(ctx, at_prepared_get(&again, t.store, prepare_nothing, NULL, 0, 7, from, 64));
    at_expect_ok(ctx, at_prepared_get(&other, t.store, prepare_nothing, NULL, 0, 8, from, 64));
    assert_ptr_equal(again, one);
    assert_ptr_not_equal(other, one);
    at_bare_close(&t);
    at_test_done(ctx);
}

/* ---- Memory taken over ---- */

/* c(b(a(x))) in one buffer; but nothing is overwritten that somebody still reads, that is fetched, or that
 * came in. */
AT_TEST(test_plan__works_in_place_only_where_nobody_looks)
{
    at_ctx *ctx = at_test_ctx();
    at_bare t;
    at_real x_data[4 * 8], got[4 * 8];
    for (int i = 0; i < 32; i++) x_data[i] = (at_real)(i - 11);
    at_bare_open(&t, ctx, "cpu", AT_EVAL, 4);
    at_state *s = at_bare_state(&t, "s", AT_FROZEN, 1, (const int64_t[]){1}, minus_two);
    at_value *x = at_bare_rows(&t, "x", AT_ACT, 8), *f = at_read(t.g, s), *y = x;
    for (int i = 0; i < 6; i++) y = at_toy_scale(t.g, y, f);
    at_bare_plan(&t, &y, 1, NULL);
    assert_int_equal(at_plan_memory(t.plan).activations, 4 * 8 * sizeof(at_real));
    at_plan_write(t.plan, x, x_data, 4);
    for (int run = 0; run < 2; run++) { /* the input is still there for the second one */
        at_bare_run(&t, 4, 0);
        at_bare_fetch(&t, y, got);
        for (int i = 0; i < 32; i++) assert_true(got[i] == 64 * x_data[i]);
    }
    at_bare_close(&t);

    at_bare_open(&t, ctx, "cpu", AT_EVAL, 4);
    s = at_bare_state(&t, "s", AT_FROZEN, 1, (const int64_t[]){1}, minus_two);
    x = at_bare_rows(&t, "x", AT_ACT, 8);
    f = at_read(t.g, s);
    at_value *a = at_toy_scale(t.g, x, f);          /* read twice: */
    at_value *b = at_toy_scale(t.g, a, f);          /* not in place of a, which is read later, */
    at_value *sum = at_add(t.g, a, b);              /* -2x + 4x */
    at_value *fetched = at_toy_scale(t.g, sum, f);  /* fetched: */
    at_value *last = at_toy_scale(t.g, fetched, f); /* not in place of it */
    at_value *view = at_reshape(t.g, at_toy_scale(t.g, last, f), 3, (const int64_t[]){0, 1, 8});
    at_value *through = at_toy_scale(t.g, view, f);
    at_value *also = at_add(t.g, view, through); /* a view's memory is read as long as the view is */
    at_value *fetch[] = {fetched, last, also};
    const double want[] = {-4, 8, 16}; /* -16 + 32 */
    at_bare_plan(&t, fetch, 3, NULL);
    at_plan_write(t.plan, x, x_data, 4);
    at_bare_run(&t, 4, 0);
    for (int k = 0; k < 3; k++) {
        at_bare_fetch(&t, fetch[k], got);
        for (int i = 0; i < 32; i++)
            if ((double)got[i] != want[k] * (double)x_data[i])
                fail_msg("value %d: %g, expected %g", k, (double)got[i], want[k] * (double)x_data[i]);
    }
    at_bare_close(&t);
    at_test_done(ctx);
}

/* Accumulating and working in place exclude each other: dx = s dy1 + s dy2, where each term could overwrite
 * its dy. */
AT_TEST(test_plan__does_not_accumulate_in_place)
{
    at_ctx *ctx = at_test_ctx();
    at_bare t;
    at_real dx[2 * 8], x_data[2 * 8] = {0}, d[2][2 * 8];
    at_bare_open(&t, ctx, "cpu", AT_TRAIN, 2);
    at_state *s = at_bare_state(&t, "s", AT_FROZEN, 1, (const int64_t[]){1}, minus_two);
    at_value *x = at_bare_rows(&t, "x", AT_ACT, 8), *seeds[2], *outputs[2], *in[2];
    x->want_grad = true;
    for (int k = 0; k < 2; k++) {
        outputs[k] = at_toy_scale(t.g, x, at_read(t.g, s));
        in[k] = at_bare_rows(&t, k ? "d1" : "d0", AT_ACT, 8);
        seeds[k] = at_relu(t.g, in[k]); /* in the arena: may be taken over by its last reader */
        for (int i = 0; i < 16; i++) d[k][i] = (at_real)(k ? 100 + i : i);
    }
    at_gradients(t.g, outputs, seeds, 2);
    at_bare_plan(&t, &x->grad, 1, NULL);
    at_plan_write(t.plan, x, x_data, 2);
    for (int k = 0; k < 2; k++) at_plan_write(t.plan, in[k], d[k], 2);
    at_bare_run(&t, 2, 0);
    at_bare_fetch(&t, x->grad, dx);
    for (int i = 0; i < 16; i++) assert_true(dx[i] == -2 * (d[0][i] + d[1][i]));
    at_bare_close(&t);
    at_test_done(ctx);
}

/* ---- Rows ---- */

/* NaN and labels that do not exist behind the rows of each pass change no bit of a training. */
AT_TEST(test_plan__reads_nothing_beyond_the_rows)
{
    static const char *const kernels[] = {"auto", "base"};
    at_ctx *ctx = at_test_ctx();
    at_report r = {0};
    for (int k = 0; k < AT_COUNT(kernels); k++) {
        int64_t n, m;
        at_real *clean = at_small_train(ctx, &(at_small_options){.kernels = kernels[k]}, &n);
        at_real *poisoned =
            at_small_train(ctx, &(at_small_options){.kernels = kernels[k], .poison = true}, &m);
        at_report_at(&r, "kernels=%s", kernels[k]);
        at_report_same(&r, "training", poisoned, clean, (size_t)n * sizeof *clean);
        free(clean), free(poisoned);
    }
    at_expect_clean(&r);
    at_test_done(ctx);
}

AT_TEST(test_plan__refuses_more_rows_than_it_was_made_for)
{
    at_ctx *ctx = at_test_ctx();
    at_bare t;
    const at_real x[7 * 5] = {0};
    plan_relu(&t, ctx, NULL);
    at_bare_run(&t, 7, 0);
    at_expect_error(ctx, at_plan_sync(t.plan), AT_E_INTERNAL, "");
    at_plan_write(t.plan, t.g->values[0], x, 7);
    at_expect_error(ctx, at_plan_sync(t.plan), AT_E_INTERNAL, "");
    at_plan_write(t.plan, t.g->values[0], x, 6);
    at_bare_run(&t, 6, 0);
    at_expect_ok(ctx, at_plan_sync(t.plan));
    at_bare_close(&t);
    at_test_done(ctx);
}

/* A fetch copies dense numbers: of a state in another storage there are none on the device. */
AT_TEST(test_plan__refuses_to_fetch_what_is_not_dense)
{
    static const uint16_t half[4] = {0};
    at_ctx *ctx = at_test_ctx();
    at_bare t;
    at_state *s;
    at_real out[4];
    at_bare_open(&t, ctx, "cpu", AT_EVAL, 2);
    at_expect_ok(ctx, at_store_add(&s, t.store, "s", AT_FROZEN, 1, (const int64_t[]){4}));
    at_expect_ok(ctx, at_state_bind(t.store, s, at_storage_of(ctx, AT_F16), (const void *const[]){half}));
    at_value *v = at_read(t.g, s), *y = at_op1(t.g, &doubled, NULL, v);
    at_value *fetch[] = {v, y};
    at_bare_plan(&t, fetch, 2, NULL);
    at_bare_run(&t, 1, 0);
    at_bare_fetch(&t, y, out);
    at_plan_fetch(t.plan, v, out);
    at_expect_error(ctx, at_plan_sync(t.plan), AT_E_INTERNAL, "");
    at_bare_close(&t);
    at_test_done(ctx);
}
