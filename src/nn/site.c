/* site.c: sites as graph calls: read the parameters, compute, let the interceptors have their say. */
#include "nn/net.h"
#include "ops/batchnorm/batchnorm.h"
#include "ops/bn_fold/bn_fold.h"
#include "ops/channel_affine/channel_affine.h"
#include "ops/depthwise/depthwise.h"
#include "ops/dropout/dropout.h"
#include "ops/embedding/embedding.h"
#include "ops/layernorm/layernorm.h"
#include "ops/lerp/lerp.h"
#include "ops/linear/linear.h"

static at_value *read_part(at_graph *g, const at_site *site, at_part part)
{
    return site->part[part] ? at_read(g, site->part[part]->state) : NULL;
}

static at_value *intercept(at_graph *g, const at_site *site, at_value *x, at_value *y)
{
    for (const at_intercept *i = site->intercepts; i; i = i->next) y = i->apply(g, site, x, y, i->self);
    return y;
}

at_value *at_site_linear(at_graph *g, const at_site *site, at_value *x)
{
    at_graph_site(g, "%s", site->name);
    at_value *y = at_linear(g, x, read_part(g, site, AT_WEIGHT), read_part(g, site, AT_BIAS));
    return intercept(g, site, x, y);
}

/* Zeros along one axis of `size`, for the site's padding. */
static void padding_of(const at_site *site, int64_t size, int64_t kernel, int64_t *before, int64_t *after)
{
    if (site->conv.padding == AT_PAD_SAME)
        at_same_padding(size, kernel, site->conv.stride, site->conv.dilation, before, after);
    else
        *before = *after = site->conv.dilation * (kernel - 1) / 2;
}

static at_value *convolve(at_graph *g, const at_site *site, at_value *x, at_value *w, at_value *b,
                          int64_t groups)
{
    at_conv2d_param p = {.stride_y = site->conv.stride,
                         .stride_x = site->conv.stride,
                         .dilation_y = site->conv.dilation,
                         .dilation_x = site->conv.dilation,
                         .groups = groups};
    padding_of(site, x->meta.dim[1], w->meta.dim[2], &p.pad_top, &p.pad_bottom);
    padding_of(site, x->meta.dim[2], w->meta.dim[3], &p.pad_left, &p.pad_right);
    const bool depthwise = p.groups > 1 && w->meta.dim[0] == p.groups && w->meta.dim[1] == 1 && !b;
    return depthwise ? at_depthwise(g, x, w, &p) : at_conv2d(g, x, w, b, &p);
}

at_value *at_site_conv(at_graph *g, const at_site *site, at_value *x)
{
    at_graph_site(g, "%s", site->name);
    at_value *w = read_part(g, site, AT_WEIGHT), *b = read_part(g, site, AT_BIAS);
    return intercept(g, site, x, convolve(g, site, x, w, b, site->conv.groups));
}

at_value *at_site_conv_with(at_graph *g, const at_site *site, at_value *x, at_value *w)
{
    return convolve(g, site, x, w, NULL, 1);
}

/* Stored statistics: two numbers a channel, which are static where nothing of them learns. */
static at_value *norm_stored(at_graph *g, const at_site *site, at_value *x)
{
    const at_scale_shift f = at_bn_fold(g, read_part(g, site, AT_NORM_GAMMA),
                                        read_part(g, site, AT_NORM_BETA), read_part(g, site, AT_NORM_MEAN),
                                        read_part(g, site, AT_NORM_VARIANCE), site->norm.epsilon);
    return at_channel_affine(g, x, f.scale, f.shift);
}

/* Batch statistics, and the running ones put on the commit list. */
static at_value *norm_batch(at_graph *g, const at_site *site, at_value *x)
{
    const at_batchnorm_values b = at_batchnorm(g, x, read_part(g, site, AT_NORM_GAMMA),
                                               read_part(g, site, AT_NORM_BETA), site->norm.epsilon);
    at_state *mean = site->part[AT_NORM_MEAN]->state, *variance = site->part[AT_NORM_VARIANCE]->state;
    at_assign(g, mean, at_lerp(g, at_read(g, mean), b.mean, site->norm.momentum));
    at_assign(g, variance, at_lerp(g, at_read(g, variance), b.var, site->norm.momentum));
    return b.y;
}

at_value *at_site_norm(at_graph *g, const at_site *site, at_value *x)
{
    at_graph_site(g, "%s", site->name);
    const bool batch = site->norm.mode == AT_NORM_TRAIN || site->norm.mode == AT_NORM_STATS;
    at_value *y = g->mode == AT_TRAIN && batch ? norm_batch(g, site, x) : norm_stored(g, site, x);
    return intercept(g, site, x, y);
}

at_value *at_site_layer_norm(at_graph *g, const at_site *site, at_value *x)
{
    at_graph_site(g, "%s", site->name);
    at_value *y = at_layernorm(g, x, read_part(g, site, AT_NORM_GAMMA), read_part(g, site, AT_NORM_BETA),
                               site->norm.epsilon);
    return intercept(g, site, x, y);
}

at_value *at_site_embedding(at_graph *g, const at_site *site, at_value *ids)
{
    at_graph_site(g, "%s", site->name);
    return intercept(g, site, ids, at_embedding(g, read_part(g, site, AT_WEIGHT), ids, site->first_row));
}

at_value *at_site_dropout(at_graph *g, const char *name, at_value *x, at_value *sample_id, double p)
{
    if (g->mode != AT_TRAIN || p == 0) return x;
    at_graph_site(g, "%s", name);
    return at_dropout(g, x, sample_id, p);
}
