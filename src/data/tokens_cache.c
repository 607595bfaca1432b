/* tokens_cache.c: tokens as a file of the cache: start, ids, types, words of tagged sentences, and `about`,
 * which is how many sequences were cut and the SHA-256 of it all: a bit that has changed is found. */
#include "data/tokens_cache.h"

enum { ABOUT = 8 + AT_DIGEST_BYTES, MOST = 5 };

/* The file's tensors but `about`; returns how many. */
static int tensors_of(at_tensor out[MOST], const at_kept_tokens *k)
{
    const int64_t rows = k->start[k->sequences];
    int n = 0;
    out[n++] =
        (at_tensor){.name = "start", .dtype = AT_I64, .rank = 1, .dim = {k->sequences + 1}, .data = k->start};
    out[n++] = (at_tensor){.name = "ids", .dtype = AT_I32, .rank = 1, .dim = {rows}, .data = k->ids};
    out[n++] = (at_tensor){.name = "types", .dtype = AT_I32, .rank = 1, .dim = {rows}, .data = k->types};
    if (k->words)
        out[n++] = (at_tensor){.name = "words", .dtype = AT_I32, .rank = 1, .dim = {rows}, .data = k->words};
    return n;
}

static void describe(uint8_t about[ABOUT], const at_kept_tokens *k)
{
    at_tensor tensors[MOST];
    at_digest d;
    at_digest_init(&d);
    memcpy(about, &k->cut, sizeof k->cut);
    at_digest_add(&d, about, sizeof k->cut);
    const int n = tensors_of(tensors, k);
    for (int i = 0; i < n; i++)
        at_digest_add(&d, tensors[i].data, (size_t)tensors[i].dim[0] * at_dtype_size(tensors[i].dtype));
    at_digest_end(&d, about + 8);
}

/* NULL: it is missing, or another. */
static const void *data_of(const at_safetensors *f, const char *name, at_dtype dtype, int64_t n)
{
    const at_tensor *t = at_safetensors_find(f, name);
    return t && t->dtype == dtype && t->rank == 1 && t->dim[0] == n ? t->data : NULL;
}

static bool take(at_kept_tokens *out, bool words)
{
    uint8_t about[ABOUT];
    const void *said = data_of(out->file, "about", AT_U8, ABOUT);
    out->start = data_of(out->file, "start", AT_I64, out->sequences + 1);
    if (!said || !out->start) return false;
    const int64_t rows = out->start[out->sequences];
    out->ids = data_of(out->file, "ids", AT_I32, rows);
    out->types = data_of(out->file, "types", AT_I32, rows);
    out->words = words ? data_of(out->file, "words", AT_I32, rows) : NULL;
    if (!out->ids || !out->types || (words && !out->words)) return false;
    memcpy(&out->cut, said, sizeof out->cut);
    describe(about, out);
    return memcmp(about, said, ABOUT) == 0;
}

bool at__tokens_find(at_ctx *ctx, at_kept_tokens *out, const char *path, bool words)
{
    out->file = at_cache_open(ctx, path);
    if (out->file && take(out, words)) return true;
    at_safetensors_close(ctx, out->file);
    out->file = NULL;
    return false;
}

at_status at__tokens_keep(at_ctx *ctx, char lost[AT_CACHE_LOST], const char *path, const at_kept_tokens *k)
{
    at_tensor tensors[MOST];
    uint8_t about[ABOUT];
    int n = tensors_of(tensors, k);
    describe(about, k);
    tensors[n++] = (at_tensor){.name = "about", .dtype = AT_U8, .rank = 1, .dim = {ABOUT}, .data = about};
    return at_cache_keep(ctx, lost, path, tensors, n);
}
