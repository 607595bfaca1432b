/* resize_isa.c: the passes of a resize with vectors of 32-bit sums. Layer: data; found by resize.c.
 * A weight has 23 bits and the multiplier takes 16, so it multiplies the weights' high and low digits apart,
 * two neighbouring inputs at once, and the sums join at the end. All is modulo 2^32 and the result fits, so
 * nothing is lost. Horizontal: a 128-bit lane is one row's R, G, B sums, so that rows share the weights of an
 * output pixel. Vertical: the sums of neighbouring bytes lie side by side. */
#include "base/simd.h"
#include "data/resample.h"

#ifdef __SSE2__

#if defined(__AVX512F__)
typedef __m512i wide;
#define W(op)        _mm512_##op
#define W_LOAD(p)    _mm512_loadu_si512(p)
#define W_STORE      _mm512_storeu_si512
#define W_DROP(x, n) _mm512_bsrli_epi128(x, n) /* the first n bytes of each lane */
#elif defined(__AVX2__)
typedef __m256i wide;
#define W(op)        _mm256_##op
#define W_LOAD(p)    _mm256_loadu_si256(p)
#define W_STORE      _mm256_storeu_si256
#define W_DROP(x, n) _mm256_bsrli_epi128(x, n)
#else
#include <emmintrin.h>
typedef __m128i wide;
#define W(op)        _mm_##op
#define W_LOAD(p)    _mm_loadu_si128(p)
#define W_STORE      _mm_storeu_si128
#define W_DROP(x, n) _mm_bsrli_si128(x, n)
#endif

enum {
    BYTES = VL * 4,                                    /* of a vector */
    LANES = VL / 4,                                    /* of 128 bits: rows in a vector */
    VECTORS = VL == 4 ? 2 : AT_RESAMPLER_ROWS / LANES, /* of sums that share weights */
    ROWS = LANES * VECTORS,
};

/* The sums of high and of low digits. */
typedef struct sums {
    wide high, low;
} sums;

static inline sums sums_begin(void)
{
    return (sums){W(set1_epi32)(0), W(set1_epi32)(AT_WEIGHT_HALF)};
}

/* pixels, weights: 16-bit pairs, the products of a pair go to one sum. */
static inline void sums_add(sums *s, wide pixels, wide high, wide low)
{
    s->high = W(add_epi32)(s->high, W(madd_epi16)(pixels, high));
    s->low = W(add_epi32)(s->low, W(madd_epi16)(pixels, low));
}

static inline wide sums_end(const sums *s)
{
    return W(srai_epi32)(W(add_epi32)(W(slli_epi32)(s->high, 8), s->low), AT_WEIGHT_BITS);
}

/* Two digits in every place. */
static inline wide pair_of(const int16_t *digits)
{
    int32_t pair;
    memcpy(&pair, digits, sizeof pair);
    return W(set1_epi32)(pair);
}

/* ---- Horizontal ---- */

static inline __m128i load_row(const unsigned char *row, int64_t offset)
{
    return _mm_loadu_si128((const void *)(row + offset));
}

/* 16 bytes from each row: a lane is a row. */
static inline wide load_rows(const unsigned char *const *row, int64_t offset)
{
    const __m128i a = load_row(row[0], offset);
#if defined(__AVX2__)
    const __m256i ab = _mm256_inserti128_si256(_mm256_castsi128_si256(a), load_row(row[1], offset), 1);
#endif
#if defined(__AVX512F__)
    const __m256i c = _mm256_castsi128_si256(load_row(row[2], offset));
    const __m256i cd = _mm256_inserti128_si256(c, load_row(row[3], offset), 1);
    return _mm512_inserti64x4(_mm512_castsi256_si512(ab), cd, 1);
#elif defined(__AVX2__)
    return ab;
#else
    return a;
#endif
}

/* R0 R1 G0 G1 B0 B1 as 16-bit words, and two of no use, of the first two pixels in each lane. */
static inline wide pixel_pair(wide pixels)
{
    const wide next = W_DROP(pixels, 3);
    return W(unpacklo_epi8)(W(unpacklo_epi8)(pixels, next), W(set1_epi32)(0));
}

/* Output pixel i of every row: R, G, B and a byte of no use. */
static inline void weigh(uint32_t pixel[ROWS], const unsigned char *const *from, const at_axis *x, int i)
{
    const at_digits *d = x->digits + (int64_t)i * (x->taps / AT_TAP_GROUP);
    int64_t offset = 3 * (int64_t)x->first[i];
    sums s[VECTORS];
    for (int v = 0; v < VECTORS; v++) s[v] = sums_begin();
    for (int t = 0; t < x->count[i]; t += AT_TAP_GROUP, offset += 3 * AT_TAP_GROUP, d++) {
        const wide h0 = pair_of(d->high), h1 = pair_of(d->high + 2), l0 = pair_of(d->low),
                   l1 = pair_of(d->low + 2);
        for (int v = 0; v < VECTORS; v++) {
            const wide pixels = load_rows(from + v * LANES, offset);
            sums_add(&s[v], pixel_pair(pixels), h0, l0);
            sums_add(&s[v], pixel_pair(W_DROP(pixels, 6)), h1, l1);
        }
    }
    for (int v = 0; v < VECTORS; v++) {
        const wide words = W(packs_epi32)(sums_end(&s[v]), sums_end(&s[v]));
        uint32_t bytes[VL];
        W_STORE((void *)bytes, W(packus_epi16)(words, words));
        for (int l = 0; l < LANES; l++) pixel[v * LANES + l] = bytes[4 * l];
    }
}

static void horizontal(unsigned char *const *to, const unsigned char *const *from, const at_axis *x)
{
    const unsigned char *in[ROWS]; /* copies, which no store of a byte can change */
    unsigned char *out[ROWS];
    for (int r = 0; r < ROWS; r++) in[r] = from[r], out[r] = to[r];
    for (int i = 0; i < x->n; i++) {
        uint32_t pixel[ROWS];
        weigh(pixel, in, x, i);
        if (i + 1 < x->n) /* the 4th byte is the next pixel's first */
            for (int r = 0; r < ROWS; r++) memcpy(out[r] + 3 * (int64_t)i, &pixel[r], 4);
        else
            for (int r = 0; r < ROWS; r++) memcpy(out[r] + 3 * (int64_t)i, &pixel[r], 3);
    }
}

/* ---- Vertical ---- */

/* Unpacking and packing are both within lanes, so the bytes come out in their order. */
static inline void span(unsigned char *to, const unsigned char *from, size_t pitch, const at_digits *d,
                        int count)
{
    const wide zero = W(set1_epi32)(0);
    sums s[4] = {sums_begin(), sums_begin(), sums_begin(), sums_begin()};
    for (int t = 0; t < count; t += 2, from += 2 * pitch) {
        const wide a = W_LOAD((const void *)from);
        const wide b = t + 1 < count ? W_LOAD((const void *)(from + pitch)) : zero;
        const at_digits *four = d + t / AT_TAP_GROUP;
        const wide high = pair_of(four->high + t % AT_TAP_GROUP), low = pair_of(four->low + t % AT_TAP_GROUP);
        const wide ab = W(unpacklo_epi8)(a, b), cd = W(unpackhi_epi8)(a, b);
        sums_add(&s[0], W(unpacklo_epi8)(ab, zero), high, low);
        sums_add(&s[1], W(unpackhi_epi8)(ab, zero), high, low);
        sums_add(&s[2], W(unpacklo_epi8)(cd, zero), high, low);
        sums_add(&s[3], W(unpackhi_epi8)(cd, zero), high, low);
    }
    const wide first = W(packs_epi32)(sums_end(&s[0]), sums_end(&s[1]));
    const wide second = W(packs_epi32)(sums_end(&s[2]), sums_end(&s[3]));
    W_STORE((void *)to, W(packus_epi16)(first, second));
}

static void vertical(unsigned char *to, const unsigned char *from, size_t pitch, const at_axis *y, int i,
                     int64_t n)
{
    if (n < BYTES) {
        at__resample_column(to, from, pitch, y, i, n);
        return;
    }
    const at_digits *d = y->digits + (int64_t)i * (y->taps / AT_TAP_GROUP);
    for (int64_t j = 0; j < n; j += BYTES) {
        const int64_t at = at_min(j, n - BYTES); /* the last span overlaps the one before */
        span(to + at, from + at, pitch, d, y->count[i]);
    }
}

#else /* no vectors that we know */

static void horizontal(unsigned char *const *to, const unsigned char *const *from, const at_axis *x)
{
    at__resample_row(to[0], from[0], x);
}

static void vertical(unsigned char *to, const unsigned char *from, size_t pitch, const at_axis *y, int i,
                     int64_t n)
{
    at__resample_column(to, from, pitch, y, i, n);
}

enum { ROWS = 1 };

#endif

const at_resampler AT_SIMD(at_resampler_rgb) = {.name = "resize." AT_SIMD_VARIANT,
                                                .isa = AT_SIMD_LEVEL,
                                                .rows = ROWS,
                                                .horizontal = horizontal,
                                                .vertical = vertical};
