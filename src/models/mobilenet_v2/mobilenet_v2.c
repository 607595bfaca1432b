/* mobilenet_v2: MobileNetV2 (Sandler et al. 2018), as Transformers ("model_type": "mobilenet_v2") and timm
 * ("architecture": "mobilenetv2_*") write it.
 *
 *   stem: conv 3x3 stride 2, depthwise 3x3, project 1x1
 *   blocks: expand 1x1 (x 6), depthwise 3x3, project 1x1, + x where stride is 1 and the channels stay
 *   conv 1x1, mean over the picture, dropout, linear
 * Every convolution is followed by batch normalisation and, but for projections, relu6. */
#include "models/mobilenet_v2/mobilenet_v2.h"
#include "ops/add/add.h"
#include "ops/global_avgpool/global_avgpool.h"
#include "ops/relu6/relu6.h"
#include <math.h>
#include <stdio.h>

static const struct stage {
    int channels, repeats, stride;
} stages[MOBILENET_STAGES] = {{24, 2, 2}, {32, 3, 2}, {64, 4, 2}, {96, 3, 1}, {160, 3, 2}, {320, 1, 1}};

enum { STEM_WIDTH = 32, STEM_OUT = 16 };

/* ---- Names. Ours are Transformers'; timm counts blocks by stage, parts by what comes first ---- */

typedef enum part { FIRST, EXPAND, DEPTHWISE, PROJECT } part;

static const char *const part_names[] = {"first_conv", "expand_1x1", "conv_3x3", "reduce_1x1"};

typedef struct names {
    char module[96];           /* ours */
    char conv[128], norm[128]; /* in the file */
} names;

static void name_module(const at_model *m, names *n, const char *timm_conv, const char *timm_norm)
{
    if (m->layout == AT_LAYOUT_TIMM) {
        snprintf(n->conv, sizeof n->conv, "%s", timm_conv);
        snprintf(n->norm, sizeof n->norm, "%s", timm_norm);
        return;
    }
    snprintf(n->conv, sizeof n->conv, "%s.convolution", n->module);
    snprintf(n->norm, sizeof n->norm, "%s.normalization", n->module);
}

static void name_stem(const at_model *m, names *n, part p)
{
    snprintf(n->module, sizeof n->module, "conv_stem.%s", part_names[p]);
    if (p == FIRST)
        name_module(m, n, "conv_stem", "bn1");
    else if (p == DEPTHWISE)
        name_module(m, n, "blocks.0.0.conv_dw", "blocks.0.0.bn1"); /* timm's stage 0 */
    else
        name_module(m, n, "blocks.0.0.conv_pw", "blocks.0.0.bn2");
}

static void name_block(const at_model *m, names *n, const mobilenet_block *b, int number, part p)
{
    static const char *const conv_names[] = {"", "conv_pw", "conv_dw", "conv_pwl"};
    char conv[96], norm[96];
    snprintf(n->module, sizeof n->module, "layer.%d.%s", number, part_names[p]);
    snprintf(conv, sizeof conv, "blocks.%d.%d.%s", b->stage + 1, b->index, conv_names[p]);
    snprintf(norm, sizeof norm, "blocks.%d.%d.bn%d", b->stage + 1, b->index, (int)p);
    name_module(m, n, conv, norm);
}

/* ---- Sites ---- */

static at_status declare(at_model *m, const mobilenet_v2 *k, mobilenet_unit *u, const names *n,
                         const at_conv_shape *shape)
{
    char conv[128], norm[128];
    snprintf(conv, sizeof conv, "%s.convolution", n->module);
    snprintf(norm, sizeof norm, "%s.normalization", n->module);
    AT_TRY(at_net_conv(&u->conv, &m->net, conv, n->conv, shape));
    return at_net_batchnorm(&u->norm, &m->net, norm, n->norm, shape->out, k->epsilon, k->momentum);
}

static at_conv_shape pointwise(const mobilenet_v2 *k, int64_t in, int64_t out)
{
    return (at_conv_shape){
        .in = in, .out = out, .kernel = 1, .stride = 1, .dilation = 1, .groups = 1, .padding = k->padding};
}

static at_conv_shape by_channel(const mobilenet_v2 *k, int64_t channels, int64_t stride, int64_t dilation)
{
    return (at_conv_shape){.in = channels,
                           .out = channels,
                           .kernel = 3,
                           .stride = stride,
                           .dilation = dilation,
                           .groups = channels,
                           .padding = k->padding};
}

static at_status declare_stem(at_model *m, mobilenet_v2 *k, int64_t width, int64_t out)
{
    const at_conv_shape first = {.in = k->channels_in,
                                 .out = width,
                                 .kernel = 3,
                                 .stride = 2,
                                 .dilation = 1,
                                 .groups = 1,
                                 .padding = k->padding};
    const at_conv_shape expand = pointwise(k, width, width), each = by_channel(k, width, 1, 1);
    const at_conv_shape project = pointwise(k, width, out);
    names n;
    AT_TRY(at_net_group(&m->net, "stem"));
    name_stem(m, &n, FIRST);
    AT_TRY(declare(m, k, &k->stem, &n, &first));
    name_stem(m, &n, EXPAND);
    if (k->stem_expands) AT_TRY(declare(m, k, &k->stem_expand, &n, &expand));
    name_stem(m, &n, DEPTHWISE);
    AT_TRY(declare(m, k, &k->stem_depthwise, &n, &each));
    name_stem(m, &n, PROJECT);
    return declare(m, k, &k->stem_project, &n, &project);
}

static at_status declare_block(at_model *m, mobilenet_v2 *k, int64_t in, int64_t out, int64_t stride,
                               int64_t dilation)
{
    const int number = k->n_blocks++;
    mobilenet_block *b = &k->blocks[number];
    const int64_t hidden = at__mobilenet_channels(m, k, (double)in, k->expand_ratio);
    const at_conv_shape shapes[] = {pointwise(k, in, hidden), by_channel(k, hidden, stride, dilation),
                                    pointwise(k, hidden, out)};
    mobilenet_unit *const units[] = {&b->expand, &b->depthwise, &b->project};
    char group[32];
    snprintf(group, sizeof group, "layer.%d", number);
    b->residual = stride == 1 && in == out;
    AT_TRY(at_net_group(&m->net, group));
    for (int i = 0; i < 3; i++) {
        names n;
        name_block(m, &n, b, number, (part)(EXPAND + i));
        AT_TRY(declare(m, k, units[i], &n, &shapes[i]));
    }
    return AT_OK;
}

static at_status declare_stages(at_model *m, mobilenet_v2 *k, int64_t in, int64_t *out)
{
    int64_t reached = 2,
            dilation = 1; /* beyond output_stride, strides become dilation of the blocks that follow */
    for (int s = 0; s < MOBILENET_STAGES; s++) {
        const bool fixed = k->fixed_ends && s == MOBILENET_STAGES - 1;
        const int repeats = (int)ceil(stages[s].repeats * (fixed ? 1.0 : k->depth));
        *out = at__mobilenet_channels(m, k, stages[s].channels, k->multiplier);
        for (int i = 0; i < repeats; i++) {
            const int64_t stride = i == 0 ? stages[s].stride : 1;
            const bool dilate = reached == k->output_stride;
            AT_REQUIRE(m->ctx, k->n_blocks < MOBILENET_MAX_BLOCKS, AT_E_FORMAT,
                       "%s/config.json: more than %d blocks", m->folder, (int)MOBILENET_MAX_BLOCKS);
            k->blocks[k->n_blocks].stage = s;
            k->blocks[k->n_blocks].index = i;
            AT_TRY(declare_block(m, k, in, *out, dilate ? 1 : stride, dilate ? dilation : 1));
            if (dilate)
                dilation *= stride;
            else
                reached *= stride;
            in = *out;
        }
    }
    return AT_OK;
}

static at_status open(at_model *m)
{
    mobilenet_v2 *k = m->self;
    AT_TRY(at__mobilenet_read_config(m, k));
    AT_REQUIRE(m->ctx, k->fixed_ends || k->depth <= 1.0, AT_E_UNSUPPORTED,
               "%s/config.json: depth_multiplier above 1 without fix_stem_head", m->folder);
    const int64_t width =
        k->fixed_ends ? STEM_WIDTH : at__mobilenet_channels(m, k, STEM_WIDTH, k->multiplier);
    const int64_t first = at__mobilenet_channels(m, k, STEM_OUT, k->multiplier);
    int64_t out;
    AT_TRY(declare_stem(m, k, width, first));
    AT_TRY(declare_stages(m, k, first, &out));
    const at_conv_shape last = pointwise(k, out, k->features);
    names n = {.module = "conv_1x1"};
    name_module(m, &n, "conv_head", "bn2");
    AT_TRY(at_net_group(&m->net, "conv_1x1"));
    AT_TRY(declare(m, k, &k->last, &n, &last));
    m->head.name = m->head.file = "classifier";
    m->head.features = k->features;
    return AT_OK;
}

/* ---- Graph ---- */

static at_value *conv_norm(at_graph *g, const mobilenet_unit *u, at_value *x)
{
    return at_site_norm(g, u->norm, at_site_conv(g, u->conv, x));
}

static at_value *conv_norm_relu6(at_graph *g, const mobilenet_unit *u, at_value *x)
{
    return at_relu6(g, conv_norm(g, u, x));
}

static at_value *block_of(at_graph *g, const mobilenet_block *b, at_value *x)
{
    at_value *y = conv_norm_relu6(g, &b->expand, x);
    y = conv_norm_relu6(g, &b->depthwise, y);
    y = conv_norm(g, &b->project, y);
    return b->residual ? at_add(g, x, y) : y;
}

/* pixel_values [S,H,W,channels] act, sample_id [S] */
static at_value *build(at_model *m, at_graph *g, const at_inputs *in)
{
    const mobilenet_v2 *k = m->self;
    at_value *x = conv_norm_relu6(g, &k->stem, at_inputs_get(g, in, "pixel_values"));
    if (k->stem_expands) x = conv_norm_relu6(g, &k->stem_expand, x);
    x = conv_norm_relu6(g, &k->stem_depthwise, x);
    x = conv_norm(g, &k->stem_project, x);
    for (int i = 0; i < k->n_blocks; i++) x = block_of(g, &k->blocks[i], x);
    x = at_global_avgpool(g, conv_norm_relu6(g, &k->last, x));
    if (!m->head.site) return x;
    x = at_site_dropout(g, "dropout", x, at_inputs_get(g, in, "sample_id"), m->head.dropout);
    return at_site_linear(g, m->head.site, x);
}

const at_architecture at_architecture_mobilenet_v2 = {.name = "mobilenet_v2",
                                                      .doc = "MobileNetV2 (Sandler et al. 2018)",
                                                      .family = "image",
                                                      .prefix = "mobilenet_v2.",
                                                      .task_class = "MobileNetV2ForImageClassification",
                                                      .size = sizeof(mobilenet_v2),
                                                      .recognise = at__mobilenet_recognise,
                                                      .open = open,
                                                      .build = build};
