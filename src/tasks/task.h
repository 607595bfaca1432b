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
    size_t memory; /* bytes that caches of decoded data may take */
    const char *(*where)(void *from,
                         const char *key); /* for messages: "recipe.yaml:7: augment"; NULL = the key */
    void *where_from;
    bool uses_head;  /* the model's labels are given: data are scored or predicted, not learnt from */
    at_noise *noise; /* instead of data; NULL = data */
} at_job_setup;

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
    const at_options *options;      /* section named like the task; NULL = none */
    const at_options *data_options; /* further keys of the section "data"; NULL = none */
    const char *main_metric;
    bool headless;       /* the network's own output is what is asked of it: there is no output layer */
    const char *sample;  /* what a data set's names are, for programs: "file", "text" */
    size_t size;         /* of the own struct */
    const char *expects; /* what its data are, for messages: "a folder with ..." */
    /* Is this data ours? Looks at names only. */
    bool (*recognise)(const char *path);
    /* Is a folder without a name of its task one of ours? NULL = no. */
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
    /* Training graph: output [S, n_outputs] act -> loss and count [1]: sums over the samples. */
    void (*objective)(const at_job *j, at_graph *g, at_value *output, const at_inputs *in, at_value **loss,
                      at_value **count);
    /* Scores of outputs [n, n_outputs] of the split's samples in order. */
    at_status (*score)(const at_job *j, at_split split, const float *outputs, at_scores *out);
    /* One prediction as members of a JSON object ("label": ..., "probabilities": {...}) and for people. */
    void (*describe)(const at_job *j, const float *output, at_text *json, at_text *text);
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
const char *at_job_where(const at_job *j, const char *key);
void at_job_note(at_job *j, const char *fmt, ...) AT_PRINTF(2, 3);

/* ---- Metrics of classification ---- */

/* What metrics see. Samples with label -100 are not counted. */
typedef struct at_classified {
    int64_t n;
    int n_classes;
    const float *logits;      /* [n, n_classes] */
    const int32_t *label;     /* [n] */
    const int32_t *predicted; /* [n] first of the largest logits */
    const int64_t *confusion; /* [n_classes, n_classes]: rows are true classes */
} at_classified;

typedef struct at_metric {
    const char *name, *doc;
    bool higher_is_better;
    bool proportion; /* a share of the counted samples */
    double (*value)(const at_classified *c);
} at_metric;

/* All registered metrics. */
at_status at_score_classes(at_ctx *ctx, at_scores *out, int64_t n, int n_classes, const float *logits,
                           const int32_t *label) AT_MUST_USE;

/* Report on classes as HTML: confusion matrix, recall of each class, the worst mistakes (`show` adds what is
 * seen of a sample; NULL = its name only). */
typedef at_status (*at_show_fn)(const at_job *j, const at_dataset *d, int64_t sample, at_text *html);
at_status at_report_classes(const at_job *j, const at_dataset *d, const float *logits, const int32_t *label,
                            at_show_fn show, at_text *html) AT_MUST_USE;

/* log softmax of one row at `label`, in double. */
double at_log_probability(const float *logits, int n, int label);

#endif
