/* image.h: pictures from files: JPEG (TurboJPEG API), PNG (png_image API). Layer: formats. */
#ifndef AT_IMAGE_H
#define AT_IMAGE_H

#include "base/alloc.h"

/* Interleaved RGB bytes, rows without gaps. */
typedef struct at_image {
    int width, height;
    unsigned char *rgb; /* [height, width, 3]; at_free */
} at_image;

enum { AT_IMAGE_PIXELS = 64 << 20 }; /* the most pixels a file may claim: 8192 x 8192 */

/* What a file is, from its header alone; nothing is decoded. FORMAT: neither JPEG nor PNG, truncated header,
 * no pixels; RANGE: more than AT_IMAGE_PIXELS. `name` stands in messages. */
at_status at_image_probe(at_ctx *ctx, int *width, int *height, const unsigned char *bytes, size_t n,
                         const char *name) AT_MUST_USE;

/* Decode to 8-bit RGB: grey is repeated, alpha dropped (as Pillow's convert("RGB") does), 16-bit PNG reduced,
 * palettes resolved, CMYK / YCCK JPEG converted as Pillow does. EXIF orientation is not applied (as
 * torchvision). A JPEG that ends early or whose data is corrupt is a FORMAT error even where libjpeg could
 * fill in grey. */
at_status at_image_decode(at_ctx *ctx, at_image *out, const unsigned char *bytes, size_t n,
                          const char *name) AT_MUST_USE;
at_status at_image_read(at_ctx *ctx, at_image *out, const char *path) AT_MUST_USE;
void at_image_deinit(at_ctx *ctx, at_image *image);

/* Encode as JPEG (quality 1..100) for reports; bytes are released with at_free. */
at_status at_image_encode_jpeg(at_ctx *ctx, unsigned char **out, size_t *n, const at_image *image,
                               int quality) AT_MUST_USE;

#endif
