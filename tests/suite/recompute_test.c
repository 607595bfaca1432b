/* recompute_test.c: activations that are computed again instead of kept: the bits stay, the memory falls, and
 * the program does so when its limit demands it. */
#include "engine/recompute.h"
#include "ops/conv2d/conv2d.h"
#include "ops/depthwise/depthwise.h"
#include "ops/lerp/lerp.h"
#include "ops/linear/linear.h"
#include "ops/relu6/relu6.h"
#include "tests/harness/bare.h"
#include "tests/harness/program.h"
#include "tests/harness/report.h"
#include "tests/harness/scene.h"
#include "tests/harness/small.h"
#include "tests/harness/test.h"
#include "tests/toys/src/ops/toy_scale/toy_scale.h"
#include <stdio.h>
#include <stdlib.h>

static at_ctx *ctx_of(int threads)
{
    at_ctx *ctx;
    if (at_ctx_create(&ctx, &(at_ctx_options){.threads = threads}) != AT_OK) fail_msg("no context");
    return ctx;
}

/* ---- Bits ---- */

static void compare(at_report *r, const at_small_options *a, int threads_a, const at_small_options *b,
                    int threads_b, const char *what)
{
    at_ctx *first = ctx_of(threads_a), *second = ctx_of(threads_b);
    int64_t n, m;
    at_real *x = at_small_train(first, a, &n), *y = at_small_train(second, b, &m);
    assert_int_equal(n, m);
    at_report_same(r, what, x, y, (size_t)n * sizeof *x);
    free(x), free(y);
    at_test_done(first);
    at_test_done(second);
}

enum { AS_FAR_AS_IT_GOES = 1 };

static void check_bits(at_dtype act)
{
    at_report r = {0};
    const at_small_options kept = {.act = act}, again = {.act = act, .most_bytes = AS_FAR_AS_IT_GOES};
    at_small_options other = again;
    compare(&r, &kept, 1, &again, 1, "1 thread");
    compare(&r, &kept, 1, &again, 5, "5 threads");
    other.no_prepared = other.poison = true;
    compare(&r, &kept, 2, &other, 2, "budget 0, poison behind the rows");
    other = again;
    other.device = "far";
    compare(&r, &kept, 2, &other, 2, "far");
    at_expect_clean(&r);
}

AT_TEST(test_recompute__changes_no_bit)
{
    check_bits(AT_F32);
}

AT_TEST(test_recompute__changes_no_bit_of_bf16)
{
    check_bits(AT_BF16);
}

/* The second node of this site and op; NULL = there is none. */
static at_node *repeated(const at_graph *g, const char *site, const char *op)
{
    int n = 0;
    for (int i = 0; i < g->n_nodes; i++)
        if (strcmp(g->nodes[i]->site, site) == 0 && strcmp(g->nodes[i]->op->name, op) == 0 && n++)
            return g->nodes[i];
    return NULL;
}

/* What the comparisons are about: normalisation by the batch and dropout are among what is computed again. */
AT_TEST(test_recompute__repeats_dropout_and_batch_statistics)
{
    at_ctx *ctx = at_test_ctx();
    at_small t;
    at_expect_ok(ctx, at_small_open(&t, ctx, &(at_small_options){.most_bytes = AS_FAR_AS_IT_GOES}));
    const at_node *dropout = repeated(t.g, "thin", "dropout"), *norm = repeated(t.g, "norm", "batchnorm");
    assert_true(dropout && norm);
    assert_int_equal(dropout->occurrence, 0);
    for (int i = 0; i < norm->op->n_out + norm->op->n_saved; i++)
        assert_int_equal(norm->out[i]->target, AT_TARGET_NONE);
    for (int i = 0; i < t.g->n_nodes; i++) assert_int_equal(t.g->nodes[i]->id, i);
    assert_null(repeated(t.g, "head", "softmax_xent"));
    at_small_close(&t);
    at_test_done(ctx);
}

static void draw_otherwise(at_small *t)
{
    repeated(t->g, "thin", "dropout")->occurrence++;
}

/* A control: another mask in what is computed again is seen. */
AT_TEST(test_recompute__another_draw_is_seen)
{
    at_report r = {0};
    compare(&r, &(at_small_options){.act = AT_F32}, 1,
            &(at_small_options){.most_bytes = AS_FAR_AS_IT_GOES, .spoil = draw_otherwise}, 1, "other mask");
    assert_int_equal(r.failures, 1);
}

/* ---- Memory ---- */

static at_recomputed open_and_measure(at_ctx *ctx, at_dtype act, size_t most, size_t *planned, int *n_nodes)
{
    at_small t;
    at_expect_ok(ctx, at_small_open(&t, ctx, &(at_small_options){.act = act, .most_bytes = most}));
    const at_recomputed r = t.recomputed;
    *planned = at_plan_memory(t.plan).activations;
    *n_nodes = t.g->n_nodes;
    at_small_close(&t);
    return r;
}

static void check_memory(at_ctx *ctx, at_dtype act)
{
    size_t kept, planned;
    int plain, n_nodes;
    open_and_measure(ctx, act, 0, &kept, &plain);
    at_recomputed r = open_and_measure(ctx, act, kept, &planned, &n_nodes);
    assert_true(r.fits && r.n_nodes == 0 && r.bytes == 0 && planned == kept && n_nodes == plain);
    double work = 0;
    for (int percent = 95; percent >= 70; percent -= 5) {
        r = open_and_measure(ctx, act, kept * (size_t)percent / 100, &planned, &n_nodes);
        assert_true(r.fits && planned <= kept * (size_t)percent / 100 && r.before == kept);
        const double fell = (double)(kept - planned), said = (double)(r.before - r.after);
        assert_true(fell > 0.95 * said && fell < 1.05 * said);
        assert_true(r.n_nodes > 0 && r.bytes > 0 && n_nodes == plain + r.n_nodes);
        assert_true(r.added_flops >= work && r.added_flops < r.flops / 2);
        work = r.added_flops;
    }
}

AT_TEST(test_recompute__lowers_the_memory_by_what_it_says)
{
    at_ctx *ctx = at_test_ctx();
    check_memory(ctx, AT_F32);
    check_memory(ctx, AT_BF16);
    at_test_done(ctx);
}

AT_TEST(test_recompute__says_when_it_cannot)
{
    at_ctx *ctx = at_test_ctx();
    size_t planned;
    int n_nodes;
    const at_recomputed r = open_and_measure(ctx, AT_F32, 1000000, &planned, &n_nodes);
    assert_true(!r.fits && r.after == planned && planned > 1000000);
    assert_true(planned < r.before * 3 / 4); /* but it has done what it could */
    at_test_done(ctx);
}

static at_recomputed with_thrift(at_ctx *ctx, double thrift)
{
    at_small t;
    at_expect_ok(ctx, at_small_open(&t, ctx, &(at_small_options){.most_bytes = SIZE_MAX, .thrift = thrift}));
    const at_recomputed r = t.recomputed;
    assert_int_equal(r.after, at_plan_memory(t.plan).activations);
    at_small_close(&t);
    return r;
}

/* Without need: the more work is allowed, the more. */
AT_TEST(test_recompute__spends_what_it_may)
{
    at_ctx *ctx = at_test_ctx();
    at_report report = {0};
    at_recomputed r = with_thrift(ctx, 0.0);
    assert_true(r.fits && r.n_nodes == 0 && r.after == r.before);
    size_t last = r.before;
    for (double thrift = 0.05; thrift < 1; thrift *= 10) {
        r = with_thrift(ctx, thrift);
        assert_true(r.fits && r.n_nodes > 0 && r.after < last);
        last = r.after;
    }
    compare(&report, &(at_small_options){0}, 1, &(at_small_options){.most_bytes = SIZE_MAX, .thrift = 0.1}, 1,
            "thrift");
    at_expect_clean(&report);
    at_test_done(ctx);
}

/* ---- Chains and what must not be repeated ---- */

enum { ROWS = 50, WIDTH = 40, LAYERS = 24 };

static double small_weight(int64_t i)
{
    return (double)(i * 7 % 11 - 5) / 30;
}

/* LAYERS of linear, scale and relu6 over x; only the scales learn, so that all values between are wanted
 * backwards, the last of each layer through a view. bias: NULL = none. */
static at_value *build_chain(at_bare *t, at_value *x, at_state *bias)
{
    at_state *w = at_bare_state(t, "w", AT_FROZEN, 2, (const int64_t[]){WIDTH, WIDTH}, small_weight);
    for (int i = 0; i < LAYERS; i++) {
        char name[16];
        snprintf(name, sizeof name, "s%d", i);
        at_state *s = at_bare_state(t, name, AT_TRAINABLE, 1, (const int64_t[]){1}, small_weight);
        x = at_linear(t->g, x, at_read(t->g, w), bias ? at_read(t->g, bias) : NULL);
        x = at_relu6(t->g, at_toy_scale(t->g, x, at_read(t->g, s)));
        x = at_columns(t->g, x, 0, WIDTH);
    }
    return x;
}

/* The gradients of the chain, in out; returns the bytes of activations. */
static size_t run_chain(at_ctx *ctx, bool again, at_real *out)
{
    at_bare t;
    at_recomputed r;
    at_real data[ROWS * WIDTH];
    for (int i = 0; i < ROWS * WIDTH; i++) data[i] = (at_real)(i % 17 - 8);
    at_bare_open(&t, ctx, "cpu", AT_TRAIN, ROWS);
    at_value *x = at_bare_rows(&t, "x", AT_ACT, WIDTH), *dy = at_bare_rows(&t, "dy", AT_ACT, WIDTH);
    at_value *y = build_chain(&t, x, NULL);
    at_gradients(t.g, &y, &dy, 1);
    at_expect_ok(ctx, at_store_layout(t.store, t.g));
    if (again) at_expect_ok(ctx, at_graph_recompute(t.g, NULL, 0, 0.0, &r));
    at_bare_plan(&t, NULL, 0, NULL);
    at_plan_write(t.plan, x, data, ROWS);
    at_plan_write(t.plan, dy, data, ROWS);
    at_bare_run(&t, ROWS, 0);
    at_expect_ok(ctx, at_plan_sync(t.plan));
    at_expect_ok(ctx, at_state_get(t.store, t.store->gradient, out));
    const size_t bytes = at_plan_memory(t.plan).activations;
    at_bare_close(&t);
    return bytes;
}

/* No value of the chain could be dropped alone: what it is made from would have to be kept instead. */
AT_TEST(test_recompute__repeats_whole_blocks)
{
    at_ctx *ctx = at_test_ctx();
    at_real kept[LAYERS * 16] = {0}, again[LAYERS * 16] = {0};
    const size_t all = run_chain(ctx, false, kept), few = run_chain(ctx, true, again);
    assert_memory_equal(kept, again, sizeof kept);
    assert_true((double)kept[0] != 0);
    if (few > all / 2) fail_msg("%zu of %zu bytes", few, all);
    at_test_done(ctx);
}

/* A running state has its next value by then. */
AT_TEST(test_recompute__repeats_nothing_that_reads_what_the_pass_assigns)
{
    at_ctx *ctx = at_test_ctx();
    at_bare t;
    at_recomputed r;
    at_bare_open(&t, ctx, "cpu", AT_TRAIN, ROWS);
    at_state *moves = at_bare_state(&t, "moves", AT_RUNNING, 1, (const int64_t[]){WIDTH}, small_weight);
    at_value *x = at_bare_rows(&t, "x", AT_ACT, WIDTH), *dy = at_bare_rows(&t, "dy", AT_ACT, WIDTH);
    at_value *y = build_chain(&t, x, moves);
    at_assign(t.g, moves, at_lerp(t.g, at_read(t.g, moves), at_read(t.g, moves), 0.5));
    at_gradients(t.g, &y, &dy, 1);
    at_expect_ok(ctx, at_store_layout(t.store, t.g));
    at_expect_ok(ctx, at_graph_recompute(t.g, NULL, 0, 0.0, &r));
    assert_true(r.n_nodes > 0);
    at_bare_plan(&t, NULL, 0, NULL); /* refuses what reads it too late */
    at_bare_close(&t);
    at_test_done(ctx);
}

/* ---- Work ---- */

static void expect_flops(const at_value *y, double want)
{
    if (at_node_flops(y->node) != want)
        fail_msg("%s: %.0f flops, expected %.0f", y->node->op->name, at_node_flops(y->node), want);
}

AT_TEST(test_recompute__counts_flops)
{
    at_ctx *ctx = at_test_ctx();
    at_bare t;
    at_bare_open(&t, ctx, "cpu", AT_TRAIN, 3);
    const at_conv2d_param p = {.stride_y = 1, .stride_x = 1, .dilation_y = 1, .dilation_x = 1, .groups = 2};
    at_value *x = at_input(t.g, "x", AT_ACT, t.rows, 4, (const int64_t[]){1, 6, 5, 4});
    at_value *w = at_input(t.g, "w", AT_ACC, NULL, 4, (const int64_t[]){8, 2, 3, 3});
    at_value *d = at_input(t.g, "d", AT_ACC, NULL, 4, (const int64_t[]){8, 1, 3, 3});
    at_value *v = at_input(t.g, "v", AT_ACC, NULL, 2, (const int64_t[]){7, 8});
    x->want_grad = w->want_grad = d->want_grad = v->want_grad = true;
    at_value *conv = at_conv2d(t.g, x, w, NULL, &p), *six = at_relu6(t.g, conv);
    at_value *each = at_depthwise(t.g, six, d, &p), *y = at_linear(t.g, each, v, NULL);
    at_value *dy = at_input(t.g, "dy", AT_ACT, t.rows, 4, (const int64_t[]){1, 2, 1, 7});
    at_gradients(t.g, &y, &dy, 1);
    at_expect_ok(ctx, at_graph_finish(t.g));
    at_value *const of_conv[] = {conv, x->grad, w->grad}, *const of_each[] = {each, six->grad, d->grad},
                    *const of_linear[] = {y, each->grad, v->grad};
    for (int i = 0; i < 3; i++) {
        expect_flops(of_conv[i], 2.0 * (3 * 4 * 3) * 8 * 2 * 9);
        expect_flops(of_each[i], 2.0 * (3 * 2 * 1) * 8 * 9);
        expect_flops(of_linear[i], 2.0 * (3 * 2 * 1) * 8 * 7);
    }
    expect_flops(six, 3 * 4 * 3 * 8);
    at_bare_close(&t);
    at_test_done(ctx);
}

/* ---- The program ---- */

static const char line[] = "train model photos --output %s --train.epochs 2 --train.batch_size 7 "
                           "--augment '[{flip: both}]' --dropout 0.4 --logging_steps 1 %s";

static void run_into(at_output *o, const char *folder, const char *output, const char *flags)
{
    char whole[1024];
    snprintf(whole, sizeof whole, line, output, flags);
    at_attune(o, folder, "%s", whole);
}

static void expect_part(const char *text, const char *part)
{
    if (!strstr(text, part)) fail_msg("\"%s\" is missing in:\n%s", part, text);
}

/* The number behind `before` in a text. */
static double number_behind(const char *text, const char *before)
{
    const char *at = strstr(text, before);
    if (!at) fail_msg("\"%s\" is missing in: %s", before, text);
    return strtod(at + strlen(before), NULL);
}

/* With little more memory than the program needs at least: how much that is, its refusal tells. */
static void check_program(const char *name, const char *flags, int threads)
{
    char folder[1024], kept[1100], again[1100], limited[200];
    at_output o;
    at_make_scene(folder, name, 8);
    run_into(&o, folder, "kept", flags);
    assert_int_equal(o.code, 0);
    assert_null(strstr(o.out, "recomputed:"));
    at_output_free(&o);
    snprintf(limited, sizeof limited, "%s --threads %d --memory 10K", flags, threads);
    run_into(&o, folder, "again", limited);
    assert_int_equal(o.code, 1);
    const int limit = (int)(1024 * (number_behind(o.err, "the plan needs ") + 0.1));
    at_output_free(&o);
    snprintf(limited, sizeof limited, "%s --threads %d --memory %dK", flags, threads, limit);
    run_into(&o, folder, "again", limited);
    if (o.code) fail_msg("%s", o.err);
    expect_part(o.out, " MiB of activations are recomputed: ");
    expect_part(o.out, " % more work\n");
    at_output_free(&o);
    snprintf(kept, sizeof kept, "%s/kept", folder);
    snprintf(again, sizeof again, "%s/again", folder);
    at_expect_same_file(kept, again, "model/model.safetensors");
    at_expect_same_file(kept, again, "metrics.jsonl");
}

AT_TEST(test_recompute__the_program_does_so_below_its_limit)
{
    check_program("recompute-f32", "--precision f32", 1);
    check_program("recompute-bf16", "--precision bf16", 5);
}

AT_TEST(test_recompute__the_program_does_so_with_batch_statistics)
{
    check_program("recompute-batch", "--precision f32 --edits '[{norm: {sites: \"*\", mode: train}}]'", 3);
}

/* The limit that the message names works, and one below it does not. */
AT_TEST(test_recompute__the_program_names_the_least_that_works)
{
    char folder[1024], flags[200];
    at_output o;
    at_make_scene(folder, "recompute-least", 8);
    run_into(&o, folder, "run", "--precision f32 --train.micro_batch 5 --memory 100K");
    assert_int_equal(o.code, 1);
    expect_part(o.err,
                " MiB even where activations are recomputed, the limit is 0.1 MiB; the least that works "
                "is --memory ");
    expect_part(o.err, "K with train.micro_batch 1 (is 5)\n");
    const int least = (int)number_behind(o.err, "--memory ");
    at_output_free(&o);
    for (int below = 0; below < 2; below++) {
        snprintf(flags, sizeof flags, "--precision f32 --train.micro_batch 1 --memory %dK", least - below);
        run_into(&o, folder, below ? "below" : "least", flags);
        assert_int_equal(o.code, below);
        at_output_free(&o);
    }
    snprintf(flags, sizeof flags, "--precision f32 --train.micro_batch 5 --memory %dK", least);
    run_into(&o, folder, "run", flags);
    assert_int_equal(o.code, 1);
    expect_part(o.err, "; set train.micro_batch 1 (is 5), which needs ");
    assert_true(number_behind(o.err, "which needs ") <= least / 1024.0 + 0.05);
    expect_part(o.err, " MiB, or raise --memory\n");
    at_output_free(&o);
}
