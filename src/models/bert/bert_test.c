/* bert_test.c: the network against goldens: a tiny random network with logits, loss, every gradient and 20
 * steps of two optimisers; a pooler that a checkpoint lacks; what its configs may not say. */
#include "tests/harness/modelcheck.h"

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
    static const char *const variants[] = {"tanh", "relu", "eps", "heads"};
    at_ctx *ctx = at_test_ctx();
    for (int i = 0; i < AT_COUNT(variants); i++) at_check_variant(ctx, HF, variants[i]);
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

AT_TEST(test_bert__has_a_fresh_pooler_where_the_checkpoint_has_none)
{
    at_ctx *ctx = at_test_ctx();
    at_check_fresh_head(ctx, HF, "bert.pooler.", 0.02);
    at_test_done(ctx);
}

AT_TEST(test_bert__refuses_what_it_does_not_know)
{
    at_ctx *ctx = at_test_ctx();
    at_check_refused_config(ctx, "{\"model_type\": \"bert\", \"hidden_act\": \"swish\"}", AT_E_UNSUPPORTED,
                            "hidden_act \"swish\"; known are gelu, gelu_new, gelu_pytorch_tanh and relu");
    at_check_refused_config(ctx, "{\"model_type\": \"bert\", \"num_attention_heads\": 7}", AT_E_FORMAT,
                            "hidden_size 768 is no multiple of num_attention_heads 7");
    at_check_refused_config(
        ctx, "{\"model_type\": \"bert\", \"position_embedding_type\": \"relative_key\"}", AT_E_UNSUPPORTED,
        "position_embedding_type is \"relative_key\"; this network is known with \"absolute\" only");
    at_check_refused_config(ctx, "{\"model_type\": \"bert\", \"num_hidden_layers\": 129}", AT_E_FORMAT,
                            "num_hidden_layers is 129, must be 1 to 128");
    at_test_done(ctx);
}
