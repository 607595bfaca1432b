/* net.c: declaring sites and their parameters; roles. */
#include "nn/net.h"
#include <stdio.h>

at_status at_net_init(at_net *net, at_ctx *ctx, at_device *device)
{
    *net = (at_net){.ctx = ctx};
    at_arena_init(&net->arena, ctx);
    return at_store_create(&net->store, ctx, device);
}

void at_net_deinit(at_net *net)
{
    if (!net->ctx) return;
    at_store_destroy(net->store);
    at_free(net->ctx, net->sites);
    at_free(net->ctx, net->params);
    at_free(net->ctx, net->groups);
    at_arena_deinit(&net->arena);
    *net = (at_net){0};
}

/* Lists grow by doubling at powers of two: their lengths say when. */
static at_status append(at_net *net, void *list, int *n, void *item)
{
    void ***items = list;
    if ((*n & (*n - 1)) == 0) {
        const size_t old = (size_t)*n * sizeof **items;
        void **grown = at_realloc(net->ctx, *items, old, *n ? 2 * old : sizeof **items);
        if (!grown) return AT_E_NOMEM;
        *items = grown;
    }
    (*items)[(*n)++] = item;
    return AT_OK;
}

at_status at_net_group(at_net *net, const char *name)
{
    char *copy = at_arena_strdup(&net->arena, name);
    return copy ? append(net, &net->groups, &net->n_groups, copy) : AT_E_NOMEM;
}

at_site *at_net_find(const at_net *net, const char *name)
{
    for (int i = 0; i < net->n_sites; i++)
        if (strcmp(net->sites[i]->name, name) == 0) return net->sites[i];
    return NULL;
}

static at_status new_site(at_site **out, at_net *net, at_site_kind kind, const char *name)
{
    AT_REQUIRE(net->ctx, net->n_groups > 0, AT_E_INTERNAL, "site %s is declared before any group", name);
    at_site *s = at_arena_alloc(&net->arena, sizeof *s);
    if (!s || !(s->name = at_arena_strdup(&net->arena, name))) return AT_E_NOMEM;
    s->kind = kind;
    s->group = net->n_groups - 1;
    *out = s;
    return append(net, &net->sites, &net->n_sites, s);
}

/* A parameter "name.suffix", in the file "file.suffix". */
static at_status new_param(at_param **out, at_net *net, at_site *site, at_part part, const char *file,
                           const char *suffix, int rank, const int64_t *dim)
{
    at_param *p = at_arena_alloc(&net->arena, sizeof *p);
    char *name = at_arena_printf(&net->arena, "%s.%s", site->name, suffix);
    if (!p || !name || !(p->file_name = at_arena_printf(&net->arena, "%s.%s", file, suffix)))
        return AT_E_NOMEM;
    AT_TRY(at_store_add(&p->state, net->store, name, AT_FROZEN, rank, dim));
    p->site = site;
    p->part = part;
    p->rate = 1.0;
    p->decays = rank > 1;
    site->part[part] = p;
    if (out) *out = p;
    return append(net, &net->params, &net->n_params, p);
}

at_status at_net_linear(at_site **out, at_net *net, const char *name, const char *file, int64_t in,
                        int64_t outs, bool bias)
{
    AT_TRY(new_site(out, net, AT_SITE_LINEAR, name));
    AT_TRY(new_param(NULL, net, *out, AT_WEIGHT, file, "weight", 2, (const int64_t[]){outs, in}));
    return bias ? new_param(NULL, net, *out, AT_BIAS, file, "bias", 1, &outs) : AT_OK;
}

at_status at_net_conv(at_site **out, at_net *net, const char *name, const char *file, const at_conv_shape *c)
{
    AT_TRY(new_site(out, net, AT_SITE_CONV, name));
    (*out)->conv.stride = c->stride;
    (*out)->conv.dilation = c->dilation;
    (*out)->conv.groups = c->groups;
    (*out)->conv.padding = c->padding;
    const int64_t dim[] = {c->out, c->in / c->groups, c->kernel, c->kernel};
    AT_TRY(new_param(NULL, net, *out, AT_WEIGHT, file, "weight", 4, dim));
    return c->bias ? new_param(NULL, net, *out, AT_BIAS, file, "bias", 1, &c->out) : AT_OK;
}

at_status at_net_batchnorm(at_site **out, at_net *net, const char *name, const char *file, int64_t channels,
                           double epsilon, double momentum)
{
    AT_TRY(new_site(out, net, AT_SITE_NORM, name));
    (*out)->norm.mode = AT_NORM_TRAIN;
    (*out)->norm.epsilon = epsilon;
    (*out)->norm.momentum = momentum;
    AT_TRY(new_param(NULL, net, *out, AT_NORM_GAMMA, file, "weight", 1, &channels));
    AT_TRY(new_param(NULL, net, *out, AT_NORM_BETA, file, "bias", 1, &channels));
    AT_TRY(new_param(NULL, net, *out, AT_NORM_MEAN, file, "running_mean", 1, &channels));
    AT_TRY(new_param(NULL, net, *out, AT_NORM_VARIANCE, file, "running_var", 1, &channels));
    at_param *batches;
    AT_TRY(new_param(&batches, net, *out, AT_NORM_BATCHES, file, "num_batches_tracked", 0, NULL));
    batches->optional = true;
    return AT_OK;
}

at_status at_net_embedding(at_site **out, at_net *net, const char *name, const char *file, int64_t rows,
                           int64_t width)
{
    AT_TRY(new_site(out, net, AT_SITE_EMBEDDING, name));
    return new_param(NULL, net, *out, AT_WEIGHT, file, "weight", 2, (const int64_t[]){rows, width});
}

at_status at_net_layer_norm(at_site **out, at_net *net, const char *name, const char *file, int64_t width,
                            double epsilon, bool bias)
{
    AT_TRY(new_site(out, net, AT_SITE_LAYER_NORM, name));
    (*out)->norm.epsilon = epsilon;
    AT_TRY(new_param(NULL, net, *out, AT_NORM_GAMMA, file, "weight", 1, &width));
    return bias ? new_param(NULL, net, *out, AT_NORM_BETA, file, "bias", 1, &width) : AT_OK;
}

at_status at_net_adapter_param(at_param **out, at_net *net, at_site *site, const char *suffix, int rank,
                               const int64_t *dim)
{
    AT_TRY(new_param(out, net, site, AT_ADAPTER, site->name, suffix, rank, dim));
    (*out)->trainable = true;
    return AT_OK;
}

/* ---- Roles ---- */

static bool learns(const at_param *p)
{
    return p && p->trainable;
}

static void assign_norm(at_site *s)
{
    at_param *gamma = s->part[AT_NORM_GAMMA], *beta = s->part[AT_NORM_BETA];
    const at_norm_mode mode = s->norm.mode;
    if (mode == AT_NORM_EVAL || mode == AT_NORM_STATS) gamma->trainable = beta->trainable = false;
    if (mode == AT_NORM_TRAIN && !learns(gamma) && !learns(beta)) s->norm.mode = AT_NORM_EVAL;
    if (mode == AT_NORM_AFFINE && !learns(gamma) && !learns(beta)) s->norm.mode = AT_NORM_EVAL;
    const bool batch_statistics = s->norm.mode == AT_NORM_TRAIN || s->norm.mode == AT_NORM_STATS;
    const at_role role = batch_statistics ? AT_RUNNING : AT_FROZEN;
    s->part[AT_NORM_MEAN]->state->role = s->part[AT_NORM_VARIANCE]->state->role = role;
}

void at_net_assign_roles(at_net *net)
{
    for (int i = 0; i < net->n_sites; i++)
        if (net->sites[i]->kind == AT_SITE_NORM) assign_norm(net->sites[i]);
    for (int i = 0; i < net->n_params; i++) {
        at_param *p = net->params[i];
        const bool statistic =
            p->part == AT_NORM_MEAN || p->part == AT_NORM_VARIANCE || p->part == AT_NORM_BATCHES;
        if (!statistic) p->state->role = p->trainable ? AT_TRAINABLE : AT_FROZEN;
    }
}
