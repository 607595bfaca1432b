/* noise.c: samples that are made up; each depends on (seed, sample, column) alone. */
#include "data/noise.h"
#include "base/rng.h"

typedef struct noise {
    at_dataset base;
    uint64_t below;
} noise;

/* Uniform in [-sqrt 3, sqrt 3): mean 0, variance 1. */
static void fill_floats(float *x, int64_t n, at_rng_key key, uint64_t sample, uint32_t column)
{
    uint32_t word[4];
    for (int64_t i = 0; i < n; i++) {
        if (i % 4 == 0) at_rng_block(word, key, sample, column, (uint32_t)(i / 4));
        x[i] = (float)word[i % 4] * (float)(2 * 1.7320508 / 4294967296.0) - 1.7320508f;
    }
}

static at_status fill(at_ctx *ctx, const at_dataset *d, int64_t sample, const at_fill *how, void *const *out)
{
    (void)ctx;
    const at_rng_key key = at_rng_make(how->seed, at_hash_name("noise"), 0);
    for (int c = 0; c < d->n_columns; c++) {
        const int64_t n = at_column_count(&d->columns[c]);
        if (!out[c]) continue;
        if (d->columns[c].dtype == AT_F32)
            fill_floats(out[c], n, key, (uint64_t)sample, (uint32_t)c);
        else
            for (int64_t i = 0; i < n; i++)
                ((int32_t *)out[c])[i] = (int32_t)at_rng_below(key, (uint64_t)sample, (uint32_t)c,
                                                               (uint32_t)i, ((const noise *)d)->below);
    }
    return AT_OK;
}

static void close_noise(at_ctx *ctx, at_dataset *d)
{
    at_free(ctx, d);
}

at_status at_noise_create(at_dataset **out, at_ctx *ctx, const at_column *columns, int n_columns, int64_t n,
                          uint64_t below)
{
    noise *d;
    AT_NEW(ctx, d, 1);
    d->base = (at_dataset){.n = n, .n_columns = n_columns, .fill = fill, .close = close_noise};
    memcpy(d->base.columns, columns, (size_t)n_columns * sizeof *columns);
    d->below = below;
    *out = &d->base;
    return AT_OK;
}
