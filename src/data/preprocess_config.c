/* preprocess_config.c: how model folders say what their pictures should be: Transformers'
 * preprocessor_config.json and timm's pretrained_cfg. Layer: data. A Transformers file says what its
 * processor class leaves open only through the class's name, so the classes whose ways differ stand in a
 * table. An option that we do not know is an error unless it is off: it might change pixels. */
#include "data/pixels.h"
#include <math.h>
#include <stdio.h>

typedef struct reader {
    at_ctx *ctx;
    const at_tree *map;
    const char *name;
} reader;

/* ---- Values; an absent or null one leaves *out as it is ---- */

static const at_tree *find(const reader *r, const char *key)
{
    const at_tree *t = at_tree_get(r->map, key);
    return t && t->kind != AT_NULL ? t : NULL;
}

static at_status wrong_kind(const reader *r, const char *key, const char *wanted, const at_tree *found)
{
    return at_fail(r->ctx, AT_E_FORMAT, "%s: %s must be %s, found %s", r->name, key, wanted,
                   at_tree_kind_name(found->kind));
}

static at_status missing(const reader *r, const char *key)
{
    return at_fail(r->ctx, AT_E_FORMAT, "%s: %s is missing; take the file from the model's origin", r->name,
                   key);
}

static at_status read_flag(const reader *r, const char *key, bool *out)
{
    const at_tree *t = find(r, key);
    if (t && t->kind != AT_FLAG) return wrong_kind(r, key, "true or false", t);
    if (t) *out = t->flag;
    return AT_OK;
}

static bool is_number(const at_tree *t)
{
    return t->kind == AT_WHOLE || t->kind == AT_NUMBER;
}

/* A finite number above 0. */
static at_status read_positive(const reader *r, const char *key, double *out)
{
    const at_tree *t = find(r, key);
    if (!t) return AT_OK;
    if (!is_number(t)) return wrong_kind(r, key, "a number", t);
    AT_REQUIRE(r->ctx, t->number > 0 && isfinite(t->number), AT_E_RANGE, "%s: %s is %g, must be above 0",
               r->name, key, t->number);
    *out = t->number;
    return AT_OK;
}

/* Three numbers, or one that stands for all. */
static at_status read_channels(const reader *r, const char *key, float out[3])
{
    const at_tree *t = find(r, key);
    if (!t) return AT_OK;
    if (is_number(t)) {
        for (int c = 0; c < 3; c++) out[c] = (float)t->number;
        return AT_OK;
    }
    if (t->kind != AT_LIST) return wrong_kind(r, key, "a list of 3 numbers", t);
    AT_REQUIRE(r->ctx, t->n == 3, AT_E_FORMAT, "%s: %s has %lld values, expected 3: red, green, blue",
               r->name, key, (long long)t->n);
    const at_tree *item = t->first;
    for (int c = 0; c < 3; c++, item = item->next) {
        if (!is_number(item)) return wrong_kind(r, key, "a list of 3 numbers", item);
        out[c] = (float)item->number;
    }
    return AT_OK;
}

static at_status check_spread(const reader *r, const char *key, const float std[3])
{
    for (int c = 0; c < 3; c++)
        AT_REQUIRE(r->ctx, std[c] > 0 && isfinite(std[c]), AT_E_RANGE,
                   "%s: %s is %g in channel %d, must be above 0", r->name, key, (double)std[c], c);
    return AT_OK;
}

/* One side; t: not NULL. */
static at_status read_side(const reader *r, const char *key, const at_tree *t, int *out)
{
    if (t->kind != AT_WHOLE) return wrong_kind(r, key, "a whole number of pixels", t);
    AT_REQUIRE(r->ctx, t->whole >= 1 && t->whole <= AT_IMAGE_SIDE, AT_E_RANGE,
               "%s: %s is %lld pixels, must be 1..%d", r->name, key, (long long)t->whole, (int)AT_IMAGE_SIDE);
    *out = (int)t->whole;
    return AT_OK;
}

/* ---- Transformers: sizes ---- */

typedef struct size {
    int shortest, width, height; /* shortest 0: width x height */
} size;

/* {"shortest_edge": n} or {"height": h, "width": w}; what else it may hold changes the result. */
static at_status read_size_map(const reader *r, const char *key, const at_tree *map, size *out)
{
    size found = {0};
    for (const at_tree *t = map->first; t; t = t->next) {
        char path[64];
        snprintf(path, sizeof path, "%s.%.32s", key, t->key);
        if (t->kind == AT_NULL) continue;
        int *side = strcmp(t->key, "shortest_edge") == 0 ? &found.shortest
                    : strcmp(t->key, "height") == 0      ? &found.height
                    : strcmp(t->key, "width") == 0       ? &found.width
                                                         : NULL;
        AT_REQUIRE(r->ctx, side, AT_E_UNSUPPORTED,
                   "%s: %s is not supported; shortest_edge, or height and width, are", r->name, path);
        AT_TRY(read_side(r, path, t, side));
    }
    const bool exact = found.height && found.width, half = found.height || found.width;
    AT_REQUIRE(r->ctx, found.shortest ? !half : exact, AT_E_FORMAT,
               "%s: %s needs shortest_edge, or height and width", r->name, key);
    *out = found;
    return AT_OK;
}

/* Old files: a number, which is both sides or the shorter one, by the class; or [height, width]. */
static at_status read_size(const reader *r, const char *key, bool square, size *out)
{
    const at_tree *t = find(r, key);
    if (!t) return missing(r, key);
    if (t->kind == AT_MAP) return read_size_map(r, key, t, out);
    size found = {0};
    if (t->kind == AT_LIST && t->n == 2) {
        AT_TRY(read_side(r, key, t->first, &found.height));
        AT_TRY(read_side(r, key, t->first->next, &found.width));
    } else {
        int n = 0;
        AT_TRY(read_side(r, key, t, &n));
        found = square ? (size){0, n, n} : (size){n, 0, 0};
    }
    *out = found;
    return AT_OK;
}

/* ---- Transformers: classes ---- */

typedef struct family {
    const char *prefix;   /* of image_processor_type or feature_extractor_type */
    bool square;          /* a size that is one number means both sides */
    bool crop;            /* unless do_center_crop says otherwise */
    at_filter filter;     /* unless resample says otherwise */
    bool enlarge, rounds; /* size / crop_pct is resized to and size is cropped; offsets as timm's */
} family;

static const family families[] = {
    {.prefix = "ViT", .square = true, .filter = AT_BILINEAR},
    {.prefix = "DeiT", .square = true, .crop = true, .filter = AT_BICUBIC},
    {.prefix = "Beit", .square = true, .filter = AT_BICUBIC},
    {.prefix = "MobileNetV1", .crop = true, .filter = AT_BILINEAR},
    {.prefix = "MobileNetV2", .crop = true, .filter = AT_BILINEAR},
    {.prefix = "ConvNext", .filter = AT_BICUBIC, .enlarge = true},
    {.prefix = "CLIP", .crop = true, .filter = AT_BICUBIC},
    {.prefix = "Bit", .crop = true, .filter = AT_BICUBIC},
    {.prefix = "TimmWrapper", .crop = true, .filter = AT_BICUBIC, .rounds = true},
};

/* Classes that do more to pictures than their options tell. */
static const char *const refused[] = {"EfficientNet", "Levit", "MobileViT", "Perceiver", "PoolFormer"};

static const at_tree *find_class(const reader *r)
{
    const at_tree *t = find(r, "image_processor_type");
    if (!t) t = find(r, "feature_extractor_type");
    return t && t->kind == AT_STRING ? t : NULL;
}

static bool begins(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* An unknown or absent class is taken to do what the options say. */
static at_status find_family(const reader *r, family *out)
{
    *out = (family){.square = true, .crop = find(r, "crop_size") != NULL, .filter = AT_BILINEAR};
    const at_tree *t = find_class(r);
    for (int i = 0; t && i < AT_COUNT(families); i++)
        if (begins(t->text, families[i].prefix)) *out = families[i];
    for (int i = 0; t && i < AT_COUNT(refused); i++)
        AT_REQUIRE(r->ctx, !begins(t->text, refused[i]), AT_E_UNSUPPORTED,
                   "%s: pictures for %s are not supported", r->name, t->text);
    return AT_OK;
}

/* ---- Transformers: options ---- */

/* Read here, or of no influence on the pixels. */
static const char *const known[] = {"do_resize",
                                    "size",
                                    "resample",
                                    "do_center_crop",
                                    "crop_size",
                                    "do_rescale",
                                    "rescale_factor",
                                    "do_normalize",
                                    "image_mean",
                                    "image_std",
                                    "crop_pct",
                                    "default_to_square",
                                    "image_processor_type",
                                    "feature_extractor_type",
                                    "processor_class",
                                    "data_format",
                                    "input_data_format",
                                    "do_convert_rgb",
                                    "do_reduce_labels",
                                    "reduce_labels",
                                    "model_input_names",
                                    "_valid_processor_keys",
                                    "device",
                                    "return_tensors",
                                    "disable_grouping",
                                    "auto_map",
                                    "num_channels",
                                    "image_seq_length",
                                    "use_fast",
                                    "_name_or_path",
                                    "transformers_version"};

static at_status check_options(const reader *r)
{
    for (const at_tree *t = r->map->first; t; t = t->next) {
        bool harmless = t->kind == AT_NULL || (t->kind == AT_FLAG && !t->flag);
        for (int i = 0; i < AT_COUNT(known) && !harmless; i++) harmless = strcmp(t->key, known[i]) == 0;
        AT_REQUIRE(r->ctx, harmless, AT_E_UNSUPPORTED,
                   "%s: option %s is not supported and may change the pictures; remove it if it does not",
                   r->name, t->key);
    }
    return AT_OK;
}

static at_status read_filter(const reader *r, at_filter *out)
{
    const at_tree *t = find(r, "resample");
    if (!t) return AT_OK;
    if (t->kind != AT_WHOLE) return wrong_kind(r, "resample", "a number", t);
    AT_REQUIRE(r->ctx, t->whole >= AT_NEAREST && t->whole <= AT_HAMMING, AT_E_UNSUPPORTED,
               "%s: resample %lld is not supported; 0..5 are", r->name, (long long)t->whole);
    *out = (at_filter)t->whole;
    return AT_OK;
}

/* ConvNeXt: below 384 the shorter edge becomes size / crop_pct and the centre is cropped, from 384 on the
 * whole picture is squashed. */
static at_status enlarge(const reader *r, at_preprocess *p)
{
    enum { SQUASH_FROM = 384 };
    double share = 224.0 / 256.0;
    AT_TRY(read_positive(r, "crop_pct", &share));
    const int side = p->shortest_edge;
    AT_REQUIRE(r->ctx, side && !p->crop, AT_E_UNSUPPORTED,
               "%s: ConvNeXt pictures need size.shortest_edge and no do_center_crop", r->name);
    if (side >= SQUASH_FROM) {
        p->shortest_edge = 0;
        p->resize_width = p->resize_height = side;
        return AT_OK;
    }
    const double edge = side / share;
    AT_REQUIRE(r->ctx, edge >= 1 && edge <= AT_IMAGE_SIDE, AT_E_RANGE, "%s: crop_pct is %g", r->name, share);
    p->shortest_edge = (int)edge;
    p->crop = true;
    p->crop_width = p->crop_height = side;
    return AT_OK;
}

static at_status read_geometry(const reader *r, at_preprocess *p)
{
    family f;
    AT_TRY(find_family(r, &f));
    AT_TRY(read_flag(r, "default_to_square", &f.square));
    p->filter = f.filter;
    p->crop = f.crop;
    p->crop_rounds = f.rounds;
    AT_TRY(read_flag(r, "do_resize", &p->resize));
    AT_TRY(read_flag(r, "do_center_crop", &p->crop));
    AT_TRY(read_filter(r, &p->filter));
    size s = {0};
    if (p->resize) AT_TRY(read_size(r, "size", f.square, &s));
    p->shortest_edge = s.shortest;
    p->resize_width = s.width;
    p->resize_height = s.height;
    if (f.enlarge && p->resize) return enlarge(r, p);
    AT_REQUIRE(r->ctx, !find(r, "crop_pct"), AT_E_UNSUPPORTED,
               "%s: option crop_pct is supported for ConvNeXt processors only", r->name);
    if (!p->crop) return AT_OK;
    AT_TRY(read_size(r, "crop_size", true, &s));
    AT_REQUIRE(r->ctx, s.width, AT_E_FORMAT, "%s: crop_size needs height and width", r->name);
    p->crop_width = s.width;
    p->crop_height = s.height;
    return AT_OK;
}

static at_status read_values(const reader *r, at_preprocess *p)
{
    bool rescale = true, normalise = true;
    double factor = 1.0 / 255.0;
    AT_TRY(read_flag(r, "do_rescale", &rescale));
    AT_TRY(read_flag(r, "do_normalize", &normalise));
    AT_TRY(read_positive(r, "rescale_factor", &factor));
    if (rescale) p->rescale = (float)factor;
    if (!normalise) return AT_OK;
    if (!find(r, "image_mean")) return missing(r, "image_mean");
    if (!find(r, "image_std")) return missing(r, "image_std");
    AT_TRY(read_channels(r, "image_mean", p->mean));
    AT_TRY(read_channels(r, "image_std", p->std));
    return check_spread(r, "image_std", p->std);
}

at_status at_preprocess_from_transformers(at_ctx *ctx, at_preprocess *out, const at_tree *config,
                                          const char *name)
{
    const reader r = {ctx, config, name};
    AT_REQUIRE(ctx, config && config->kind == AT_MAP, AT_E_FORMAT, "%s: must be a map of options", name);
    at_preprocess p = {.resize = true, .rescale = 1.0f, .std = {1.0f, 1.0f, 1.0f}};
    AT_TRY(check_options(&r));
    AT_TRY(read_geometry(&r, &p));
    AT_TRY(read_values(&r, &p));
    *out = p;
    return AT_OK;
}

/* ---- timm: what else pretrained_cfg holds does not concern pictures ---- */

static at_status read_text(const reader *r, const char *key, const char **out)
{
    const at_tree *t = find(r, key);
    if (t && t->kind != AT_STRING) return wrong_kind(r, key, "a text", t);
    if (t && *t->text) *out = t->text;
    return AT_OK;
}

static at_status read_interpolation(const reader *r, at_filter *out)
{
    static const char *const names[] = {"nearest", "lanczos", "bilinear", "bicubic", "box", "hamming"};
    const char *text = "bicubic";
    AT_TRY(read_text(r, "interpolation", &text));
    int i = 0;
    while (i < AT_COUNT(names) && strcmp(text, names[i]) != 0) i++;
    AT_REQUIRE(r->ctx, i < AT_COUNT(names), AT_E_UNSUPPORTED, "%s: interpolation \"%s\" is not supported",
               r->name, text);
    *out = (at_filter)i;
    return AT_OK;
}

/* [channels, height, width] */
static at_status read_input_size(const reader *r, int *height, int *width)
{
    const at_tree *t = find(r, "input_size");
    if (!t) return AT_OK;
    if (t->kind != AT_LIST || t->n != 3) return wrong_kind(r, "input_size", "[channels, height, width]", t);
    const at_tree *channels = t->first;
    AT_REQUIRE(r->ctx, channels->kind == AT_WHOLE && channels->whole == 3, AT_E_UNSUPPORTED,
               "%s: input_size must have 3 channels", r->name);
    AT_TRY(read_side(r, "input_size", channels->next, height));
    return read_side(r, "input_size", channels->next->next, width);
}

static at_status scale_up(const reader *r, int side, double share, int *out)
{
    const double edge = floor(side / share);
    AT_REQUIRE(r->ctx, edge >= 1 && edge <= AT_IMAGE_SIDE, AT_E_RANGE, "%s: crop_pct is %g", r->name, share);
    *out = (int)edge;
    return AT_OK;
}

static at_status place(const reader *r, at_preprocess *p)
{
    const char *mode = "center";
    double share = 0.875;
    AT_TRY(read_text(r, "crop_mode", &mode));
    AT_TRY(read_positive(r, "crop_pct", &share));
    int height = 0, width = 0;
    AT_TRY(scale_up(r, p->crop_height, share, &height));
    AT_TRY(scale_up(r, p->crop_width, share, &width));
    if (strcmp(mode, "squash") == 0) {
        p->resize_height = height;
        p->resize_width = width;
        return AT_OK;
    }
    AT_REQUIRE(r->ctx, strcmp(mode, "center") == 0, AT_E_UNSUPPORTED,
               "%s: crop_mode \"%s\" is not supported; center and squash are", r->name, mode);
    AT_REQUIRE(r->ctx, height == width, AT_E_UNSUPPORTED,
               "%s: crop_mode \"center\" with an input_size of %d x %d that is not square is not supported",
               r->name, p->crop_height, p->crop_width);
    p->shortest_edge = height;
    return AT_OK;
}

at_status at_preprocess_from_timm(at_ctx *ctx, at_preprocess *out, const at_tree *pretrained_cfg,
                                  const char *name)
{
    const reader r = {ctx, pretrained_cfg, name};
    AT_REQUIRE(ctx, pretrained_cfg && pretrained_cfg->kind == AT_MAP, AT_E_FORMAT,
               "%s: pretrained_cfg must be a map", name);
    at_preprocess p = {.resize = true,
                       .crop = true,
                       .crop_width = 224,
                       .crop_height = 224,
                       .crop_rounds = true,
                       .rescale = (float)(1.0 / 255.0),
                       .mean = {0.485f, 0.456f, 0.406f},
                       .std = {0.229f, 0.224f, 0.225f}};
    AT_TRY(read_input_size(&r, &p.crop_height, &p.crop_width));
    AT_TRY(read_interpolation(&r, &p.filter));
    AT_TRY(place(&r, &p));
    AT_TRY(read_channels(&r, "mean", p.mean));
    AT_TRY(read_channels(&r, "std", p.std));
    AT_TRY(check_spread(&r, "std", p.std));
    *out = p;
    return AT_OK;
}
