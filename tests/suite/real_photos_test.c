/* real_photos_test.c: four JPEG files through decoding, the preprocessing that a published folder asks for,
 * and its network, against features computed in float64 by a walk over the network as it was first published.
 * Both layouts. */
#include "data/pixels.h"
#include "engine/plan.h"
#include "models/model.h"
#include "tests/harness/test.h"
#include "tests/harness/tolerance.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define HF   "models/mobilenetv2-0.35-hf"
#define TIMM "models/mobilenetv2-0.35-timm"

enum { PHOTOS = 4, SIDE = 224, FEATURES = 1280 };

static const char *data(at_arena *arena, const char *folder, const char *file)
{
    char path[1024];
    return at_arena_strdup(arena, at_test_data(path, at_arena_printf(arena, "%s/%s", folder, file)));
}

static void read_preprocess(at_arena *arena, at_preprocess *out, const at_model *m)
{
    at_ctx *ctx = arena->ctx;
    at_tree *t;
    if (m->layout == AT_LAYOUT_TIMM) {
        at_expect_ok(ctx,
                     at_preprocess_from_timm(ctx, out, at_tree_get(m->config, "pretrained_cfg"), m->folder));
        return;
    }
    const char *path = at_arena_printf(arena, "%s/preprocessor_config.json", m->folder);
    at_expect_ok(ctx, at_tree_read(arena, &t, path));
    at_expect_ok(ctx, at_preprocess_from_transformers(ctx, out, t, path));
}

/* The photos that the golden names, as the network's input [PHOTOS,SIDE,SIDE,3]. */
static at_real *read_photos(at_arena *arena, const at_preprocess *p, const at_safetensors *golden)
{
    enum { EACH = SIDE * SIDE * 3 };
    at_ctx *ctx = arena->ctx;
    const at_tree *listed = at_tree_get(golden->metadata, "files");
    at_tree *files;
    at_expect_ok(ctx, at_json_parse(arena, &files, listed->text, strlen(listed->text), "files"));
    assert_int_equal(files->n, PHOTOS);
    at_real *out = malloc(PHOTOS * EACH * sizeof *out), *next = out;
    for (const at_tree *f = files->first; f; f = f->next, next += EACH) {
        char path[1024];
        at_image photo, fitted;
        at_expect_ok(ctx, at_image_read(ctx, &photo, at_test_data(path, f->text)));
        at_expect_ok(ctx, at_preprocess_fit(ctx, &fitted, p, &photo));
        assert_true(fitted.width == SIDE && fitted.height == SIDE);
        at_preprocess_normalise(next, p, &fitted);
        at_image_deinit(ctx, &photo);
        at_image_deinit(ctx, &fitted);
    }
    return out;
}

static void run_network(at_model *m, const char *kernels, const at_real *pixels, int64_t n, at_real *features)
{
    at_ctx *ctx = m->ctx;
    at_graph *g;
    at_plan *plan;
    at_expect_ok(ctx, at_graph_create(&g, ctx, m->net.store, AT_EVAL));
    const at_extent *samples = at_graph_extent(g, "samples", n);
    at_inputs in = {.n = 1, .list = {{.name = "pixel_values"}}};
    at_value *x = in.list[0].value =
        at_input(g, "pixel_values", AT_ACT, samples, 4, (const int64_t[]){1, SIDE, SIDE, 3});
    at_value *y = m->architecture->build(m, g, &in);
    at_expect_ok(
        ctx, at_plan_create(&plan, g, &(at_plan_options){.kernels = kernels, .fetches = &y, .n_fetches = 1}));
    at_plan_write(plan, x, pixels, n);
    at_plan_run(plan, &(at_pass){.extents = &n});
    at_plan_fetch(plan, y, features);
    at_expect_ok(ctx, at_plan_sync(plan));
    at_plan_destroy(plan);
    at_graph_destroy(g);
}

/* Per photo: largest difference / largest expected feature of all four. */
static void expect_features(const char *what, const at_real *got, const at_tensor *want)
{
    const float *w = want->data;
    double scale = 0, worst[PHOTOS] = {0};
    assert_true(want->dtype == AT_F32 && want->count == PHOTOS * FEATURES);
    for (int i = 0; i < PHOTOS * FEATURES; i++) scale = fmax(scale, fabs((double)w[i]));
    for (int i = 0; i < PHOTOS * FEATURES; i++) {
        const double d = fabs((double)got[i] - (double)w[i]) / scale;
        if (!(d <= worst[i / FEATURES])) worst[i / FEATURES] = d;
    }
    printf("%s: largest difference / largest expected %.2g %.2g %.2g %.2g\n", what, worst[0], worst[1],
           worst[2], worst[3]);
    for (int p = 0; p < PHOTOS; p++)
        if (!(worst[p] <= AT_TOL_MODEL))
            fail_msg("%s: photo %d differs by %.3g, allowed %.3g", what, p, worst[p], AT_TOL_MODEL);
}

static void check_layout(at_ctx *ctx, const char *name, at_layout layout)
{
    at_arena arena;
    at_device *device;
    at_model *m;
    at_safetensors *golden;
    at_preprocess p;
    at_arena_init(&arena, ctx);
    at_expect_ok(ctx, at_device_open(&device, ctx, "cpu"));
    at_expect_ok(ctx, at_model_open(&m, ctx, device, data(&arena, name, "")));
    at_expect_ok(ctx, at_safetensors_open(&golden, ctx, data(&arena, name, "expected.safetensors")));
    assert_int_equal(m->layout, layout);
    read_preprocess(&arena, &p, m);
    at_real *pixels = read_photos(&arena, &p, golden),
            *features = malloc(PHOTOS * FEATURES * sizeof *features);
    for (int k = -2; k <= (int)ctx->isa; k++) {
        const char *kernels = k == -2 ? "auto" : k == -1 ? "ref" : at_isa_name((at_isa)k);
        run_network(m, kernels, pixels, PHOTOS, features);
        expect_features(at_arena_printf(&arena, "%s, kernels %s", name, kernels), features,
                        at_safetensors_find(golden, "pooled"));
    }
    at_real *alone = malloc(FEATURES * sizeof *alone); /* a photo's bits do not depend on its company */
    for (int i = 0; i < PHOTOS; i++) {
        run_network(m, "auto", pixels + (int64_t)i * SIDE * SIDE * 3, 1, alone);
        run_network(m, "auto", pixels, PHOTOS, features);
        assert_memory_equal(alone, features + (int64_t)i * FEATURES, FEATURES * sizeof *alone);
    }
    free(pixels), free(features), free(alone);
    at_safetensors_close(ctx, golden);
    at_model_close(m);
    at_device_close(device);
    at_arena_deinit(&arena);
}

AT_TEST(test_real_photos__features_equal_the_published_networks_in_both_layouts)
{
    char path[1024];
    if (!at_test_data(path, "")) AT_SKIP("ATTUNE_DATA is not set");
    at_ctx *ctx = at_test_ctx();
    check_layout(ctx, HF, AT_LAYOUT_TRANSFORMERS);
    check_layout(ctx, TIMM, AT_LAYOUT_TIMM);
    at_test_done(ctx);
}
