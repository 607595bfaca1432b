/* modernbert_test.c: the network against goldens: a tiny random network with logits, loss, every gradient and
 * 20 steps of two optimisers; heads of checkpoints that lack a part of one; what its configs may not say. */
#include "tests/harness/modelcheck.h"

#define HF  AT_SOURCE_DIR "/src/models/modernbert/golden_hf"
#define OLD AT_SOURCE_DIR "/src/models/modernbert/golden_old"

AT_TEST(test_modernbert__logits_equal_transformers)
{
    at_ctx *ctx = at_test_ctx();
    at_check_output(ctx, &(at_model_case){.folder = HF, .tensor = "eval.logits"});
    at_check_output(ctx, &(at_model_case){.folder = HF, .tensor = "eval.logits", .plain = true});
    at_check_output(ctx, &(at_model_case){.folder = HF, .tensor = "eval.logits", .kernels = "ref"});
    at_test_done(ctx);
}

AT_TEST(test_modernbert__settings_are_those_of_the_config)
{
    at_ctx *ctx = at_test_ctx();
    at_check_variant(ctx, HF, "mean");
    at_check_variant(ctx, HF, "window");
    at_check_variant(ctx, HF, "heads");
    at_test_done(ctx);
}

AT_TEST(test_modernbert__gradients_and_20_adamw_steps_equal_pytorch)
{
    at_ctx *ctx = at_test_ctx();
    at_check_trace(ctx, HF, "cpu", &at_trace_adamw, false);
    at_test_done(ctx);
}

AT_TEST(test_modernbert__20_sgd_steps_equal_pytorch)
{
    at_ctx *ctx = at_test_ctx();
    at_check_trace(ctx, HF, "cpu", &at_trace_sgd, false);
    at_check_trace(ctx, HF, "cpu", &at_trace_sgd, true);
    at_test_done(ctx);
}

AT_TEST(test_modernbert__trains_on_the_far_device)
{
    at_ctx *ctx = at_test_ctx();
    at_check_trace(ctx, HF, "far", &at_trace_sgd, false);
    at_test_done(ctx);
}

AT_TEST(test_modernbert__is_saved_in_the_layout_it_came_from)
{
    at_ctx *ctx = at_test_ctx();
    at_check_saving(ctx, HF);
    at_test_done(ctx);
}

/* 0.02 / sqrt(2 layers) with 3 layers. */
AT_TEST(test_modernbert__has_a_fresh_head_where_the_checkpoint_has_none)
{
    at_ctx *ctx = at_test_ctx();
    at_check_fresh_head(ctx, HF, "head.", 0.0081650);
    at_test_done(ctx);
}

AT_TEST(test_modernbert__reads_biases_means_and_the_keys_of_transformers_4)
{
    at_ctx *ctx = at_test_ctx();
    at_check_output(ctx, &(at_model_case){.folder = OLD, .tensor = "eval.logits"});
    at_check_trace(ctx, OLD, "cpu", &at_trace_adamw, false);
    at_check_trace(ctx, OLD, "cpu", &at_trace_sgd, false);
    at_check_saving(ctx, OLD);
    at_check_fresh_head(ctx, OLD, "head.", 0.0081650);
    at_test_done(ctx);
}

#define MODERNBERT "{\"model_type\": \"modernbert\", "

AT_TEST(test_modernbert__refuses_what_it_does_not_know)
{
    static const struct {
        const char *json, *part;
        at_status status;
    } refused[] = {
        {MODERNBERT "\"hidden_activation\": \"swish\"}",
         "hidden_activation \"swish\"; known are gelu, gelu_new, gelu_pytorch_tanh and relu",
         AT_E_UNSUPPORTED},
        {MODERNBERT "\"num_attention_heads\": 256}",
         "hidden_size 768 is no even multiple of num_attention_heads 256", AT_E_FORMAT},
        {MODERNBERT "\"classifier_pooling\": \"max\"}", "classifier_pooling is \"max\", must be cls or mean",
         AT_E_UNSUPPORTED},
        {MODERNBERT "\"norm_bias\": 1}", "norm_bias is a whole number, must be true or false", AT_E_FORMAT},
        {MODERNBERT "\"rope_scaling\": {\"factor\": 2}}", "rope_scaling is not known", AT_E_UNSUPPORTED},
        {MODERNBERT "\"rope_parameters\": {\"full_attention\": {\"rope_type\": \"yarn\"}}}",
         "rope_parameters.full_attention.rope_type is \"yarn\"; this network is known with \"default\" only",
         AT_E_UNSUPPORTED},
        {MODERNBERT "\"num_hidden_layers\": 2, \"layer_types\": [\"full_attention\"]}",
         "layer_types must be a list of num_hidden_layers 2 texts", AT_E_FORMAT},
        {MODERNBERT "\"num_hidden_layers\": 1, \"layer_types\": [\"chunked_attention\"]}",
         "layer_types must each be full_attention or sliding_attention", AT_E_UNSUPPORTED},
    };
    at_ctx *ctx = at_test_ctx();
    for (int i = 0; i < AT_COUNT(refused); i++)
        at_check_refused_config(ctx, refused[i].json, refused[i].status, refused[i].part);
    at_test_done(ctx);
}

AT_TEST(test_modernbert__a_head_for_every_token)
{
    static const char tokens[] = AT_SOURCE_DIR "/src/models/modernbert/golden_tokens";
    at_ctx *ctx = at_test_ctx();
    at_check_output(ctx, &(at_model_case){.folder = tokens, .tensor = "eval.logits"});
    at_check_saving(ctx, tokens);
    at_check_head_kinds(ctx, tokens, HF);
    at_test_done(ctx);
}
