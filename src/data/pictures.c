/* pictures.c: photos as samples: read, decode, fit, keep, augment, normalise. */
#include "data/pictures.h"

typedef struct pictures {
    at_dataset base;
    const at_photo_set *photos;
    int32_t *index;
    at_picture_options o;
    int width, height;
    at_block kept; /* [n_kept, height, width, 3] decoded bytes of the first samples */
    int64_t n_kept;
    unsigned char *is_kept; /* [n_kept] 1 = valid; set once by whoever decoded it */
} pictures;

static const at_photo *photo_of(const pictures *p, int64_t sample)
{
    return &p->photos->photos[p->index[sample]];
}

static size_t picture_bytes(const pictures *p)
{
    return (size_t)p->width * (size_t)p->height * 3;
}

/* The fitted picture of a sample: from memory, or decoded (and kept for the next time when there is room). */
static at_status fitted(at_ctx *ctx, pictures *p, int64_t sample, bool again, at_image *out)
{
    unsigned char *kept =
        sample < p->n_kept ? (unsigned char *)p->kept.data + (size_t)sample * picture_bytes(p) : NULL;
    if (kept && __atomic_load_n(&p->is_kept[sample], __ATOMIC_ACQUIRE)) {
        *out = (at_image){p->width, p->height, at_alloc(ctx, picture_bytes(p))};
        if (!out->rgb) return AT_E_NOMEM;
        memcpy(out->rgb, kept, picture_bytes(p));
        return AT_OK;
    }
    at_image whole;
    at_status s = at_image_read(ctx, &whole, photo_of(p, sample)->path);
    if (s != AT_OK) return s == AT_E_RANGE ? AT_E_FORMAT : s; /* of the data, not of an argument */
    s = at_preprocess_fit(ctx, out, p->o.preprocess, &whole);
    at_image_deinit(ctx, &whole);
    if (s == AT_OK && kept && again) {
        memcpy(kept, out->rgb, picture_bytes(p));
        __atomic_store_n(&p->is_kept[sample], 1, __ATOMIC_RELEASE);
    }
    return s;
}

static at_status fill(at_ctx *ctx, const at_dataset *d, int64_t sample, const at_fill *how, void *const *out)
{
    pictures *p = (pictures *)(uintptr_t)d; /* what is kept changes, what is seen does not */
    at_image image;
    if (p->o.labels && out[1]) *(int32_t *)out[1] = photo_of(p, sample)->label;
    if (!out[0]) return AT_OK;
    AT_TRY(fitted(ctx, p, sample, how->again, &image));
    at_status s = AT_OK;
    if (how->augment && p->o.augment)
        s = at_augment_apply(ctx, p->o.augment, &image, how->seed, how->epoch, (uint64_t)sample);
    if (s == AT_OK) at_preprocess_normalise(out[0], p->o.preprocess, &image);
    at_image_deinit(ctx, &image);
    return s;
}

static void hold(at_dataset *d)
{
    const pictures *p = (const pictures *)d;
    if (p->n_kept) memset(p->kept.data, 0, p->kept.bytes);
}

static const char *name(const at_dataset *d, int64_t sample)
{
    return photo_of((const pictures *)d, sample)->path;
}

static void digest(const at_dataset *d, at_digest *out)
{
    const pictures *p = (const pictures *)d;
    const at_preprocess *f = p->o.preprocess;
    const int32_t whole[] = {f->resize,     f->shortest_edge, f->resize_width, f->resize_height,  f->crop,
                             f->crop_width, f->crop_height,   f->crop_rounds,  (int32_t)f->filter};
    at_digest_add(out, whole, sizeof whole);
    at_digest_add(out, &f->rescale, sizeof f->rescale);
    at_digest_add(out, f->mean, sizeof f->mean);
    at_digest_add(out, f->std, sizeof f->std);
    for (int64_t i = 0; i < d->n; i++) at_digest_add(out, photo_of(p, i)->digest, AT_DIGEST_BYTES);
}

static void close(at_ctx *ctx, at_dataset *d)
{
    pictures *p = (pictures *)d;
    at_block_unmap(ctx, &p->kept);
    at_free(ctx, p->is_kept);
    at_free(ctx, p->index);
    at_free(ctx, p);
}

static at_status setup(at_ctx *ctx, pictures *p, const int32_t *index, int64_t n)
{
    at_preprocess_size(p->o.preprocess, &p->width, &p->height);
    AT_REQUIRE(ctx, p->width > 0 && p->height > 0, AT_E_UNSUPPORTED,
               "the preprocessing gives pictures of no fixed size; a network needs one (crop_size or size)");
    AT_NEW(ctx, p->index, n);
    memcpy(p->index, index, (size_t)n * sizeof *index);
    p->n_kept = at_min(n, (int64_t)(p->o.memory / picture_bytes(p)));
    AT_NEW(ctx, p->is_kept, p->n_kept);
    AT_TRY(at_block_map(ctx, &p->kept, (size_t)p->n_kept * picture_bytes(p)));
    p->base.columns[0] =
        (at_column){.name = "pixel_values", .dtype = AT_F32, .rank = 3, .dim = {p->height, p->width, 3}};
    p->base.columns[1] = (at_column){.name = "labels", .dtype = AT_I32};
    p->base.n_columns = p->o.labels ? 2 : 1;
    return AT_OK;
}

at_status at_pictures_create(at_dataset **out, at_ctx *ctx, const at_photo_set *photos, const int32_t *index,
                             int64_t n, const at_picture_options *options)
{
    *out = NULL;
    pictures *p;
    AT_NEW(ctx, p, 1);
    p->base =
        (at_dataset){.n = n, .fill = fill, .name = name, .hold = hold, .digest = digest, .close = close};
    p->photos = photos;
    p->o = *options;
    const at_status s = setup(ctx, p, index, n);
    if (s != AT_OK) {
        close(ctx, &p->base);
        return s;
    }
    *out = &p->base;
    return AT_OK;
}
