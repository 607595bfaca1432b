/* image.c: pictures as bytes in, 8-bit RGB out: which format, the bounds, the life of an image.
 * Layer: formats. jpeg.c and png.c decode; both report a size from the header alone, and no memory is asked
 * for before that size has passed the bounds of image.h, so that a small file cannot claim much. */
#include "formats/file.h"
#include "formats/image_internal.h"

enum { JPEG, PNG };

typedef struct decoder {
    bool (*is)(const unsigned char *bytes, size_t n);
    at_status (*header)(at_ctx *ctx, at_image_header *out, const unsigned char *bytes, size_t n,
                        const char *name);
    at_status (*decode)(at_ctx *ctx, unsigned char *rgb, const at_image_header *h, const unsigned char *bytes,
                        size_t n, const char *name);
} decoder;

static const decoder decoders[] = {
    [JPEG] = {at__jpeg_is, at__jpeg_header, at__jpeg_decode},
    [PNG] = {at__png_is, at__png_header, at__png_decode},
};

/* Both libraries tell by their text alone what kind of failure it was. */
at_status at__image_corrupt(at_ctx *ctx, const char *name, const char *format, const char *found)
{
    if (strncmp(found, "Unsupported", strlen("Unsupported")) == 0)
        return at_fail(ctx, AT_E_UNSUPPORTED, "%s: unusual %s: %s; convert the file", name, format, found);
    return at_fail(ctx, strstr(found, "emory") ? AT_E_NOMEM : AT_E_FORMAT,
                   "%s: corrupt %s: %s; replace or remove the file", name, format, found);
}

static at_status unknown(at_ctx *ctx, const unsigned char *bytes, size_t n, const char *name)
{
    AT_REQUIRE(ctx, n > 0, AT_E_FORMAT, "%s: the file is empty; replace or remove it", name);
    unsigned char b[4] = {0};
    memcpy(b, bytes, n < sizeof b ? n : sizeof b);
    return at_fail(ctx, AT_E_FORMAT,
                   "%s: neither JPEG nor PNG (begins with %02x %02x %02x %02x); convert or remove the file",
                   name, b[0], b[1], b[2], b[3]);
}

/* Find the decoder and a size within bounds. */
static at_status examine(at_ctx *ctx, const decoder **which, at_image_header *h, const unsigned char *bytes,
                         size_t n, const char *name)
{
    const decoder *d = decoders;
    while (d < decoders + AT_COUNT(decoders) && !d->is(bytes, n)) d++;
    if (d == decoders + AT_COUNT(decoders)) return unknown(ctx, bytes, n, name);
    AT_TRY(d->header(ctx, h, bytes, n, name));
    AT_REQUIRE(ctx, h->width > 0 && h->height > 0, AT_E_FORMAT,
               "%s: claims %lld x %lld pixels, which is no picture; replace or remove the file", name,
               (long long)h->width, (long long)h->height);
    AT_REQUIRE(
        ctx,
        h->width <= AT_IMAGE_SIDE && h->height <= AT_IMAGE_SIDE && h->width * h->height <= AT_IMAGE_PIXELS,
        AT_E_RANGE,
        "%s: claims %lld x %lld pixels; at most %d in all and %d a side are read; scale the picture down",
        name, (long long)h->width, (long long)h->height, (int)AT_IMAGE_PIXELS, (int)AT_IMAGE_SIDE);
    *which = d;
    return AT_OK;
}

at_status at_image_probe(at_ctx *ctx, int *width, int *height, const unsigned char *bytes, size_t n,
                         const char *name)
{
    const decoder *d;
    at_image_header h;
    AT_TRY(examine(ctx, &d, &h, bytes, n, name));
    *width = (int)h.width;
    *height = (int)h.height;
    return AT_OK;
}

at_status at_image_decode(at_ctx *ctx, at_image *out, const unsigned char *bytes, size_t n, const char *name)
{
    *out = (at_image){0};
    const decoder *d;
    at_image_header h;
    AT_TRY(examine(ctx, &d, &h, bytes, n, name));
    unsigned char *rgb = at_alloc_array(ctx, h.width * h.height, 3);
    if (!rgb) return AT_E_NOMEM;
    const at_status status = d->decode(ctx, rgb, &h, bytes, n, name);
    if (status != AT_OK) {
        at_free(ctx, rgb);
        return status;
    }
    *out = (at_image){(int)h.width, (int)h.height, rgb};
    return AT_OK;
}

/* The file is read, not mapped: one that shrinks meanwhile must not end the process. */
at_status at_image_read(at_ctx *ctx, at_image *out, const char *path)
{
    *out = (at_image){0};
    char *bytes;
    size_t n;
    AT_TRY(at_file_read(ctx, &bytes, &n, path, AT_IMAGE_BYTES));
    const at_status status = at_image_decode(ctx, out, (const unsigned char *)bytes, n, path);
    at_free(ctx, bytes);
    return status;
}

void at_image_deinit(at_ctx *ctx, at_image *image)
{
    at_free(ctx, image->rgb);
    *image = (at_image){0};
}
