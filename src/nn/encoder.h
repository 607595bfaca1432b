/* encoder.h: the layer that BERT and its kin are made of: attention and a feed-forward part, each followed by
 * a residual sum and a layer norm (Vaswani et al. 2017, section 3.1; Devlin et al. 2018). Layer: nn. */
#ifndef AT_ENCODER_H
#define AT_ENCODER_H

#include "nn/net.h"
#include "ops/gelu/gelu.h"

typedef enum at_activation {
    AT_ACTIVATION_GELU_ERF,
    AT_ACTIVATION_GELU_TANH,
    AT_ACTIVATION_RELU
} at_activation;

typedef struct at_encoder_shape {
    int64_t hidden, intermediate, heads;
    at_activation activation;
    double epsilon; /* of the norms */
    double dropout, attention_dropout;
} at_encoder_shape;

/* The modules of a layer, as a checkpoint calls them below the layer's own name. */
typedef struct at_encoder_names {
    const char *query, *key, *value, *attention_output, *attention_norm, *intermediate, *output, *output_norm;
} at_encoder_names;

typedef struct at_encoder_layer {
    at_encoder_shape shape;
    const char *name;
    at_site *query, *key, *value, *attention_output, *attention_norm, *intermediate, *output, *output_norm;
} at_encoder_layer;

/* Sequences laid end to end: where each begins, which samples they are, and what their rows' random numbers
 * are keyed by. */
typedef struct at_sequences {
    at_value *offsets;   /* INT [S+1] */
    at_value *sample_id; /* INT [S] */
    at_value *row_id;    /* INT [R] */
} at_sequences;

/* Declare a layer "encoder.layer.0"; sites are called as in the checkpoint. */
at_status at_net_encoder_layer(at_encoder_layer *out, at_net *net, const char *name,
                               const at_encoder_names *names, const at_encoder_shape *shape) AT_MUST_USE;

/* x [R,hidden] -> [R,hidden] */
at_value *at_encoder_apply(at_graph *g, const at_encoder_layer *layer, at_value *x, const at_sequences *s);

at_value *at_activate(at_graph *g, at_value *x, at_activation activation);

#endif
