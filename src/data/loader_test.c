/* loader_test.c: batches come in order and are what one thread would make, for any number of threads. */
#include "data/dataset.h"
#include "tests/harness/test.h"

enum { SAMPLES = 23, WIDTH = 5 };

/* A sample's numbers depend on the sample and the epoch; sample `bad` cannot be read. */
typedef struct toy {
    at_dataset base;
    int64_t bad;
} toy;

static at_status fill(at_ctx *ctx, const at_dataset *d, int64_t sample, const at_fill *how, void *const *out)
{
    const toy *t = (const toy *)d;
    float *x = out[0];
    AT_REQUIRE(ctx, sample != t->bad, AT_E_FORMAT, "sample %d is broken", (int)sample);
    for (int k = 0; k < (int)(7000 * ((uint64_t)sample % 3)); k++) x[0] = (float)k; /* some take longer */
    for (int i = 0; i < WIDTH; i++) x[i] = (float)(1000 * sample + 10 * i + (int64_t)how->epoch);
    *(int32_t *)out[1] = (int32_t)sample;
    return AT_OK;
}

static toy make(int64_t bad)
{
    return (toy){.base = {.n = SAMPLES,
                          .columns = {{.name = "x", .dtype = AT_F32, .rank = 1, .dim = {WIDTH}},
                                      {.name = "labels", .dtype = AT_I32}},
                          .n_columns = 2,
                          .fill = fill},
                 .bad = bad};
}

static void expect_batch(const at_batch *b, const int32_t *order, int64_t n, int epoch)
{
    assert_int_equal(b->n, n);
    for (int64_t i = 0; i < n; i++) {
        assert_int_equal(b->sample_id[i], order[i]);
        assert_int_equal(((const int32_t *)b->data[1])[i], order[i]);
        for (int k = 0; k < WIDTH; k++)
            assert_true(((const float *)b->data[0])[i * WIDTH + k] ==
                        (float)(1000 * order[i] + 10 * k + epoch));
    }
}

static void read_epochs(int threads)
{
    at_ctx *ctx = at_test_ctx();
    const toy t = make(-1);
    int32_t order[SAMPLES];
    static const int32_t sizes[] = {7, 7, 1, 8};
    at_loader *l;
    at_expect_ok(ctx, at_loader_create(&l, ctx, &t.base, 8, threads));
    for (int epoch = 0; epoch < 20; epoch++) {
        at_shuffle(order, SAMPLES, 3, (uint64_t)epoch);
        at_loader_start(l, order, sizes, 4, &(at_fill){.epoch = (uint64_t)epoch});
        int64_t done = 0;
        const int batches = epoch % 3 ? 4 : 2; /* some epochs are left in the middle */
        for (int i = 0; i < batches; i++) {
            at_batch b;
            at_expect_ok(ctx, at_loader_next(l, &b));
            expect_batch(&b, order + done, sizes[i], epoch);
            done += sizes[i];
        }
    }
    at_loader_destroy(l);
    at_test_done(ctx);
}

AT_TEST(test_loader__batches_do_not_depend_on_threads)
{
    read_epochs(1);
    read_epochs(2);
    read_epochs(5);
}

AT_TEST(test_loader__a_broken_sample_is_told_with_its_batch)
{
    for (int threads = 1; threads <= 5; threads += 4) {
        at_ctx *ctx = at_test_ctx();
        const toy t = make(9);
        int32_t order[SAMPLES];
        static const int32_t sizes[] = {8, 8, 7};
        at_loader *l;
        at_batch b;
        for (int i = 0; i < SAMPLES; i++) order[i] = i;
        at_expect_ok(ctx, at_loader_create(&l, ctx, &t.base, 8, threads));
        at_loader_start(l, order, sizes, 3, &(at_fill){0});
        at_expect_ok(ctx, at_loader_next(l, &b));
        expect_batch(&b, order, 8, 0);
        at_expect_error(ctx, at_loader_next(l, &b), AT_E_FORMAT, "sample 9 is broken");
        at_loader_destroy(l);
        at_test_done(ctx);
    }
}

AT_TEST(test_loader__the_end_is_told)
{
    at_ctx *ctx = at_test_ctx();
    const toy t = make(-1);
    static const int32_t order[] = {4}, sizes[] = {1};
    at_loader *l;
    at_batch b;
    at_expect_ok(ctx, at_loader_create(&l, ctx, &t.base, 8, 2));
    at_loader_start(l, order, sizes, 1, &(at_fill){0});
    at_expect_ok(ctx, at_loader_next(l, &b));
    at_expect_error(ctx, at_loader_next(l, &b), AT_E_STATE, "no further batch");
    at_loader_destroy(l);
    at_test_done(ctx);
}

AT_TEST(test_loader__shuffles_are_permutations_of_seed_and_epoch)
{
    int32_t a[SAMPLES], b[SAMPLES];
    bool seen[SAMPLES] = {0};
    at_shuffle(a, SAMPLES, 1, 2);
    for (int i = 0; i < SAMPLES; i++) {
        assert_in_range(a[i], 0, SAMPLES - 1);
        assert_false(seen[a[i]]);
        seen[a[i]] = true;
    }
    at_shuffle(b, SAMPLES, 1, 2);
    assert_memory_equal(a, b, sizeof a);
    at_shuffle(b, SAMPLES, 1, 3);
    assert_true(memcmp(a, b, sizeof a) != 0);
    at_shuffle(b, SAMPLES, 2, 2);
    assert_true(memcmp(a, b, sizeof a) != 0);
}
