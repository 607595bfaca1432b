/* tokens_noise.c: texts that are made up: token ids drawn by (sample, place), all of one length. */
#include "base/rng.h"
#include "data/tokens.h"

typedef struct noise {
    at_dataset base;
    int64_t length, vocabulary, classes;
} noise;

static int64_t rows(const at_dataset *d, int64_t sample)
{
    (void)sample;
    return ((const noise *)d)->length;
}

static at_status fill(at_ctx *ctx, const at_dataset *d, int64_t sample, const at_fill *how, void *const *out)
{
    (void)ctx;
    const noise *t = (const noise *)d;
    const at_rng_key key = at_rng_make(how->seed, at_hash_name("noise"), 0);
    for (int64_t i = 0; i < t->length; i++) {
        if (out[0])
            ((int32_t *)out[0])[i] =
                (int32_t)at_rng_below(key, (uint64_t)sample, 0, (uint32_t)i, (uint64_t)t->vocabulary);
        if (out[1]) ((int32_t *)out[1])[i] = 0;
        if (out[2]) ((int32_t *)out[2])[i] = (int32_t)i;
        if (out[3]) ((int32_t *)out[3])[i] = at_token_row_id(sample, i);
    }
    if (out[4]) *(int32_t *)out[4] = (int32_t)at_rng_below(key, (uint64_t)sample, 1, 0, (uint64_t)t->classes);
    return AT_OK;
}

static void close(at_ctx *ctx, at_dataset *d)
{
    at_free(ctx, d);
}

at_status at_tokens_noise(at_dataset **out, at_ctx *ctx, int64_t n, int64_t length, int64_t vocabulary,
                          int64_t classes)
{
    noise *t;
    AT_NEW(ctx, t, 1);
    t->base = (at_dataset){.n = n, .max_rows = length, .rows = rows, .fill = fill, .close = close};
    at_token_columns(&t->base, &(at_column){.name = "labels", .dtype = AT_I32});
    t->length = length;
    t->vocabulary = vocabulary;
    t->classes = classes;
    *out = &t->base;
    return AT_OK;
}
