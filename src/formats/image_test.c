/* image_test.c: decoding against Pillow (image_golden.py), invalid files, bounds, writing. */
#include "formats/file.h"
#include "formats/image.h"
#include "formats/safetensors.h"
#include "tests/harness/test.h"
#include "tests/harness/torture.h"
#include <stdio.h>
#include <stdlib.h>

#define GOLDEN  AT_SOURCE_DIR "/src/formats/image_golden.safetensors"
#define INVALID AT_SOURCE_DIR "/tests/data/invalid/image"

/* ---- Goldens ---- */

static void compare(const char *name, const at_image *image, const at_tensor *want)
{
    if (want->dim[0] != image->height || want->dim[1] != image->width)
        fail_msg("%s: %d x %d, expected %lld x %lld", name, image->width, image->height,
                 (long long)want->dim[1], (long long)want->dim[0]);
    const unsigned char *pixels = want->data;
    for (int64_t i = 0; i < want->count; i++)
        if (pixels[i] != image->rgb[i])
            fail_msg("%s: byte %lld is %d, expected %d", name, (long long)i, image->rgb[i], pixels[i]);
}

static void decode_golden(at_ctx *ctx, const at_safetensors *golden, const at_tensor *file)
{
    char name[128];
    snprintf(name, sizeof name, "rgb/%s", file->name + strlen("file/"));
    const at_tensor *want = at_safetensors_find(golden, name);
    assert_non_null(want);
    int width = 0, height = 0;
    at_image image;
    at_expect_ok(ctx, at_image_probe(ctx, &width, &height, file->data, file->bytes, name));
    at_expect_ok(ctx, at_image_decode(ctx, &image, file->data, file->bytes, name));
    assert_int_equal(width, image.width);
    assert_int_equal(height, image.height);
    compare(name, &image, want);
    at_image_deinit(ctx, &image);
}

AT_TEST(test_image__decodes_as_pillow)
{
    at_ctx *ctx = at_test_ctx();
    at_safetensors *golden = NULL;
    at_expect_ok(ctx, at_safetensors_open(&golden, ctx, GOLDEN));
    int n = 0;
    for (int64_t i = 0; i < golden->n; i++)
        if (strncmp(golden->tensors[i].name, "file/", 5) == 0)
            decode_golden(ctx, golden, &golden->tensors[i]), n++;
    assert_true(n >= 40);
    at_safetensors_close(ctx, golden);
    at_test_done(ctx);
}

/* ---- Invalid files: tests/data/invalid/image/NAME/{input,error} ---- */

static void check_invalid(at_ctx *ctx, const char *folder, const char *name)
{
    char path[1024];
    char *bytes = NULL, *error = NULL;
    size_t n, error_n;
    snprintf(path, sizeof path, "%s/%s/input", folder, name);
    at_expect_ok(ctx, at_file_read(ctx, &bytes, &n, path, 1 << 20));
    snprintf(path, sizeof path, "%s/%s/error", folder, name);
    at_expect_ok(ctx, at_file_read(ctx, &error, &error_n, path, 4096));
    error[strcspn(error, "\n")] = '\0';
    const int64_t live = ctx->alloc.live, calls = ctx->alloc.calls;
    at_image image = {.width = 1};
    const at_status status = at_image_decode(ctx, &image, (unsigned char *)bytes, n, "input");
    char got[1200];
    snprintf(got, sizeof got, "%s: %s", at_status_name(status), at_last_error(ctx));
    if (strcmp(got, error) != 0) fail_msg("%s:\n  got      %s\n  expected %s", name, got, error);
    assert_int_equal(ctx->alloc.live, live);
    assert_null(image.rgb);
    assert_int_equal(image.width, 0);
    if (status == AT_E_RANGE)
        assert_int_equal(ctx->alloc.calls, calls); /* refused before any memory is asked for */
    at_clear_error(ctx);
    at_free(ctx, bytes);
    at_free(ctx, error);
}

AT_TEST(test_image__names_what_is_wrong)
{
    at_ctx *ctx = at_test_ctx();
    at_arena arena;
    at_arena_init(&arena, ctx);
    const char **names;
    int64_t n;
    at_expect_ok(ctx, at_folder_list(&arena, &names, &n, INVALID));
    assert_true(n >= 15);
    for (int64_t i = 0; i < n; i++) check_invalid(ctx, INVALID, names[i]);
    at_arena_deinit(&arena);
    at_test_done(ctx);
}

/* Every beginning of a file is refused, and none is read beyond its end (the address sanitizer watches). */
static void cut_short(at_ctx *ctx, const at_tensor *file)
{
    for (size_t n = 0; n < file->bytes; n++) {
        unsigned char *copy = malloc(n ? n : 1);
        memcpy(copy, file->data, n);
        at_image image;
        const at_status status = at_image_decode(ctx, &image, copy, n, "cut");
        if (status != AT_E_FORMAT)
            fail_msg("%s: its first %zu of %zu bytes: %s", file->name, n, file->bytes,
                     at_status_name(status));
        at_clear_error(ctx);
        free(copy);
    }
}

AT_TEST(test_image__no_beginning_of_a_file_is_a_picture)
{
    static const char *const names[] = {"file/jpeg-420", "file/jpeg-progressive", "file/png-rgba",
                                        "file/png-interlaced"};
    at_ctx *ctx = at_test_ctx();
    at_safetensors *golden = NULL;
    at_expect_ok(ctx, at_safetensors_open(&golden, ctx, GOLDEN));
    for (int i = 0; i < AT_COUNT(names); i++) cut_short(ctx, at_safetensors_find(golden, names[i]));
    at_safetensors_close(ctx, golden);
    at_test_done(ctx);
}

/* ---- Memory ---- */

static at_status decode_attempt(at_ctx *ctx, void *arg)
{
    const at_tensor *file = arg;
    at_image image;
    const at_status status = at_image_decode(ctx, &image, file->data, file->bytes, "picture");
    at_image_deinit(ctx, &image);
    return status;
}

AT_TEST(test_image__survives_lack_of_memory)
{
    static const char *const names[] = {"file/jpeg-420", "file/jpeg-ycck", "file/png-rgb", "file/png-rgba",
                                        "file/png-rgb-16"};
    at_ctx *ctx = at_test_ctx();
    at_safetensors *golden = NULL;
    at_expect_ok(ctx, at_safetensors_open(&golden, ctx, GOLDEN));
    for (int i = 0; i < AT_COUNT(names); i++)
        at_torture(ctx, decode_attempt, (void *)at_safetensors_find(golden, names[i]));
    at_safetensors_close(ctx, golden);
    at_test_done(ctx);
}

/* ---- Reading and writing ---- */

AT_TEST(test_image__read_names_the_file)
{
    at_ctx *ctx = at_test_ctx();
    char folder[1024], path[1100];
    at_test_folder(folder, "image-read");
    at_image image;
    snprintf(path, sizeof path, "%s/none.jpg", folder);
    at_expect_error(ctx, at_image_read(ctx, &image, path), AT_E_IO, path);
    at_expect_error(ctx, at_image_read(ctx, &image, folder), AT_E_IO, folder);
    snprintf(path, sizeof path, "%s/text.jpg", folder);
    at_expect_ok(ctx, at_file_write(ctx, path, "no picture", 10));
    at_expect_error(ctx, at_image_read(ctx, &image, path), AT_E_FORMAT, path);
    at_test_done(ctx);
}

static void make_gradient(at_image *image, int width, int height)
{
    *image = (at_image){width, height, malloc(3 * (size_t)width * (size_t)height)};
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++) {
            unsigned char *p = image->rgb + 3 * (y * width + x);
            p[0] = (unsigned char)(255 * x / width);
            p[1] = (unsigned char)(255 * y / height);
            p[2] = 128;
        }
}

static at_status encode_attempt(at_ctx *ctx, void *arg)
{
    unsigned char *bytes = NULL;
    size_t n;
    const at_status status = at_image_encode_jpeg(ctx, &bytes, &n, arg, 90);
    at_free(ctx, bytes);
    return status;
}

AT_TEST(test_image__a_written_jpeg_reads_back)
{
    at_ctx *ctx = at_test_ctx();
    at_image image, back;
    make_gradient(&image, 41, 29);
    unsigned char *bytes = NULL;
    size_t n = 0;
    at_expect_ok(ctx, at_image_encode_jpeg(ctx, &bytes, &n, &image, 90));
    at_expect_ok(ctx, at_image_decode(ctx, &back, bytes, n, "written"));
    assert_int_equal(back.width, image.width);
    assert_int_equal(back.height, image.height);
    for (int i = 0; i < 3 * 41 * 29; i++) assert_true(abs(back.rgb[i] - image.rgb[i]) < 16);
    at_free(ctx, bytes);
    at_image_deinit(ctx, &back);
    at_torture(ctx, encode_attempt, &image);
    free(image.rgb);
    at_test_done(ctx);
}

AT_TEST(test_image__refuses_to_write_nonsense)
{
    at_ctx *ctx = at_test_ctx();
    at_image image;
    make_gradient(&image, 4, 4);
    unsigned char *bytes = NULL;
    size_t n = 0;
    at_expect_error(ctx, at_image_encode_jpeg(ctx, &bytes, &n, &image, 0), AT_E_RANGE,
                    "quality 0: must be 1..100");
    at_expect_error(ctx, at_image_encode_jpeg(ctx, &bytes, &n, &image, 101), AT_E_RANGE, "quality 101");
    const at_image none = {0};
    at_expect_error(ctx, at_image_encode_jpeg(ctx, &bytes, &n, &none, 90), AT_E_RANGE, "0 x 0");
    assert_null(bytes);
    free(image.rgb);
    at_test_done(ctx);
}
