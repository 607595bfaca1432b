/* tokens_cache.c: tokens as a file of the cache: start, cut (how many sequences were), ids, types, and words
 * of tagged sentences. */
#include "data/tokens_cache.h"

enum { MOST = 5 };

/* NULL: it is missing, or another. */
static const void *data_of(const at_safetensors *f, const char *name, at_dtype dtype, int64_t n)
{
    const at_tensor *t = at_safetensors_find(f, name);
    return t && t->dtype == dtype && t->rank == 1 && t->dim[0] == n ? t->data : NULL;
}

static bool take(at_kept_tokens *out, bool words)
{
    const void *cut = data_of(out->file, "cut", AT_I64, 1);
    out->start = data_of(out->file, "start", AT_I64, out->sequences + 1);
    if (!cut || !out->start) return false;
    const int64_t rows = out->start[out->sequences];
    out->ids = data_of(out->file, "ids", AT_I32, rows);
    out->types = data_of(out->file, "types", AT_I32, rows);
    out->words = words ? data_of(out->file, "words", AT_I32, rows) : NULL;
    if (!out->ids || !out->types || (words && !out->words)) return false;
    memcpy(&out->cut, cut, sizeof out->cut);
    return true;
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
    const int64_t rows = k->start[k->sequences];
    int n = 0;
    tensors[n++] =
        (at_tensor){.name = "start", .dtype = AT_I64, .rank = 1, .dim = {k->sequences + 1}, .data = k->start};
    tensors[n++] = (at_tensor){.name = "cut", .dtype = AT_I64, .rank = 1, .dim = {1}, .data = &k->cut};
    tensors[n++] = (at_tensor){.name = "ids", .dtype = AT_I32, .rank = 1, .dim = {rows}, .data = k->ids};
    tensors[n++] = (at_tensor){.name = "types", .dtype = AT_I32, .rank = 1, .dim = {rows}, .data = k->types};
    if (k->words)
        tensors[n++] =
            (at_tensor){.name = "words", .dtype = AT_I32, .rank = 1, .dim = {rows}, .data = k->words};
    return at_cache_keep(ctx, lost, path, tensors, n);
}
