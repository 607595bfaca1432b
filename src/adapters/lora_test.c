/* lora_test.c: LoRA by itself: neutral at first, how it is drawn, merging, ranks. As PEFT has it:
 * peft_test.c, lora_steps_test.c. */
#include "adapters/peft.h"
#include "tests/harness/lorarig.h"
#include "tests/harness/report.h"
#include "tests/harness/test.h"
#include "tests/harness/tolerance.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- Neutral at first ---- */

AT_TEST(test_lora__fresh_adapters_change_no_bit_and_no_draw)
{
    static const at_mode modes[] = {AT_EVAL, AT_TRAIN};
    at_ctx *ctx = at_test_ctx();
    at_report r = {0};
    at_real logits[2][AT_LORA_LOGITS];
    for (int m = 0; m < 2; m++) {
        for (int i = 0; i < 2; i++) {
            at_lora_rig t;
            at_lora_options o = at_lora_defaults(ctx, 4);
            o.dropout = 0.3;
            at_lora_open_model(&t, ctx, AT_LORA_MOBILENET);
            t.model->head.dropout = 0.5; /* draws that must stay */
            if (i) at_expect_ok(ctx, at_lora_hang(&t, &o, 7));
            at_lora_build_model(&t, modes[m]);
            assert_int_equal(at_store_find(t.net->store, "classifier.lora_A.weight") != NULL, i);
            at_lora_forward(&t, "auto", logits[i]);
            at_lora_close(&t);
        }
        at_report_at(&r, "mode %d", (int)modes[m]);
        at_report_same(&r, "logits", logits[1], logits[0], 3 * AT_LORA_CLASSES * sizeof(at_real));
    }
    at_expect_clean(&r);
    at_test_done(ctx);
}

/* A as PEFT draws it: uniform up to 1/sqrt(in), by seed and site; B = 0. */
AT_TEST(test_lora__a_is_uniform_and_b_is_zero)
{
    at_ctx *ctx = at_test_ctx();
    at_real a[3][4 * 33], b[AT_LORA_CLASSES * 4];
    for (int i = 0; i < 3; i++) { /* seeds 1, 1, 2 */
        at_lora_rig t;
        const at_lora_options o = at_lora_defaults(ctx, 4);
        at_lora_open_two_layer(&t, ctx);
        at_expect_ok(ctx, at_lora_hang(&t, &o, i < 2 ? 1 : 2));
        at_store *s = t.net->store;
        at_expect_ok(ctx, at_state_get(s, at_store_find(s, "output.lora_A.weight"), a[i]));
        at_expect_ok(ctx, at_state_get(s, at_store_find(s, "output.lora_B.weight"), b));
        for (int k = 0; k < AT_LORA_CLASSES * 4; k++) assert_true(b[k] == 0);
        at_lora_close(&t);
    }
    double sum = 0, square = 0;
    const double n = 4 * 33, bound = 1 / sqrt(33);
    for (int k = 0; k < 4 * 33; k++) {
        assert_true(fabs((double)a[0][k]) <= bound * (1 + 1e-6));
        sum += (double)a[0][k];
        square += (double)a[0][k] * (double)a[0][k];
    }
    assert_true(fabs(sum / n) < 4 * bound / sqrt(3 * n)); /* 4 standard errors */
    assert_true(fabs(square / n - bound * bound / 3) < 4 * bound * bound * sqrt(4.0 / 45 / n));
    assert_memory_equal(a[0], a[1], sizeof a[0]);
    assert_true(memcmp(a[0], a[2], sizeof a[0]) != 0);
    at_test_done(ctx);
}

/* ---- Merging and folders of our own ---- */

/* W = [[1,0,2],[0,1,-1]], A = [[.1,-.2,.3]], B = [[.5],[-1]], s = 2: worked out by hand. */
AT_TEST(test_lora__merges_what_the_formula_says)
{
    static const at_real w0[] = {1, 0, 2, 0, 1, -1}, a[] = {(at_real)0.1, (at_real)-0.2, (at_real)0.3},
                         b[] = {(at_real)0.5, -1};
    static const double want[] = {1.1, -0.2, 2.3, -0.2, 1.4, -1.6};
    at_ctx *ctx = at_test_ctx();
    at_device *device;
    at_net net;
    at_site *site;
    at_real w[6];
    at_lora_options o = at_lora_defaults(ctx, 1);
    o.alpha = 2;
    at_adapter_setup setup = {.options = &o, .where = "edits"};
    at_expect_ok(ctx, at_device_open(&device, ctx, "cpu"));
    at_expect_ok(ctx, at_net_init(&net, ctx, device));
    at_expect_ok(ctx, at_net_group(&net, "all"));
    at_expect_ok(ctx, at_net_linear(&site, &net, "f", "f", 3, 2, true));
    at_expect_ok(ctx, at_adapter_hang(&at_adapter_lora, &net, (at_site *[1]){site}, 1, &setup));
    at_expect_ok(ctx, at_state_set(net.store, at_store_find(net.store, "f.lora_A.weight"), a));
    at_expect_ok(ctx, at_state_set(net.store, at_store_find(net.store, "f.lora_B.weight"), b));
    memcpy(w, w0, sizeof w);
    const at_intercept *i = site->intercepts;
    at_expect_ok(ctx, i->merge(&net, site, AT_BIAS, w, i->self));
    assert_memory_equal(w, w0, sizeof w);
    at_expect_ok(ctx, i->merge(&net, site, AT_WEIGHT, w, i->self));
    for (int k = 0; k < 6; k++) assert_true(fabs((double)w[k] - want[k]) < 4e-7);
    at_net_deinit(&net);
    at_device_close(device);
    at_test_done(ctx);
}

static void check_merge(at_ctx *ctx, const char *network, const char *model, at_report *r)
{
    at_lora_rig t;
    char folder[1100], saved[1024];
    at_real adapted[AT_LORA_LOGITS], merged[AT_LORA_LOGITS];
    at_lora_open_model(&t, ctx, model);
    snprintf(folder, sizeof folder, AT_LORA_GOLDEN "%s", network);
    at_expect_ok(ctx, at_lora_hang_from(&t, folder));
    at_lora_scratch(saved, "merged");
    at_expect_ok(ctx, at_model_save(t.model, saved));
    snprintf(folder, sizeof folder, "cp '%s/golden.safetensors' '%s'", model, saved);
    assert_int_equal(system(folder), 0);
    at_lora_build_model(&t, AT_EVAL);
    at_lora_forward(&t, "auto", adapted);
    const int64_t n = t.n * AT_LORA_CLASSES;
    at_lora_close(&t);
    at_lora_open_model(&t, ctx, saved);
    at_lora_build_model(&t, AT_EVAL);
    at_lora_forward(&t, "auto", merged);
    at_lora_close(&t);
    at_report_at(r, "%s", network);
    at_report_close(r, "merged", merged, adapted, n, sizeof(at_real) == sizeof(double) ? 1e-12 : 1e-5);
}

AT_TEST(test_lora__a_merged_network_computes_the_same)
{
    at_ctx *ctx = at_test_ctx();
    at_report r = {0};
    check_merge(ctx, "mobilenet", AT_LORA_MOBILENET, &r);
    check_merge(ctx, "resnet", AT_LORA_RESNET, &r);
    at_expect_clean(&r);
    at_test_done(ctx);
}

/* ---- Ranks ---- */

/* A rank above a layer's is cut to it, with the same scale. */
AT_TEST(test_lora__narrow_layers_get_their_own_rank)
{
    at_ctx *ctx = at_test_ctx();
    at_lora_rig t;
    at_lora_options o = at_lora_defaults(ctx, 6);
    o.alpha = 9;
    at_lora_open_two_layer(&t, ctx);
    at_expect_ok(ctx, at_lora_hang(&t, &o, 0));
    assert_int_equal(at_store_find(t.net->store, "hidden.lora_B.weight")->cols, 6);
    assert_int_equal(at_store_find(t.net->store, "output.lora_B.weight")->cols, 5);
    char written[1024];
    at_lora_scratch(written, "narrow");
    const at_adapter_folder f = {.path = written, .base = "base"};
    at_expect_ok(ctx, at_adapter_lora.write(t.net, &f));
    at_peft *p;
    double rank = 0, alpha = 0;
    at_expect_ok(ctx, at_peft_open(&p, ctx, written, "LORA"));
    at_expect_ok(ctx, at_peft_pattern(p, "rank_pattern", "2", &rank));
    at_expect_ok(ctx, at_peft_pattern(p, "alpha_pattern", "2", &alpha));
    assert_true(rank == 5 && alpha == 7.5);
    at_expect_ok(ctx, at_peft_pattern(p, "rank_pattern", "0", &rank));
    assert_true(rank == 5);
    at_peft_close(p);
    at_lora_close(&t);
    at_test_done(ctx);
}

static void expect_rank_refused(at_ctx *ctx, int64_t r)
{
    at_lora_rig t;
    const at_lora_options o = at_lora_defaults(ctx, r);
    at_lora_open_two_layer(&t, ctx);
    at_expect_error(ctx, at_lora_hang(&t, &o, 0), AT_E_RANGE,
                    "edits: lora.r is 8, larger than the layers: hidden, the largest of those selected, has "
                    "rank 7");
    at_lora_close(&t);
}

AT_TEST(test_lora__a_rank_above_all_layers_is_refused)
{
    at_ctx *ctx = at_test_ctx();
    expect_rank_refused(ctx, 8);
    at_test_done(ctx);
}
