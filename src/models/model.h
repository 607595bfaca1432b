/* model.h: an opened pre-trained network, whatever its architecture and file layout. Layer: models.
 *
 * An architecture is one folder with `const at_architecture at_architecture_NAME`: it reads the config,
 * declares its sites, and builds its graph from them. Opening, checking, loading, heads, initialising and
 * saving are generic over what it declared. Reading path: at_model_open (open.c), an architecture's file,
 * at_model_save (save.c). */
#ifndef AT_MODEL_H
#define AT_MODEL_H

#include "formats/safetensors.h"
#include "formats/tree.h"
#include "nn/net.h"

typedef struct at_architecture at_architecture;

/* Whose names and config keys a folder follows. */
typedef enum at_layout { AT_LAYOUT_TRANSFORMERS, AT_LAYOUT_TIMM } at_layout;

typedef struct at_model {
    at_ctx *ctx;
    const at_architecture *architecture;
    at_layout layout;
    const char *folder;
    at_arena arena;
    at_tree *config; /* as read */
    at_net net;
    void *self;              /* the architecture's own struct */
    at_safetensors *weights; /* mapped as long as the model lives */
    const char *prefix;      /* what module names in the file begin with; "" or the architecture's prefix */
    struct {                 /* set by the architecture: where a task's output layer goes */
        const char *name, *file;
        int64_t features;
        double dropout; /* before the head, while training */
        at_site *site;  /* NULL until at_model_head */
        bool in_file;   /* the checkpoint brings one */
        bool is_new;    /* and this is another */
        bool per_token; /* it says something of every token of a text, not of the whole; set before `open` */
        int first_site; /* from here on sites are the head's; 0 = none but `site` */
    } head;
    struct { /* of text networks: token ids and rows of a sample are below these */
        int64_t vocabulary, positions;
    } text;
    int n_labels; /* of the head; as the config says until at_model_head */
    const char **labels;
    const char *problem_type; /* that saving writes; NULL = single_label_classification */
    const double *thresholds; /* of the outputs' probabilities, for who decides; config.json's own key
                                 attune_thresholds, which others ignore; NULL = none */
    int n_thresholds;
} at_model;

/* Inputs of a graph by name: a data set's columns, and "sample_id". */
typedef struct at_inputs {
    struct {
        const char *name;
        at_value *value;
    } list[16];
    int n;
} at_inputs;

/* NULL, and a failure of the graph that names the input, when there is none of this name. */
at_value *at_inputs_get(at_graph *g, const at_inputs *in, const char *name);

struct at_architecture {
    const char *name, *doc;
    const char *family;      /* "image": what data it takes */
    const char *prefix;      /* of module names in Transformers' task models: "NAME." */
    const char *task_class;  /* Transformers' class with our head: "MobileNetV2ForImageClassification" */
    const char *token_class; /* and with a head for every token: "BertForTokenClassification"; NULL = none */
    size_t size;             /* of the own struct */
    /* Is this config ours, and in which layout? */
    bool (*recognise)(const at_tree *config, at_layout *layout);
    /* Read m->config, declare the sites, set m->head. */
    at_status (*open)(at_model *m);
    /* The graph from the inputs to the head's output [S, n_labels], of a head for every token [R, n_labels],
     * or to what the head takes when there is none. */
    at_value *(*build)(at_model *m, at_graph *g, const at_inputs *in);
    /* Of text networks: what the last layer makes of every token [R,hidden]; NULL = there is none. */
    at_value *(*encode)(at_model *m, at_graph *g, const at_inputs *in);
    /* Initialise one parameter that no checkpoint gives; NULL = at_init_default. */
    at_status (*init)(at_model *m, at_param *p, uint64_t seed);
    const char *const *ignored; /* what tensors' names may begin with that are left aside, as those of
                                   pre-training's heads; ends with NULL; NULL = none */
};

/* Open a folder with config.json and model.safetensors; map, never copy. Nothing may be missing but a head
 * and a pooler, nothing left over; shapes must be what the config implies.
 * @return UNSUPPORTED (unknown architecture, named with the known ones), FORMAT, SHAPE, IO, NOMEM. */
at_status at_model_open(at_model **out, at_ctx *ctx, at_device *device, const char *folder) AT_MUST_USE;
void at_model_close(at_model *m);

/* What the head that a task wants says something of. at_model_open takes what config.json names. */
typedef enum at_head_kind { AT_HEAD_AS_SAVED, AT_HEAD_SAMPLE, AT_HEAD_TOKEN } at_head_kind;

/* at_model_open for a head of this kind; one of the other that the checkpoint brings is left aside.
 * @return UNSUPPORTED, too: the architecture takes no head for tokens. */
at_status at_model_open_for(at_model **out, at_ctx *ctx, at_device *device, const char *folder,
                            at_head_kind kind) AT_MUST_USE;

/* What is declared from here on, up to the end of the architecture's `open`, is the head's: layers before its
 * last one that learn with it. Checkpoints from pre-training may lack them. */
at_status at_model_head_group(at_model *m) AT_MUST_USE;

/* Declare the head's last layer: keep the checkpoint's, or a fresh one of n_labels with weights N(0, 0.01)
 * and bias 0. The layers before it are the checkpoint's where it has them, else drawn by the architecture's
 * `init`; keeping a head takes that it has them. labels are copied. Once, before a graph is built. */
at_status at_model_keep_head(at_model *m) AT_MUST_USE;
at_status at_model_new_head(at_model *m, int n_labels, const char *const *labels, uint64_t seed) AT_MUST_USE;

/* From now on the head puts out shift + scale x what it put out before: of a head that is its weights' alone.
 */
at_status at_model_scale_head(at_model *m, double shift, double scale) AT_MUST_USE;

/* Are these the labels of the checkpoint's head, in this order? */
bool at_model_has_labels(const at_model *m, int n_labels, const char *const *labels);

/* What module names begin with where the network has a head, but for the head's own: Transformers' task
 * models wrap what they are made of; "" elsewhere. */
const char *at_model_prefix(const at_model *m);

/* Write a folder that Transformers or timm (as the layout is) and at_model_open read: config.json with the
 * labels, model.safetensors, and the side files of the folder it came from. The folder must exist. */
at_status at_model_save(at_model *m, const char *folder) AT_MUST_USE;

/* Initial values, keyed by (seed, name): independent of everything else that is drawn. */
at_status at_init_normal(at_model *m, at_param *p, double std, uint64_t seed) AT_MUST_USE;
at_status at_init_constant(at_model *m, at_param *p, double value) AT_MUST_USE;
/* Matrices N(0, std), all else as at_init_default: what Transformers does to encoders of texts. */
at_status at_init_matrix(at_model *m, at_param *p, double std, uint64_t seed) AT_MUST_USE;
/* Convolutions and linear maps N(0, 2 / fan_out) (He et al. 2015), biases 0, norms 1, 0, 0, 1. */
at_status at_init_default(at_model *m, at_param *p, uint64_t seed) AT_MUST_USE;

/* Config values with ranges; key is a dotted path. Absent keys give the default. */
at_status at_config_whole(at_model *m, int64_t *out, const char *key, int64_t fallback, int64_t low,
                          int64_t high) AT_MUST_USE;
at_status at_config_real(at_model *m, double *out, const char *key, double fallback, double low,
                         double high) AT_MUST_USE;
at_status at_config_flag(at_model *m, bool *out, const char *key, bool fallback) AT_MUST_USE;
at_status at_config_text(at_model *m, const char **out, const char *key, const char *fallback) AT_MUST_USE;
/* At most max numbers; an absent list leaves out and *n as they are. */
at_status at_config_wholes(at_model *m, int64_t *out, int *n, const char *key, int max, int64_t low,
                           int64_t high) AT_MUST_USE;
/* A map, if there, may have these keys alone: others would change the network silently. */
at_status at_config_known(at_model *m, const char *key, const char *const *known, int n) AT_MUST_USE;
/* A text, if there, must be this. */
at_status at_config_only(at_model *m, const char *key, const char *value) AT_MUST_USE;

#endif
