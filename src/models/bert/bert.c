/* bert: BERT (Devlin et al. 2018) and what has its shape, as MiniLM, as Transformers writes it ("model_type":
 * "bert").
 *
 *   rows of words, positions and token types summed, layer norm, dropout
 *   layers: attention, feed-forward (nn/encoder.h)
 *   pooler: tanh of a linear map of each sequence's first row; dropout, linear
 *
 * Sequences are laid end to end: nothing is padded. */
#include "models/model.h"
#include "nn/encoder.h"
#include "ops/add/add.h"
#include "ops/segment_pool/segment_pool.h"
#include "ops/tanh/tanh.h"
#include <stdio.h>

enum { MAX_LAYERS = 128, MAX_WIDTH = 1 << 16 };

static const char *const activations[] = {"gelu", "gelu_new", "gelu_pytorch_tanh", "relu"};
static const at_activation activation_of[] = {AT_ACTIVATION_GELU_ERF, AT_ACTIVATION_GELU_TANH,
                                              AT_ACTIVATION_GELU_TANH, AT_ACTIVATION_RELU};

static const at_encoder_names layer_names = {.query = "attention.self.query",
                                             .key = "attention.self.key",
                                             .value = "attention.self.value",
                                             .attention_output = "attention.output.dense",
                                             .attention_norm = "attention.output.LayerNorm",
                                             .intermediate = "intermediate.dense",
                                             .output = "output.dense",
                                             .output_norm = "output.LayerNorm"};

typedef struct bert {
    at_encoder_shape shape;
    int64_t n_layers;
    double initializer_range;
    at_site *words, *positions, *types, *norm, *pooler;
    at_encoder_layer layers[MAX_LAYERS];
} bert;

static bool recognise(const at_tree *config, at_layout *layout)
{
    const at_tree *type = at_tree_get(config, "model_type");
    *layout = AT_LAYOUT_TRANSFORMERS;
    return type && type->kind == AT_STRING && strcmp(type->text, "bert") == 0;
}

/* ---- Config ---- */

static at_status read_activation(at_model *m, at_activation *out)
{
    const char *name;
    AT_TRY(at_config_text(m, &name, "hidden_act", "gelu"));
    for (int i = 0; i < AT_COUNT(activations); i++)
        if (strcmp(name, activations[i]) == 0) {
            *out = activation_of[i];
            return AT_OK;
        }
    return at_fail(m->ctx, AT_E_UNSUPPORTED,
                   "%s/config.json: hidden_act \"%s\"; known are gelu, gelu_new, gelu_pytorch_tanh and relu",
                   m->folder, name);
}

static at_status read_shape(at_model *m, bert *k)
{
    at_encoder_shape *s = &k->shape;
    AT_TRY(at_config_whole(m, &s->hidden, "hidden_size", 768, 1, MAX_WIDTH));
    AT_TRY(at_config_whole(m, &k->n_layers, "num_hidden_layers", 12, 1, MAX_LAYERS));
    AT_TRY(at_config_whole(m, &s->heads, "num_attention_heads", 12, 1, s->hidden));
    AT_TRY(at_config_whole(m, &s->intermediate, "intermediate_size", 3072, 1, MAX_WIDTH));
    AT_TRY(at_config_real(m, &s->epsilon, "layer_norm_eps", 1e-12, 0, 1));
    AT_TRY(at_config_real(m, &s->dropout, "hidden_dropout_prob", 0.1, 0, 0.999));
    AT_TRY(at_config_real(m, &s->attention_dropout, "attention_probs_dropout_prob", 0.1, 0, 0.999));
    AT_TRY(at_config_real(m, &k->initializer_range, "initializer_range", 0.02, 0, 10));
    AT_REQUIRE(m->ctx, s->hidden % s->heads == 0, AT_E_FORMAT,
               "%s/config.json: hidden_size %lld is no multiple of num_attention_heads %lld", m->folder,
               (long long)s->hidden, (long long)s->heads);
    AT_TRY(at_config_only(m, "position_embedding_type", "absolute"));
    return read_activation(m, &s->activation);
}

/* ---- Sites ---- */

static at_status declare_embeddings(at_model *m, bert *k)
{
    static const char words[] = "embeddings.word_embeddings", positions[] = "embeddings.position_embeddings",
                      types[] = "embeddings.token_type_embeddings", norm[] = "embeddings.LayerNorm";
    const int64_t hidden = k->shape.hidden;
    int64_t vocabulary, length, n_types;
    AT_TRY(at_config_whole(m, &vocabulary, "vocab_size", 30522, 1, 1 << 24));
    AT_TRY(at_config_whole(m, &length, "max_position_embeddings", 512, 1, 1 << 20));
    AT_TRY(at_config_whole(m, &n_types, "type_vocab_size", 2, 1, 1 << 10));
    m->text.vocabulary = vocabulary;
    m->text.positions = length;
    AT_TRY(at_net_group(&m->net, "embeddings"));
    AT_TRY(at_net_embedding(&k->words, &m->net, words, words, vocabulary, hidden));
    AT_TRY(at_net_embedding(&k->positions, &m->net, positions, positions, length, hidden));
    AT_TRY(at_net_embedding(&k->types, &m->net, types, types, n_types, hidden));
    return at_net_layer_norm(&k->norm, &m->net, norm, norm, hidden, k->shape.epsilon, true);
}

static at_status declare_layers(at_model *m, bert *k)
{
    for (int i = 0; i < k->n_layers; i++) {
        char name[64];
        snprintf(name, sizeof name, "encoder.layer.%d", i);
        AT_TRY(at_net_group(&m->net, name));
        AT_TRY(at_net_encoder_layer(&k->layers[i], &m->net, name, &layer_names, &k->shape));
    }
    return AT_OK;
}

static at_status declare_pooler(at_model *m, bert *k)
{
    AT_TRY(at_net_group(&m->net, "pooler"));
    AT_TRY(at_net_linear(&k->pooler, &m->net, "pooler.dense", "pooler.dense", k->shape.hidden,
                         k->shape.hidden, true));
    m->head.name = m->head.file = "classifier";
    m->head.features = k->shape.hidden;
    return at_config_real(m, &m->head.dropout, "classifier_dropout", k->shape.dropout, 0, 0.999);
}

static at_status open(at_model *m)
{
    bert *k = m->self;
    AT_TRY(read_shape(m, k));
    AT_TRY(declare_embeddings(m, k));
    AT_TRY(declare_layers(m, k));
    return declare_pooler(m, k);
}

/* ---- Graph ---- */

static at_value *embed(at_graph *g, const bert *k, const at_inputs *in, const at_sequences *s)
{
    at_value *words = at_site_embedding(g, k->words, at_inputs_get(g, in, "input_ids"));
    at_value *types = at_site_embedding(g, k->types, at_inputs_get(g, in, "token_type_ids"));
    at_value *positions = at_site_embedding(g, k->positions, at_inputs_get(g, in, "position_ids"));
    at_graph_site(g, "embeddings");
    at_value *x = at_site_layer_norm(g, k->norm, at_add(g, at_add(g, words, types), positions));
    return at_site_dropout(g, "embeddings.dropout", x, s->row_id, k->shape.dropout);
}

/* input_ids, token_type_ids, position_ids, row_id INT [R] on the extent of rows; offsets INT [S+1], sample_id
 * [S] */
static at_value *encode(at_model *m, at_graph *g, const at_inputs *in)
{
    const bert *k = m->self;
    const at_sequences s = {.offsets = at_inputs_get(g, in, "offsets"),
                            .sample_id = at_inputs_get(g, in, "sample_id"),
                            .row_id = at_inputs_get(g, in, "row_id")};
    at_value *x = embed(g, k, in, &s);
    for (int i = 0; i < k->n_layers; i++) x = at_encoder_apply(g, &k->layers[i], x, &s);
    return x;
}

static at_value *build(at_model *m, at_graph *g, const at_inputs *in)
{
    const bert *k = m->self;
    at_value *x = encode(m, g, in), *sample_id = at_inputs_get(g, in, "sample_id");
    at_graph_site(g, "pooler");
    x = at_segment_first(g, x, at_inputs_get(g, in, "offsets"), sample_id);
    x = at_tanh(g, at_site_linear(g, k->pooler, x));
    if (!m->head.site) return x;
    x = at_site_dropout(g, "dropout", x, sample_id, m->head.dropout);
    return at_site_linear(g, m->head.site, x);
}

/* ---- Training from scratch ---- */

static at_status init(at_model *m, at_param *p, uint64_t seed)
{
    const bert *k = m->self;
    if (p->part == AT_WEIGHT) return at_init_normal(m, p, k->initializer_range, seed);
    return at_init_default(m, p, seed);
}

/* Of checkpoints from pre-training: its heads, and a list of the numbers from 0. */
static const char *const ignored[] = {"cls.", "embeddings.position_ids", NULL};

const at_architecture at_architecture_bert = {.name = "bert",
                                              .doc = "BERT and MiniLM (Devlin et al. 2018)",
                                              .family = "text",
                                              .prefix = "bert.",
                                              .task_class = "BertForSequenceClassification",
                                              .size = sizeof(bert),
                                              .recognise = recognise,
                                              .open = open,
                                              .build = build,
                                              .encode = encode,
                                              .init = init,
                                              .ignored = ignored};
