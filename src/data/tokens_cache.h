/* tokens_cache.h: tokens that an earlier run has left. Layer: data, private to tokens.c. */
#ifndef AT_TOKENS_CACHE_H
#define AT_TOKENS_CACHE_H

#include "formats/cache.h"

/* The tokens of some sequences, end to end, as tokens.c has them. */
typedef struct at_kept_tokens {
    at_safetensors *file; /* where they are mapped from; to be closed */
    int64_t sequences, cut;
    const int64_t *start; /* [sequences + 1] */
    const int32_t *ids, *types;
    const int32_t *words; /* NULL = none are kept */
} at_kept_tokens;

/* Those of a file; false when it is missing, or not what was written. out->sequences says how many there must
 * be. */
bool at__tokens_find(at_ctx *ctx, at_kept_tokens *out, const char *path, bool words);

/* As at_cache_keep. */
at_status at__tokens_keep(at_ctx *ctx, char lost[AT_CACHE_LOST], const char *path,
                          const at_kept_tokens *k) AT_MUST_USE;

#endif
