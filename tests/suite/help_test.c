/* help_test.c: what --help tells of every command, and that the options told are taken. */
#include "run/recipe.h"
#include "tests/harness/program.h"
#include "tests/harness/scene.h"
#include "tests/harness/test.h"
#include <attune.h>
#include <stdio.h>

static const char *const commands[] = {"train", "plan", "bench", "eval", "predict", "inspect", "demo", "env"};

static void expect_part(const char *text, const char *part)
{
    if (!strstr(text, part)) fail_msg("the help lacks \"%s\":\n%s", part, text);
}

AT_TEST(test_help__the_overview_names_every_command)
{
    char folder[1024];
    static const char *const lines[] = {"--help", "help", "-h"};
    at_test_folder(folder, "help");
    for (int i = 0; i < AT_COUNT(lines); i++) {
        at_output o;
        at_attune(&o, folder, "%s", lines[i]);
        assert_int_equal(o.code, 0);
        assert_string_equal(o.err, "");
        for (int c = 0; c < AT_COUNT(commands); c++) {
            char part[64];
            snprintf(part, sizeof part, "\n  %-10s ", commands[c]);
            expect_part(o.out, part);
        }
        at_output_free(&o);
    }
}

AT_TEST(test_help__without_a_command_is_a_mistake)
{
    char folder[1024];
    at_output o;
    at_test_folder(folder, "help");
    at_attune(&o, folder, " ");
    assert_int_equal(o.code, 2);
    expect_part(o.err, "usage: attune COMMAND");
    at_output_free(&o);
    at_attune(&o, folder, "tarin");
    assert_int_equal(o.code, 2);
    expect_part(o.err, "attune: there is no command \"tarin\"\n");
    at_output_free(&o);
    at_attune(&o, folder, "--version");
    assert_int_equal(o.code, 0);
    assert_string_equal(o.out, "attune " AT_VERSION "\n");
    at_output_free(&o);
}

/* Each option of the tables with its default and what other tools call it. */
static void expect_keys(const char *text)
{
    at_ctx *ctx = at_test_ctx();
    at_option_cursor c = {0};
    const at_option *o;
    char key[128], part[256];
    int n = 0;
    while ((o = at_option_next(ctx, &c, key))) {
        snprintf(part, sizeof part, "\n  --%s ", key);
        expect_part(text, part);
        assert_true(o->help && *o->help);
        expect_part(text, o->help);
        n++;
    }
    assert_true(n >= 35);
    at_test_done(ctx);
}

AT_TEST(test_help__of_every_command)
{
    char folder[1024], part[128];
    at_test_folder(folder, "help");
    for (int i = 0; i < AT_COUNT(commands); i++) {
        at_output o;
        at_attune(&o, folder, "%s --help", commands[i]);
        assert_int_equal(o.code, 0);
        assert_string_equal(o.err, "");
        snprintf(part, sizeof part, "\nusage: attune %s", commands[i]);
        expect_part(o.out, part);
        snprintf(part, sizeof part, "\nexamples:\n  attune %s", commands[i]);
        expect_part(o.out, part);
        expect_part(o.out, "--json");
        if (i < 4) expect_keys(o.out);
        at_output_free(&o);
    }
}

/* What the public list of options says of it is what the program does (ladder_test.c, resume_test.c). */
AT_TEST(test_help__options_say_what_their_key_alone_means)
{
    at_ctx *ctx = at_test_ctx();
    at_option_info o;
    for (int i = 0; at_option_list(ctx, i, &o); i++) {
        const bool top = !*o.section;
        const char *want = strcmp(o.type, "flag") == 0           ? "true"
                           : top && strcmp(o.key, "resume") == 0 ? "yes"
                           : top && strcmp(o.key, "ladder") == 0 ? "usual"
                                                                 : "";
        assert_string_equal(o.bare ? o.bare : "", want);
    }
    at_test_done(ctx);
}

AT_TEST(test_help__lists_what_comes_in_kinds)
{
    static const char *const kinds[] = {"methods: full, head, last, lora, probe, scratch\n",
                                        "edits: freeze, head, lr, norm, reinit, train\n",
                                        "adapters: lora\n",
                                        "augmentations: flip\n",
                                        "metrics: accuracy, average_precision, balanced_accuracy, ",
                                        ("architectures: bert, distilbert, mobilenet_v2, modernbert, resnet, "
                                         "roberta, xlm_roberta, camembert\n")};
    char folder[1024];
    at_output o;
    at_test_folder(folder, "help");
    at_attune(&o, folder, "train --help");
    for (int i = 0; i < AT_COUNT(kinds); i++) expect_part(o.out, kinds[i]);
    at_output_free(&o);
}

/* ---- Names that other tools use ---- */

typedef struct alias {
    const char *flag, *key;
    const char *value; /* as the written recipe has it */
} alias;

static const alias aliases[] = {
    {"--per_device_train_batch_size 5", "train.batch_size", "5"},
    {"--learning_rate 3e-3", "train.learning_rate", "0.003"},
    {"--lr 3e-3", "train.learning_rate", "0.003"},
    {"--num_train_epochs 1", "train.epochs", "1"},
    {"--num-train-epochs 1", "train.epochs", "1"},
    {"--max_steps 1", "train.steps", "1"},
    {"--iters 1", "train.steps", "1"},
    {"--warmup_ratio 0.5", "train.warmup", "0.5"},
    {"--warmup_steps 2", "train.warmup", "2"},
    {"--lr_scheduler_type linear", "train.schedule", "linear"},
    {"--sched linear", "train.schedule", "linear"},
    {"--weight_decay 0.5", "train.weight_decay", "0.5"},
    {"--max_grad_norm 2", "train.clip", "2"},
    {"--logging_steps 7", "train.log_every", "7"},
    {"--save_steps 7", "checkpoint.every", "7"},
    {"--metric_for_best_model macro_f1", "train.early_stop.metric", "macro_f1"},
    {"--early_stopping_patience 2", "train.early_stop.patience", "2"},
    {"--label_smoothing_factor 0.1", "image-classification.label_smoothing", "0.1"},
    {"--smoothing 0.1", "image-classification.label_smoothing", "0.1"},
    {"--optim sgd", "train.optimizer", "sgd"},
    {"--micro_batch_size 2", "train.micro_batch", "2"},
    {"--val_set_size 0.5", "data.valid", "0.5"},
    {"--finetuning_type head", "method", "head"},
    {"--seed 11", "seed", "11"},
    {"--sgd.nesterov", "sgd.nesterov", "true"},
    {"--sgd.nesterov true --sgd.nesterov false", "sgd.nesterov", "false"},
};

static void expect_written(const char *folder, int i, const alias *a)
{
    at_ctx *ctx = at_test_ctx();
    at_arena arena;
    at_tree *t;
    char path[1400], value[64] = "";
    at_arena_init(&arena, ctx);
    snprintf(path, sizeof path, "%s/run%d/recipe.yaml", folder, i);
    at_expect_ok(ctx, at_tree_read(&arena, &t, path));
    const at_tree *x = at_tree_at(t, a->key);
    if (!x) fail_msg("%s: %s is not written", a->flag, a->key);
    if (x->kind == AT_STRING)
        snprintf(value, sizeof value, "%s", x->text);
    else if (x->kind == AT_FLAG)
        snprintf(value, sizeof value, "%s", x->flag ? "true" : "false");
    else
        snprintf(value, sizeof value, "%g", x->number);
    if (strcmp(value, a->value) != 0) fail_msg("%s: %s is %s", a->flag, a->key, value);
    at_arena_deinit(&arena);
    at_test_done(ctx);
}

AT_TEST(test_help__names_of_other_tools_are_taken)
{
    char folder[1024];
    at_make_scene(folder, "aliases", 4);
    for (int i = 0; i < AT_COUNT(aliases); i++) {
        at_attune_expect(0, folder, "train model photos --output run%d --train.epochs 1 %s", i,
                         aliases[i].flag);
        expect_written(folder, i, &aliases[i]);
    }
    at_attune_expect(0, folder,
                     "train --model_name_or_path model --dataset photos --output_dir other --max_steps 1");
    at_attune_expect(0, folder, "train --base_model model --data photos --output other2 --max_steps 1");
    at_attune_expect(0, folder,
                     "train model photos --output_dir other --max_steps 1 --resume_from_checkpoint yes");
}
