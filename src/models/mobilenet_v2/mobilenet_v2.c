/* mobilenet_v2: MobileNetV2 (Sandler et al. 2018), as Transformers ("model_type": "mobilenet_v2") and timm
 * ("architecture": "mobilenetv2_*") write it.
 *
 *   stem: conv 3x3 stride 2, depthwise 3x3, project 1x1
 *   16 blocks: expand 1x1 (x 6), depthwise 3x3, project 1x1, + x where stride is 1 and the channels stay
 *   conv 1x1, mean over the picture, dropout, linear
 * Every convolution is followed by batch normalisation and, but for projections, relu6. Layouts differ in names, in
 * what they call padding and epsilon, and in the norm's momentum (Transformers' 0.997 is the share of the new batch,
 * as its code has it). */
#include "models/model.h"
#include "ops/add/add.h"
#include "ops/global_avgpool/global_avgpool.h"
#include "ops/relu6/relu6.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { BLOCKS = 16, STEM = -1, HEAD = BLOCKS }; /* block numbers; the two ends have names of their own */

typedef struct unit { /* convolution and its norm */
    at_site *conv, *norm;
} unit;

typedef struct block {
    unit expand, depthwise, project;
    bool residual;
} block;

typedef struct mobilenet_v2 {
    double multiplier, epsilon, momentum, expand_ratio;
    int64_t divisor, min_depth, output_stride, channels_in;
    at_padding padding;
    bool finegrained;      /* Transformers: 1280 channels at the end however thin the rest is */
    bool stem_expands;     /* Transformers' first_layer_is_expansion = false: one more 1x1 in the stem */
    unit stem, stem_expand, stem_depthwise, stem_project, last;
    block blocks[BLOCKS];
} net;

static bool recognise(const at_tree *config, at_layout *layout)
{
    const at_tree *type = at_tree_get(config, "model_type"), *name = at_tree_get(config, "architecture");
    if (type && type->kind == AT_STRING && strcmp(type->text, "mobilenet_v2") == 0) {
        *layout = AT_LAYOUT_TRANSFORMERS;
        return true;
    }
    if (name && name->kind == AT_STRING && strncmp(name->text, "mobilenetv2_", 12) == 0) {
        *layout = AT_LAYOUT_TIMM;
        return true;
    }
    return false;
}

/* ---- Channels: multiples of the divisor that lose at most a tenth ---- */

static int64_t divisible(double value, int64_t divisor, int64_t least)
{
    int64_t v = at_max(least, (int64_t)(value + (double)divisor / 2) / divisor * divisor);
    if ((double)v < 0.9 * value) v += divisor;
    return v;
}

static int64_t scaled(const at_model *m, const net *k, double channels)
{
    const double value = channels * k->multiplier;
    /* Transformers rounds the product to a whole number first (half to even), timm does not */
    return divisible(m->layout == AT_LAYOUT_TRANSFORMERS ? nearbyint(value) : value, k->divisor, k->min_depth);
}

/* ---- Config ---- */

static at_status read_transformers(at_model *m, net *k)
{
    bool tf_padding;
    const char *activation;
    AT_TRY(at_config_real(m, &k->multiplier, "depth_multiplier", 1.0, 0.01, 16));
    AT_TRY(at_config_whole(m, &k->divisor, "depth_divisible_by", 8, 1, 1024));
    AT_TRY(at_config_whole(m, &k->min_depth, "min_depth", 8, 1, 1024));
    AT_TRY(at_config_real(m, &k->expand_ratio, "expand_ratio", 6.0, 0.1, 64));
    AT_TRY(at_config_whole(m, &k->output_stride, "output_stride", 32, 8, 32));
    AT_TRY(at_config_whole(m, &k->channels_in, "num_channels", 3, 1, 64));
    AT_TRY(at_config_flag(m, &k->finegrained, "finegrained_output", true));
    AT_TRY(at_config_flag(m, &k->stem_expands, "first_layer_is_expansion", true));
    k->stem_expands = !k->stem_expands;
    AT_TRY(at_config_flag(m, &tf_padding, "tf_padding", true));
    AT_TRY(at_config_real(m, &m->head.dropout, "classifier_dropout_prob", 0.8, 0, 0.999));
    AT_TRY(at_config_real(m, &k->epsilon, "layer_norm_eps", 0.001, 1e-12, 1));
    AT_TRY(at_config_text(m, &activation, "hidden_act", "relu6"));
    AT_REQUIRE(m->ctx, strcmp(activation, "relu6") == 0, AT_E_UNSUPPORTED,
               "%s/config.json: hidden_act \"%s\"; this network is known with relu6 only", m->folder, activation);
    k->padding = tf_padding ? AT_PAD_SAME : AT_PAD_SYMMETRIC;
    k->momentum = 0.997;
    return AT_OK;
}

/* "mobilenetv2_035" -> 0.35; the d variants are deeper and not this network. */
static at_status timm_multiplier(at_model *m, net *k)
{
    const char *name, *digits;
    char *end;
    AT_TRY(at_config_text(m, &name, "architecture", ""));
    digits = name + strlen("mobilenetv2_");
    const long percent = strtol(digits, &end, 10);
    AT_REQUIRE(m->ctx, end == digits + 3 && *end == '\0' && percent > 0, AT_E_UNSUPPORTED,
               "%s/config.json: architecture \"%s\"; known are mobilenetv2_035 to mobilenetv2_140", m->folder, name);
    k->multiplier = (double)percent / 100.0;
    return AT_OK;
}

/* What timm passes to the network's constructor: arguments that are not known would change it silently. */
static at_status check_timm_args(at_model *m)
{
    static const char *const known[] = {"channel_multiplier", "output_stride", "in_chans", "drop_rate", "bn_eps",
                                        "bn_momentum", "pad_type"};
    const at_tree *args = at_tree_get(m->config, "model_args");
    for (const at_tree *t = args ? args->first : NULL; t; t = t->next) {
        bool found = false;
        for (int i = 0; i < AT_COUNT(known); i++) found |= strcmp(t->key, known[i]) == 0;
        AT_REQUIRE(m->ctx, found, AT_E_UNSUPPORTED, "%s/config.json: model_args.%s is not known for this network",
                   m->folder, t->key);
    }
    return AT_OK;
}

static at_status read_timm(at_model *m, net *k)
{
    const char *pad;
    AT_TRY(check_timm_args(m));
    AT_TRY(timm_multiplier(m, k));
    AT_TRY(at_config_real(m, &k->multiplier, "model_args.channel_multiplier", k->multiplier, 0.01, 16));
    AT_TRY(at_config_whole(m, &k->output_stride, "model_args.output_stride", 32, 32, 32));
    AT_TRY(at_config_whole(m, &k->channels_in, "model_args.in_chans", 3, 1, 64));
    AT_TRY(at_config_real(m, &m->head.dropout, "model_args.drop_rate", 0.0, 0, 0.999));
    AT_TRY(at_config_real(m, &k->epsilon, "model_args.bn_eps", 1e-5, 1e-12, 1));
    AT_TRY(at_config_real(m, &k->momentum, "model_args.bn_momentum", 0.1, 0, 1));
    AT_TRY(at_config_text(m, &pad, "model_args.pad_type", ""));
    AT_REQUIRE(m->ctx, strcmp(pad, "") == 0 || strcmp(pad, "same") == 0, AT_E_UNSUPPORTED,
               "%s/config.json: model_args.pad_type \"%s\"; known are \"\" and \"same\"", m->folder, pad);
    k->padding = *pad ? AT_PAD_SAME : AT_PAD_SYMMETRIC;
    k->divisor = k->min_depth = 8;
    k->expand_ratio = 6.0;
    return AT_OK;
}

/* ---- Names. Ours are Transformers'; timm counts blocks by stage and calls the parts by what comes first. ---- */

typedef enum part { FIRST, EXPAND, DEPTHWISE, PROJECT } part;

static const char *const part_names[] = {"first_conv", "expand_1x1", "conv_3x3", "reduce_1x1"};

static void our_module(char out[96], int number, part p)
{
    if (number == STEM) snprintf(out, 96, "conv_stem.%s", part_names[p]);
    else if (number == HEAD) snprintf(out, 96, "conv_1x1");
    else snprintf(out, 96, "layer.%d.%s", number, part_names[p]);
}

static void timm_names(char conv[96], char norm[96], int number, part p)
{
    static const int first_of_stage[] = {0, 2, 5, 9, 12, 15, BLOCKS}; /* stages 1 to 6 */
    if (number == HEAD || (number == STEM && p == FIRST)) {
        snprintf(conv, 96, number == HEAD ? "conv_head" : "conv_stem");
        snprintf(norm, 96, number == HEAD ? "bn2" : "bn1");
        return;
    }
    if (number == STEM) { /* stage 0 is the stem's separable convolution */
        snprintf(conv, 96, "blocks.0.0.%s", p == DEPTHWISE ? "conv_dw" : "conv_pw");
        snprintf(norm, 96, "blocks.0.0.%s", p == DEPTHWISE ? "bn1" : "bn2");
        return;
    }
    int stage = 0;
    while (number >= first_of_stage[stage + 1]) stage++;
    const int i = number - first_of_stage[stage];
    snprintf(conv, 96, "blocks.%d.%d.%s", stage + 1, i, p == EXPAND ? "conv_pw" : p == DEPTHWISE ? "conv_dw" : "conv_pwl");
    snprintf(norm, 96, "blocks.%d.%d.bn%d", stage + 1, i, (int)p);
}

static at_status declare(at_model *m, net *k, unit *u, int number, part p, const at_conv_shape *shape)
{
    char module[96], conv[96], norm[96], our_conv[128], our_norm[128];
    our_module(module, number, p);
    snprintf(our_conv, sizeof our_conv, "%s.convolution", module);
    snprintf(our_norm, sizeof our_norm, "%s.normalization", module);
    if (m->layout == AT_LAYOUT_TIMM) timm_names(conv, norm, number, p);
    const bool timm = m->layout == AT_LAYOUT_TIMM;
    AT_TRY(at_net_conv(&u->conv, &m->net, our_conv, timm ? conv : our_conv, shape));
    return at_net_batchnorm(&u->norm, &m->net, our_norm, timm ? norm : our_norm, shape->out, k->epsilon, k->momentum);
}

static at_conv_shape pointwise(const net *k, int64_t in, int64_t out)
{
    return (at_conv_shape){.in = in, .out = out, .kernel = 1, .stride = 1, .dilation = 1, .groups = 1, .padding = k->padding};
}

static at_conv_shape by_channel(const net *k, int64_t channels, int64_t stride, int64_t dilation)
{
    return (at_conv_shape){.in = channels, .out = channels, .kernel = 3, .stride = stride, .dilation = dilation,
                           .groups = channels, .padding = k->padding};
}

static at_status declare_stem(at_model *m, net *k, int64_t width, int64_t out)
{
    at_conv_shape first = {.in = k->channels_in, .out = width, .kernel = 3, .stride = 2, .dilation = 1, .groups = 1,
                           .padding = k->padding};
    const at_conv_shape expand = pointwise(k, width, width), each = by_channel(k, width, 1, 1);
    const at_conv_shape project = pointwise(k, width, out);
    AT_TRY(at_net_group(&m->net, "stem"));
    AT_TRY(declare(m, k, &k->stem, STEM, FIRST, &first));
    if (k->stem_expands) AT_TRY(declare(m, k, &k->stem_expand, STEM, EXPAND, &expand));
    AT_TRY(declare(m, k, &k->stem_depthwise, STEM, DEPTHWISE, &each));
    return declare(m, k, &k->stem_project, STEM, PROJECT, &project);
}

static at_status declare_block(at_model *m, net *k, int i, int64_t in, int64_t out, int64_t stride, int64_t dilation)
{
    const double wide = (double)in * k->expand_ratio;
    const int64_t hidden = divisible(m->layout == AT_LAYOUT_TRANSFORMERS ? nearbyint(wide) : wide, k->divisor, k->min_depth);
    const at_conv_shape expand = pointwise(k, in, hidden), each = by_channel(k, hidden, stride, dilation);
    const at_conv_shape project = pointwise(k, hidden, out);
    char name[32];
    snprintf(name, sizeof name, "layer.%d", i);
    block *b = &k->blocks[i];
    b->residual = stride == 1 && in == out;
    AT_TRY(at_net_group(&m->net, name));
    AT_TRY(declare(m, k, &b->expand, i, EXPAND, &expand));
    AT_TRY(declare(m, k, &b->depthwise, i, DEPTHWISE, &each));
    return declare(m, k, &b->project, i, PROJECT, &project);
}

static at_status open(at_model *m)
{
    static const int channels[BLOCKS + 1] = {16, 24, 24, 32, 32, 32, 64, 64, 64, 64, 96, 96, 96, 160, 160, 160, 320};
    static const int strides[BLOCKS] = {2, 1, 2, 1, 1, 2, 1, 1, 1, 1, 1, 1, 2, 1, 1, 1};
    net *k = m->self;
    AT_TRY(m->layout == AT_LAYOUT_TIMM ? read_timm(m, k) : read_transformers(m, k));
    AT_TRY(declare_stem(m, k, scaled(m, k, 32), scaled(m, k, channels[0])));
    int64_t reached = 2, dilation = 1; /* beyond output_stride, strides become dilation */
    for (int i = 0; i < BLOCKS; i++) {
        const bool dilate = reached == k->output_stride;
        AT_TRY(declare_block(m, k, i, scaled(m, k, channels[i]), scaled(m, k, channels[i + 1]), dilate ? 1 : strides[i],
                             dilate ? dilation : 1));
        if (dilate) dilation *= strides[i];
        else reached *= strides[i];
    }
    int64_t out = scaled(m, k, 1280);
    if (m->layout == AT_LAYOUT_TIMM) out = at_max(out, 1280);
    else if (k->finegrained && k->multiplier < 1.0) out = 1280;
    const at_conv_shape last = pointwise(k, scaled(m, k, channels[BLOCKS]), out);
    AT_TRY(at_net_group(&m->net, "conv_1x1"));
    AT_TRY(declare(m, k, &k->last, HEAD, EXPAND, &last));
    m->head.name = m->head.file = "classifier";
    m->head.features = out;
    return AT_OK;
}

/* ---- Graph ---- */

static at_value *conv_norm(at_graph *g, const unit *u, at_value *x)
{
    return at_site_norm(g, u->norm, at_site_conv(g, u->conv, x));
}

static at_value *conv_norm_relu6(at_graph *g, const unit *u, at_value *x)
{
    return at_relu6(g, conv_norm(g, u, x));
}

static at_value *block_of(at_graph *g, const block *b, at_value *x)
{
    at_value *y = conv_norm_relu6(g, &b->expand, x);
    y = conv_norm_relu6(g, &b->depthwise, y);
    y = conv_norm(g, &b->project, y);
    return b->residual ? at_add(g, x, y) : y;
}

/* pixel_values [S,H,W,channels] act, sample_id [S] */
static at_value *build(at_model *m, at_graph *g, const at_inputs *in)
{
    const net *k = m->self;
    at_value *x = conv_norm_relu6(g, &k->stem, at_inputs_get(g, in, "pixel_values"));
    if (k->stem_expands) x = conv_norm_relu6(g, &k->stem_expand, x);
    x = conv_norm_relu6(g, &k->stem_depthwise, x);
    x = conv_norm(g, &k->stem_project, x);
    for (int i = 0; i < BLOCKS; i++) x = block_of(g, &k->blocks[i], x);
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
                                                      .size = sizeof(net),
                                                      .recognise = recognise,
                                                      .open = open,
                                                      .build = build};
