/* npy_test.c: the bytes that numpy.save writes (numpy 2.4). */
#include "formats/file.h"
#include "formats/npy.h"
#include "tests/harness/test.h"
#include "tests/harness/torture.h"
#include <stdio.h>

static const float numbers[] = {1, -2.5f, 0, 3, 4, 5};

AT_TEST(test_npy__bytes_are_those_of_numpy)
{
    static const char dictionary[] = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }";
    char folder[1024], path[1100], want[128 + sizeof numbers];
    char *got;
    size_t size;
    at_ctx *ctx = at_test_ctx();
    at_test_folder(folder, "npy");
    snprintf(path, sizeof path, "%s/a.npy", folder);
    at_expect_ok(ctx, at_npy_write(ctx, path, numbers, 2, 3));
    at_expect_ok(ctx, at_file_read(ctx, &got, &size, path, 1 << 16));
    memset(want, ' ', 128);
    memcpy(want, "\x93NUMPY\x01\x00v\x00", 10);
    memcpy(want + 10, dictionary, sizeof dictionary - 1);
    want[127] = '\n';
    memcpy(want + 128, numbers, sizeof numbers);
    assert_int_equal(size, sizeof want);
    assert_memory_equal(got, want, sizeof want);
    at_free(ctx, got);
    at_test_done(ctx);
}

static at_status attempt(at_ctx *ctx, void *path)
{
    return at_npy_write(ctx, path, numbers, 2, 3);
}

AT_TEST(test_npy__survives_without_memory)
{
    char folder[1024], path[1100];
    at_ctx *ctx = at_test_ctx();
    at_test_folder(folder, "npy-memory");
    snprintf(path, sizeof path, "%s/a.npy", folder);
    at_torture(ctx, attempt, path);
    at_test_done(ctx);
}
