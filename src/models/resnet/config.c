/* config.c: ResNet's settings out of Transformers' and timm's config.json. Transformers gives a stage's
 * channels where its blocks end, timm where they are narrow. torchvision's networks are timm's. */
#include "models/resnet/resnet.h"

enum { EXPANSION = 4, MAX_CHANNELS = 1 << 16 };

static const struct variant {
    const char *name;
    bool bottleneck;
    int64_t depth[4];
} variants[] = {{"resnet18", false, {2, 2, 2, 2}},
                {"resnet34", false, {3, 4, 6, 3}},
                {"resnet50", true, {3, 4, 6, 3}},
                {"resnet101", true, {3, 4, 23, 3}},
                {"resnet152", true, {3, 8, 36, 3}}};

/* timm's further kinds ("resnet50d") are recognised, too, so that what is refused is said exactly. */
bool at__resnet_recognise(const at_tree *config, at_layout *layout)
{
    const at_tree *type = at_tree_get(config, "model_type"), *name = at_tree_get(config, "architecture");
    if (type && type->kind == AT_STRING && strcmp(type->text, "resnet") == 0) {
        *layout = AT_LAYOUT_TRANSFORMERS;
        return true;
    }
    if (name && name->kind == AT_STRING && strncmp(name->text, "resnet", 6) == 0 && name->text[6] >= '0' &&
        name->text[6] <= '9') {
        *layout = AT_LAYOUT_TIMM;
        return true;
    }
    return false;
}

static at_status check_depths(at_model *m, const resnet *k, int n_widths, int n_depths)
{
    int64_t blocks = 0;
    AT_REQUIRE(m->ctx, n_widths == n_depths, AT_E_FORMAT,
               "%s/config.json: channels of %d stages, but depths of %d", m->folder, n_widths, n_depths);
    for (int i = 0; i < n_depths; i++) blocks += k->depth[i];
    AT_REQUIRE(m->ctx, blocks <= RESNET_MAX_BLOCKS, AT_E_FORMAT, "%s/config.json: more than %d blocks",
               m->folder, (int)RESNET_MAX_BLOCKS);
    return AT_OK;
}

/* ---- Transformers ---- */

static at_status read_transformers(at_model *m, resnet *k)
{
    const char *kind;
    int n_widths = 4, n_depths = 4;
    memcpy(k->width, (const int64_t[]){256, 512, 1024, 2048}, 4 * sizeof(int64_t));
    memcpy(k->depth, (const int64_t[]){3, 4, 6, 3}, 4 * sizeof(int64_t));
    AT_TRY(at_config_whole(m, &k->channels_in, "num_channels", 3, 1, 64));
    AT_TRY(at_config_whole(m, &k->stem, "embedding_size", 64, 1, MAX_CHANNELS));
    AT_TRY(at_config_text(m, &kind, "layer_type", "bottleneck"));
    k->bottleneck = strcmp(kind, "bottleneck") == 0;
    AT_REQUIRE(m->ctx, k->bottleneck || strcmp(kind, "basic") == 0, AT_E_FORMAT,
               "%s/config.json: layer_type \"%s\"; known are \"basic\" and \"bottleneck\"", m->folder, kind);
    AT_TRY(at_config_wholes(m, k->width, &n_widths, "hidden_sizes", RESNET_MAX_STAGES,
                            k->bottleneck ? EXPANSION : 1, MAX_CHANNELS));
    AT_TRY(at_config_wholes(m, k->depth, &n_depths, "depths", RESNET_MAX_STAGES, 1, RESNET_MAX_BLOCKS));
    AT_TRY(at_config_flag(m, &k->first_strides, "downsample_in_first_stage", false));
    AT_TRY(at_config_flag(m, &k->early_stride, "downsample_in_bottleneck", false));
    AT_TRY(at_config_only(m, "hidden_act", "relu"));
    k->n_stages = n_widths;
    for (int i = 0; i < n_widths; i++) k->inner[i] = k->bottleneck ? k->width[i] / EXPANSION : k->width[i];
    return check_depths(m, k, n_widths, n_depths);
}

/* ---- timm ---- */

/* What timm passes to the network's constructor; zero_init_last matters to fresh weights only. */
static const char *const arguments[] = {"num_classes", "global_pool", "output_stride", "in_chans",
                                        "drop_rate",   "layers",      "channels",      "zero_init_last"};

static at_status read_variant(at_model *m, resnet *k)
{
    const char *name;
    AT_TRY(at_config_text(m, &name, "architecture", ""));
    for (int i = 0; i < AT_COUNT(variants); i++)
        if (strcmp(name, variants[i].name) == 0) {
            k->bottleneck = variants[i].bottleneck;
            memcpy(k->depth, variants[i].depth, sizeof variants[i].depth);
            return AT_OK;
        }
    return at_fail(m->ctx, AT_E_UNSUPPORTED,
                   "%s/config.json: architecture \"%s\"; known are resnet18, 34, 50, 101 and 152", m->folder,
                   name);
}

static at_status read_timm(at_model *m, resnet *k)
{
    int64_t output_stride;
    int n_widths = 4, n_depths = 4;
    memcpy(k->inner, (const int64_t[]){64, 128, 256, 512}, 4 * sizeof(int64_t));
    k->stem = 64;
    k->n_stages = 4;
    AT_TRY(at_config_known(m, "model_args", arguments, AT_COUNT(arguments)));
    AT_TRY(at_config_only(m, "global_pool", "avg"));
    AT_TRY(at_config_only(m, "model_args.global_pool", "avg"));
    AT_TRY(read_variant(m, k));
    AT_TRY(at_config_whole(m, &output_stride, "model_args.output_stride", 32, 32, 32));
    AT_TRY(at_config_whole(m, &k->channels_in, "model_args.in_chans", 3, 1, 64));
    AT_TRY(at_config_real(m, &m->head.dropout, "model_args.drop_rate", 0.0, 0, 0.999));
    AT_TRY(at_config_wholes(m, k->inner, &n_widths, "model_args.channels", 4, 1, MAX_CHANNELS / EXPANSION));
    AT_TRY(at_config_wholes(m, k->depth, &n_depths, "model_args.layers", 4, 1, RESNET_MAX_BLOCKS));
    AT_REQUIRE(m->ctx, n_widths == 4, AT_E_FORMAT, "%s/config.json: model_args.channels must be 4 numbers",
               m->folder);
    for (int i = 0; i < 4; i++) k->width[i] = k->bottleneck ? EXPANSION * k->inner[i] : k->inner[i];
    return check_depths(m, k, n_widths, n_depths);
}

at_status at__resnet_read_config(at_model *m, resnet *k)
{
    return m->layout == AT_LAYOUT_TIMM ? read_timm(m, k) : read_transformers(m, k);
}
