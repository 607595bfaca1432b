/* resnet: ResNet (He et al. 2015), as Transformers ("model_type": "resnet") and timm ("architecture":
 * "resnet18" to "resnet152") write it.
 *
 *   stem: conv 7x7 stride 2, max 3x3 stride 2
 *   blocks: basic conv 3x3, conv 3x3; bottleneck conv 1x1, conv 3x3, conv 1x1; + shortcut, relu. The first of
 * a stage halves the picture, mostly in its first 3x3; shortcut: x, or conv 1x1 where the shape changes mean
 * over the picture, dropout, linear Every convolution is followed by batch normalisation and, but for a
 * block's last and its shortcut, relu. */
#include "models/resnet/resnet.h"
#include "ops/add/add.h"
#include "ops/global_avgpool/global_avgpool.h"
#include "ops/maxpool/maxpool.h"
#include "ops/relu/relu.h"
#include <stdio.h>

static const double EPSILON = 1e-5, MOMENTUM = 0.1; /* PyTorch's, which neither layout lets be set */

/* ---- Names. Ours are Transformers' ---- */

enum { SHORTCUT = -1 };

typedef struct names {
    char module[64];         /* ours */
    char conv[96], norm[96]; /* in the file */
} names;

static void name_files(const at_model *m, names *n, const char *timm_conv, const char *timm_norm)
{
    const bool timm = m->layout == AT_LAYOUT_TIMM;
    snprintf(n->conv, sizeof n->conv, "%s%s", timm ? timm_conv : n->module, timm ? "" : ".convolution");
    snprintf(n->norm, sizeof n->norm, "%s%s", timm ? timm_norm : n->module, timm ? "" : ".normalization");
}

/* unit: 0, 1 ... in the branch, or SHORTCUT */
static void name_unit(const at_model *m, names *n, int stage, int index, int unit)
{
    char conv[48], norm[48];
    const int length = snprintf(n->module, sizeof n->module, "encoder.stages.%d.layers.%d.", stage, index);
    if (unit == SHORTCUT) {
        snprintf(n->module + length, sizeof n->module - (size_t)length, "shortcut");
        snprintf(conv, sizeof conv, "layer%d.%d.downsample.0", stage + 1, index);
        snprintf(norm, sizeof norm, "layer%d.%d.downsample.1", stage + 1, index);
    } else {
        snprintf(n->module + length, sizeof n->module - (size_t)length, "layer.%d", unit);
        snprintf(conv, sizeof conv, "layer%d.%d.conv%d", stage + 1, index, unit + 1);
        snprintf(norm, sizeof norm, "layer%d.%d.bn%d", stage + 1, index, unit + 1);
    }
    name_files(m, n, conv, norm);
}

/* ---- Sites ---- */

static at_status declare(at_model *m, resnet_unit *u, const names *n, int64_t in, int64_t out, int64_t kernel,
                         int64_t stride)
{
    char conv[96], norm[96];
    const at_conv_shape shape = {
        .in = in, .out = out, .kernel = kernel, .stride = stride, .dilation = 1, .groups = 1};
    snprintf(conv, sizeof conv, "%s.convolution", n->module);
    snprintf(norm, sizeof norm, "%s.normalization", n->module);
    AT_TRY(at_net_conv(&u->conv, &m->net, conv, n->conv, &shape));
    return at_net_batchnorm(&u->norm, &m->net, norm, n->norm, out, EPSILON, MOMENTUM);
}

static at_status declare_stem(at_model *m, resnet *k)
{
    names n = {.module = "embedder.embedder"};
    name_files(m, &n, "conv1", "bn1");
    AT_TRY(at_net_group(&m->net, "stem"));
    return declare(m, &k->embedder, &n, k->channels_in, k->stem, 7, 2);
}

static at_status declare_branch(at_model *m, const resnet *k, resnet_block *b, int stage, int index,
                                int64_t in, int64_t stride)
{
    const int n_units = k->bottleneck ? 3 : 2, strided = k->bottleneck && !k->early_stride ? 1 : 0;
    for (int i = 0; i < n_units; i++) {
        const int64_t out = i == n_units - 1 ? k->width[stage] : k->inner[stage];
        names n;
        name_unit(m, &n, stage, index, i);
        AT_TRY(declare(m, &b->units[i], &n, in, out, k->bottleneck && i != 1 ? 1 : 3,
                       i == strided ? stride : 1));
        in = out;
    }
    return AT_OK;
}

static at_status declare_block(at_model *m, resnet *k, int stage, int index, int64_t in, int64_t stride)
{
    resnet_block *b = &k->blocks[k->n_blocks++];
    const int64_t out = k->width[stage];
    char group[48];
    names n;
    snprintf(group, sizeof group, "encoder.stages.%d.layers.%d", stage, index);
    AT_TRY(at_net_group(&m->net, group));
    AT_TRY(declare_branch(m, k, b, stage, index, in, stride));
    if (in == out && stride == 1) return AT_OK;
    name_unit(m, &n, stage, index, SHORTCUT);
    return declare(m, &b->shortcut, &n, in, out, 1, stride);
}

static at_status open(at_model *m)
{
    resnet *k = m->self;
    AT_TRY(at__resnet_read_config(m, k));
    AT_TRY(declare_stem(m, k));
    int64_t in = k->stem;
    for (int s = 0; s < k->n_stages; s++)
        for (int i = 0; i < k->depth[s]; i++) {
            const bool halves = i == 0 && (s > 0 || k->first_strides);
            AT_TRY(declare_block(m, k, s, i, in, halves ? 2 : 1));
            in = k->width[s];
        }
    m->head.name = "classifier";
    m->head.file = m->layout == AT_LAYOUT_TIMM ? "fc" : "classifier.1";
    m->head.features = in;
    return AT_OK;
}

/* ---- Graph ---- */

static at_value *conv_norm(at_graph *g, const resnet_unit *u, at_value *x)
{
    return at_site_norm(g, u->norm, at_site_conv(g, u->conv, x));
}

static at_value *block_of(at_graph *g, const resnet_block *b, int n_units, at_value *x)
{
    at_value *y = x;
    for (int i = 0; i < n_units - 1; i++) y = at_relu(g, conv_norm(g, &b->units[i], y));
    y = conv_norm(g, &b->units[n_units - 1], y);
    return at_relu(g, at_add(g, y, b->shortcut.conv ? conv_norm(g, &b->shortcut, x) : x));
}

/* pixel_values [S,H,W,channels] act, sample_id [S] */
static at_value *build(at_model *m, at_graph *g, const at_inputs *in)
{
    const resnet *k = m->self;
    at_value *x = at_relu(g, conv_norm(g, &k->embedder, at_inputs_get(g, in, "pixel_values")));
    x = at_maxpool(g, x, 3, 2, 1);
    for (int i = 0; i < k->n_blocks; i++) x = block_of(g, &k->blocks[i], k->bottleneck ? 3 : 2, x);
    x = at_global_avgpool(g, x);
    if (!m->head.site) return x;
    x = at_site_dropout(g, "dropout", x, at_inputs_get(g, in, "sample_id"), m->head.dropout);
    return at_site_linear(g, m->head.site, x);
}

const at_architecture at_architecture_resnet = {.name = "resnet",
                                                .doc = "ResNet 18 to 152 (He et al. 2015)",
                                                .family = "image",
                                                .prefix = "resnet.",
                                                .task_class = "ResNetForImageClassification",
                                                .size = sizeof(resnet),
                                                .recognise = at__resnet_recognise,
                                                .open = open,
                                                .build = build};
