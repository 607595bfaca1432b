/* modernbert: ModernBERT (Warner et al. 2024), as Transformers writes it, under the keys of its 4.x and of
 * its 5.x.
 *
 *   rows of words, layer norm, dropout
 *   layers: x += attention of norm(x); x += gated feed-forward of norm(x)
 *   layer norm; each sequence's first row or mean; norm of an activated linear map, dropout, linear
 *   with a head for every token, each row in place of the first or the mean
 *
 * Positions turn queries and keys (ops/rope). Most layers attend to a window of rows only and have a theta of
 * their own; the first layer's attention takes x as it is. */
#include "models/text_encoder.h"
#include "ops/add/add.h"
#include "ops/attention/attention.h"
#include "ops/mul/mul.h"
#include "ops/rope/rope.h"
#include "ops/segment_pool/segment_pool.h"
#include <math.h>
#include <stdio.h>

typedef struct layer {
    const char *name;
    bool local;
    at_site *attention_norm; /* NULL: the first layer's */
    at_site *wqkv, *attention_output, *norm, *input, *output;
} layer;

typedef struct modernbert {
    int64_t hidden, intermediate, heads, n_layers, window; /* window: of local layers */
    double theta[2];                                       /* of global and of local layers */
    double epsilon, initializer_range;
    double embedding_dropout, attention_dropout, mlp_dropout;
    bool norm_bias, attention_bias, mlp_bias, head_bias;
    at_activation activation, head_activation;
    bool mean; /* of rows, before the head */
    at_site *words, *norm, *final_norm, *head_dense, *head_norm;
    layer layers[AT_MAX_LAYERS];
} modernbert;

static bool recognise(const at_tree *config, at_layout *layout)
{
    *layout = AT_LAYOUT_TRANSFORMERS;
    return at_config_is(config, "modernbert");
}

/* ---- Config ---- */

static at_status read_sizes(at_model *m, modernbert *k)
{
    AT_TRY(at_config_whole(m, &k->hidden, "hidden_size", 768, 1, AT_MAX_WIDTH));
    AT_TRY(at_config_whole(m, &k->intermediate, "intermediate_size", 1152, 1, AT_MAX_WIDTH));
    AT_TRY(at_config_whole(m, &k->n_layers, "num_hidden_layers", 22, 1, AT_MAX_LAYERS));
    AT_TRY(at_config_whole(m, &k->heads, "num_attention_heads", 12, 1, k->hidden));
    AT_TRY(at_config_whole(m, &k->window, "local_attention", 128, 1, 1 << 20));
    AT_TRY(at_config_whole(m, &m->text.vocabulary, "vocab_size", 50368, 1, 1 << 24));
    AT_TRY(at_config_whole(m, &m->text.positions, "max_position_embeddings", 8192, 1, 1 << 17));
    AT_REQUIRE(m->ctx, k->hidden % (2 * k->heads) == 0, AT_E_FORMAT,
               "%s/config.json: hidden_size %lld is no even multiple of num_attention_heads %lld", m->folder,
               (long long)k->hidden, (long long)k->heads);
    AT_TRY(at_config_real(m, &k->epsilon, "norm_eps", 1e-5, 0, 1));
    return at_config_real(m, &k->initializer_range, "initializer_range", 0.02, 0, 10);
}

static at_status read_forms(at_model *m, modernbert *k)
{
    const char *pooling;
    AT_TRY(at_config_real(m, &k->embedding_dropout, "embedding_dropout", 0, 0, 0.999));
    AT_TRY(at_config_real(m, &k->attention_dropout, "attention_dropout", 0, 0, 0.999));
    AT_TRY(at_config_real(m, &k->mlp_dropout, "mlp_dropout", 0, 0, 0.999));
    AT_TRY(at_config_flag(m, &k->norm_bias, "norm_bias", false));
    AT_TRY(at_config_flag(m, &k->attention_bias, "attention_bias", false));
    AT_TRY(at_config_flag(m, &k->mlp_bias, "mlp_bias", false));
    AT_TRY(at_config_flag(m, &k->head_bias, "classifier_bias", false));
    AT_TRY(at_config_activation(m, &k->activation, "hidden_activation"));
    AT_TRY(at_config_activation(m, &k->head_activation, "classifier_activation"));
    AT_TRY(at_config_text(m, &pooling, "classifier_pooling", "cls"));
    k->mean = strcmp(pooling, "mean") == 0;
    AT_REQUIRE(m->ctx, k->mean || strcmp(pooling, "cls") == 0, AT_E_UNSUPPORTED,
               "%s/config.json: classifier_pooling is \"%s\", must be cls or mean", m->folder, pooling);
    return AT_OK;
}

/* 5.x: layer_types, one a layer; 4.x: every n-th layer is global, the first one among them. */
static at_status read_layer_types(at_model *m, modernbert *k)
{
    const at_tree *types = at_tree_get(m->config, "layer_types");
    int64_t every;
    AT_TRY(at_config_whole(m, &every, "global_attn_every_n_layers", 3, 1, AT_MAX_LAYERS));
    for (int64_t i = 0; i < k->n_layers; i++) k->layers[i].local = i % every != 0;
    if (!types || types->kind == AT_NULL) return AT_OK;
    AT_REQUIRE(m->ctx, types->kind == AT_LIST && types->n == k->n_layers, AT_E_FORMAT,
               "%s/config.json: layer_types must be a list of num_hidden_layers %lld texts", m->folder,
               (long long)k->n_layers);
    layer *l = k->layers;
    for (const at_tree *t = types->first; t; t = t->next, l++) {
        l->local = t->kind == AT_STRING && strcmp(t->text, "sliding_attention") == 0;
        AT_REQUIRE(m->ctx, l->local || (t->kind == AT_STRING && strcmp(t->text, "full_attention") == 0),
                   AT_E_UNSUPPORTED,
                   "%s/config.json: layer_types must each be full_attention or sliding_attention", m->folder);
    }
    return AT_OK;
}

/* 5.x: rope_parameters of each type of layer; 4.x: a key for each, null for local layers being the global's.
 */
static at_status read_thetas(at_model *m, modernbert *k)
{
    const at_tree *local = at_tree_get(m->config, "local_rope_theta"),
                  *scaling = at_tree_get(m->config, "rope_scaling");
    AT_REQUIRE(m->ctx, !scaling || scaling->kind == AT_NULL, AT_E_UNSUPPORTED,
               "%s/config.json: rope_scaling is not known for this network", m->folder);
    AT_TRY(at_config_only(m, "rope_parameters.full_attention.rope_type", "default"));
    AT_TRY(at_config_only(m, "rope_parameters.sliding_attention.rope_type", "default"));
    AT_TRY(at_config_real(m, &k->theta[0], "global_rope_theta", 160000, 1, 1e12));
    const double fallback = local && local->kind == AT_NULL ? k->theta[0] : 10000;
    AT_TRY(at_config_real(m, &k->theta[1], "local_rope_theta", fallback, 1, 1e12));
    AT_TRY(
        at_config_real(m, &k->theta[0], "rope_parameters.full_attention.rope_theta", k->theta[0], 1, 1e12));
    return at_config_real(m, &k->theta[1], "rope_parameters.sliding_attention.rope_theta", k->theta[1], 1,
                          1e12);
}

/* ---- Sites ---- */

static at_status linear(at_site **out, at_model *m, const char *owner, const char *module, int64_t in,
                        int64_t outs, bool bias)
{
    char name[96];
    snprintf(name, sizeof name, "%s.%s", owner, module);
    return at_net_linear(out, &m->net, name, name, in, outs, bias);
}

static at_status norm(at_site **out, at_model *m, const char *owner, const char *module)
{
    const modernbert *k = m->self;
    char name[96];
    snprintf(name, sizeof name, "%s%s%s", owner, *owner ? "." : "", module);
    return at_net_layer_norm(out, &m->net, name, name, k->hidden, k->epsilon, k->norm_bias);
}

static at_status declare_layer(at_model *m, modernbert *k, int i)
{
    layer *l = &k->layers[i];
    l->name = at_arena_printf(&m->arena, "layers.%d", i);
    if (!l->name) return AT_E_NOMEM;
    AT_TRY(at_net_group(&m->net, l->name));
    if (i > 0) AT_TRY(norm(&l->attention_norm, m, l->name, "attn_norm"));
    AT_TRY(linear(&l->wqkv, m, l->name, "attn.Wqkv", k->hidden, 3 * k->hidden, k->attention_bias));
    AT_TRY(linear(&l->attention_output, m, l->name, "attn.Wo", k->hidden, k->hidden, k->attention_bias));
    AT_TRY(norm(&l->norm, m, l->name, "mlp_norm"));
    AT_TRY(linear(&l->input, m, l->name, "mlp.Wi", k->hidden, 2 * k->intermediate, k->mlp_bias));
    return linear(&l->output, m, l->name, "mlp.Wo", k->intermediate, k->hidden, k->mlp_bias);
}

static at_status declare_network(at_model *m, modernbert *k)
{
    static const char words[] = "embeddings.tok_embeddings";
    AT_TRY(at_net_group(&m->net, "embeddings"));
    AT_TRY(at_net_embedding(&k->words, &m->net, words, words, m->text.vocabulary, k->hidden));
    AT_TRY(norm(&k->norm, m, "embeddings", "norm"));
    for (int i = 0; i < k->n_layers; i++) AT_TRY(declare_layer(m, k, i));
    AT_TRY(at_net_group(&m->net, "final_norm"));
    return norm(&k->final_norm, m, "", "final_norm");
}

static at_status declare_head(at_model *m, modernbert *k)
{
    AT_TRY(at_model_head_group(m));
    AT_TRY(linear(&k->head_dense, m, "head", "dense", k->hidden, k->hidden, k->head_bias));
    AT_TRY(norm(&k->head_norm, m, "head", "norm"));
    m->head.name = m->head.file = "classifier";
    m->head.features = k->hidden;
    return at_config_real(m, &m->head.dropout, "classifier_dropout", 0, 0, 0.999);
}

static at_status open(at_model *m)
{
    modernbert *k = m->self;
    AT_TRY(read_sizes(m, k));
    AT_TRY(read_forms(m, k));
    AT_TRY(read_layer_types(m, k));
    AT_TRY(read_thetas(m, k));
    AT_TRY(declare_network(m, k));
    return declare_head(m, k);
}

/* ---- Graph ---- */

typedef struct texts { /* what every layer reads of the inputs */
    at_sequences sequences;
    at_value *positions;
} texts;

/* A site's dropout, under a name of its own. */
static at_value *drop(at_graph *g, const char *owner, const char *what, at_value *x, const texts *t, double p)
{
    char name[96];
    snprintf(name, sizeof name, "%s.%s", owner, what);
    return at_site_dropout(g, name, x, t->sequences.row_id, p);
}

static at_value *attend(at_model *m, at_graph *g, const layer *l, at_value *x, const texts *t)
{
    const modernbert *k = m->self;
    at_value *qkv = at_site_linear(g, l->wqkv, x);
    at_graph_site(g, "%s.attn", l->name);
    /* queries and keys lie side by side: they turn as one */
    at_value *turned = at_rope(g, at_columns(g, qkv, 0, 2 * k->hidden), t->positions, 2 * k->heads,
                               m->text.positions, k->theta[l->local]);
    const at_attention_options o = {.heads = (int)k->heads,
                                    .window = l->local ? k->window : 0,
                                    .dropout = g->mode == AT_TRAIN ? k->attention_dropout : 0,
                                    .sample_id = t->sequences.sample_id};
    at_value *y =
        at_attention(g, at_columns(g, turned, 0, k->hidden), at_columns(g, turned, k->hidden, k->hidden),
                     at_columns(g, qkv, 2 * k->hidden, k->hidden), t->sequences.offsets, &o);
    y = at_site_linear(g, l->attention_output, y);
    return drop(g, l->name, "attn.out_drop", y, t, k->attention_dropout);
}

/* Wo (activation(a) b), where a and b are the halves of Wi x (Shazeer 2020, GLU variants) */
static at_value *feed_forward(at_graph *g, const modernbert *k, const layer *l, at_value *x, const texts *t)
{
    at_value *inner = at_site_linear(g, l->input, x);
    at_graph_site(g, "%s.mlp", l->name);
    at_value *a = at_activate(g, at_columns(g, inner, 0, k->intermediate), k->activation);
    at_value *y = at_mul(g, a, at_columns(g, inner, k->intermediate, k->intermediate));
    return at_site_linear(g, l->output, drop(g, l->name, "mlp.drop", y, t, k->mlp_dropout));
}

static at_value *apply_layer(at_model *m, at_graph *g, const layer *l, at_value *x, const texts *t)
{
    at_value *in = l->attention_norm ? at_site_layer_norm(g, l->attention_norm, x) : x;
    x = at_add(g, attend(m, g, l, in, t), x);
    return at_add(g, feed_forward(g, m->self, l, at_site_layer_norm(g, l->norm, x), t), x);
}

/* id: of what the rows of x are. */
static at_value *head(at_model *m, at_graph *g, at_value *x, at_value *id)
{
    const modernbert *k = m->self;
    x = at_activate(g, at_site_linear(g, k->head_dense, x), k->head_activation);
    x = at_site_layer_norm(g, k->head_norm, x);
    x = at_site_dropout(g, "dropout", x, id, m->head.dropout);
    return at_site_linear(g, m->head.site, x);
}

static at_value *encode(at_model *m, at_graph *g, const at_inputs *in)
{
    const modernbert *k = m->self;
    const texts t = {at_inputs_sequences(g, in), at_inputs_get(g, in, "position_ids")};
    at_value *x = at_site_embedding(g, k->words, at_inputs_get(g, in, "input_ids"));
    x = drop(g, "embeddings", "drop", at_site_layer_norm(g, k->norm, x), &t, k->embedding_dropout);
    for (int i = 0; i < k->n_layers; i++) x = apply_layer(m, g, &k->layers[i], x, &t);
    return at_site_layer_norm(g, k->final_norm, x);
}

static at_value *build(at_model *m, at_graph *g, const at_inputs *in)
{
    const modernbert *k = m->self;
    const at_sequences s = at_inputs_sequences(g, in);
    at_value *x = encode(m, g, in);
    if (m->head.per_token) return m->head.site ? head(m, g, x, s.row_id) : x;
    at_graph_site(g, "pooler");
    x = k->mean ? at_segment_mean(g, x, s.offsets, s.sample_id)
                : at_segment_first(g, x, s.offsets, s.sample_id);
    return m->head.site ? head(m, g, x, s.sample_id) : x;
}

/* Matrices that a sum of layers adds up are smaller by its length (Transformers' _init_weights, which cuts
 * the normal distribution off at two deviations, too). */
static at_status init(at_model *m, at_param *p, uint64_t seed)
{
    const modernbert *k = m->self;
    const bool out = at_glob_match("*.Wo.weight", p->file_name) || p->site == k->head_dense;
    const double std = k->initializer_range / (out ? sqrt(2 * (double)k->n_layers) : 1);
    return at_init_matrix(m, p, std, seed);
}

/* Of checkpoints from pre-training: what predicts words. Its `head` is the one that texts are classified
 * with, too. */
static const char *const ignored[] = {"decoder.", NULL};

const at_architecture at_architecture_modernbert = {.name = "modernbert",
                                                    .doc = "ModernBERT (Warner et al. 2024)",
                                                    .family = "text",
                                                    .prefix = "model.",
                                                    .task_class = "ModernBertForSequenceClassification",
                                                    .token_class = "ModernBertForTokenClassification",
                                                    .size = sizeof(modernbert),
                                                    .recognise = recognise,
                                                    .open = open,
                                                    .build = build,
                                                    .encode = encode,
                                                    .init = init,
                                                    .ignored = ignored};
