/* lora_run_test.c: the method lora from outside: what moves, what is handed over, going on from a folder of
 * adapters, resuming after a kill, and what is refused. */
#include "tests/harness/program.h"
#include "tests/harness/scene.h"
#include "tests/harness/test.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#define LORA "train model photos --method lora --lora.r 2 --lora.alpha 4 --train.learning_rate 1e-2 "

static void join(char out[1400], const char *folder, const char *name)
{
    snprintf(out, 1400, "%s/%s", folder, name);
}

/* ---- What is handed over ---- */

static bool ends(const char *name, const char *end)
{
    const size_t n = strlen(name), m = strlen(end);
    return n >= m && strcmp(name + n - m, end) == 0;
}

/* Kernels of convolutions but the depthwise ones, which are grouped. */
static bool is_adapted(const char *name)
{
    return ends(name, ".convolution.weight") && !strstr(name, "conv_3x3");
}

static void expect_moved(const char *before, const char *after)
{
    at_ctx *ctx = at_test_ctx();
    at_safetensors *a, *b;
    int moved = 0;
    at_expect_ok(ctx, at_safetensors_open(&a, ctx, before));
    at_expect_ok(ctx, at_safetensors_open(&b, ctx, after));
    assert_int_equal(a->n, b->n);
    for (int64_t i = 0; i < a->n; i++) {
        const at_tensor *t = &a->tensors[i], *u = at_safetensors_find(b, t->name);
        if (!u) fail_msg("%s is lost", t->name);
        if (strncmp(t->name, "classifier", 10) == 0) continue;
        const bool differs = t->bytes != u->bytes || memcmp(t->data, u->data, t->bytes) != 0;
        if (differs != is_adapted(t->name)) fail_msg("%s has %s", t->name, differs ? "moved" : "not moved");
        moved += differs;
    }
    assert_true(moved > 30);
    at_safetensors_close(ctx, a);
    at_safetensors_close(ctx, b);
    at_test_done(ctx);
}

/* The proof of merging, as an event, and in the last line. */
static void expect_proof(const at_tree *lines, const char *split, int64_t samples)
{
    const at_tree *merged = at_event_named(lines, "merged", 0), *done = at_event_named(lines, "done", 0);
    if (!merged || !done) fail_msg("the run does not tell how it merged");
    const double difference = at_tree_get(merged, "largest_difference")->number,
                 largest = at_tree_get(merged, "largest_output")->number;
    assert_true(difference > 0 && difference <= 1e-4 * largest); /* > 0: they are two networks */
    assert_string_equal(at_tree_get(merged, "split")->text, split);
    assert_int_equal(at_tree_get(merged, "samples")->whole, samples);
    assert_true(at_tree_get(done, "merge_difference")->number == difference);
}

/* Trained tensors of the first checkpoint: adapters and head, nothing else. */
static void expect_checkpoint(const char *path)
{
    at_ctx *ctx = at_test_ctx();
    at_safetensors *f;
    int adapters = 0;
    at_expect_ok(ctx, at_safetensors_open(&f, ctx, path));
    for (int64_t i = 0; i < f->n; i++) {
        const char *name = f->tensors[i].name;
        if (strncmp(name, "parameter/", 10) != 0) continue;
        const bool adapter = strstr(name, "lora_A") || strstr(name, "lora_B");
        if (!adapter && strncmp(name, "parameter/classifier.", 21) != 0) fail_msg("%s is trained", name);
        adapters += adapter;
    }
    assert_true(adapters > 60);
    at_safetensors_close(ctx, f);
    at_test_done(ctx);
}

AT_TEST(test_lora_run__hands_over_a_merged_network_and_its_adapters)
{
    char folder[1024], before[1400], after[1400];
    at_ctx *ctx = at_test_ctx();
    at_arena a;
    at_output o;
    at_arena_init(&a, ctx);
    at_make_scene(folder, "lora-run", 8);
    at_attune(&o, folder, LORA "--output run --train.epochs 3 --json --quiet");
    if (o.code != 0) fail_msg("%s", o.err);
    expect_proof(at_json_lines(&a, o.out), "valid", 6);
    at_output_free(&o);
    join(before, folder, "model/model.safetensors");
    join(after, folder, "run/model/model.safetensors");
    expect_moved(before, after);
    join(after, folder, "run/checkpoints/best/state.safetensors");
    expect_checkpoint(after);
    join(after, folder, "run/adapter/adapter_model.safetensors");
    assert_true(at_path_exists(after));
    at_attune(&o, folder, "inspect run");
    assert_int_equal(o.code, 0);
    assert_non_null(strstr(o.out, "\ntrained    "));
    assert_non_null(strstr(o.out, " parameters; the adapters are in run/adapter\n"));
    at_output_free(&o);
    at_attune_expect(0, folder, "eval run photos --json"); /* a plain network */
    at_arena_deinit(&a);
    at_test_done(ctx);
}

/* Without validation samples the training samples are the proof; in bf16 it is made in float all the same. */
AT_TEST(test_lora_run__proves_merging_without_validation_samples)
{
    char folder[1024];
    at_ctx *ctx = at_test_ctx();
    at_arena a;
    at_output o;
    at_arena_init(&a, ctx);
    at_make_scene(folder, "lora-train", 4);
    at_attune(&o, folder,
              LORA "--output run --train.epochs 2 --data.valid none --precision bf16 --json --quiet");
    if (o.code != 0) fail_msg("%s", o.err);
    expect_proof(at_json_lines(&a, o.out), "train", 12);
    at_output_free(&o);
    at_arena_deinit(&a);
    at_test_done(ctx);
}

/* ---- Going on ---- */

/* A folder of adapters that nothing changes comes out as it went in, and so does the head; then it learns. */
AT_TEST(test_lora_run__goes_on_from_a_folder_of_adapters)
{
    char folder[1024], first[1400], second[1400];
    at_make_scene(folder, "lora-from", 8);
    at_attune_expect(0, folder, LORA "--output run --train.epochs 2");
    at_attune_expect(
        0, folder,
        "train model photos --method lora --lora.from run/adapter --output still --train.steps 1 "
        "--train.learning_rate 0 --train.head_learning_rate 0");
    join(first, folder, "run");
    join(second, folder, "still");
    at_expect_same_file(first, second, "adapter/adapter_model.safetensors");
    at_expect_same_file(first, second, "adapter/adapter_config.json");
    at_expect_same_file(first, second, "model/model.safetensors");
    at_attune_expect(
        0, folder,
        "train model photos --method '[{lora: {from: run/adapter}}, {train: head}]' --output more "
        "--train.epochs 1 --train.learning_rate 1e-3");
    join(second, folder, "more/adapter/adapter_model.safetensors");
    join(first, folder, "run/adapter/adapter_model.safetensors");
    assert_true(at_tensor_distance(first, second,
                                   "base_model.model.mobilenet_v2.conv_1x1.convolution.lora_B.weight") > 0);
    /* Frozen adapters are merged as they are. */
    at_attune_expect(
        0, folder,
        "train model photos --method '[{lora: {from: run/adapter}}, {freeze: \"*lora*\"}, {train: "
        "head}]' --output frozen --train.epochs 1");
    join(first, folder, "run/model/model.safetensors");
    join(second, folder, "frozen/model/model.safetensors");
    assert_true(at_tensor_distance(first, second, "mobilenet_v2.conv_1x1.convolution.weight") == 0);
    assert_true(at_tensor_distance(first, second, "classifier.weight") > 0);
}

/* The same bits after a kill: dropout before A, early stop, adapters and optimiser. */
AT_TEST(test_lora_run__a_killed_run_goes_on_with_the_same_bits)
{
    char folder[1024], whole[1400], killed[1400], line[4096];
    at_running p;
    at_make_scene(folder, "lora-killed", 8);
    const char *flags = LORA "--lora.dropout 0.2 --train.epochs 8 --train.batch_size 6 --train.micro_batch 3 "
                             "--logging_steps 1 --checkpoint.every 2 --json --quiet";
    at_attune_expect(0, folder, "%s --output whole", flags);
    at_attune_start(&p, folder, "%s --output killed", flags);
    bool seen = false;
    while (!seen && fgets(line, sizeof line, p.lines)) seen = strstr(line, "{\"event\":\"step\",\"step\":9,");
    assert_true(seen);
    assert_int_equal(at_attune_kill(&p, SIGKILL), 128 + SIGKILL);
    at_attune_expect(0, folder, "%s --output killed --resume", flags);
    join(whole, folder, "whole");
    join(killed, folder, "killed");
    at_expect_same_file(whole, killed, "model/model.safetensors");
    at_expect_same_file(whole, killed, "adapter/adapter_model.safetensors");
    at_expect_same_file(whole, killed, "metrics.jsonl");
    at_output o;
    at_attune(&o, folder, LORA "--lora.r 3 --output killed --resume");
    assert_int_equal(o.code, 2);
    at_output_free(&o);
}

/* ---- What is refused, and told ---- */

static void expect_refused(const char *folder, const char *flags, int code, const char *message)
{
    at_output o;
    at_attune(&o, folder, "train model photos --output refused %s", flags);
    if (o.code != code || !strstr(o.err, message))
        fail_msg("%s: %d, %s; expected %d, %s", flags, o.code, o.err, code, message);
    at_output_free(&o);
}

AT_TEST(test_lora_run__what_is_refused)
{
    static const struct {
        const char *flags;
        int code;
        const char *message;
    } cases[] = {
        {"--method '[{lora: \"laier.1*\"}]'", 2,
         "attune: --method: method: \"laier.1*\" matches nothing in the network; the nearest name is "
         "\"layer.1"},
        {"--method '[{lora: {target_modules: querry}}]'", 2, "\"querry\" matches nothing in the network"},
        {"--method '[{lora: \"*.normalization\"}]'", 2, "lora adapts none of the selected layers"},
        {"--method '[{lora: conv_3x3.convolution}]'", 2, "lora adapts none of the selected layers"},
        {"--method '[{train: all}, {lora: \"*\"}]'", 2, "lora adapts none of the selected layers"},
        {"--method '[{lora: {r: 0}}]'", 2, "--method: method: lora.r is 0, must be 1 to 65536"},
        {"--method lora --lora.r 0", 2, "--lora.r: lora.r is 0, must be 1 to 65536"},
        {"--method '[{lora: {sites: \"layer.0.expand_1x1*\", lora_r: 9}}]'", 2,
         "lora.r is 9, larger than the layers: layer.0.expand_1x1.convolution, the largest of those "
         "selected, "
         "has rank 8"},
        {"--method '[{lora: {rank: 4}}]'", 2,
         "method: lora: there is no key \"rank\"; there are sites, r, alpha, dropout, use_rslora, from"},
        {"--method '[{lora: {alhpa: 4}}]'", 2, "there is no key \"alhpa\"; did you mean \"alpha\"?"},
        {"--method '[{lora: {dropout: 1}}]'", 2, "lora.dropout is 1, must be 0 to 0.999"},
        {"--method '[{lora: 3}]'", 2, "lora is a whole number, must be layers or a map of keys"},
        {"--method '[{lora: {r: 2}}, {lora: {r: 2}}]'", 1, "lora is attached already"},
        {"--method lora --lora.from nowhere", 1,
         "attune: nowhere/adapter_config.json: cannot open: No such file or directory; check the path"},
    };
    char folder[1024];
    at_make_scene(folder, "lora-refused", 2);
    for (int i = 0; i < AT_COUNT(cases); i++)
        expect_refused(folder, cases[i].flags, cases[i].code, cases[i].message);
}

/* A layer that learns itself beside its adapter is no adapter of the base network: told, not written. */
AT_TEST(test_lora_run__no_folder_where_adapted_layers_learn_themselves)
{
    char folder[1024], path[1400];
    at_output o;
    at_make_scene(folder, "lora-both", 4);
    at_attune(
        &o, folder,
        "train model photos --output run --train.epochs 1 --method '[{lora: {sites: \"layer.3\", r: 2}}, "
        "{train: [head, layer.3]}]'");
    if (o.code != 0) fail_msg("%s", o.err);
    assert_non_null(strstr(o.err, "the adapters are not written as a folder of their own: "
                                  "layer.3.expand_1x1.convolution learned itself, too"));
    at_output_free(&o);
    join(path, folder, "run/adapter");
    assert_false(at_path_exists(path));
}
