/* bert_test.c: the network against goldens: a tiny random network with logits, loss, every gradient and 20
 * steps of two optimisers; the real MiniLM; what its configs may not say. */
#include "formats/file.h"
#include "models/model.h"
#include "tests/harness/modelcheck.h"
#include <stdio.h>

#define HF AT_SOURCE_DIR "/src/models/bert/golden_hf"

AT_TEST(test_bert__logits_equal_transformers)
{
    at_ctx *ctx = at_test_ctx();
    at_check_output(ctx, &(at_model_case){.folder = HF, .tensor = "eval.logits"});
    at_check_output(ctx, &(at_model_case){.folder = HF, .tensor = "eval.logits", .plain = true});
    at_check_output(ctx, &(at_model_case){.folder = HF, .tensor = "eval.logits", .kernels = "ref"});
    at_test_done(ctx);
}

AT_TEST(test_bert__settings_are_those_of_the_config)
{
    static const char *const variants[][2] = {{"tanh", "eval.tanh.logits"},
                                              {"relu", "eval.relu.logits"},
                                              {"eps", "eval.eps.logits"},
                                              {"heads", "eval.heads.logits"}};
    at_ctx *ctx = at_test_ctx();
    char folder[1024];
    for (int i = 0; i < AT_COUNT(variants); i++)
        at_check_output(ctx, &(at_model_case){.folder = at_variant_folder(folder, HF, variants[i][0]),
                                              .golden = HF "/golden.safetensors",
                                              .tensor = variants[i][1]});
    at_test_done(ctx);
}

AT_TEST(test_bert__gradients_and_20_adamw_steps_equal_pytorch)
{
    at_ctx *ctx = at_test_ctx();
    at_check_trace(ctx, HF, "cpu", &at_trace_adamw, false);
    at_test_done(ctx);
}

AT_TEST(test_bert__20_sgd_steps_equal_pytorch)
{
    at_ctx *ctx = at_test_ctx();
    at_check_trace(ctx, HF, "cpu", &at_trace_sgd, false);
    at_check_trace(ctx, HF, "cpu", &at_trace_sgd, true);
    at_test_done(ctx);
}

AT_TEST(test_bert__trains_on_the_far_device)
{
    at_ctx *ctx = at_test_ctx();
    at_check_trace(ctx, HF, "far", &at_trace_sgd, false);
    at_test_done(ctx);
}

AT_TEST(test_bert__is_saved_in_the_layout_it_came_from)
{
    at_ctx *ctx = at_test_ctx();
    at_check_saving(ctx, HF);
    at_test_done(ctx);
}

/* ---- What is refused: a config.json alone, before any weights are looked for ---- */

static void expect_refusal(at_ctx *ctx, const char *json, at_status status, const char *part)
{
    char folder[1024], path[1100];
    at_device *device;
    at_model *m;
    at_test_folder(folder, sizeof(at_real) == 8 ? "bert-config-f64" : "bert-config");
    snprintf(path, sizeof path, "%s/config.json", folder);
    at_expect_ok(ctx, at_file_write(ctx, path, json, strlen(json)));
    at_expect_ok(ctx, at_device_open(&device, ctx, "cpu"));
    at_expect_error(ctx, at_model_open(&m, ctx, device, folder), status, part);
    at_device_close(device);
}

AT_TEST(test_bert__refuses_what_it_does_not_know)
{
    static const struct {
        const char *json, *part;
        at_status status;
    } refused[] = {
        {"{\"model_type\": \"bert\", \"hidden_act\": \"swish\"}",
         "hidden_act \"swish\"; known are gelu, gelu_new, gelu_pytorch_tanh and relu", AT_E_UNSUPPORTED},
        {"{\"model_type\": \"bert\", \"num_attention_heads\": 7}",
         "hidden_size 768 is no multiple of num_attention_heads 7", AT_E_FORMAT},
        {"{\"model_type\": \"bert\", \"position_embedding_type\": \"relative_key\"}",
         "position_embedding_type is \"relative_key\"; this network is known with \"absolute\" only",
         AT_E_UNSUPPORTED},
        {"{\"model_type\": \"bert\", \"num_hidden_layers\": 129}", "num_hidden_layers is 129, must be 1 to 128",
         AT_E_FORMAT},
    };
    at_ctx *ctx = at_test_ctx();
    for (int i = 0; i < AT_COUNT(refused); i++)
        expect_refusal(ctx, refused[i].json, refused[i].status, refused[i].part);
    at_test_done(ctx);
}
