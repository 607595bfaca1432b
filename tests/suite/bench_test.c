/* bench_test.c: `attune bench`: what it tells is whole and agrees with itself, and what it refuses. Its times
 * are never tested: machines are busy. */
#include "tests/harness/program.h"
#include "tests/harness/scene.h"
#include "tests/harness/test.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* Little memory: the machine's bandwidth is measured with a quarter of it. */
#define QUICK "--memory 100M --bench.size 32 --bench.steps 2 --bench.warmup 1 --batch_size 4"

/* ---- JSON ---- */

static double number(const at_tree *t, const char *key)
{
    const at_tree *x = at_tree_at(t, key);
    if (!x || (x->kind != AT_NUMBER && x->kind != AT_WHOLE)) fail_msg("%s is no number", key);
    return x->number;
}

static void expect_positive(const at_tree *t, const char *key)
{
    const double x = number(t, key);
    if (!(isfinite(x) && x > 0)) fail_msg("%s is %g", key, x);
}

static void expect_close(double x, double y, const char *what)
{
    if (!(fabs(x - y) <= 1e-9 * fabs(y))) fail_msg("%s: %.17g is not %.17g", what, x, y);
}

/* Each line of a list by itself; returns the sum of a key. */
static double expect_works(const at_tree *list, const char *key)
{
    double sum = 0;
    for (const at_tree *w = list->first; w; w = w->next) {
        expect_positive(w, "seconds");
        expect_positive(w, "bytes");
        expect_positive(w, "least_seconds");
        expect_positive(w, "limit_share");
        expect_close(number(w, "least_seconds") / number(w, "seconds"), number(w, "limit_share"), "a share");
        assert_true(number(w, "flops") >= 0);
        sum += number(w, key);
    }
    return sum;
}

static void expect_order(const at_tree *nodes)
{
    double before = INFINITY;
    for (const at_tree *w = nodes->first; w; w = w->next) {
        const double lost = number(w, "seconds") - number(w, "least_seconds");
        assert_true(lost <= before + 1e-12);
        before = lost;
    }
}

/* The least time of a node follows from the machine's limits; products are among the nodes. */
static void expect_limits(const at_tree *b, const at_tree *nodes)
{
    double most = 0;
    for (const at_tree *w = nodes->first; w; w = w->next) {
        const double arithmetic = number(w, "flops") / number(b, "machine.flops_per_second");
        const double memory = number(w, "bytes") / number(b, "machine.bytes_per_second");
        expect_close(number(w, "least_seconds"), fmax(arithmetic, memory), "a least time");
        most = fmax(most, number(w, "flops"));
    }
    assert_true(most > 10000);
}

static void expect_sums(const at_tree *b)
{
    const at_tree *nodes = at_tree_get(b, "by_node"), *kernels = at_tree_get(b, "by_kernel");
    assert_true(nodes && kernels && nodes->n > 20 && kernels->n > 3);
    assert_int_equal(nodes->n, (int)number(b, "roofline.nodes"));
    const double seconds = number(b, "roofline.nodes_seconds"), least = number(b, "roofline.least_seconds");
    expect_close(expect_works(nodes, "seconds"), seconds, "nodes");
    expect_close(expect_works(kernels, "seconds"), seconds, "kernels");
    expect_close(expect_works(nodes, "least_seconds"), least, "least time of nodes");
    expect_close(expect_works(kernels, "least_seconds"), least, "least time of kernels");
    expect_close(expect_works(kernels, "nodes"), (double)nodes->n, "nodes of kernels");
    expect_close(number(b, "roofline.limit_share"), least / number(b, "step_seconds"), "the step's share");
    expect_order(nodes);
    expect_limits(b, nodes);
}

static void expect_speed(const at_tree *b)
{
    static const char *const positive[] = {"least_seconds", "peak_resident_bytes", "machine.bytes_per_second",
                                           "machine.flops_per_second", "roofline.limit_share"};
    for (int i = 0; i < AT_COUNT(positive); i++) expect_positive(b, positive[i]);
    expect_close(number(b, "samples_per_second"), number(b, "batch") / number(b, "step_seconds"), "speed");
    assert_true(number(b, "least_seconds") <= number(b, "step_seconds"));
    assert_true(number(b, "step_seconds") <= number(b, "most_seconds"));
    assert_true(isfinite(number(b, "last_loss")));
}

static const at_tree *bench(at_arena *a, const char *folder, const char *options)
{
    at_output o;
    at_attune(&o, folder, "bench model --json %s", options);
    if (o.code != 0) fail_msg("%s: %s", options, o.err);
    const at_tree *lines = at_json_lines(a, o.out), *b = at_event_named(lines, "bench", 0);
    assert_non_null(b);
    assert_int_equal(lines->n, 1);
    at_output_free(&o);
    return b;
}

AT_TEST(test_bench__json_agrees_with_itself)
{
    static const char *const recipes[] = {
        QUICK, /* the head alone: below */
        QUICK " --precision bf16",
        QUICK " --train.micro_batch 3",
        QUICK " --kernels ref --precision bf16",
        QUICK " --isa base --precision bf16", /* slow products: arithmetic bounds them */
    };
    char folder[1024];
    at_ctx *ctx = at_test_ctx();
    at_arena arena;
    at_arena_init(&arena, ctx);
    at_make_scene(folder, "bench-json", 1);
    for (int i = 0; i < AT_COUNT(recipes); i++) {
        const at_tree *b = bench(&arena, folder, recipes[i]);
        expect_speed(b);
        expect_sums(b);
    }
    at_arena_deinit(&arena);
    at_test_done(ctx);
}

/* A pass less full does less: the work of a step does not depend on how it is cut. */
AT_TEST(test_bench__work_is_that_of_the_batch)
{
    char folder[1024];
    at_ctx *ctx = at_test_ctx();
    at_arena arena;
    at_arena_init(&arena, ctx);
    at_make_scene(folder, "bench-work", 1);
    const at_tree *whole = bench(&arena, folder, QUICK " --method head --train.micro_batch 4"),
                  *cut = bench(&arena, folder, QUICK " --method head --train.micro_batch 3");
    expect_speed(whole), expect_sums(whole);
    expect_speed(cut), expect_sums(cut);
    const double a = expect_works(at_tree_get(whole, "by_node"), "flops"),
                 b = expect_works(at_tree_get(cut, "by_node"), "flops");
    if (!(b >= a && b < 1.02 * a)) fail_msg("%g operations in one pass, %g in two", a, b);
    assert_int_equal((int)number(cut, "micro_batch"), 3);
    at_arena_deinit(&arena);
    at_test_done(ctx);
}

AT_TEST(test_bench__keys_are_heard)
{
    char folder[1024];
    at_ctx *ctx = at_test_ctx();
    at_arena arena;
    at_arena_init(&arena, ctx);
    at_make_scene(folder, "bench-keys", 1);
    const at_tree *b = bench(&arena, folder, QUICK " --bench.classes 7 --bench.limits false --threads 1");
    assert_int_equal((int)number(b, "classes"), 7);
    assert_int_equal((int)number(b, "size"), 32);
    assert_int_equal((int)number(b, "steps"), 2);
    assert_int_equal((int)number(b, "batch"), 4);
    assert_int_equal((int)number(b, "threads"), 1);
    assert_null(at_tree_get(b, "machine"));
    b = bench(&arena, folder, "--bench.steps 1 --bench.warmup 1 --batch_size 2 --bench.limits false");
    assert_int_equal((int)number(b, "classes"), 5); /* the checkpoint's, as its size is */
    assert_true(number(b, "size") > 0);
    at_arena_deinit(&arena);
    at_test_done(ctx);
}

/* Of all nodes of an op. */
static double flops_of(const at_tree *b, const char *op)
{
    double sum = 0;
    for (const at_tree *w = at_tree_get(b, "by_node")->first; w; w = w->next)
        if (strcmp(at_tree_get(w, "op")->text, op) == 0) sum += number(w, "flops");
    return sum;
}

/* Texts of noise: a pass takes as many as their tokens fit, and the work of a step does not depend on it. */
AT_TEST(test_bench__takes_networks_for_texts)
{
    static const char quick[] =
        "--memory 100M --bench.size 8 --bench.steps 2 --bench.warmup 1 --batch_size 4";
    char folder[1024], cut_options[200];
    at_ctx *ctx = at_test_ctx();
    at_arena arena;
    at_arena_init(&arena, ctx);
    at_test_folder(folder, "bench-texts");
    at_copy_bert(folder, "model");
    snprintf(cut_options, sizeof cut_options, "%s --train.max_tokens 17", quick);
    const at_tree *whole = bench(&arena, folder, quick), *cut = bench(&arena, folder, cut_options);
    const at_tree *const both[] = {whole, cut};
    for (int i = 0; i < AT_COUNT(both); i++) {
        expect_speed(both[i]);
        expect_sums(both[i]);
        assert_int_equal((int)number(both[i], "size"), 8);
        assert_int_equal((int)number(both[i], "batch"), 4);
    }
    assert_int_equal((int)number(whole, "micro_batch"), 4);
    assert_int_equal((int)number(cut, "micro_batch"), 2);
    expect_close(flops_of(whole, "linear_dw"), flops_of(cut, "linear_dw"), "work of the rows");
    static const char *const fused[] = {"linear_gelu", "linear_dx_gelu", "add_layernorm"};
    static const char *const parts[] = {"gelu", "gelu_dx", "layernorm"};
    for (int i = 0; i < AT_COUNT(fused); i++)
        assert_true(flops_of(whole, fused[i]) > 0 && flops_of(whole, parts[i]) == 0);
    at_attune_expect(2, folder, "bench model --bench.size 4096");
    at_arena_deinit(&arena);
    at_test_done(ctx);
}

/* ---- Text ---- */

/* Sum of the first column from the line after `head` to the one that tells the sum; *n: how many lines. */
static double column_sum(const char *text, const char *head, double *told, int *n)
{
    const char *line = strstr(text, head);
    double sum = 0;
    if (!line) fail_msg("\"%s\" is missing in:\n%s", head, text);
    for (*n = 0, line = strchr(line, '\n'); line; line = strchr(line + 1, '\n')) {
        char *end;
        const double x = strtod(line + 1, &end);
        *told = x;
        if (strncmp(end, " ms in all nodes\n", 17) == 0) return sum;
        sum += x;
        ++*n;
    }
    fail_msg("the table has no sum:\n%s", text);
    return sum;
}

AT_TEST(test_bench__text_adds_up)
{
    static const char *const parts[] = {"model      model: ",
                                        "\nstep       ",
                                        " samples/s (",
                                        "\nmemory     ",
                                        "\nmachine    ",
                                        " GB/s of memory, ",
                                        "largest losses: kernel, site, shapes\n",
                                        "\nroofline   "};
    char folder[1024];
    double told = 0;
    int n;
    at_output o;
    at_make_scene(folder, "bench-text", 1);
    at_attune(&o, folder, "bench model " QUICK);
    if (o.code != 0) fail_msg("%s", o.err);
    for (int i = 0; i < AT_COUNT(parts); i++)
        if (!strstr(o.out, parts[i])) fail_msg("\"%s\" is missing in:\n%s", parts[i], o.out);
    const double sum = column_sum(o.out, "kernel (nodes)", &told, &n);
    assert_true(n > 3);
    if (!(fabs(sum - told) <= 0.0005 * (n + 1))) /* each is rounded to 0.001 */
        fail_msg("%d lines add up to %.3f, the sum is %.3f", n, sum, told);
    at_output_free(&o);
}

/* ---- Refusals, and what is left behind ---- */

static void expect_refused(const char *folder, int code, const char *line, const char *part)
{
    at_output o;
    at_attune(&o, folder, "%s", line);
    if (o.code != code) fail_msg("%s: exit code %d, must be %d: %s", line, o.code, code, o.err);
    if (!strstr(o.err, part)) fail_msg("%s: \"%s\" is missing in: %s", line, part, o.err);
    assert_string_equal(o.out, "");
    at_output_free(&o);
}

AT_TEST(test_bench__refuses)
{
    char folder[1024];
    at_make_scene(folder, "bench-refuses", 1);
    expect_refused(folder, 2, "bench", "no model is given");
    expect_refused(folder, 1, "bench nowhere", "nowhere: no such model folder");
    expect_refused(folder, 2, "bench model photos", "bench takes a model");
    expect_refused(folder, 2, "bench model --bench.clases 3", "did you mean \"bench.classes\"?");
    expect_refused(folder, 2, "bench model --bench.size 0", "bench.size is 0, must be 1 to 4096");
    expect_refused(folder, 2, "bench model --bench.size 5000", "bench.size is 5000, must be 1 to 4096");
    expect_refused(folder, 2, "bench model --bench.steps 0", "bench.steps is 0");
    expect_refused(folder, 1, "bench model --method probe", "bench times steps");
    expect_refused(folder, 1, "bench model --bench.size 4096 --memory 20M", "the limit is 20.0 MiB");
}

AT_TEST(test_bench__writes_nothing)
{
    char folder[1024], before[65], after[65];
    at_make_scene(folder, "bench-writes", 1);
    at_folder_digest(before, folder, NULL);
    at_attune_expect(0, folder, "bench model " QUICK " --method head --cache cache");
    at_folder_digest(after, folder, NULL);
    assert_string_equal(before, after);
}
