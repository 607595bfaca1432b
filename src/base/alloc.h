/* alloc.h: the only door to memory. Three kinds of life:
 *  - small host objects: at_alloc / at_free, zeroed, counted, can be told to fail;
 *  - groups of objects that die together (a graph, a recipe): at_arena;
 *  - tensor memory: at_block, page-aligned, huge pages asked for, planned before the first step.
 * Layer: base. */
#ifndef AT_ALLOC_H
#define AT_ALLOC_H

#include "base/base.h"

/* Zeroed memory, or NULL with AT_E_NOMEM recorded in ctx. size 0 gives a valid pointer. */
void *at_alloc(at_ctx *ctx, size_t size);
void *at_realloc(at_ctx *ctx, void *old, size_t old_size,
                 size_t new_size); /* the new part is zeroed; old survives failure */
char *at_strdup(at_ctx *ctx, const char *text);
void at_free(at_ctx *ctx, void *p);

/* Set `p` to `count` zeroed objects of its type; AT_E_NOMEM goes to the caller. */
#define AT_NEW(ctx, p, count)                                                                                \
    do {                                                                                                     \
        if (!((p) = at_alloc_array((ctx), (count), sizeof *(p)))) return AT_E_NOMEM;                         \
    } while (0)

void *at_alloc_array(at_ctx *ctx, int64_t count, size_t size);

/* The context itself. */
void *at_bootstrap_alloc(size_t size);
void at_bootstrap_free(void *p);

/* ---- Arena: objects that die together ---- */

typedef struct at_arena {
    at_ctx *ctx;
    struct at_arena_chunk *chunks;
    size_t left;
    char *next;
} at_arena;

void at_arena_init(at_arena *a, at_ctx *ctx);
/* Zeroed, 16-byte aligned; size 0 gives a valid pointer. NULL with AT_E_NOMEM recorded. */
void *at_arena_alloc(at_arena *a, size_t size);
char *at_arena_strdup(at_arena *a, const char *text);
char *at_arena_printf(at_arena *a, const char *fmt, ...) AT_PRINTF(2, 3);
void at_arena_deinit(at_arena *a);

/* ---- Blocks: tensor memory ---- */

typedef struct at_block {
    void *data; /* NULL = none */
    size_t bytes;
} at_block;

/* Zeroed memory aligned to 4 KiB; 2 MiB pages are asked for from 4 MiB on. */
at_status at_block_map(at_ctx *ctx, at_block *out, size_t bytes) AT_MUST_USE;
void at_block_unmap(at_ctx *ctx, at_block *block);

/* Most of this part of a block will stay zero: only the 4 KiB pages that are written are to take memory. */
void at_block_expect_zeros(void *data, size_t bytes);

#endif
