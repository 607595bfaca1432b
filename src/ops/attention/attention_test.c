/* attention_test.c: a sample's numbers do not depend on what it is packed with; defaults of the builder. */
#include "ops/attention/attention.h"
#include "tests/harness/rig.h"
#include "tests/harness/test.h"
#include <math.h>

enum { SAMPLES = 4, COLS = 10, ROWS = 1 + 70 + 6 + 129 };

static const char *const every_kernel[] = {"ref", "base", "avx2", "avx512"};
static const int lengths[SAMPLES] = {1, 70, 6, 129};
static const int32_t ids[SAMPLES] = {4, 9, 4000, 1};

typedef struct numbers {
    at_real query[ROWS * COLS], key[ROWS * COLS], value[ROWS * COLS], dy[ROWS * COLS];
    at_real out[3][ROWS * COLS]; /* y; or the gradients */
} numbers;

/* Samples [first, first + n) of x as a batch of their own. */
static void run(at_ctx *ctx, const char *kernels, double dropout, bool gradient, numbers *x, int first, int n)
{
    int64_t before = 0, rows = 0;
    for (int s = 0; s < first; s++) before += lengths[s];
    for (int s = first; s < first + n; s++) rows += lengths[s];
    const at_attention_param p = {.heads = 2, .scale = 0.6, .window = 90, .dropout = dropout};
    at_op_case k = {.name = "here",
                    .param = &p,
                    .lengths = lengths + first,
                    .n_lengths = n,
                    .in = {{2, {rows, COLS}}, {2, {rows, COLS}}, {2, {rows, COLS}}, {1, {n + 1}}},
                    .int_below = 1};
    if (dropout > 0) k.in[4] = (at_shape){1, {n}};
    at_rig t;
    at_expect_ok(
        ctx, at_rig_build(&t, ctx, dropout > 0 ? &at_op_attention_dropout : &at_op_attention, &k,
                          &(at_rig_options){.wanted = gradient ? 7 : 0, .seeded = 1, .kernels = kernels}));
    const size_t bytes = (size_t)(rows * COLS) * sizeof(at_real);
    at_real *const from[] = {x->query, x->key, x->value};
    for (int i = 0; i < 3; i++) memcpy(t.data[i], from[i] + before * COLS, bytes);
    memcpy(t.seeds[0], x->dy + before * COLS, bytes);
    if (dropout > 0) memcpy(t.data[4], ids + first, (size_t)n * sizeof *ids);
    at_real *out[3];
    for (int i = 0; i < 3; i++) out[i] = x->out[i] + before * COLS;
    at_expect_ok(ctx, at_rig_run(&t, out));
    at_rig_destroy(&t);
}

static void fill(numbers *x)
{
    at_real *const to[] = {x->query, x->key, x->value, x->dy};
    for (int i = 0; i < 4; i++)
        for (int e = 0; e < ROWS * COLS; e++)
            to[i][e] = (at_real)(4 * at_rng_uniform(at_rng_make(1, 2, 3), (uint64_t)i, 0, (uint64_t)e) - 2);
}

AT_TEST(test_attention__packed_equals_one_by_one)
{
    at_ctx *ctx = at_test_ctx();
    static numbers packed, apart;
    fill(&packed);
    fill(&apart);
    for (int i = 0; i < AT_COUNT(every_kernel); i++)
        for (int dropout = 0; dropout < 2; dropout++)
            for (int gradient = 0; gradient < 2; gradient++) {
                run(ctx, every_kernel[i], 0.3 * dropout, gradient, &packed, 0, SAMPLES);
                for (int s = 0; s < SAMPLES; s++)
                    run(ctx, every_kernel[i], 0.3 * dropout, gradient, &apart, s, 1);
                assert_memory_equal(packed.out, apart.out, (gradient ? 3 : 1) * sizeof packed.out[0]);
            }
    at_test_done(ctx);
}

AT_TEST(test_attention__a_nan_stays_in_its_sample)
{
    at_ctx *ctx = at_test_ctx();
    static numbers x;
    for (int i = 0; i < AT_COUNT(every_kernel); i++) {
        fill(&x);
        x.key[30 * COLS] = (at_real)NAN; /* of sample 1 */
        run(ctx, every_kernel[i], 0, false, &x, 0, SAMPLES);
        for (int r = 0; r < ROWS; r++) assert_int_equal(isnan((double)x.out[0][r * COLS]), r >= 1 && r <= 70);
    }
    at_test_done(ctx);
}

AT_TEST(test_attention__drops_in_training_only_and_has_a_default_scale)
{
    at_ctx *ctx = at_test_ctx();
    for (int mode = AT_TRAIN; mode <= AT_EVAL; mode++) {
        at_graph *g;
        at_expect_ok(ctx, at_graph_create(&g, ctx, NULL, (at_mode)mode));
        const at_extent *rows = at_graph_extent(g, "rows", 9), *samples = at_graph_extent(g, "samples", 3);
        at_value *x = at_input(g, "x", AT_ACT, rows, 2, (const int64_t[]){1, 32});
        at_value *offsets = at_input(g, "offsets", AT_INT, NULL, 1, (const int64_t[]){4});
        at_value *id = at_input(g, "id", AT_INT, samples, 1, (const int64_t[]){1});
        const at_attention_options o = {.heads = 2, .dropout = 0.1, .sample_id = id};
        const at_node *n = at_attention(g, x, x, x, offsets, &o)->node;
        at_expect_ok(ctx, at_graph_finish(g));
        assert_ptr_equal(n->op, mode == AT_TRAIN ? &at_op_attention_dropout : &at_op_attention);
        assert_true(((const at_attention_param *)n->param)->scale == 0.25);
        at_graph_destroy(g);
    }
    at_test_done(ctx);
}
