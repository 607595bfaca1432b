/* cache_test.c: what was kept is found again, bit for bit; a file of which any bit has changed is none, and
 * leaves no error; the n-th allocation fails. */
#include "formats/cache.h"
#include "tests/harness/test.h"
#include "tests/harness/torture.h"
#include <stdio.h>

static const int32_t numbers[] = {1, 2, 3, 4, 5, 6};
static const uint8_t few[] = {7, 8, 9};
static const at_tensor kept[] = {
    {.name = "numbers", .dtype = AT_I32, .rank = 2, .dim = {2, 3}, .data = numbers},
    {.name = "few", .dtype = AT_U8, .rank = 1, .dim = {3}, .data = few},
};

static void keep(at_ctx *ctx, const char *path)
{
    char lost[AT_CACHE_LOST];
    at_expect_ok(ctx, at_cache_keep(ctx, lost, path, kept, AT_COUNT(kept)));
    assert_string_equal(lost, "");
}

static bool is_found(at_ctx *ctx, const char *path)
{
    at_safetensors *f = at_cache_open(ctx, path);
    const bool found = f != NULL;
    at_safetensors_close(ctx, f);
    assert_int_equal(at_last_status(ctx), AT_OK);
    return found;
}

AT_TEST(test_cache__what_was_kept_is_found)
{
    char folder[1024], path[1100];
    at_ctx *ctx = at_test_ctx();
    snprintf(path, sizeof path, "%s/of/kept.safetensors", at_test_folder(folder, "cache"));
    assert_null(at_cache_open(ctx, path));
    keep(ctx, path);
    at_safetensors *f = at_cache_open(ctx, path);
    assert_non_null(f);
    assert_memory_equal(at_safetensors_find(f, "numbers")->data, numbers, sizeof numbers);
    assert_memory_equal(at_safetensors_find(f, "few")->data, few, sizeof few);
    at_safetensors_close(ctx, f);
    at_test_done(ctx);
}

/* Without waiting for the disk. */
static void put(const char *path, const char *bytes, size_t n)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, n, f), n);
    fclose(f);
}

/* Header, tensors and digest: another bit anywhere, or an end before the end. */
AT_TEST(test_cache__what_is_damaged_is_none)
{
    char folder[1024], path[1100];
    static char bytes[4096];
    at_ctx *ctx = at_test_ctx();
    snprintf(path, sizeof path, "%s/kept.safetensors", at_test_folder(folder, "cache-damaged"));
    keep(ctx, path);
    at_file file;
    at_expect_ok(ctx, at_file_map(ctx, &file, path));
    const size_t n = file.size;
    assert_true(n < sizeof bytes);
    memcpy(bytes, file.data, n);
    at_file_unmap(ctx, &file);
    for (size_t i = 0; i < 8 * n; i++) {
        bytes[i / 8] ^= (char)(1 << i % 8);
        put(path, bytes, n);
        if (is_found(ctx, path)) fail_msg("bit %zu of byte %zu is not looked at", i % 8, i / 8);
        bytes[i / 8] ^= (char)(1 << i % 8);
    }
    for (size_t i = 0; i < n; i++) {
        put(path, bytes, i);
        assert_false(is_found(ctx, path));
    }
    put(path, bytes, n);
    assert_true(is_found(ctx, path));
    at_test_done(ctx);
}

/* A file of tensors that no cache has written. */
AT_TEST(test_cache__a_file_without_a_digest_is_none)
{
    char folder[1024], path[1100];
    at_ctx *ctx = at_test_ctx();
    snprintf(path, sizeof path, "%s/other.safetensors", at_test_folder(folder, "cache-other"));
    at_expect_ok(ctx, at_safetensors_write(ctx, path, kept, AT_COUNT(kept), NULL));
    assert_false(is_found(ctx, path));
    at_expect_ok(ctx, at_safetensors_write(ctx, path, kept, 0, NULL));
    assert_false(is_found(ctx, path));
    at_test_done(ctx);
}

static at_status attempt(at_ctx *ctx, void *path)
{
    char lost[AT_CACHE_LOST];
    AT_TRY(at_cache_keep(ctx, lost, path, kept, AT_COUNT(kept)));
    at_safetensors_close(ctx, at_cache_open(ctx, path));
    return AT_OK;
}

AT_TEST(test_cache__survives_the_failure_of_any_allocation)
{
    char folder[1024], path[1100];
    at_ctx *ctx = at_test_ctx();
    snprintf(path, sizeof path, "%s/kept.safetensors", at_test_folder(folder, "cache-torture"));
    at_torture(ctx, attempt, path);
    at_test_done(ctx);
}
