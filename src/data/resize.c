/* resize.c: Pillow's antialiased resize, bit for bit. Layer: data.
 * A resize is two passes, one an axis, with 8-bit pixels between them; axis.c makes their weights. A pass
 * whose length does not change is left out; the first pass covers only what the second one reads, and both
 * only the part of the picture that is wanted. The passes here are the plain ones, which define the result;
 * resize_isa.c holds the fast ones. */
#include "data/resample.h"

/* ---- The plain passes ---- */

void at__resample_row(unsigned char *to, const unsigned char *from, const at_axis *x)
{
    for (int i = 0; i < x->n; i++) {
        const unsigned char *p = from + 3 * (int64_t)x->first[i];
        const int32_t *k = x->k + (int64_t)i * x->taps;
        int32_t r = AT_WEIGHT_HALF, g = AT_WEIGHT_HALF, b = AT_WEIGHT_HALF;
        for (int t = 0; t < x->count[i]; t++) {
            r += k[t] * p[3 * t];
            g += k[t] * p[3 * t + 1];
            b += k[t] * p[3 * t + 2];
        }
        to[3 * i] = at_weighed_byte(r);
        to[3 * i + 1] = at_weighed_byte(g);
        to[3 * i + 2] = at_weighed_byte(b);
    }
}

void at__resample_column(unsigned char *to, const unsigned char *from, size_t pitch, const at_axis *y, int i,
                         int64_t n)
{
    const int32_t *k = y->k + (int64_t)i * y->taps;
    for (int64_t j = 0; j < n; j++) {
        int32_t sum = AT_WEIGHT_HALF;
        for (int t = 0; t < y->count[i]; t++) sum += k[t] * from[(size_t)t * pitch + (size_t)j];
        to[j] = at_weighed_byte(sum);
    }
}

static void plain_horizontal(unsigned char *const *to, const unsigned char *const *from, const at_axis *x)
{
    at__resample_row(to[0], from[0], x);
}

static const at_resampler plain = {
    .name = "plain", .rows = 1, .horizontal = plain_horizontal, .vertical = at__resample_column};

static const at_resampler *choose(const at_ctx *ctx)
{
    const at_resampler *best = &plain, *r;
    int cursor = 0;
    while ((r = at_registry_next(ctx, "resampler", &cursor)))
        if (r->isa <= ctx->isa && r->isa >= best->isa) best = r;
    return best;
}

/* ---- Passes over pictures ---- */

typedef struct target {
    unsigned char *at;
    size_t pitch;
} target;

typedef struct source {
    const unsigned char *at, *end; /* first pixel, end of the memory */
    size_t pitch;
} source;

static source inside(source s, int x, int y)
{
    s.at += (size_t)y * s.pitch + 3 * (size_t)x;
    return s;
}

/* Rows 0..n-1, in groups. A group that reaches beyond the end is filled up with copies of the last row, which
 * go to waste; a row whose slack would leave the memory is read from a copy. */
static at_status horizontal_pass(at_ctx *ctx, const at_resampler *r, target to, source from, int n,
                                 const at_axis *x)
{
    const size_t bytes = 3 * (size_t)x->used, room = bytes + AT_ROW_SLACK;
    unsigned char *spare = at_alloc(ctx, room * (size_t)r->rows + 3 * (size_t)x->n);
    if (!spare) return AT_E_NOMEM;
    unsigned char *waste = spare + room * (size_t)r->rows;
    for (int y = 0; y < n; y += r->rows) {
        const unsigned char *in[AT_RESAMPLER_ROWS];
        unsigned char *out[AT_RESAMPLER_ROWS];
        for (int i = 0; i < r->rows; i++) {
            in[i] = from.at + (size_t)at_min(y + i, n - 1) * from.pitch;
            out[i] = y + i < n ? to.at + (size_t)(y + i) * to.pitch : waste;
            if ((size_t)(from.end - in[i]) < room) in[i] = memcpy(spare + room * (size_t)i, in[i], bytes);
        }
        r->horizontal(out, in, x);
    }
    at_free(ctx, spare);
    return AT_OK;
}

static void vertical_pass(const at_resampler *r, target to, source from, int width, const at_axis *y)
{
    for (int i = 0; i < y->n; i++)
        r->vertical(to.at + (size_t)i * to.pitch, from.at + (size_t)y->first[i] * from.pitch, from.pitch, y,
                    i, 3 * (int64_t)width);
}

static void pick_nearest(target to, source from, const at_axis *x, const at_axis *y)
{
    for (int i = 0; i < y->n; i++) {
        const unsigned char *row = from.at + (size_t)y->first[i] * from.pitch;
        unsigned char *out = to.at + (size_t)i * to.pitch;
        for (int j = 0; j < x->n; j++)
            for (int c = 0; c < 3; c++) out[3 * j + c] = row[3 * x->first[j] + c];
    }
}

/* ---- A resize ---- */

/* Pillow (from 13 on) takes the vertical pass first where it takes away more than twice as many pixels. */
static bool vertical_first(const at_image *in, const at_resize_part *p)
{
    return in->height > p->height && in->height - p->height > 2 * (in->width - p->width);
}

/* What lies between the passes is never larger than the larger of the two pictures: the vertical pass comes
 * first where it shrinks and the horizontal one does not. */
static at_status both_passes(at_ctx *ctx, const at_resampler *r, target to, source from, const at_axis *x,
                             const at_axis *y, bool down_first)
{
    const int width = down_first ? x->used : x->n, height = down_first ? y->n : y->used;
    const size_t pitch = 3 * (size_t)width, bytes = pitch * (size_t)height;
    unsigned char *between = at_alloc(ctx, bytes);
    if (!between) return AT_E_NOMEM;
    const target half = {between, pitch};
    const source rest = {between, between + bytes, pitch};
    at_status status = AT_OK;
    if (down_first) {
        vertical_pass(r, half, from, width, y);
        status = horizontal_pass(ctx, r, to, rest, height, x);
    } else {
        status = horizontal_pass(ctx, r, half, from, height, x);
        if (status == AT_OK) vertical_pass(r, to, rest, width, y);
    }
    at_free(ctx, between);
    return status;
}

static void copy_part(target to, source from, const at_resize_part *p)
{
    for (int y = 0; y < p->part_height; y++)
        memcpy(to.at + (size_t)y * to.pitch, from.at + (size_t)y * from.pitch, 3 * (size_t)p->part_width);
}

static at_status apply(at_ctx *ctx, target to, const at_image *in, const at_resize_part *p, const at_axis *x,
                       const at_axis *y)
{
    const at_resampler *r = choose(ctx);
    const size_t pitch = 3 * (size_t)in->width;
    const source from = {in->rgb, in->rgb + pitch * (size_t)in->height, pitch};
    if (p->width == in->width && p->height == in->height)
        copy_part(to, inside(from, p->x, p->y), p);
    else if (p->filter == AT_NEAREST)
        pick_nearest(to, inside(from, x->low, y->low), x, y);
    else if (p->width == in->width)
        vertical_pass(r, to, inside(from, p->x, y->low), p->part_width, y);
    else if (p->height == in->height)
        return horizontal_pass(ctx, r, to, inside(from, x->low, p->y), p->part_height, x);
    else
        return both_passes(ctx, r, to, inside(from, x->low, y->low), x, y, vertical_first(in, p));
    return AT_OK;
}

at_status at__resize_check(at_ctx *ctx, int64_t width, int64_t height)
{
    AT_REQUIRE(ctx,
               width > 0 && height > 0 && width <= AT_IMAGE_SIDE && height <= AT_IMAGE_SIDE &&
                   width * height <= AT_IMAGE_PIXELS,
               AT_E_RANGE, "resize to %lld x %lld: sides must be 1..%d, with at most %d pixels in all",
               (long long)width, (long long)height, (int)AT_IMAGE_SIDE, (int)AT_IMAGE_PIXELS);
    return AT_OK;
}

at_status at__resize_part(at_ctx *ctx, unsigned char *to, size_t pitch, const at_image *in,
                          const at_resize_part *p)
{
    at_axis x, y = {0};
    at_status status = at__axis_init(ctx, &x, in->width, p->width, p->x, p->part_width, p->filter);
    if (status == AT_OK)
        status = at__axis_init(ctx, &y, in->height, p->height, p->y, p->part_height, p->filter);
    if (status == AT_OK) status = apply(ctx, (target){to, pitch}, in, p, &x, &y);
    at__axis_deinit(ctx, &y);
    at__axis_deinit(ctx, &x);
    return status;
}

at_status at_image_resize(at_ctx *ctx, at_image *out, const at_image *in, int width, int height,
                          at_filter filter)
{
    *out = (at_image){0};
    AT_REQUIRE(ctx, filter >= AT_NEAREST && filter <= AT_HAMMING, AT_E_ARG,
               "resize: no filter %d; 0..5 exist", (int)filter);
    AT_TRY(at__resize_check(ctx, width, height));
    unsigned char *rgb = at_alloc_array(ctx, (int64_t)width * height, 3);
    if (!rgb) return AT_E_NOMEM;
    const at_resize_part whole = {width, height, 0, 0, width, height, filter};
    const at_status status = at__resize_part(ctx, rgb, 3 * (size_t)width, in, &whole);
    if (status != AT_OK) {
        at_free(ctx, rgb);
        return status;
    }
    *out = (at_image){width, height, rgb};
    return AT_OK;
}
