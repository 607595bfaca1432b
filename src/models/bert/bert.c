/* bert: BERT (Devlin et al. 2018) and what has its shape, as MiniLM, as Transformers writes it ("model_type":
 * "bert").
 *
 *   rows of words, positions and token types summed, layer norm, dropout     (models/text_encoder.h)
 *   layers: attention, feed-forward                                          (nn/encoder.h)
 *   pooler: tanh of a linear map of each sequence's first row; dropout, linear
 *   or, with a head for every token: dropout, linear of each row
 *
 * Sequences are laid end to end: nothing is padded. */
#include "models/text_encoder.h"
#include "ops/segment_pool/segment_pool.h"
#include "ops/tanh/tanh.h"

typedef struct bert {
    at_text_encoder encoder;
    at_site *pooler; /* NULL: the head is for every token */
} bert;

static const at_text_encoder_form form = {.key = &at_text_encoder_usual_keys,
                                          .layers = 12,
                                          .vocabulary = 30522,
                                          .stack = "encoder.layer",
                                          .layer = &at_text_encoder_usual_names};

static bool recognise(const at_tree *config, at_layout *layout)
{
    *layout = AT_LAYOUT_TRANSFORMERS;
    return at_config_is(config, "bert");
}

static at_status declare_pooler(at_model *m, bert *k)
{
    const int64_t hidden = k->encoder.shape.hidden;
    AT_TRY(at_net_group(&m->net, "pooler"));
    AT_TRY(at_net_linear(&k->pooler, &m->net, "pooler.dense", "pooler.dense", hidden, hidden, true));
    k->pooler->is_pooler = true;
    return AT_OK;
}

static at_status open(at_model *m)
{
    bert *k = m->self;
    AT_TRY(at_text_encoder_open(&k->encoder, m, &form, 0));
    const at_encoder_shape *s = &k->encoder.shape;
    if (!m->head.per_token) AT_TRY(declare_pooler(m, k));
    m->head.name = m->head.file = "classifier";
    m->head.features = s->hidden;
    return at_config_real(m, &m->head.dropout, "classifier_dropout", s->dropout, 0, 0.999);
}

static at_value *encode(at_model *m, at_graph *g, const at_inputs *in)
{
    const at_sequences s = at_inputs_sequences(g, in);
    return at_text_encoder_apply(g, &((bert *)m->self)->encoder, in, &s);
}

static at_value *build(at_model *m, at_graph *g, const at_inputs *in)
{
    const bert *k = m->self;
    const at_sequences s = at_inputs_sequences(g, in);
    at_value *x = encode(m, g, in);
    if (m->head.per_token) return at_token_head(m, g, x, &s);
    at_graph_site(g, "pooler");
    x = at_segment_first(g, x, s.offsets, s.sample_id);
    if (!m->head.site && k->pooler->is_head) return x;
    x = at_tanh(g, at_site_linear(g, k->pooler, x));
    if (!m->head.site) return x;
    x = at_site_dropout(g, "dropout", x, s.sample_id, m->head.dropout);
    return at_site_linear(g, m->head.site, x);
}

static at_status init(at_model *m, at_param *p, uint64_t seed)
{
    return at_init_matrix(m, p, ((const bert *)m->self)->encoder.initializer_range, seed);
}

/* Of checkpoints from pre-training: its heads, and a list of the numbers from 0; and the pooler where nothing
 * reads it. */
static const char *const ignored[] = {"cls.", "embeddings.position_ids", "pooler.", NULL};

const at_architecture at_architecture_bert = {.name = "bert",
                                              .doc = "BERT and MiniLM (Devlin et al. 2018)",
                                              .family = "text",
                                              .prefix = "bert.",
                                              .task_class = "BertForSequenceClassification",
                                              .token_class = "BertForTokenClassification",
                                              .size = sizeof(bert),
                                              .recognise = recognise,
                                              .open = open,
                                              .build = build,
                                              .encode = encode,
                                              .init = init,
                                              .ignored = ignored};
