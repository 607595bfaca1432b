/* config.c: MobileNetV2's settings out of Transformers' and timm's config.json. They differ in keys, in what
 * they call padding and epsilon, in how channels are rounded, and in the norm's momentum (Transformers' 0.997
 * is the share of the new batch, as its code has it). */
#include "models/mobilenet_v2/mobilenet_v2.h"
#include <math.h>
#include <stdlib.h>

bool at__mobilenet_recognise(const at_tree *config, at_layout *layout)
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

static int64_t divisible(double value, int64_t divisor, int64_t least)
{
    int64_t v = at_max(least, (int64_t)(value + (double)divisor / 2) / divisor * divisor);
    if ((double)v < 0.9 * value) v += divisor;
    return v;
}

int64_t at__mobilenet_channels(const at_model *m, const mobilenet_v2 *k, double channels, double multiplier)
{
    const double value = channels * multiplier;
    /* Transformers rounds the product to a whole number first (half to even), timm does not */
    return divisible(m->layout == AT_LAYOUT_TRANSFORMERS ? nearbyint(value) : value, k->divisor,
                     k->min_depth);
}

/* ---- Transformers ---- */

static at_status read_transformers(at_model *m, mobilenet_v2 *k)
{
    bool tf_padding, finegrained, first_expands;
    AT_TRY(at_config_real(m, &k->multiplier, "depth_multiplier", 1.0, 0.01, 16));
    AT_TRY(at_config_whole(m, &k->divisor, "depth_divisible_by", 8, 1, 1024));
    AT_TRY(at_config_whole(m, &k->min_depth, "min_depth", 8, 1, 1024));
    AT_TRY(at_config_real(m, &k->expand_ratio, "expand_ratio", 6.0, 0.1, 64));
    AT_TRY(at_config_whole(m, &k->output_stride, "output_stride", 32, 8, 32));
    AT_TRY(at_config_whole(m, &k->channels_in, "num_channels", 3, 1, 64));
    AT_TRY(at_config_flag(m, &finegrained, "finegrained_output", true));
    AT_TRY(at_config_flag(m, &first_expands, "first_layer_is_expansion", true));
    AT_TRY(at_config_flag(m, &tf_padding, "tf_padding", true));
    AT_TRY(at_config_real(m, &m->head.dropout, "classifier_dropout_prob", 0.8, 0, 0.999));
    AT_TRY(at_config_real(m, &k->epsilon, "layer_norm_eps", 0.001, 1e-12, 1));
    AT_TRY(at_config_only(m, "hidden_act", "relu6"));
    k->stem_expands = !first_expands;
    k->padding = tf_padding ? AT_PAD_SAME : AT_PAD_SYMMETRIC;
    k->momentum = 0.997;
    k->depth = 1.0;
    k->features =
        finegrained && k->multiplier < 1.0 ? 1280 : at__mobilenet_channels(m, k, 1280, k->multiplier);
    return AT_OK;
}

/* ---- timm ---- */

/* What timm passes to the network's constructor. */
static const char *const arguments[] = {"depth_multiplier", "fix_stem_head", "num_features", "num_classes",
                                        "global_pool",      "output_stride", "in_chans",     "drop_rate",
                                        "bn_eps",           "bn_momentum",   "pad_type"};

/* "mobilenetv2_035" -> 0.35; "mobilenetv2_110d" and "_120d" are also deeper. */
static at_status read_variant(at_model *m, mobilenet_v2 *k)
{
    const char *name, *digits;
    char *end;
    AT_TRY(at_config_text(m, &name, "architecture", ""));
    digits = name + strlen("mobilenetv2_");
    const long percent = strtol(digits, &end, 10);
    const bool deep = strcmp(end, "d") == 0 && (percent == 110 || percent == 120);
    AT_REQUIRE(
        m->ctx, end == digits + 3 && (*end == '\0' || deep) && percent > 0, AT_E_UNSUPPORTED,
        "%s/config.json: architecture \"%s\"; known are mobilenetv2_035 to mobilenetv2_140, 110d, 120d",
        m->folder, name);
    k->multiplier = (double)percent / 100.0;
    k->depth = !deep ? 1.0 : percent == 110 ? 1.2 : 1.4;
    k->fixed_ends = deep;
    return AT_OK;
}

static at_status read_timm(at_model *m, mobilenet_v2 *k)
{
    const char *pad;
    AT_TRY(at_config_known(m, "model_args", arguments, AT_COUNT(arguments)));
    AT_TRY(at_config_only(m, "global_pool", "avg"));
    AT_TRY(at_config_only(m, "model_args.global_pool", "avg"));
    AT_TRY(read_variant(m, k));
    AT_TRY(at_config_real(m, &k->depth, "model_args.depth_multiplier", k->depth, 0.01, 8));
    AT_TRY(at_config_flag(m, &k->fixed_ends, "model_args.fix_stem_head", k->fixed_ends));
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
    const int64_t scaled = at__mobilenet_channels(m, k, 1280, k->multiplier);
    return at_config_whole(m, &k->features, "model_args.num_features",
                           k->fixed_ends ? 1280 : at_max(1280, scaled), 1, 65536);
}

at_status at__mobilenet_read_config(at_model *m, mobilenet_v2 *k)
{
    return m->layout == AT_LAYOUT_TIMM ? read_timm(m, k) : read_transformers(m, k);
}
