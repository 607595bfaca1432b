/* rng_simd.h: the random words of rng.h, many blocks at a time. For *_simd.c files. Layer: base.
 *
 * One block is four words, which lie one after another in the stream. A vector holds one counter in each
 * 64-bit lane, whose low half counts: the 32 x 32 -> 64 bit products of Philox then need no shuffling, and
 * what is left over in the high halves is never looked at. */
#ifndef AT_RNG_SIMD_H
#define AT_RNG_SIMD_H

#include "base/rng.h"
#include "base/simd.h"
#if defined(__SSE2__)
#include <emmintrin.h>
#endif

enum { AT_RNG_GROUP = 2 * VL }; /* words that one round of vectors makes; at_rng_fill writes whole groups */

typedef uint32_t vu32 __attribute__((vector_size(VL * 4), may_alias));
typedef uint32_t vu32_unaligned __attribute__((vector_size(VL * 4), aligned(4), may_alias));
typedef uint64_t vu64 __attribute__((vector_size(VL * 4), may_alias));
typedef uint64_t vu64_unaligned __attribute__((vector_size(VL * 4), aligned(4), may_alias));

static inline vu64 vu64_set(uint64_t x)
{
    return x + (vu64){0};
}

/* Products of the low halves. */
static inline vu64 vu64_product(vu64 a, vu64 b)
{
#if defined(__AVX512F__)
    return (vu64)_mm512_mul_epu32((__m512i)a, (__m512i)b);
#elif defined(AT_SIMD_AVX2)
    return (vu64)_mm256_mul_epu32((__m256i)a, (__m256i)b);
#elif defined(__SSE2__) && !defined(AT_EMULATE)
    return (vu64)_mm_mul_epu32((__m128i)a, (__m128i)b);
#else
    return (a & 0xffffffffu) * (b & 0xffffffffu);
#endif
}

/* Which block of a group each lane computes. vu64_even and vu64_odd take whole blocks (128 bits) from the
 * even lanes into the first vector and from the odd ones into the second: even lanes count 0, 1 .., odd ones
 * go on from there. */
static inline vu64 at_rng_counters(void)
{
    vu64 c;
    for (int l = 0; l < VL / 2; l++) c[l] = (uint64_t)(l % 2 * (VL / 4) + l / 2);
    return c;
}

/* Neighbouring lanes of a and b, even ones, then odd ones: two blocks' halves beside each other. */
static inline vu64 vu64_even(vu64 a, vu64 b)
{
#if defined(__AVX512F__)
    return (vu64)_mm512_unpacklo_epi64((__m512i)a, (__m512i)b);
#elif defined(AT_SIMD_AVX2)
    return (vu64)_mm256_unpacklo_epi64((__m256i)a, (__m256i)b);
#elif defined(AT_EMULATE)
    vu64 c;
    for (int l = 0; l < VL / 2; l++) c[l] = l % 2 ? b[l - 1] : a[l];
    return c;
#else
    return (vu64){a[0], b[0]};
#endif
}

static inline vu64 vu64_odd(vu64 a, vu64 b)
{
#if defined(__AVX512F__)
    return (vu64)_mm512_unpackhi_epi64((__m512i)a, (__m512i)b);
#elif defined(AT_SIMD_AVX2)
    return (vu64)_mm256_unpackhi_epi64((__m256i)a, (__m256i)b);
#elif defined(AT_EMULATE)
    vu64 c;
    for (int l = 0; l < VL / 2; l++) c[l] = l % 2 ? b[l] : a[l + 1];
    return c;
#else
    return (vu64){a[1], b[1]};
#endif
}

/* Words 4 block, 4 block + 1 ... of the stream (sample, occurrence), as at_rng_u32 gives them: n of them,
 * rounded up to whole groups. */
static inline void at_rng_fill(uint32_t *out, at_rng_key key, uint64_t sample, uint32_t occurrence,
                               uint64_t block, int64_t n)
{
    const vu64 m0 = vu64_set(0xD2511F53u), m1 = vu64_set(0xCD9E8D57u), low = vu64_set(0xffffffffu);
    vu64 counter = at_rng_counters() + vu64_set(block);
    for (int64_t i = 0; i < n; i += AT_RNG_GROUP) {
        vu64 c0 = counter, c1 = vu64_set(occurrence), c2 = vu64_set((uint32_t)sample),
             c3 = vu64_set(sample >> 32);
        uint32_t k0 = key.k[0], k1 = key.k[1];
        for (int round = 0; round < 10; round++) {
            const vu64 p0 = vu64_product(c0, m0), p1 = vu64_product(c2, m1);
            c0 = (p1 >> 32) ^ c1 ^ vu64_set(k0);
            c2 = (p0 >> 32) ^ c3 ^ vu64_set(k1);
            c1 = p1;
            c3 = p0;
            k0 += 0x9E3779B9u;
            k1 += 0xBB67AE85u;
        }
        const vu64 first = (c0 & low) | c1 << 32, second = (c2 & low) | c3 << 32;
        *(vu64_unaligned *)(out + i) = vu64_even(first, second);
        *(vu64_unaligned *)(out + i + VL) = vu64_odd(first, second);
        counter += vu64_set(AT_RNG_GROUP / 4);
    }
}

#endif
