/* image_fuzz.c: any bytes as a picture. Decoding what a header allows must agree with the header, keep within the
 * bounds, and leave no memory behind. Pictures above a megapixel are only probed: they cost time and find nothing. */
#include "formats/image.h"

enum { MOST_PIXELS = 1 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds) __builtin_trap();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    at_ctx *ctx;
    int width = 0, height = 0;
    if (at_ctx_create(&ctx, NULL) != AT_OK) return 0;
    at_status status = at_image_probe(ctx, &width, &height, data, size, "input");
    must((status == AT_OK) == (*at_last_error(ctx) == '\0'));
    if (status == AT_OK) {
        must(width > 0 && height > 0 && (int64_t)width * height <= AT_IMAGE_PIXELS);
        at_image image = {0};
        if ((int64_t)width * height <= MOST_PIXELS)
            status = at_image_decode(ctx, &image, data, size, "input");
        must(!image.rgb || (image.width == width && image.height == height));
        must(status == AT_OK || !image.rgb);
        at_image_deinit(ctx, &image);
    }
    must(ctx->alloc.live == 0);
    at_ctx_destroy(ctx);
    return 0;
}
