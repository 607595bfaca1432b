/* cache.c: files of what could be computed again. Layer: formats. */
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

at_safetensors *at_cache_open(at_ctx *ctx, const char *path)
{
    at_safetensors *f;
    if (!at_path_exists(path)) return NULL;
    if (at_safetensors_open(&f, ctx, path) != AT_OK) at_clear_error(ctx);
    return f;
}

static at_status write_file(at_ctx *ctx, const char *path, const at_tensor *tensors, int64_t n)
{
    char *folder;
    const size_t length = (size_t)(strrchr(path, '/') - path);
    AT_NEW(ctx, folder, (int64_t)length + 1);
    memcpy(folder, path, length);
    at_status s = at_folder_make(ctx, folder);
    at_free(ctx, folder);
    return s == AT_OK ? at_safetensors_write(ctx, path, tensors, n, NULL) : s;
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
