/* cache.c: files of what could be computed again. Layer: formats. The last tensor of each is `digest`,
 * SHA-256 of the others. */
#include "formats/cache.h"
#include <stdio.h>

const char *at_cache_path(at_arena *a, const char *folder, const char *kind, at_digest *key)
{
    uint8_t bytes[AT_DIGEST_BYTES];
    char hex[AT_DIGEST_TEXT];
    at_digest_end(key, bytes);
    at_digest_hex(hex, bytes);
    return at_arena_printf(a, "%s/%s-%.40s.safetensors", folder, kind, hex);
}

/* ---- What is in a file ---- */

static void digest_of(uint8_t out[AT_DIGEST_BYTES], const at_tensor *tensors, int64_t n)
{
    at_digest d;
    at_digest_init(&d);
    for (const at_tensor *t = tensors; t < tensors + n; t++) {
        size_t bytes = at_dtype_size(t->dtype);
        for (int i = 0; i < t->rank; i++) bytes *= (size_t)t->dim[i];
        at_digest_add_text(&d, t->name);
        at_digest_add(&d, &t->dtype, sizeof t->dtype);
        at_digest_add(&d, t->dim, (size_t)t->rank * sizeof *t->dim);
        at_digest_add(&d, t->data, bytes);
    }
    at_digest_end(&d, out);
}

static bool is_whole(const at_safetensors *f)
{
    uint8_t digest[AT_DIGEST_BYTES];
    const at_tensor *last = f->n ? &f->tensors[f->n - 1] : NULL;
    if (!last || strcmp(last->name, "digest") != 0 || last->bytes != sizeof digest) return false;
    digest_of(digest, f->tensors, f->n - 1);
    return memcmp(digest, last->data, sizeof digest) == 0;
}

/* ---- Files ---- */

at_safetensors *at_cache_open(at_ctx *ctx, const char *path)
{
    at_safetensors *f;
    if (!at_path_exists(path)) return NULL;
    if (at_safetensors_open(&f, ctx, path) != AT_OK) at_clear_error(ctx);
    if (!f || is_whole(f)) return f;
    at_safetensors_close(ctx, f);
    return NULL;
}

static at_status write_tensors(at_ctx *ctx, const char *path, const at_tensor *tensors, int64_t n)
{
    uint8_t digest[AT_DIGEST_BYTES];
    at_tensor *all;
    AT_NEW(ctx, all, n + 1);
    memcpy(all, tensors, (size_t)n * sizeof *all);
    digest_of(digest, tensors, n);
    all[n] =
        (at_tensor){.name = "digest", .dtype = AT_U8, .rank = 1, .dim = {AT_DIGEST_BYTES}, .data = digest};
    const at_status s = at_safetensors_write(ctx, path, all, n + 1, NULL);
    at_free(ctx, all);
    return s;
}

static at_status write_file(at_ctx *ctx, const char *path, const at_tensor *tensors, int64_t n)
{
    char *folder;
    const size_t length = (size_t)(strrchr(path, '/') - path);
    AT_NEW(ctx, folder, (int64_t)length + 1);
    memcpy(folder, path, length);
    at_status s = at_folder_make(ctx, folder);
    at_free(ctx, folder);
    return s == AT_OK ? write_tensors(ctx, path, tensors, n) : s;
}

at_status at_cache_keep(at_ctx *ctx, char lost[AT_CACHE_LOST], const char *path, const at_tensor *tensors,
                        int64_t n)
{
    *lost = '\0';
    const at_status s = write_file(ctx, path, tensors, n);
    if (s == AT_OK || s == AT_E_NOMEM) return s;
    snprintf(lost, AT_CACHE_LOST, "%s", at_last_error(ctx));
    at_clear_error(ctx);
    return AT_OK;
}
