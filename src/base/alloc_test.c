/* alloc_test.c: accounting, simulated failure, arenas, blocks. */
#include "tests/harness/test.h"
#include "tests/harness/torture.h"

AT_TEST(test_alloc__memory_is_zeroed_and_counted)
{
    at_ctx *ctx = at_test_ctx();
    char *p = at_alloc(ctx, 100), *empty = at_alloc(ctx, 0);
    assert_non_null(p);
    assert_non_null(empty);
    for (int i = 0; i < 100; i++) assert_int_equal(p[i], 0);
    assert_int_equal(ctx->alloc.live, 2);
    assert_int_equal(ctx->alloc.calls, 2);
    at_free(ctx, p);
    at_free(ctx, empty);
    at_free(ctx, NULL);
    at_test_done(ctx);
}

AT_TEST(test_alloc__a_leak_shows)
{
    at_ctx *ctx = at_test_ctx();
    void *p = at_alloc(ctx, 1);
    assert_int_equal(ctx->alloc.live, 1); /* what at_test_done checks */
    at_free(ctx, p);
    at_test_done(ctx);
}

AT_TEST(test_alloc__fails_on_request_once)
{
    at_ctx *ctx = at_test_ctx();
    ctx->alloc.fail_at = 2;
    void *first = at_alloc(ctx, 1), *second = at_alloc(ctx, 1), *third = at_alloc(ctx, 1);
    assert_non_null(first);
    assert_null(second);
    assert_non_null(third);
    at_expect_error(ctx, at_last_status(ctx), AT_E_NOMEM, "out of memory");
    at_free(ctx, first);
    at_free(ctx, third);
    at_test_done(ctx);
}

AT_TEST(test_alloc__overflowing_arrays_are_refused)
{
    at_ctx *ctx = at_test_ctx();
    assert_null(at_alloc_array(ctx, INT64_MAX / 2, 4));
    at_expect_error(ctx, at_last_status(ctx), AT_E_NOMEM, "out of memory");
    assert_null(at_alloc_array(ctx, -1, 4));
    at_expect_error(ctx, at_last_status(ctx), AT_E_NOMEM, "out of memory");
    at_test_done(ctx);
}

AT_TEST(test_alloc__realloc_keeps_content_and_survives_failure)
{
    at_ctx *ctx = at_test_ctx();
    char *p = at_strdup(ctx, "abc");
    p = at_realloc(ctx, p, 4, 8);
    assert_memory_equal(p, "abc\0\0\0\0", 8);
    ctx->alloc.fail_at = 1;
    assert_null(at_realloc(ctx, p, 8, 16));
    assert_string_equal(p, "abc");
    at_clear_error(ctx);
    p = at_realloc(ctx, p, 8, 2);
    assert_memory_equal(p, "ab", 2);
    at_free(ctx, p);
    at_test_done(ctx);
}

AT_TEST(test_arena__objects_are_zeroed_aligned_and_apart)
{
    at_ctx *ctx = at_test_ctx();
    at_arena a;
    at_arena_init(&a, ctx);
    assert_non_null(at_arena_alloc(&a, 0)); /* in an empty arena, too */
    char *objects[300];
    for (int i = 0; i < AT_COUNT(objects); i++) {
        const size_t n = (size_t)i * 7 % 1000 + 1;
        objects[i] = at_arena_alloc(&a, n);
        assert_int_equal((uintptr_t)objects[i] % 16, 0);
        for (size_t k = 0; k < n; k++) assert_int_equal(objects[i][k], 0);
        memset(objects[i], i, n);
    }
    for (int i = 0; i < AT_COUNT(objects); i++) assert_int_equal(objects[i][i * 7 % 1000], (char)i);
    assert_true(ctx->alloc.live < 10); /* chunks, not objects */
    at_arena_deinit(&a);
    at_test_done(ctx);
}

AT_TEST(test_arena__takes_objects_larger_than_a_chunk)
{
    at_ctx *ctx = at_test_ctx();
    at_arena a;
    at_arena_init(&a, ctx);
    char *large = at_arena_alloc(&a, 1 << 20);
    memset(large, 1, 1 << 20);
    assert_string_equal(at_arena_strdup(&a, "text"), "text");
    assert_string_equal(at_arena_printf(&a, "%d-%s", 7, "x"), "7-x");
    at_arena_deinit(&a);
    at_arena_deinit(&a); /* again is harmless */
    at_test_done(ctx);
}

AT_TEST(test_arena__refuses_sizes_that_would_wrap_around)
{
    at_ctx *ctx = at_test_ctx();
    at_arena a;
    at_arena_init(&a, ctx);
    assert_null(at_arena_alloc(&a, SIZE_MAX));
    at_expect_error(ctx, at_last_status(ctx), AT_E_NOMEM, "out of memory");
    assert_null(at_arena_alloc(&a, SIZE_MAX - 20));
    at_expect_error(ctx, at_last_status(ctx), AT_E_NOMEM, "out of memory");
    at_arena_deinit(&a);
    at_test_done(ctx);
}

static at_status use_arena(at_ctx *ctx, void *arg)
{
    (void)arg;
    at_arena a;
    at_arena_init(&a, ctx);
    at_status status = AT_OK;
    for (int i = 0; i < 5 && status == AT_OK; i++)
        if (!at_arena_alloc(&a, 50000)) status = AT_E_NOMEM;
    at_arena_deinit(&a);
    return status;
}

AT_TEST(test_arena__survives_failures)
{
    at_ctx *ctx = at_test_ctx();
    at_torture(ctx, use_arena, NULL);
    at_test_done(ctx);
}

AT_TEST(test_block__is_page_aligned_zeroed_and_counted)
{
    at_ctx *ctx = at_test_ctx();
    at_block b, empty;
    at_expect_ok(ctx, at_block_map(ctx, &b, 5 << 20));
    at_expect_ok(ctx, at_block_map(ctx, &empty, 0));
    assert_int_equal((uintptr_t)b.data % 4096, 0);
    assert_int_equal(((char *)b.data)[(5 << 20) - 1], 0);
    assert_null(empty.data);
    assert_int_equal(ctx->alloc.live, 1);
    ctx->alloc.fail_at = 1;
    at_expect_error(ctx, at_block_map(ctx, &empty, 4096), AT_E_NOMEM, "out of memory");
    at_block_unmap(ctx, &b);
    at_block_unmap(ctx, &b);
    at_test_done(ctx);
}
