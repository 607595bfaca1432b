/* resize_test.c: at_image_resize against Pillow (golden.py), all ways of computing it against each other,
 * bounds. */
#include "base/rng.h"
#include "data/resample.h"
#include "formats/digest.h"
#include "formats/safetensors.h"
#include "tests/harness/test.h"
#include "tests/harness/torture.h"
#include <stdio.h>
#include <stdlib.h>

#define GOLDEN AT_SOURCE_DIR "/src/data/golden.safetensors"

static at_image as_image(const at_tensor *t)
{
    return (at_image){(int)t->dim[1], (int)t->dim[0], (unsigned char *)t->data};
}

/* ---- Pillow ---- */

/* resize/out/NAME/FILTER/WxH */
static void check_golden(at_ctx *ctx, const at_safetensors *golden, const at_tensor *want)
{
    char name[64], source[96];
    int filter, width, height;
    if (sscanf(want->name, "resize/out/%63[^/]/%d/%dx%d", name, &filter, &width, &height) != 4)
        fail_msg("unexpected name %s", want->name);
    snprintf(source, sizeof source, "resize/in/%s", name);
    const at_image in = as_image(at_safetensors_find(golden, source));
    at_image out;
    at_expect_ok(ctx, at_image_resize(ctx, &out, &in, width, height, (at_filter)filter));
    assert_int_equal(out.width, width);
    assert_int_equal(out.height, height);
    const unsigned char *pixels = want->data;
    for (int64_t i = 0; i < want->count; i++)
        if (out.rgb[i] != pixels[i])
            fail_msg("%s (%s): byte %lld is %d, expected %d", want->name, at_isa_name(ctx->isa), (long long)i,
                     out.rgb[i], pixels[i]);
    at_image_deinit(ctx, &out);
}

AT_TEST(test_resize__equals_pillow)
{
    at_ctx *ctx = at_test_ctx();
    at_safetensors *golden = NULL;
    at_expect_ok(ctx, at_safetensors_open(&golden, ctx, GOLDEN));
    int n = 0;
    for (at_isa isa = AT_ISA_BASE; isa <= at_isa_native(); isa++) {
        ctx->isa = isa;
        for (int64_t i = 0; i < golden->n; i++)
            if (strncmp(golden->tensors[i].name, "resize/out/", 11) == 0)
                check_golden(ctx, golden, &golden->tensors[i]), n++;
    }
    assert_true(n >= 80);
    at_safetensors_close(ctx, golden);
    at_test_done(ctx);
}

/* photo/W/H/FILTER/PATH: decoding and resizing together. */
static void check_photo(at_ctx *ctx, const at_tensor *want)
{
    char path[1024];
    int width, height, filter, end;
    if (sscanf(want->name, "photo/%d/%d/%d/%n", &width, &height, &filter, &end) != 3)
        fail_msg("unexpected name %s", want->name);
    at_image photo, out;
    at_expect_ok(ctx, at_image_read(ctx, &photo, at_test_data(path, want->name + end)));
    at_expect_ok(ctx, at_image_resize(ctx, &out, &photo, width, height, (at_filter)filter));
    at_digest d;
    uint8_t hash[AT_DIGEST_BYTES];
    at_digest_init(&d);
    at_digest_add(&d, out.rgb, 3 * (size_t)width * (size_t)height);
    at_digest_end(&d, hash);
    if (memcmp(hash, want->data, sizeof hash) != 0) fail_msg("%s differs", want->name);
    at_image_deinit(ctx, &photo);
    at_image_deinit(ctx, &out);
}

AT_TEST(test_resize__equals_pillow_on_photos)
{
    char path[1024];
    if (!at_test_data(path, "demo-photos")) AT_SKIP("ATTUNE_DATA is not set");
    at_ctx *ctx = at_test_ctx();
    at_safetensors *golden = NULL;
    at_expect_ok(ctx, at_safetensors_open(&golden, ctx, GOLDEN));
    int n = 0;
    for (int64_t i = 0; i < golden->n; i++)
        if (strncmp(golden->tensors[i].name, "photo/", 6) == 0) check_photo(ctx, &golden->tensors[i]), n++;
    assert_int_equal(n, 24);
    at_safetensors_close(ctx, golden);
    at_test_done(ctx);
}

/* ---- The ways of computing it ---- */

/* Memory of exactly the size needed, so that the address sanitizer sees what is read beyond. */
static at_image random_image(at_rng_key key, uint64_t sample, int width, int height)
{
    at_image image = {width, height, malloc(3 * (size_t)width * (size_t)height)};
    for (int64_t i = 0; i < 3 * (int64_t)width * height; i++)
        image.rgb[i] = (unsigned char)at_rng_u32(key, sample, 0, (uint64_t)i);
    return image;
}

static int draw(at_rng_key key, uint64_t sample, int index, int most)
{
    return 1 + (int)at_rng_below(key, sample, 1, (uint64_t)index, (uint64_t)most);
}

/* The definition: the plain passes, one after the other, over the whole picture. */
static at_image resize_plainly(at_ctx *ctx, const at_image *in, int width, int height, at_filter filter)
{
    at_axis x, y;
    at_expect_ok(ctx, at__axis_init(ctx, &x, in->width, width, 0, width, filter));
    at_expect_ok(ctx, at__axis_init(ctx, &y, in->height, height, 0, height, filter));
    at_image between = {width, in->height, malloc(3 * (size_t)width * (size_t)in->height)};
    at_image out = {width, height, malloc(3 * (size_t)width * (size_t)height)};
    const int64_t pitch = 3 * (int64_t)width;
    for (int i = 0; i < in->height; i++)
        at__resample_row(between.rgb + i * pitch, in->rgb + 3 * ((int64_t)i * in->width + x.low), &x);
    for (int i = 0; i < height; i++)
        at__resample_column(out.rgb + i * pitch, between.rgb + (y.low + y.first[i]) * pitch, (size_t)pitch,
                            &y, i, pitch);
    free(between.rgb);
    at__axis_deinit(ctx, &x);
    at__axis_deinit(ctx, &y);
    return out;
}

static void same_bytes(const char *what, const at_image *in, const at_image *a, const at_image *b)
{
    if (memcmp(a->rgb, b->rgb, 3 * (size_t)a->width * (size_t)a->height) != 0)
        fail_msg("%d x %d to %d x %d, %s: differs", in->width, in->height, a->width, a->height, what);
}

AT_TEST(test_resize__every_instruction_set_gives_the_same_bytes)
{
    at_ctx *ctx = at_test_ctx();
    const at_rng_key key = at_rng_make(1, 2, 3);
    for (uint64_t k = 0; k < 300; k++) {
        const int most = k % 3 == 0 ? 12 : k % 3 == 1 ? 50 : 200;
        at_image in = random_image(key, k, draw(key, k, 0, most), draw(key, k, 1, most));
        const int width = draw(key, k, 2, most), height = draw(key, k, 3, most);
        const at_filter filter = (at_filter)(1 + k % 5);
        at_image want = resize_plainly(ctx, &in, width, height, filter), out;
        /* where Pillow turns the passes round, or leaves one out, the definition is another */
        const bool plain = in.width != width && in.height != height &&
                           !(in.height > height && in.height - height > 2 * (in.width - width));
        for (at_isa isa = AT_ISA_BASE; isa <= at_isa_native(); isa++) {
            ctx->isa = isa;
            at_expect_ok(ctx, at_image_resize(ctx, &out, &in, width, height, filter));
            if (plain) same_bytes(at_isa_name(isa), &in, &out, &want);
            if (isa > AT_ISA_BASE && !plain) same_bytes(at_isa_name(isa), &in, &out, &want);
            if (!plain) memcpy(want.rgb, out.rgb, 3 * (size_t)width * (size_t)height);
            at_image_deinit(ctx, &out);
        }
        free(in.rgb);
        free(want.rgb);
    }
    at_test_done(ctx);
}

/* A part is what cutting it out of the whole gives, whichever passes there are. */
AT_TEST(test_resize__a_part_equals_the_whole)
{
    at_ctx *ctx = at_test_ctx();
    const at_rng_key key = at_rng_make(4, 5, 6);
    for (uint64_t k = 0; k < 200; k++) {
        at_image in = random_image(key, k, draw(key, k, 0, 60), draw(key, k, 1, 60));
        const int width = k % 7 == 0 ? in.width : draw(key, k, 2, 60);
        const int height = k % 5 == 0 ? in.height : draw(key, k, 3, 60);
        const int x = draw(key, k, 4, width) - 1, y = draw(key, k, 5, height) - 1;
        const at_resize_part part = {
            width, height, x, y, draw(key, k, 6, width - x), draw(key, k, 7, height - y), (at_filter)(k % 6)};
        at_image whole;
        at_expect_ok(ctx, at_image_resize(ctx, &whole, &in, width, height, part.filter));
        const size_t row = 3 * (size_t)part.part_width;
        unsigned char *out = malloc(row * (size_t)part.part_height);
        at_expect_ok(ctx, at__resize_part(ctx, out, row, &in, &part));
        for (int i = 0; i < part.part_height; i++)
            if (memcmp(out + (size_t)i * row, whole.rgb + 3 * ((size_t)(y + i) * (size_t)width + (size_t)x),
                       row))
                fail_msg("row %d of a part at %d, %d of %d x %d from %d x %d differs", i, x, y, width, height,
                         in.width, in.height);
        free(out);
        free(in.rgb);
        at_image_deinit(ctx, &whole);
    }
    at_test_done(ctx);
}

/* A flat picture stays flat: the weights of every window add up to one. */
AT_TEST(test_resize__keeps_flat_pictures_flat)
{
    at_ctx *ctx = at_test_ctx();
    unsigned char grey[3 * 31 * 17];
    const at_image in = {31, 17, grey};
    for (int tone = 0; tone < 256; tone += 51) {
        memset(grey, tone, sizeof grey);
        for (int filter = 0; filter < 6; filter++) {
            at_image out;
            at_expect_ok(ctx, at_image_resize(ctx, &out, &in, 13, 40, (at_filter)filter));
            for (int i = 0; i < 3 * 13 * 40; i++) assert_int_equal(out.rgb[i], tone);
            at_image_deinit(ctx, &out);
        }
    }
    at_test_done(ctx);
}

/* ---- Bounds and memory ---- */

AT_TEST(test_resize__refuses_impossible_sizes)
{
    at_ctx *ctx = at_test_ctx();
    unsigned char pixels[3 * 4 * 4] = {0};
    const at_image in = {4, 4, pixels};
    at_image out = {.width = 1};
    at_expect_error(ctx, at_image_resize(ctx, &out, &in, 0, 4, AT_BILINEAR), AT_E_RANGE, "resize to 0 x 4");
    assert_int_equal(out.width, 0);
    at_expect_error(ctx, at_image_resize(ctx, &out, &in, 4, -1, AT_BILINEAR), AT_E_RANGE, "resize to 4 x -1");
    at_expect_error(ctx, at_image_resize(ctx, &out, &in, 65536, 1, AT_BILINEAR), AT_E_RANGE,
                    "sides must be 1..65535");
    at_expect_error(ctx, at_image_resize(ctx, &out, &in, 65535, 65535, AT_BILINEAR), AT_E_RANGE,
                    "at most 67108864 pixels");
    at_expect_error(ctx, at_image_resize(ctx, &out, &in, 2, 2, (at_filter)6), AT_E_ARG, "no filter 6");
    at_test_done(ctx);
}

static at_status resize_attempt(at_ctx *ctx, void *arg)
{
    const int *size = arg;
    unsigned char pixels[3 * 9 * 8] = {0};
    const at_image in = {9, 8, pixels};
    at_image out;
    const at_status status = at_image_resize(ctx, &out, &in, size[0], size[1], AT_BICUBIC);
    at_image_deinit(ctx, &out);
    return status;
}

AT_TEST(test_resize__survives_lack_of_memory)
{
    at_ctx *ctx = at_test_ctx();
    int sizes[][2] = {{5, 6}, {9, 3}, {4, 8}, {9, 8}, {9, 2}};
    for (int i = 0; i < AT_COUNT(sizes); i++) at_torture(ctx, resize_attempt, sizes[i]);
    at_test_done(ctx);
}
