/* simd.h: vectors of float for kernels that are written once and compiled in several variants
 * (tools/build.cmake): NAME_isa.c for each instruction set, NAME_simd.c also for each element type of
 * activations, NAME_matrix.c also for matrix units. AT_SIMD(symbol) gives symbols a suffix of their own. GCC
 * vector types carry the arithmetic, which is float throughout; only memory differs: vf_load and vf_store
 * move floats, va_load and va_store elements of activations (at_element). Layer: base. */
#ifndef AT_SIMD_H
#define AT_SIMD_H

#include "base/dtype.h"
#include "base/stream.h"

#ifndef AT_SIMD_ISA
#error "simd.h is for *_isa.c, *_simd.c and *_matrix.c files"
#endif

#define AT_SIMD_PASTE_(a, b) a##_##b
#define AT_SIMD_PASTE(a, b)  AT_SIMD_PASTE_(a, b)
#define AT_SIMD(symbol)      AT_SIMD_PASTE(symbol, AT_SIMD_ISA)
#define AT_SIMD_TEXT_(isa)   #isa
#define AT_SIMD_TEXT(isa)    AT_SIMD_TEXT_(isa)
#define AT_SIMD_VARIANT      AT_SIMD_TEXT(AT_SIMD_ISA) /* "avx512" */

/* AT_EMULATE: variants with units for bf16 as any processor can run them, in portable vectors of their
 * length.
 */
#if defined(AT_SIMD_BF16) && (defined(__AVX512BF16__) || defined(AT_EMULATE))
#define AT_SIMD_PAIRS /* the processor multiplies pairs of bf16 */
#endif
#if defined(__AVX2__) && !defined(__AVX512F__) && !defined(AT_EMULATE)
#define AT_SIMD_AVX2 /* vectors of 256 bits */
#endif

#if defined(__AVX512F__) || defined(AT_EMULATE)
enum { VL = 16 };
#if defined(AT_SIMD_AMX)
#define AT_SIMD_LEVEL AT_ISA_AMX
#elif defined(AT_SIMD_PAIRS)
#define AT_SIMD_LEVEL AT_ISA_AVX512BF16
#else
#define AT_SIMD_LEVEL AT_ISA_AVX512
#endif
#if !defined(AT_EMULATE)
#include <immintrin.h>
#endif
#elif defined(AT_SIMD_AVX2)
enum { VL = 8 };
#define AT_SIMD_LEVEL AT_ISA_AVX2
#include <immintrin.h>
#else
enum { VL = 4 };
#define AT_SIMD_LEVEL AT_ISA_BASE
#endif

/* Kernels of one shape share their loops as functions that take the innermost expression as a function: both
 * must melt into the caller. */
#define AT_FORCE_INLINE static inline __attribute__((always_inline))

typedef float vf __attribute__((vector_size(VL * 4), may_alias));
typedef float vf_unaligned __attribute__((vector_size(VL * 4), aligned(4), may_alias));
typedef int32_t vi __attribute__((vector_size(VL * 4), may_alias));
typedef double vd __attribute__((vector_size(VL * 8)));

/* 0, 1 .. : a literal, so that what is computed of it stays a constant. */
static inline vi vi_lanes(void)
{
#if defined(__AVX512F__) || defined(AT_EMULATE)
    return (vi){0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
#elif defined(AT_SIMD_AVX2)
    return (vi){0, 1, 2, 3, 4, 5, 6, 7};
#else
    return (vi){0, 1, 2, 3};
#endif
}

/* x as it is rounded here: what follows is not contracted with what made it, wherever the code stands. */
AT_FORCE_INLINE vf vf_rounded(vf x)
{
#if defined(__AVX512F__)
    __asm__("" : "+v"(x));
#elif defined(__x86_64__) && !defined(AT_EMULATE)
    __asm__("" : "+x"(x));
#elif defined(__aarch64__)
    __asm__("" : "+w"(x));
#endif
    return x;
}

/* Lanes of x and then of y by their numbers, a vector of constants. Clang lacks GCC's builtin, and makes one
 * instruction of the loop. */
#if defined(__clang__)
#define AT_SHUFFLE(x, y, lanes)                                                                              \
    __extension__({                                                                                          \
        __typeof__((x) + (y)) x_ = (x), y_ = (y), shuffled_;                                                 \
        const __typeof__(lanes) lanes_ = (lanes);                                                            \
        const int n_ = (int)(sizeof x_ / sizeof x_[0]);                                                      \
        _Pragma("clang loop unroll(full)") for (int l_ = 0; l_ < n_; l_++) shuffled_[l_] =                   \
            (int)lanes_[l_] < n_ ? x_[lanes_[l_]] : y_[lanes_[l_] - n_];                                     \
        shuffled_;                                                                                           \
    })
#else
#define AT_SHUFFLE(x, y, lanes) __builtin_shuffle(x, y, lanes)
#endif

static inline vf vf_set(float x)
{
    return x - (vf){0};
}

static inline vf vf_load(const float *p)
{
    return *(const vf_unaligned *)p;
}

static inline void vf_store(float *p, vf x)
{
    *(vf_unaligned *)p = x;
}

#if defined(AT_SIMD_AVX2)
static inline __m256i vf_mask_n(int64_t n) /* -1 in the first n lanes */
{
    return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
#endif

/* The first n lanes, 0 < n <= VL; the others are 0 and their memory is not touched. */
static inline vf vf_load_n(const float *p, int64_t n)
{
    if (n >= VL) return vf_load(p);
#if defined(__AVX512F__)
    return (vf)_mm512_maskz_loadu_ps((__mmask16)((1u << n) - 1u), p);
#elif defined(AT_SIMD_AVX2)
    return (vf)_mm256_maskload_ps(p, vf_mask_n(n));
#else
    vf x = {0};
    for (int i = 0; i < n; i++) x[i] = p[i];
    return x;
#endif
}

static inline void vf_store_n(float *p, vf x, int64_t n)
{
    if (n >= VL) {
        vf_store(p, x);
        return;
    }
#if defined(__AVX512F__)
    _mm512_mask_storeu_ps(p, (__mmask16)((1u << n) - 1u), (__m512)x);
#elif defined(AT_SIMD_AVX2)
    _mm256_maskstore_ps(p, vf_mask_n(n), (__m256)x);
#else
    for (int i = 0; i < n; i++) p[i] = x[i];
#endif
}

/* -1 in the first n lanes, else 0. */
static inline vi vi_first(int64_t n)
{
    return vi_lanes() < (int32_t)n;
}

/* Lane-wise choice: mask lanes are 0 or -1, as comparisons give them. */
static inline vf vf_select(vi mask, vf a, vf b)
{
    return (vf)(((vi)a & mask) | ((vi)b & ~mask));
}

/* Lane l of x[i] becomes lane i of x[l]: blocks of 1, 2, 4 .. lanes beside the diagonal change places. */
AT_FORCE_INLINE void vf_transpose(vf x[VL])
{
    const vi lane = vi_lanes();
#pragma GCC unroll 4
    for (int half = 1; half < VL; half *= 2)
#pragma GCC unroll 16
        for (int i = 0; i < VL; i++) {
            if (i & half) continue;
            const vi right = (lane & half) != 0; /* -1 in the right halves */
            const vf a = x[i], b = x[i + half];
            x[i] = AT_SHUFFLE(a, b, lane + (right & (VL - half)));
            x[i + half] = AT_SHUFFLE(a, b, lane + half + (right & (VL - half)));
        }
}

/* low > x ? low : x, so that a NaN in x stays; in one instruction where its operands are taken in this order.
 */
static inline vf vf_at_least(vf x, vf low)
{
#if defined(__AVX512F__)
    return (vf)_mm512_max_ps((__m512)low, (__m512)x);
#elif defined(AT_SIMD_AVX2)
    return (vf)_mm256_max_ps((__m256)low, (__m256)x);
#else
    return vf_select(low > x, low, x);
#endif
}

/* high < x ? high : x, likewise. */
static inline vf vf_at_most(vf x, vf high)
{
#if defined(__AVX512F__)
    return (vf)_mm512_min_ps((__m512)high, (__m512)x);
#elif defined(AT_SIMD_AVX2)
    return (vf)_mm256_min_ps((__m256)high, (__m256)x);
#else
    return vf_select(high < x, high, x);
#endif
}

static inline vf vf_clamp(vf x, float low, float high)
{
    return vf_at_most(vf_at_least(x, vf_set(low)), vf_set(high));
}

/* ---- Elements of activations ---- */

#ifdef AT_SIMD_BF16
#define AT_SIMD_ACT AT_BF16
typedef uint16_t at_element;
typedef uint16_t vh __attribute__((vector_size(VL * 2), may_alias));
typedef uint16_t vh_unaligned __attribute__((vector_size(VL * 2), aligned(2), may_alias));
typedef uint32_t vw __attribute__((vector_size(VL * 4), may_alias));

static inline float at_element_value(at_element x)
{
    return at_bf16_to_f32(x);
}

static inline at_element at_element_of(float x)
{
    return at_f32_to_bf16(x);
}

static inline vf va_widen(vh x)
{
#if defined(__AVX512F__)
    return (vf)_mm512_slli_epi32(_mm512_cvtepu16_epi32((__m256i)x), 16);
#elif defined(AT_SIMD_AVX2)
    return (vf)_mm256_slli_epi32(_mm256_cvtepu16_epi32((__m128i)x), 16);
#else
    return (vf)(__builtin_convertvector(x, vw) << 16);
#endif
}

/* To nearest, ties to even; NaN stays NaN. The instruction takes numbers below 2^-126 for zero. */
static inline vh va_narrow(vf x)
{
#if defined(__AVX512BF16__)
    return (vh)_mm512_cvtneps_pbh((__m512)x);
#else
    const vw bits = (vw)x;
    const vw nearest = bits + 0x7fffu + ((bits >> 16) & 1u), quiet = bits | 0x400000u;
    const vw is_nan = (vw)(x != x);
    const vw wide = ((quiet & is_nan) | (nearest & ~is_nan)) >> 16;
#if defined(AT_SIMD_AVX2)
    const __m256i packed = _mm256_packus_epi32((__m256i)wide, (__m256i)wide); /* by halves of the register */
    return (vh)_mm256_castsi256_si128(_mm256_permute4x64_epi64(packed, 8));
#else
    return __builtin_convertvector(wide, vh);
#endif
#endif
}

static inline vf va_load(const at_element *p)
{
    return va_widen(*(const vh_unaligned *)p);
}

static inline void va_store(at_element *p, vf x)
{
    *(vh_unaligned *)p = va_narrow(x);
}

static inline vf va_load_n(const at_element *p, int64_t n)
{
    if (n >= VL) return va_load(p);
#if defined(__AVX512BW__)
    return va_widen((vh)_mm256_maskz_loadu_epi16((__mmask16)((1u << n) - 1u), p));
#else
    vh x = {0};
    for (int i = 0; i < n; i++) x[i] = p[i];
    return va_widen(x);
#endif
}

static inline void va_store_n(at_element *p, vf x, int64_t n)
{
    if (n >= VL) {
        va_store(p, x);
        return;
    }
    const vh h = va_narrow(x);
#if defined(__AVX512BW__)
    _mm256_mask_storeu_epi16(p, (__mmask16)((1u << n) - 1u), (__m256i)h);
#else
    for (int i = 0; i < n; i++) p[i] = h[i];
#endif
}
#else
#define AT_SIMD_ACT AT_F32
typedef float at_element;

static inline float at_element_value(at_element x)
{
    return x;
}

static inline at_element at_element_of(float x)
{
    return x;
}

static inline vf va_load(const at_element *p)
{
    return vf_load(p);
}

static inline void va_store(at_element *p, vf x)
{
    vf_store(p, x);
}

static inline vf va_load_n(const at_element *p, int64_t n)
{
    return vf_load_n(p, n);
}

static inline void va_store_n(at_element *p, vf x, int64_t n)
{
    vf_store_n(p, x, n);
}
#endif

/* ---- Stores past the caches ----
 * A store reads the line that it changes, and a core waits for few lines at a time: past the caches, results
 * that would not be found there again are written up to three times as fast. By whole lines, each at once. */

/* Is a result of so many bytes large enough, and does it begin with a line? */
static inline bool vf_streams(const void *p, int64_t bytes)
{
    return bytes >= at__stream_bytes && (uintptr_t)p % 64 == 0;
}

/* p at a whole vector; elsewhere the instructions fault, and what stands for them does, too. What is streamed
 * is seen by others after vf_stream_end. */
static inline void vf_stream(float *p, vf x)
{
#if defined(AT_EMULATE)
    if ((uintptr_t)p % sizeof x) __builtin_trap();
    vf_store(p, x);
#elif defined(__AVX512F__)
    _mm512_stream_ps(p, (__m512)x);
#elif defined(AT_SIMD_AVX2)
    _mm256_stream_ps(p, (__m256)x);
#else
    vf_store(p, x);
#endif
}

static inline void va_stream(at_element *p, vf x)
{
#if !defined(AT_SIMD_BF16)
    vf_stream(p, x);
#elif defined(AT_EMULATE)
    if ((uintptr_t)p % (VL * sizeof *p)) __builtin_trap();
    va_store(p, x);
#elif defined(__AVX512F__)
    _mm256_stream_si256((__m256i *)(void *)p, (__m256i)va_narrow(x));
#elif defined(AT_SIMD_AVX2)
    _mm_stream_si128((__m128i *)(void *)p, (__m128i)va_narrow(x));
#else
    va_store(p, x);
#endif
}

/* As va_store_n; whole vectors are streamed if asked for. */
static inline void va_put_n(at_element *p, vf x, int64_t n, bool streams)
{
    if (streams && n >= VL)
        va_stream(p, x);
    else
        va_store_n(p, x, n);
}

/* x and y side by side: with bf16, a line of 32. */
static inline void va_put_two(at_element *p, vf x, vf y, bool streams)
{
#if defined(__AVX512BF16__) && defined(AT_SIMD_BF16)
    const __m512i both = (__m512i)_mm512_cvtne2ps_pbh((__m512)y, (__m512)x);
    if (streams)
        _mm512_stream_si512((void *)p, both);
    else
        _mm512_storeu_si512(p, both);
#else
#if defined(AT_EMULATE)
    if (streams && (uintptr_t)p % (2 * VL * sizeof *p)) __builtin_trap();
#endif
    va_put_n(p, x, VL, streams);
    va_put_n(p + VL, y, VL, streams);
#endif
}

static inline void vf_stream_end(void)
{
#if defined(AT_SIMD_AVX2) || (defined(__AVX512F__) && !defined(AT_EMULATE))
    _mm_sfence();
#endif
}

/* Sum of the lanes, in lane order. */
static inline float vf_sum(vf x)
{
    float s = 0.0f;
    for (int i = 0; i < VL; i++) s += x[i];
    return s;
}

#endif
