/* rng.h: counter-based random numbers (Philox4x32-10; Salmon, Moraes, Dror, Shaw 2011).
 * A draw is a pure function of its key, so nothing that reorders work changes it. Layer: base. */
#ifndef AT_RNG_H
#define AT_RNG_H

#include "base/base.h"

typedef struct at_rng_key {
    uint32_t k[2];
} at_rng_key;

/* Key of a place: run seed, site name hash, attempt (or epoch). */
at_rng_key at_rng_make(uint64_t seed, uint64_t site, uint64_t attempt);

/* Four 32-bit words for counter (index, occurrence, sample). */
void at_rng_block(uint32_t out[4], at_rng_key key, uint64_t sample, uint32_t occurrence, uint32_t index);

/* Word number `index` of the stream (sample, occurrence). */
static inline uint32_t at_rng_u32(at_rng_key key, uint64_t sample, uint32_t occurrence, uint64_t index)
{
    uint32_t block[4];
    at_rng_block(block, key, sample, occurrence, (uint32_t)(index >> 2));
    return block[index & 3];
}

/* Uniform in [0, 1) with 24 bits. */
static inline double at_rng_uniform(at_rng_key key, uint64_t sample, uint32_t occurrence, uint64_t index)
{
    return (at_rng_u32(key, sample, occurrence, index) >> 8) * 0x1p-24;
}

/* Standard normal (Box-Muller, one of the pair), double precision. */
double at_rng_normal(at_rng_key key, uint64_t sample, uint32_t occurrence, uint64_t index);

/* Uniform integer in [0, n), n <= 2^32, unbiased enough for shuffles (multiply-shift, bias below n / 2^64).
 */
uint64_t at_rng_below(at_rng_key key, uint64_t sample, uint32_t occurrence, uint64_t index, uint64_t n);

#endif
