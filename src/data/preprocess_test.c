/* preprocess_test.c: pictures as Transformers and timm make them (golden.py), what is refused, flips, memory.
 */
#include "data/pixels.h"
#include "formats/safetensors.h"
#include "tests/harness/test.h"
#include "tests/harness/tolerance.h"
#include "tests/harness/torture.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define GOLDEN AT_SOURCE_DIR "/src/data/golden.safetensors"

/* ---- Configurations ---- */

typedef at_status (*from_tree)(at_ctx *ctx, at_preprocess *out, const at_tree *config, const char *name);

static at_status parse(at_ctx *ctx, at_preprocess *out, const char *json, from_tree from)
{
    at_arena arena;
    at_tree *tree = NULL;
    at_arena_init(&arena, ctx);
    at_status status = at_json_parse(&arena, &tree, json, strlen(json), "p.json");
    if (status == AT_OK) status = from(ctx, out, tree, "p.json");
    at_arena_deinit(&arena);
    return status;
}

static const char options[] = "\"image_mean\": [0.5, 0.5, 0.5], \"image_std\": 0.5, \"resample\": 2";

/* A Transformers configuration of these options and `more`. */
static at_status configure(at_ctx *ctx, at_preprocess *out, const char *more)
{
    char json[1024];
    snprintf(json, sizeof json, "{%s, %s}", options, more);
    return parse(ctx, out, json, at_preprocess_from_transformers);
}

static void expect_refused(const char *more, at_status want, const char *part)
{
    at_ctx *ctx = at_test_ctx();
    at_preprocess p = {.shortest_edge = -7};
    at_expect_error(ctx, configure(ctx, &p, more), want, part);
    assert_int_equal(p.shortest_edge, -7);
    at_test_done(ctx);
}

AT_TEST(test_preprocess__names_what_a_configuration_lacks)
{
    expect_refused("\"do_rescale\": true", AT_E_FORMAT,
                   "p.json: size is missing; take the file from the model's");
    expect_refused("\"size\": 4, \"do_center_crop\": true", AT_E_FORMAT, "p.json: crop_size is missing");
    expect_refused("\"size\": {\"height\": 4}", AT_E_FORMAT,
                   "p.json: size needs shortest_edge, or height and width");
    expect_refused("\"size\": {}", AT_E_FORMAT, "p.json: size needs");
    expect_refused("\"size\": {\"height\": 4, \"width\": 5, \"shortest_edge\": 3}", AT_E_FORMAT,
                   "p.json: size needs");
    expect_refused("\"size\": 4, \"crop_size\": {\"shortest_edge\": 3}", AT_E_FORMAT,
                   "p.json: crop_size needs height and width");
    at_ctx *ctx = at_test_ctx();
    at_preprocess p;
    at_expect_error(ctx, parse(ctx, &p, "{\"size\": 4}", at_preprocess_from_transformers), AT_E_FORMAT,
                    "p.json: image_mean is missing");
    at_expect_error(ctx, parse(ctx, &p, "[]", at_preprocess_from_transformers), AT_E_FORMAT,
                    "p.json: must be a map of options");
    at_expect_error(ctx, at_preprocess_from_transformers(ctx, &p, NULL, "p.json"), AT_E_FORMAT,
                    "must be a map");
    at_expect_error(ctx, at_preprocess_from_timm(ctx, &p, NULL, "c.json"), AT_E_FORMAT,
                    "c.json: pretrained_cfg must be a map");
    at_test_done(ctx);
}

AT_TEST(test_preprocess__names_values_that_cannot_be)
{
    expect_refused("\"size\": \"4\"", AT_E_FORMAT,
                   "p.json: size must be a whole number of pixels, found text");
    expect_refused("\"size\": 4.5", AT_E_FORMAT,
                   "p.json: size must be a whole number of pixels, found a number");
    expect_refused("\"size\": 0", AT_E_RANGE, "p.json: size is 0 pixels, must be 1..65535");
    expect_refused("\"size\": {\"shortest_edge\": 70000}", AT_E_RANGE,
                   "p.json: size.shortest_edge is 70000 pixels");
    expect_refused("\"size\": [4, -1]", AT_E_RANGE, "p.json: size is -1 pixels");
    expect_refused("\"size\": 4, \"do_rescale\": 1", AT_E_FORMAT,
                   "do_rescale must be true or false, found a whole");
    expect_refused("\"size\": 4, \"rescale_factor\": 0", AT_E_RANGE, "rescale_factor is 0, must be above 0");
    expect_refused("\"size\": 4, \"rescale_factor\": []", AT_E_FORMAT, "rescale_factor must be a number");
    at_ctx *ctx = at_test_ctx();
    at_preprocess p;
    const char *bad[][2] = {
        {"\"image_mean\": [0.5, 0.5], \"image_std\": 0.5",
         "image_mean has 2 values, expected 3: red, green, blue"},
        {"\"image_mean\": [0.5, 0.5, \"x\"], \"image_std\": 0.5",
         "image_mean must be a list of 3 numbers, found text"},
        {"\"image_mean\": 0.5, \"image_std\": [0.5, 0, 0.5]", "image_std is 0 in channel 1, must be above 0"},
        {"\"image_mean\": 0.5, \"image_std\": true", "image_std must be a list of 3 numbers"},
    };
    for (int i = 0; i < AT_COUNT(bad); i++) {
        char json[256];
        snprintf(json, sizeof json, "{\"size\": 4, %s}", bad[i][0]);
        const at_status status = parse(ctx, &p, json, at_preprocess_from_transformers);
        at_expect_error(ctx, status, i == 2 ? AT_E_RANGE : AT_E_FORMAT, bad[i][1]);
    }
    at_test_done(ctx);
}

AT_TEST(test_preprocess__refuses_options_that_change_pictures)
{
    expect_refused("\"size\": 4, \"do_pad\": true", AT_E_UNSUPPORTED,
                   "p.json: option do_pad is not supported and may");
    expect_refused("\"size\": 4, \"size_divisor\": 32", AT_E_UNSUPPORTED, "option size_divisor");
    expect_refused("\"size\": 4, \"crop_pct\": 0.9", AT_E_UNSUPPORTED,
                   "option crop_pct is supported for ConvNeXt");
    expect_refused("\"size\": {\"shortest_edge\": 4, \"longest_edge\": 9}", AT_E_UNSUPPORTED,
                   "p.json: size.longest_edge is not supported");
    expect_refused("\"size\": 4, \"feature_extractor_type\": \"LevitFeatureExtractor\"", AT_E_UNSUPPORTED,
                   "p.json: pictures for LevitFeatureExtractor are not supported");
    at_ctx *ctx = at_test_ctx();
    at_preprocess p;
    at_expect_error(ctx, parse(ctx, &p, "{\"size\": 4, \"resample\": 7}", at_preprocess_from_transformers),
                    AT_E_UNSUPPORTED, "p.json: resample 7 is not supported; 0..5 are");
    at_expect_ok(ctx, configure(ctx, &p,
                                "\"size\": 4, \"do_pad\": false, \"pad_size\": null, \"data_format\": "
                                "\"channels_first\", \"processor_class\": \"X\", \"do_convert_rgb\": true"));
    at_test_done(ctx);
}

AT_TEST(test_preprocess__refuses_what_timm_does_otherwise)
{
    static const struct {
        const char *json;
        at_status status;
        const char *part;
    } bad[] = {
        {"{\"crop_mode\": \"border\"}", AT_E_UNSUPPORTED,
         "crop_mode \"border\" is not supported; center and squash"},
        {"{\"interpolation\": \"random\"}", AT_E_UNSUPPORTED, "interpolation \"random\" is not supported"},
        {"{\"input_size\": [1, 8, 8]}", AT_E_UNSUPPORTED, "input_size must have 3 channels"},
        {"{\"input_size\": [8, 8]}", AT_E_FORMAT,
         "input_size must be [channels, height, width], found a list"},
        {"{\"input_size\": [3, 8, 9]}", AT_E_UNSUPPORTED, "input_size of 8 x 9 that is not square"},
        {"{\"crop_pct\": 1e-9}", AT_E_RANGE, "crop_pct is 1e-09"},
        {"{\"crop_pct\": -1}", AT_E_RANGE, "crop_pct is -1, must be above 0"},
        {"{\"std\": [1, 1]}", AT_E_FORMAT, "std has 2 values"},
    };
    at_ctx *ctx = at_test_ctx();
    at_preprocess p;
    for (int i = 0; i < AT_COUNT(bad); i++)
        at_expect_error(ctx, parse(ctx, &p, bad[i].json, at_preprocess_from_timm), bad[i].status,
                        bad[i].part);
    at_test_done(ctx);
}

static void expect_size(at_ctx *ctx, const char *more, int want_width, int want_height)
{
    at_preprocess p;
    int width = -1, height = -1;
    at_expect_ok(ctx, configure(ctx, &p, more));
    at_preprocess_size(&p, &width, &height);
    if (width != want_width || height != want_height)
        fail_msg("%s: %d x %d, expected %d x %d", more, width, height, want_width, want_height);
}

AT_TEST(test_preprocess__size_is_what_comes_out)
{
    at_ctx *ctx = at_test_ctx();
    expect_size(ctx, "\"size\": {\"height\": 4, \"width\": 5}", 5, 4);
    expect_size(ctx, "\"size\": [4, 5]", 5, 4);
    expect_size(ctx, "\"size\": 6", 6, 6);
    expect_size(ctx, "\"size\": 6, \"default_to_square\": false", 0, 0);
    expect_size(ctx, "\"size\": {\"shortest_edge\": 6}, \"crop_size\": {\"height\": 2, \"width\": 3}", 3, 2);
    expect_size(ctx, "\"do_resize\": false", 0, 0);
    expect_size(ctx, "\"size\": 384, \"image_processor_type\": \"ConvNextImageProcessor\"", 384, 384);
    expect_size(ctx, "\"size\": 224, \"image_processor_type\": \"ConvNextImageProcessor\"", 224, 224);
    at_test_done(ctx);
}

/* Below 384 the centre of a larger picture, from there on the whole of it. */
AT_TEST(test_preprocess__convnext_squashes_large_pictures)
{
    at_ctx *ctx = at_test_ctx();
    at_preprocess p;
    at_expect_ok(ctx,
                 configure(ctx, &p, "\"size\": 383, \"image_processor_type\": \"ConvNextImageProcessor\""));
    assert_true(p.crop && p.shortest_edge == 437 && p.crop_width == 383);
    at_expect_ok(ctx,
                 configure(ctx, &p, "\"size\": 384, \"image_processor_type\": \"ConvNextImageProcessor\""));
    assert_true(!p.crop && p.shortest_edge == 0 && p.resize_width == 384 && p.resize_height == 384);
    at_test_done(ctx);
}

/* ---- Against Transformers and timm ---- */

static at_image as_image(const at_tensor *t)
{
    return (at_image){(int)t->dim[1], (int)t->dim[0], (unsigned char *)t->data};
}

/* want: [height, width, 3], or [3, height, width] when planar. */
static void check_pixels(at_ctx *ctx, const char *what, const at_preprocess *p, const at_image *in,
                         const float *want, int width, int height, bool planar)
{
    at_image fitted;
    at_expect_ok(ctx, at_preprocess_fit(ctx, &fitted, p, in));
    if (fitted.width != width || fitted.height != height)
        fail_msg("%s: %d x %d, expected %d x %d", what, fitted.width, fitted.height, width, height);
    const int64_t pixels = (int64_t)width * height;
    float *got = malloc(3 * (size_t)pixels * sizeof *got);
    at_preprocess_normalise(got, p, &fitted);
    for (int64_t i = 0; i < 3 * pixels; i++) {
        const float w = planar ? want[i % 3 * pixels + i / 3] : want[i];
        if (!(fabs((double)got[i] - (double)w) <= AT_TOL_PIXEL))
            fail_msg("%s: value %lld is %.9g, expected %.9g", what, (long long)i, (double)got[i], (double)w);
    }
    free(got);
    at_image_deinit(ctx, &fitted);
}

/* fit/out/CONFIG/PICTURE */
static void check_fit(at_ctx *ctx, const at_safetensors *golden, const at_tensor *want)
{
    char config[64], picture[64], name[96];
    if (sscanf(want->name, "fit/out/%63[^/]/%63s", config, picture) != 2)
        fail_msg("unexpected name %s", want->name);
    snprintf(name, sizeof name, "fit/in/%s", picture);
    const at_image in = as_image(at_safetensors_find(golden, name));
    snprintf(name, sizeof name, "timm/%s", config);
    const at_tree *json = at_tree_get(golden->metadata, name);
    const bool timm = json != NULL;
    snprintf(name, sizeof name, "transformers/%s", config);
    if (!timm) json = at_tree_get(golden->metadata, name);
    assert_non_null(json);
    at_preprocess p;
    at_expect_ok(
        ctx, parse(ctx, &p, json->text, timm ? at_preprocess_from_timm : at_preprocess_from_transformers));
    check_pixels(ctx, want->name, &p, &in, want->data, (int)want->dim[1], (int)want->dim[0], false);
}

AT_TEST(test_preprocess__equals_transformers_and_timm)
{
    at_ctx *ctx = at_test_ctx();
    at_safetensors *golden = NULL;
    at_expect_ok(ctx, at_safetensors_open(&golden, ctx, GOLDEN));
    int n = 0;
    for (int64_t i = 0; i < golden->n; i++)
        if (strncmp(golden->tensors[i].name, "fit/out/", 8) == 0)
            check_fit(ctx, golden, &golden->tensors[i]), n++;
    assert_int_equal(n, 25);
    at_safetensors_close(ctx, golden);
    at_test_done(ctx);
}

/* What a published model folder expects of four photos. */
AT_TEST(test_preprocess__equals_the_pictures_of_a_model)
{
    char path[1024];
    if (!at_test_data(path, "models/mobilenetv2-0.35-hf/preprocessor_config.json"))
        AT_SKIP("ATTUNE_DATA is not set");
    at_ctx *ctx = at_test_ctx();
    at_arena arena;
    at_arena_init(&arena, ctx);
    at_tree *config, *files;
    at_preprocess p;
    at_expect_ok(ctx, at_tree_read(&arena, &config, path));
    at_expect_ok(ctx, at_preprocess_from_transformers(ctx, &p, config, path));
    at_safetensors *expected = NULL;
    at_test_data(path, "models/mobilenetv2-0.35-hf/expected.safetensors");
    at_expect_ok(ctx, at_safetensors_open(&expected, ctx, path));
    const at_tree *listed = at_tree_get(expected->metadata, "files");
    at_expect_ok(ctx, at_json_parse(&arena, &files, listed->text, strlen(listed->text), "files"));
    const at_tensor *want = at_safetensors_find(expected, "pixel_values");
    const float *values = want->data;
    assert_int_equal(files->n, want->dim[0]);
    for (const at_tree *f = files->first; f; f = f->next, values += 3 * want->dim[2] * want->dim[3]) {
        at_image photo;
        at_expect_ok(ctx, at_image_read(ctx, &photo, at_test_data(path, f->text)));
        check_pixels(ctx, f->text, &p, &photo, values, (int)want->dim[3], (int)want->dim[2], true);
        at_image_deinit(ctx, &photo);
    }
    at_safetensors_close(ctx, expected);
    at_arena_deinit(&arena);
    at_test_done(ctx);
}

/* ---- Bounds and memory ---- */

AT_TEST(test_preprocess__refuses_a_ribbon)
{
    at_ctx *ctx = at_test_ctx();
    at_image ribbon = {40000, 1, malloc(3 * 40000)}, out = {.width = 1};
    memset(ribbon.rgb, 0, 3 * 40000);
    const at_preprocess p = {.resize = true, .shortest_edge = 224, .filter = AT_BILINEAR};
    at_expect_error(ctx, at_preprocess_fit(ctx, &out, &p, &ribbon), AT_E_RANGE, "resize to 8960000 x 224");
    assert_int_equal(out.width, 0);
    free(ribbon.rgb);
    at_test_done(ctx);
}

static at_status fit_attempt(at_ctx *ctx, void *arg)
{
    unsigned char pixels[3 * 9 * 8] = {0};
    const at_image in = {9, 8, pixels};
    at_image out;
    const at_status status = at_preprocess_fit(ctx, &out, arg, &in);
    at_image_deinit(ctx, &out);
    return status;
}

AT_TEST(test_preprocess__survives_lack_of_memory)
{
    at_ctx *ctx = at_test_ctx();
    at_preprocess p = {.resize = true,
                       .shortest_edge = 6,
                       .crop = true,
                       .crop_width = 5,
                       .crop_height = 5,
                       .filter = AT_BILINEAR};
    at_torture(ctx, fit_attempt, &p);
    at_test_done(ctx);
}
