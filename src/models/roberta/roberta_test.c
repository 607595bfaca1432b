/* roberta_test.c: the network against goldens: a tiny random network with logits, loss, every gradient and
 * 20 steps of two optimisers; heads of checkpoints that lack a part of one; what its configs may not say. */
#include "models/model.h"
#include "tests/harness/modelcheck.h"
#include <stdio.h>
#include <stdlib.h>

#define HF AT_SOURCE_DIR "/src/models/roberta/golden_hf"

AT_TEST(test_roberta__logits_equal_transformers)
{
    at_ctx *ctx = at_test_ctx();
    at_check_output(ctx, &(at_model_case){.folder = HF, .tensor = "eval.logits"});
    at_check_output(ctx, &(at_model_case){.folder = HF, .tensor = "eval.logits", .plain = true});
    at_check_output(ctx, &(at_model_case){.folder = HF, .tensor = "eval.logits", .kernels = "ref"});
    at_test_done(ctx);
}

AT_TEST(test_roberta__settings_are_those_of_the_config)
{
    at_ctx *ctx = at_test_ctx();
    at_check_variant(ctx, HF, "relu");
    at_check_variant(ctx, HF, "eps");
    at_check_variant(ctx, HF, "pad");
    at_test_done(ctx);
}

AT_TEST(test_roberta__gradients_and_20_adamw_steps_equal_pytorch)
{
    at_ctx *ctx = at_test_ctx();
    at_check_trace(ctx, HF, "cpu", &at_trace_adamw, false);
    at_test_done(ctx);
}

AT_TEST(test_roberta__20_sgd_steps_equal_pytorch)
{
    at_ctx *ctx = at_test_ctx();
    at_check_trace(ctx, HF, "cpu", &at_trace_sgd, false);
    at_check_trace(ctx, HF, "cpu", &at_trace_sgd, true);
    at_test_done(ctx);
}

AT_TEST(test_roberta__trains_on_the_far_device)
{
    at_ctx *ctx = at_test_ctx();
    at_check_trace(ctx, HF, "far", &at_trace_sgd, false);
    at_test_done(ctx);
}

AT_TEST(test_roberta__is_saved_in_the_layout_it_came_from)
{
    at_ctx *ctx = at_test_ctx();
    at_check_saving(ctx, HF);
    at_test_done(ctx);
}

AT_TEST(test_roberta__has_a_fresh_head_where_the_checkpoint_has_none)
{
    at_ctx *ctx = at_test_ctx();
    at_check_fresh_head(ctx, HF, "classifier.dense.", 0.02);
    at_test_done(ctx);
}

AT_TEST(test_roberta__positions_begin_behind_padding)
{
    at_ctx *ctx = at_test_ctx();
    at_device *device;
    at_model *m;
    at_expect_ok(ctx, at_device_open(&device, ctx, "cpu"));
    at_expect_ok(ctx, at_model_open(&m, ctx, device, HF));
    assert_int_equal(m->text.positions, 16 - 3); /* padding is 2 */
    at_model_close(m);
    at_device_close(device);
    at_test_done(ctx);
}

/* The same network under the names of its kin. */
AT_TEST(test_roberta__has_kin)
{
    static const char *const kin[][2] = {{"xlm-roberta", "xlm_roberta"}, {"camembert", "camembert"}};
    at_ctx *ctx = at_test_ctx();
    for (int i = 0; i < AT_COUNT(kin); i++) {
        char folder[1024], command[4096];
        at_device *device;
        at_model *m;
        at_test_folder(folder, sizeof(at_real) == 8 ? "roberta-kin-f64" : "roberta-kin");
        snprintf(command, sizeof command,
                 "cp " HF "/*.safetensors '%s' && sed 's/\"roberta\"/\"%s\"/' " HF
                 "/config.json > '%s/config.json'",
                 folder, kin[i][0], folder);
        assert_int_equal(system(command), 0);
        at_expect_ok(ctx, at_device_open(&device, ctx, "cpu"));
        at_expect_ok(ctx, at_model_open(&m, ctx, device, folder));
        assert_string_equal(m->architecture->name, kin[i][1]);
        at_model_close(m);
        at_device_close(device);
        at_check_output(ctx, &(at_model_case){.folder = folder, .tensor = "eval.logits"});
    }
    at_test_done(ctx);
}

AT_TEST(test_roberta__refuses_what_it_does_not_know)
{
    at_ctx *ctx = at_test_ctx();
    at_check_refused_config(ctx, "{\"model_type\": \"roberta\", \"hidden_act\": \"swish\"}", AT_E_UNSUPPORTED,
                            "hidden_act \"swish\"; known are gelu, gelu_new, gelu_pytorch_tanh and relu");
    at_check_refused_config(ctx, "{\"model_type\": \"roberta\", \"num_attention_heads\": 7}", AT_E_FORMAT,
                            "hidden_size 768 is no multiple of num_attention_heads 7");
    at_check_refused_config(ctx, "{\"model_type\": \"xlm-roberta\", \"max_position_embeddings\": 2}",
                            AT_E_FORMAT, "max_position_embeddings is 2, must be 3 to 1048576");
    at_check_refused_config(
        ctx, "{\"model_type\": \"camembert\", \"position_embedding_type\": \"relative_key\"}",
        AT_E_UNSUPPORTED,
        "position_embedding_type is \"relative_key\"; this network is known with \"absolute\" only");
    at_test_done(ctx);
}

AT_TEST(test_roberta__a_head_for_every_token)
{
    static const char tokens[] = AT_SOURCE_DIR "/src/models/roberta/golden_tokens";
    at_ctx *ctx = at_test_ctx();
    at_check_output(ctx, &(at_model_case){.folder = tokens, .tensor = "eval.logits"});
    at_check_saving(ctx, tokens);
    at_check_head_kinds(ctx, tokens, HF);
    at_test_done(ctx);
}
