/* run.h: one training run from recipe to run folder. Layer: run, private to it.
 *
 * Reading path of a run: train.c (the five stages), build.c (graphs and plans), loop.c (steps), checkpoint.c.
 * A sample's way: its task declares columns, data/loader.c fills batches, feed() writes them into plan
 * inputs. */
#ifndef AT_RUN_H
#define AT_RUN_H

#include "engine/recompute.h"
#include "ops/optim/optim.h"
#include "run/recipe.h"
#include "run/schedule.h"
#include "run/settings.h"

/* A graph with its plan and the values that the host writes and reads. */
typedef struct at_pipe {
    at_graph *g;
    at_plan *plan;
    const at_extent *samples, *rows; /* rows: of ragged columns; NULL = none */
    at_inputs inputs;
    at_value *output, *loss, *count;
    at_value *sample_id;
    at_value *cut[AT_MAX_COLUMNS]; /* where frozen features can be fed */
    int n_cut;
    at_value *fetch[3]; /* what the host reads besides step sums */
    int n_fetch;
    int64_t batch;    /* the most samples of a pass */
    int64_t max_rows; /* the most ragged rows; 0 = there are none */
} at_pipe;

/* How much a pass takes. */
typedef struct at_limit {
    int64_t samples, rows; /* rows: ragged ones (tokens); 0 = as many as the samples may have */
} at_limit;

typedef struct at_best {
    double value;
    int64_t step, waited; /* step of the best evaluation; evaluations since */
    bool exists;
} at_best;

/* What a checkpoint holds besides states. */
typedef struct at_progress {
    int64_t attempt; /* steps begun and ended; the sample cursor is attempt * batch_size within the epochs */
    at_best best;
    bool stopped; /* early */
    int64_t bad_steps, bad_in_a_row;
    double epoch_loss, epoch_count;      /* running sums of the epoch, for its mean */
    int64_t metrics_bytes, events_bytes; /* lengths of the logs */
} at_progress;

typedef struct at_step_scalars { /* what the device tells of a step */
    at_real loss, count, norm, ok;
} at_step_scalars;

/* How the merged network compares with the adapted one; no samples = there were no adapters. */
typedef struct at_merge_proof {
    double difference, largest; /* of outputs; the largest output */
    int64_t samples;
} at_merge_proof;

typedef struct at_run {
    at_ctx *ctx;
    at_recipe *recipe;
    at_event_fn on_event;
    void *event_data;
    at_arena arena;
    at_settings settings;
    at_noise *noise; /* learnt from instead of data, to measure; NULL = data */
    const char *method_name;
    const at_tree *method_edits; /* a list, or NULL */
    size_t memory_limit;
    at_device *device;
    at_model *model;
    at_job job;
    void *task_options, *data_options, *optimizer_options;
    const at_optimizer *optimizer;
    const at_schedule *schedule;
    at_pipe train, eval;
    at_commit commit;
    at_recomputed recomputed;
    at_dataset *features[AT_SPLIT_COUNT]; /* instead of the job's splits where frozen features are cached */
    at_loader *loader;
    /* Steps */
    at_dtype act; /* of activations: AT_F32 or AT_BF16 */
    int64_t n_train, batch_size, micro_batch, micro_rows, steps_per_epoch, total_steps, warmup_steps,
        checkpoint_every, log_every;
    at_progress progress;
    at_step_scalars scalars[2];
    uint64_t fence[2];
    /* Run folder */
    const char *folder;
    struct at_log_files *logs;
    const at_tree *recipe_tree;
    bool resumed, finished;
    bool in_steps; /* a stop waits for the end of the step, where the state is saved */
    char base_hash[AT_DIGEST_TEXT], data_hash[AT_DIGEST_TEXT];
    double step_began;                                /* 0 = between steps */
    double started, first_step_seconds, step_seconds; /* clock of the process start; seconds inside steps */
    int64_t samples_in_steps;
    const char *metric; /* that early stopping follows; NULL = none */
    bool metric_higher;
    at_merge_proof merged;
} at_run;

/* ---- train.c ---- */
at_status at__run_open(at_run *r, at_ctx *ctx, at_recipe *recipe, at_event_fn on_event, void *data);
void at__run_close(at_run *r, at_status end); /* end: how it ended */
/* What a verb is made of: open, do, close. */
at_status at__with_run(at_ctx *ctx, at_recipe *recipe, at_event_fn on_event, void *data,
                       at_status (*verb)(at_run *r, void *arg), void *arg);
at_dataset *at__split(const at_run *r, at_split split); /* features or the job's data; NULL = none */
double at__epoch_of(const at_run *r, int64_t attempt);

/* ---- prepare.c: look and adapt ---- */
/* What precision auto stands for: bf16 where the processor multiplies it. */
at_dtype at__native_precision(const at_ctx *ctx);
at_status at__look(at_run *r);
at_status at__adapt(at_run *r);
at_status at__look_at_model(at_run *r); /* settings, device, model */
at_status at__look_to_use(at_run *r);   /* and its head, task and job: for scoring and predicting */
at_status at__look_to_embed(at_run *r); /* without its head: for the rows that stand before it */

/* ---- build.c ---- */
at_status at__build_pipe(at_run *r, at_pipe *p, at_mode mode, const at_dataset *like, at_limit limit);

/* Cut samples order[0..n) of d into passes as large as p takes: sizes [n]; returns how many. */
int64_t at__cut_passes(const at_pipe *p, const at_dataset *d, const int32_t *order, int64_t n,
                       int32_t *sizes);
/* Make the pipe's plan; where features are cached, its cut is fed instead of computed. */
at_plan_options at__plan_options(const at_run *r, const at_pipe *p);
at_status at__plan_pipe(at_run *r, at_pipe *p);
void at__close_pipe(at_pipe *p);
/* Both, and the operands that their kernels prepared: nothing is learnt or scored any more. */
void at__close_pipes(at_run *r);
at_status at__build_training(at_run *r);
at_status at__build_learning(at_run *r); /* its first steps: the graph with gradients and sums, */
at_status at__append_commit(at_run *r);  /* and what follows the layout of the store */
/* Samples of a micro batch where the recipe leaves them open; before the run folder is compared with the
 * recipe. */
at_status at__choose_micro_batch(at_run *r);
/* The evaluation pipe, for at most so many samples at once. */
at_status at__build_eval(at_run *r, const at_dataset *like, int64_t most);
/* Write a batch into the pipe's inputs; the data set's columns are matched by name. */
at_status at__feed(at_run *r, at_pipe *p, const at_dataset *d, const at_batch *b);
/* Which samples of a data set go through a pipe, in their order. */
typedef struct at_sweep {
    const at_dataset *d;
    int64_t n;  /* so many of them, evenly spread; d->n = all */
    bool again; /* they will be read once more */
} at_sweep;
int32_t at__sweep_sample(const at_sweep *s, int64_t i);
/* Run the pipe over them and fetch `value` [n, cols] of each sample, or of each ragged row. */
at_status at__forward(at_run *r, at_pipe *p, at_plan *plan, const at_sweep *s, at_value *const *values,
                      int n_values, float *const *out);
/* The mapped weights leave memory until a kernel reads them. */
void at__let_go_of_weights(const at_run *r);

/* ---- memory.c ---- */
/* Before the training is planned: where the plans would need more than the limit, change its graph so that
 * activations are computed again; NOMEM when that is not enough. */
at_status at__fit_memory(at_run *r);

/* ---- features.c ---- */
at_status at__find_cut(at_run *r, at_pipe *p);
const char *at__cache_folder(at_run *r);   /* of features and tokens; NULL = none */
bool at__caches_features(const at_run *r); /* once both pipes have their cut */
at_status at__cache_features(at_run *r);

/* ---- use.c ---- */
void at__emit_notes(at_run *r);         /* of the job */
at_status at__open_to_score(at_run *r); /* a trained model and data.test, ready for at__evaluate_split */

/* ---- loop.c, contract.c ---- */
at_status at__loop(at_run *r);
void at__queue_commit(at_run *r, int64_t attempt,
                      const at_pass *pass); /* its scalars: scalars[attempt & 1] */
/* Does the first steps; seconds of one. then (NULL = nothing) runs while the steps' batches are still held,
 * as evaluations between steps do. */
at_status at__measure_steps(at_run *r, double *seconds, at_status (*then)(at_run *r, void *data), void *data);
at_status at__check_solver(at_run *r); /* can the optimiser solve what was planned? */
at_status at__solve(at_run *r);        /* full-batch optimisers */
typedef struct at_contract at_contract;
at_status at__contract_begin(at_contract **out, at_run *r);
at_status at__contract_before_commit(at_contract *c, at_run *r);
/* rate: the factor of schedule and clipping; count: items that the gradient sums; ok: the step was committed
 */
at_status at__contract_after_commit(at_contract *c, at_run *r, double rate, double count, bool ok);
at_status at__contract_verdict(at_contract *c, at_run *r);
void at__contract_end(at_contract *c, at_run *r);

/* ---- evaluate.c ---- */
/* again: the split will be read once more. outputs: NULL, or receives the outputs [n, n_outputs] (per token:
 * of all rows), which the caller frees. */
at_status at__evaluate_split(at_run *r, at_split split, bool again, at_scores *out, float **outputs);

/* ---- checkpoint.c ---- */
at_status at__save_checkpoint(at_run *r);
at_status at__save_best(at_run *r);
at_status at__restore_best(at_run *r);
at_status at__load_checkpoint(at_run *r); /* the last complete one; STATE when there is none */
at_status at__has_checkpoint(at_run *r, const char *folder, bool *out);

/* ---- folder.c ---- */
#define AT_NO_CHECKPOINT                                                                                     \
    "%s: holds no complete checkpoint to resume from; train without --resume, or with --resume=auto"
at_status at__choose_folder(at_run *r);
at_status at__check_recipe(at_run *r);
at_status at__make_folder(at_run *r);
at_status at__open_logs(at_run *r); /* at the lengths that progress has */
at_status at__log_step(at_run *r, int64_t step, double loss, double norm, double rate);
at_status at__log_scores(at_run *r, at_split split, int64_t step, const at_scores *s);
void at__log_text(at_run *r,
                  const char *text); /* log.txt: for people; a line that cannot be written is lost */
at_status at__flush_logs(at_run *r);
void at__close_logs(at_run *r);
at_status at__hand_over(at_run *r);

/* ---- adapted.c ---- */
bool at__is_adapted(const at_run *r);
/* folder: the merged network; limit: of a pass. INTERNAL when its outputs are not those of the adapted one.
 * The pipes are closed. */
at_status at__prove_merge(at_run *r, const char *folder, at_limit limit);
/* Seconds that the proof would take, by running the adapted network as it does. The pipes are closed. */
at_status at__rehearse_proof(at_run *r, at_limit limit, double *seconds);
at_status at__hand_over_adapters(at_run *r);

/* ---- events.c ---- */
typedef struct at_parameters {
    int64_t trainable, frozen;
} at_parameters;
at_parameters at__count_parameters(const at_run *r); /* statistics of normalisations are none */
void at__emit(at_run *r, at_event *e, at_text *json);
/* The same for an event with a text for people; both texts end here, sent or failed. */
at_status at__emit_both(at_run *r, at_event *e, at_text *text, at_text *json);
void at__note(at_run *r, const char *fmt, ...) AT_PRINTF(2, 3);
at_status at__emit_plan(at_run *r);
void at__emit_step(at_run *r, int64_t step, double loss, double norm, double rate);
void at__emit_scores(at_run *r, at_event_kind kind, at_split split, const at_scores *s);
at_status at__emit_done(at_run *r, const at_scores *valid, const at_scores *test, at_text *json_out);

/* ---- ladder.c ---- */
/* at_train with the key ladder. */
at_status at__ladder(at_ctx *ctx, at_recipe *recipe, at_event_fn on_event, void *data);

/* ---- report.c ---- */
at_status at__write_report(at_run *r, const float *test_outputs, at_split split, const at_scores *valid,
                           const at_scores *test);

#endif
