/* distilbert: DistilBERT (Sanh et al. 2019), as Transformers writes it: BERT's layers under other names, no
 * token types, and in place of the pooler a layer that belongs to the head.
 *
 *   rows of words and positions summed, layer norm, dropout     (models/text_encoder.h)
 *   layers: attention, feed-forward                             (nn/encoder.h)
 *   relu of a linear map of each sequence's first row; dropout, linear
 *   or, with a head for every token: dropout, linear of each row
 *
 * Tables of sine waves ("sinusoidal_pos_embds") are in the checkpoint as learnt ones are. */
#include "models/text_encoder.h"
#include "ops/relu/relu.h"
#include "ops/segment_pool/segment_pool.h"

typedef struct distilbert {
    at_text_encoder encoder;
    at_site *pre_classifier; /* NULL: the head is for every token */
} distilbert;

static const at_text_encoder_keys keys = {.hidden = "dim",
                                          .layers = "n_layers",
                                          .heads = "n_heads",
                                          .intermediate = "hidden_dim",
                                          .activation = "activation",
                                          .dropout = "dropout",
                                          .attention_dropout = "attention_dropout"};

static const at_encoder_names names = {.query = "attention.q_lin",
                                       .key = "attention.k_lin",
                                       .value = "attention.v_lin",
                                       .attention_output = "attention.out_lin",
                                       .attention_norm = "sa_layer_norm",
                                       .intermediate = "ffn.lin1",
                                       .output = "ffn.lin2",
                                       .output_norm = "output_layer_norm"};

static const at_text_encoder_form form = {
    .key = &keys, .layers = 6, .vocabulary = 30522, .stack = "transformer.layer", .layer = &names};

static bool recognise(const at_tree *config, at_layout *layout)
{
    *layout = AT_LAYOUT_TRANSFORMERS;
    return at_config_is(config, "distilbert");
}

static at_status open(at_model *m)
{
    distilbert *k = m->self;
    AT_TRY(at_text_encoder_open(&k->encoder, m, &form, 0));
    const int64_t hidden = k->encoder.shape.hidden;
    m->head.name = m->head.file = "classifier";
    m->head.features = hidden;
    m->head.dropout = k->encoder.shape.dropout;
    if (m->head.per_token) return AT_OK;
    AT_TRY(at_model_head_group(m));
    AT_TRY(
        at_net_linear(&k->pre_classifier, &m->net, "pre_classifier", "pre_classifier", hidden, hidden, true));
    return at_config_real(m, &m->head.dropout, "seq_classif_dropout", 0.2, 0, 0.999);
}

static at_value *build(at_model *m, at_graph *g, const at_inputs *in)
{
    const distilbert *k = m->self;
    const at_sequences s = at_inputs_sequences(g, in);
    at_value *x = at_text_encoder_apply(g, &k->encoder, in, &s);
    if (m->head.per_token) return at_token_head(m, g, x, &s);
    at_graph_site(g, "pooler");
    x = at_segment_first(g, x, s.offsets, s.sample_id);
    if (!m->head.site) return x;
    x = at_relu(g, at_site_linear(g, k->pre_classifier, x));
    x = at_site_dropout(g, "dropout", x, s.sample_id, m->head.dropout);
    return at_site_linear(g, m->head.site, x);
}

static at_value *encode(at_model *m, at_graph *g, const at_inputs *in)
{
    const at_sequences s = at_inputs_sequences(g, in);
    return at_text_encoder_apply(g, &((const distilbert *)m->self)->encoder, in, &s);
}

static at_status init(at_model *m, at_param *p, uint64_t seed)
{
    return at_init_matrix(m, p, ((const distilbert *)m->self)->encoder.initializer_range, seed);
}

/* Of checkpoints from pre-training: its head, and a list of the numbers from 0; and a part of the other
 * head. */
static const char *const ignored[] = {"vocab_transform.",        "vocab_layer_norm.", "vocab_projector.",
                                      "embeddings.position_ids", "pre_classifier.",   NULL};

const at_architecture at_architecture_distilbert = {.name = "distilbert",
                                                    .doc = "DistilBERT (Sanh et al. 2019)",
                                                    .family = "text",
                                                    .prefix = "distilbert.",
                                                    .task_class = "DistilBertForSequenceClassification",
                                                    .token_class = "DistilBertForTokenClassification",
                                                    .size = sizeof(distilbert),
                                                    .recognise = recognise,
                                                    .open = open,
                                                    .build = build,
                                                    .encode = encode,
                                                    .init = init,
                                                    .ignored = ignored};
