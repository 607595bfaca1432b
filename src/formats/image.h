/* image.h: pictures from files: JPEG (TurboJPEG API), PNG (png_image API). Layer: formats. */
#ifndef AT_IMAGE_H
#define AT_IMAGE_H

#include "base/alloc.h"

/* Interleaved RGB bytes, rows without gaps. */
typedef struct at_image {
    int width, height;
    unsigned char *rgb; /* [height, width, 3]; at_free */
} at_image;

enum {
    AT_IMAGE_PIXELS = 64 << 20, /* the most pixels a file may claim: 8192 x 8192 */
    AT_IMAGE_SIDE = 65535,      /* and the longest side: JPEG's own limit */
    AT_IMAGE_BYTES = 512 << 20, /* the largest file that at_image_read takes */
};

/* What a file is, from its header alone; nothing is decoded. FORMAT: neither JPEG nor PNG, truncated header,
 * no pixels; RANGE: more than AT_IMAGE_PIXELS or AT_IMAGE_SIDE. `name` stands in messages. */
at_status at_image_probe(at_ctx *ctx, int *width, int *height, const unsigned char *bytes, size_t n,
                         const char *name) AT_MUST_USE;

/* Decode to 8-bit RGB as Pillow's convert("RGB") does: grey is repeated, alpha dropped, palettes resolved,
 * CMYK / YCCK JPEG converted, gamma and colour profiles not applied. 16-bit PNG keeps the high byte (with
 * alpha: rounded; Pillow turns 16-bit grey white above 255). EXIF orientation is not applied (as
 * torchvision). A file that ends early or whose data is corrupt is a FORMAT error even where the decoder
 * could fill in grey. *out is zeroed on failure. */
at_status at_image_decode(at_ctx *ctx, at_image *out, const unsigned char *bytes, size_t n,
                          const char *name) AT_MUST_USE;
at_status at_image_read(at_ctx *ctx, at_image *out, const char *path) AT_MUST_USE;
void at_image_deinit(at_ctx *ctx, at_image *image);

/* Encode as JPEG (quality 1..100) for reports; bytes are released with at_free. */
at_status at_image_encode_jpeg(at_ctx *ctx, unsigned char **out, size_t *n, const at_image *image,
                               int quality) AT_MUST_USE;

#endif
