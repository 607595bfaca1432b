/* same_bits_test.c: what may not change a bit of a training: threads, the budget of prepared operands, the
 * device; and what the far device is for. */
#include "ops/optim/adamw.h"
#include "tests/harness/child.h"
#include "tests/harness/report.h"
#include "tests/harness/small.h"
#include "tests/harness/test.h"
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

static at_ctx *ctx_of(int threads)
{
    at_ctx *ctx;
    if (at_ctx_create(&ctx, &(at_ctx_options){.threads = threads}) != AT_OK) fail_msg("no context");
    return ctx;
}

static void expect_same_training(const at_small_options *a, int threads_a, const at_small_options *b,
                                 int threads_b, const char *what)
{
    at_ctx *first = ctx_of(threads_a), *second = ctx_of(threads_b);
    at_report r = {0};
    int64_t n, m;
    at_real *x = at_small_train(first, a, &n), *y = at_small_train(second, b, &m);
    assert_int_equal(n, m);
    at_report_same(&r, what, x, y, (size_t)n * sizeof *x);
    at_expect_clean(&r);
    free(x), free(y);
    at_test_done(first);
    at_test_done(second);
}

AT_TEST(test_same_bits__with_one_two_and_five_threads)
{
    expect_same_training(NULL, 1, NULL, 2, "2 threads");
    expect_same_training(NULL, 1, NULL, 5, "5 threads");
}

AT_TEST(test_same_bits__of_bf16)
{
    const at_small_options plain = {.act = AT_BF16}, unprepared = {.act = AT_BF16, .no_prepared = true},
                           far = {.act = AT_BF16, .device = "far"},
                           poisoned = {.act = AT_BF16, .poison = true};
    expect_same_training(&plain, 1, &plain, 2, "2 threads");
    expect_same_training(&plain, 1, &plain, 5, "5 threads");
    expect_same_training(&plain, 2, &unprepared, 2, "budget 0");
    expect_same_training(&plain, 2, &far, 2, "far");
    expect_same_training(&plain, 2, &poisoned, 2, "what lies behind the rows");
}

AT_TEST(test_same_bits__without_a_budget_for_prepared_operands)
{
    expect_same_training(NULL, 2, &(at_small_options){.no_prepared = true}, 2, "budget 0");
}

AT_TEST(test_same_bits__for_every_variant_of_the_kernels)
{
    static const char *const variants[] = {"ref", "base", "avx2"};
    for (int i = 0; i < AT_COUNT(variants); i++) {
        const at_small_options o = {.kernels = variants[i]};
        expect_same_training(&o, 1, &o, 5, variants[i]);
        const at_small_options narrow = {.kernels = variants[i], .act = AT_BF16};
        expect_same_training(&narrow, 1, &narrow, 5, variants[i]);
    }
}

/* The far device works behind the host's back; scalars are read one step late there as here. */
AT_TEST(test_same_bits__on_the_far_device)
{
    expect_same_training(NULL, 2, &(at_small_options){.device = "far"}, 2, "far");
}

/* A control: the comparison sees one bit of one weight. */
AT_TEST(test_same_bits__one_bit_is_seen)
{
    at_ctx *ctx = at_test_ctx();
    at_report r = {0};
    int64_t n;
    at_real *x = at_small_train(ctx, NULL, &n), *y = malloc((size_t)n * sizeof *y);
    memcpy(y, x, (size_t)n * sizeof *y);
    ((unsigned char *)y)[n / 2 * (int64_t)sizeof *y] ^= 1;
    at_report_same(&r, "flipped", x, y, (size_t)n * sizeof *x);
    assert_int_equal(r.failures, 1);
    free(x), free(y);
    at_test_done(ctx);
}

/* ---- Flat ranges: an update of [0, n) in pieces ---- */

enum { FLAT = 40050 };

static void fill(at_real *x, int which, double low)
{
    const at_rng_key key = at_rng_make(3, (uint64_t)which, 0);
    for (int64_t i = 0; i < FLAT; i++) x[i] = (at_real)(low + at_rng_uniform(key, 0, 0, (uint64_t)i));
}

/* AdamW on the given ranges, in place in state[0..2]: masters, means, squares. */
static void update(at_ctx *ctx, const at_kernel *k, const at_range *list, int64_t n, at_real *const *state,
                   at_real *gradient)
{
    const at_adamw_param p = {{list, n}, 0.9, 0.999, 1e-8};
    at_real step = 6, scale = (at_real)0.25, ok = 1, rate = (at_real)0.01;
    void *const data[] = {state[0], gradient, state[1], state[2], &step, &scale, &ok, &rate};
    at_call c = {.param = &p, .pool = ctx->pool};
    for (int i = 0; i < 8; i++)
        c.in[i] = (at_arg){.data = data[i],
                           .dtype = AT_REAL,
                           .rank = 1,
                           .dim = {i < 4 ? FLAT : 1},
                           .rows = 1,
                           .cols = i < 4 ? FLAT : 1,
                           .pitch = i < 4 ? FLAT : 1};
    assert_int_equal(k ? k->run(&c) : at_op_adamw.ref(&c), AT_OK);
}

static void check_halves(at_ctx *ctx, const at_kernel *k)
{
    static const int64_t cuts[] = {1, 4999, 16384, 20011, 40033};
    const at_range whole[] = {{.lo = 0, .hi = 40001, .rate = 1, .decay = 0.1},
                              {.lo = 40016, .hi = FLAT, .rate = 0.5}};
    at_real *state[2][3], *gradient = malloc(FLAT * sizeof *gradient);
    at_report r = {0};
    fill(gradient, 9, -0.5);
    for (int i = 0; i < 6; i++) state[i / 3][i % 3] = malloc(FLAT * sizeof(at_real));
    for (int c = 0; c < AT_COUNT(cuts); c++) {
        for (int i = 0; i < 6; i++) fill(state[i / 3][i % 3], i % 3, i % 3 == 2 ? 0.5 : -0.5);
        update(ctx, k, whole, 2, state[0], gradient);
        at_range low[2], high[2];
        int64_t n_low = 0, n_high = 0;
        for (int i = 0; i < 2; i++) {
            low[n_low] = high[n_high] = whole[i];
            low[n_low].hi = at_min(whole[i].hi, cuts[c]);
            high[n_high].lo = at_max(whole[i].lo, cuts[c]);
            n_low += low[n_low].lo < low[n_low].hi;
            n_high += high[n_high].lo < high[n_high].hi;
        }
        update(ctx, k, high, n_high, state[1], gradient);
        update(ctx, k, low, n_low, state[1], gradient);
        at_report_at(&r, "%s cut at %lld", k ? k->name : "reference", (long long)cuts[c]);
        for (int i = 0; i < 3; i++)
            at_report_same(&r, "state", state[1][i], state[0][i], FLAT * sizeof(at_real));
    }
    at_expect_clean(&r);
    for (int i = 0; i < 6; i++) free(state[i / 3][i % 3]);
    free(gradient);
}

AT_TEST(test_same_bits__updates_of_halves_equal_the_whole)
{
    at_ctx *ctx = at_test_ctx();
    int cursor = 0, n = 0;
    const at_kernel *k;
    check_halves(ctx, NULL);
    while ((k = at_registry_next(ctx, "kernel", &cursor)))
        if (k->op == &at_op_adamw && k->isa <= ctx->isa) check_halves(ctx, k), n++;
    assert_true(n > 0);
    at_test_done(ctx);
}

/* ---- The far device ---- */

typedef struct far_read {
    const char *device;
    bool wait; /* until the device is idle */
} far_read;

/* Reads device memory from the host, which must not be possible. */
static int read_from_outside(void *arg, char message[512])
{
    const far_read *how = arg;
    at_ctx *ctx;
    at_device *d;
    at_buffer b;
    const struct rlimit no_core = {0, 0};
    setrlimit(RLIMIT_CORE, &no_core);
    for (int s = SIGSEGV; s; s = s == SIGSEGV ? SIGBUS : 0)
        signal(s, SIG_DFL); /* the sanitizer's report is not wanted */
    if (at_ctx_create(&ctx, NULL) != AT_OK || at_device_open(&d, ctx, how->device) != AT_OK) return 1;
    if (d->kind->alloc(d, &b, 4096) != AT_OK) return 1;
    const at_real one = 1;
    d->kind->upload(d, b.data, sizeof one, &one, sizeof one, sizeof one, 1);
    if (d->kind->sync(d) != AT_OK) return 1;
    message[0] = *(volatile at_real *)b.data == one ? '1' : '0';
    return 0;
}

AT_TEST(test_far__memory_cannot_be_read_from_outside)
{
    at_child c;
    at_child_run(&c, read_from_outside, &(far_read){.device = "far"});
    assert_int_equal(c.signal, SIGSEGV);
    at_child_run(&c, read_from_outside, &(far_read){.device = "cpu"}); /* the same read where it is legal */
    assert_int_equal(c.signal, 0);
    assert_int_equal(c.status, 0);
    assert_int_equal(c.message[0], '1');
}

static at_status fails(const at_call *c)
{
    (void)c;
    return AT_E_DEVICE;
}

/* A failing kernel is told by the next sync, once. */
AT_TEST(test_far__reports_the_failure_of_a_kernel_at_sync)
{
    static const char *const devices[] = {"cpu", "far"};
    for (int i = 0; i < 2; i++) {
        at_ctx *ctx = at_test_ctx();
        at_device *d;
        at_expect_ok(ctx, at_device_open(&d, ctx, devices[i]));
        d->kind->launch(d, fails, &(at_call){0});
        at_expect_error(ctx, d->kind->sync(d), AT_E_DEVICE, "a kernel failed on the");
        at_expect_ok(ctx, d->kind->sync(d));
        at_device_close(d);
        at_test_done(ctx);
    }
}
