/* toy-negative: every second picture becomes its negative. */
#include "data/augment.h"

static at_status parse(at_ctx *ctx, void *params, const at_tree *value, const char *where)
{
    AT_REQUIRE(ctx, value->kind == AT_FLAG, AT_E_ARG, "%s: toy-negative must be true or false", where);
    *(bool *)params = value->flag;
    return AT_OK;
}

static at_status apply(at_ctx *ctx, const void *params, at_image *image, at_rng_key key, uint64_t sample)
{
    (void)ctx;
    if (!*(const bool *)params || at_rng_uniform(key, sample, 0, 0) >= 0.5) return AT_OK;
    const int64_t n = 3 * (int64_t)image->width * image->height;
    for (int64_t i = 0; i < n; i++) image->rgb[i] = (unsigned char)(255 - image->rgb[i]);
    return AT_OK;
}

const at_augment at_augment_toy_negative = {.name = "toy-negative",
                                            .doc = "negatives of pictures",
                                            .size = sizeof(bool),
                                            .parse = parse,
                                            .apply = apply};
