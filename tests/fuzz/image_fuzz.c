/* image_fuzz.c: any bytes as a picture: what is decoded is what the header promised, within the bounds.
 * Pictures above a megapixel are only probed: they cost time and find nothing. */
#include "formats/image.h"
#include "tests/fuzz/fuzz.h"

enum { MOST_PIXELS = 1 << 20 };

static at_status decode(at_ctx *ctx, const uint8_t *data, size_t size, int width, int height)
{
    at_image image;
    const at_status status = at_image_decode(ctx, &image, data, size, "input");
    AT_MUST((status == AT_OK) == (image.rgb != NULL));
    if (image.rgb) AT_MUST(image.width == width && image.height == height);
    at_image_deinit(ctx, &image);
    return status;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    at_ctx *ctx = at_fuzz_begin();
    int width = 0, height = 0;
    at_status status = at_image_probe(ctx, &width, &height, data, size, "input");
    const int64_t pixels = (int64_t)width * height;
    if (status == AT_OK) AT_MUST(width > 0 && height > 0 && pixels <= AT_IMAGE_PIXELS);
    if (status == AT_OK && pixels <= MOST_PIXELS) status = decode(ctx, data, size, width, height);
    at_fuzz_end(ctx,
                status == AT_E_RANGE ? AT_E_FORMAT : status); /* too large is a fault of the file as well */
    return 0;
}
