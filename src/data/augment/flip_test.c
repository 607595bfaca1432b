/* flip_test.c: what a flip does to pixels, and what it depends on. */
#include "data/augment.h"
#include "tests/harness/test.h"

enum { WIDTH = 5, HEIGHT = 4, VALUES = 3 * WIDTH * HEIGHT };

static const at_augment *flip(at_ctx *ctx)
{
    return at_registry_find(ctx, "augment", "flip");
}

static void parse(at_ctx *ctx, void *params, const char *text)
{
    const at_tree value = {.kind = AT_STRING, .text = text};
    at_expect_ok(ctx, flip(ctx)->parse(ctx, params, &value, "augment"));
}

/* What the sample's flip did: bit 0 = mirrored, bit 1 = turned over; every pixel is checked. */
static int flips_of(at_ctx *ctx, const void *params, uint64_t epoch, uint64_t sample)
{
    unsigned char rgb[VALUES];
    for (int i = 0; i < VALUES; i++) rgb[i] = (unsigned char)(i * 4);
    at_image image = {WIDTH, HEIGHT, rgb};
    at_expect_ok(ctx, flip(ctx)->apply(ctx, params, &image, at_rng_make(1, 2, epoch), sample));
    const int corner = rgb[0] / 12, mirrored = corner % WIDTH != 0, over = corner / WIDTH != 0;
    for (int y = 0; y < HEIGHT; y++)
        for (int x = 0; x < WIDTH; x++)
            for (int c = 0; c < 3; c++) {
                const int from_x = mirrored ? WIDTH - 1 - x : x, from_y = over ? HEIGHT - 1 - y : y;
                assert_int_equal(rgb[3 * (y * WIDTH + x) + c], 4 * (3 * (from_y * WIDTH + from_x) + c));
            }
    return mirrored | over << 1;
}

AT_TEST(test_flip__puts_pixels_where_it_should_half_of_the_time)
{
    at_ctx *ctx = at_test_ctx();
    char params[64];
    static const char *const kinds[] = {"horizontal", "vertical", "both"};
    for (int k = 0; k < 3; k++) {
        int count[4] = {0};
        parse(ctx, params, kinds[k]);
        for (uint64_t sample = 0; sample < 2000; sample++) count[flips_of(ctx, params, 3, sample)]++;
        const int each = k == 2 ? 500 : 1000;
        for (int way = 0; way < 4; way++) {
            const int expected = k == 2 || way == 0 || way == 1 + k ? each : 0;
            assert_in_range(count[way], expected - (expected ? 120 : 0), expected + (expected ? 120 : 0));
        }
    }
    at_test_done(ctx);
}

AT_TEST(test_flip__depends_on_epoch_and_sample_alone)
{
    at_ctx *ctx = at_test_ctx();
    char params[64];
    int changed = 0;
    parse(ctx, params, "horizontal");
    for (uint64_t sample = 0; sample < 200; sample++) {
        assert_int_equal(flips_of(ctx, params, 3, sample), flips_of(ctx, params, 3, sample));
        changed += flips_of(ctx, params, 3, sample) != flips_of(ctx, params, 4, sample);
    }
    assert_in_range(changed, 70, 130);
    at_test_done(ctx);
}

AT_TEST(test_flip__names_what_it_takes)
{
    at_ctx *ctx = at_test_ctx();
    char params[64];
    const at_tree value = {.kind = AT_STRING, .text = "sideways"};
    at_expect_error(ctx, flip(ctx)->parse(ctx, params, &value, "recipe.yaml:3: augment"), AT_E_ARG,
                    "recipe.yaml:3: augment: flip must be horizontal, vertical or both");
    at_test_done(ctx);
}
