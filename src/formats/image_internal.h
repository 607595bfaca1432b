/* image_internal.h: what image.c asks of the two decoders. Layer: formats; private to the image files.
 * A decoder is told the size that its own probe reported and fills rgb [height, width, 3]. */
#ifndef AT_IMAGE_INTERNAL_H
#define AT_IMAGE_INTERNAL_H

#include "formats/image.h"

/* What a header says; nothing of it has been checked against the bounds of image.h. */
typedef struct at_image_header {
    int64_t width, height;
    int channels; /* components of a JPEG, samples a pixel of a PNG */
    int bits;     /* of a sample */
} at_image_header;

bool at__jpeg_is(const unsigned char *bytes, size_t n);
at_status at__jpeg_header(at_ctx *ctx, at_image_header *out, const unsigned char *bytes, size_t n,
                          const char *name) AT_MUST_USE;
at_status at__jpeg_decode(at_ctx *ctx, unsigned char *rgb, const at_image_header *h,
                          const unsigned char *bytes, size_t n, const char *name) AT_MUST_USE;

bool at__png_is(const unsigned char *bytes, size_t n);
at_status at__png_header(at_ctx *ctx, at_image_header *out, const unsigned char *bytes, size_t n,
                         const char *name) AT_MUST_USE;
at_status at__png_decode(at_ctx *ctx, unsigned char *rgb, const at_image_header *h,
                         const unsigned char *bytes, size_t n, const char *name) AT_MUST_USE;

/* The one way in which a decoder refuses: names the file, says what its library found and what to do. */
at_status at__image_corrupt(at_ctx *ctx, const char *name, const char *format, const char *found);

#endif
