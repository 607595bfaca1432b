/* photos_split.c: the part of photos.h that looks at contents: hashes, and by them
 * duplicates (contents.c, which makes shares, too). Layer: data. */
#include "data/photos.h"
#include "formats/image.h"

/* ---- Hashes ---- */

static at_status hash_file(at_ctx *ctx, at_photo *p)
{
    char *bytes;
    size_t n;
    AT_TRY(at_file_read(ctx, &bytes, &n, p->path, AT_IMAGE_BYTES));
    at_digest d;
    at_digest_init(&d);
    at_digest_add(&d, bytes, n);
    at_digest_end(&d, p->digest);
    p->hashed = true;
    at_free(ctx, bytes);
    return AT_OK;
}

/* What the set's contents are; they point into its photos, which stay where they are from now on. */
static at_status list_contents(at_photo_set *s)
{
    at_contents c = {.n = s->n,
                     .n_labels = s->n_classes,
                     .source = s->folder,
                     .noun = "photo",
                     .holder = "folder",
                     .classes = s->classes};
    c.items = at_arena_alloc(&s->arena, (size_t)s->n * sizeof *c.items);
    if (!c.items) return AT_E_NOMEM;
    for (int64_t i = 0; i < s->n; i++) c.items[i] = (at_content){s->photos[i].label, s->photos[i].digest};
    AT_TRY(at_contents_sort(&s->arena, &c));
    s->contents = c;
    return AT_OK;
}

at_status at_photos_hash(at_ctx *ctx, at_photo_set *s)
{
    for (int64_t i = 0; i < s->n; i++)
        if (!s->photos[i].hashed) AT_TRY(hash_file(ctx, &s->photos[i]));
    return s->contents.by_digest ? AT_OK : list_contents(s);
}

/* ---- Headers ---- */

static at_status probe(at_ctx *ctx, const char *path)
{
    int width, height;
    at_file f;
    AT_TRY(at_file_map(ctx, &f, path));
    const at_status status = at_image_probe(ctx, &width, &height, f.data, f.size, path);
    at_file_unmap(ctx, &f);
    return status == AT_E_RANGE ? AT_E_FORMAT : status; /* of the data, not of an argument */
}

at_status at_photos_probe(at_ctx *ctx, const at_photo_set *s)
{
    for (int64_t i = 0; i < s->n; i++) AT_TRY(probe(ctx, s->photos[i].path));
    return AT_OK;
}

/* ---- Duplicates ---- */

typedef struct pair_report {
    const at_photo_set *a, *b;
    void (*report)(void *data, const char *path_a, const char *path_b);
    void *data;
} pair_report;

static void report_pair(void *data, int64_t i, int64_t j)
{
    const pair_report *r = data;
    if (r->report) r->report(r->data, r->a->photos[i].path, r->b->photos[j].path);
}

int64_t at_photos_duplicates(const at_photo_set *a, const at_photo_set *b,
                             void (*report)(void *data, const char *path_a, const char *path_b), void *data)
{
    return at_contents_duplicates(&a->contents, &b->contents, report_pair,
                                  &(pair_report){a, b, report, data});
}
