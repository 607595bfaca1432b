/* roberta: RoBERTa (Liu et al. 2019) and what has its shape: XLM-RoBERTa (Conneau et al. 2019), CamemBERT
 * (Martin et al. 2019), as Transformers writes them. BERT's encoder, but
 *
 *   positions begin behind the padding's row, at pad_token_id + 1
 *   head: dropout, tanh of a linear map of each sequence's first row, dropout, linear
 *   or, for every token: dropout, linear of each row
 */
#include "models/text_encoder.h"
#include "ops/segment_pool/segment_pool.h"
#include "ops/tanh/tanh.h"

typedef struct roberta {
    at_text_encoder encoder;
    at_site *dense; /* NULL: the head is for every token */
} roberta;

static const at_text_encoder_form form = {.key = &at_text_encoder_usual_keys,
                                          .layers = 12,
                                          .vocabulary = 50265,
                                          .stack = "encoder.layer",
                                          .layer = &at_text_encoder_usual_names};

static bool recognise_roberta(const at_tree *config, at_layout *layout)
{
    *layout = AT_LAYOUT_TRANSFORMERS;
    return at_config_is(config, "roberta");
}

static bool recognise_xlm_roberta(const at_tree *config, at_layout *layout)
{
    *layout = AT_LAYOUT_TRANSFORMERS;
    return at_config_is(config, "xlm-roberta");
}

static bool recognise_camembert(const at_tree *config, at_layout *layout)
{
    *layout = AT_LAYOUT_TRANSFORMERS;
    return at_config_is(config, "camembert");
}

static at_status open(at_model *m)
{
    roberta *k = m->self;
    int64_t pad;
    AT_TRY(at_config_whole(m, &pad, "pad_token_id", 1, 0, 1 << 16));
    AT_TRY(at_text_encoder_open(&k->encoder, m, &form, pad + 1));
    const at_encoder_shape *s = &k->encoder.shape;
    AT_TRY(at_config_real(m, &m->head.dropout, "classifier_dropout", s->dropout, 0, 0.999));
    m->head.features = s->hidden;
    m->head.name = m->head.file = m->head.per_token ? "classifier" : "classifier.out_proj";
    if (m->head.per_token) return AT_OK;
    AT_TRY(at_model_head_group(m));
    return at_net_linear(&k->dense, &m->net, "classifier.dense", "classifier.dense", s->hidden, s->hidden,
                         true);
}

static at_value *build(at_model *m, at_graph *g, const at_inputs *in)
{
    const roberta *k = m->self;
    const at_sequences s = at_inputs_sequences(g, in);
    at_value *x = at_text_encoder_apply(g, &k->encoder, in, &s);
    if (m->head.per_token) return at_token_head(m, g, x, &s);
    at_graph_site(g, "pooler");
    x = at_segment_first(g, x, s.offsets, s.sample_id);
    if (!m->head.site) return x;
    x = at_site_dropout(g, "classifier.dense.dropout", x, s.sample_id, m->head.dropout);
    x = at_tanh(g, at_site_linear(g, k->dense, x));
    x = at_site_dropout(g, "classifier.dropout", x, s.sample_id, m->head.dropout);
    return at_site_linear(g, m->head.site, x);
}

static at_value *encode(at_model *m, at_graph *g, const at_inputs *in)
{
    const at_sequences s = at_inputs_sequences(g, in);
    return at_text_encoder_apply(g, &((const roberta *)m->self)->encoder, in, &s);
}

static at_status init(at_model *m, at_param *p, uint64_t seed)
{
    return at_init_matrix(m, p, ((const roberta *)m->self)->encoder.initializer_range, seed);
}

/* Of checkpoints from pre-training: its head, a pooler that nothing reads, and a list of the numbers from 0;
 * and the other head. */
static const char *const ignored[] = {"lm_head.",          "pooler.",         "embeddings.position_ids",
                                      "classifier.weight", "classifier.bias", NULL};

const at_architecture at_architecture_roberta = {.name = "roberta",
                                                 .doc = "RoBERTa (Liu et al. 2019)",
                                                 .family = "text",
                                                 .prefix = "roberta.",
                                                 .task_class = "RobertaForSequenceClassification",
                                                 .token_class = "RobertaForTokenClassification",
                                                 .size = sizeof(roberta),
                                                 .recognise = recognise_roberta,
                                                 .open = open,
                                                 .build = build,
                                                 .encode = encode,
                                                 .init = init,
                                                 .ignored = ignored};

const at_architecture at_architecture_xlm_roberta = {.name = "xlm_roberta",
                                                     .doc = "XLM-RoBERTa (Conneau et al. 2019)",
                                                     .family = "text",
                                                     .prefix = "roberta.",
                                                     .task_class = "XLMRobertaForSequenceClassification",
                                                     .token_class = "XLMRobertaForTokenClassification",
                                                     .size = sizeof(roberta),
                                                     .recognise = recognise_xlm_roberta,
                                                     .open = open,
                                                     .build = build,
                                                     .encode = encode,
                                                     .init = init,
                                                     .ignored = ignored};

const at_architecture at_architecture_camembert = {.name = "camembert",
                                                   .doc = "CamemBERT (Martin et al. 2019)",
                                                   .family = "text",
                                                   .prefix = "roberta.",
                                                   .task_class = "CamembertForSequenceClassification",
                                                   .token_class = "CamembertForTokenClassification",
                                                   .size = sizeof(roberta),
                                                   .recognise = recognise_camembert,
                                                   .open = open,
                                                   .build = build,
                                                   .encode = encode,
                                                   .init = init,
                                                   .ignored = ignored};
