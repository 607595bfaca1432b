/* flip: mirror left and right, upside down, or both, each with probability 1/2. */
#include "data/augment.h"

typedef struct flip {
    bool horizontal, vertical;
} flip;

static at_status parse(at_ctx *ctx, void *params, const at_tree *value, const char *where)
{
    flip *f = params;
    const char *text = value->kind == AT_STRING ? value->text : "";
    f->horizontal = strcmp(text, "horizontal") == 0 || strcmp(text, "both") == 0;
    f->vertical = strcmp(text, "vertical") == 0 || strcmp(text, "both") == 0;
    AT_REQUIRE(ctx, f->horizontal || f->vertical, AT_E_ARG, "%s: flip must be horizontal, vertical or both",
               where);
    return AT_OK;
}

static void swap_pixels(unsigned char *a, unsigned char *b)
{
    for (int c = 0; c < 3; c++) {
        const unsigned char t = a[c];
        a[c] = b[c];
        b[c] = t;
    }
}

static void mirror(at_image *image)
{
    for (int y = 0; y < image->height; y++) {
        unsigned char *row = image->rgb + 3 * (int64_t)y * image->width;
        for (int x = 0; x < image->width / 2; x++) swap_pixels(row + 3 * x, row + 3 * (image->width - 1 - x));
    }
}

static void turn_over(at_image *image)
{
    const int64_t pitch = 3 * (int64_t)image->width;
    for (int y = 0; y < image->height / 2; y++) {
        unsigned char *a = image->rgb + y * pitch, *b = image->rgb + (image->height - 1 - y) * pitch;
        for (int64_t i = 0; i < pitch; i += 3) swap_pixels(a + i, b + i);
    }
}

static at_status apply(at_ctx *ctx, const void *params, at_image *image, at_rng_key key, uint64_t sample)
{
    (void)ctx;
    const flip *f = params;
    if (f->horizontal && at_rng_uniform(key, sample, 0, 0) < 0.5) mirror(image);
    if (f->vertical && at_rng_uniform(key, sample, 0, 1) < 0.5) turn_over(image);
    return AT_OK;
}

const at_augment at_augment_flip = {
    .name = "flip",
    .doc = "mirror horizontally, vertically or both",
    .size = sizeof(flip),
    .parse = parse,
    .apply = apply,
};
