/* text_encoder.c: opening and building what BERT and its kin share. */
#include "models/text_encoder.h"
#include "ops/add/add.h"
#include <stdio.h>

const at_text_encoder_keys at_text_encoder_usual_keys = {.hidden = "hidden_size",
                                                         .layers = "num_hidden_layers",
                                                         .heads = "num_attention_heads",
                                                         .intermediate = "intermediate_size",
                                                         .activation = "hidden_act",
                                                         .dropout = "hidden_dropout_prob",
                                                         .attention_dropout = "attention_probs_dropout_prob",
                                                         .epsilon = "layer_norm_eps",
                                                         .types = "type_vocab_size"};

const at_encoder_names at_text_encoder_usual_names = {.query = "attention.self.query",
                                                      .key = "attention.self.key",
                                                      .value = "attention.self.value",
                                                      .attention_output = "attention.output.dense",
                                                      .attention_norm = "attention.output.LayerNorm",
                                                      .intermediate = "intermediate.dense",
                                                      .output = "output.dense",
                                                      .output_norm = "output.LayerNorm"};

/* ---- Config ---- */

bool at_config_is(const at_tree *config, const char *model_type)
{
    const at_tree *type = at_tree_get(config, "model_type");
    return type && type->kind == AT_STRING && strcmp(type->text, model_type) == 0;
}

at_status at_config_activation(at_model *m, at_activation *out, const char *key)
{
    static const char *const names[] = {"gelu", "gelu_new", "gelu_pytorch_tanh", "relu"};
    static const at_activation activations[] = {AT_ACTIVATION_GELU_ERF, AT_ACTIVATION_GELU_TANH,
                                                AT_ACTIVATION_GELU_TANH, AT_ACTIVATION_RELU};
    const char *name;
    AT_TRY(at_config_text(m, &name, key, "gelu"));
    for (int i = 0; i < AT_COUNT(names); i++)
        if (strcmp(name, names[i]) == 0) {
            *out = activations[i];
            return AT_OK;
        }
    return at_fail(m->ctx, AT_E_UNSUPPORTED,
                   "%s/config.json: %s \"%s\"; known are gelu, gelu_new, gelu_pytorch_tanh and relu",
                   m->folder, key, name);
}

static at_status read_shape(at_model *m, at_text_encoder *e, const at_text_encoder_form *f)
{
    at_encoder_shape *s = &e->shape;
    AT_TRY(at_config_whole(m, &s->hidden, f->key->hidden, 768, 1, AT_MAX_WIDTH));
    AT_TRY(at_config_whole(m, &e->n_layers, f->key->layers, f->layers, 1, AT_MAX_LAYERS));
    AT_TRY(at_config_whole(m, &s->heads, f->key->heads, 12, 1, s->hidden));
    AT_TRY(at_config_whole(m, &s->intermediate, f->key->intermediate, 3072, 1, AT_MAX_WIDTH));
    s->epsilon = 1e-12;
    if (f->key->epsilon) AT_TRY(at_config_real(m, &s->epsilon, f->key->epsilon, s->epsilon, 0, 1));
    AT_TRY(at_config_real(m, &s->dropout, f->key->dropout, 0.1, 0, 0.999));
    AT_TRY(at_config_real(m, &s->attention_dropout, f->key->attention_dropout, 0.1, 0, 0.999));
    AT_TRY(at_config_real(m, &e->initializer_range, "initializer_range", 0.02, 0, 10));
    AT_REQUIRE(m->ctx, s->hidden % s->heads == 0, AT_E_FORMAT,
               "%s/config.json: %s %lld is no multiple of %s %lld", m->folder, f->key->hidden,
               (long long)s->hidden, f->key->heads, (long long)s->heads);
    AT_TRY(at_config_only(m, "position_embedding_type", "absolute"));
    return at_config_activation(m, &s->activation, f->key->activation);
}

/* ---- Sites ---- */

static at_status declare_embeddings(at_model *m, at_text_encoder *e, const at_text_encoder_form *f,
                                    int64_t first_position)
{
    static const char words[] = "embeddings.word_embeddings", positions[] = "embeddings.position_embeddings",
                      types[] = "embeddings.token_type_embeddings", norm[] = "embeddings.LayerNorm";
    const int64_t hidden = e->shape.hidden;
    int64_t length, n_types;
    AT_TRY(at_config_whole(m, &m->text.vocabulary, "vocab_size", f->vocabulary, 1, 1 << 24));
    AT_TRY(at_config_whole(m, &length, "max_position_embeddings", 512, first_position + 1, 1 << 20));
    m->text.positions = length - first_position;
    AT_TRY(at_net_group(&m->net, "embeddings"));
    AT_TRY(at_net_embedding(&e->words, &m->net, words, words, m->text.vocabulary, hidden));
    AT_TRY(at_net_embedding(&e->positions, &m->net, positions, positions, length, hidden));
    e->positions->first_row = first_position;
    if (f->key->types) {
        AT_TRY(at_config_whole(m, &n_types, f->key->types, 2, 1, 1 << 10));
        AT_TRY(at_net_embedding(&e->types, &m->net, types, types, n_types, hidden));
    }
    return at_net_layer_norm(&e->norm, &m->net, norm, norm, hidden, e->shape.epsilon, true);
}

static at_status declare_layers(at_model *m, at_text_encoder *e, const at_text_encoder_form *f)
{
    for (int i = 0; i < e->n_layers; i++) {
        char name[64];
        snprintf(name, sizeof name, "%s.%d", f->stack, i);
        AT_TRY(at_net_group(&m->net, name));
        AT_TRY(at_net_encoder_layer(&e->layers[i], &m->net, name, f->layer, &e->shape));
    }
    return AT_OK;
}

at_status at_text_encoder_open(at_text_encoder *out, at_model *m, const at_text_encoder_form *form,
                               int64_t first_position)
{
    AT_TRY(read_shape(m, out, form));
    AT_TRY(declare_embeddings(m, out, form, first_position));
    return declare_layers(m, out, form);
}

/* ---- Graph ---- */

at_sequences at_inputs_sequences(at_graph *g, const at_inputs *in)
{
    return (at_sequences){.offsets = at_inputs_get(g, in, "offsets"),
                          .sample_id = at_inputs_get(g, in, "sample_id"),
                          .row_id = at_inputs_get(g, in, "row_id")};
}

static at_value *embed(at_graph *g, const at_text_encoder *e, const at_inputs *in, const at_sequences *s)
{
    at_value *x = at_site_embedding(g, e->words, at_inputs_get(g, in, "input_ids"));
    if (e->types) x = at_add(g, x, at_site_embedding(g, e->types, at_inputs_get(g, in, "token_type_ids")));
    at_value *positions = at_site_embedding(g, e->positions, at_inputs_get(g, in, "position_ids"));
    at_graph_site(g, "embeddings");
    x = at_site_layer_norm(g, e->norm, at_add(g, x, positions));
    return at_site_dropout(g, "embeddings.dropout", x, s->row_id, e->shape.dropout);
}

at_value *at_text_encoder_apply(at_graph *g, const at_text_encoder *e, const at_inputs *in,
                                const at_sequences *s)
{
    at_value *x = embed(g, e, in, s);
    for (int i = 0; i < e->n_layers; i++) x = at_encoder_apply(g, &e->layers[i], x, s);
    return x;
}

at_value *at_token_head(at_model *m, at_graph *g, at_value *x, const at_sequences *s)
{
    if (!m->head.site) return x;
    x = at_site_dropout(g, "dropout", x, s->row_id, m->head.dropout);
    return at_site_linear(g, m->head.site, x);
}
