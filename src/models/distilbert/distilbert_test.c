/* distilbert_test.c: the network against goldens: a tiny random network with logits, loss, every gradient and
 * 20 steps of two optimisers; heads of checkpoints that lack a part of one; what its configs may not say. */
#include "tests/harness/modelcheck.h"

#define HF AT_SOURCE_DIR "/src/models/distilbert/golden_hf"

AT_TEST(test_distilbert__logits_equal_transformers)
{
    at_ctx *ctx = at_test_ctx();
    at_check_output(ctx, &(at_model_case){.folder = HF, .tensor = "eval.logits"});
    at_check_output(ctx, &(at_model_case){.folder = HF, .tensor = "eval.logits", .plain = true});
    at_check_output(ctx, &(at_model_case){.folder = HF, .tensor = "eval.logits", .kernels = "ref"});
    at_test_done(ctx);
}

AT_TEST(test_distilbert__settings_are_those_of_the_config)
{
    at_ctx *ctx = at_test_ctx();
    at_check_variant(ctx, HF, "relu");
    at_check_variant(ctx, HF, "heads");
    at_test_done(ctx);
}

AT_TEST(test_distilbert__gradients_and_20_adamw_steps_equal_pytorch)
{
    at_ctx *ctx = at_test_ctx();
    at_check_trace(ctx, HF, "cpu", &at_trace_adamw, false);
    at_test_done(ctx);
}

AT_TEST(test_distilbert__20_sgd_steps_equal_pytorch)
{
    at_ctx *ctx = at_test_ctx();
    at_check_trace(ctx, HF, "cpu", &at_trace_sgd, false);
    at_check_trace(ctx, HF, "cpu", &at_trace_sgd, true);
    at_test_done(ctx);
}

AT_TEST(test_distilbert__trains_on_the_far_device)
{
    at_ctx *ctx = at_test_ctx();
    at_check_trace(ctx, HF, "far", &at_trace_sgd, false);
    at_test_done(ctx);
}

AT_TEST(test_distilbert__is_saved_in_the_layout_it_came_from)
{
    at_ctx *ctx = at_test_ctx();
    at_check_saving(ctx, HF);
    at_test_done(ctx);
}

AT_TEST(test_distilbert__has_a_fresh_head_where_the_checkpoint_has_none)
{
    at_ctx *ctx = at_test_ctx();
    at_check_fresh_head(ctx, HF, "pre_classifier.", 0.02);
    at_test_done(ctx);
}

AT_TEST(test_distilbert__refuses_what_it_does_not_know)
{
    at_ctx *ctx = at_test_ctx();
    at_check_refused_config(ctx, "{\"model_type\": \"distilbert\", \"activation\": \"swish\"}",
                            AT_E_UNSUPPORTED,
                            "activation \"swish\"; known are gelu, gelu_new, gelu_pytorch_tanh and relu");
    at_check_refused_config(ctx, "{\"model_type\": \"distilbert\", \"n_heads\": 7}", AT_E_FORMAT,
                            "dim 768 is no multiple of n_heads 7");
    at_check_refused_config(ctx, "{\"model_type\": \"distilbert\", \"n_layers\": 0}", AT_E_FORMAT,
                            "n_layers is 0, must be 1 to 128");
    at_check_refused_config(ctx, "{\"model_type\": \"distilbert\", \"seq_classif_dropout\": 1}", AT_E_FORMAT,
                            "seq_classif_dropout is 1, must be 0 to 0.999");
    at_test_done(ctx);
}

AT_TEST(test_distilbert__a_head_for_every_token)
{
    static const char tokens[] = AT_SOURCE_DIR "/src/models/distilbert/golden_tokens";
    at_ctx *ctx = at_test_ctx();
    at_check_output(ctx, &(at_model_case){.folder = tokens, .tensor = "eval.logits"});
    at_check_saving(ctx, tokens);
    at_check_head_kinds(ctx, tokens, HF);
    at_test_done(ctx);
}
