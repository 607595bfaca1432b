/* net.h: a network as named sites: the places where parameters meet activations. Layer: nn.
 *
 * A model declares its sites once (names, shapes, group) and calls them when it builds a graph. What is done
 * to a site (frozen, re-initialised, adapted, its norm's mode) never appears in a model's file: edits change
 * the sites' records, adapters hang interceptors on them. */
#ifndef AT_NET_H
#define AT_NET_H

#include "engine/graph.h"
#include "engine/state.h"

typedef enum at_site_kind {
    AT_SITE_LINEAR,
    AT_SITE_CONV,
    AT_SITE_EMBEDDING,
    AT_SITE_NORM,      /* batch normalisation */
    AT_SITE_LAYER_NORM /* normalisation of each row, which has no mode */
} at_site_kind;

/* How a normalisation behaves while training (evaluation always uses stored statistics). */
typedef enum at_norm_mode {
    AT_NORM_EVAL,   /* stored statistics, nothing learns */
    AT_NORM_AFFINE, /* stored statistics, gamma and beta learn */
    AT_NORM_STATS,  /* batch statistics, gamma and beta frozen */
    AT_NORM_TRAIN,  /* batch statistics, gamma and beta learn */
} at_norm_mode;

/* Padding of a convolution. */
typedef enum at_padding {
    AT_PAD_SYMMETRIC, /* dilation (kernel - 1) / 2 on both sides */
    AT_PAD_SAME,      /* TensorFlow's: the odd zero behind */
} at_padding;

typedef struct at_site at_site;
typedef struct at_net at_net;

typedef enum at_part { /* what a parameter is to its site */
                       AT_WEIGHT,
                       AT_BIAS,
                       AT_NORM_GAMMA,
                       AT_NORM_BETA,
                       AT_NORM_MEAN,
                       AT_NORM_VARIANCE,
                       AT_NORM_BATCHES, /* how many batches the statistics have seen; carried along, int64 in
                                           files */
                       AT_ADAPTER,
                       AT_PART_COUNT
} at_part;

/* Fold an adapter into the values of one of its site's own tensors, as that tensor lies in files. */
typedef at_status (*at_merge_fn)(const at_net *net, const at_site *site, at_part part, at_real *values,
                                 void *self);

/* An adapter at a site (adapters/adapter.h): sees what goes in and what the site computed, returns what goes
 * on. At neutral strength the result must equal y bit for bit. */
typedef struct at_intercept {
    struct at_intercept *next;
    const char *adapter; /* name */
    at_value *(*apply)(at_graph *g, const at_site *site, at_value *x, at_value *y, void *self);
    at_merge_fn merge; /* NULL = the adapted network cannot be saved as a plain one */
    void *self;
} at_intercept;

/* A named tensor of the network and how it is to learn. */
typedef struct at_param {
    at_state *state;
    at_site *site;
    at_part part;
    const char *file_name; /* in the checkpoint's own layout */
    bool trainable, optional;
    double rate;   /* factor on the learning rate */
    bool decays;   /* weight decay applies: matrices yes, biases and norms no */
    bool missing;  /* the checkpoint does not have it: it must be initialised before use */
    int64_t whole; /* AT_NORM_BATCHES: the counter */
} at_param;

struct at_site {
    const char *name;
    at_site_kind kind;
    int group;      /* of the net's groups; the head's is the last */
    bool is_head;   /* learns with the head, and is as fresh where a checkpoint lacks it */
    bool is_pooler; /* becomes a part of the head where a checkpoint lacks it; in files part of the network */
    int64_t first_row; /* embeddings: the row that id 0 means */
    at_param *part[AT_PART_COUNT];
    at_intercept *intercepts;
    struct { /* convolutions */
        int64_t stride, dilation, groups;
        at_padding padding;
    } conv;
    struct { /* normalisations */
        at_norm_mode mode;
        double epsilon, momentum; /* momentum as PyTorch has it: share of the new batch */
    } norm;
};

struct at_net {
    at_ctx *ctx;
    at_arena arena;
    at_store *store;
    at_site **sites;
    int n_sites;
    at_param **params;
    int n_params;
    const char **groups; /* names, in order from the input to the head */
    int n_groups;
};

at_status at_net_init(at_net *net, at_ctx *ctx, at_device *device) AT_MUST_USE;
void at_net_deinit(at_net *net);

/* ---- Declaring: what a model's file does when it is opened. name: canonical; file: the checkpoint's name of
 * the module, to which ".weight" and so on are added. Both are copied. ---- */

/* Following sites belong to a new group. */
at_status at_net_group(at_net *net, const char *name) AT_MUST_USE;

at_status at_net_linear(at_site **out, at_net *net, const char *name, const char *file, int64_t in,
                        int64_t outs, bool bias) AT_MUST_USE;

typedef struct at_conv_shape {
    int64_t in, out, kernel, stride, dilation, groups;
    at_padding padding;
    bool bias;
} at_conv_shape;
at_status at_net_conv(at_site **out, at_net *net, const char *name, const char *file,
                      const at_conv_shape *shape) AT_MUST_USE;

at_status at_net_batchnorm(at_site **out, at_net *net, const char *name, const char *file, int64_t channels,
                           double epsilon, double momentum) AT_MUST_USE;

/* A table of `rows` vectors. */
at_status at_net_embedding(at_site **out, at_net *net, const char *name, const char *file, int64_t rows,
                           int64_t width) AT_MUST_USE;

at_status at_net_layer_norm(at_site **out, at_net *net, const char *name, const char *file, int64_t width,
                            double epsilon, bool bias) AT_MUST_USE;

/* A parameter of an adapter at a site: trainable, initialised by the caller. */
at_status at_net_adapter_param(at_param **out, at_net *net, at_site *site, const char *suffix, int rank,
                               const int64_t *dim) AT_MUST_USE;

at_site *at_net_find(const at_net *net, const char *name); /* NULL = none */

/* ---- Calling: what a model's file does when it builds a graph. x [...,C] act. ---- */

at_value *at_site_linear(at_graph *g, const at_site *site, at_value *x);
at_value *at_site_conv(at_graph *g, const at_site *site, at_value *x); /* x [S,H,W,C] */
/* For adapters: what an ungrouped convolution with this stride and padding, but other weights w and no bias,
 * makes of x. */
at_value *at_site_conv_with(at_graph *g, const at_site *site, at_value *x, at_value *w);
at_value *at_site_norm(at_graph *g, const at_site *site, at_value *x);
at_value *at_site_embedding(at_graph *g, const at_site *site, at_value *ids); /* ids INT [R] -> [R,width] */
at_value *at_site_layer_norm(at_graph *g, const at_site *site, at_value *x);

/* Dropout with a site name of its own; identity in evaluation and at p = 0. sample_id: INT [S], or of ragged
 * rows INT [R]: what draws are keyed by. */
at_value *at_site_dropout(at_graph *g, const char *name, at_value *x, at_value *sample_id, double p);

/* ---- Roles: from the records to the states, once, before the training graph is built ---- */

/* Trainable parameters become trainable states, statistics of norms in stats or train mode running ones. A
 * norm whose gamma does not learn and whose mode is train is put into eval: its layer is frozen. */
void at_net_assign_roles(at_net *net);

#endif
