/* resnet_test.c: the network against goldens: tiny random networks of both blocks in both layouts, with
 * logits, loss, every gradient and 20 steps of two optimisers; what its configs may not say. */
#include "formats/file.h"
#include "models/model.h"
#include "tests/harness/modelcheck.h"
#include <stdio.h>

#define GOLDEN          AT_SOURCE_DIR "/src/models/resnet/golden_"
#define HF              GOLDEN "hf"
#define HF_BASIC        GOLDEN "hf_basic"
#define TIMM            GOLDEN "timm"
#define TIMM_BOTTLENECK GOLDEN "timm_bottleneck"

static const char *const goldens[] = {HF, HF_BASIC, TIMM, TIMM_BOTTLENECK};

AT_TEST(test_resnet__logits_equal_pytorch_in_both_layouts)
{
    at_ctx *ctx = at_test_ctx();
    for (int i = 0; i < AT_COUNT(goldens); i++) {
        at_check_output(ctx, &(at_model_case){.folder = goldens[i], .tensor = "eval.logits"});
        at_check_output(ctx, &(at_model_case){.folder = goldens[i], .tensor = "eval.logits", .plain = true});
    }
    at_test_done(ctx);
}

AT_TEST(test_resnet__strides_where_the_config_says)
{
    static const char *const variants[][2] = {{"first", "eval.first.logits"},
                                              {"bottleneck", "eval.bottleneck.logits"}};
    at_ctx *ctx = at_test_ctx();
    char folder[1024];
    for (int i = 0; i < AT_COUNT(variants); i++)
        at_check_output(ctx, &(at_model_case){.folder = at_variant_folder(folder, HF, variants[i][0]),
                                              .golden = HF "/golden.safetensors",
                                              .tensor = variants[i][1]});
    at_test_done(ctx);
}

AT_TEST(test_resnet__gradients_and_20_adamw_steps_equal_pytorch)
{
    at_ctx *ctx = at_test_ctx();
    at_check_trace(ctx, HF, "cpu", &at_trace_adamw, false);
    at_check_trace(ctx, TIMM, "cpu", &at_trace_adamw, false);
    at_test_done(ctx);
}

AT_TEST(test_resnet__20_sgd_steps_equal_pytorch)
{
    at_ctx *ctx = at_test_ctx();
    at_check_trace(ctx, HF, "cpu", &at_trace_sgd, false);
    at_check_trace(ctx, TIMM, "cpu", &at_trace_sgd, false);
    at_test_done(ctx);
}

AT_TEST(test_resnet__trains_on_the_far_device)
{
    at_ctx *ctx = at_test_ctx();
    at_check_trace(ctx, TIMM, "far", &at_trace_sgd, false);
    at_test_done(ctx);
}

AT_TEST(test_resnet__is_saved_in_the_layout_it_came_from)
{
    at_ctx *ctx = at_test_ctx();
    for (int i = 0; i < AT_COUNT(goldens); i++) at_check_saving(ctx, goldens[i]);
    at_test_done(ctx);
}

/* last:N counts blocks, and before them the stem. */
AT_TEST(test_resnet__groups_are_blocks)
{
    static const char *const groups[] = {"stem",
                                         "encoder.stages.0.layers.0",
                                         "encoder.stages.1.layers.0",
                                         "encoder.stages.1.layers.1",
                                         "encoder.stages.2.layers.0",
                                         "head"};
    at_ctx *ctx = at_test_ctx();
    at_device *device;
    at_model *m;
    at_expect_ok(ctx, at_device_open(&device, ctx, "cpu"));
    at_expect_ok(ctx, at_model_open(&m, ctx, device, HF));
    at_expect_ok(ctx, at_model_keep_head(m));
    assert_int_equal(m->net.n_groups, AT_COUNT(groups));
    for (int i = 0; i < AT_COUNT(groups); i++) assert_string_equal(m->net.groups[i], groups[i]);
    at_model_close(m);
    at_device_close(device);
    at_test_done(ctx);
}

/* ---- What is refused: a config.json alone, before any weights are looked for ---- */

static void expect_refusal(at_ctx *ctx, const char *json, at_status status, const char *part)
{
    char folder[1024], path[1100];
    at_device *device;
    at_model *m;
    at_test_folder(folder, sizeof(at_real) == 8 ? "resnet-config-f64" : "resnet-config");
    snprintf(path, sizeof path, "%s/config.json", folder);
    at_expect_ok(ctx, at_file_write(ctx, path, json, strlen(json)));
    at_expect_ok(ctx, at_device_open(&device, ctx, "cpu"));
    at_expect_error(ctx, at_model_open(&m, ctx, device, folder), status, part);
    at_device_close(device);
}

AT_TEST(test_resnet__refuses_what_it_does_not_know)
{
    static const struct {
        const char *json, *part;
        at_status status;
    } refused[] = {
        {"{\"model_type\": \"resnet\", \"hidden_act\": \"gelu\"}",
         "hidden_act is \"gelu\"; this network is known with \"relu\" only", AT_E_UNSUPPORTED},
        {"{\"model_type\": \"resnet\", \"layer_type\": \"wide\"}",
         "layer_type \"wide\"; known are \"basic\" and \"bottleneck\"", AT_E_FORMAT},
        {"{\"model_type\": \"resnet\", \"depths\": [1, 2]}", "channels of 4 stages, but depths of 2",
         AT_E_FORMAT},
        {"{\"model_type\": \"resnet\", \"depths\": [100, 100, 100, 1]}", "more than 256 blocks", AT_E_FORMAT},
        {"{\"model_type\": \"resnet\", \"depths\": 3}",
         "depths is a whole number, must be a list of whole numbers", AT_E_FORMAT},
        {"{\"model_type\": \"resnet\", \"depths\": []}", "depths has 0 numbers, must have 1 to 8",
         AT_E_FORMAT},
        {"{\"model_type\": \"resnet\", \"depths\": [1, 0, 1, 1]}",
         "the numbers of depths must be whole, 1 to 256", AT_E_FORMAT},
        {"{\"model_type\": \"resnet\", \"hidden_sizes\": [8, 3]}",
         "the numbers of hidden_sizes must be whole, 4 to 65536", AT_E_FORMAT},
        {"{\"architecture\": \"resnet50d\"}",
         "architecture \"resnet50d\"; known are resnet18, 34, 50, 101 and 152", AT_E_UNSUPPORTED},
        {"{\"architecture\": \"resnet18\", \"model_args\": {\"act_layer\": \"silu\"}}",
         "model_args.act_layer is not known for this network", AT_E_UNSUPPORTED},
        {"{\"architecture\": \"resnet18\", \"model_args\": {\"channels\": [8, 8]}}",
         "model_args.channels must be 4 numbers", AT_E_FORMAT},
        {"{\"architecture\": \"resnet18\", \"model_args\": {\"output_stride\": 16}}",
         "model_args.output_stride is 16, must be 32 to 32", AT_E_FORMAT},
        {"{\"architecture\": \"resnet18\", \"global_pool\": \"max\"}",
         "global_pool is \"max\"; this network is known with \"avg\" only", AT_E_UNSUPPORTED},
        {"{\"architecture\": \"resnetv2_50\"}", "unknown architecture \"resnetv2_50\"", AT_E_UNSUPPORTED},
    };
    at_ctx *ctx = at_test_ctx();
    for (int i = 0; i < AT_COUNT(refused); i++)
        expect_refusal(ctx, refused[i].json, refused[i].status, refused[i].part);
    at_test_done(ctx);
}
