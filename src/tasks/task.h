/* task.h: what a network is trained for: how data become inputs, what the objective is, how results are
 * scored and shown. Layer: tasks. A task is one file with `const at_task at_task_NAME`; a metric one file in
 * metrics/. */
#ifndef AT_TASK_H
#define AT_TASK_H

#include "base/option.h"
#include "base/text.h"
#include "data/dataset.h"
#include "models/model.h"

typedef enum at_split { AT_SPLIT_TRAIN, AT_SPLIT_VALID, AT_SPLIT_TEST, AT_SPLIT_COUNT } at_split;

const char *at_split_name(at_split split); /* "train", "valid", "test" */

/* Where data come from: keys data.* of a recipe. */
typedef struct at_data_options {
    const char *train, *valid, *test; /* folder or file, a share "N%", "none"; NULL = what fits */
    const char *corrupt;              /* "fail" or "skip" */
    const at_tree *augment;           /* list of maps; NULL = the method's default */
} at_data_options;

typedef struct at_task at_task;

/* Numbers that the objective reads and no batch changes: written to the graph's input of this name once. */
typedef struct at_constant {
    const char *name;
    const at_real *data;
    int64_t n;
} at_constant;

/* Data that are made up to measure with. In: -1 = as the checkpoint suggests; out: what was taken. */
typedef struct at_noise {
    int64_t size; /* of a sample: the side of a picture */
    int64_t outputs;
} at_noise;

/* What a task is opened on. */
typedef struct at_job_setup {
    const at_task *task;
    at_model *model; /* borrowed */
    at_data_options data;
    void *options;      /* the task's own table */
    void *data_options; /* and its further data.* keys */
    uint64_t seed;
    size_t memory;     /* bytes that caches of decoded data may take */
    const char *cache; /* folder of what later runs may use again; NULL = none */
    const char *(*where)(void *from,
                         const char *key); /* for messages: "recipe.yaml:7: augment"; NULL = the key */
    void *where_from;
    bool inferred;   /* the task was not named but chosen by the data */
    bool uses_head;  /* the model's labels are given: data are scored or predicted, not learnt from */
    at_noise *noise; /* instead of data; NULL = data */
} at_job_setup;

/* The unit of what a network puts out: its outputs mean shift + scale x output. */
typedef struct at_unit {
    double shift, scale;
} at_unit;

static inline double at_in_unit(at_unit u, float output)
{
    return u.shift + u.scale * (double)output;
}

/* A task at work. */
typedef struct at_job {
    at_ctx *ctx;
    at_job_setup setup;
    const at_task *task; /* of the setup, as the next two */
    at_model *model;
    void *options, *data_options;
    at_arena arena;
    void *self;
    at_dataset *split[AT_SPLIT_COUNT]; /* NULL = none */
    const char *main_metric;           /* the task's, unless its data ask for another */
    int n_outputs;                     /* width of the head */
    int n_labels;                      /* classes; 0 when the task has none */
    const char *const *labels;
    at_unit unit;  /* of a fresh head while it learns; folded into it before the model is handed over */
    bool augments; /* training samples change from epoch to epoch */
    at_constant constants[4];
    int n_constants;
    at_tree *notes; /* list of texts for the user: duplicates, skipped files */
} at_job;

enum { AT_MAX_SCORES = 16 };

typedef struct at_scores {
    at_score_value list[AT_MAX_SCORES];
    int n;
} at_scores;

struct at_task {
    const char *name, *doc;
    const char *family;             /* of the models it takes */
    bool per_token;                 /* an output is of a token of a text, not of a whole sample */
    const at_options *options;      /* section named like the task; NULL = none */
    const at_options *data_options; /* further keys of the section "data"; NULL = none */
    const char *main_metric;
    const char *problem_type; /* Transformers' word for the objective; NULL = single_label_classification */
    const char *loss;         /* what the loss is, for reports; NULL = nats a sample */
    bool exact;          /* outputs are numbers of any size, too coarse in bf16 where the head is given */
    bool headless;       /* the network's own output is what is asked of it: there is no output layer */
    const char *sample;  /* what a data set's names are, for programs: "file", "text" */
    size_t size;         /* of the own struct */
    const char *expects; /* what its data are, for messages: "a folder with ..." */
    /* Is this data ours? Looks at names and, where they do not tell, into the beginning of a file. */
    bool (*recognise)(at_ctx *ctx, const char *path);
    /* Of a task that recognises: the task that these data are for, it or another with the same data_options;
     * asked where none is named. NULL = it. */
    at_status (*choose)(at_ctx *ctx, const at_job_setup *s, const at_task **out);
    /* Is a trained network ours, by its folder? NULL = those of the family that no other task claims. */
    bool (*owns)(const at_model *m);
    /* Look at the data and check it: fill split, n_outputs, labels. */
    at_status (*open)(at_job *j);
    void (*close)(at_job *j);
    /* Noise of the same columns to train on (setup.noise), instead of open; NULL = there is none. */
    at_status (*open_noise)(at_job *j);
    /* Data for predictions: files or folders as given, without labels. */
    at_status (*open_files)(at_job *j, at_dataset **out, const char *const *paths, int n);
    /* What m makes of the inputs: [S, n_outputs], or as many numbers a sample in several rows. NULL = what
     * its head gives. */
    at_value *(*output)(const at_job *j, at_model *m, at_graph *g, const at_inputs *in);
    /* Training graph: output [S, n_outputs] (per token [R, n_outputs]) act -> loss and count [1]: sums over
     * the samples. */
    void (*objective)(const at_job *j, at_graph *g, at_value *output, const at_inputs *in, at_value **loss,
                      at_value **count);
    /* The one output [n_outputs] that fits the training split best: what is known without looking at a
     * sample. NULL = the task knows none. */
    at_status (*commonest)(const at_job *j, float *output);
    /* Choose by the outputs of the validation split how the final scores and predictions are decided
     * (thresholds), and note it; NULL = nothing is to be chosen. */
    at_status (*decide)(at_job *j, at_split split, const float *outputs);
    /* Scores of outputs [n, n_outputs] of the split's samples (per token: of their rows) in order. */
    at_status (*score)(const at_job *j, at_split split, const float *outputs, at_scores *out);
    /* One prediction as members of a JSON object ("label": ..., "probabilities": {...}) and for people. */
    void (*describe)(const at_job *j, const float *output, at_text *json, at_text *text);
    /* In place of it where a prediction is made of a sample's rows: d is of open_files. */
    at_status (*describe_rows)(const at_job *j, const at_dataset *d, int64_t sample, const float *output,
                               at_text *json, at_text *text);
    /* Files beside the network that is handed over; NULL = none. */
    at_status (*save)(const at_job *j, const char *folder);
    /* Report: what went wrong, and a sample as HTML. NULL = nothing to show. */
    at_status (*report)(const at_job *j, at_split split, const float *outputs, at_text *html);
};

/* The task with this name; when name is NULL, the one of the network's family that recognises the path. */
at_status at_task_find(at_ctx *ctx, const at_task **out, const char *name, const char *family,
                       const char *path) AT_MUST_USE;

at_status at_job_open(at_job *j, at_ctx *ctx, const at_job_setup *setup) AT_MUST_USE;
void at_job_close(at_job *j);

/* Rows of the network's output for the samples 0..n) of a data set: one each, or as many as they have tokens.
 */
int64_t at_job_output_rows(const at_job *j, const at_dataset *d, int64_t n);
const char *at_job_where(const at_job *j, const char *key);
void at_job_note(at_job *j, const char *fmt, ...) AT_PRINTF(2, 3);

/* Scores of n samples of a split, part[n]; outputs [n, n_outputs] are theirs alone. */
typedef at_status (*at_score_part_fn)(const at_job *j, at_split split, const float *outputs,
                                      const int32_t *part, int64_t n, at_scores *out);

/* ---- Metrics ---- */

typedef struct at_ranked at_ranked; /* tasks/ranking.h */

/* One of several classes a sample. Samples with label -100 are not counted. */
typedef struct at_classified {
    int64_t n;
    int n_classes;
    const float *logits;      /* [n, n_classes] */
    const int32_t *label;     /* [n] */
    double threshold;         /* of two classes: see at_class_of */
    const int32_t *predicted; /* [n] */
    const int64_t *confusion; /* [n_classes, n_classes]: rows are true classes */
    at_ranked *scratch;       /* [n] for metrics that sort */
} at_classified;

/* Any number of classes a sample. */
typedef struct at_class_sets {
    int64_t n;
    int n_classes;
    const float *logits;      /* [n, n_classes] */
    const uint8_t *truth;     /* [n, n_classes] 1 = the sample has the class */
    const double *threshold;  /* [n_classes] probability from which on a class is predicted */
    const uint8_t *predicted; /* [n, n_classes] */
    at_ranked *scratch;       /* [n] for metrics that sort */
} at_class_sets;

typedef struct at_set_counts {
    int64_t truly, said, right; /* samples that have a class, that are said to, and both */
} at_set_counts;

at_set_counts at_count_class(const at_class_sets *c, int k);

/* Fill predicted [n, n_classes], from now on c's. */
void at_predict_sets(at_class_sets *c, uint8_t *predicted);

/* A number a sample. */
typedef struct at_numbers {
    int64_t n;
    const double *said, *truth;          /* [n] */
    const double *said_rank, *true_rank; /* [n] from 1; equal numbers share their mean rank */
} at_numbers;

typedef struct at_metric {
    const char *name, *doc;
    bool higher_is_better;
    bool proportion; /* a share of the counted samples */
    bool plain;      /* no share of anything, though it may lie between 0 and 1: a correlation */
    /* What it scores: those that are set. NaN where the samples do not define it. */
    double (*of_classes)(const at_classified *c);
    double (*of_sets)(const at_class_sets *c);
    double (*of_numbers)(const at_numbers *c);
} at_metric;

/* Do both score the same kind of thing? Of a task's main metric: can the other be asked of the task? */
bool at_metric_fits(const at_metric *m, const at_metric *other);

/* All registered metrics that `value` gives a value (returns false where a metric scores something else), the
 * one called `first` (may be NULL) at the front. */
typedef bool (*at_metric_value_fn)(const at_metric *m, const void *of, double *out);
void at_score(const at_ctx *ctx, at_scores *out, const char *first, at_metric_value_fn value, const void *of);

/* 95 % interval of a share of n counted things (Wilson 1927); 0 to 1 when nothing was counted. */
void at_wilson(double share, int64_t n, double *low, double *high);

/* All metrics of classes. of: n, n_classes, logits, label and threshold; the rest is made of them. */
at_status at_score_classes(at_ctx *ctx, at_scores *out, const char *first,
                           const at_classified *of) AT_MUST_USE;

/* All metrics of sets. of: all but predicted and scratch, which are made. */
at_status at_score_sets(at_ctx *ctx, at_scores *out, const char *first, const at_class_sets *of) AT_MUST_USE;

/* All metrics of numbers: outputs [n] in a unit, against truth [n]. */
at_status at_score_numbers(at_ctx *ctx, at_scores *out, const char *first, int64_t n, const float *outputs,
                           at_unit unit, const double *truth) AT_MUST_USE;

/* Pearson's; NaN where x or y does not vary. */
double at_correlation(const double *x, const double *y, int64_t n);

/* Spearman's: that of the ranks, equal numbers sharing the mean of theirs. */
at_status at_rank_correlation(at_ctx *ctx, double *out, const double *x, const double *y,
                              int64_t n) AT_MUST_USE;

/* The class that is predicted: the first of the largest logits; of two classes with a threshold, 0 <
 * threshold
 * <= 1, the second where its probability reaches that. threshold 0 = none. */
int at_class_of(const float *logits, int n, double threshold);

/* Report on classes as HTML: confusion matrix, recall of each class, the worst mistakes (`show` adds what is
 * seen of a sample; NULL = its name only). */
typedef at_status (*at_show_fn)(const at_job *j, const at_dataset *d, int64_t sample, at_text *html);
at_status at_report_classes(const at_job *j, const at_dataset *d, const float *logits, const int32_t *label,
                            double threshold, at_show_fn show, at_text *html) AT_MUST_USE;

/* log softmax of one row at `label`, in double. */
double at_log_probability(const float *logits, int n, int label);

/* 1 / (1 + e^-x) */
double at_sigmoid(double x);

#endif
