/* gemm_simd.h: the products' entry points for the variant that includes this, and its packed form. For
 * *_matrix.c files.
 *
 * B[K,N] packed is panels of GEMM_NR columns, the last one padded with zeros. Within a panel lie, for each k,
 * GEMM_NR numbers; where the processor multiplies pairs of bf16 (GEMM_PAIRS), for each two of k, GEMM_NR
 * pairs, K padded with zeros to whole tiles. */
#ifndef AT_GEMM_SIMD_H
#define AT_GEMM_SIMD_H

#include "base/simd.h"
#include "gemm/gemm.h"

#if defined(AT_SIMD_PAIRS)
#define GEMM_PAIRS 1
#else
#define GEMM_PAIRS 0
#endif

#if defined(__AVX512F__)
enum { GEMM_MR = 14, GEMM_NV = 2 }; /* 28 accumulators, 2 vectors of B, 1 element of A: 31 of 32 registers */
#define GEMM_FOR_EVERY_MR(X) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14)
enum { GEMM_MR_OF_3 = 9 }; /* the same of three vectors of B */
#define GEMM_FOR_EVERY_MR_OF_3(X) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9)
#elif defined(__AVX2__)
enum { GEMM_MR = 6, GEMM_NV = 2 }; /* 12 + 2 + 1 of 16 */
#define GEMM_FOR_EVERY_MR(X)      X(1) X(2) X(3) X(4) X(5) X(6)
enum { GEMM_MR_OF_3 = 4 };
#define GEMM_FOR_EVERY_MR_OF_3(X) X(1) X(2) X(3) X(4)
#else
enum { GEMM_MR = 4, GEMM_NV = 2, GEMM_MR_OF_3 = 4 };
#define GEMM_FOR_EVERY_MR(X)      X(1) X(2) X(3) X(4)
#define GEMM_FOR_EVERY_MR_OF_3(X) GEMM_FOR_EVERY_MR(X)
#endif
enum { GEMM_NR = GEMM_NV * VL };

enum {
    GEMM_WIDENS = sizeof(at_element) < sizeof(float) && !GEMM_PAIRS
}; /* elements must become floats first */

#if GEMM_PAIRS
typedef uint16_t gemm_operand; /* what loaders write and panels hold */
enum { GEMM_K_STEP = 32 };
#else
typedef float gemm_operand;
enum { GEMM_K_STEP = 1 };
#endif

/* Numbers of one panel. */
static inline int64_t gemm_panel_size(int64_t K)
{
    return GEMM_NR * at_round_up(K, GEMM_K_STEP);
}

/* Where element k of column `lane` lies in its panel. */
static inline int64_t gemm_panel_index(int64_t k, int64_t lane)
{
    return GEMM_PAIRS ? (k / 2 * GEMM_NR + lane) * 2 + k % 2 : k * GEMM_NR + lane;
}

/* Numbers of B[K,N] packed. */
static inline int64_t gemm_packed_size(int64_t K, int64_t N)
{
    return at_ceil_div(N, GEMM_NR) * gemm_panel_size(K);
}

/* A weight as panels hold it. */
static inline gemm_operand gemm_operand_of(float x)
{
#if GEMM_PAIRS
    return at_f32_to_bf16(x);
#else
    return x;
#endif
}

/* VL elements as operands. */
static inline void gemm_copy_vector(gemm_operand *out, const at_element *from)
{
#if GEMM_PAIRS
    *(vh_unaligned *)out = *(const vh_unaligned *)from;
#else
    vf_store(out, va_load(from));
#endif
}

/* As many elements as VL floats are long. */
static inline void gemm_copy_32(gemm_operand *out, const at_element *from)
{
    memcpy(out, from, VL * sizeof(float));
}

/* Fewer. */
static inline void gemm_copy_few(gemm_operand *out, const at_element *from, int64_t n)
{
#if defined(__AVX512BW__) && GEMM_PAIRS
    const __mmask16 first = (__mmask16)((1u << n) - 1u);
    _mm256_mask_storeu_epi16(out, first, _mm256_maskz_loadu_epi16(first, from));
#elif defined(__AVX512BW__)
    vf_store_n(out, va_load_n(from, n), n);
#else
    for (int64_t i = 0; i < n; i++)
        out[i] = GEMM_PAIRS ? (gemm_operand)from[i] : (gemm_operand)at_element_value(from[i]);
#endif
}

/* n elements as operands. What is left of them is copied once more with some that were: taps along a row of a
 * picture are 9 or 21 elements, and one by one cost more than their product. */
static inline void gemm_copy(gemm_operand *out, const at_element *from, int64_t n)
{
    int64_t i = 0;
    if (GEMM_PAIRS && n > 2 * VL) { /* 32 of them are as long as 16 floats */
        for (; i + 2 * VL <= n; i += 2 * VL) gemm_copy_32(out + i, from + i);
        if (i < n) gemm_copy_32(out + n - 2 * VL, from + n - 2 * VL);
        return;
    }
    for (; i + VL <= n; i += VL) gemm_copy_vector(out + i, from + i);
    if (i == n) return;
    if (n > VL)
        gemm_copy_vector(out + n - VL, from + n - VL);
    else
        gemm_copy_few(out + i, from + i, n - i);
}

/* Is C large and without gaps, and neither added to nor read again, so that it may go past the caches? */
static inline bool gemm_streams(const at_gemm_job *g)
{
    return !g->accumulate && !g->then && g->c_pitch == g->N &&
           vf_streams(g->c, g->M * g->N * (int64_t)sizeof(at_element));
}

/* ---- What outer products put into C ---- */

/* sums += from */
static inline void gemm_add_row(float *sums, const float *from, int64_t n)
{
    for (int64_t i = 0; i < n; i += VL)
        vf_store_n(sums + i, vf_load_n(sums + i, n - i) + vf_load_n(from + i, n - i), n - i);
}

/* Row m of C (+)= sums, which are of columns [n, n + cols) of B: files keep convolution weights channel by
 * channel, B has them tap by tap. */
static inline void gemm_put_columns(const at_gemm_outer_job *g, int64_t m, const float *sums, int64_t n,
                                    int64_t cols, bool add)
{
    float *c = g->c + m * g->N;
    const int64_t taps = g->taps, channels = g->N / taps;
    if (taps == 1) {
        for (int64_t i = 0; i < cols; i += VL) {
            vf x = vf_load_n(sums + i, cols - i);
            if (add) x = vf_load_n(c + n + i, cols - i) + x;
            vf_store_n(c + n + i, x, cols - i);
        }
        return;
    }
    for (int64_t tap = n / channels, channel = n % channels, i = 0; i < cols; i++) {
        float *p = &c[channel * taps + tap];
        *p = add ? *p + sums[i] : sums[i];
        if (++channel < channels) continue;
        channel = 0;
        tap++;
    }
}

/* Channels [channel, channel + VL) of the taps [tap, tap + n): both orders are read and written in runs. */
static inline void gemm_turn_taps(float *c, const float *sums, int64_t taps, int64_t channels, int64_t n,
                                  bool add)
{
    vf x[VL];
    for (int i = 0; i < VL; i++) x[i] = i < n ? vf_load(sums + i * channels) : (vf){0};
    vf_transpose(x);
    for (int l = 0; l < VL; l++, c += taps) {
        if (add) x[l] += vf_load_n(c, n);
        vf_store_n(c, x[l], n);
    }
}

/* All of row m. */
static inline void gemm_put_row(const at_gemm_outer_job *g, int64_t m, const float *sums)
{
    const int64_t taps = g->taps, channels = g->N / taps;
    if (taps == 1 || channels % VL) {
        gemm_put_columns(g, m, sums, 0, g->N, g->accumulate);
        return;
    }
    for (int64_t channel = 0; channel < channels; channel += VL)
        for (int64_t tap = 0; tap < taps; tap += VL)
            gemm_turn_taps(g->c + m * g->N + channel * taps + tap, sums + tap * channels + channel, taps,
                           channels, at_min(VL, taps - tap), g->accumulate);
}

/* Bytes of scratch a thread, of products with such K and N at most. taps: of A, or NULL; samples and data are
 * not looked at. */
size_t AT_SIMD(at_gemm_thread_scratch)(int64_t K, int64_t N, const at_gemm_taps *taps);
void AT_SIMD(at_gemm)(const at_gemm_job *job);

/* Bytes of scratch of an outer product of at most `rows` rows. loads: B comes through a loader, or taps > 1;
 * taps: of B, or NULL, as above. */
void AT_SIMD(at_gemm_outer_scratch)(int64_t rows, int64_t M, int64_t N, bool loads, const at_gemm_taps *taps,
                                    size_t *shared, size_t *thread);
void AT_SIMD(at_gemm_outer)(const at_gemm_outer_job *job);

#endif
