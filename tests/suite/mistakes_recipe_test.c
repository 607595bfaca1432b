/* mistakes_recipe_test.c: recipes and command lines with something wrong, as the program tells them. */
#include "tests/harness/mistake.h"
#include "tests/harness/scene.h"
#include "tests/harness/test.h"
#include <stdio.h>
#include <stdlib.h>

#define TRAIN  "train model photos --output run"
#define RECIPE "train --recipe recipe.yaml"

static const char start[] = "model: model\noutput: run\ndata:\n  train: photos\n";

/* A recipe of four lines and these, which begin with line 5. */
static void put(const char *folder, const char *more)
{
    char text[1024];
    snprintf(text, sizeof text, "%s%s", start, more);
    at_put_text(folder, "recipe.yaml", text);
}

static void unknown_key(const char *folder)
{
    put(folder, "train:\n  epochs: 3\n  learing_rate: 1e-3\n");
}

static void unknown_section(const char *folder)
{
    put(folder, "trian:\n  epochs: 3\n");
}

static void far_key(const char *folder)
{
    put(folder, "quantum_flux: 3\n");
}

static void wrong_type(const char *folder)
{
    put(folder, "train:\n  epochs: many\n");
}

static void a_list(const char *folder)
{
    put(folder, "train:\n  learning_rate: [1, 2]\n");
}

static void too_large(const char *folder)
{
    put(folder, "dropout: 1.5\n");
}

static void fraction(const char *folder)
{
    put(folder, "train:\n  epochs: 2.5\n");
}

static void no_choice(const char *folder)
{
    put(folder, "train:\n  schedule: cosin\n");
}

static void not_yaml(const char *folder)
{
    put(folder, "train: { epochs: 3\n");
}

static void a_text(const char *folder)
{
    at_put_text(folder, "recipe.yaml", "train my model, please\n");
}

static void glob(const char *folder)
{
    put(folder, "edits:\n  - freeze: \"layer.1.expnd*\"\n");
}

static void no_edit(const char *folder)
{
    put(folder, "edits:\n  - frezee: stem\n");
}

static void no_augmentation(const char *folder)
{
    put(folder, "augment:\n  - flop: both\n");
}

static void bad_augmentation(const char *folder)
{
    put(folder, "augment: [ { flip: sideways } ]\n");
}

static void infinite(const char *folder)
{
    put(folder, "train:\n  clip: .inf\n");
}

static void existing(const char *folder)
{
    char command[1400];
    snprintf(command, sizeof command, "mkdir -p '%s/run' && echo precious > '%s/run/notes'", folder, folder);
    assert_int_equal(system(command), 0);
}

static const at_mistake recipes[] = {
    {"unknown-key", unknown_key, RECIPE, 2,
     "recipe.yaml:7: unknown key \"train.learing_rate\"; did you mean \"train.learning_rate\"?"},
    {"unknown-section", unknown_section, RECIPE, 2,
     "recipe.yaml:5: unknown key \"trian\"; did you mean \"train\"?"},
    {"far-key", far_key, RECIPE, 2,
     "recipe.yaml:5: unknown key \"quantum_flux\"; attune train --help lists the keys"},
    {"wrong-type", wrong_type, RECIPE, 2,
     "recipe.yaml:6: train.epochs is text \"many\", must be a whole number"},
    {"a-list", a_list, RECIPE, 2, "recipe.yaml:6: train.learning_rate is a list, must be a number"},
    {"too-large", too_large, RECIPE, 2, "recipe.yaml:5: dropout is 1.5, must be 0 to 0.999"},
    {"fraction", fraction, RECIPE, 2,
     "recipe.yaml:6: train.epochs is a number \"2.5\", must be a whole number"},
    {"no-choice", no_choice, RECIPE, 2,
     "recipe.yaml:6: train.schedule is \"cosin\", must be one of constant|cosine|linear; did you mean "
     "\"cosine\"?"},
    {"not-yaml", not_yaml, RECIPE, 2,
     "recipe.yaml:6:1: did not find expected ',' or '}' while parsing a flow mapping from line 5 on"},
    {"a-text", a_text, RECIPE, 2, "recipe.yaml: a recipe is a map of keys, this is text"},
    {"no-recipe", NULL, RECIPE, 2, "recipe.yaml: cannot open: No such file or directory; check the path"},
    {"glob", glob, RECIPE, 2,
     "recipe.yaml:5: edits: \"layer.1.expnd*\" matches nothing in the network; the nearest name is "
     "\"layer.1\""},
    {"no-edit", no_edit, RECIPE, 2,
     "recipe.yaml:5: edits: no edit is called \"frezee\"; did you mean \"freeze\"?"},
    {"no-augmentation", no_augmentation, RECIPE, 2,
     "recipe.yaml:5: augment: no augmentation is called \"flop\"; did you mean \"flip\"?"},
    {"infinite", infinite, RECIPE, 2, "recipe.yaml:6: train.clip is inf; numbers must be finite"},
    {"bad-augmentation", bad_augmentation, RECIPE, 2,
     "recipe.yaml:5: augment: flip must be horizontal, vertical or both"},
};

AT_TEST(test_mistakes__in_a_recipe)
{
    at_expect_mistakes("mistakes-recipe", recipes, AT_COUNT(recipes), false);
}

static const at_mistake lines[] = {
    {"key", NULL, TRAIN " --train.learing_rate 1", 2,
     "--train.learing_rate: unknown key \"train.learing_rate\"; did you mean \"train.learning_rate\"?"},
    {"alias-key", NULL, TRAIN " --num_train_epoch 1", 2,
     "--num_train_epoch: unknown key \"num_train_epoch\"; did you mean \"num_train_epochs\"?"},
    {"no-value", NULL, TRAIN " --seed", 2, "--seed needs a value"},
    {"type", NULL, TRAIN " --train.epochs two", 2,
     "--train.epochs: train.epochs is text \"two\", must be a whole number"},
    {"range", NULL, TRAIN " --train.learning_rate=-1", 2,
     "--train.learning_rate: train.learning_rate is -1, must be 0 to 1e+06"},
    {"nan", NULL, TRAIN " --train.learning_rate .nan", 2,
     "--train.learning_rate: train.learning_rate is nan; numbers must be finite"},
    {"nan-text", NULL, TRAIN " --train.learning_rate nan", 2,
     "--train.learning_rate: train.learning_rate is text \"nan\", must be a number"},
    {"nan-seed", NULL, TRAIN " --seed nan", 2, "--seed: seed is text \"nan\", must be a whole number"},
    {"infinite-seed", NULL, TRAIN " --seed .inf", 2, "--seed: seed is inf; numbers must be finite"},
    {"infinite", NULL, TRAIN " --train.clip -.inf", 2,
     "--train.clip: train.clip is -inf; numbers must be finite"},
    {"nan-edit", NULL, TRAIN " --edits '[{lr: {\"*\": .nan}}]'", 2,
     "--edits: edits holds nan; numbers must be finite"},
    {"nan-memory", NULL, TRAIN " --memory nan", 2,
     "--memory: memory is \"nan\", must be bytes with K, M or G, or a share of the machine (\"50%\")"},
    {"infinite-memory", NULL, TRAIN " --memory inf", 2,
     "--memory: memory is \"inf\", must be bytes with K, M or G, or a share of the machine (\"50%\")"},
    {"nan-warmup", NULL, TRAIN " --train.warmup nan", 2,
     "--train.warmup: train.warmup is \"nan\", must be a share (\"6%\") or a number of steps"},
    {"infinite-warmup", NULL, TRAIN " --train.warmup inf%", 2,
     "--train.warmup: train.warmup is \"inf%\", must be a share (\"6%\") or a number of steps"},
    {"nan-share", NULL, TRAIN " --data.valid nan%", 2,
     "--data.valid: data.valid is nan%, must be above 0% and below 100%"},
    {"kernels", NULL, TRAIN " --kernels avx5", 2,
     "--kernels: kernels is \"avx5\", must be auto, ref, strict or a variant of kernels (base, avx2, "
     "avx512 ...), alone or after auto+"},
    {"kernels", NULL, TRAIN " --kernels auto+avx5", 2,
     "--kernels: kernels is \"auto+avx5\", must be auto, ref, strict or a variant of kernels (base, avx2, "
     "avx512 ...), alone or after auto+"},
    {"precision", NULL, TRAIN " --precision f16", 2,
     "--precision: precision is \"f16\", must be one of auto|f32|bf16"},
    {"precision", NULL, TRAIN " --precision bf16 --method probe", 2,
     "--precision: precision is \"bf16\", but optimizer lbfgs needs f32"},
    {"memory", NULL, TRAIN " --memory 8X", 2,
     "--memory: memory is \"8X\", must be bytes with K, M or G, or a share of the machine (\"50%\")"},
    {"warmup", NULL, TRAIN " --train.warmup 200%", 2,
     "--train.warmup: train.warmup is \"200%\", must be a share (\"6%\") or a number of steps"},
    {"micro", NULL, TRAIN " --train.batch_size 4 --train.micro_batch 8", 2,
     "--train.micro_batch: train.micro_batch is 8, must not exceed train.batch_size (4)"},
    {"method", NULL, TRAIN " --method hed", 2,
     "--method: method: no method is called \"hed\"; did you mean \"head\"?; methods: "
     "full|head|last|lora|probe|scratch"},
    {"argument", NULL, TRAIN " --method head:3", 2,
     "--method: method: method head takes no argument, \"3\" was given"},
    {"last", NULL, TRAIN " --method last:99", 2,
     "--method: method: last:99 must be a number of layer groups, 0 to 18 (attune inspect lists them)"},
    {"metric", NULL, TRAIN " --train.early_stop.metric acuracy", 2,
     "--train.early_stop.metric: train.early_stop.metric: no metric is called \"acuracy\"; did you mean "
     "\"accuracy\"?"},
    {"share", NULL, TRAIN " --data.valid 0%", 2,
     "--data.valid: data.valid is 0%, must be above 0% and below 100%"},
    {"shares", NULL, TRAIN " --data.valid 60% --data.test 50%", 2,
     "--data.valid: data.valid and --data.test: data.test take 110 % of the photos together, which leaves "
     "none to "
     "learn "
     "from"},
    {"unused-data", NULL, TRAIN " --data.delimiter ';'", 2,
     "--data.delimiter: task image-classification does not use data.delimiter; leave it out, or name another "
     "task (--task)"},
    {"unused-eval", NULL, "eval model photos --data.tags O,B", 2,
     "--data.tags: task image-classification does not use data.tags; leave it out, or name another task "
     "(--task)"},
    {"unused-section", NULL, TRAIN " --text-classification.label_smoothing 0.1", 2,
     "--text-classification.label_smoothing: task image-classification does not use "
     "text-classification.label_smoothing; its own is image-classification.label_smoothing"},
    {"nothing-learns", NULL, TRAIN " --edits '[{freeze: all}]'", 2,
     "nothing is trainable: train at least the head"},
    {"cache", NULL, TRAIN " --train.cache_features yes", 2,
     "--train.cache_features: train.cache_features: nothing can be cached: every layer learns, or the "
     "samples are "
     "augmented"},
    {"solver-augments", NULL, TRAIN " --method probe --augment '[{flip: both}]'", 2,
     "optimizer lbfgs needs the same samples at every evaluation: set augment: none"},
    {"exists", existing, TRAIN, 2, "run exists; choose another --output, or continue it with --resume"},
    {"exists-early", existing, "train model nowhere --output run", 2,
     "run exists; choose another --output, or continue it with --resume"},
    {"no-checkpoint", existing, TRAIN " --resume", 1,
     "run: holds no complete checkpoint to resume from; train without --resume, or with --resume=auto"},
    {"no-run", NULL, TRAIN " --resume", 1,
     "run: holds no complete checkpoint to resume from; train without --resume, or with --resume=auto"},
    {"no-model", NULL, "train", 2,
     "no model is given: name its folder after the command, or by the key model"},
    {"no-data", NULL, "train model", 2,
     "no data are given: name their folder after the model, or by the key data.train"},
    {"eval-no-data", NULL, "eval model", 2,
     "no data are given: name their folder after the model, or by the key data.test"},
    {"predict-no-file", NULL, "predict model", 2, "predict takes a model and files or folders"},
    {"inspect-no-model", NULL, "inspect", 2,
     "no model is given: name its folder after the command, or by the key model"},
    {"train-more", NULL, "train model photos more", 2, "train takes a model and a data folder, not more"},
    {"eval-more", NULL, "eval model photos more", 2, "eval takes a model and a data folder, not more"},
    {"inspect-more", NULL, "inspect model more", 2, "inspect takes a model folder, not more"},
    {"env-more", NULL, "env more", 2, "env takes no arguments, not more"},
    {"isa", NULL, "env --isa mmx", 2, "--isa must be base, avx2, avx512, avx512bf16 or amx"},
    {"demo-nowhere", NULL, "demo nowhere", 1,
     "nowhere/recipes: cannot open the folder: No such file or directory; check the path"},
};

AT_TEST(test_mistakes__in_a_command_line)
{
    at_expect_mistakes("mistakes-line", lines, AT_COUNT(lines), false);
}
