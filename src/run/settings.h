/* settings.h: the run's own options, as structs. Layer: run. */
#ifndef AT_SETTINGS_H
#define AT_SETTINGS_H

#include "tasks/task.h"

typedef struct at_general {
    const char *model, *task, *ladder, *output, *resume, *precision, *kernels, *memory, *cache;
    const at_tree *method, *edits, *augment;
    int64_t seed, threads;
    double dropout;
    bool deterministic;
} at_general;

typedef struct at_train_settings {
    int64_t batch_size, micro_batch, max_tokens, epochs, steps, log_every;
    double learning_rate, head_learning_rate, weight_decay, clip;
    const char *warmup, *schedule, *optimizer, *cache_features;
} at_train_settings;

typedef struct at_early_stop_settings {
    const char *metric;
    int64_t patience;
    double min_delta;
} at_early_stop_settings;

typedef struct at_checkpoint_settings {
    int64_t every;
} at_checkpoint_settings;

typedef struct at_bench_settings { /* of the one verb that measures; no part of a run */
    int64_t steps, warmup, size, classes;
    bool limits;
} at_bench_settings;

typedef struct at_settings {
    at_general general;
    at_data_options data;
    at_train_settings train;
    at_early_stop_settings early_stop;
    at_checkpoint_settings checkpoint;
} at_settings;

extern const at_options at_options_general, at_options_data, at_options_train, at_options_early_stop,
    at_options_checkpoint, at_options_bench;

#endif
