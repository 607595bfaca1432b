/* mobilenet_v2_test.c: the network against goldens: a real ImageNet backbone in both layouts. */
#include "engine/plan.h"
#include "models/model.h"
#include "tests/harness/report.h"
#include "tests/harness/test.h"
#include "tests/harness/tolerance.h"
#include <stdio.h>
#include <stdlib.h>

/* pixel_values [N,C,H,W] of any float dtype -> [N,H,W,C] at_real. */
static at_real *channels_last(at_ctx *ctx, const at_tensor *t)
{
    const int64_t N = t->dim[0], C = t->dim[1], H = t->dim[2], W = t->dim[3];
    at_real *out = malloc((size_t)t->count * sizeof *out), *planar = malloc((size_t)t->count * sizeof *planar);
    at_storage_of(ctx, t->dtype)->load(planar, &t->data, t->count, 0, 0, t->count);
    for (int64_t n = 0; n < N; n++)
        for (int64_t c = 0; c < C; c++)
            for (int64_t p = 0; p < H * W; p++) out[(n * H * W + p) * C + c] = planar[(n * C + c) * H * W + p];
    free(planar);
    return out;
}

static void compare_pooled(at_ctx *ctx, const char *folder, const char *golden, const char *kernels)
{
    char path[1024], file[1100], input_file[1100];
    at_device *d;
    at_model *m;
    at_safetensors *expected, *inputs;
    at_test_data(path, folder);
    snprintf(file, sizeof file, "%s/expected.safetensors", path);
    at_expect_ok(ctx, at_device_open(&d, ctx, "cpu"));
    at_expect_ok(ctx, at_model_open(&m, ctx, d, path));
    at_expect_ok(ctx, at_safetensors_open(&expected, ctx, file));
    at_test_data(path, golden);
    snprintf(input_file, sizeof input_file, "%s/expected.safetensors", path);
    at_expect_ok(ctx, at_safetensors_open(&inputs, ctx, input_file));
    const at_tensor *pixels = at_safetensors_find(inputs, "pixel_values"), *pooled = at_safetensors_find(expected, "pooled");
    const int64_t N = pixels->dim[0], H = pixels->dim[2], W = pixels->dim[3], F = pooled->dim[1];

    at_graph *g;
    at_plan *plan;
    at_expect_ok(ctx, at_graph_create(&g, ctx, m->net.store, AT_EVAL));
    const at_extent *samples = at_graph_extent(g, "samples", N);
    at_inputs in = {.n = 1};
    in.list[0].name = "pixel_values";
    in.list[0].value = at_input(g, "pixel_values", AT_ACT, samples, 4, (const int64_t[]){1, H, W, 3});
    at_value *features = m->architecture->build(m, g, &in);
    at_expect_ok(ctx, at_plan_create(&plan, g, &(at_plan_options){.kernels = kernels, .fetches = &features, .n_fetches = 1}));
    at_real *x = channels_last(ctx, pixels), *got = malloc((size_t)(N * F) * sizeof *got), *want = malloc((size_t)(N * F) * sizeof *want);
    at_storage_of(ctx, pooled->dtype)->load(want, &pooled->data, N * F, 0, 0, N * F);
    at_plan_write(plan, in.list[0].value, x, N);
    at_plan_run(plan, &(at_pass){.extents = &N});
    at_plan_fetch(plan, features, got);
    at_expect_ok(ctx, at_plan_sync(plan));
    at_report r = {0};
    at_report_at(&r, "%s, kernels %s", folder, kernels);
    at_report_close(&r, "pooled features", got, want, N * F, AT_TOL_MODEL);
    at_expect_clean(&r);

    at_plan_destroy(plan);
    at_graph_destroy(g);
    at_safetensors_close(ctx, expected);
    at_safetensors_close(ctx, inputs);
    at_model_close(m);
    at_device_close(d);
    free(x), free(got), free(want);
}

AT_TEST(test_mobilenet_v2__equals_the_real_backbone_in_both_layouts)
{
    char path[1024];
    if (!at_test_data(path, "")) AT_SKIP("ATTUNE_DATA is not set");
    at_ctx *ctx = at_test_ctx();
    static const char *const hf = "models/mobilenetv2-0.35-hf";
    compare_pooled(ctx, hf, hf, "auto");
    compare_pooled(ctx, "models/mobilenetv2-0.35-timm", hf, "auto");
    at_test_done(ctx);
}
