/* attune.h: the public interface of libattune, fine-tuning of deep networks in C.
 *
 * Conventions
 *  - Every function that can fail returns at_status; AT_OK is 0, failures are negative. The text that says
 * what was expected, what was found, where, and what to do is at_last_error(ctx) until at_clear_error(ctx).
 *  - Out-parameters come first and are untouched (or NULL) on failure.
 *  - create/destroy: heap objects owned by the caller. get: borrowed, valid as long as the object it came
 * from.
 *  - A context and everything made from it belong to one thread at a time.
 *  - The library never prints, exits, aborts, catches signals, or opens a network connection.
 *
 * A whole program: replace the head of a network and train its last two blocks on a folder of photos. It is
 * compiled and run as a test.
 *
 * @code
 * #include <attune.h>
 * #include <stdio.h>
 *
 * static void show(void *data, const at_event *e)
 * {
 *     (void)data;
 *     if (e->kind != AT_EVENT_DONE) return;
 *     for (int i = 0; i < e->n_scores; i++) printf("%s %.4f\n", e->scores[i].name, e->scores[i].value);
 * }
 *
 * int main(int argc, char **argv) // model folder, folder of photos, run folder to make
 * {
 *     at_ctx *ctx;
 *     at_recipe *recipe = NULL;
 *     if (argc != 4 || at_ctx_create(&ctx, NULL) != AT_OK) return 2;
 *     const char *const settings[][2] = {{"model", argv[1]}, {"data.train", argv[2]}, {"output", argv[3]},
 *                                        {"method", "last:2"}, {"train.epochs", "3"}};
 *     at_status s = at_recipe_create(&recipe, ctx);
 *     for (int i = 0; i < 5 && s == AT_OK; i++) s = at_recipe_set(recipe, settings[i][0], settings[i][1]);
 *     if (s == AT_OK) s = at_train(ctx, recipe, show, NULL);
 *     if (s != AT_OK) fprintf(stderr, "%s\n", at_last_error(ctx));
 *     at_recipe_destroy(recipe);
 *     at_ctx_destroy(ctx);
 *     return s == AT_OK ? 0 : 1;
 * }
 * @endcode */
#ifndef ATTUNE_H
#define ATTUNE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define AT_API      __attribute__((visibility("default")))
#define AT_MUST_USE __attribute__((warn_unused_result))

#define AT_VERSION "0.1.0"

/* The one list of status codes: identifier, value, short name, meaning. */
#define AT_STATUS_LIST(X)                                                                                    \
    X(AT_OK, 0, "ok", "success")                                                                             \
    X(AT_E_ARG, -1, "argument", "an argument or a recipe value is not acceptable")                           \
    X(AT_E_SHAPE, -2, "shape", "tensor shapes do not fit together")                                          \
    X(AT_E_DTYPE, -3, "dtype", "element types do not fit together")                                          \
    X(AT_E_RANGE, -4, "range", "a number is outside its legal range")                                        \
    X(AT_E_NOMEM, -5, "memory", "out of memory")                                                             \
    X(AT_E_IO, -6, "io", "the operating system refused to read or write")                                    \
    X(AT_E_FORMAT, -7, "format", "a file does not follow its format")                                        \
    X(AT_E_UNSUPPORTED, -8, "unsupported", "valid, but not supported here")                                  \
    X(AT_E_NONFINITE, -9, "nonfinite", "a NaN or an infinity where a finite number is needed")               \
    X(AT_E_COMM, -10, "communication", "another process did not answer")                                     \
    X(AT_E_DEVICE, -11, "device", "the device failed")                                                       \
    X(AT_E_STATE, -12, "state", "the object is not in a state that allows the call")                         \
    X(AT_E_INTERNAL, -13, "internal", "a defect of this library")                                            \
    X(AT_E_INTERRUPTED, -14, "interrupted", "stopped on request; the state was saved")

typedef enum at_status {
#define X(id, value, name, meaning) id = value,
    AT_STATUS_LIST(X)
#undef X
} at_status;

/* Short name of a status ("shape"); "unknown" for a value that is none. */
AT_API const char *at_status_name(at_status status);

/* ---- Context ---------------------------------------------------------------------------------------- */

/* Registry of everything that comes in kinds, thread count, allocation counters, the last error. */
typedef struct at_ctx at_ctx;

typedef enum at_log_level { AT_LOG_DEBUG, AT_LOG_INFO, AT_LOG_WARN } at_log_level;

/* Receives one line without its end; called on the thread that runs the library. */
typedef void (*at_log_fn)(void *data, at_log_level level, const char *line);

typedef struct at_ctx_options {
    int threads;     /* compute threads; 0 = a core of this process each, within its control group's quota */
    const char *isa; /* "base", "avx2", "avx512", "avx512bf16", "amx": the most that may be used; NULL = all
                        the processor has */
    at_log_fn log;   /* NULL = silent */
    void *log_data;
} at_ctx_options;

/* Create a context. options: borrowed for the call; NULL = defaults.
 * @return OK; ARG (threads negative or above 4096, unknown isa); NOMEM. *out is NULL on failure. */
AT_API at_status at_ctx_create(at_ctx **out, const at_ctx_options *options) AT_MUST_USE;

/* Destroy a context; every object made from it must have been destroyed. NULL is allowed. */
AT_API void at_ctx_destroy(at_ctx *ctx);

/* Message of the first failure since the last at_clear_error; "" when there was none. Borrowed from ctx. */
AT_API const char *at_last_error(const at_ctx *ctx);
AT_API void at_clear_error(at_ctx *ctx);

/* Ask whatever this context is running to save its state and return AT_E_INTERRUPTED at the next step. The
 * only function that a signal handler or another thread may call. */
AT_API void at_request_stop(at_ctx *ctx);

/* ---- Recipe: what a run is told ----------------------------------------------------------------------- */

/* Settings by dotted key ("train.learning_rate"), from files and from code; later ones win, at_recipe_set
 * over files. Unknown keys are refused at once, with the nearest known one. The keys: at_option_list. */
typedef struct at_recipe at_recipe;

AT_API at_status at_recipe_create(at_recipe **out, at_ctx *ctx) AT_MUST_USE;
AT_API void at_recipe_destroy(at_recipe *r);

/* Read a YAML or JSON file. @return IO, FORMAT (with line), ARG (unknown key), NOMEM. */
AT_API at_status at_recipe_load(at_recipe *r, const char *path) AT_MUST_USE;

/* Set one key. value: a text as it is (a path, the name of a choice), else as in YAML ("1e-4", "true",
 * "[{flip: horizontal}]"); "null" = as if the key were absent. Copied. @return ARG (unknown key), FORMAT,
 * NOMEM. */
AT_API at_status at_recipe_set(at_recipe *r, const char *key, const char *value) AT_MUST_USE;

/* One line of the list of options. Texts are static or NULL. */
typedef struct at_option_info {
    const char *section, *key; /* "train", "learning_rate"; section "" = top level */
    const char *type;          /* "flag", "whole number", "number", "text", "choice", "structure" */
    const char *fallback, *choices, *aliases, *help;
    const char *bare; /* what the key alone stands for on a command line ("true" of flags); NULL: nothing */
    double low, high; /* equal: any */
} at_option_info;

/* Option number `index`, from 0; false at the end. */
AT_API bool at_option_list(const at_ctx *ctx, int index, at_option_info *out);

/* One of the kinds of things that the library knows ("method", "task", "architecture", "optimizer", "metric"
 * ...): name and one line of description of number `index` of a kind; false at the end. */
AT_API bool at_kind_list(const at_ctx *ctx, const char *kind, int index, const char **name, const char **doc);

/* ---- Events: what a run reports ----------------------------------------------------------------------- */

typedef enum at_event_kind {
    AT_EVENT_PLAN,       /* what will be done, before any work */
    AT_EVENT_NOTE,       /* something the user should know */
    AT_EVENT_STEP,       /* an optimiser step; sparse unless every step is asked for */
    AT_EVENT_EVALUATION, /* scores of a split */
    AT_EVENT_CHECKPOINT, /* state saved */
    AT_EVENT_PREDICTION, /* one file */
    AT_EVENT_DONE        /* the end; scores of the test split, else of the validation split */
} at_event_kind;

typedef struct at_score_value {
    const char *name;
    double value; /* NaN: the samples do not define it, as those of one class alone */
    bool higher_is_better;
    bool proportion; /* the share of samples that are right: a binomial interval applies */
    bool plain;      /* no share of anything: an error, a correlation */
} at_score_value;

/* Valid during the callback only. Members that an event does not have are 0 or NULL. */
typedef struct at_event {
    at_event_kind kind;
    const char *json;  /* the whole event as one JSON object on one line */
    const char *text;  /* the same for people: one line, of a plan several; NULL for steps */
    const char *split; /* "train", "valid", "test": of the scores */
    int64_t step, steps;
    double epoch, epochs;
    double loss, grad_norm, learning_rate; /* of the step: mean loss per sample, L2 before clipping */
    double samples_per_second, seconds_left;
    const at_score_value *scores;
    int n_scores;
    int64_t samples;              /* that the scores are of; of a plan: to learn from */
    int64_t trainable_parameters; /* at the end */
} at_event;

/* Called on the thread that runs the library. */
typedef void (*at_event_fn)(void *data, const at_event *event);

/* ---- Verbs -------------------------------------------------------------------------------------------- */

/* Train as the recipe says; needs the keys model and data.train. Everything is checked before work starts.
 * The run folder (key output) receives the recipe, logs, checkpoints, the best model and a report.
 * With the key ladder (a list of methods) it does so for each of them, in sub-folders of the run folder, and
 * the last AT_EVENT_DONE compares them.
 * @return ARG, RANGE (recipe), FORMAT, SHAPE, IO (files), NONFINITE (diverged), INTERRUPTED (saved; continue
 * with resume), NOMEM. What existed before is left as it was. */
AT_API at_status at_train(at_ctx *ctx, at_recipe *recipe, at_event_fn on_event, void *data) AT_MUST_USE;

/* What at_train would take: everything is checked as there, and the first three steps are done in memory. Two
 * AT_EVENT_PLAN: the plan with its memory by class, then a forecast of memory and time. Nothing is written
 * but cached features of frozen layers (key cache). */
AT_API at_status at_estimate(at_ctx *ctx, at_recipe *recipe, at_event_fn on_event, void *data) AT_MUST_USE;

/* How fast this machine trains the network of the key model, and what holds it back: the training that the
 * recipe describes, on one resident batch of noise of the task of its family; keys bench.*. One
 * AT_EVENT_PLAN: seconds of a step, samples a second, memory; then (key bench.limits) the machine's memory
 * bandwidth and rate of multiply-adds, and for each node of the plan the time it takes beside the least that
 * these two allow. Writes nothing. Takes seconds to minutes and some memory of its own for the bandwidth.
 * @return what at_train returns for the recipe; UNSUPPORTED (a method that is solved, not stepped; a family
 * whose task has no noise); NONFINITE (the last step has no finite gradient). */
AT_API at_status at_bench(at_ctx *ctx, at_recipe *recipe, at_event_fn on_event, void *data) AT_MUST_USE;

/* Score a model folder or run folder (key model) on a data folder (key data.test, else data.train's test
 * split). */
AT_API at_status at_evaluate(at_ctx *ctx, at_recipe *recipe, at_event_fn on_event, void *data) AT_MUST_USE;

/* Predict files or folders with a trained model: one AT_EVENT_PREDICTION each, in order. */
AT_API at_status at_predict(at_ctx *ctx, at_recipe *recipe, const char *const *paths, int n_paths,
                            at_event_fn on_event, void *data) AT_MUST_USE;

/* Write what a network makes of each text of a table, or of each photo, without its output layer, in their
 * order: key output names the file to make (.safetensors, .npy, .jsonl). One AT_EVENT_DONE with the samples.
 */
AT_API at_status at_embed(at_ctx *ctx, at_recipe *recipe, const char *const *paths, int n_paths,
                          at_event_fn on_event, void *data) AT_MUST_USE;

/* Describe a model folder: one AT_EVENT_PLAN whose text and json tell architecture, layers, parameters,
 * labels. */
AT_API at_status at_inspect(at_ctx *ctx, at_recipe *recipe, at_event_fn on_event, void *data) AT_MUST_USE;

/* Train every recipe of a demonstration folder (model/, photos/, recipes/N-NAME.yaml) in turn, with the
 * settings of `recipe` on top, into sub-folders of the key output; a table and a report compare them on the
 * test photos. Fails with STATE when no fine-tuned network beats the one called "scratch" by 10 points of
 * accuracy. */
AT_API at_status at_demo(at_ctx *ctx, at_recipe *recipe, const char *folder, at_event_fn on_event,
                         void *data) AT_MUST_USE;

/* Describe this machine and this library: one AT_EVENT_PLAN whose text and json tell processor, instruction
 * sets, threads, memory limit, version, environment variables that are read. */
AT_API at_status at_environment(at_ctx *ctx, at_event_fn on_event, void *data) AT_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
