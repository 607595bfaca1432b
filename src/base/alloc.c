/* alloc.c: counted host memory, arenas, tensor blocks. The only file that calls malloc, free and mmap for
 * memory. */
#include "base/alloc.h"
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

static void fail_nomem(at_ctx *ctx)
{
    if (ctx->status != AT_OK) return;
    ctx->status = AT_E_NOMEM;
    static const char text[] = "out of memory; lower train.batch_size or --memory, or close other programs";
    memcpy(ctx->message, text, sizeof text);
}

static bool simulated_failure(at_ctx *ctx)
{
    ctx->alloc.calls++;
    return ctx->alloc.fail_at > 0 && --ctx->alloc.fail_at == 0;
}

void *at_alloc(at_ctx *ctx, size_t size)
{
    void *p = simulated_failure(ctx) ? NULL : calloc(1, size ? size : 1);
    if (!p) {
        fail_nomem(ctx);
        return NULL;
    }
    ctx->alloc.live++;
    return p;
}

void *at_alloc_array(at_ctx *ctx, int64_t count, size_t size)
{
    int64_t bytes;
    if (count < 0 || !at_mul_ok(&bytes, count, (int64_t)size)) {
        fail_nomem(ctx);
        return NULL;
    }
    return at_alloc(ctx, (size_t)bytes);
}

void *at_realloc(at_ctx *ctx, void *old, size_t old_size, size_t new_size)
{
    void *p = at_alloc(ctx, new_size);
    if (!p) return NULL;
    if (old) memcpy(p, old, old_size < new_size ? old_size : new_size);
    at_free(ctx, old);
    return p;
}

char *at_strdup(at_ctx *ctx, const char *text)
{
    const size_t n = strlen(text) + 1;
    char *copy = at_alloc(ctx, n);
    if (copy) memcpy(copy, text, n);
    return copy;
}

void at_free(at_ctx *ctx, void *p)
{
    if (!p) return;
    ctx->alloc.live--;
    free(p);
}

void *at_bootstrap_alloc(size_t size)
{
    return calloc(1, size);
}

void at_bootstrap_free(void *p)
{
    free(p);
}

/* ---- Arena ---- */

enum { CHUNK_BYTES = 64 << 10 };

struct at_arena_chunk {
    struct at_arena_chunk *older;
    _Alignas(16) char data[];
};

void at_arena_init(at_arena *a, at_ctx *ctx)
{
    *a = (at_arena){.ctx = ctx};
}

void *at_arena_alloc(at_arena *a, size_t size)
{
    if (size >
        SIZE_MAX / 2) { /* no object is that large; rounding and the chunk's head must not wrap around */
        fail_nomem(a->ctx);
        return NULL;
    }
    size = ((size ? size : 1) + 15) & ~(size_t)15; /* nothing has a place of its own, too, and is not NULL */
    if (size > a->left) {
        const size_t room = size > CHUNK_BYTES ? size : CHUNK_BYTES;
        struct at_arena_chunk *chunk = at_alloc(a->ctx, sizeof *chunk + room);
        if (!chunk) return NULL;
        chunk->older = a->chunks;
        a->chunks = chunk;
        a->next = chunk->data;
        a->left = room;
    }
    void *p = a->next;
    a->next += size;
    a->left -= size;
    return p;
}

char *at_arena_strdup(at_arena *a, const char *text)
{
    const size_t n = strlen(text) + 1;
    char *copy = at_arena_alloc(a, n);
    if (copy) memcpy(copy, text, n);
    return copy;
}

char *at_arena_printf(at_arena *a, const char *fmt, ...)
{
    va_list args, again;
    va_start(args, fmt);
    va_copy(again, args);
    const int n = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    char *text = n < 0 ? NULL : at_arena_alloc(a, (size_t)n + 1);
    if (text) vsnprintf(text, (size_t)n + 1, fmt, again);
    va_end(again);
    return text;
}

void at_arena_deinit(at_arena *a)
{
    while (a->chunks) {
        struct at_arena_chunk *older = a->chunks->older;
        at_free(a->ctx, a->chunks);
        a->chunks = older;
    }
    a->left = 0;
}

/* ---- Blocks ---- */

enum { HUGE_FROM = 4 << 20 }; /* bytes from which on 2 MiB pages are worth asking for */

at_status at_block_map(at_ctx *ctx, at_block *out, size_t bytes)
{
    *out = (at_block){0};
    if (bytes == 0) return AT_OK;
    void *p = simulated_failure(ctx)
                  ? MAP_FAILED
                  : mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) {
        fail_nomem(ctx);
        return AT_E_NOMEM;
    }
#ifdef MADV_HUGEPAGE
    if (bytes >= HUGE_FROM) madvise(p, bytes, MADV_HUGEPAGE); /* advice: a refusal costs speed only */
#endif
    *out = (at_block){p, bytes};
    ctx->alloc.live++;
    return AT_OK;
}

void at_block_unmap(at_ctx *ctx, at_block *block)
{
    if (!block->data) return;
    munmap(block->data, block->bytes);
    ctx->alloc.live--;
    *block = (at_block){0};
}

void at_block_expect_zeros(void *data, size_t bytes)
{
    enum { PAGE = 4096 };
    const uintptr_t begin = ((uintptr_t)data + PAGE - 1) / PAGE * PAGE,
                    end = ((uintptr_t)data + bytes) / PAGE * PAGE;
    if (bytes < HUGE_FROM) return; /* too little to be worth a mapping of its own */
#ifdef MADV_NOHUGEPAGE
    madvise((void *)begin, end - begin, MADV_NOHUGEPAGE); /* advice again */
#endif
}
