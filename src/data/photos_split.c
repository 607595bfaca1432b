/* photos_split.c: the part of photos.h that looks at contents: hashes, stratified shares, duplicates. Layer:
 * data. A share is chosen among contents, not files: all files of one content, in whatever class, go to the
 * same side, and neither names nor the order of files matter. */
#include "data/photos.h"
#include "formats/image.h"
#include <stdlib.h>

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

static int compare_contents(const at_photo *a, const at_photo *b)
{
    return memcmp(a->digest, b->digest, AT_DIGEST_BYTES);
}

/* Equal ones in the order of the set, so that the result does not depend on the sorting algorithm. */
static int by_digest(const void *a, const void *b)
{
    const at_photo *x = *(const at_photo *const *)a, *y = *(const at_photo *const *)b;
    const int order = compare_contents(x, y);
    return order ? order : (x > y) - (x < y);
}

at_status at_photos_hash(at_ctx *ctx, at_photo_set *s)
{
    for (int64_t i = 0; i < s->n; i++)
        if (!s->photos[i].hashed) AT_TRY(hash_file(ctx, &s->photos[i]));
    if (s->by_digest) return AT_OK;
    const at_photo **sorted = at_arena_alloc(&s->arena, (size_t)s->n * sizeof *sorted);
    if (!sorted) return AT_E_NOMEM;
    for (int64_t i = 0; i < s->n; i++) sorted[i] = &s->photos[i];
    qsort(sorted, (size_t)s->n, sizeof *sorted, by_digest);
    s->by_digest = sorted;
    return AT_OK;
}

/* How many photos from by_digest[i] on have the same content. */
static int64_t run_length(const at_photo_set *s, int64_t i)
{
    int64_t n = 1;
    while (i + n < s->n && compare_contents(s->by_digest[i], s->by_digest[i + n]) == 0) n++;
    return n;
}

/* ---- Shares ---- */

/* The photos of one content: by_digest[first], ... */
typedef struct content {
    uint64_t key; /* contents are tried in this order */
    int64_t first, n;
} content;

typedef struct tally {
    int64_t photos, wanted, taken; /* of one class */
    int64_t more;                  /* that the content under test would add */
} tally;

typedef struct splitter {
    const at_photo_set *set;
    const bool *taken; /* by another share: not to be chosen; NULL = none */
    content *contents;
    int64_t n;
    tally *classes;
    bool *in_share;
} splitter;

static uint64_t shuffled(const uint8_t digest[AT_DIGEST_BYTES], uint64_t seed)
{
    uint8_t bytes[8], hash[AT_DIGEST_BYTES];
    for (int i = 0; i < 8; i++) bytes[i] = (uint8_t)(seed >> (8 * i));
    at_digest d;
    at_digest_init(&d);
    at_digest_add(&d, bytes, sizeof bytes);
    at_digest_add(&d, digest, AT_DIGEST_BYTES);
    at_digest_end(&d, hash);
    uint64_t key = 0;
    for (int i = 0; i < 8; i++) key = key << 8 | hash[i];
    return key;
}

static int by_key(const void *a, const void *b)
{
    const content *x = a, *y = b;
    return x->key != y->key ? (x->key > y->key) - (x->key < y->key)
                            : (x->first > y->first) - (x->first < y->first);
}

/* Equal files are on one side, so that the first speaks for all. */
static bool is_taken(const splitter *p, const at_photo *photo)
{
    return p->taken && p->taken[photo - p->set->photos];
}

static void find_contents(splitter *p, uint64_t seed)
{
    const at_photo_set *s = p->set;
    for (int64_t i = 0, n; i < s->n; i += n) {
        n = run_length(s, i);
        if (!is_taken(p, s->by_digest[i]))
            p->contents[p->n++] = (content){shuffled(s->by_digest[i]->digest, seed), i, n};
    }
    qsort(p->contents, (size_t)p->n, sizeof *p->contents, by_key);
}

/* Take a content if no class then has more than its limit: the share wanted, or (all_but_one) what leaves a
 * photo. */
static bool take(splitter *p, const content *c, bool all_but_one)
{
    const at_photo *const *photos = p->set->by_digest + c->first;
    bool fits = true;
    for (int64_t i = 0; i < c->n; i++) {
        tally *t = &p->classes[photos[i]->label];
        t->more++;
        fits = fits && t->taken + t->more <= (all_but_one ? t->photos - 1 : t->wanted);
    }
    for (int64_t i = 0; i < c->n; i++) {
        tally *t = &p->classes[photos[i]->label];
        t->taken += fits ? t->more : 0;
        t->more = 0;
        if (fits) p->in_share[photos[i] - p->set->photos] = true;
    }
    return fits;
}

static bool has_class(const splitter *p, const content *c, int label)
{
    for (int64_t i = 0; i < c->n; i++)
        if (p->set->by_digest[c->first + i]->label == label) return true;
    return false;
}

/* Contents in their order as long as they fit; then a class that got none gets the first that leaves it a
 * photo. */
static at_status choose(at_ctx *ctx, splitter *p)
{
    const at_photo_set *s = p->set;
    for (int64_t i = 0; i < p->n; i++) take(p, &p->contents[i], false);
    for (int label = 0; label < s->n_classes; label++) {
        const tally *t = &p->classes[label];
        for (int64_t i = 0; i < p->n && t->photos && !t->taken; i++)
            if (has_class(p, &p->contents[i], label)) take(p, &p->contents[i], true);
        AT_REQUIRE(
            ctx, t->taken || !t->photos, AT_E_FORMAT,
            "%s: class %s cannot be split: its %lld photos have too few different contents; add photos, or "
            "give a folder of its own for validation",
            s->folder, s->classes[label], (long long)t->photos);
    }
    return AT_OK;
}

static at_status count_classes(at_ctx *ctx, splitter *p, double share)
{
    const at_photo_set *s = p->set;
    for (int64_t i = 0; i < s->n; i++) {
        tally *t = &p->classes[s->photos[i].label];
        t->wanted++;
        if (!is_taken(p, &s->photos[i])) t->photos++;
    }
    for (int label = 0; label < s->n_classes; label++) {
        tally *t = &p->classes[label];
        AT_REQUIRE(
            ctx, t->photos != 1, AT_E_FORMAT,
            "%s: class %s has one photo, which cannot be split; add photos, or give a folder of its own for "
            "validation",
            s->folder, s->classes[label]);
        t->wanted = at_min(at_max((int64_t)(share * (double)t->wanted + 0.5), 1), t->photos - 1);
    }
    return AT_OK;
}

at_status at_photos_split_rest(at_ctx *ctx, bool *in_share, at_photo_set *s, double share, uint64_t seed,
                               const bool *taken)
{
    AT_REQUIRE(ctx, share > 0 && share < 1, AT_E_RANGE,
               "a share of %g cannot be split off; it must be between 0 and 1", share);
    splitter p = {.set = s, .taken = taken};
    p.classes = at_alloc_array(ctx, s->n_classes, sizeof *p.classes);
    p.contents = at_alloc_array(ctx, s->n, sizeof *p.contents);
    p.in_share = at_alloc_array(ctx, s->n, sizeof *p.in_share);
    at_status status = p.classes && p.contents && p.in_share ? AT_OK : AT_E_NOMEM;
    if (status == AT_OK) status = count_classes(ctx, &p, share);
    if (status == AT_OK) status = at_photos_hash(ctx, s);
    if (status == AT_OK) {
        find_contents(&p, seed);
        status = choose(ctx, &p);
    }
    if (status == AT_OK) memcpy(in_share, p.in_share, (size_t)s->n * sizeof *in_share);
    at_free(ctx, p.in_share);
    at_free(ctx, p.contents);
    at_free(ctx, p.classes);
    return status;
}

at_status at_photos_split(at_ctx *ctx, bool *in_share, at_photo_set *s, double share, uint64_t seed)
{
    return at_photos_split_rest(ctx, in_share, s, share, seed, NULL);
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

int64_t at_photos_duplicates(const at_photo_set *a, const at_photo_set *b,
                             void (*report)(void *data, const char *path_a, const char *path_b), void *data)
{
    int64_t pairs = 0, i = 0, j = 0;
    while (i < a->n && j < b->n) {
        const int order = compare_contents(a->by_digest[i], b->by_digest[j]);
        const int64_t n = run_length(a, i), m = run_length(b, j);
        for (int64_t x = 0; x < n && order == 0; x++)
            for (int64_t y = 0; y < m; y++, pairs++)
                if (report) report(data, a->by_digest[i + x]->path, b->by_digest[j + y]->path);
        i += order <= 0 ? n : 0;
        j += order >= 0 ? m : 0;
    }
    return pairs;
}
