/* settings.c: the tables of the run's own options. */
#include "run/settings.h"

static const at_option general[] = {
    {"model", AT_OPTION_TEXT, AT_OPTION(at_general, model), .aliases = "model_name_or_path base_model",
     .help = "model folder (Transformers or timm layout), or an earlier run"},
    {"task", AT_OPTION_CHOICE, AT_OPTION(at_general, task), .choices_of = "task",
     .help = "inferred from the data when absent"},
    {"method", AT_OPTION_TREE, AT_OPTION(at_general, method), "full", .aliases = "finetuning_type",
     .help = "head, last:N, full, lora, scratch, probe; or a list of edits"},
    {"ladder", AT_OPTION_TEXT, AT_OPTION(at_general, ladder), .bare = "usual", .transient = true,
     .help =
         "methods to run one after the other and to compare (\"probe,lora,full\"), each in a folder of its "
         "own; usual, or the key alone: probe,head,last,full"},
    {"edits", AT_OPTION_TREE, AT_OPTION(at_general, edits),
     .help = "edits after those of the method: [{freeze: \"stem*\"}]"},
    {"augment", AT_OPTION_TREE, AT_OPTION(at_general, augment),
     .help = "list of augmentations, or none; the method's when absent"},
    {"dropout", AT_OPTION_REAL, AT_OPTION(at_general, dropout), .low = 0, .high = 0.999,
     .aliases = "classifier_dropout",
     .help = "probability of dropout before the head; the checkpoint's when absent"},
    {"output", AT_OPTION_TEXT, AT_OPTION(at_general, output), .aliases = "output_dir", .transient = true,
     .help = "run folder; runs/MODEL-DATA-N when absent"},
    {"seed", AT_OPTION_WHOLE, AT_OPTION(at_general, seed), "0", 0, 9.0e15,
     .help = "of everything that is drawn"},
    {"precision", AT_OPTION_CHOICE, AT_OPTION(at_general, precision), "auto", .choices = "auto|f32|bf16",
     .help = "of activations and their gradients; auto: bf16 where the processor multiplies it, else f32"},
    {"threads", AT_OPTION_WHOLE, AT_OPTION(at_general, threads), .low = 1, .high = 4096, .may_change = true,
     .help = "compute threads; when absent one for each core, and no more than the control group's quota of "
             "processor time keeps busy"},
    {"kernels", AT_OPTION_TEXT, AT_OPTION(at_general, kernels), "auto", .may_change = true,
     .help = "auto, ref (plain references), strict (no reference), a variant: base, avx2, avx512 ..., or "
             "auto+VARIANT: that one where it has a kernel"},
    {"deterministic", AT_OPTION_FLAG, AT_OPTION(at_general, deterministic), "false", .may_change = true,
     .help = "refuse kernels whose bits depend on the thread count"},
    {"memory", AT_OPTION_TEXT, AT_OPTION(at_general, memory), .may_change = true,
     .help = "most memory to use (\"8G\", \"50%\"); the machine's limit less 10 % when absent"},
    {"cache", AT_OPTION_TEXT, AT_OPTION(at_general, cache), .may_change = true,
     .help = "folder for computed features and tokens, or none; the user's cache folder when absent"},
    {"resume", AT_OPTION_CHOICE, AT_OPTION(at_general, resume), "no", .choices = "no|yes|auto", .bare = "yes",
     .transient = true, .aliases = "resume_from_checkpoint",
     .help = "yes, or the key alone: continue from the last checkpoint; auto: continue, start, or do nothing "
             "when finished"},
    {0},
};

const at_options at_options_general = {"", general, sizeof(at_general)};

static const at_option data[] = {
    {"train", AT_OPTION_TEXT, AT_OPTION(at_data_options, train), .aliases = "data dataset train_file",
     .help = "folder or file to learn from"},
    {"valid", AT_OPTION_TEXT, AT_OPTION(at_data_options, valid), .aliases = "val_set_size validation_file",
     .help = "folder, file, share of train (\"10%\", \"0.1\") or none; 20 % below 1,000 samples, else 10 %"},
    {"test", AT_OPTION_TEXT, AT_OPTION(at_data_options, test), .aliases = "test_file",
     .help = "folder, file, share of train or none; what the folder offers when absent"},
    {"corrupt", AT_OPTION_CHOICE, AT_OPTION(at_data_options, corrupt), "fail", .choices = "fail|skip",
     .help = "samples that cannot be read: fail, or skip and count"},
    {0},
};

const at_options at_options_data = {"data", data, sizeof(at_data_options)};

static const at_option train[] = {
    {"batch_size", AT_OPTION_WHOLE, AT_OPTION(at_train_settings, batch_size), .low = 1, .high = 1 << 20,
     .aliases = "batch_size per_device_train_batch_size",
     .help = "samples an optimiser step; 16 below 1,000 samples, else 32"},
    {"micro_batch", AT_OPTION_WHOLE, AT_OPTION(at_train_settings, micro_batch), .low = 1, .high = 1 << 20,
     .aliases = "micro_batch_size", .help = "samples in memory at once; when absent, what suits the cache"},
    {"max_tokens", AT_OPTION_WHOLE, AT_OPTION(at_train_settings, max_tokens), .low = 1, .high = 1 << 30,
     .aliases = "max_tokens",
     .help = "tokens in memory at once, of data that have some; when absent, what suits the cache"},
    {"epochs", AT_OPTION_WHOLE, AT_OPTION(at_train_settings, epochs), "15", 1, 1000000,
     .aliases = "epochs num_train_epochs num_epochs", .help = "times through the training data"},
    {"steps", AT_OPTION_WHOLE, AT_OPTION(at_train_settings, steps), .low = 1, .high = 1e12,
     .aliases = "steps max_steps iters", .help = "optimiser steps, instead of epochs"},
    {"learning_rate", AT_OPTION_REAL, AT_OPTION(at_train_settings, learning_rate), "1e-4", 0, 1e6,
     .aliases = "learning_rate lr", .help = "of all layers but the head"},
    {"head_learning_rate", AT_OPTION_REAL, AT_OPTION(at_train_settings, head_learning_rate), .low = 0,
     .high = 1e6, .aliases = "head_learning_rate", .help = "of the head; learning_rate when absent"},
    {"weight_decay", AT_OPTION_REAL, AT_OPTION(at_train_settings, weight_decay), "0.01", 0, 1e6,
     .aliases = "weight_decay", .help = "of weights; biases and norms have none"},
    {"clip", AT_OPTION_REAL, AT_OPTION(at_train_settings, clip), "1.0", 0, 1e12,
     .aliases = "max_grad_norm clip", .help = "largest L2 norm of the averaged gradient; 0 = no clipping"},
    {"warmup", AT_OPTION_TEXT, AT_OPTION(at_train_settings, warmup), "6%",
     .aliases = "warmup warmup_steps warmup_ratio",
     .help = "share of the steps (\"6%\") or number of steps over which the rate rises linearly"},
    {"schedule", AT_OPTION_CHOICE, AT_OPTION(at_train_settings, schedule), "cosine", .choices_of = "schedule",
     .aliases = "schedule lr_scheduler_type sched", .help = "of the learning rate after warm-up"},
    {"optimizer", AT_OPTION_CHOICE, AT_OPTION(at_train_settings, optimizer), "adamw",
     .choices_of = "optimizer", .aliases = "optimizer optim opt", .help = "how gradients become updates"},
    {"log_every", AT_OPTION_WHOLE, AT_OPTION(at_train_settings, log_every), .low = 1, .high = 1e9,
     .may_change = true, .aliases = "logging_steps log_every",
     .help = "steps between lines of the log; ten an epoch when absent"},
    {"cache_features", AT_OPTION_CHOICE, AT_OPTION(at_train_settings, cache_features), "auto",
     .choices = "auto|yes|no",
     .help = "compute what is frozen and not random once; auto: when it fits a quarter of the memory"},
    {0},
};

const at_options at_options_train = {"train", train, sizeof(at_train_settings)};

static const at_option early_stop[] = {
    {"metric", AT_OPTION_TEXT, AT_OPTION(at_early_stop_settings, metric), .aliases = "metric_for_best_model",
     .help = "a metric, or none; the task's main one when absent"},
    {"patience", AT_OPTION_WHOLE, AT_OPTION(at_early_stop_settings, patience), "5", 1, 1e9,
     .aliases = "early_stopping_patience patience",
     .help = "evaluations (one an epoch) without improvement before stopping"},
    {"min_delta", AT_OPTION_REAL, AT_OPTION(at_early_stop_settings, min_delta), "0", 0, 1e12,
     .help = "what counts as an improvement"},
    {0},
};

const at_options at_options_early_stop = {"train.early_stop", early_stop, sizeof(at_early_stop_settings)};

static const at_option checkpoint[] = {
    {"every", AT_OPTION_WHOLE, AT_OPTION(at_checkpoint_settings, every), .low = 1, .high = 1e12,
     .may_change = true, .aliases = "save_steps", .help = "steps between checkpoints; an epoch when absent"},
    {0},
};

const at_options at_options_checkpoint = {"checkpoint", checkpoint, sizeof(at_checkpoint_settings)};

static const at_option bench[] = {
    {"steps", AT_OPTION_WHOLE, AT_OPTION(at_bench_settings, steps), "20", 1, 1000000, .transient = true,
     .help = "timed steps of attune bench"},
    {"warmup", AT_OPTION_WHOLE, AT_OPTION(at_bench_settings, warmup), "3", 1, 1000000, .transient = true,
     .help = "steps before those that count"},
    {"size", AT_OPTION_WHOLE, AT_OPTION(at_bench_settings, size), .low = 1, .high = 4096, .transient = true,
     .help =
         "side of the pictures of noise, the checkpoint's when absent; tokens of a text, 128 when absent"},
    {"classes", AT_OPTION_WHOLE, AT_OPTION(at_bench_settings, classes), .low = 2, .high = 1 << 20,
     .transient = true,
     .help = "outputs of the head; the checkpoint's when absent, or 1,000 (pictures) and 2 (texts)"},
    {"limits", AT_OPTION_FLAG, AT_OPTION(at_bench_settings, limits), "true", .transient = true,
     .help = "measure the machine and every node, too"},
    {0},
};

const at_options at_options_bench = {"bench", bench, sizeof(at_bench_settings)};
