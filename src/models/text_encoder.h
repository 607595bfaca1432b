/* text_encoder.h: what BERT and its kin share: the sum of embeddings, and a stack of layers. An architecture
 * says what its config.json and its checkpoints call things, and adds what stands behind. Layer: models. */
#ifndef AT_TEXT_ENCODER_H
#define AT_TEXT_ENCODER_H

#include "models/model.h"
#include "nn/encoder.h"

enum { AT_MAX_LAYERS = 128, AT_MAX_WIDTH = 1 << 16 };

typedef struct at_text_encoder_keys { /* of config.json */
    const char *hidden, *layers, *heads, *intermediate, *activation, *dropout, *attention_dropout;
    const char *epsilon; /* NULL = it is 1e-12 */
    const char *types;   /* NULL = there are no token types */
} at_text_encoder_keys;

typedef struct at_text_encoder_form {
    const at_text_encoder_keys *key;
    int64_t layers, vocabulary; /* when config.json does not say */
    const char *stack;          /* what the layers' names begin with: "encoder.layer" */
    const at_encoder_names *layer;
} at_text_encoder_form;

/* What most of them have. */
extern const at_text_encoder_keys at_text_encoder_usual_keys;
extern const at_encoder_names at_text_encoder_usual_names;

typedef struct at_text_encoder {
    at_encoder_shape shape;
    int64_t n_layers;
    double initializer_range;
    at_site *words, *positions, *types, *norm; /* types may be NULL */
    at_encoder_layer layers[AT_MAX_LAYERS];
} at_text_encoder;

/* Read config.json, declare the embeddings and the layers, say what texts may be. A sequence's first row has
 * the position first_position. */
at_status at_text_encoder_open(at_text_encoder *out, at_model *m, const at_text_encoder_form *form,
                               int64_t first_position) AT_MUST_USE;

/* The task's inputs that say where sequences begin: offsets INT [S+1], sample_id INT [S], row_id INT [R]. */
at_sequences at_inputs_sequences(at_graph *g, const at_inputs *in);

/* input_ids, position_ids and, where there are types, token_type_ids INT [R] -> [R,hidden] */
at_value *at_text_encoder_apply(at_graph *g, const at_text_encoder *e, const at_inputs *in,
                                const at_sequences *s);

/* A head for every token: dropout, linear, on each row of x [R,features]; without a head x itself. */
at_value *at_token_head(at_model *m, at_graph *g, at_value *x, const at_sequences *s);

/* Is "model_type" of a config.json this? */
bool at_config_is(const at_tree *config, const char *model_type);

/* gelu (the default), gelu_new, gelu_pytorch_tanh or relu. */
at_status at_config_activation(at_model *m, at_activation *out, const char *key) AT_MUST_USE;

#endif
