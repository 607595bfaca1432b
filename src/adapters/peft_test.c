/* peft_test.c: folders that PEFT has written give its logits; what is written is read back; what a folder may
 * not say; failing memory. Goldens: golden.py. */
#include "adapters/peft.h"
#include "tests/harness/lorarig.h"
#include "tests/harness/report.h"
#include "tests/harness/test.h"
#include "tests/harness/tolerance.h"
#include "tests/harness/torture.h"
#include <stdio.h>
#include <stdlib.h>

/* ---- Logits ---- */

static void compare_logits(at_ctx *ctx, const char *network, const char *model, const char *kernels,
                           at_report *r)
{
    at_lora_rig t;
    at_real got[AT_LORA_LOGITS];
    char folder[1100];
    at_lora_open_model(&t, ctx, model);
    snprintf(folder, sizeof folder, AT_LORA_GOLDEN "%s", network);
    at_expect_ok(ctx, at_lora_hang_from(&t, folder));
    at_lora_build_model(&t, AT_EVAL);
    at_lora_forward(&t, kernels, got);
    const at_tensor *logits = at_lora_golden(&t, network, "logits");
    at_real *want = at_lora_reals(ctx, logits);
    at_report_at(r, "%s, kernels %s", network, kernels);
    at_report_close(r, "logits", got, want, logits->count, AT_TOL_GOLDEN);
    free(want);
    at_lora_close(&t);
}

AT_TEST(test_peft__folders_of_peft_give_its_logits)
{
    static const char *const kernels[] = {"auto", "ref", "base"};
    at_ctx *ctx = at_test_ctx();
    at_report r = {0};
    for (int k = 0; k < AT_COUNT(kernels); k++) {
        compare_logits(ctx, "mobilenet", AT_LORA_MOBILENET, kernels[k], &r);
        compare_logits(ctx, "resnet", AT_LORA_RESNET, kernels[k], &r);
    }
    at_expect_clean(&r);
    at_test_done(ctx);
}

/* ---- What is read is written ---- */

/* Every tensor of one folder is in the other, with the same bits (of floats: the double library widens). */
static void compare_folders(at_ctx *ctx, const char *a, const char *b, at_report *r)
{
    at_peft *f[2];
    at_expect_ok(ctx, at_peft_open(&f[0], ctx, a, "LORA"));
    at_expect_ok(ctx, at_peft_open(&f[1], ctx, b, "LORA"));
    at_report_check(r, f[0]->tensors->n == f[1]->tensors->n, "%s has %lld tensors, %s %lld", a,
                    (long long)f[0]->tensors->n, b, (long long)f[1]->tensors->n);
    for (int64_t i = 0; i < f[0]->tensors->n; i++) {
        const at_tensor *t = &f[0]->tensors->tensors[i];
        at_real *x = malloc((size_t)t->count * sizeof *x), *y = malloc((size_t)t->count * sizeof *y);
        at_expect_ok(ctx, at_peft_get(f[0], t->name, t->rank, t->dim, x));
        at_expect_ok(ctx, at_peft_get(f[1], t->name, t->rank, t->dim, y));
        at_report_same(r, t->name, y, x, (size_t)t->count * sizeof *x);
        free(x), free(y);
    }
    static const char *const keys[] = {"r", "use_rslora", "modules_to_save"};
    for (int i = 0; i < AT_COUNT(keys); i++)
        at_report_check(r,
                        at_tree_equal(at_tree_get(f[0]->config, keys[i]), at_tree_get(f[1]->config, keys[i])),
                        "%s differs between %s and %s", keys[i], a, b);
    at_peft_close(f[0]);
    at_peft_close(f[1]);
}

static void check_round_trip(at_ctx *ctx, const char *network, const char *model, at_report *r)
{
    at_lora_rig t;
    char folder[1100], written[1024];
    at_real got[AT_LORA_LOGITS];
    snprintf(folder, sizeof folder, AT_LORA_GOLDEN "%s", network);
    at_lora_scratch(written, "written");
    at_lora_open_model(&t, ctx, model);
    at_expect_ok(ctx, at_lora_hang_from(&t, folder));
    const at_adapter_folder f = {.path = written, .prefix = at_model_prefix(t.model), .base = model};
    at_expect_ok(ctx, at_adapter_lora.write(t.net, &f));
    at_lora_close(&t);
    at_report_at(r, "%s written", network);
    compare_folders(ctx, folder, written, r);
    at_lora_open_model(&t, ctx, model); /* scales are in no tensor */
    at_expect_ok(ctx, at_lora_hang_from(&t, written));
    at_lora_build_model(&t, AT_EVAL);
    at_lora_forward(&t, "auto", got);
    at_real *want = at_lora_reals(ctx, at_lora_golden(&t, network, "logits"));
    at_report_close(r, "logits", got, want, t.n * AT_LORA_CLASSES, AT_TOL_GOLDEN);
    free(want);
    at_lora_close(&t);
}

AT_TEST(test_peft__what_is_read_is_written)
{
    at_ctx *ctx = at_test_ctx();
    at_report r = {0};
    check_round_trip(ctx, "mobilenet", AT_LORA_MOBILENET, &r);
    check_round_trip(ctx, "resnet", AT_LORA_RESNET, &r);
    at_expect_clean(&r);
    at_test_done(ctx);
}

/* ---- What is refused ---- */

/* A copy of the golden folder of the two-layer network in which `from` of the config is replaced. */
static void make_folder(char out[1024], const char *from, const char *to)
{
    char command[4096];
    at_lora_scratch(out, "edited");
    snprintf(command, sizeof command,
             "cp '" AT_LORA_GOLDEN
             "two_layer/adapter_model.safetensors' '%s' && sed 's|%s|%s|' '" AT_LORA_GOLDEN
             "two_layer/adapter_config.json' > '%s/adapter_config.json'",
             out, from, to, out);
    assert_int_equal(system(command), 0);
}

AT_TEST(test_peft__what_a_config_may_not_say)
{
    static const struct {
        const char *from, *to;
        at_status status;
        const char *message;
    } cases[] = {
        {"\"LORA\"", "\"IA3\"", AT_E_UNSUPPORTED,
         "adapter_config.json: peft_type is \"IA3\"; what can be read here is \"LORA\""},
        {"\"peft_type\"", "\"type\"", AT_E_FORMAT, "adapter_config.json: peft_type is missing"},
        {"\"bias\": \"none\"", "\"bias\": \"lora_only\"", AT_E_UNSUPPORTED,
         "adapter_config.json: bias is lora_only, which is not supported here"},
        {"\"use_dora\": false", "\"use_dora\": true", AT_E_UNSUPPORTED,
         "adapter_config.json: use_dora is true, which is not supported here"},
        {"\"init_lora_weights\": true", "\"init_lora_weights\": \"pissa_niter_4\"", AT_E_UNSUPPORTED,
         "init_lora_weights is \"pissa_niter_4\": it changes the network's own weights"},
        {"\"r\": 4", "\"r\": 0", AT_E_RANGE, "adapter_config.json: r is 0, must be 1 to 65536"},
        {"\"r\": 4", "\"r\": \"4\"", AT_E_ARG,
         "adapter_config.json: r is text \"4\", must be a whole number"},
        {"\"r\": 4", "\"r\": 5", AT_E_SHAPE,
         "adapter_model.safetensors: tensor \"base_model.model.0.lora_A.weight\" has shape [4,7], this "
         "network "
         "needs [5,7]: the adapter belongs to another"},
        {"\"rank_pattern\": {}", "\"rank_pattern\": {\"[02]\": 4}", AT_E_UNSUPPORTED,
         "adapter_config.json: the key \"[02]\" of rank_pattern is a regular expression; only names of "
         "modules "
         "are supported"},
        {"\"rank_pattern\": {}", "\"rank_pattern\": {\"0\": 2.5}", AT_E_FORMAT,
         "the rank_pattern of 0 is 2.5, must be a whole number from 1 to 65536"},
        {"\"alpha_pattern\": {}", "\"alpha_pattern\": {\"0\": \"x\"}", AT_E_FORMAT,
         "adapter_config.json: alpha_pattern of \"0\" must be a number"},
    };
    at_ctx *ctx = at_test_ctx();
    char folder[1024];
    for (int i = 0; i < AT_COUNT(cases); i++) {
        at_lora_rig t;
        make_folder(folder, cases[i].from, cases[i].to);
        at_lora_open_two_layer(&t, ctx);
        at_expect_error(ctx, at_lora_hang_from(&t, folder), cases[i].status, cases[i].message);
        at_lora_close(&t);
    }
    at_test_done(ctx);
}

/* Unknown keys are ignored, and names in patterns may be escaped or anchored. */
AT_TEST(test_peft__what_a_config_may_say)
{
    static const char *const changes[][2] = {
        {"\"r\": 4", "\"r\": 4, \"of_a_later_peft\": [1]"},
        {"\"alpha_pattern\": {}", "\"alpha_pattern\": {\"^0\": 8, \"y.2\": 3}"},
        {"\"lora_alpha\": 8,", "\"lora_alpha\": 8.0,"},
    };
    at_ctx *ctx = at_test_ctx();
    char folder[1024];
    for (int i = 0; i < AT_COUNT(changes); i++) {
        at_lora_rig t;
        make_folder(folder, changes[i][0], changes[i][1]);
        at_lora_open_two_layer(&t, ctx);
        at_expect_ok(ctx, at_lora_hang_from(&t, folder));
        at_lora_close(&t);
    }
    at_test_done(ctx);
}

AT_TEST(test_peft__folders_that_do_not_fit)
{
    at_ctx *ctx = at_test_ctx();
    at_lora_rig t;
    char folder[1024], command[3000];
    at_lora_open_model(&t, ctx, AT_LORA_MOBILENET);
    at_expect_error(ctx, at_lora_hang_from(&t, AT_LORA_GOLDEN "resnet"), AT_E_FORMAT,
                    "belongs to nothing in this network: the adapter is another's");
    at_expect_error(ctx, at_lora_hang_from(&t, "/nowhere"), AT_E_IO,
                    "/nowhere/adapter_config.json: cannot open");
    at_lora_close(&t);
    make_folder(folder, "x", "x");
    snprintf(command, sizeof command, "rm '%s/adapter_model.safetensors'", folder);
    assert_int_equal(system(command), 0);
    at_lora_open_two_layer(&t, ctx);
    at_expect_error(ctx, at_lora_hang_from(&t, folder), AT_E_IO, "adapter_model.safetensors: cannot open");
    snprintf(command, sizeof command,
             "cp '" AT_LORA_MOBILENET "/model.safetensors' '%s/adapter_model.safetensors'", folder);
    assert_int_equal(system(command), 0);
    at_expect_error(ctx, at_lora_hang_from(&t, folder), AT_E_FORMAT, "belongs to nothing in this network");
    at_lora_close(&t);
    at_test_done(ctx);
}

/* ---- No memory ---- */

static at_status attempt(at_ctx *ctx, void *unused)
{
    (void)unused;
    at_device *device;
    at_model *m = NULL;
    char folder[1024];
    AT_TRY(at_device_open(&device, ctx, "cpu"));
    at_status s = at_model_open(&m, ctx, device, AT_LORA_RESNET);
    if (s == AT_OK) s = at_model_keep_head(m);
    if (s == AT_OK) {
        at_lora_rig t = {.ctx = ctx, .model = m, .net = &m->net};
        at_lora_scratch(folder, "torture");
        s = at_lora_hang_from(&t, AT_LORA_GOLDEN "resnet");
        const at_adapter_folder f = {.path = folder, .prefix = at_model_prefix(m), .base = "base"};
        if (s == AT_OK) s = at_adapter_lora.write(&m->net, &f);
        if (s == AT_OK) s = at_model_save(m, folder);
    }
    at_model_close(m);
    at_device_close(device);
    return s;
}

AT_TEST(test_peft__survives_the_failure_of_any_allocation)
{
    at_ctx *ctx = at_test_ctx();
    at_torture(ctx, attempt, NULL);
    at_test_done(ctx);
}
