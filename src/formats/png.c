/* png.c: PNG by libpng's simplified API, which needs no longjmp. Layer: formats; called by image.c.
 * That API applies gamma and colour-space chunks to the pixels, which Pillow (and so every network's
 * training) ignores, and blends transparency away. So libpng is given a copy of the file that holds only the
 * chunks that make pixels: all ancillary ones are left out, alpha is decoded and then dropped. */
#include "formats/image_internal.h"
#include <png.h>

enum {
    SIGNATURE = 8,
    CHUNK = 12, /* length, type, CRC around a chunk's data */
    HEADER = SIGNATURE + CHUNK + 13,
    HAS_COLOUR = 2,
    HAS_ALPHA = 4, /* bits of the colour type */
};

static const unsigned char signature[SIGNATURE] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};

/* "gAMA" 100000: the samples are linear light. Asked for linear samples, libpng then hands them out
 * untouched. */
static const unsigned char linear[] = {0, 0, 0,    4,    'g',  'A',  'M',  'A',
                                       0, 1, 0x86, 0xa0, 0x31, 0xe8, 0x96, 0x5f};

bool at__png_is(const unsigned char *bytes, size_t n)
{
    return n >= SIGNATURE && memcmp(bytes, signature, SIGNATURE) == 0;
}

static int64_t big32(const unsigned char *p)
{
    return (int64_t)p[0] << 24 | p[1] << 16 | p[2] << 8 | p[3];
}

at_status at__png_header(at_ctx *ctx, at_image_header *out, const unsigned char *bytes, size_t n,
                         const char *name)
{
    if (n < HEADER) return at__image_corrupt(ctx, name, "PNG", "it ends within the header");
    const unsigned char *ihdr = bytes + SIGNATURE;
    if (big32(ihdr) != 13 || memcmp(ihdr + 4, "IHDR", 4) != 0)
        return at__image_corrupt(ctx, name, "PNG", "no header chunk");
    const int type = ihdr[17];
    *out = (at_image_header){.width = big32(ihdr + 8),
                             .height = big32(ihdr + 12),
                             .bits = ihdr[16],
                             .channels = (type & HAS_COLOUR ? 3 : 1) + (type & HAS_ALPHA ? 1 : 0)};
    return AT_OK;
}

/* Copy signature and critical chunks to `to` (room: n plus the gamma chunk); *size is what they take. */
static at_status keep_pixels(at_ctx *ctx, unsigned char *to, size_t *size, bool add_linear,
                             const unsigned char *bytes, size_t n, const char *name)
{
    memcpy(to, bytes, HEADER);
    size_t at = HEADER, used = HEADER;
    if (add_linear) {
        memcpy(to + used, linear, sizeof linear);
        used += sizeof linear;
    }
    for (bool ended = false; !ended;) {
        if (n - at < CHUNK || big32(bytes + at) > (int64_t)(n - at - CHUNK))
            return at__image_corrupt(ctx, name, "PNG", "the file ends early");
        const size_t whole = (size_t)big32(bytes + at) + CHUNK;
        const unsigned char *type = bytes + at + 4;
        ended = memcmp(type, "IEND", 4) == 0;
        if (!(type[0] & 0x20)) { /* critical by PNG's naming: unknown ones are for libpng to refuse */
            memcpy(to + used, bytes + at, whole);
            used += whole;
        }
        at += whole;
    }
    *size = used;
    return AT_OK;
}

/* Decode to `format` into `to`, which has room for it. */
static at_status decompress(at_ctx *ctx, void *to, uint32_t format, const at_image_header *h,
                            const unsigned char *bytes, size_t n, const char *name)
{
    png_image png = {.version = PNG_IMAGE_VERSION};
    if (png_image_begin_read_from_memory(&png, bytes, n) && png.width == h->width &&
        png.height == h->height) {
        png.format = format;
        png.flags |= PNG_IMAGE_FLAG_16BIT_sRGB;
        if (png_image_finish_read(&png, NULL, to, 0, NULL)) return AT_OK; /* frees what it holds */
    }
    const at_status status = at__image_corrupt(ctx, name, "PNG", png.message);
    png_image_free(&png);
    return status;
}

static void drop_alpha(unsigned char *rgb, const unsigned char *rgba, int64_t pixels)
{
    for (int64_t i = 0; i < pixels; i++)
        for (int c = 0; c < 3; c++) rgb[3 * i + c] = rgba[4 * i + c];
}

static void take_high_bytes(unsigned char *rgb, const uint16_t *wide, int64_t samples)
{
    for (int64_t i = 0; i < samples; i++) rgb[i] = (unsigned char)(wide[i] >> 8);
}

/* What libpng is asked for, and how many bytes a pixel of it has. */
static uint32_t choose(const at_image_header *h, int *pixel_bytes)
{
    const bool alpha = h->channels == 2 || h->channels == 4;
    *pixel_bytes = alpha ? 4 : h->bits == 16 ? 6 : 3;
    return alpha ? PNG_FORMAT_RGBA : h->bits == 16 ? PNG_FORMAT_LINEAR_RGB : PNG_FORMAT_RGB;
}

at_status at__png_decode(at_ctx *ctx, unsigned char *rgb, const at_image_header *h,
                         const unsigned char *bytes, size_t n, const char *name)
{
    const int64_t pixels = h->width * h->height;
    int pixel_bytes;
    const uint32_t format = choose(h, &pixel_bytes);
    unsigned char *copy = at_alloc(ctx, n + sizeof linear), *wide = NULL;
    if (!copy) return AT_E_NOMEM;
    size_t size = 0;
    at_status status;
    AT_TRY_OUT(keep_pixels(ctx, copy, &size, pixel_bytes == 6, bytes, n, name));
    if (pixel_bytes != 3 && !(wide = at_alloc_array(ctx, pixels, (size_t)pixel_bytes))) {
        status = AT_E_NOMEM;
        goto out;
    }
    AT_TRY_OUT(decompress(ctx, wide ? (void *)wide : rgb, format, h, copy, size, name));
    if (pixel_bytes == 4) drop_alpha(rgb, wide, pixels);
    if (pixel_bytes == 6) take_high_bytes(rgb, (const uint16_t *)(const void *)wide, 3 * pixels);
out:
    at_free(ctx, wide);
    at_free(ctx, copy);
    return status;
}
