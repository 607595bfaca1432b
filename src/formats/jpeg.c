/* jpeg.c: JPEG by the TurboJPEG API of libjpeg-turbo. Layer: formats; called by image.c.
 * The pixels are Pillow's: accurate inverse DCT, smooth chroma upsampling, never a smaller DCT for shrinking.
 * A frame header is read here and not by tjDecompressHeader3, which refuses sampling factors that
 * tjDecompress2 decodes. tjDecompress2 never writes more than the size it is told, so memory does not hang on
 * the two readings agreeing. Any warning stops the decoder: what follows it would be invented pixels. */
#include "formats/image_internal.h"
#include <turbojpeg.h>

enum {
    SOI = 0xd8,
    EOI = 0xd9,
    SOS = 0xda,
    TEM = 0x01,
    RST0 = 0xd0,
    RST7 = 0xd7
}; /* markers: 0xff, then this */

bool at__jpeg_is(const unsigned char *bytes, size_t n)
{
    return n >= 3 && bytes[0] == 0xff && bytes[1] == SOI && bytes[2] == 0xff;
}

/* SOF0..SOF15; three codes of that row mean something else: DHT, JPG, DAC. */
static bool begins_frame(int marker)
{
    return marker >= 0xc0 && marker <= 0xcf && marker != 0xc4 && marker != 0xc8 && marker != 0xcc;
}

static bool has_no_body(int marker)
{
    return marker == TEM || (marker >= RST0 && marker <= RST7);
}

static int big16(const unsigned char *p)
{
    return p[0] << 8 | p[1];
}

at_status at__jpeg_header(at_ctx *ctx, at_image_header *out, const unsigned char *bytes, size_t n,
                          const char *name)
{
    enum { FRAME_BYTES = 8 }; /* length, precision, height, width, components */
    size_t i = 2;
    for (;;) {
        if (i < n && bytes[i] != 0xff)
            return at__image_corrupt(ctx, name, "JPEG", "no marker where one is due");
        while (i < n && bytes[i] == 0xff) i++; /* a marker may be preceded by fill bytes */
        if (n - i < 3) break;
        const int marker = bytes[i++];
        if (has_no_body(marker)) continue;
        if (marker == SOS || marker == EOI) return at__image_corrupt(ctx, name, "JPEG", "no frame header");
        const size_t body = (size_t)big16(bytes + i);
        if (begins_frame(marker)) {
            if (body < FRAME_BYTES || n - i < FRAME_BYTES) break;
            *out = (at_image_header){.bits = bytes[i + 2],
                                     .height = big16(bytes + i + 3),
                                     .width = big16(bytes + i + 5),
                                     .channels = bytes[i + 7]};
            return AT_OK;
        }
        if (body < 2 || body > n - i) break;
        i += body;
    }
    return at__image_corrupt(ctx, name, "JPEG", "it ends within the header");
}

/* Adobe's CMYK is stored inverted: byte = 255 - ink. Pillow takes every CMYK file so, and each of its colours
 * is the product of what ink and black let through, rounded: (255 - K) - (255 - K) C / 255. */
static void cmyk_to_rgb(unsigned char *rgb, const unsigned char *cmyk, int64_t pixels)
{
    for (int64_t i = 0; i < pixels; i++)
        for (int c = 0; c < 3; c++) {
            const int light = cmyk[4 * i + 3], ink = 255 - cmyk[4 * i + c], product = ink * light + 128;
            rgb[3 * i + c] = (unsigned char)(light - (((product >> 8) + product) >> 8));
        }
}

static at_status decompress(at_ctx *ctx, unsigned char *to, int format, const at_image_header *h,
                            const unsigned char *bytes, size_t n, const char *name)
{
    enum { FLAGS = TJFLAG_ACCURATEDCT | TJFLAG_STOPONWARNING | TJFLAG_LIMITSCANS };
    tjhandle tj = tjInitDecompress();
    AT_REQUIRE(ctx, tj, AT_E_NOMEM, "%s: out of memory in libjpeg-turbo", name);
    at_status status = AT_OK;
    if (tjDecompress2(tj, bytes, n, to, (int)h->width, 0, (int)h->height, format, FLAGS) != 0)
        status = at__image_corrupt(ctx, name, "JPEG", tjGetErrorStr2(tj));
    tjDestroy(tj);
    return status;
}

at_status at__jpeg_decode(at_ctx *ctx, unsigned char *rgb, const at_image_header *h,
                          const unsigned char *bytes, size_t n, const char *name)
{
    if (h->channels != 4) return decompress(ctx, rgb, TJPF_RGB, h, bytes, n, name);
    const int64_t pixels = h->width * h->height;
    unsigned char *cmyk = at_alloc_array(ctx, pixels, 4);
    if (!cmyk) return AT_E_NOMEM;
    const at_status status = decompress(ctx, cmyk, TJPF_CMYK, h, bytes, n, name);
    if (status == AT_OK) cmyk_to_rgb(rgb, cmyk, pixels);
    at_free(ctx, cmyk);
    return status;
}

/* ---- Writing ---- */

static at_status compress(at_ctx *ctx, unsigned char *room, unsigned long *size, const at_image *image,
                          int quality)
{
    tjhandle tj = tjInitCompress();
    AT_REQUIRE(ctx, tj, AT_E_NOMEM, "out of memory in libjpeg-turbo");
    at_status status = AT_OK;
    if (tjCompress2(tj, image->rgb, image->width, 0, image->height, TJPF_RGB, &room, size, TJSAMP_420,
                    quality, TJFLAG_NOREALLOC | TJFLAG_ACCURATEDCT) != 0)
        status = at_fail(ctx, AT_E_INTERNAL, "JPEG encoder: %s", tjGetErrorStr2(tj));
    tjDestroy(tj);
    return status;
}

at_status at_image_encode_jpeg(at_ctx *ctx, unsigned char **out, size_t *n, const at_image *image,
                               int quality)
{
    AT_REQUIRE(ctx, quality >= 1 && quality <= 100, AT_E_RANGE, "JPEG quality %d: must be 1..100", quality);
    AT_REQUIRE(ctx,
               image->width > 0 && image->height > 0 && image->width <= AT_IMAGE_SIDE &&
                   image->height <= AT_IMAGE_SIDE,
               AT_E_RANGE, "a picture of %d x %d cannot be a JPEG; sides must be 1..%d", image->width,
               image->height, (int)AT_IMAGE_SIDE);
    unsigned long size = tjBufSize(image->width, image->height, TJSAMP_420);
    unsigned char *room = at_alloc(ctx, size), *exact = NULL;
    if (!room) return AT_E_NOMEM;
    at_status status = compress(ctx, room, &size, image, quality);
    if (status == AT_OK && !(exact = at_alloc(ctx, size))) status = AT_E_NOMEM;
    if (status == AT_OK) {
        memcpy(exact, room, size);
        *out = exact;
        *n = size;
    }
    at_free(ctx, room);
    return status;
}
