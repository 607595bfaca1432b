/* pixels.h: from a decoded picture to what a network takes: resize, crop, normalise. Layer: data. */
#ifndef AT_PIXELS_H
#define AT_PIXELS_H

#include "formats/image.h"
#include "formats/tree.h"

/* Pillow's filter codes, as preprocessor_config.json stores them under "resample". */
typedef enum at_filter {
    AT_NEAREST = 0,
    AT_LANCZOS = 1,
    AT_BILINEAR = 2,
    AT_BICUBIC = 3,
    AT_BOX = 4,
    AT_HAMMING = 5
} at_filter;

/* Antialiased resize as Pillow's Image.resize does on 8-bit RGB, byte for byte: one pass an axis, support
 * scaled by the shrink factor, fixed-point weights, rounding after each pass. The horizontal pass comes
 * first, except (as in Pillow 13) where the height loses more than twice as many pixels as the width. RANGE:
 * a side beyond AT_IMAGE_SIDE or more than AT_IMAGE_PIXELS. *out is zeroed on failure. */
at_status at_image_resize(at_ctx *ctx, at_image *out, const at_image *in, int width, int height,
                          at_filter filter) AT_MUST_USE;

/* How a model wants its pictures. */
typedef struct at_preprocess {
    bool resize;       /* false: pictures are taken as they are */
    int shortest_edge; /* the shorter side gets this length; 0 = exactly resize_width x resize_height */
    int resize_width, resize_height;
    bool crop; /* centre crop to crop_width x crop_height; smaller pictures are padded with 0 */
    int crop_width, crop_height;
    bool crop_rounds; /* offsets as torchvision and timm round them: crop half to even, padding down; else as
                       * Transformers: crop down, padding up */
    at_filter filter;
    float rescale, mean[3], std[3]; /* value = (byte * rescale - mean) / std */
} at_preprocess;

/* Read Transformers' preprocessor_config.json, or timm's pretrained_cfg (a map inside config.json). Unknown
 * processor options that change pixels are UNSUPPORTED errors that name the key. `name` stands in messages.
 */
at_status at_preprocess_from_transformers(at_ctx *ctx, at_preprocess *out, const at_tree *config,
                                          const char *name) AT_MUST_USE;
at_status at_preprocess_from_timm(at_ctx *ctx, at_preprocess *out, const at_tree *pretrained_cfg,
                                  const char *name) AT_MUST_USE;

/* Size of what comes out; 0 x 0 where it depends on the picture. */
void at_preprocess_size(const at_preprocess *p, int *width, int *height);

/* Resize and crop into a new image. */
at_status at_preprocess_fit(at_ctx *ctx, at_image *out, const at_preprocess *p,
                            const at_image *in) AT_MUST_USE;

/* To channels-last floats [height, width, 3]. */
void at_preprocess_normalise(float *out, const at_preprocess *p, const at_image *image);

#endif
