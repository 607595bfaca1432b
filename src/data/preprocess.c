/* preprocess.c: from a decoded picture to a network's input, as an at_preprocess says. Layer: data.
 * preprocess_config.c reads what model folders say. Resizing and cropping are one step: only pixels that the
 * crop keeps are computed. */
#include "data/resample.h"

void at_preprocess_size(const at_preprocess *p, int *width, int *height)
{
    const bool exact = p->resize && p->shortest_edge == 0;
    *width = p->crop ? p->crop_width : exact ? p->resize_width : 0;
    *height = p->crop ? p->crop_height : exact ? p->resize_height : 0;
}

/* ---- Fit ---- */

/* The longer side is rounded down, as int() does in both libraries. */
static void resized(const at_preprocess *p, const at_image *in, int64_t *width, int64_t *height)
{
    const bool tall = in->width <= in->height;
    const int64_t shorter = tall ? in->width : in->height, longer = tall ? in->height : in->width;
    const int64_t edge = p->shortest_edge, other = edge * longer / shorter;
    *width = !p->resize ? in->width : edge == 0 ? p->resize_width : tall ? edge : other;
    *height = !p->resize ? in->height : edge == 0 ? p->resize_height : tall ? other : edge;
}

/* Along one side: `length` pixels from `from` of the resized picture go to `to` of the output. */
typedef struct placed {
    int from, to, length;
} placed;

/* Transformers rounds the offset of a crop down and that of a padded picture up; torchvision rounds the
 * former half to even and the latter down. */
static placed centre(int have, int want, bool rounds)
{
    if (have < want) return (placed){0, (want - have + (rounds ? 0 : 1)) / 2, have};
    const int spare = have - want, half = spare / 2;
    return (placed){rounds && spare % 2 ? half + half % 2 : half, 0, want};
}

at_status at_preprocess_fit(at_ctx *ctx, at_image *out, const at_preprocess *p, const at_image *in)
{
    *out = (at_image){0};
    int64_t width, height;
    resized(p, in, &width, &height);
    AT_TRY(at__resize_check(ctx, width, height));
    const int w = p->crop ? p->crop_width : (int)width, h = p->crop ? p->crop_height : (int)height;
    AT_TRY(at__resize_check(ctx, w, h));
    const placed x = centre((int)width, w, p->crop_rounds), y = centre((int)height, h, p->crop_rounds);
    unsigned char *rgb = at_alloc_array(ctx, (int64_t)w * h, 3);
    if (!rgb) return AT_E_NOMEM;
    const at_resize_part part = {(int)width, (int)height, x.from, y.from, x.length, y.length, p->filter};
    const size_t pitch = 3 * (size_t)w;
    const at_status status =
        at__resize_part(ctx, rgb + (size_t)y.to * pitch + 3 * (size_t)x.to, pitch, in, &part);
    if (status != AT_OK) {
        at_free(ctx, rgb);
        return status;
    }
    *out = (at_image){w, h, rgb};
    return AT_OK;
}

/* ---- Normalise ---- */

/* There are only 256 values a channel; computing each once leaves room for the exact division. */
typedef struct tones {
    float of[3][256];
} tones;

static void make_tones(tones *t, const at_preprocess *p)
{
    for (int c = 0; c < 3; c++)
        for (int i = 0; i < 256; i++) {
            const float scaled = (float)((double)i * (double)p->rescale);
            t->of[c][i] = (scaled - p->mean[c]) / p->std[c];
        }
}

void at_preprocess_normalise(float *out, const at_preprocess *p, const at_image *image)
{
    tones t;
    make_tones(&t, p);
    const int64_t pixels = (int64_t)image->width * image->height;
    for (int64_t i = 0; i < pixels; i++)
        for (int c = 0; c < 3; c++) out[3 * i + c] = t.of[c][image->rgb[3 * i + c]];
}
