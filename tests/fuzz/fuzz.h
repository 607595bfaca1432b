/* fuzz.h: what the fuzz targets share. A target NAME_fuzz.c defines LLVMFuzzerTestOneInput; tools/fuzz runs
 * it under libFuzzer, and the build links it with replay.c into a plain program that runs the corpus as a
 * test. */
#ifndef AT_FUZZ_H
#define AT_FUZZ_H

#include "formats/tree.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A property that every input must keep; where it fails, the fuzzer stops and keeps the input. */
#define AT_MUST(cond)                                                                                        \
    do {                                                                                                     \
        if (!(cond)) __builtin_trap();                                                                       \
    } while (0)

static inline at_ctx *at_fuzz_begin(void)
{
    at_ctx *ctx;
    AT_MUST(at_ctx_create(&ctx, &(at_ctx_options){.threads = 1}) == AT_OK);
    return ctx;
}

/* A refusal has a message and one of the codes that say what is wrong with a file. */
static inline void at_fuzz_end(at_ctx *ctx, at_status status)
{
    AT_MUST(status == AT_OK || status == AT_E_FORMAT || status == AT_E_UNSUPPORTED);
    AT_MUST((status == AT_OK) == (*at_last_error(ctx) == '\0'));
    AT_MUST(ctx->alloc.live == 0);
    at_ctx_destroy(ctx);
}

#endif
