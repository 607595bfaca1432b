/* rng.c: Philox4x32-10 and the distributions drawn from it. */
#include "base/rng.h"
#include <math.h>

static uint64_t mix(uint64_t x) /* splitmix64 finaliser */
{
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

at_rng_key at_rng_make(uint64_t seed, uint64_t site, uint64_t attempt)
{
    const uint64_t k = mix(mix(mix(seed + 0x9e3779b97f4a7c15u) ^ site) + attempt);
    return (at_rng_key){{(uint32_t)k, (uint32_t)(k >> 32)}};
}

void at_rng_block(uint32_t out[4], at_rng_key key, uint64_t sample, uint32_t occurrence, uint32_t index)
{
    uint32_t c0 = index, c1 = occurrence, c2 = (uint32_t)sample, c3 = (uint32_t)(sample >> 32);
    uint32_t k0 = key.k[0], k1 = key.k[1];
    for (int round = 0; round < 10; round++) {
        const uint64_t p0 = (uint64_t)0xD2511F53u * c0, p1 = (uint64_t)0xCD9E8D57u * c2;
        const uint32_t n0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0, n2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c1 = (uint32_t)p1;
        c3 = (uint32_t)p0;
        c0 = n0;
        c2 = n2;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    out[0] = c0;
    out[1] = c1;
    out[2] = c2;
    out[3] = c3;
}

double at_rng_normal(at_rng_key key, uint64_t sample, uint32_t occurrence, uint64_t index)
{
    uint32_t b[4];
    at_rng_block(b, key, sample, occurrence, (uint32_t)index);
    const double u = ((double)b[0] + 1.0) * 0x1p-32; /* (0, 1] */
    const double v = (double)b[1] * 0x1p-32;
    return sqrt(-2.0 * log(u)) * cos(6.283185307179586 * v);
}

uint64_t at_rng_below(at_rng_key key, uint64_t sample, uint32_t occurrence, uint64_t index, uint64_t n)
{
    uint32_t b[4];
    at_rng_block(b, key, sample, occurrence, (uint32_t)index);
    /* x * n / 2^64 for a 64-bit x, in two halves: n <= 2^32 keeps them in range */
    return ((uint64_t)b[0] * n + ((uint64_t)b[1] * n >> 32)) >> 32;
}
