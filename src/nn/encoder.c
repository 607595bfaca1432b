/* encoder.c: declaring and building a layer of BERT's kind. */
#include "nn/encoder.h"
#include "ops/add/add.h"
#include "ops/attention/attention.h"
#include "ops/relu/relu.h"
#include <stdio.h>

static at_status linear(at_site **out, at_net *net, const char *layer, const char *module, int64_t in,
                        int64_t outs)
{
    char name[192];
    snprintf(name, sizeof name, "%s.%s", layer, module);
    return at_net_linear(out, net, name, name, in, outs, true);
}

static at_status norm(at_site **out, at_net *net, const char *layer, const char *module,
                      const at_encoder_shape *s)
{
    char name[192];
    snprintf(name, sizeof name, "%s.%s", layer, module);
    return at_net_layer_norm(out, net, name, name, s->hidden, s->epsilon, true);
}

at_status at_net_encoder_layer(at_encoder_layer *out, at_net *net, const char *name,
                               const at_encoder_names *names, const at_encoder_shape *shape)
{
    const int64_t hidden = shape->hidden;
    *out = (at_encoder_layer){.shape = *shape};
    if (!(out->name = at_arena_strdup(&net->arena, name))) return AT_E_NOMEM;
    AT_TRY(linear(&out->query, net, name, names->query, hidden, hidden));
    AT_TRY(linear(&out->key, net, name, names->key, hidden, hidden));
    AT_TRY(linear(&out->value, net, name, names->value, hidden, hidden));
    AT_TRY(linear(&out->attention_output, net, name, names->attention_output, hidden, hidden));
    AT_TRY(norm(&out->attention_norm, net, name, names->attention_norm, shape));
    AT_TRY(linear(&out->intermediate, net, name, names->intermediate, hidden, shape->intermediate));
    AT_TRY(linear(&out->output, net, name, names->output, shape->intermediate, hidden));
    return norm(&out->output_norm, net, name, names->output_norm, shape);
}

at_value *at_activate(at_graph *g, at_value *x, at_activation activation)
{
    if (activation == AT_ACTIVATION_RELU) return at_relu(g, x);
    return at_gelu(g, x, activation == AT_ACTIVATION_GELU_TANH ? AT_GELU_TANH : AT_GELU_ERF);
}

static at_value *attend(at_graph *g, const at_encoder_layer *l, at_value *x, const at_sequences *s)
{
    at_value *query = at_site_linear(g, l->query, x), *key = at_site_linear(g, l->key, x),
             *value = at_site_linear(g, l->value, x);
    at_graph_site(g, "%s.attention", l->name);
    const at_attention_options o = {.heads = (int)l->shape.heads,
                                    .dropout = g->mode == AT_TRAIN ? l->shape.attention_dropout : 0,
                                    .sample_id = s->sample_id};
    return at_attention(g, query, key, value, s->offsets, &o);
}

/* norm(x + dropout(y)) */
static at_value *close_branch(at_graph *g, const at_encoder_layer *l, const at_site *linear,
                              const at_site *norm, at_value *x, at_value *y, const at_sequences *s)
{
    char name[192];
    y = at_site_linear(g, linear, y);
    snprintf(name, sizeof name, "%s.dropout", linear->name);
    y = at_site_dropout(g, name, y, s->row_id, l->shape.dropout);
    at_graph_site(g, "%s", norm->name);
    return at_site_layer_norm(g, norm, at_add(g, y, x));
}

at_value *at_encoder_apply(at_graph *g, const at_encoder_layer *l, at_value *x, const at_sequences *s)
{
    x = close_branch(g, l, l->attention_output, l->attention_norm, x, attend(g, l, x, s), s);
    at_value *inner = at_site_linear(g, l->intermediate, x);
    return close_branch(g, l, l->output, l->output_norm, x, at_activate(g, inner, l->shape.activation), s);
}
